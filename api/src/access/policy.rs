//! The policy: one pure function. Its whole table is a snapshot in the tests.

use std::sync::Arc;

use uuid::Uuid;

use super::{Action, Actor, Resource, RowRule, ScopeKind};

/// What the policy answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    Allow(RowRule),
    Deny,
}

/// May `actor` do `action` on `resource`, and on which rows?
pub fn decide(actor: &Actor, action: Action, resource: Resource) -> Decision {
    let Some(reach) = actor.permissions.reach(resource, action) else { return Decision::Deny };
    let owners: Option<Arc<[Uuid]>> = match reach.people() {
        Some(ScopeKind::All) => return Decision::Allow(RowRule::All),
        Some(ScopeKind::Own) => Some(Arc::from([actor.user_id].as_slice())),
        Some(ScopeKind::Team) => Some(Arc::clone(&actor.team)),
        Some(ScopeKind::OrgUnit) => Some(Arc::clone(&actor.org_unit_members)),
        Some(ScopeKind::Company) | None => None,
    };
    Decision::Allow(match (owners, reach.is_of_company()) {
        (None, _) => RowRule::Company(actor.company_id),
        (Some(owners), false) => RowRule::Owners(owners),
        (Some(owners), true) => RowRule::Either(owners, actor.company_id),
    })
}
