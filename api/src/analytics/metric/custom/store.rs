//! Rows of `custom_metrics`.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::Value as Json;
use uuid::Uuid;

use super::definition::{Definition, RATIO};
use crate::access::Permit;
use crate::analytics::metric::catalogue::METRICS;
use crate::analytics::metric::{Catalogue, Metric};
use crate::db::{Conn, Row, Statement, Value};
use crate::error::Result;

const COUNTING: &str = "counting";
const READY: &str = "ready";

/// The living metrics of a tenant, ratios last: they are made of the others.
pub(super) async fn definitions(
    conn: &Conn,
    permit: &impl Permit,
) -> Result<Vec<(Definition, bool)>> {
    let sql = format!(
        "SELECT id, name, label, unit, scope, aggregation, sources, value_field, scale, dimensions, \
         numerator, denominator, times, state FROM custom_metrics \
         WHERE tenant_id = {} AND deleted_at IS NULL ORDER BY name",
        conn.dialect().placeholder(1)
    );
    let values = vec![Value::Id(permit.tenant_id())];
    let rows = conn.rows(permit, &Statement::new(sql, values)).await?;
    let mut definitions = rows.iter().map(definition).collect::<Result<Vec<_>>>()?;
    definitions.sort_by_key(|(definition, _)| definition.aggregation == RATIO);
    Ok(definitions)
}

/// A definition, and whether its history is counted.
fn definition(row: &Row) -> Result<(Definition, bool)> {
    let text = |column| Ok::<_, crate::error::Error>(row.text(column)?.unwrap_or_default());
    let json = |column| Ok::<_, crate::error::Error>(row.json(column)?.unwrap_or(Json::Null));
    let definition = Definition {
        id: row.required_id(0)?,
        name: text(1)?,
        label: text(2)?,
        unit: text(3)?,
        scope: text(4)?,
        aggregation: text(5)?,
        sources: json(6)?,
        value_field: row.text(7)?,
        scale: row.int(8)?.unwrap_or_default(),
        dimensions: json(9)?,
        numerator: row.text(10)?,
        denominator: row.text(11)?,
        times: row.int(12)?.unwrap_or_default(),
    };
    Ok((definition, text(13)? == READY))
}

/// What can be asked of a tenant's numbers.
pub async fn catalogue_of(conn: &Conn, permit: &impl Permit) -> Result<Catalogue> {
    let mut catalogue = Catalogue::default();
    for (definition, is_ready) in definitions(conn, permit).await? {
        match (is_ready, definition.metric(&catalogue)) {
            (true, Ok(metric)) => catalogue.add(Arc::new(metric)),
            // A ratio whose part is being counted waits with it.
            (false, _) | (_, Err(_)) => catalogue.wait_for(definition.name),
        }
    }
    Ok(catalogue)
}

/// What the series of all metrics are kept by, also of those that are being counted.
pub async fn keys_of(conn: &Conn, permit: &impl Permit) -> Result<Vec<String>> {
    let own = definitions(conn, permit).await?;
    let own = own.into_iter().map(|(definition, _)| definition.id.to_string());
    let common = METRICS.iter().filter_map(|metric| metric.folded());
    Ok(common.map(|folded| folded.key.to_string()).chain(own).collect())
}

/// Metrics whose history is not counted yet.
pub async fn counting(conn: &Conn, permit: &impl Permit) -> Result<Vec<Arc<Metric>>> {
    let waiting = definitions(conn, permit).await?.into_iter().filter(|(_, is_ready)| !is_ready);
    // Ratios are never counted themselves.
    waiting.map(|(one, _)| one.metric(&Catalogue::default()).map(Arc::new)).collect()
}

/// Their history is counted: from now on every event counts in them when it is folded.
pub async fn mark_ready(
    conn: &Conn,
    permit: &impl Permit,
    ids: Vec<Uuid>,
    now: DateTime<Utc>,
) -> Result<()> {
    let place = |number| conn.dialect().placeholder(number);
    let sql = format!(
        "UPDATE custom_metrics SET state = '{READY}', updated_at = {} WHERE tenant_id = {} AND {}",
        place(1),
        place(2),
        conn.dialect().in_ids("id", &place(3))
    );
    let values = vec![Value::Instant(now), Value::Id(permit.tenant_id()), Value::Ids(ids)];
    conn.execute(permit, &Statement::new(sql, values)).await.map(drop)
}

/// Their history is to be counted, from the beginning; ratios have none.
pub(super) async fn count_again(conn: &Conn, permit: &impl Permit, ids: Vec<Uuid>) -> Result<()> {
    let place = |number| conn.dialect().placeholder(number);
    let sql = format!(
        "UPDATE custom_metrics SET state = '{COUNTING}' WHERE tenant_id = {} AND {} \
         AND aggregation <> '{RATIO}'",
        place(1),
        conn.dialect().in_ids("id", &place(2))
    );
    let values = vec![Value::Id(permit.tenant_id()), Value::Ids(ids)];
    conn.execute(permit, &Statement::new(sql, values)).await.map(drop)
}

/// The state that a metric begins with: ratios are read from others, and have no history.
pub(super) fn first_state(definition: &Definition) -> &'static str {
    if definition.aggregation == RATIO { READY } else { COUNTING }
}
