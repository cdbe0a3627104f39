//! Rows of `sign_in_flows` and `user_identities`, and the people behind them.

use chrono::{DateTime, TimeDelta, Utc};
use entity::{identity_provider, sign_in_flow, user, user_identity};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, EntityTrait, IntoActiveModel, PaginatorTrait, QueryFilter, QueryOrder};
use uuid::Uuid;

use crate::access::{Permit, SystemHandle};
use crate::db::{Conn, Statement, Value};
use crate::error::Result;
use crate::limits;

/// An enabled provider of a tenant that is not suspended.
pub(super) async fn provider(
    conn: &Conn,
    system: &SystemHandle,
    (tenant_slug, slug): (&str, &str),
) -> Result<Option<identity_provider::Model>> {
    let place = |number| conn.dialect().placeholder(number);
    let sql = format!(
        "SELECT p.tenant_id, p.id FROM tenants t JOIN identity_providers p ON p.tenant_id = t.id \
         WHERE t.slug = {} AND p.slug = {} AND p.is_enabled AND t.suspended_at IS NULL",
        place(1),
        place(2)
    );
    let values = vec![Value::from(tenant_slug), Value::from(slug)];
    let Some(row) = conn.row(system, &Statement::new(sql, values)).await? else {
        return Ok(None);
    };
    let key = (row.required_id(0)?, row.required_id(1)?);
    Ok(identity_provider::Entity::find_by_id(key).one(&conn.orm(system)).await?)
}

/// What a provider is called in addresses.
pub(super) async fn slug_of(conn: &Conn, permit: &impl Permit, id: Uuid) -> Result<String> {
    let key = (permit.tenant_id(), id);
    let found = identity_provider::Entity::find_by_id(key).one(&conn.orm(permit)).await?;
    Ok(found.map(|provider| provider.slug).unwrap_or_default())
}

/// Issuer and our name there of the enabled provider that a session came through.
pub(super) async fn provider_of_session(
    conn: &Conn,
    permit: &impl Permit,
    session_id: Uuid,
) -> Result<Option<(String, String)>> {
    let place = |number| conn.dialect().placeholder(number);
    let sql = format!(
        "SELECT p.issuer, p.client_id FROM sessions s \
         JOIN identity_providers p ON p.tenant_id = s.tenant_id AND p.id = s.provider_id \
         WHERE s.tenant_id = {} AND s.id = {} AND p.is_enabled",
        place(1),
        place(2)
    );
    let values = vec![Value::Id(permit.tenant_id()), Value::Id(session_id)];
    let found = conn.row(permit, &Statement::new(sql, values)).await?;
    let read = |row: crate::db::Row| {
        Ok((row.text(0)?.unwrap_or_default(), row.text(1)?.unwrap_or_default()))
    };
    found.map(read).transpose()
}

/// Slug and name of the enabled providers of a tenant.
pub(super) async fn offered(
    conn: &Conn,
    system: &SystemHandle,
    tenant_slug: &str,
) -> Result<Vec<(String, String)>> {
    let sql = format!(
        "SELECT p.slug, p.name FROM tenants t JOIN identity_providers p ON p.tenant_id = t.id \
         WHERE t.slug = {} AND p.is_enabled AND t.suspended_at IS NULL ORDER BY p.slug",
        conn.dialect().placeholder(1)
    );
    let rows = conn.rows(system, &Statement::new(sql, vec![Value::from(tenant_slug)])).await?;
    let read = |row: &crate::db::Row| {
        Ok((row.text(0)?.unwrap_or_default(), row.text(1)?.unwrap_or_default()))
    };
    rows.iter().map(read).collect()
}

pub(super) async fn insert_flow(
    conn: &Conn,
    permit: &impl Permit,
    flow: sign_in_flow::Model,
) -> Result<()> {
    sign_in_flow::Entity::insert(flow.into_active_model())
        .exec_without_returning(&conn.orm(permit))
        .await?;
    Ok(())
}

pub(super) async fn flow(
    conn: &Conn,
    permit: &impl Permit,
    id: Uuid,
) -> Result<Option<sign_in_flow::Model>> {
    let key = (permit.tenant_id(), id);
    Ok(sign_in_flow::Entity::find_by_id(key).one(&conn.orm(permit)).await?)
}

/// The browser came back. False when it had before.
pub(super) async fn use_flow(
    conn: &Conn,
    permit: &impl Permit,
    id: Uuid,
    now: DateTime<Utc>,
) -> Result<bool> {
    mark_once(conn, permit, (id, sign_in_flow::Column::UsedAt), now).await
}

/// Of two who do the same at once, one is told that it was done.
async fn mark_once(
    conn: &Conn,
    permit: &impl Permit,
    (id, column): (Uuid, sign_in_flow::Column),
    now: DateTime<Utc>,
) -> Result<bool> {
    let done = sign_in_flow::Entity::update_many()
        .col_expr(column, Expr::value(now))
        .filter(sign_in_flow::Column::TenantId.eq(permit.tenant_id()))
        .filter(sign_in_flow::Column::Id.eq(id))
        .filter(column.is_null())
        .exec(&conn.orm(permit))
        .await?;
    Ok(done.rows_affected == 1)
}

/// Notes who it was, and the code that an app gets for it, good until `expires_at`.
pub(super) async fn set_code(
    conn: &Conn,
    permit: &impl Permit,
    (id, user_id): (Uuid, Uuid),
    (code_hash, expires_at): (&str, DateTime<Utc>),
) -> Result<()> {
    sign_in_flow::Entity::update_many()
        .col_expr(sign_in_flow::Column::UserId, Expr::value(user_id))
        .col_expr(sign_in_flow::Column::CodeHash, Expr::value(code_hash))
        .col_expr(sign_in_flow::Column::ExpiresAt, Expr::value(expires_at))
        .filter(sign_in_flow::Column::TenantId.eq(permit.tenant_id()))
        .filter(sign_in_flow::Column::Id.eq(id))
        .exec(&conn.orm(permit))
        .await?;
    Ok(())
}

/// The code is used up. False when it was before.
pub(super) async fn redeem(
    conn: &Conn,
    permit: &impl Permit,
    id: Uuid,
    now: DateTime<Utc>,
) -> Result<bool> {
    mark_once(conn, permit, (id, sign_in_flow::Column::RedeemedAt), now).await
}

/// Removes ways through that have ended a while ago, of all tenants.
pub(crate) async fn forget(conn: &Conn, system: &SystemHandle, now: DateTime<Utc>) -> Result<u64> {
    let before = now - TimeDelta::minutes(limits::SIGN_IN_MINUTES);
    let done = sign_in_flow::Entity::delete_many()
        .filter(sign_in_flow::Column::ExpiresAt.lt(before))
        .exec(&conn.orm(system))
        .await?;
    Ok(done.rows_affected)
}

/// Who somebody is whom an issuer calls so.
pub(super) async fn identity(
    conn: &Conn,
    permit: &impl Permit,
    (issuer, subject): (&str, &str),
) -> Result<Option<user_identity::Model>> {
    Ok(user_identity::Entity::find()
        .filter(user_identity::Column::TenantId.eq(permit.tenant_id()))
        .filter(user_identity::Column::Issuer.eq(issuer))
        .filter(user_identity::Column::Subject.eq(subject))
        .one(&conn.orm(permit))
        .await?)
}

/// Whether an issuer knows this user under any name.
pub(super) async fn is_known_to(
    conn: &Conn,
    permit: &impl Permit,
    (issuer, user_id): (&str, Uuid),
) -> Result<bool> {
    let found = user_identity::Entity::find()
        .filter(user_identity::Column::TenantId.eq(permit.tenant_id()))
        .filter(user_identity::Column::Issuer.eq(issuer))
        .filter(user_identity::Column::UserId.eq(user_id));
    Ok(found.count(&conn.orm(permit)).await? > 0)
}

pub(super) async fn insert_identity(
    conn: &Conn,
    permit: &impl Permit,
    identity: user_identity::Model,
) -> Result<()> {
    user_identity::Entity::insert(identity.into_active_model())
        .exec_without_returning(&conn.orm(permit))
        .await?;
    Ok(())
}

pub(super) async fn note_use(
    conn: &Conn,
    permit: &impl Permit,
    id: Uuid,
    now: DateTime<Utc>,
) -> Result<()> {
    user_identity::Entity::update_many()
        .col_expr(user_identity::Column::LastUsedAt, Expr::value(now))
        .filter(user_identity::Column::TenantId.eq(permit.tenant_id()))
        .filter(user_identity::Column::Id.eq(id))
        .exec(&conn.orm(permit))
        .await?;
    Ok(())
}

/// The living user of a folded address.
pub(super) async fn user_of_email(
    conn: &Conn,
    permit: &impl Permit,
    email: &str,
) -> Result<Option<user::Model>> {
    Ok(user::Entity::find()
        .filter(user::Column::TenantId.eq(permit.tenant_id()))
        .filter(user::Column::Email.eq(email))
        .filter(user::Column::DeletedAt.is_null())
        .order_by_asc(user::Column::Id)
        .one(&conn.orm(permit))
        .await?)
}

/// Whether somebody may sign in: an active person of a tenant that is not suspended.
pub(super) async fn may_sign_in(conn: &Conn, permit: &impl Permit, user_id: Uuid) -> Result<bool> {
    let place = |number| conn.dialect().placeholder(number);
    let sql = format!(
        "SELECT u.id FROM users u JOIN tenants t ON t.id = u.tenant_id \
         WHERE u.tenant_id = {} AND u.id = {} AND u.is_active AND NOT u.is_service \
         AND u.deleted_at IS NULL AND t.suspended_at IS NULL",
        place(1),
        place(2)
    );
    let values = vec![Value::Id(permit.tenant_id()), Value::Id(user_id)];
    Ok(conn.row(permit, &Statement::new(sql, values)).await?.is_some())
}

/// Nobody signs in with the password that was.
pub(super) async fn forget_password(
    conn: &Conn,
    permit: &impl Permit,
    user_id: Uuid,
) -> Result<()> {
    user::Entity::update_many()
        .col_expr(user::Column::PasswordHash, Expr::value(Option::<String>::None))
        .filter(user::Column::TenantId.eq(permit.tenant_id()))
        .filter(user::Column::Id.eq(user_id))
        .exec(&conn.orm(permit))
        .await?;
    Ok(())
}

/// The provider has proved that the address is theirs.
pub(super) async fn set_verified(conn: &Conn, permit: &impl Permit, user_id: Uuid) -> Result<()> {
    user::Entity::update_many()
        .col_expr(user::Column::IsVerified, Expr::value(true))
        .filter(user::Column::TenantId.eq(permit.tenant_id()))
        .filter(user::Column::Id.eq(user_id))
        .exec(&conn.orm(permit))
        .await?;
    Ok(())
}
