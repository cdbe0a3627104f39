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

/// Everything that events are folded into, also what cannot be asked for yet.
pub async fn fed_of(conn: &Conn, permit: &impl Permit) -> Result<Catalogue> {
    let mut catalogue = Catalogue::default();
    for (definition, _) in definitions(conn, permit).await? {
        // A ratio is read from others, and fed by none.
        if definition.aggregation != RATIO {
            catalogue.add(Arc::new(definition.metric(&Catalogue::default())?));
        }
    }
    Ok(catalogue)
}

/// The living metrics whose history a job counts.
pub async fn counted_by(
    conn: &Conn,
    permit: &impl Permit,
    job_id: Uuid,
) -> Result<Vec<Arc<Metric>>> {
    let sql = format!(
        "SELECT id FROM custom_metrics WHERE tenant_id = {} AND job_id = {} AND deleted_at IS NULL",
        conn.dialect().placeholder(1),
        conn.dialect().placeholder(2)
    );
    let values = vec![Value::Id(permit.tenant_id()), Value::Id(job_id)];
    let rows = conn.rows(permit, &Statement::new(sql, values)).await?;
    let ids = rows.iter().map(|row| row.required_id(0)).collect::<Result<Vec<_>>>()?;
    let definitions = definitions(conn, permit).await?.into_iter();
    let own = definitions.filter(|(definition, _)| ids.contains(&definition.id));
    own.map(|(one, _)| one.metric(&Catalogue::default()).map(Arc::new)).collect()
}

/// A job has counted the history of its metrics: they can be asked for.
pub async fn mark_ready(
    conn: &Conn,
    permit: &impl Permit,
    (job_id, now): (Uuid, DateTime<Utc>),
) -> Result<()> {
    let place = |number| conn.dialect().placeholder(number);
    let sql = format!(
        "UPDATE custom_metrics SET state = '{READY}', job_id = NULL, updated_at = {} \
         WHERE tenant_id = {} AND job_id = {}",
        place(1),
        place(2),
        place(3)
    );
    let values = vec![Value::Instant(now), Value::Id(permit.tenant_id()), Value::Id(job_id)];
    conn.execute(permit, &Statement::new(sql, values)).await.map(drop)
}

/// A job is to count their history, from the beginning.
pub(super) async fn count_by(
    conn: &Conn,
    permit: &impl Permit,
    (ids, job_id): (Vec<Uuid>, Uuid),
) -> Result<()> {
    let place = |number| conn.dialect().placeholder(number);
    let sql = format!(
        "UPDATE custom_metrics SET state = '{COUNTING}', job_id = {} WHERE tenant_id = {} AND {}",
        place(1),
        place(2),
        conn.dialect().in_ids("id", &place(3))
    );
    let values = vec![Value::Id(job_id), Value::Id(permit.tenant_id()), Value::Ids(ids)];
    conn.execute(permit, &Statement::new(sql, values)).await.map(drop)
}

/// Their history is counted by nobody any more.
pub(super) async fn leave(conn: &Conn, permit: &impl Permit, ids: Vec<Uuid>) -> Result<()> {
    let place = |number| conn.dialect().placeholder(number);
    let sql = format!(
        "UPDATE custom_metrics SET job_id = NULL WHERE tenant_id = {} AND {} AND job_id IS NOT NULL",
        place(1),
        conn.dialect().in_ids("id", &place(2))
    );
    let values = vec![Value::Id(permit.tenant_id()), Value::Ids(ids)];
    conn.execute(permit, &Statement::new(sql, values)).await.map(drop)
}

/// The state that a metric begins with: ratios are read from others, and have no history.
pub(super) fn first_state(definition: &Definition) -> &'static str {
    if has_history(definition) { COUNTING } else { READY }
}

pub(super) fn has_history(definition: &Definition) -> bool {
    definition.aggregation != RATIO
}
