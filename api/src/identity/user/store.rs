//! Rows of `users` and `user_roles`.

use std::collections::HashMap;

use entity::{org_unit, user, user_role};
use sea_orm::sea_query::Expr;
use sea_orm::{
    ColumnTrait, EntityTrait, IntoActiveModel, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect,
};
use uuid::Uuid;

use crate::access::{Permit, SystemHandle};
use crate::db::{Conn, Statement, Value};
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

/// Whom everybody of the tenant is led by.
pub(super) async fn managers(
    conn: &Conn,
    permit: &impl Permit,
) -> Result<HashMap<Uuid, Option<Uuid>>> {
    let rows: Vec<(Uuid, Option<Uuid>)> = user::Entity::find()
        .select_only()
        .columns([user::Column::Id, user::Column::ManagerId])
        .filter(user::Column::TenantId.eq(permit.tenant_id()))
        .into_tuple()
        .all(&conn.orm(permit))
        .await?;
    Ok(rows.into_iter().collect())
}

/// People, no service accounts, that have a role; those who are there and active, or all.
pub(super) async fn holders_of(
    conn: &Conn,
    permit: &impl Permit,
    (role, only_active): (&str, bool),
) -> Result<Vec<Uuid>> {
    let mark = |number| conn.dialect().placeholder(number);
    let active = if only_active { " AND u.is_active AND u.deleted_at IS NULL" } else { "" };
    let sql = format!(
        "SELECT u.id FROM roles r \
         JOIN user_roles g ON g.tenant_id = r.tenant_id AND g.role_id = r.id \
         JOIN users u ON u.tenant_id = g.tenant_id AND u.id = g.user_id \
         WHERE r.tenant_id = {} AND r.name = {} AND NOT u.is_service{active}",
        mark(1),
        mark(2)
    );
    let values = vec![Value::Id(permit.tenant_id()), Value::from(role)];
    let rows = conn.rows(permit, &Statement::new(sql, values)).await?;
    rows.iter().map(|row| row.required_id(0)).collect()
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
