//! Rows of `users` and `user_roles`.

use entity::{org_unit, user, user_role};
use sea_orm::{ColumnTrait, EntityTrait, IntoActiveModel, PaginatorTrait, QueryFilter};
use uuid::Uuid;

use crate::access::{Permit, SystemHandle};
use crate::db::Conn;
use crate::error::Result;

pub(super) async fn insert(conn: &Conn, system: &SystemHandle, user: user::Model) -> Result<()> {
    user::Entity::insert(user.into_active_model())
        .exec_without_returning(&conn.orm(system))
        .await?;
    Ok(())
}

pub(super) async fn insert_grants(
    conn: &Conn,
    system: &SystemHandle,
    grants: Vec<user_role::Model>,
) -> Result<()> {
    if grants.is_empty() {
        return Ok(());
    }
    let grants = grants.into_iter().map(IntoActiveModel::into_active_model);
    user_role::Entity::insert_many(grants).exec_without_returning(&conn.orm(system)).await?;
    Ok(())
}

/// Deleted rows count: the caller decides what they mean.
pub(super) async fn by_id(
    conn: &Conn,
    system: &SystemHandle,
    id: Uuid,
) -> Result<Option<user::Model>> {
    Ok(user::Entity::find_by_id((system.tenant_id(), id)).one(&conn.orm(system)).await?)
}

pub(super) async fn email_exists(conn: &Conn, system: &SystemHandle, email: &str) -> Result<bool> {
    let living = user::Entity::find()
        .filter(user::Column::TenantId.eq(system.tenant_id()))
        .filter(user::Column::Email.eq(email))
        .filter(user::Column::DeletedAt.is_null());
    Ok(living.count(&conn.orm(system)).await? > 0)
}

pub(super) async fn org_unit_lives(conn: &Conn, system: &SystemHandle, id: Uuid) -> Result<bool> {
    let found =
        org_unit::Entity::find_by_id((system.tenant_id(), id)).one(&conn.orm(system)).await?;
    Ok(found.is_some_and(|unit| unit.deleted_at.is_none()))
}
