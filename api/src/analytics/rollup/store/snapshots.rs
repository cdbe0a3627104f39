//! Rows of `metric_series` and `snapshots`.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use serde_json::Value as Json;
use uuid::Uuid;

use super::epoch;
use crate::access::{Permit, SystemHandle};
use crate::analytics::rollup::chunk::{self, Chunk, Packed};
use crate::analytics::rollup::fold::{Place, Series};
use crate::analytics::rollup::grain::Grain;
use crate::analytics::rollup::state::State;
use crate::db::{Conn, List, Lists, Row, Statement, Value};
use crate::error::{Error, Result};

/// Buckets of a series that are next to each other, as they are kept.
#[derive(Debug)]
pub struct Snapshots {
    chunk: Chunk,
    text: String,
    /// Those that begin outside of it are left out.
    span: (Option<DateTime<Utc>>, DateTime<Utc>),
}

impl Snapshots {
    pub fn series_id(&self) -> Uuid {
        self.chunk.series_id
    }

    /// Where the row begins.
    pub fn from(&self) -> DateTime<Utc> {
        self.chunk.starts_at
    }

    /// Where each bucket begins, and its state.
    pub fn buckets(&self) -> impl Iterator<Item = Result<(DateTime<Utc>, State)>> {
        let (from, to) = self.span;
        let inside = move |at| at < to && from.is_none_or(|from| at >= from);
        chunk::entries(&self.text).filter_map(move |entry| match entry {
            Ok((offset, text)) => {
                let starts_at = self.chunk.at(offset);
                inside(starts_at).then(|| Ok((starts_at, chunk::state_of(text)?)))
            }
            Err(error) => Some(Err(error)),
        })
    }
}

/// Makes the series that are not there yet.
pub(in crate::analytics::rollup) async fn put_series(
    conn: &Conn,
    permit: &impl Permit,
    series: &BTreeMap<Uuid, Series>,
    now: DateTime<Utc>,
) -> Result<()> {
    let lists = Lists {
        table: "metric_series",
        columns: vec![
            ("tenant_id", List::Same(Value::Id(permit.tenant_id()))),
            ("id", List::Ids(series.keys().copied().collect())),
            ("metric", List::Texts(series.values().map(|each| each.metric.to_string()).collect())),
            (
                "dimensions",
                List::Jsons(series.values().map(|each| each.dimensions.clone()).collect()),
            ),
            ("created_at", List::Same(Value::Instant(now))),
        ],
        then: "ON CONFLICT DO NOTHING",
    };
    conn.insert_lists(permit, lists).await.map(drop)
}

/// Adds states to the buckets that they belong to. The caller holds the tenant's head: nobody else
/// changes them between the reading and the writing.
pub(in crate::analytics::rollup) async fn add(
    conn: &Conn,
    permit: &impl Permit,
    buckets: BTreeMap<Place, State>,
    now: DateTime<Utc>,
) -> Result<()> {
    let mut chunks: BTreeMap<Uuid, (Chunk, Vec<(i64, State)>)> = BTreeMap::new();
    for (place, state) in buckets {
        let chunk = Chunk::of(&place);
        let (_, states) = chunks.entry(chunk.id()).or_insert_with(|| (chunk, Vec::new()));
        states.push((chunk.offset(place.starts_at), state));
    }
    let there = texts_of(conn, permit, chunks.keys().copied().collect()).await?;
    let mut rows = Vec::with_capacity(chunks.len());
    for (id, (chunk, states)) in chunks {
        let kept = there.get(&id);
        let mut events = kept.map_or(0, |(events, _)| *events);
        let mut packed = Packed::read(kept.map_or("", |(_, text)| text))?;
        for (offset, state) in states {
            events += state.events();
            packed.add(offset, state)?;
        }
        rows.push(Kept { id, chunk, events, text: packed.to_text() });
    }
    let changed: Vec<Chunk> = rows.iter().map(|row| row.chunk).collect();
    put_rows(conn, permit, rows, now).await?;
    epoch::raise(conn, permit, changed.into_iter(), now).await
}

/// A row as it is kept.
#[derive(Debug)]
pub(in crate::analytics::rollup) struct Kept {
    pub(in crate::analytics::rollup) id: Uuid,
    pub(in crate::analytics::rollup) chunk: Chunk,
    pub(in crate::analytics::rollup) events: i64,
    pub(in crate::analytics::rollup) text: String,
}

/// The columns that [`Kept::read`] reads.
pub(super) const KEPT: &str = "series_id, starts_at, buckets, events, id, grain";

impl Kept {
    pub(super) fn read(row: &Row) -> Result<Self> {
        let name = row.text(5)?.unwrap_or_default();
        let grain = Grain::parse(&name).ok_or_else(|| Error::internal("a snapshot of no grain"))?;
        Ok(Self {
            chunk: chunk_of(row, grain)?,
            text: row.text(2)?.unwrap_or_default(),
            events: row.int(3)?.unwrap_or_default(),
            id: row.required_id(4)?,
        })
    }
}

/// Writes rows, in place of those that are there.
pub(super) async fn put_rows(
    conn: &Conn,
    permit: &impl Permit,
    rows: Vec<Kept>,
    now: DateTime<Utc>,
) -> Result<()> {
    let ids = |of: fn(&Kept) -> Uuid| List::Ids(rows.iter().map(of).collect());
    let lists = Lists {
        table: "snapshots",
        columns: vec![
            ("tenant_id", List::Same(Value::Id(permit.tenant_id()))),
            ("id", ids(|row| row.id)),
            ("series_id", ids(|row| row.chunk.series_id)),
            (
                "grain",
                List::Texts(rows.iter().map(|row| row.chunk.grain.as_str().to_owned()).collect()),
            ),
            ("starts_at", List::Instants(rows.iter().map(|row| row.chunk.starts_at).collect())),
            ("events", List::Ints(rows.iter().map(|row| row.events).collect())),
            ("buckets", List::Texts(rows.into_iter().map(|row| row.text).collect())),
            ("revision", List::Same(Value::Int(1))),
            ("updated_at", List::Same(Value::Instant(now))),
        ],
        then: "ON CONFLICT (tenant_id, id) DO UPDATE SET events = excluded.events, \
               buckets = excluded.buckets, revision = snapshots.revision + 1, \
               updated_at = excluded.updated_at",
    };
    conn.insert_lists(permit, lists).await.map(drop)
}

/// Rows by their ids: events and buckets.
async fn texts_of(
    conn: &Conn,
    permit: &impl Permit,
    ids: Vec<Uuid>,
) -> Result<HashMap<Uuid, (i64, String)>> {
    let place = |number| conn.dialect().placeholder(number);
    let sql = format!(
        "SELECT id, events, buckets FROM snapshots WHERE tenant_id = {} AND {}",
        place(1),
        conn.dialect().in_ids("id", &place(2))
    );
    let values = vec![Value::Id(permit.tenant_id()), Value::Ids(ids)];
    let rows = conn.rows(permit, &Statement::new(sql, values)).await?;
    let text = |row: &Row| {
        let events = row.int(1)?.unwrap_or_default();
        Ok((row.required_id(0)?, (events, row.text(2)?.unwrap_or_default())))
    };
    rows.iter().map(text).collect()
}

/// The series of metrics, with their dimension values.
pub async fn series_of(
    conn: &Conn,
    permit: &impl Permit,
    metrics: &[&str],
) -> Result<Vec<(Uuid, String, Json)>> {
    let place = |number| conn.dialect().placeholder(number);
    let sql = format!(
        "SELECT id, metric, dimensions FROM metric_series WHERE tenant_id = {} AND {}",
        place(1),
        conn.dialect().in_list("metric", &place(2))
    );
    let metrics = metrics.iter().map(|metric| (*metric).to_owned()).collect();
    let values = vec![Value::Id(permit.tenant_id()), Value::Texts(metrics)];
    let rows = conn.rows(permit, &Statement::new(sql, values)).await?;
    let series = |row: &Row| {
        let dimensions = row.json(2)?.unwrap_or(Json::Null);
        Ok((row.required_id(0)?, row.text(1)?.unwrap_or_default(), dimensions))
    };
    rows.iter().map(series).collect()
}

/// Buckets of series that begin in a span of time, the end not included.
pub async fn snapshots_of(
    conn: &Conn,
    permit: &impl Permit,
    series: Vec<Uuid>,
    (grain, from, to): (Grain, Option<DateTime<Utc>>, DateTime<Utc>),
) -> Result<Vec<Snapshots>> {
    let place = |number| conn.dialect().placeholder(number);
    let mut sql = format!(
        "SELECT series_id, starts_at, buckets FROM snapshots WHERE tenant_id = {} AND {} \
         AND grain = {} AND starts_at < {}",
        place(1),
        conn.dialect().in_ids("series_id", &place(2)),
        place(3),
        place(4)
    );
    let mut values = vec![
        Value::Id(permit.tenant_id()),
        Value::Ids(series),
        grain.as_str().into(),
        Value::Instant(to),
    ];
    if let Some(from) = from {
        sql.push_str(&format!(" AND starts_at >= {}", place(5)));
        values.push(Value::Instant(chunk::start_of(grain, from)));
    }
    let rows = conn.rows(permit, &Statement::new(sql, values)).await?;
    let snapshots = |row: &Row| {
        let text = row.text(2)?.unwrap_or_default();
        Ok(Snapshots { chunk: chunk_of(row, grain)?, text, span: (from, to) })
    };
    rows.iter().map(snapshots).collect()
}

/// The row's place, from its first two columns.
pub(super) fn chunk_of(row: &Row, grain: Grain) -> Result<Chunk> {
    let starts_at = row.instant(1)?.ok_or_else(|| Error::internal("a snapshot without time"))?;
    Ok(Chunk { series_id: row.required_id(0)?, grain, starts_at })
}

/// Forgets the series of metrics, by their keys. Waits for whoever folds: what is being folded into
/// them at this moment would be left behind.
pub async fn forget(
    conn: &Conn,
    permit: &impl Permit,
    keys: Vec<String>,
    now: DateTime<Utc>,
) -> Result<()> {
    let place = |number| conn.dialect().placeholder(number);
    super::log::hold_head(conn, permit).await?;
    let series = format!(
        "SELECT id FROM metric_series WHERE tenant_id = {} AND {}",
        place(1),
        conn.dialect().in_list("metric", &place(2))
    );
    let values = vec![Value::Id(permit.tenant_id()), Value::Texts(keys)];
    let snapshots =
        format!("DELETE FROM snapshots WHERE tenant_id = {} AND series_id IN ({series})", place(1));
    conn.execute(permit, &Statement::new(snapshots, values.clone())).await?;
    let series = series.replacen("SELECT id", "DELETE", 1);
    conn.execute(permit, &Statement::new(series, values)).await?;
    epoch::raise_all(conn, permit, now).await
}

/// Removes minutes that began before `before`, of all tenants; how many.
pub(in crate::analytics::rollup) async fn sweep_minutes(
    conn: &Conn,
    (before, most): (DateTime<Utc>, i64),
) -> Result<u64> {
    let system = SystemHandle::for_tenant(Uuid::nil());
    let place = |number| conn.dialect().placeholder(number);
    // Tenant by tenant, because the index is.
    let sql = format!(
        "DELETE FROM snapshots WHERE (tenant_id, id) IN (SELECT s.tenant_id, s.id \
         FROM tenants t CROSS JOIN snapshots s WHERE s.tenant_id = t.id AND s.grain = 'minute' \
         AND s.starts_at <= {} LIMIT {})",
        place(1),
        place(2)
    );
    // A row goes when its last minute does.
    let values = vec![Value::Instant(before - chunk::length(Grain::Minute)), Value::Int(most)];
    conn.execute(&system, &Statement::new(sql, values)).await
}
