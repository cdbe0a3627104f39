//! Who may do what. [`Actor`] says who asks, [`Permissions`] what its roles allow, and
//! [`policy::decide`] answers in one match. Nothing here touches a database.
//!
//! Invariant: the handles [`Reader`] and [`Writer`] can only be had from [`crate::ctx::Ctx`], after
//! the policy said yes; every statement on a tenant's tables asks for one.

mod permissions;
mod permit;
pub mod policy;
mod resource;
mod rows;
mod scope;

use std::sync::Arc;

use chrono_tz::Tz;
use uuid::Uuid;

pub use permissions::{FieldRule, Permissions, parse_key_field, parse_key_scope};
pub use permit::{Permit, Reader, SystemHandle, Writer};
pub use resource::{Action, Resource};
pub use rows::RowRule;
pub use scope::{Reach, ScopeKind};

/// Who is asking: a user (human or service account) of one tenant, through a token or an API key.
#[derive(Debug, Clone)]
pub struct Actor {
    pub tenant_id: Uuid,
    pub tenant: Arc<TenantProfile>,
    pub user_id: Uuid,
    /// The API key used, when one was.
    pub api_key_id: Option<Uuid>,
    /// The key runs registered operations only.
    pub persisted_only: bool,
    /// Its answers with errors have the status of an error.
    pub errors_as_status: bool,
    /// The session behind the access token, when one was used.
    pub session_id: Option<Uuid>,
    pub role_names: Arc<[String]>,
    pub permissions: Arc<Permissions>,
    /// The user and everyone below them, for the scope `team`; the user alone where no grant asks.
    pub team: Arc<[Uuid]>,
    /// The user and everyone of their org unit and the units below it, for the scope `org_unit`; the
    /// user alone where no grant asks.
    pub org_unit_members: Arc<[Uuid]>,
    /// The company that the user belongs to, for the scope `company`: somebody from outside.
    pub company_id: Option<Uuid>,
}

impl Actor {
    /// Whether this is the same caller with the very same rights: everything that tells what somebody
    /// may do was read at the same time. (What was read anew may be equal; it is not looked at.)
    pub fn has_rights_of(&self, other: &Self) -> bool {
        // Named one by one: a new field has to be thought of here.
        let Self {
            tenant_id,
            tenant,
            user_id,
            api_key_id,
            persisted_only,
            errors_as_status,
            session_id,
            role_names,
            permissions,
            team,
            org_unit_members,
            company_id,
        } = self;
        *tenant_id == other.tenant_id
            && Arc::ptr_eq(tenant, &other.tenant)
            && *user_id == other.user_id
            && *api_key_id == other.api_key_id
            && *persisted_only == other.persisted_only
            && *errors_as_status == other.errors_as_status
            && *session_id == other.session_id
            && Arc::ptr_eq(role_names, &other.role_names)
            && Arc::ptr_eq(permissions, &other.permissions)
            && Arc::ptr_eq(team, &other.team)
            && Arc::ptr_eq(org_unit_members, &other.org_unit_members)
            && *company_id == other.company_id
    }
}

/// What a tenant's settings mean for its requests.
#[derive(Debug, Clone)]
pub struct TenantProfile {
    pub slug: String,
    /// Calendar days, months and years are this zone's.
    pub time_zone: Tz,
    /// ISO 4217; the currency of amounts that name none.
    pub currency: String,
    /// `pt-BR` or `en`.
    pub language: String,
}
