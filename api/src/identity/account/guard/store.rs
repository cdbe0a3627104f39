//! Rows of `sign_in_guards`. All are the nil tenant's: a guess comes before any tenant is known.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::count::Seen;
use crate::access::SystemHandle;
use crate::db::{Conn, Row, Statement, Value};
use crate::error::Result;

fn nobody() -> SystemHandle {
    SystemHandle::for_tenant(Uuid::nil())
}

/// What was counted under these ids.
pub(super) async fn read(conn: &Conn, ids: Vec<String>) -> Result<HashMap<String, Seen>> {
    let dialect = conn.dialect();
    let sql = format!(
        "SELECT id, failures, last_at FROM sign_in_guards WHERE tenant_id = {} AND {}",
        dialect.placeholder(1),
        dialect.in_list("id", &dialect.placeholder(2))
    );
    let values = vec![Value::Id(Uuid::nil()), Value::Texts(ids)];
    by_id(&conn.rows(&nobody(), &Statement::new(sql, values)).await?)
}

/// As [`read`], with the rows made where there are none, and locked. In the order of the ids, so
/// that two guesses never wait for each other in a circle.
pub(super) async fn lock(
    conn: &Conn,
    ids: &[String],
    now: DateTime<Utc>,
) -> Result<HashMap<String, Seen>> {
    let dialect = conn.dialect();
    let mut sorted: Vec<&String> = ids.iter().collect();
    sorted.sort_unstable();
    let mut values = vec![Value::Id(Uuid::nil()), Value::Instant(now)];
    let mut rows = Vec::with_capacity(sorted.len());
    for id in sorted {
        values.push(Value::Text(id.clone()));
        rows.push(format!(
            "({}, {}, 0, {})",
            dialect.placeholder(1),
            dialect.placeholder(values.len()),
            dialect.placeholder(2)
        ));
    }
    let sql = format!(
        "INSERT INTO sign_in_guards (tenant_id, id, failures, last_at) VALUES {} \
         ON CONFLICT (tenant_id, id) DO UPDATE SET failures = sign_in_guards.failures \
         RETURNING id, failures, last_at",
        rows.join(", ")
    );
    by_id(&conn.rows(&nobody(), &Statement::new(sql, values)).await?)
}

pub(super) async fn set(conn: &Conn, id: &str, failures: i64, now: DateTime<Utc>) -> Result<()> {
    let place = |number| conn.dialect().placeholder(number);
    let sql = format!(
        "INSERT INTO sign_in_guards (tenant_id, id, failures, last_at) VALUES ({}, {}, {}, {}) \
         ON CONFLICT (tenant_id, id) DO UPDATE SET failures = excluded.failures, \
         last_at = excluded.last_at",
        place(1),
        place(2),
        place(3),
        place(4)
    );
    let values = vec![
        Value::Id(Uuid::nil()),
        Value::Text(id.to_owned()),
        Value::Int(failures),
        Value::Instant(now),
    ];
    conn.execute(&nobody(), &Statement::new(sql, values)).await.map(drop)
}

pub(super) async fn remove(conn: &Conn, ids: Vec<String>) -> Result<()> {
    let dialect = conn.dialect();
    let sql = format!(
        "DELETE FROM sign_in_guards WHERE tenant_id = {} AND {}",
        dialect.placeholder(1),
        dialect.in_list("id", &dialect.placeholder(2))
    );
    let values = vec![Value::Id(Uuid::nil()), Value::Texts(ids)];
    conn.execute(&nobody(), &Statement::new(sql, values)).await.map(drop)
}

/// Removes what was last counted before `before`.
pub(super) async fn remove_older(conn: &Conn, before: DateTime<Utc>) -> Result<u64> {
    let place = |number| conn.dialect().placeholder(number);
    let sql = format!(
        "DELETE FROM sign_in_guards WHERE tenant_id = {} AND last_at < {}",
        place(1),
        place(2)
    );
    let values = vec![Value::Id(Uuid::nil()), Value::Instant(before)];
    conn.execute(&nobody(), &Statement::new(sql, values)).await
}

fn by_id(rows: &[Row]) -> Result<HashMap<String, Seen>> {
    let mut found = HashMap::with_capacity(rows.len());
    for row in rows {
        if let (Some(id), Some(failures), Some(last_at)) =
            (row.text(0)?, row.int(1)?, row.instant(2)?)
        {
            found.insert(id, Seen { failures, last_at });
        }
    }
    Ok(found)
}
