//! `eventsIngest`.

use async_graphql::{Context, Enum, InputObject, Object, Result, SimpleObject};
use serde_json::{Map, Value as Json};

use super::parse::Raw;
use super::service::{Ingested, ingest};
use super::{Outcome, Status};
use crate::identity::graphql::{Instant, in_language, somebody};

#[derive(Default)]
pub struct EventMutation;

#[Object]
impl EventMutation {
    /// Lets events in, as `POST /v1/events` does: each is accepted, known already, or kept apart with
    /// its reason. What the answer says is durable.
    async fn events_ingest(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "At most 1,000.")] events: Vec<EventInput>,
    ) -> Result<EventsIngested> {
        let ctx = somebody(context)?;
        let events = events.into_iter().map(|event| Raw::Json(event.into_json())).collect();
        let ingested = ingest(ctx, events).await.map_err(in_language(&ctx.origin))?;
        Ok(EventsIngested::of(ingested))
    }
}

/// Something that happened elsewhere.
#[derive(InputObject)]
struct EventInput {
    /// What its source calls it; the same again is a duplicate.
    id: String,
    /// `tickets`, `messaging`, …: lower-case letters, digits and _.
    module: String,
    /// `ticket.created`
    event_type: String,
    /// When it happened.
    occurred_at: Instant,
    /// 1 by default.
    schema_version: Option<i32>,
    /// An object.
    payload: Option<Json>,
    /// An object of texts by which numbers are divided: channel, org_unit, agent, …
    dimensions: Option<Json>,
}

impl EventInput {
    fn into_json(self) -> Json {
        let mut event = Map::from_iter([
            ("id".to_owned(), self.id.into()),
            ("module".to_owned(), self.module.into()),
            ("eventType".to_owned(), self.event_type.into()),
            ("occurredAt".to_owned(), self.occurred_at.0.to_rfc3339().into()),
        ]);
        let version = self.schema_version.map(Json::from);
        for (name, value) in
            [("schemaVersion", version), ("payload", self.payload), ("dimensions", self.dimensions)]
        {
            event.extend(value.map(|value| (name.to_owned(), value)));
        }
        Json::Object(event)
    }
}

/// What became of events.
#[derive(SimpleObject)]
struct EventsIngested {
    accepted: usize,
    duplicates: usize,
    quarantined: usize,
    /// In the order in which the events came.
    results: Vec<EventResult>,
}

#[derive(SimpleObject)]
struct EventResult {
    /// As its source calls it.
    id: Option<String>,
    status: EventResultStatus,
    /// Why it was kept apart: malformed, in_future, too_old, too_large, schema, unknown_type,
    /// unknown_version.
    reason: Option<&'static str>,
    /// What exactly is wrong.
    detail: Option<String>,
}

#[derive(Enum, Copy, Clone, PartialEq, Eq)]
pub(super) enum EventResultStatus {
    Accepted,
    /// An event with this id is in the log.
    Duplicate,
    /// Kept apart, with its reason.
    Quarantined,
}

impl EventResultStatus {
    pub(super) fn of(status: Status) -> Self {
        match status {
            Status::Accepted => Self::Accepted,
            Status::Duplicate => Self::Duplicate,
            Status::Quarantined => Self::Quarantined,
        }
    }
}

impl EventsIngested {
    fn of(ingested: Ingested) -> Self {
        Self {
            accepted: ingested.count(Status::Accepted),
            duplicates: ingested.count(Status::Duplicate),
            quarantined: ingested.count(Status::Quarantined),
            results: ingested.outcomes.into_iter().map(EventResult::of).collect(),
        }
    }
}

impl EventResult {
    fn of(outcome: Outcome) -> Self {
        let (reason, detail) = outcome.reason.unzip();
        Self {
            id: outcome.id,
            status: EventResultStatus::of(outcome.status),
            reason: reason.map(super::Reason::as_str),
            detail,
        }
    }
}
