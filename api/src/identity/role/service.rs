//! A tenant's roles, as those find them who work for the tenant or the operator.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use entity::role;
use uuid::Uuid;

use super::seed::SEEDS;
use super::store;
use crate::access::{Action, Permissions, Resource, SystemHandle};
use crate::app::App;
use crate::clock::Clock;
use crate::db::Conn;
use crate::error::{Error, Result, say};
use crate::identity::tenant;

/// Gives a new tenant its roles.
pub(crate) async fn seed(
    conn: &Conn,
    clock: &Clock,
    tenant_id: Uuid,
    now: DateTime<Utc>,
) -> Result<()> {
    let roles = SEEDS.iter().map(|seed| role::Model {
        tenant_id,
        id: clock.new_id(),
        name: seed.name.to_owned(),
        description: Some(seed.description.to_owned()),
        label_pt: Some(seed.label_pt.to_owned()),
        permissions: seed.permissions(),
        created_at: now,
        updated_at: now,
        version: 1,
    });
    store::insert_all(conn, &SystemHandle::for_tenant(tenant_id), roles).await
}

/// The role of this name, or INVALID with the names there are.
pub(crate) async fn id_of(conn: &Conn, tenant_id: Uuid, name: &str) -> Result<Uuid> {
    Ok(named(conn, tenant_id, name).await?.id)
}

/// The names of a tenant's roles, by id.
pub(crate) async fn names(conn: &Conn, tenant_id: Uuid) -> Result<HashMap<Uuid, String>> {
    let roles = store::list(conn, &SystemHandle::for_tenant(tenant_id)).await?;
    Ok(roles.into_iter().map(|role| (role.id, role.name)).collect())
}

/// The roles that grant an action, in whatever scope.
pub(crate) async fn granting(
    conn: &Conn,
    tenant_id: Uuid,
    (resource, action): (Resource, Action),
) -> Result<Vec<Uuid>> {
    let mut roles = store::list(conn, &SystemHandle::for_tenant(tenant_id)).await?;
    roles.retain(|role| rights(&role.name, &role.permissions).reach(resource, action).is_some());
    Ok(roles.into_iter().map(|role| role.id).collect())
}

/// As [`id_of`], the whole role.
pub(crate) async fn named(conn: &Conn, tenant_id: Uuid, name: &str) -> Result<role::Model> {
    let mut roles = store::list(conn, &SystemHandle::for_tenant(tenant_id)).await?;
    if let Some(place) = roles.iter().position(|role| role.name == name) {
        return Ok(roles.swap_remove(place));
    }
    let names: Vec<&str> = roles.iter().map(|role| role.name.as_str()).collect();
    let names = names.join(", ");
    Err(Error::invalid_field(
        "role",
        say(
            format!("unknown role \"{name}\"; there are: {names}"),
            format!("papel desconhecido \"{name}\"; existem: {names}"),
        ),
    ))
}

/// All roles of a tenant, by name.
pub async fn list(app: &Arc<App>, tenant_slug: &str) -> Result<Vec<role::Model>> {
    let tenant = tenant::service::named(app, tenant_slug).await?;
    let conn = app.db.single_read().await?;
    store::list(&conn, &SystemHandle::for_tenant(tenant.id)).await
}

/// What a stored role allows; parts that this version does not know allow nothing, and are logged.
pub(crate) fn rights(name: &str, stored: &serde_json::Value) -> Permissions {
    let (permissions, problems) = Permissions::from_stored(stored);
    if !problems.is_empty() {
        tracing::warn!(role = %name, ?problems, "parts of a role are not understood: denied");
    }
    permissions
}
