//! Rows of a window: events as they were folded, and the snapshots of its buckets.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::epoch;
use super::snapshots::{KEPT, Kept, put_rows};
use crate::access::Permit;
use crate::analytics::rollup::chunk::{self, Chunk, Packed};
use crate::analytics::rollup::fold::Place;
use crate::analytics::rollup::grain::Grain;
use crate::analytics::rollup::state::State;
use crate::analytics::rollup::window::Span;
use crate::db::{Conn, Statement, Value};
use crate::error::Result;

/// Rows that one statement writes.
const ROWS_AT_ONCE: usize = 2_000;

type Instants = (DateTime<Utc>, DateTime<Utc>);

/// How many events happened in a span of time, counted up to `most`.
pub(in crate::analytics::rollup) async fn count_between(
    conn: &Conn,
    permit: &impl Permit,
    (from, to): Instants,
    most: i64,
) -> Result<i64> {
    let place = |number| conn.dialect().placeholder(number);
    let sql = format!(
        "SELECT count(*) FROM (SELECT 1 FROM events WHERE tenant_id = {} AND occurred_at >= {} \
         AND occurred_at < {} LIMIT {}) AS few",
        place(1),
        place(2),
        place(3),
        place(4)
    );
    let values = vec![
        Value::Id(permit.tenant_id()),
        Value::Instant(from),
        Value::Instant(to),
        Value::Int(most),
    ];
    let row = conn.row(permit, &Statement::new(sql, values)).await?;
    Ok(row.map(|row| row.int(0)).transpose()?.flatten().unwrap_or_default())
}

/// When the first of a tenant's events and snapshots is, and when the last.
pub(in crate::analytics::rollup) async fn bounds(
    conn: &Conn,
    permit: &impl Permit,
) -> Result<Option<Instants>> {
    let mut bounds: Option<Instants> = None;
    for (column, table) in [("occurred_at", "events"), ("starts_at", "snapshots")] {
        let sql = format!(
            "SELECT min({column}), max({column}) FROM {table} WHERE tenant_id = {}",
            conn.dialect().placeholder(1)
        );
        let values = vec![Value::Id(permit.tenant_id())];
        let row = conn.row(permit, &Statement::new(sql, values)).await?;
        let Some(row) = row else { continue };
        let Some((first, mut last)) = row.instant(0)?.zip(row.instant(1)?) else { continue };
        if table == "snapshots" {
            last += chunk::length(Grain::Day);
        }
        bounds = Some(bounds.map_or((first, last), |(from, to)| (from.min(first), to.max(last))));
    }
    Ok(bounds)
}

/// Rows of series that have buckets of these spans, or could have.
pub(in crate::analytics::rollup) async fn rows_of(
    conn: &Conn,
    permit: &impl Permit,
    series: &[Uuid],
    spans: &[Span],
) -> Result<Vec<Kept>> {
    let place = |number| conn.dialect().placeholder(number);
    let sql = format!(
        "SELECT {KEPT} FROM snapshots WHERE tenant_id = {} \
         AND {} AND grain = {} AND starts_at >= {} AND starts_at < {}",
        place(1),
        conn.dialect().in_ids("series_id", &place(2)),
        place(3),
        place(4),
        place(5)
    );
    let mut kept = Vec::new();
    for span in spans.iter().filter(|span| span.from < span.to) {
        let values = vec![
            Value::Id(permit.tenant_id()),
            Value::Ids(series.to_vec()),
            span.grain.as_str().into(),
            Value::Instant(chunk::start_of(span.grain, span.from)),
            Value::Instant(span.to),
        ];
        let rows = conn.rows(permit, &Statement::new(sql.clone(), values)).await?;
        kept.extend(rows.iter().map(Kept::read).collect::<Result<Vec<_>>>()?);
    }
    Ok(kept)
}

/// Puts counted buckets in the place of what is there in these spans; how many rows changed. The caller
/// holds the tenant's head. Buckets of the same rows that are in no span stay.
pub(in crate::analytics::rollup) async fn replace(
    conn: &Conn,
    permit: &impl Permit,
    (series, spans): (&[Uuid], &[Span]),
    counted: &BTreeMap<Place, State>,
    now: DateTime<Utc>,
) -> Result<usize> {
    let kept = rows_of(conn, permit, series, spans).await?;
    let mut rows: BTreeMap<Uuid, (Chunk, Packed<'_>)> = BTreeMap::new();
    let mut gone = BTreeSet::new();
    for row in &kept {
        if row.id != row.chunk.id() {
            // No folder would find it.
            gone.insert(row.id);
            continue;
        }
        // What cannot be read is in nobody's way: what the log says of it is written anew.
        let mut packed = Packed::read(&row.text).unwrap_or_default();
        packed.clear(|offset| spans.iter().any(|span| span.has(&row.chunk.place(offset))));
        rows.insert(row.id, (row.chunk, packed));
    }
    for (place, state) in counted {
        let chunk = Chunk::of(place);
        let (_, packed) = rows.entry(chunk.id()).or_insert_with(|| (chunk, Packed::default()));
        packed.add(chunk.offset(place.starts_at), state.clone())?;
    }
    let before: BTreeMap<Uuid, &Kept> = kept.iter().map(|row| (row.id, row)).collect();
    let mut changed = Vec::new();
    for (id, (chunk, packed)) in &rows {
        let (events, text) = (packed.events(), packed.to_text());
        match before.get(id) {
            Some(row) if row.events == events && row.text == text => {}
            Some(_) if text.is_empty() => {
                gone.insert(*id);
            }
            Some(_) | None => changed.push(Kept { id: *id, chunk: *chunk, events, text }),
        }
    }
    let written = changed.len() + gone.len();
    let old = gone.iter().filter_map(|id| before.get(id)).map(|row| row.chunk);
    let touched: Vec<Chunk> = changed.iter().map(|row| row.chunk).chain(old).collect();
    let mut changed = changed.into_iter().peekable();
    while changed.peek().is_some() {
        put_rows(conn, permit, changed.by_ref().take(ROWS_AT_ONCE).collect(), now).await?;
    }
    if !gone.is_empty() {
        let sql = format!(
            "DELETE FROM snapshots WHERE tenant_id = {} AND {}",
            conn.dialect().placeholder(1),
            conn.dialect().in_ids("id", &conn.dialect().placeholder(2))
        );
        let values = vec![Value::Id(permit.tenant_id()), Value::Ids(gone.into_iter().collect())];
        conn.execute(permit, &Statement::new(sql, values)).await?;
    }
    epoch::raise(conn, permit, touched.into_iter(), now).await?;
    Ok(written)
}

/// Rows that are of no series of these metrics.
const STRAY: &str = "NOT EXISTS (SELECT 1 FROM metric_series m \
                     WHERE m.tenant_id = snapshots.tenant_id AND m.id = snapshots.series_id AND";

/// How many rows belong to no metric.
pub(in crate::analytics::rollup) async fn count_strays(
    conn: &Conn,
    permit: &impl Permit,
    metrics: &[String],
) -> Result<i64> {
    let metric = conn.dialect().in_list("m.metric", &conn.dialect().placeholder(2));
    let sql = format!(
        "SELECT count(*) FROM snapshots WHERE tenant_id = {} AND {STRAY} {metric})",
        conn.dialect().placeholder(1)
    );
    let values = vec![Value::Id(permit.tenant_id()), Value::Texts(metrics.to_vec())];
    let row = conn.row(permit, &Statement::new(sql, values)).await?;
    Ok(row.map(|row| row.int(0)).transpose()?.flatten().unwrap_or_default())
}

/// Removes rows that belong to no metric; how many.
pub(in crate::analytics::rollup) async fn remove_strays(
    conn: &Conn,
    permit: &impl Permit,
    metrics: &[String],
    now: DateTime<Utc>,
) -> Result<u64> {
    let metric = conn.dialect().in_list("m.metric", &conn.dialect().placeholder(2));
    let sql = format!(
        "DELETE FROM snapshots WHERE tenant_id = {} AND {STRAY} {metric})",
        conn.dialect().placeholder(1)
    );
    let values = vec![Value::Id(permit.tenant_id()), Value::Texts(metrics.to_vec())];
    let removed = conn.execute(permit, &Statement::new(sql, values)).await?;
    epoch::raise_all(conn, permit, now).await?;
    Ok(removed)
}
