//! The event log: immutable facts of a tenant, ours and those of others, appended by one function.
//! Each append leaves one batch row, the unit that projections work by.

use chrono::{DateTime, Utc};
use serde_json::Value as Json;
use uuid::Uuid;

use crate::access::Permit;
use crate::clock::Clock;
use crate::db::{Conn, List, Lists, NullOf, Value};
use crate::error::{Error, Result};

const BATCH_COLUMNS: [&str; 11] = [
    "tenant_id",
    "id",
    "lane",
    "event_count",
    "state",
    "attempts",
    "error",
    "created_at",
    "updated_at",
    "first_id",
    "last_id",
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
    let ids = || events.iter().map(|event| event.id);
    let (Some(first), Some(last)) = (ids().min(), ids().max()) else { return Ok(()) };
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
        Value::Id(first),
        Value::Id(last),
    ];
    conn.insert(permit, "event_batches", &BATCH_COLUMNS, vec![batch]).await?;
    let stamp = Stamp { tenant_id, batch_id, received_at: now };
    let lists = Lists { table: "events", columns: columns(events, stamp), then: "" };
    conn.insert_lists(permit, lists).await.map(drop)
}

/// What all events of a batch share.
#[derive(Clone, Copy)]
struct Stamp {
    tenant_id: Uuid,
    batch_id: Uuid,
    received_at: DateTime<Utc>,
}

fn columns(events: Vec<Event>, stamp: Stamp) -> Vec<(&'static str, List)> {
    let count = events.len();
    let (mut ids, mut modules, mut types) =
        (Vec::with_capacity(count), Vec::with_capacity(count), Vec::with_capacity(count));
    let (mut versions, mut instants) = (Vec::with_capacity(count), Vec::with_capacity(count));
    let (mut actors, mut resources, mut resource_ids) =
        (Vec::with_capacity(count), Vec::with_capacity(count), Vec::with_capacity(count));
    let (mut payloads, mut dimensions) = (Vec::with_capacity(count), Vec::with_capacity(count));
    for event in events {
        ids.push(event.id);
        modules.push(event.module);
        types.push(event.event_type);
        versions.push(event.schema_version);
        instants.push(event.occurred_at);
        actors.push(event.actor_id);
        resources.push(event.resource.map(str::to_owned));
        resource_ids.push(event.resource_id);
        payloads.push(event.payload);
        dimensions.push(event.dimensions);
    }
    vec![
        ("tenant_id", List::Same(Value::Id(stamp.tenant_id))),
        ("id", List::Ids(ids)),
        ("module", List::Texts(modules)),
        ("event_type", List::Texts(types)),
        ("schema_version", List::Ints(versions)),
        ("occurred_at", List::Instants(instants)),
        ("received_at", List::Same(Value::Instant(stamp.received_at))),
        ("actor_id", List::OptionalIds(actors)),
        ("resource", List::OptionalTexts(resources)),
        ("resource_id", List::OptionalIds(resource_ids)),
        ("batch_id", List::Same(Value::Id(stamp.batch_id))),
        ("payload", List::Jsons(payloads)),
        ("dimensions", List::Jsons(dimensions)),
    ]
}
