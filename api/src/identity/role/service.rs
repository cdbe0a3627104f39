//! A tenant's roles.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use entity::role;
use uuid::Uuid;

use super::seed::SEEDS;
use super::store;
use crate::access::SystemHandle;
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
    let roles = store::list(conn, &SystemHandle::for_tenant(tenant_id)).await?;
    if let Some(role) = roles.iter().find(|role| role.name == name) {
        return Ok(role.id);
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
