//! The statements behind every request's credential. Written by hand: each is one round trip, and
//! the tenant is part of every join.

use chrono::{DateTime, Utc};
use serde_json::Value as Json;
use uuid::Uuid;

use crate::access::{Permit, SystemHandle};
use crate::db::{Conn, NullOf, Row, Statement, Value};
use crate::error::{Error, Result};

pub(super) struct RoleRow {
    pub(super) name: String,
    pub(super) permissions: Json,
}

/// A tenant's settings, as stored.
pub(super) struct TenantRow {
    pub(super) slug: String,
    pub(super) time_zone: String,
    pub(super) currency: String,
    pub(super) language: String,
}

pub(super) struct UserRow {
    pub(super) tenant: TenantRow,
    pub(super) org_unit_id: Option<Uuid>,
    pub(super) company_id: Option<Uuid>,
    pub(super) session_ends_at: DateTime<Utc>,
    pub(super) roles: Vec<RoleRow>,
}

pub(super) struct KeyRow {
    pub(super) tenant: TenantRow,
    pub(super) user_id: Uuid,
    pub(super) org_unit_id: Option<Uuid>,
    pub(super) company_id: Option<Uuid>,
    pub(super) secret_hash: String,
    pub(super) previous_secret_hash: Option<String>,
    pub(super) previous_expires_at: Option<DateTime<Utc>>,
    pub(super) scopes: Vec<String>,
    pub(super) fields: Vec<String>,
    pub(super) allowed_addresses: Vec<String>,
    pub(super) expires_at: Option<DateTime<Utc>>,
    pub(super) last_used_at: Option<DateTime<Utc>>,
    pub(super) persisted_only: bool,
    pub(super) errors_as_status: bool,
    pub(super) role: RoleRow,
}

/// The people that scopes wider than `own` reach.
pub(super) struct People {
    pub(super) team: Vec<Uuid>,
    pub(super) org_unit_members: Vec<Uuid>,
}

impl People {
    pub(super) fn only(user_id: Uuid) -> Self {
        Self { team: vec![user_id], org_unit_members: vec![user_id] }
    }
}

/// A user who may act in this session, with all roles; `None` when absent, inactive, deleted or of a
/// suspended tenant, and when the session is another's, revoked or over.
pub(super) async fn user_with_roles(
    conn: &Conn,
    system: &SystemHandle,
    (user_id, session_id): (Uuid, Uuid),
    now: DateTime<Utc>,
) -> Result<Option<UserRow>> {
    let dialect = conn.dialect();
    let (tenant, user) = (dialect.placeholder(1), dialect.placeholder(2));
    let (session, at) = (dialect.placeholder(3), dialect.placeholder(4));
    let sql = format!(
        "SELECT t.slug, t.time_zone, t.currency, t.language, u.org_unit_id, r.name, \
         r.permissions, s.expires_at, u.company_id \
         FROM users u \
         JOIN tenants t ON t.id = u.tenant_id \
         JOIN sessions s ON s.tenant_id = u.tenant_id AND s.id = {session} AND s.user_id = u.id \
         AND s.revoked_at IS NULL AND s.expires_at > {at} \
         LEFT JOIN user_roles g ON g.tenant_id = u.tenant_id AND g.user_id = u.id \
         LEFT JOIN roles r ON r.tenant_id = g.tenant_id AND r.id = g.role_id \
         WHERE u.tenant_id = {tenant} AND u.id = {user} \
         AND u.is_active AND u.deleted_at IS NULL AND t.suspended_at IS NULL"
    );
    let values = vec![
        Value::Id(system.tenant_id()),
        Value::Id(user_id),
        Value::Id(session_id),
        Value::Instant(now),
    ];
    let rows = conn.rows(system, &Statement::new(sql, values)).await?;
    let Some(first) = rows.first() else { return Ok(None) };
    let (tenant, org_unit_id) = (tenant_of(first)?, first.id(4)?);
    let session_ends_at = first.instant(7)?.ok_or_else(|| Error::internal("column 7 is null"))?;
    let mut roles = Vec::with_capacity(rows.len());
    for row in &rows {
        if !row.is_null(5)? {
            roles.push(role_at(row, 5)?);
        }
    }
    let company_id = first.id(8)?;
    Ok(Some(UserRow { tenant, org_unit_id, company_id, session_ends_at, roles }))
}

/// A key that was not revoked, of a user who may act. Its secret and its dates are not judged here.
pub(super) async fn key_with_role(
    conn: &Conn,
    system: &SystemHandle,
    key_id: Uuid,
) -> Result<Option<KeyRow>> {
    let (tenant, key) = (conn.dialect().placeholder(1), conn.dialect().placeholder(2));
    let sql = format!(
        "SELECT t.slug, t.time_zone, t.currency, t.language, u.org_unit_id, r.name, r.permissions, \
         k.user_id, k.secret_hash, k.previous_secret_hash, k.previous_expires_at, k.scopes, \
         k.expires_at, k.last_used_at, u.company_id, k.fields, k.allowed_addresses, \
         k.persisted_only, k.errors_as_status \
         FROM api_keys k \
         JOIN tenants t ON t.id = k.tenant_id \
         JOIN users u ON u.tenant_id = k.tenant_id AND u.id = k.user_id \
         JOIN roles r ON r.tenant_id = k.tenant_id AND r.id = k.role_id \
         WHERE k.tenant_id = {tenant} AND k.id = {key} AND k.revoked_at IS NULL \
         AND u.is_active AND u.deleted_at IS NULL AND t.suspended_at IS NULL"
    );
    let values = vec![Value::Id(system.tenant_id()), Value::Id(key_id)];
    let Some(row) = conn.row(system, &Statement::new(sql, values)).await? else {
        return Ok(None);
    };
    Ok(Some(KeyRow {
        tenant: tenant_of(&row)?,
        org_unit_id: row.id(4)?,
        role: role_at(&row, 5)?,
        user_id: row.required_id(7)?,
        secret_hash: required_text(&row, 8)?,
        previous_secret_hash: row.text(9)?,
        previous_expires_at: row.instant(10)?,
        scopes: texts_at(&row, 11)?,
        expires_at: row.instant(12)?,
        last_used_at: row.instant(13)?,
        persisted_only: row.bool(17)?.unwrap_or_default(),
        errors_as_status: row.bool(18)?.unwrap_or_default(),
        company_id: row.id(14)?,
        fields: texts_at(&row, 15)?,
        allowed_addresses: texts_at(&row, 16)?,
    }))
}

/// The unit that a user belongs to.
pub(super) async fn org_unit_of(
    conn: &Conn,
    system: &SystemHandle,
    user_id: Uuid,
) -> Result<Option<Uuid>> {
    let (tenant, user) = (conn.dialect().placeholder(1), conn.dialect().placeholder(2));
    let sql = format!("SELECT org_unit_id FROM users WHERE tenant_id = {tenant} AND id = {user}");
    let values = vec![Value::Id(system.tenant_id()), Value::Id(user_id)];
    let row = conn.row(system, &Statement::new(sql, values)).await?;
    row.map_or(Ok(None), |row| row.id(0))
}

/// The user and everybody below them, and everybody of their org unit and the units below it.
/// `UNION` drops what was seen, so a circle of managers ends. Deleted and inactive people count:
/// the rows they own are still there for whoever led them.
pub(super) async fn people_around(
    conn: &Conn,
    system: &SystemHandle,
    user_id: Uuid,
    org_unit_id: Option<Uuid>,
) -> Result<People> {
    let dialect = conn.dialect();
    let (tenant, user) = (dialect.placeholder(1), dialect.placeholder(2));
    let unit = dialect.placeholder(3);
    let sql = format!(
        "WITH RECURSIVE below(id) AS (\
         SELECT u.id FROM users u WHERE u.tenant_id = {tenant} AND u.id = {user} \
         UNION \
         SELECT u.id FROM users u JOIN below b ON u.manager_id = b.id \
         WHERE u.tenant_id = {tenant}), \
         units(id) AS (\
         SELECT o.id FROM org_units o WHERE o.tenant_id = {tenant} AND o.id = {unit} \
         UNION \
         SELECT o.id FROM org_units o JOIN units n ON o.parent_id = n.id \
         WHERE o.tenant_id = {tenant}) \
         SELECT 0, b.id FROM below b \
         UNION ALL \
         SELECT 1, u.id FROM users u JOIN units n ON u.org_unit_id = n.id \
         WHERE u.tenant_id = {tenant}"
    );
    let unit_value = org_unit_id.map_or(Value::Null(NullOf::Id), Value::Id);
    let values = vec![Value::Id(system.tenant_id()), Value::Id(user_id), unit_value];
    let mut people = People { team: Vec::new(), org_unit_members: Vec::new() };
    for row in conn.rows(system, &Statement::new(sql, values)).await? {
        let id = row.required_id(1)?;
        if row.int(0)? == Some(0) {
            people.team.push(id);
        } else {
            people.org_unit_members.push(id);
        }
    }
    if !people.org_unit_members.contains(&user_id) {
        people.org_unit_members.push(user_id);
    }
    people.team.sort_unstable();
    people.org_unit_members.sort_unstable();
    Ok(people)
}

/// Both statements begin with the tenant's columns.
fn tenant_of(row: &Row) -> Result<TenantRow> {
    Ok(TenantRow {
        slug: required_text(row, 0)?,
        time_zone: required_text(row, 1)?,
        currency: required_text(row, 2)?,
        language: required_text(row, 3)?,
    })
}

fn role_at(row: &Row, index: usize) -> Result<RoleRow> {
    Ok(RoleRow {
        name: required_text(row, index)?,
        permissions: row.json(index + 1)?.unwrap_or_default(),
    })
}

fn texts_at(row: &Row, index: usize) -> Result<Vec<String>> {
    let json = row.json(index)?.unwrap_or_default();
    serde_json::from_value(json).map_err(Error::internal)
}

fn required_text(row: &Row, index: usize) -> Result<String> {
    row.text(index)?.ok_or_else(|| Error::internal(format!("column {index} is null")))
}
