//! What a node asks for all its subscribers at once: the latest number of each user, and which of
//! their sessions and keys still hold, with a mark that changes when their roles do.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::access::SystemHandle;
use crate::db::{Conn, Row, Statement, Value};
use crate::error::Result;

/// Tenant and id.
pub(super) type Place = (Uuid, Uuid);

/// Places asked for by one statement.
const AT_ONCE: usize = 1_000;
const ACTS: &str = "u.is_active AND u.deleted_at IS NULL AND t.suspended_at IS NULL";

/// The number of the latest notification of each of these users.
pub(super) async fn numbers(conn: &Conn, users: &[Place]) -> Result<BTreeMap<Place, i64>> {
    let mut numbers = BTreeMap::new();
    for users in users.chunks(AT_ONCE) {
        let (among, values) = among(conn, users);
        let sql = format!(
            "SELECT f.tenant_id, f.id, f.last_number FROM notification_feeds f \
             WHERE (f.tenant_id, f.id) IN (VALUES {among})"
        );
        for row in ask(conn, sql, values).await? {
            numbers.insert(place_of(&row)?, row.int(2)?.unwrap_or_default());
        }
    }
    Ok(numbers)
}

/// Which of these sessions still hold, and what their users' roles are.
pub(super) async fn sessions(
    conn: &Conn,
    sessions: &[Place],
    now: DateTime<Utc>,
) -> Result<BTreeMap<Place, String>> {
    let mut standing = BTreeMap::new();
    for sessions in sessions.chunks(AT_ONCE) {
        let (among, mut values) = among(conn, sessions);
        values.push(Value::Instant(now));
        let sql = format!(
            "SELECT s.tenant_id, s.id, r.id, r.version FROM sessions s \
             JOIN tenants t ON t.id = s.tenant_id \
             JOIN users u ON u.tenant_id = s.tenant_id AND u.id = s.user_id \
             LEFT JOIN user_roles g ON g.tenant_id = u.tenant_id AND g.user_id = u.id \
             LEFT JOIN roles r ON r.tenant_id = g.tenant_id AND r.id = g.role_id \
             WHERE (s.tenant_id, s.id) IN (VALUES {among}) AND s.revoked_at IS NULL \
             AND s.expires_at > {} AND {ACTS} ORDER BY s.tenant_id, s.id, r.id",
            conn.dialect().placeholder(values.len())
        );
        for row in ask(conn, sql, values).await? {
            let role = format!("{:?} {:?};", row.id(2)?, row.int(3)?);
            let mark: &mut String = standing.entry(place_of(&row)?).or_default();
            mark.push_str(&role);
        }
    }
    Ok(standing)
}

/// Which of these keys still hold, with their secrets and their roles.
pub(super) async fn keys(
    conn: &Conn,
    keys: &[Place],
    now: DateTime<Utc>,
) -> Result<BTreeMap<Place, String>> {
    let mut standing = BTreeMap::new();
    for keys in keys.chunks(AT_ONCE) {
        let (among, mut values) = among(conn, keys);
        values.push(Value::Instant(now));
        let sql = format!(
            "SELECT k.tenant_id, k.id, k.role_id, r.version, k.secret_hash FROM api_keys k \
             JOIN tenants t ON t.id = k.tenant_id \
             JOIN users u ON u.tenant_id = k.tenant_id AND u.id = k.user_id \
             JOIN roles r ON r.tenant_id = k.tenant_id AND r.id = k.role_id \
             WHERE (k.tenant_id, k.id) IN (VALUES {among}) AND k.revoked_at IS NULL \
             AND (k.expires_at IS NULL OR k.expires_at > {}) AND {ACTS}",
            conn.dialect().placeholder(values.len())
        );
        for row in ask(conn, sql, values).await? {
            let mark = format!("{:?} {:?} {:?}", row.id(2)?, row.int(3)?, row.text(4)?);
            standing.insert(place_of(&row)?, mark);
        }
    }
    Ok(standing)
}

fn among(conn: &Conn, places: &[Place]) -> (String, Vec<Value>) {
    let mut values = Vec::with_capacity(places.len() * 2 + 1);
    let mut rows = Vec::with_capacity(places.len());
    for (tenant_id, id) in places {
        values.extend([Value::Id(*tenant_id), Value::Id(*id)]);
        let place = |number| conn.dialect().placeholder(number);
        rows.push(format!("({}, {})", place(values.len() - 1), place(values.len())));
    }
    (rows.join(", "), values)
}

async fn ask(conn: &Conn, sql: String, values: Vec<Value>) -> Result<Vec<Row>> {
    // The subscribers of a node are of many tenants; each place names its own.
    let system = SystemHandle::for_tenant(Uuid::nil());
    conn.rows(&system, &Statement::new(sql, values)).await
}

fn place_of(row: &Row) -> Result<Place> {
    Ok((row.required_id(0)?, row.required_id(1)?))
}
