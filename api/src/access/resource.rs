//! The closed lists of things that can be permitted.

/// A kind of record (or a capability) that permissions speak of. The text form is what roles store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Resource {
    Companies,
    Contacts,
    Leads,
    LeadInteractions,
    PipelineStages,
    Deals,
    DealActivities,
    Sales,
    CustomerGoals,
    Users,
    OrgUnits,
    Roles,
    ApiKeys,
    /// The profile and the settings of the tenant itself.
    Tenants,
    AuditLogs,
    Events,
    /// What events add up to.
    Analytics,
}

impl Resource {
    pub const ALL: [Self; 17] = [
        Self::Companies,
        Self::Contacts,
        Self::Leads,
        Self::LeadInteractions,
        Self::PipelineStages,
        Self::Deals,
        Self::DealActivities,
        Self::Sales,
        Self::CustomerGoals,
        Self::Users,
        Self::OrgUnits,
        Self::Roles,
        Self::ApiKeys,
        Self::Tenants,
        Self::AuditLogs,
        Self::Events,
        Self::Analytics,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Companies => "companies",
            Self::Contacts => "contacts",
            Self::Leads => "leads",
            Self::LeadInteractions => "lead_interactions",
            Self::PipelineStages => "pipeline_stages",
            Self::Deals => "deals",
            Self::DealActivities => "deal_activities",
            Self::Sales => "sales",
            Self::CustomerGoals => "customer_goals",
            Self::Users => "users",
            Self::OrgUnits => "org_units",
            Self::Roles => "roles",
            Self::ApiKeys => "api_keys",
            Self::Tenants => "tenants",
            Self::AuditLogs => "audit_logs",
            Self::Events => "events",
            Self::Analytics => "analytics",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|resource| resource.as_str() == text)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Action {
    Read,
    Create,
    Update,
    /// Soft delete and restore.
    Delete,
    /// Remove for good: the second permission beside `delete`.
    Destroy,
}

impl Action {
    pub const ALL: [Self; 5] =
        [Self::Read, Self::Create, Self::Update, Self::Delete, Self::Destroy];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
            Self::Destroy => "destroy",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.as_str() == text)
    }
}
