//! Rows of `rate_budgets`: how long what was taken needs to come back, as one instant per subject.
//! Taking points moves the instant on; it may lie no further ahead than all points together last.

use std::time::Duration;

use chrono::TimeDelta;
use uuid::Uuid;

use super::bucket::{Bucket, Subject};
use super::quota::Quota;
use crate::access::SystemHandle;
use crate::app::App;
use crate::db::{Conn, Statement, Value};
use crate::error::{Error, Result};

/// Rows removed by one statement.
const SWEPT_AT_ONCE: i64 = 500;
/// A row that owes nothing says nothing; the hour is for nodes whose clocks differ.
const KEPT_HOURS: i64 = 1;

/// What came of asking the row.
pub(super) enum Reserved {
    /// So many points are still there.
    Taken {
        beyond: u64,
    },
    Short {
        wait: Duration,
    },
}

pub(super) async fn reserve(
    app: &App,
    (bucket, subject): (Bucket, Subject),
    quota: Quota,
    points: u64,
) -> Result<Reserved> {
    let Subject::Member { tenant_id, id } = subject else {
        return Err(Error::internal("only what is a tenant's is counted together"));
    };
    let id = format!("{}:{id}", bucket.as_str());
    let system = SystemHandle::for_tenant(tenant_id);
    let now = app.clock.now();
    let now_ns = now.timestamp_nanos_opt().unwrap_or_default();
    let step = i64::try_from(quota.time_of(points)).unwrap_or(i64::MAX / 4);
    let whole = i64::try_from(quota.whole()).unwrap_or(i64::MAX / 4);
    let conn = app.db.transaction().await?;
    let place = |number| conn.dialect().placeholder(number);
    let owed = format!(
        "CASE WHEN rate_budgets.owed_until_ns > {now} THEN rate_budgets.owed_until_ns ELSE {now} END",
        now = place(4)
    );
    let sql = format!(
        "INSERT INTO rate_budgets (tenant_id, id, owed_until_ns, updated_at) \
         VALUES ({}, {}, {}, {}) ON CONFLICT (tenant_id, id) DO UPDATE SET \
         owed_until_ns = {owed} + {step}, updated_at = excluded.updated_at \
         WHERE {owed} + {step} <= {most} RETURNING owed_until_ns",
        place(1),
        place(2),
        place(3),
        place(5),
        step = place(6),
        most = place(7),
    );
    let values = vec![
        Value::Id(tenant_id),
        Value::Text(id.clone()),
        Value::Int(now_ns.saturating_add(step)),
        Value::Int(now_ns),
        Value::Instant(now),
        Value::Int(step),
        Value::Int(now_ns.saturating_add(whole)),
    ];
    if let Some(row) = conn.row(&system, &Statement::new(sql, values)).await? {
        let owed = row.int(0)?.unwrap_or_default().saturating_sub(now_ns);
        conn.commit().await?;
        let beyond = quota.remaining(u64::try_from(owed).unwrap_or_default());
        return Ok(Reserved::Taken { beyond });
    }
    let owed = owed_until(&conn, &system, tenant_id, id).await?;
    let wait_ns = owed.saturating_add(step).saturating_sub(now_ns.saturating_add(whole));
    Ok(Reserved::Short { wait: Duration::from_nanos(u64::try_from(wait_ns).unwrap_or_default()) })
}

async fn owed_until(
    conn: &Conn,
    system: &SystemHandle,
    tenant_id: Uuid,
    id: String,
) -> Result<i64> {
    let (tenant, row) = (conn.dialect().placeholder(1), conn.dialect().placeholder(2));
    let sql =
        format!("SELECT owed_until_ns FROM rate_budgets WHERE tenant_id = {tenant} AND id = {row}");
    let values = vec![Value::Id(tenant_id), Value::Text(id)];
    let row = conn.row(system, &Statement::new(sql, values)).await?;
    Ok(row.map(|row| row.int(0)).transpose()?.flatten().unwrap_or_default())
}

/// Removes rows that owe nothing, a few at a time; tells how many.
pub(super) async fn sweep(app: &App) -> Result<u64> {
    let system = SystemHandle::for_tenant(Uuid::nil());
    let before = app.clock.now() - TimeDelta::hours(KEPT_HOURS);
    let conn = app.db.transaction().await?;
    let (first, second) = (conn.dialect().placeholder(1), conn.dialect().placeholder(2));
    let sql = format!(
        "DELETE FROM rate_budgets WHERE (tenant_id, id) IN (SELECT e.tenant_id, e.id \
         FROM tenants t CROSS JOIN rate_budgets e \
         WHERE e.tenant_id = t.id AND e.owed_until_ns < {first} LIMIT {second})"
    );
    let before_ns = before.timestamp_nanos_opt().unwrap_or_default();
    let values = vec![Value::Int(before_ns), Value::Int(SWEPT_AT_ONCE)];
    let swept = conn.execute(&system, &Statement::new(sql, values)).await?;
    conn.commit().await?;
    Ok(swept)
}
