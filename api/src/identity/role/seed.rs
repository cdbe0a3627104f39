//! The five roles that every tenant begins with, written out in full. `docs/roles.md` shows the
//! same table (a test compares them).

use serde_json::{Map, Value as Json, json};

use crate::access::{Action, FieldRule, Resource, ScopeKind};

/// A role as tenants receive it.
#[derive(Debug)]
pub struct RoleSeed {
    pub name: &'static str,
    pub label_pt: &'static str,
    pub description: &'static str,
    pub rights: Rights,
}

#[derive(Debug)]
pub enum Rights {
    /// Every action on every resource, those of later versions included.
    Everything,
    Listed(&'static [Grant]),
}

/// What is allowed on one resource.
#[derive(Debug)]
pub struct Grant {
    pub resource: Resource,
    pub scopes: &'static [(Action, ScopeKind)],
    /// By GraphQL name; fields that are not named are plain.
    pub fields: &'static [(&'static str, FieldRule)],
}

const fn grant(resource: Resource, scopes: &'static [(Action, ScopeKind)]) -> Grant {
    Grant { resource, scopes, fields: &[] }
}

const READ: &[(Action, ScopeKind)] = &[(Action::Read, ScopeKind::All)];

const READ_CREATE: &[(Action, ScopeKind)] =
    &[(Action::Read, ScopeKind::All), (Action::Create, ScopeKind::All)];

const READ_CREATE_UPDATE: &[(Action, ScopeKind)] = &[
    (Action::Read, ScopeKind::All),
    (Action::Create, ScopeKind::All),
    (Action::Update, ScopeKind::All),
];

/// A seller sees the whole market, changes what the own team works on, removes what is theirs.
const SELL: &[(Action, ScopeKind)] = &[
    (Action::Read, ScopeKind::All),
    (Action::Create, ScopeKind::All),
    (Action::Update, ScopeKind::Team),
    (Action::Delete, ScopeKind::Own),
];

/// A seller's sales are theirs and, where they lead others, their reports'.
const SELL_OWN: &[(Action, ScopeKind)] = &[
    (Action::Read, ScopeKind::Team),
    (Action::Create, ScopeKind::Team),
    (Action::Update, ScopeKind::Team),
];

const READ_TEAM: &[(Action, ScopeKind)] = &[(Action::Read, ScopeKind::Team)];

pub const SEEDS: [RoleSeed; 5] = [
    RoleSeed {
        name: "admin",
        label_pt: "Administrador",
        description: "Everything, users, roles and keys included.",
        rights: Rights::Everything,
    },
    RoleSeed {
        name: "diretor",
        label_pt: "Diretor",
        description: "Sees everything; works on leads, deals and all that belongs to them.",
        rights: Rights::Listed(&[
            grant(Resource::Companies, READ_CREATE_UPDATE),
            grant(Resource::Contacts, READ_CREATE_UPDATE),
            grant(Resource::Leads, READ_CREATE_UPDATE),
            grant(Resource::LeadInteractions, READ_CREATE_UPDATE),
            grant(Resource::PipelineStages, READ_CREATE_UPDATE),
            grant(Resource::Deals, READ_CREATE_UPDATE),
            grant(Resource::DealActivities, READ_CREATE_UPDATE),
            grant(Resource::Sales, READ_CREATE_UPDATE),
            grant(Resource::CustomerGoals, READ_CREATE_UPDATE),
            grant(Resource::Users, READ),
            grant(Resource::OrgUnits, READ),
            grant(Resource::Roles, READ),
            grant(Resource::ApiKeys, READ),
            grant(Resource::Tenants, READ),
            grant(Resource::AuditLogs, READ),
            grant(Resource::Events, READ),
            grant(Resource::Analytics, READ),
        ]),
    },
    RoleSeed {
        name: "comercial",
        label_pt: "Comercial",
        description: "Sells: leads, deals, and the companies and contacts behind them.",
        rights: Rights::Listed(&[
            grant(Resource::Companies, SELL),
            grant(Resource::Contacts, SELL),
            grant(Resource::Leads, SELL),
            grant(Resource::LeadInteractions, SELL),
            grant(Resource::PipelineStages, READ),
            grant(Resource::Deals, SELL),
            grant(Resource::DealActivities, SELL),
            grant(Resource::Sales, SELL_OWN),
            grant(Resource::CustomerGoals, READ_TEAM),
            Grant {
                resource: Resource::Users,
                scopes: READ,
                fields: &[("email", FieldRule::Hidden), ("phone", FieldRule::Hidden)],
            },
            grant(Resource::OrgUnits, READ),
        ]),
    },
    RoleSeed {
        name: "agente_ia",
        label_pt: "Agente de IA",
        description: "A service account that finds leads and talks to them.",
        rights: Rights::Listed(&[
            grant(Resource::Companies, READ),
            grant(Resource::Contacts, READ),
            grant(Resource::Leads, READ_CREATE),
            grant(Resource::LeadInteractions, READ_CREATE),
        ]),
    },
    RoleSeed {
        name: "cliente",
        label_pt: "Cliente",
        description: "A customer from outside; sees their own company and none of the sales side.",
        rights: Rights::Listed(&[Grant {
            resource: Resource::Companies,
            scopes: &[(Action::Read, ScopeKind::Company)],
            fields: &[
                ("metadata", FieldRule::Hidden),
                ("notes", FieldRule::Hidden),
                ("source", FieldRule::Hidden),
            ],
        }]),
    },
];

impl RoleSeed {
    /// The stored form, as [`crate::access::Permissions::from_json`] reads it.
    pub fn permissions(&self) -> Json {
        match self.rights {
            Rights::Everything => json!({ "*": "all" }),
            Rights::Listed(grants) => Json::Object(
                grants
                    .iter()
                    .map(|grant| (grant.resource.as_str().to_owned(), grant.to_json()))
                    .collect(),
            ),
        }
    }
}

impl Grant {
    fn to_json(&self) -> Json {
        let mut entry: Map<String, Json> = self
            .scopes
            .iter()
            .map(|(action, scope)| (action.as_str().to_owned(), scope.as_str().into()))
            .collect();
        if !self.fields.is_empty() {
            let rules: Map<String, Json> = self
                .fields
                .iter()
                .map(|(field, rule)| ((*field).to_owned(), rule.as_str().into()))
                .collect();
            entry.insert("fields".to_owned(), Json::Object(rules));
        }
        Json::Object(entry)
    }
}
