//! The policy: one pure function. Its whole table is a snapshot in the tests.

use std::sync::Arc;

use super::{Action, Actor, Resource, RowRule, ScopeKind};

/// What the policy answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    Allow(RowRule),
    Deny,
}

/// May `actor` do `action` on `resource`, and on which rows?
pub fn decide(actor: &Actor, action: Action, resource: Resource) -> Decision {
    match actor.permissions.scope(resource, action) {
        None => Decision::Deny,
        Some(ScopeKind::All) => Decision::Allow(RowRule::All),
        Some(ScopeKind::Own) => {
            Decision::Allow(RowRule::Owners(Arc::from([actor.user_id].as_slice())))
        }
        Some(ScopeKind::Team) => Decision::Allow(RowRule::Owners(Arc::clone(&actor.team))),
        Some(ScopeKind::OrgUnit) => {
            Decision::Allow(RowRule::Owners(Arc::clone(&actor.org_unit_members)))
        }
    }
}
