//! Accounts, as signing in sees them, and rows of `sessions`.

use chrono::{DateTime, Utc};
use entity::{session, user};
use sea_orm::sea_query::Expr;
use sea_orm::{
    ColumnTrait, Condition, EntityTrait, IntoActiveModel, PaginatorTrait, QueryFilter, QueryOrder,
};
use uuid::Uuid;

use super::decide::Living;
use crate::access::{Permit, SystemHandle};
use crate::db::{Conn, NullOf, Row, Statement, Value};
use crate::error::{Error, Result};

pub(super) struct Account {
    pub(super) tenant_id: Uuid,
    pub(super) user_id: Uuid,
    pub(super) password_hash: Option<String>,
}

/// The account behind a slug and a folded e-mail, if it may sign in. One statement, whatever is
/// missing.
pub(super) async fn find_account(
    conn: &Conn,
    system: &SystemHandle,
    tenant_slug: &str,
    email: &str,
) -> Result<Option<Account>> {
    let (slug, address) = (conn.dialect().placeholder(1), conn.dialect().placeholder(2));
    let sql = format!(
        "SELECT u.tenant_id, u.id, u.password_hash \
         FROM tenants t JOIN users u ON u.tenant_id = t.id \
         WHERE t.slug = {slug} AND u.email = {address} AND t.suspended_at IS NULL \
         AND u.is_active AND u.deleted_at IS NULL"
    );
    let values = vec![Value::from(tenant_slug), Value::from(email)];
    let Some(row) = conn.row(system, &Statement::new(sql, values)).await? else {
        return Ok(None);
    };
    Ok(Some(Account {
        tenant_id: row.required_id(0)?,
        user_id: row.required_id(1)?,
        password_hash: row.text(2)?,
    }))
}

/// Notes the sign-in. A stronger hash replaces the one that was verified, not one set meanwhile.
pub(super) async fn record_login(
    conn: &Conn,
    system: &SystemHandle,
    account: &Account,
    stronger_hash: Option<String>,
    now: DateTime<Utc>,
) -> Result<()> {
    let this_user = Condition::all()
        .add(user::Column::TenantId.eq(system.tenant_id()))
        .add(user::Column::Id.eq(account.user_id));
    user::Entity::update_many()
        .col_expr(user::Column::LastLoginAt, Expr::value(now))
        .filter(this_user.clone())
        .exec(&conn.orm(system))
        .await?;
    if let (Some(stronger), Some(verified)) = (stronger_hash, &account.password_hash) {
        user::Entity::update_many()
            .col_expr(user::Column::PasswordHash, Expr::value(stronger))
            .filter(this_user.add(user::Column::PasswordHash.eq(verified)))
            .exec(&conn.orm(system))
            .await?;
    }
    Ok(())
}

pub(super) async fn insert(
    conn: &Conn,
    permit: &impl Permit,
    session: session::Model,
) -> Result<()> {
    session::Entity::insert(session.into_active_model())
        .exec_without_returning(&conn.orm(permit))
        .await?;
    Ok(())
}

pub(super) async fn by_id(
    conn: &Conn,
    permit: &impl Permit,
    id: Uuid,
) -> Result<Option<session::Model>> {
    Ok(session::Entity::find_by_id((permit.tenant_id(), id)).one(&conn.orm(permit)).await?)
}

/// A user's sessions that were not revoked and not ended by age, the latest used first.
pub(super) async fn living_of(
    conn: &Conn,
    permit: &impl Permit,
    user_id: Uuid,
    now: DateTime<Utc>,
) -> Result<Vec<session::Model>> {
    Ok(session::Entity::find()
        .filter(living(permit, user_id))
        .filter(session::Column::ExpiresAt.gt(now))
        .order_by_desc(session::Column::LastUsedAt)
        .order_by_desc(session::Column::Id)
        .all(&conn.orm(permit))
        .await?)
}

/// The session behind a refresh token, unless it was revoked or its user may not act.
pub(super) async fn refreshable(
    conn: &Conn,
    system: &SystemHandle,
    id: Uuid,
) -> Result<Option<Living>> {
    let (tenant, session) = (conn.dialect().placeholder(1), conn.dialect().placeholder(2));
    let sql = format!(
        "SELECT s.user_id, s.generation, s.refresh_hash, s.previous_hash, s.last_used_at, \
         s.expires_at FROM sessions s \
         JOIN tenants t ON t.id = s.tenant_id \
         JOIN users u ON u.tenant_id = s.tenant_id AND u.id = s.user_id \
         WHERE s.tenant_id = {tenant} AND s.id = {session} AND s.revoked_at IS NULL \
         AND u.is_active AND u.deleted_at IS NULL AND t.suspended_at IS NULL"
    );
    let values = vec![Value::Id(system.tenant_id()), Value::Id(id)];
    let Some(row) = conn.row(system, &Statement::new(sql, values)).await? else {
        return Ok(None);
    };
    Ok(Some(Living {
        user_id: row.required_id(0)?,
        generation: required(row.int(1)?.and_then(|number| i32::try_from(number).ok()))?,
        refresh_hash: required(row.text(2)?)?,
        previous_hash: row.text(3)?,
        last_used_at: instant(&row, 4)?,
        expires_at: instant(&row, 5)?,
    }))
}

/// The digest of the present token gives way to that of the next one. False when somebody was
/// faster, or the session was revoked meanwhile.
pub(super) async fn rotate(
    conn: &Conn,
    system: &SystemHandle,
    id: Uuid,
    (used, next): (&str, &str),
    seen: Seen<'_>,
) -> Result<bool> {
    let dialect = conn.dialect();
    let place = |number| dialect.placeholder(number);
    let sql = format!(
        "UPDATE sessions SET generation = generation + 1, previous_hash = refresh_hash, \
         refresh_hash = {}, last_used_at = {}, ip_address = {}, user_agent = {} \
         WHERE tenant_id = {} AND id = {} AND refresh_hash = {} AND revoked_at IS NULL",
        place(1),
        place(2),
        place(3),
        place(4),
        place(5),
        place(6),
        place(7)
    );
    let text = |value: Option<&str>| {
        value.map_or(Value::Null(NullOf::Text), |text| Value::Text(text.to_owned()))
    };
    let values = vec![
        Value::from(next),
        Value::Instant(seen.at),
        text(seen.ip_address),
        text(seen.user_agent),
        Value::Id(system.tenant_id()),
        Value::Id(id),
        Value::from(used),
    ];
    Ok(conn.execute(system, &Statement::new(sql, values)).await? == 1)
}

/// When and from where a session was used.
#[derive(Clone, Copy)]
pub(super) struct Seen<'a> {
    pub(super) at: DateTime<Utc>,
    pub(super) ip_address: Option<&'a str>,
    pub(super) user_agent: Option<&'a str>,
}

/// Ends one session. False when it had ended already.
pub(super) async fn revoke(
    conn: &Conn,
    permit: &impl Permit,
    id: Uuid,
    (reason, now): (&str, DateTime<Utc>),
) -> Result<bool> {
    let this = Condition::all()
        .add(session::Column::TenantId.eq(permit.tenant_id()))
        .add(session::Column::Id.eq(id))
        .add(session::Column::RevokedAt.is_null());
    Ok(end(conn, permit, this, (reason, now)).await? == 1)
}

/// Ends a user's sessions, but for one.
pub(super) async fn revoke_all(
    conn: &Conn,
    permit: &impl Permit,
    (user_id, except): (Uuid, Option<Uuid>),
    (reason, now): (&str, DateTime<Utc>),
) -> Result<u64> {
    let mut these = living(permit, user_id).add(session::Column::ExpiresAt.gt(now));
    if let Some(except) = except {
        these = these.add(session::Column::Id.ne(except));
    }
    end(conn, permit, these, (reason, now)).await
}

/// Ends the sessions that are named.
pub(super) async fn revoke_these(
    conn: &Conn,
    permit: &impl Permit,
    ids: Vec<Uuid>,
    (reason, now): (&str, DateTime<Utc>),
) -> Result<()> {
    let these = Condition::all()
        .add(session::Column::TenantId.eq(permit.tenant_id()))
        .add(session::Column::Id.is_in(ids))
        .add(session::Column::RevokedAt.is_null());
    end(conn, permit, these, (reason, now)).await.map(drop)
}

async fn end(
    conn: &Conn,
    permit: &impl Permit,
    which: Condition,
    (reason, now): (&str, DateTime<Utc>),
) -> Result<u64> {
    let done = session::Entity::update_many()
        .col_expr(session::Column::RevokedAt, Expr::value(now))
        .col_expr(session::Column::RevokedReason, Expr::value(reason))
        .filter(which)
        .exec(&conn.orm(permit))
        .await?;
    Ok(done.rows_affected)
}

/// Removes a user's sessions that ended before `before`.
pub(super) async fn remove_ended(
    conn: &Conn,
    permit: &impl Permit,
    user_id: Uuid,
    before: DateTime<Utc>,
) -> Result<()> {
    let ended = Condition::any()
        .add(session::Column::ExpiresAt.lt(before))
        .add(session::Column::RevokedAt.lt(before));
    session::Entity::delete_many()
        .filter(session::Column::TenantId.eq(permit.tenant_id()))
        .filter(session::Column::UserId.eq(user_id))
        .filter(ended)
        .exec(&conn.orm(permit))
        .await?;
    Ok(())
}

pub(super) async fn user_exists(conn: &Conn, permit: &impl Permit, id: Uuid) -> Result<bool> {
    let found = user::Entity::find()
        .filter(user::Column::TenantId.eq(permit.tenant_id()))
        .filter(user::Column::Id.eq(id))
        .filter(user::Column::DeletedAt.is_null());
    Ok(found.count(&conn.orm(permit)).await? > 0)
}

fn living(permit: &impl Permit, user_id: Uuid) -> Condition {
    Condition::all()
        .add(session::Column::TenantId.eq(permit.tenant_id()))
        .add(session::Column::UserId.eq(user_id))
        .add(session::Column::RevokedAt.is_null())
}

fn instant(row: &Row, index: usize) -> Result<DateTime<Utc>> {
    required(row.instant(index)?)
}

fn required<T>(value: Option<T>) -> Result<T> {
    value.ok_or_else(|| Error::internal("a session lacks a required value"))
}
