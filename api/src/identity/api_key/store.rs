//! Rows of `api_keys`.

use chrono::{DateTime, TimeDelta, Utc};
use entity::{api_key, role};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder, Set};
use uuid::Uuid;

use crate::access::{Permit, SystemHandle};
use crate::db::{Conn, Row, Statement, Value};
use crate::error::{Error, Result};

pub(super) struct NewKey {
    pub(super) id: Uuid,
    pub(super) user_id: Uuid,
    pub(super) role_id: Uuid,
    pub(super) name: String,
    pub(super) prefix: String,
    pub(super) secret_hash: String,
    pub(super) scopes: Vec<String>,
    pub(super) fields: Vec<String>,
    pub(super) allowed_addresses: Vec<String>,
    pub(super) expires_at: Option<DateTime<Utc>>,
    pub(super) errors_as_status: bool,
    pub(super) created_by: Option<Uuid>,
}

/// What may be shown of a key.
#[derive(Debug, Clone)]
pub struct KeySummary {
    pub id: Uuid,
    pub name: String,
    pub prefix: String,
    pub role: String,
    pub scopes: Vec<String>,
    pub fields: Vec<String>,
    pub allowed_addresses: Vec<String>,
    /// Whom it acts as.
    pub user_id: Uuid,
    pub created_by: Option<Uuid>,
    pub created_at: DateTime<Utc>,
    pub expires_at: Option<DateTime<Utc>>,
    /// Until when the secret before the present one opens it.
    pub previous_expires_at: Option<DateTime<Utc>>,
    pub revoked_at: Option<DateTime<Utc>>,
    pub last_used_at: Option<DateTime<Utc>>,
    /// An answer with errors has the status of an error.
    pub errors_as_status: bool,
}

/// A key that ends soon.
pub(super) struct Ending {
    pub(super) tenant_id: Uuid,
    pub(super) id: Uuid,
    pub(super) user_id: Uuid,
    pub(super) created_by: Option<Uuid>,
    pub(super) created_at: DateTime<Utc>,
    pub(super) expires_at: DateTime<Utc>,
}

/// Keys told of by one look.
const TOLD_AT_ONCE: usize = 1_000;

pub(super) async fn insert(
    conn: &Conn,
    permit: &impl Permit,
    new: NewKey,
    now: DateTime<Utc>,
) -> Result<()> {
    let row = api_key::ActiveModel {
        tenant_id: Set(permit.tenant_id()),
        id: Set(new.id),
        user_id: Set(new.user_id),
        role_id: Set(new.role_id),
        name: Set(new.name),
        prefix: Set(new.prefix),
        secret_hash: Set(new.secret_hash),
        previous_secret_hash: Set(None),
        previous_expires_at: Set(None),
        scopes: Set(new.scopes.into()),
        fields: Set(new.fields.into()),
        allowed_addresses: Set(new.allowed_addresses.into()),
        expires_at: Set(new.expires_at),
        revoked_at: Set(None),
        last_used_at: Set(None),
        persisted_only: Set(false),
        errors_as_status: Set(new.errors_as_status),
        expiry_notices: Set(0),
        created_by: Set(new.created_by),
        created_at: Set(now),
        updated_at: Set(now),
    };
    api_key::Entity::insert(row).exec_without_returning(&conn.orm(permit)).await?;
    Ok(())
}

pub(super) async fn list(conn: &Conn, permit: &impl Permit) -> Result<Vec<KeySummary>> {
    let orm = conn.orm(permit);
    let roles = role::Entity::find()
        .filter(role::Column::TenantId.eq(permit.tenant_id()))
        .all(&orm)
        .await?;
    let name_of = |id: Uuid| {
        roles.iter().find(|role| role.id == id).map(|role| role.name.clone()).unwrap_or_default()
    };
    let keys = api_key::Entity::find()
        .filter(api_key::Column::TenantId.eq(permit.tenant_id()))
        .order_by_asc(api_key::Column::Id)
        .all(&orm)
        .await?;
    Ok(keys
        .into_iter()
        .map(|key| KeySummary {
            id: key.id,
            name: key.name,
            prefix: key.prefix,
            role: name_of(key.role_id),
            scopes: texts(key.scopes),
            fields: texts(key.fields),
            allowed_addresses: texts(key.allowed_addresses),
            user_id: key.user_id,
            created_by: key.created_by,
            created_at: key.created_at,
            expires_at: key.expires_at,
            previous_expires_at: key.previous_expires_at,
            revoked_at: key.revoked_at,
            last_used_at: key.last_used_at,
            errors_as_status: key.errors_as_status,
        })
        .collect())
}

/// The present secret becomes the previous one, for a while. False when there is no such living key.
pub(super) async fn replace_secret(
    conn: &Conn,
    permit: &impl Permit,
    id: Uuid,
    secret_hash: String,
    (now, overlap): (DateTime<Utc>, TimeDelta),
) -> Result<bool> {
    let done = api_key::Entity::update_many()
        .col_expr(api_key::Column::PreviousSecretHash, Expr::col(api_key::Column::SecretHash))
        .col_expr(api_key::Column::PreviousExpiresAt, Expr::value(now + overlap))
        .col_expr(api_key::Column::SecretHash, Expr::value(secret_hash))
        .col_expr(api_key::Column::UpdatedAt, Expr::value(now))
        .filter(living(permit, id))
        .exec(&conn.orm(permit))
        .await?;
    Ok(done.rows_affected == 1)
}

/// Says what status errors are answered with. False when there is no such living key.
pub(super) async fn set_errors_as_status(
    conn: &Conn,
    permit: &impl Permit,
    (id, errors_as_status): (Uuid, bool),
    now: DateTime<Utc>,
) -> Result<bool> {
    let done = api_key::Entity::update_many()
        .col_expr(api_key::Column::ErrorsAsStatus, Expr::value(errors_as_status))
        .col_expr(api_key::Column::UpdatedAt, Expr::value(now))
        .filter(living(permit, id))
        .exec(&conn.orm(permit))
        .await?;
    Ok(done.rows_affected == 1)
}

pub(super) async fn revoke(
    conn: &Conn,
    permit: &impl Permit,
    id: Uuid,
    now: DateTime<Utc>,
) -> Result<()> {
    api_key::Entity::update_many()
        .col_expr(api_key::Column::RevokedAt, Expr::value(now))
        .col_expr(api_key::Column::UpdatedAt, Expr::value(now))
        .filter(living(permit, id))
        .exec(&conn.orm(permit))
        .await?;
    Ok(())
}

/// Several nodes may see the same use: the latest stays.
pub(super) async fn record_use(
    conn: &Conn,
    permit: &impl Permit,
    id: Uuid,
    at: DateTime<Utc>,
) -> Result<()> {
    let older = Condition::any()
        .add(api_key::Column::LastUsedAt.is_null())
        .add(api_key::Column::LastUsedAt.lt(at));
    api_key::Entity::update_many()
        .col_expr(api_key::Column::LastUsedAt, Expr::value(at))
        .filter(living(permit, id).add(older))
        .exec(&conn.orm(permit))
        .await?;
    Ok(())
}

/// Living keys of all tenants that end until the first of these, if nobody was told yet, or until the
/// second, if nobody was told of the last day; those that end first come first.
pub(super) async fn ending(
    conn: &Conn,
    now: DateTime<Utc>,
    (soon, last_day): (DateTime<Utc>, DateTime<Utc>),
) -> Result<Vec<Ending>> {
    let system = SystemHandle::for_tenant(Uuid::nil());
    let place = |number| conn.dialect().placeholder(number);
    let sql = format!(
        "SELECT k.tenant_id, k.id, k.user_id, k.created_by, k.created_at, k.expires_at \
         FROM api_keys k JOIN tenants t ON t.id = k.tenant_id \
         WHERE t.suspended_at IS NULL AND k.revoked_at IS NULL AND k.expires_at > {now} \
         AND ((k.expires_at <= {soon} AND k.expiry_notices < 1) \
         OR (k.expires_at <= {last} AND k.expiry_notices < 2)) \
         ORDER BY k.expires_at, k.id LIMIT {TOLD_AT_ONCE}",
        now = place(1),
        soon = place(2),
        last = place(3)
    );
    let values = [now, soon, last_day].map(Value::Instant).to_vec();
    let rows = conn.rows(&system, &Statement::new(sql, values)).await?;
    rows.iter().map(ending_of).collect()
}

fn ending_of(row: &Row) -> Result<Ending> {
    let instant =
        |index| row.instant(index)?.ok_or_else(|| Error::internal("a key lacks a required value"));
    Ok(Ending {
        tenant_id: row.required_id(0)?,
        id: row.required_id(1)?,
        user_id: row.required_id(2)?,
        created_by: row.id(3)?,
        created_at: instant(4)?,
        expires_at: instant(5)?,
    })
}

/// Notes that so many notices of a key's end are written. False when they were already.
pub(super) async fn raise_expiry_notices(
    conn: &Conn,
    permit: &impl Permit,
    id: Uuid,
    number: i32,
) -> Result<bool> {
    let done = api_key::Entity::update_many()
        .col_expr(api_key::Column::ExpiryNotices, Expr::value(number))
        .filter(living(permit, id).add(api_key::Column::ExpiryNotices.lt(number)))
        .exec(&conn.orm(permit))
        .await?;
    Ok(done.rows_affected == 1)
}

fn texts(list: serde_json::Value) -> Vec<String> {
    serde_json::from_value(list).unwrap_or_default()
}

fn living(permit: &impl Permit, id: Uuid) -> Condition {
    Condition::all()
        .add(api_key::Column::TenantId.eq(permit.tenant_id()))
        .add(api_key::Column::Id.eq(id))
        .add(api_key::Column::RevokedAt.is_null())
}
