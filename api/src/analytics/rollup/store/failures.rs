//! Rows of `event_failures`: events that could not be folded, until they are.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::log::{EVENT, logged};
use crate::access::Permit;
use crate::analytics::rollup::fold::Logged;
use crate::db::{Conn, List, Lists, Row, Statement, Value};
use crate::error::Result;

/// Which events that failed; what is `None` is any.
#[derive(Debug, Default)]
pub(in crate::analytics::rollup) struct Failed {
    pub(in crate::analytics::rollup) event_type: Option<String>,
    pub(in crate::analytics::rollup) occurred_after: Option<DateTime<Utc>>,
    pub(in crate::analytics::rollup) occurred_before: Option<DateTime<Utc>>,
}

/// Notes the events that could not be folded.
pub(in crate::analytics::rollup) async fn put_failures(
    conn: &Conn,
    permit: &impl Permit,
    failed: &[(Uuid, String)],
    now: DateTime<Utc>,
) -> Result<()> {
    let lists = Lists {
        table: "event_failures",
        columns: vec![
            ("tenant_id", List::Same(Value::Id(permit.tenant_id()))),
            ("id", List::Ids(failed.iter().map(|(id, _)| *id).collect())),
            ("state", List::Same("failed".into())),
            ("attempts", List::Same(Value::Int(1))),
            ("error", List::Texts(failed.iter().map(|(_, why)| why.clone()).collect())),
            ("created_at", List::Same(Value::Instant(now))),
            ("updated_at", List::Same(Value::Instant(now))),
        ],
        then: "ON CONFLICT (tenant_id, id) DO UPDATE SET attempts = event_failures.attempts + 1, \
               error = excluded.error, updated_at = excluded.updated_at",
    };
    conn.insert_lists(permit, lists).await.map(drop)
}

/// Those of these ids whose events failed.
pub(in crate::analytics::rollup) async fn failed_of(
    conn: &Conn,
    permit: &impl Permit,
    ids: Vec<Uuid>,
) -> Result<Vec<Uuid>> {
    let sql = format!(
        "SELECT id FROM event_failures WHERE tenant_id = {} AND state = 'failed' AND {}",
        conn.dialect().placeholder(1),
        conn.dialect().in_ids("id", &conn.dialect().placeholder(2))
    );
    let values = vec![Value::Id(permit.tenant_id()), Value::Ids(ids)];
    let rows = conn.rows(permit, &Statement::new(sql, values)).await?;
    rows.iter().map(|row| row.required_id(0)).collect()
}

/// Events that failed, those that nobody tried for longest first, and how many there are in all.
pub(in crate::analytics::rollup) async fn failed_like(
    conn: &Conn,
    permit: &impl Permit,
    wanted: &Failed,
    most: i64,
) -> Result<(Vec<Uuid>, i64)> {
    let dialect = conn.dialect();
    let mut values = vec![Value::Id(permit.tenant_id())];
    let mut from = format!(
        "FROM event_failures f JOIN events e ON e.tenant_id = f.tenant_id AND e.id = f.id \
         WHERE f.tenant_id = {} AND f.state = 'failed'",
        dialect.placeholder(1)
    );
    for (comparison, value) in [
        ("e.event_type =", wanted.event_type.clone().map(Value::Text)),
        ("e.occurred_at >", wanted.occurred_after.map(Value::Instant)),
        ("e.occurred_at <", wanted.occurred_before.map(Value::Instant)),
    ] {
        let Some(value) = value else { continue };
        values.push(value);
        from.push_str(&format!(" AND {comparison} {}", dialect.placeholder(values.len())));
    }
    let count = Statement::new(format!("SELECT count(*) {from}"), values.clone());
    let count = conn.row(permit, &count).await?;
    let count = count.map(|row| row.int(0)).transpose()?.flatten().unwrap_or_default();
    values.push(Value::Int(most));
    let last = dialect.placeholder(values.len());
    let sql = format!("SELECT f.id {from} ORDER BY f.updated_at, f.id LIMIT {last}");
    let rows = conn.rows(permit, &Statement::new(sql, values)).await?;
    Ok((rows.iter().map(|row: &Row| row.required_id(0)).collect::<Result<_>>()?, count))
}

/// Events by their ids.
pub(in crate::analytics::rollup) async fn events_named(
    conn: &Conn,
    permit: &impl Permit,
    ids: Vec<Uuid>,
) -> Result<Vec<Logged>> {
    let sql = format!(
        "SELECT {EVENT} FROM events WHERE tenant_id = {} AND {} ORDER BY id",
        conn.dialect().placeholder(1),
        conn.dialect().in_ids("id", &conn.dialect().placeholder(2))
    );
    let values = vec![Value::Id(permit.tenant_id()), Value::Ids(ids)];
    conn.rows(permit, &Statement::new(sql, values)).await?.iter().map(logged).collect()
}

/// Forgets that events failed: they are folded now.
pub(in crate::analytics::rollup) async fn forgive(
    conn: &Conn,
    permit: &impl Permit,
    ids: Vec<Uuid>,
) -> Result<()> {
    let sql = format!(
        "DELETE FROM event_failures WHERE tenant_id = {} AND {}",
        conn.dialect().placeholder(1),
        conn.dialect().in_ids("id", &conn.dialect().placeholder(2))
    );
    let values = vec![Value::Id(permit.tenant_id()), Value::Ids(ids)];
    conn.execute(permit, &Statement::new(sql, values)).await.map(drop)
}
