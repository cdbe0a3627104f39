//! Rows of `users` and `user_roles`.

use entity::{org_unit, user, user_role};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, EntityTrait, IntoActiveModel, PaginatorTrait, QueryFilter, QueryOrder};
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

pub(super) async fn set_password(
    conn: &Conn,
    system: &SystemHandle,
    id: Uuid,
    hash: &str,
) -> Result<()> {
    user::Entity::update_many()
        .col_expr(user::Column::PasswordHash, Expr::value(hash))
        .filter(user::Column::TenantId.eq(system.tenant_id()))
        .filter(user::Column::Id.eq(id))
        .exec(&conn.orm(system))
        .await?;
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

/// A living service account by its name; the oldest where there are several.
pub(super) async fn service_account(
    conn: &Conn,
    system: &SystemHandle,
    name: &str,
) -> Result<Option<user::Model>> {
    Ok(user::Entity::find()
        .filter(user::Column::TenantId.eq(system.tenant_id()))
        .filter(user::Column::FullName.eq(name))
        .filter(user::Column::IsService.eq(true))
        .filter(user::Column::DeletedAt.is_null())
        .order_by_asc(user::Column::Id)
        .one(&conn.orm(system))
        .await?)
}

pub(super) async fn org_unit_lives(conn: &Conn, system: &SystemHandle, id: Uuid) -> Result<bool> {
    let found =
        org_unit::Entity::find_by_id((system.tenant_id(), id)).one(&conn.orm(system)).await?;
    Ok(found.is_some_and(|unit| unit.deleted_at.is_none()))
}
