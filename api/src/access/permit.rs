//! *No permission, no handle.* The proof that somebody may touch a tenant's rows. Statements are run
//! through [`crate::db::Conn`], which asks for one; constructors are private to this module and to
//! `ctx`, so that a handle without a decision does not compile.

use std::sync::Arc;

use uuid::Uuid;

use super::{Action, Actor, FieldRule, Permissions, Resource, RowRule};

mod sealed {
    pub trait Sealed {}
}

/// Proof of a decision; carries the tenant whose rows may be touched.
pub trait Permit: sealed::Sealed + Sync {
    fn tenant_id(&self) -> Uuid;
}

/// May read rows of one resource, those of `rows` only.
#[derive(Debug, Clone)]
pub struct Reader {
    tenant_id: Uuid,
    user_id: Uuid,
    resource: Resource,
    rows: RowRule,
    permissions: Arc<Permissions>,
}

/// May change rows of one resource, those of `rows` only.
#[derive(Debug, Clone)]
pub struct Writer {
    tenant_id: Uuid,
    user_id: Uuid,
    resource: Resource,
    action: Action,
    rows: RowRule,
}

/// Honest work across or beside tenants (sign-in, migration, maintenance). Its users are listed in
/// `tests/tidy.rs`: that list is the audit.
#[derive(Debug, Clone, Copy)]
pub struct SystemHandle {
    tenant_id: Uuid,
}

impl Reader {
    pub(crate) fn granted(actor: &Actor, resource: Resource, rows: RowRule) -> Self {
        Self {
            tenant_id: actor.tenant_id,
            user_id: actor.user_id,
            resource,
            rows,
            permissions: Arc::clone(&actor.permissions),
        }
    }

    pub fn resource(&self) -> Resource {
        self.resource
    }

    pub fn user_id(&self) -> Uuid {
        self.user_id
    }

    pub fn rows(&self) -> &RowRule {
        &self.rows
    }

    /// What this caller may see of a field, by its GraphQL name.
    pub fn field(&self, name: &str) -> FieldRule {
        self.permissions.field(self.resource, name)
    }

    /// Whether this caller may follow a relation whose id the field `via` holds, where one does.
    pub fn follows(&self, relation: &str, via: Option<&str>) -> bool {
        self.permissions.follows(self.resource, relation, via)
    }

    /// Whether every field may be read: what answers that are no record's need.
    pub fn is_whole(&self) -> bool {
        self.permissions.reads_whole(self.resource)
    }
}

impl Writer {
    pub(crate) fn granted(
        actor: &Actor,
        action: Action,
        resource: Resource,
        rows: RowRule,
    ) -> Self {
        Self { tenant_id: actor.tenant_id, user_id: actor.user_id, resource, action, rows }
    }

    pub fn resource(&self) -> Resource {
        self.resource
    }

    pub fn action(&self) -> Action {
        self.action
    }

    pub fn user_id(&self) -> Uuid {
        self.user_id
    }

    pub fn rows(&self) -> &RowRule {
        &self.rows
    }
}

impl SystemHandle {
    /// For work inside one tenant that no caller asked for, and for `tenants` itself.
    pub fn for_tenant(tenant_id: Uuid) -> Self {
        Self { tenant_id }
    }
}

impl sealed::Sealed for Reader {}
impl sealed::Sealed for Writer {}
impl sealed::Sealed for SystemHandle {}

impl Permit for Reader {
    fn tenant_id(&self) -> Uuid {
        self.tenant_id
    }
}

impl Permit for Writer {
    fn tenant_id(&self) -> Uuid {
        self.tenant_id
    }
}

impl Permit for SystemHandle {
    fn tenant_id(&self) -> Uuid {
        self.tenant_id
    }
}
