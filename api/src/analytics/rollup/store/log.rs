//! Rows of `event_batches`, `events`, `event_failures` and `fold_heads`.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use serde_json::Value as Json;
use uuid::Uuid;

use crate::access::{Permit, SystemHandle};
use crate::analytics::rollup::fold::Logged;
use crate::db::{Conn, Row, Statement, Value};
use crate::error::{Error, Result};
use crate::events::Lane;

const HEAD: &str = "events";

/// The row that a tenant's folder holds.
pub(in crate::analytics::rollup) struct Head {
    /// Whose days the tenant's snapshots have.
    pub(in crate::analytics::rollup) zone: Tz,
}

/// Events of one insert that wait to be folded.
#[derive(Debug, Clone)]
pub(in crate::analytics::rollup) struct Batch {
    pub(in crate::analytics::rollup) id: Uuid,
    pub(in crate::analytics::rollup) events: i64,
    /// Where its events' ids lie.
    range: Option<(Uuid, Uuid)>,
}

/// Tenants with batches whose time has come.
pub(in crate::analytics::rollup) async fn tenants_with_work(
    conn: &Conn,
    now: DateTime<Utc>,
) -> Result<Vec<Uuid>> {
    let system = SystemHandle::for_tenant(Uuid::nil());
    // Tenant by tenant, because the index is.
    let sql = format!(
        "SELECT t.id FROM tenants t WHERE EXISTS (SELECT 1 FROM event_batches b \
         WHERE b.tenant_id = t.id AND b.state = 'queued' \
         AND (b.next_attempt_at IS NULL OR b.next_attempt_at <= {}))",
        conn.dialect().placeholder(1)
    );
    let rows = conn.rows(&system, &Statement::new(sql, vec![Value::Instant(now)])).await?;
    rows.iter().map(|row| row.required_id(0)).collect()
}

/// How many events of all tenants wait to be folded, and since when the oldest of them do.
pub(in crate::analytics::rollup) async fn unfolded(
    conn: &Conn,
) -> Result<(i64, Option<DateTime<Utc>>)> {
    let system = SystemHandle::for_tenant(Uuid::nil());
    // Tenant by tenant, because the index is.
    let sql = "SELECT CAST(coalesce(sum(b.event_count), 0) AS bigint), min(b.created_at) \
               FROM tenants t JOIN event_batches b ON b.tenant_id = t.id WHERE b.state = 'queued'";
    let row = conn.row(&system, &Statement::new(sql, Vec::new())).await?;
    let Some(row) = row else { return Ok((0, None)) };
    Ok((row.int(0)?.unwrap_or_default(), row.instant(1)?))
}

/// Takes the tenant's head; none while somebody else has it.
pub(in crate::analytics::rollup) async fn take_head(
    conn: &Conn,
    permit: &impl Permit,
    (zone, now): (Tz, DateTime<Utc>),
) -> Result<Option<Head>> {
    let lock = format!(
        "SELECT time_zone FROM fold_heads WHERE tenant_id = {} AND id = '{HEAD}'{}",
        conn.dialect().placeholder(1),
        conn.dialect().for_update_or_skip()
    );
    let lock = Statement::new(lock, vec![Value::Id(permit.tenant_id())]);
    if let Some(row) = conn.row(permit, &lock).await? {
        return head_of(&row).map(Some);
    }
    // Either somebody has it, or it is not there yet.
    make_head(conn, permit, (zone, now)).await?;
    let row = conn.row(permit, &lock).await?;
    row.map(|row| head_of(&row)).transpose()
}

async fn make_head(
    conn: &Conn,
    permit: &impl Permit,
    (zone, now): (Tz, DateTime<Utc>),
) -> Result<()> {
    let place = |number| conn.dialect().placeholder(number);
    let sql = format!(
        "INSERT INTO fold_heads (tenant_id, id, time_zone, updated_at) VALUES ({}, '{HEAD}', {}, {}) \
         ON CONFLICT DO NOTHING",
        place(1),
        place(2),
        place(3)
    );
    let values = vec![Value::Id(permit.tenant_id()), zone.name().into(), Value::Instant(now)];
    conn.execute(permit, &Statement::new(sql, values)).await.map(drop)
}

/// As [`hold_head`], and makes it where none was ever folded: whoever is about to make it is waited for.
pub(in crate::analytics::rollup) async fn make_and_hold_head(
    conn: &Conn,
    permit: &impl Permit,
    (zone, now): (Tz, DateTime<Utc>),
) -> Result<Head> {
    make_head(conn, permit, (zone, now)).await?;
    let head = hold_head(conn, permit).await?;
    head.ok_or_else(|| Error::internal("a tenant's head went away"))
}

/// Waits until nobody folds the tenant's events, and keeps it so until the transaction ends. None
/// where none was ever folded.
pub(in crate::analytics::rollup) async fn hold_head(
    conn: &Conn,
    permit: &impl Permit,
) -> Result<Option<Head>> {
    let sql = format!(
        "SELECT time_zone FROM fold_heads WHERE tenant_id = {} AND id = '{HEAD}'{}",
        conn.dialect().placeholder(1),
        conn.dialect().for_update()
    );
    let statement = Statement::new(sql, vec![Value::Id(permit.tenant_id())]);
    conn.row(permit, &statement).await?.map(|row| head_of(&row)).transpose()
}

fn head_of(row: &Row) -> Result<Head> {
    let zone = row.text(0)?.unwrap_or_default();
    Ok(Head { zone: zone.parse().map_err(Error::internal)? })
}

/// Whose days a tenant's snapshots have; none before its first event was folded.
pub async fn day_zone(conn: &Conn, permit: &impl Permit) -> Result<Option<Tz>> {
    let sql = format!(
        "SELECT time_zone FROM fold_heads WHERE tenant_id = {} AND id = '{HEAD}'",
        conn.dialect().placeholder(1)
    );
    let row = conn.row(permit, &Statement::new(sql, vec![Value::Id(permit.tenant_id())])).await?;
    Ok(row.map(|row| head_of(&row)).transpose()?.map(|head| head.zone))
}

/// How far a tenant's events are folded: how many, and when its snapshots last changed; none before
/// the first.
pub async fn progress(conn: &Conn, permit: &impl Permit) -> Result<Option<(i64, DateTime<Utc>)>> {
    let sql = format!(
        "SELECT events, updated_at FROM fold_heads WHERE tenant_id = {} AND id = '{HEAD}'",
        conn.dialect().placeholder(1)
    );
    let row = conn.row(permit, &Statement::new(sql, vec![Value::Id(permit.tenant_id())])).await?;
    let Some(row) = row else { return Ok(None) };
    Ok(row.int(0)?.zip(row.instant(1)?))
}

/// Batches of a lane that wait, oldest first.
pub(in crate::analytics::rollup) async fn waiting(
    conn: &Conn,
    permit: &impl Permit,
    lane: Lane,
    (now, most): (DateTime<Utc>, i64),
) -> Result<Vec<Batch>> {
    let place = |number| conn.dialect().placeholder(number);
    let sql = format!(
        "SELECT id, event_count, first_id, last_id FROM event_batches WHERE tenant_id = {} \
         AND state = 'queued' AND lane = {} AND (next_attempt_at IS NULL OR next_attempt_at <= {}) \
         ORDER BY id LIMIT {}",
        place(1),
        place(2),
        place(3),
        place(4)
    );
    let values = vec![
        Value::Id(permit.tenant_id()),
        lane.as_str().into(),
        Value::Instant(now),
        Value::Int(most),
    ];
    let rows = conn.rows(permit, &Statement::new(sql, values)).await?;
    let batch = |row: &Row| {
        Ok(Batch {
            id: row.required_id(0)?,
            events: row.int(1)?.unwrap_or_default(),
            range: row.id(2)?.zip(row.id(3)?),
        })
    };
    rows.iter().map(batch).collect()
}

pub(super) const EVENT: &str = "id, event_type, occurred_at, payload, dimensions";

pub(super) fn logged(row: &Row) -> Result<Logged> {
    Ok(Logged {
        id: row.required_id(0)?,
        event_type: row.text(1)?.unwrap_or_default(),
        occurred_at: row.instant(2)?.ok_or_else(|| Error::internal("an event without its time"))?,
        payload: row.json(3)?.unwrap_or(Json::Null),
        dimensions: row.json(4)?.unwrap_or(Json::Null),
    })
}

/// The events of batches. Only the months are looked at in which they have some.
pub(in crate::analytics::rollup) async fn events_of(
    conn: &Conn,
    permit: &impl Permit,
    batches: &[Batch],
) -> Result<Vec<Logged>> {
    let dialect = conn.dialect();
    let place = |number| dialect.placeholder(number);
    let mut values = vec![
        Value::Id(permit.tenant_id()),
        Value::Ids(batches.iter().map(|batch| batch.id).collect()),
    ];
    let mut sql = format!(
        "SELECT {EVENT} FROM events WHERE tenant_id = {} AND {}",
        place(1),
        dialect.in_ids("batch_id", &place(2))
    );
    let ranges: Option<Vec<(Uuid, Uuid)>> = batches.iter().map(|batch| batch.range).collect();
    if let Some(ranges) = ranges
        && let Some(first) = ranges.iter().map(|range| range.0).min()
        && let Some(last) = ranges.iter().map(|range| range.1).max()
    {
        sql.push_str(&format!(" AND id BETWEEN {} AND {}", place(3), place(4)));
        values.extend([Value::Id(first), Value::Id(last)]);
    }
    conn.rows(permit, &Statement::new(sql, values)).await?.iter().map(logged).collect()
}

/// Marks batches as folded; all of them waited, or somebody folded one meanwhile.
pub(in crate::analytics::rollup) async fn mark_folded(
    conn: &Conn,
    permit: &impl Permit,
    batches: &[Batch],
    (now, took_ms): (DateTime<Utc>, i64),
) -> Result<()> {
    let place = |number| conn.dialect().placeholder(number);
    let sql = format!(
        "UPDATE event_batches SET state = 'processed', attempts = attempts + 1, error = NULL, \
         processed_at = {0}, updated_at = {0}, processing_ms = {1} \
         WHERE tenant_id = {2} AND state = 'queued' AND {3}",
        place(1),
        place(2),
        place(3),
        conn.dialect().in_ids("id", &place(4))
    );
    let values = vec![
        Value::Instant(now),
        Value::Int(took_ms),
        Value::Id(permit.tenant_id()),
        Value::Ids(batches.iter().map(|batch| batch.id).collect()),
    ];
    let marked = conn.execute(permit, &Statement::new(sql, values)).await?;
    if usize::try_from(marked).ok() != Some(batches.len()) {
        return Err(Error::internal("a batch was folded by somebody else at the same time"));
    }
    let events = batches.iter().map(|batch| batch.events).sum();
    note_change(conn, permit, events, now).await
}

/// Notes that snapshots changed, for whoever watches [`progress`], and how many events were folded for
/// the first time.
pub(in crate::analytics::rollup) async fn note_change(
    conn: &Conn,
    permit: &impl Permit,
    events: i64,
    now: DateTime<Utc>,
) -> Result<()> {
    let place = |number| conn.dialect().placeholder(number);
    let sql = format!(
        "UPDATE fold_heads SET events = events + {}, updated_at = {} \
         WHERE tenant_id = {} AND id = '{HEAD}'",
        place(1),
        place(2),
        place(3)
    );
    let values = vec![Value::Int(events), Value::Instant(now), Value::Id(permit.tenant_id())];
    conn.execute(permit, &Statement::new(sql, values)).await.map(drop)
}

/// Puts batches off that could not be folded.
pub(in crate::analytics::rollup) async fn put_off(
    conn: &Conn,
    permit: &impl Permit,
    batches: &[Batch],
    (again_at, now, error): (DateTime<Utc>, DateTime<Utc>, &str),
) -> Result<()> {
    let place = |number| conn.dialect().placeholder(number);
    let sql = format!(
        "UPDATE event_batches SET attempts = attempts + 1, error = {}, next_attempt_at = {}, \
         updated_at = {} WHERE tenant_id = {} AND state = 'queued' AND {}",
        place(1),
        place(2),
        place(3),
        place(4),
        conn.dialect().in_ids("id", &place(5))
    );
    let values = vec![
        error.into(),
        Value::Instant(again_at),
        Value::Instant(now),
        Value::Id(permit.tenant_id()),
        Value::Ids(batches.iter().map(|batch| batch.id).collect()),
    ];
    conn.execute(permit, &Statement::new(sql, values)).await.map(drop)
}

/// The zone of a tenant's calendar.
pub(in crate::analytics::rollup) async fn zone_of(conn: &Conn, permit: &impl Permit) -> Result<Tz> {
    let sql = format!("SELECT time_zone FROM tenants WHERE id = {}", conn.dialect().placeholder(1));
    let row = conn.row(permit, &Statement::new(sql, vec![Value::Id(permit.tenant_id())])).await?;
    let zone = row.ok_or_else(|| Error::internal("a tenant went away"))?.text(0)?;
    zone.unwrap_or_default().parse().map_err(Error::internal)
}
