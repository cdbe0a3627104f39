//! Who may be told of a row: people who act, and whose roles let them read it.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::store;
use crate::access::{Action, Permissions, Resource, ScopeKind, SystemHandle};
use crate::db::Conn;
use crate::error::Result;
use crate::identity::{actor, role};

/// Somebody who may be told.
pub struct Person {
    tenant_id: Uuid,
    id: Uuid,
    pub manager_id: Option<Uuid>,
    org_unit_id: Option<Uuid>,
    company_id: Option<Uuid>,
    permissions: Permissions,
}

/// Those of these users who are active and no service accounts, with what their roles allow.
pub async fn people(
    conn: &Conn,
    tenant_id: Uuid,
    mut ids: Vec<Uuid>,
) -> Result<BTreeMap<Uuid, Person>> {
    ids.sort_unstable();
    ids.dedup();
    let mut found = BTreeMap::new();
    if ids.is_empty() {
        return Ok(found);
    }
    let system = SystemHandle::for_tenant(tenant_id);
    for row in store::people(conn, &system, ids).await? {
        let person = found.entry(row.id).or_insert_with(|| Person {
            tenant_id,
            id: row.id,
            manager_id: row.manager_id,
            org_unit_id: row.org_unit_id,
            company_id: row.company_id,
            permissions: Permissions::default(),
        });
        if let Some((name, stored)) = row.role {
            let rights = role::service::rights(&name, &stored);
            person.permissions = std::mem::take(&mut person.permissions).merge(&rights);
        }
    }
    Ok(found)
}

/// Those whose roles let them do this to some row at least.
pub async fn granted(
    conn: &Conn,
    tenant_id: Uuid,
    (resource, action): (Resource, Action),
) -> Result<Vec<Uuid>> {
    let roles = role::service::granting(conn, tenant_id, (resource, action)).await?;
    if roles.is_empty() {
        return Ok(Vec::new());
    }
    store::holders(conn, &SystemHandle::for_tenant(tenant_id), roles).await
}

impl Person {
    /// Whether they may read a row of this owner and this company.
    pub async fn may_read(
        &self,
        conn: &Conn,
        resource: Resource,
        row: (Uuid, Option<Uuid>),
    ) -> Result<bool> {
        self.may(conn, (resource, Action::Read), row).await
    }

    /// Whether they may do this to a row of this owner and this company.
    pub async fn may(
        &self,
        conn: &Conn,
        (resource, action): (Resource, Action),
        (owner, company): (Uuid, Option<Uuid>),
    ) -> Result<bool> {
        let Some(reach) = self.permissions.reach(resource, action) else { return Ok(false) };
        if reach.is_of_company() && company.is_some() && company == self.company_id {
            return Ok(true);
        }
        match reach.people() {
            Some(ScopeKind::All) => Ok(true),
            Some(ScopeKind::Own) => Ok(owner == self.id),
            Some(ScopeKind::Team | ScopeKind::OrgUnit) if owner == self.id => Ok(true),
            Some(scope @ (ScopeKind::Team | ScopeKind::OrgUnit)) => {
                let system = SystemHandle::for_tenant(self.tenant_id);
                let place = (self.id, self.org_unit_id);
                let (team, members) =
                    actor::service::around(conn, &system, place, &self.permissions).await?;
                let reached = if scope == ScopeKind::Team { team } else { members };
                Ok(reached.contains(&owner))
            }
            Some(ScopeKind::Company) | None => Ok(false),
        }
    }
}
