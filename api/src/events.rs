//! The event log: immutable facts of a tenant, ours and those of others, appended by one function.
//! Each append leaves one batch row, the unit that projections work by.

use chrono::{DateTime, Utc};
use serde_json::Value as Json;
use uuid::Uuid;

use crate::access::Permit;
use crate::clock::Clock;
use crate::db::{Conn, NullOf, Value};
use crate::error::{Error, Result};

const EVENT_COLUMNS: [&str; 13] = [
    "tenant_id",
    "id",
    "module",
    "event_type",
    "schema_version",
    "occurred_at",
    "received_at",
    "actor_id",
    "resource",
    "resource_id",
    "batch_id",
    "payload",
    "dimensions",
];
const BATCH_COLUMNS: [&str; 9] = [
    "tenant_id",
    "id",
    "lane",
    "event_count",
    "state",
    "attempts",
    "error",
    "created_at",
    "updated_at",
];

/// A fact about to enter the log.
#[derive(Debug)]
pub struct Event {
    /// A UUID v7 whose time is the event's: it decides the partition.
    pub id: Uuid,
    /// `growth`, `finance`, …: an open list.
    pub module: String,
    /// `lead.created`
    pub event_type: String,
    pub schema_version: i64,
    pub occurred_at: DateTime<Utc>,
    pub actor_id: Option<Uuid>,
    pub resource: Option<&'static str>,
    pub resource_id: Option<Uuid>,
    /// Without personal data and free text.
    pub payload: Json,
    pub dimensions: Json,
}

/// How urgent the processing of a batch is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    Critical,
    Normal,
    Backfill,
}

impl Lane {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::Normal => "normal",
            Self::Backfill => "backfill",
        }
    }
}

/// Appends events in the transaction of `conn`: their batch row, and themselves.
pub async fn append(
    conn: &Conn,
    permit: &impl Permit,
    clock: &Clock,
    lane: Lane,
    events: Vec<Event>,
) -> Result<()> {
    if events.is_empty() {
        return Ok(());
    }
    let tenant_id = permit.tenant_id();
    let now = clock.now();
    let batch_id = clock.new_id();
    let count = i64::try_from(events.len()).map_err(Error::internal)?;
    let batch = vec![
        Value::Id(tenant_id),
        Value::Id(batch_id),
        lane.as_str().into(),
        Value::Int(count),
        "queued".into(),
        Value::Int(0),
        Value::Null(NullOf::Text),
        Value::Instant(now),
        Value::Instant(now),
    ];
    conn.insert(permit, "event_batches", &BATCH_COLUMNS, vec![batch]).await?;
    let rows = events
        .into_iter()
        .map(|event| {
            vec![
                Value::Id(tenant_id),
                Value::Id(event.id),
                Value::Text(event.module),
                Value::Text(event.event_type),
                Value::Int(event.schema_version),
                Value::Instant(event.occurred_at),
                Value::Instant(now),
                event.actor_id.map_or(Value::Null(NullOf::Id), Value::Id),
                event.resource.map_or(Value::Null(NullOf::Text), Value::from),
                event.resource_id.map_or(Value::Null(NullOf::Id), Value::Id),
                Value::Id(batch_id),
                Value::Json(event.payload),
                Value::Json(event.dimensions),
            ]
        })
        .collect();
    conn.insert(permit, "events", &EVENT_COLUMNS, rows).await
}
