//! Rows of `metric_series` and `snapshots`.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use serde_json::Value as Json;
use uuid::Uuid;

use crate::access::{Permit, SystemHandle};
use crate::analytics::rollup::fold::{Place, Series, snapshot_id};
use crate::analytics::rollup::grain::Grain;
use crate::analytics::rollup::state::State;
use crate::db::{Conn, List, Lists, Row, Statement, Value};
use crate::error::{Error, Result};

/// A bucket as it is kept.
#[derive(Debug, Clone)]
pub struct Snapshot {
    pub place: Place,
    pub state: State,
    pub revision: i64,
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
            ("metric", List::Texts(series.values().map(|each| each.metric.to_owned()).collect())),
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
    let mut rows: BTreeMap<Uuid, (Place, State)> =
        buckets.into_iter().map(|(place, state)| (snapshot_id(&place), (place, state))).collect();
    let ids: Vec<Uuid> = rows.keys().copied().collect();
    let place = |number| conn.dialect().placeholder(number);
    let sql = format!(
        "SELECT id, state FROM snapshots WHERE tenant_id = {} AND {}",
        place(1),
        conn.dialect().in_ids("id", &place(2))
    );
    let values = vec![Value::Id(permit.tenant_id()), Value::Ids(ids)];
    for row in conn.rows(permit, &Statement::new(sql, values)).await? {
        let id = row.required_id(0)?;
        let there = state_of(row.text(1)?)?;
        if let Some((_, state)) = rows.get_mut(&id) {
            state.merge(&there).map_err(Error::internal)?;
        }
    }
    let (mut series, mut grains, mut starts) = (Vec::new(), Vec::new(), Vec::new());
    let (mut events, mut states) = (Vec::new(), Vec::new());
    let mut ids = Vec::with_capacity(rows.len());
    for (id, (place, state)) in rows {
        ids.push(id);
        series.push(place.series_id);
        grains.push(place.grain.as_str().to_owned());
        starts.push(place.starts_at);
        events.push(state.events());
        states.push(state.to_text());
    }
    let lists = Lists {
        table: "snapshots",
        columns: vec![
            ("tenant_id", List::Same(Value::Id(permit.tenant_id()))),
            ("id", List::Ids(ids)),
            ("series_id", List::Ids(series)),
            ("grain", List::Texts(grains)),
            ("starts_at", List::Instants(starts)),
            ("events", List::Ints(events)),
            ("state", List::Texts(states)),
            ("revision", List::Same(Value::Int(1))),
            ("updated_at", List::Same(Value::Instant(now))),
        ],
        then: "ON CONFLICT (tenant_id, id) DO UPDATE SET events = excluded.events, \
               state = excluded.state, revision = snapshots.revision + 1, \
               updated_at = excluded.updated_at",
    };
    conn.insert_lists(permit, lists).await.map(drop)
}

fn state_of(text: Option<String>) -> Result<State> {
    text.unwrap_or_default().parse().map_err(Error::internal)
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
) -> Result<Vec<Snapshot>> {
    let place = |number| conn.dialect().placeholder(number);
    let mut sql = format!(
        "SELECT series_id, starts_at, state, revision FROM snapshots WHERE tenant_id = {} AND {} \
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
        values.push(Value::Instant(from));
    }
    let rows = conn.rows(permit, &Statement::new(sql, values)).await?;
    let snapshot = |row: &Row| {
        let starts_at = row.instant(1)?.ok_or_else(|| Error::internal("a bucket without time"))?;
        let place = Place { series_id: row.required_id(0)?, grain, starts_at };
        let revision = row.int(3)?.unwrap_or_default();
        Ok(Snapshot { place, state: state_of(row.text(2)?)?, revision })
    };
    rows.iter().map(snapshot).collect()
}

/// All buckets of a tenant but minutes, which do not last: their rows' ids and texts.
pub(in crate::analytics::rollup) async fn all_texts(
    conn: &Conn,
    permit: &impl Permit,
) -> Result<HashMap<Uuid, (String, DateTime<Utc>, String)>> {
    let sql = format!(
        "SELECT id, grain, starts_at, state FROM snapshots WHERE tenant_id = {} \
         AND grain <> 'minute'",
        conn.dialect().placeholder(1)
    );
    let values = vec![Value::Id(permit.tenant_id())];
    let rows = conn.rows(permit, &Statement::new(sql, values)).await?;
    let text = |row: &Row| {
        let starts_at = row.instant(2)?.ok_or_else(|| Error::internal("a bucket without time"))?;
        let (grain, state) = (row.text(1)?.unwrap_or_default(), row.text(3)?.unwrap_or_default());
        Ok((row.required_id(0)?, (grain, starts_at, state)))
    };
    rows.iter().map(text).collect()
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
         AND s.starts_at < {} LIMIT {})",
        place(1),
        place(2)
    );
    conn.execute(&system, &Statement::new(sql, vec![Value::Instant(before), Value::Int(most)]))
        .await
}
