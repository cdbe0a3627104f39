//! Rows of `notifications` and `notification_feeds`, written and removed.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use uuid::Uuid;

use super::Draft;
use crate::access::{Permit, SystemHandle};
use crate::app::App;
use crate::clock::Clock;
use crate::db::{Conn, NullOf, Statement, Value};
use crate::error::{Error, Result};
use crate::limits;

const COLUMNS: [&str; 11] = [
    "tenant_id",
    "id",
    "user_id",
    "number",
    "kind",
    "actor_id",
    "resource",
    "record_id",
    "item_count",
    "read_at",
    "created_at",
];
/// Rows removed by one statement.
const SWEPT_AT_ONCE: i64 = 1_000;

/// Writes drafts by user, after taking as many numbers of each as they need.
pub(super) async fn insert(
    conn: &Conn,
    permit: &impl Permit,
    clock: &Clock,
    drafts: BTreeMap<Uuid, Vec<Draft>>,
) -> Result<()> {
    let taken = take_numbers(conn, permit, clock, &drafts).await?;
    let now = Value::Instant(clock.now());
    let mut rows = Vec::new();
    for (user_id, drafts) in drafts {
        let last = taken.get(&user_id).copied();
        let last = last.ok_or_else(|| Error::internal("a feed gave no numbers"))?;
        let before = last - i64::try_from(drafts.len()).map_err(Error::internal)?;
        for (draft, number) in drafts.into_iter().zip(before + 1..) {
            rows.push(vec![
                Value::Id(permit.tenant_id()),
                Value::Id(clock.new_id()),
                Value::Id(draft.user_id),
                Value::Int(number),
                draft.kind.as_str().into(),
                draft.actor_id.map_or(Value::Null(NullOf::Id), Value::Id),
                draft.resource.as_str().into(),
                draft.record_id.map_or(Value::Null(NullOf::Id), Value::Id),
                Value::Int(draft.count),
                Value::Null(NullOf::Instant),
                now.clone(),
            ]);
        }
    }
    conn.insert(permit, "notifications", &COLUMNS, rows).await
}

/// Raises the counters of these users, in the order of their ids; the last number of each.
async fn take_numbers(
    conn: &Conn,
    permit: &impl Permit,
    clock: &Clock,
    drafts: &BTreeMap<Uuid, Vec<Draft>>,
) -> Result<BTreeMap<Uuid, i64>> {
    let place = |number| conn.dialect().placeholder(number);
    let mut values = vec![Value::Id(permit.tenant_id()), Value::Instant(clock.now())];
    let mut rows = Vec::with_capacity(drafts.len());
    for (user_id, drafts) in drafts {
        values.push(Value::Id(*user_id));
        values.push(Value::Int(i64::try_from(drafts.len()).map_err(Error::internal)?));
        let (user, count) = (place(values.len() - 1), place(values.len()));
        rows.push(format!("({}, {user}, {count}, {})", place(1), place(2)));
    }
    let sql = format!(
        "INSERT INTO notification_feeds (tenant_id, id, last_number, updated_at) VALUES {} \
         ON CONFLICT (tenant_id, id) DO UPDATE SET \
         last_number = notification_feeds.last_number + excluded.last_number, \
         updated_at = excluded.updated_at RETURNING id, last_number",
        rows.join(", ")
    );
    let rows = conn.rows(permit, &Statement::new(sql, values)).await?;
    rows.iter().map(|row| Ok((row.required_id(0)?, row.int(1)?.unwrap_or_default()))).collect()
}

/// Removes notifications that are older than they are kept, a few at a time; tells how many.
pub async fn sweep(app: &App) -> Result<u64> {
    let system = SystemHandle::for_tenant(Uuid::nil());
    let before = app.clock.now() - TimeDelta::days(limits::NOTIFICATION_DAYS);
    let conn = app.db.transaction().await?;
    let (first, second) = (conn.dialect().placeholder(1), conn.dialect().placeholder(2));
    // Tenant by tenant, because the index is.
    let sql = format!(
        "DELETE FROM notifications WHERE (tenant_id, id) IN (SELECT e.tenant_id, e.id \
         FROM tenants t CROSS JOIN notifications e \
         WHERE e.tenant_id = t.id AND e.created_at < {first} LIMIT {second})"
    );
    let values = vec![Value::Instant(before), Value::Int(SWEPT_AT_ONCE)];
    let swept = conn.execute(&system, &Statement::new(sql, values)).await?;
    conn.commit().await?;
    Ok(swept)
}
