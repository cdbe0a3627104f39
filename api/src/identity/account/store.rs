//! Rows of `account_tokens`, and what of users, tenants and roles an account is judged by.

use chrono::{DateTime, Utc};
use entity::{account_token, role, user, user_role};
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder};
use serde_json::Value as Json;
use uuid::Uuid;

use crate::access::{Permit, SystemHandle};
use crate::db::{Conn, Row, Statement, Value};
use crate::error::{Error, Result};

/// Somebody who may be let in: living, active, of a tenant that is not suspended, with an e-mail.
#[derive(Debug, Clone)]
pub(super) struct Person {
    pub(super) tenant_id: Uuid,
    pub(super) user_id: Uuid,
    pub(super) email: String,
    pub(super) full_name: String,
    pub(super) password_hash: Option<String>,
    pub(super) tenant_slug: String,
    pub(super) tenant_name: String,
    /// `pt-BR` or `en`.
    pub(super) tenant_language: String,
}

/// A role as it is stored.
#[derive(Debug, Clone)]
pub(super) struct RoleRow {
    pub(super) id: Uuid,
    pub(super) name: String,
    pub(super) permissions: Json,
}

const PERSON: &str = "SELECT u.tenant_id, u.id, u.email, u.full_name, u.password_hash, t.slug, \
                      t.name, t.language \
                      FROM tenants t JOIN users u ON u.tenant_id = t.id \
                      WHERE u.email IS NOT NULL AND u.is_active AND u.deleted_at IS NULL \
                      AND NOT u.is_service AND t.suspended_at IS NULL";

pub(super) async fn person(
    conn: &Conn,
    permit: &impl Permit,
    user_id: Uuid,
) -> Result<Option<Person>> {
    let (tenant, user) = (conn.dialect().placeholder(1), conn.dialect().placeholder(2));
    let sql = format!("{PERSON} AND u.tenant_id = {tenant} AND u.id = {user}");
    let values = vec![Value::Id(permit.tenant_id()), Value::Id(user_id)];
    conn.row(permit, &Statement::new(sql, values)).await?.as_ref().map(person_of).transpose()
}

/// The person behind a slug and a folded e-mail; only by them is the tenant known.
pub(super) async fn person_named(
    conn: &Conn,
    system: &SystemHandle,
    tenant_slug: &str,
    email: &str,
) -> Result<Option<Person>> {
    let (slug, address) = (conn.dialect().placeholder(1), conn.dialect().placeholder(2));
    let sql = format!("{PERSON} AND t.slug = {slug} AND u.email = {address}");
    let values = vec![Value::from(tenant_slug), Value::from(email)];
    conn.row(system, &Statement::new(sql, values)).await?.as_ref().map(person_of).transpose()
}

fn person_of(row: &Row) -> Result<Person> {
    let text = |index: usize| {
        row.text(index)?.ok_or_else(|| Error::internal(format!("column {index} is null")))
    };
    Ok(Person {
        tenant_id: row.required_id(0)?,
        user_id: row.required_id(1)?,
        email: text(2)?,
        full_name: text(3)?,
        password_hash: row.text(4)?,
        tenant_slug: text(5)?,
        tenant_name: text(6)?,
        tenant_language: text(7)?,
    })
}

pub(super) async fn insert_token(
    conn: &Conn,
    permit: &impl Permit,
    token: account_token::Model,
) -> Result<()> {
    account_token::Entity::insert(token.into_active_model())
        .exec_without_returning(&conn.orm(permit))
        .await?;
    Ok(())
}

pub(super) async fn token(
    conn: &Conn,
    permit: &impl Permit,
    id: Uuid,
) -> Result<Option<account_token::Model>> {
    let key = (permit.tenant_id(), id);
    Ok(account_token::Entity::find_by_id(key).one(&conn.orm(permit)).await?)
}

/// The latest token of a user for a purpose, whatever became of it.
pub(super) async fn latest_token(
    conn: &Conn,
    permit: &impl Permit,
    user_id: Uuid,
    purpose: &str,
) -> Result<Option<account_token::Model>> {
    Ok(account_token::Entity::find()
        .filter(account_token::Column::TenantId.eq(permit.tenant_id()))
        .filter(account_token::Column::UserId.eq(user_id))
        .filter(account_token::Column::Purpose.eq(purpose))
        .order_by_desc(account_token::Column::CreatedAt)
        .order_by_desc(account_token::Column::Id)
        .one(&conn.orm(permit))
        .await?)
}

/// Gives a token its secret; false when it was used or revoked meanwhile.
pub(super) async fn set_secret(
    conn: &Conn,
    permit: &impl Permit,
    id: Uuid,
    hash: String,
) -> Result<bool> {
    let done = account_token::Entity::update_many()
        .col_expr(account_token::Column::SecretHash, Expr::value(hash))
        .filter(account_token::Column::TenantId.eq(permit.tenant_id()))
        .filter(account_token::Column::Id.eq(id))
        .filter(account_token::Column::UsedAt.is_null())
        .filter(account_token::Column::RevokedAt.is_null())
        .exec(&conn.orm(permit))
        .await?;
    Ok(done.rows_affected == 1)
}

/// Uses a token up; false when somebody was faster, or it ended.
pub(super) async fn consume(
    conn: &Conn,
    permit: &impl Permit,
    (id, hash): (Uuid, &str),
    now: DateTime<Utc>,
) -> Result<bool> {
    let done = account_token::Entity::update_many()
        .col_expr(account_token::Column::UsedAt, Expr::value(now))
        .filter(account_token::Column::TenantId.eq(permit.tenant_id()))
        .filter(account_token::Column::Id.eq(id))
        .filter(account_token::Column::SecretHash.eq(hash))
        .filter(account_token::Column::UsedAt.is_null())
        .filter(account_token::Column::RevokedAt.is_null())
        .filter(account_token::Column::ExpiresAt.gt(now))
        .exec(&conn.orm(permit))
        .await?;
    Ok(done.rows_affected == 1)
}

/// Ends the open tokens of users, of one purpose or of all; returns how many there were.
pub(super) async fn revoke_open(
    conn: &Conn,
    permit: &impl Permit,
    (user_ids, purpose): (&[Uuid], Option<&str>),
    now: DateTime<Utc>,
) -> Result<u64> {
    let mut open = account_token::Entity::update_many()
        .col_expr(account_token::Column::RevokedAt, Expr::value(now))
        .filter(account_token::Column::TenantId.eq(permit.tenant_id()))
        .filter(account_token::Column::UserId.is_in(user_ids.iter().copied()))
        .filter(account_token::Column::UsedAt.is_null())
        .filter(account_token::Column::RevokedAt.is_null());
    if let Some(purpose) = purpose {
        open = open.filter(account_token::Column::Purpose.eq(purpose));
    }
    Ok(open.exec(&conn.orm(permit)).await?.rows_affected)
}

/// Removes tokens that ended before `before`, of all tenants.
pub(super) async fn remove_ended(conn: &Conn, before: DateTime<Utc>) -> Result<u64> {
    let system = SystemHandle::for_tenant(Uuid::nil());
    let done = account_token::Entity::delete_many()
        .filter(account_token::Column::ExpiresAt.lt(before))
        .exec(&conn.orm(&system))
        .await?;
    Ok(done.rows_affected)
}

/// Sets a password, if the present one is still `present`.
pub(super) async fn set_password(
    conn: &Conn,
    permit: &impl Permit,
    user_id: Uuid,
    (present, new): (Option<&str>, &str),
) -> Result<bool> {
    let unchanged = match present {
        Some(present) => user::Column::PasswordHash.eq(present),
        None => user::Column::PasswordHash.is_null(),
    };
    let done = user::Entity::update_many()
        .col_expr(user::Column::PasswordHash, Expr::value(new))
        .filter(user::Column::TenantId.eq(permit.tenant_id()))
        .filter(user::Column::Id.eq(user_id))
        .filter(user::Column::IsActive.eq(true))
        .filter(user::Column::DeletedAt.is_null())
        .filter(unchanged)
        .exec(&conn.orm(permit))
        .await?;
    Ok(done.rows_affected == 1)
}

/// Notes that the address is the person's, and how they are called.
pub(super) async fn verify(
    conn: &Conn,
    permit: &impl Permit,
    user_id: Uuid,
    (full_name, folded, search_text): (&str, String, String),
    now: DateTime<Utc>,
) -> Result<()> {
    user::Entity::update_many()
        .col_expr(user::Column::IsVerified, Expr::value(true))
        .col_expr(user::Column::FullName, Expr::value(full_name))
        .col_expr(user::Column::FullNameFolded, Expr::value(folded))
        .col_expr(user::Column::SearchText, Expr::value(search_text))
        .col_expr(user::Column::UpdatedAt, Expr::value(now))
        .col_expr(user::Column::Version, Expr::col(user::Column::Version).add(1))
        .filter(user::Column::TenantId.eq(permit.tenant_id()))
        .filter(user::Column::Id.eq(user_id))
        .exec(&conn.orm(permit))
        .await?;
    Ok(())
}

/// All roles of the tenant, by name.
pub(super) async fn roles(conn: &Conn, permit: &impl Permit) -> Result<Vec<RoleRow>> {
    let rows = role::Entity::find()
        .filter(role::Column::TenantId.eq(permit.tenant_id()))
        .order_by_asc(role::Column::Name)
        .all(&conn.orm(permit))
        .await?;
    let row =
        |row: role::Model| RoleRow { id: row.id, name: row.name, permissions: row.permissions };
    Ok(rows.into_iter().map(row).collect())
}

/// Which users have which roles, both by id.
pub(super) async fn grants(
    conn: &Conn,
    permit: &impl Permit,
    user_ids: &[Uuid],
) -> Result<Vec<(Uuid, Uuid)>> {
    let rows = user_role::Entity::find()
        .filter(user_role::Column::TenantId.eq(permit.tenant_id()))
        .filter(user_role::Column::UserId.is_in(user_ids.iter().copied()))
        .all(&conn.orm(permit))
        .await?;
    Ok(rows.into_iter().map(|row| (row.user_id, row.role_id)).collect())
}

pub(super) async fn insert_grants(
    conn: &Conn,
    permit: &impl Permit,
    grants: Vec<user_role::Model>,
) -> Result<()> {
    if grants.is_empty() {
        return Ok(());
    }
    let grants = grants.into_iter().map(IntoActiveModel::into_active_model);
    user_role::Entity::insert_many(grants).exec_without_returning(&conn.orm(permit)).await?;
    Ok(())
}

pub(super) async fn remove_grants(
    conn: &Conn,
    permit: &impl Permit,
    user_id: Uuid,
    role_ids: &[Uuid],
) -> Result<()> {
    if role_ids.is_empty() {
        return Ok(());
    }
    user_role::Entity::delete_many()
        .filter(user_role::Column::TenantId.eq(permit.tenant_id()))
        .filter(user_role::Column::UserId.eq(user_id))
        .filter(user_role::Column::RoleId.is_in(role_ids.iter().copied()))
        .exec(&conn.orm(permit))
        .await?;
    Ok(())
}
