//! Rows of `roles`.

use entity::role;
use sea_orm::{ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder};

use crate::access::{Permit, SystemHandle};
use crate::db::Conn;
use crate::error::Result;

pub(super) async fn insert_all(
    conn: &Conn,
    system: &SystemHandle,
    roles: impl Iterator<Item = role::Model> + Send,
) -> Result<()> {
    role::Entity::insert_many(roles.map(IntoActiveModel::into_active_model))
        .exec_without_returning(&conn.orm(system))
        .await?;
    Ok(())
}

pub(super) async fn list(conn: &Conn, system: &SystemHandle) -> Result<Vec<role::Model>> {
    Ok(role::Entity::find()
        .filter(role::Column::TenantId.eq(system.tenant_id()))
        .order_by_asc(role::Column::Name)
        .all(&conn.orm(system))
        .await?)
}
