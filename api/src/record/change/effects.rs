//! What a transaction leaves behind beside its rows, collected and written at its end.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Map, Value as Json, json};
use uuid::Uuid;

use super::{RowChange, Values, image};
use crate::access::Permit;
use crate::audit;
use crate::cache;
use crate::ctx::Ctx;
use crate::db::{Conn, Value};
use crate::error::Result;
use crate::events::{self, Event, Lane};
use crate::notice::{self, Notice};
use crate::outbox::{self, Announcement};
use crate::record::declare::Record;

/// An event older than this carries its time in its id; younger ones keep the order in which they
/// were told.
const BACK_DATED_AFTER: TimeDelta = TimeDelta::hours(1);

#[derive(Default)]
pub(super) struct Effects {
    audits: Vec<audit::Draft>,
    /// Rows that are gone for good, by resource: nothing personal stays of them.
    forgotten: BTreeMap<&'static str, Vec<Uuid>>,
    events: Vec<Event>,
    announcements: Vec<Announcement>,
    epochs: BTreeSet<String>,
    notices: Vec<Notice>,
}

/// What was done to a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Done {
    Created,
    Updated,
    Deleted,
    Restored,
    Destroyed,
}

impl Done {
    fn verb(self) -> &'static str {
        match self {
            Self::Created => "create",
            Self::Updated => "update",
            Self::Deleted => "delete",
            Self::Restored => "restore",
            Self::Destroyed => "destroy",
        }
    }

    fn past(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Updated => "updated",
            Self::Deleted => "deleted",
            Self::Restored => "restored",
            Self::Destroyed => "destroyed",
        }
    }
}

impl Effects {
    /// Notes a change whose columns `change.new` were written.
    pub(super) fn note(&mut self, ctx: &Ctx, change: &RowChange, done: Done) -> Result<()> {
        let record = change.record;
        let row = merged(change);
        let new = told(&change.new, done);
        let old = change.old.as_ref().map(|old| {
            if done == Done::Destroyed {
                return told(old, done);
            }
            let before = old.iter().filter(|(column, _)| new.contains_key(*column));
            before.map(|(column, value)| (*column, value.clone())).collect()
        });
        let noun = record.changes.emits.map_or(record.singular, |(_, noun)| noun);
        let old_row = change.old.as_ref();
        let entry = audit::Entry {
            action: format!("{noun}.{}", done.verb()),
            resource: record.resource.as_str(),
            resource_id: change.id,
            old: old
                .as_ref()
                .zip(old_row)
                .map(|(old, row)| image::of_columns(record, old, row))
                .transpose()?,
            new: (done != Done::Destroyed)
                .then(|| image::of_columns(record, &new, &row))
                .transpose()?,
        };
        self.audit(record, entry, done);
        self.epochs.insert(cache::epoch_of(record.resource.as_str(), change.id));
        let mut payload = Map::from_iter([("id".to_owned(), json!(change.id))]);
        if done != Done::Destroyed {
            payload.insert("after".to_owned(), image::for_event(record, &new, &row)?);
        }
        if let Some((old, row)) = old.as_ref().zip(old_row) {
            payload.insert("before".to_owned(), image::for_event(record, old, row)?);
        }
        let at = happened_at(ctx, change, done);
        self.tell(ctx, at, (record, change.id), (done.past(), Json::Object(payload)));
        Ok(())
    }

    /// An audit entry, its personal values apart; of a row that is removed for good there are none.
    fn audit(&mut self, record: &Record, entry: audit::Entry, done: Done) {
        let personal = record.fields.iter().filter(|field| field.pii);
        let personal: Vec<&str> = personal.map(|field| field.name.as_str()).collect();
        let id = entry.resource_id;
        let draft = entry.with_personal(&personal);
        if done != Done::Destroyed || personal.is_empty() {
            self.audits.push(draft);
            return;
        }
        self.audits.push(draft.forgotten());
        self.forgotten.entry(record.resource.as_str()).or_default().push(id);
    }

    pub(super) fn raise(&mut self, epoch: String) {
        self.epochs.insert(epoch);
    }

    pub(super) fn absorb(&mut self, other: Self) {
        self.audits.extend(other.audits);
        for (resource, ids) in other.forgotten {
            self.forgotten.entry(resource).or_default().extend(ids);
        }
        self.events.extend(other.events);
        self.announcements.extend(other.announcements);
        self.epochs.extend(other.epochs);
        self.notices.extend(other.notices);
    }

    /// Somebody is to be told.
    pub(super) fn notify(&mut self, notice: Notice) {
        self.notices.push(notice);
    }

    /// An event and its announcement.
    pub(super) fn tell(
        &mut self,
        ctx: &Ctx,
        at: DateTime<Utc>,
        (record, id): (&Record, Uuid),
        (past, payload): (&str, Json),
    ) {
        let Some((module, noun)) = record.changes.emits else { return };
        let clock = &ctx.app.clock;
        let back_dated = clock.now() - at > BACK_DATED_AFTER;
        let event_id = if back_dated { clock.id_at(at) } else { clock.new_id() };
        let event_type = format!("{noun}.{past}");
        self.announcements.push(Announcement {
            topic: event_type.clone(),
            payload: json!({ "eventId": event_id, "resource": record.resource.as_str(), "id": id }),
        });
        self.events.push(Event {
            id: event_id,
            module: module.to_owned(),
            event_type,
            schema_version: 1,
            occurred_at: at,
            actor_id: Some(ctx.actor.user_id),
            resource: Some(record.resource.as_str()),
            resource_id: Some(id),
            payload,
            dimensions: json!({}),
        });
    }

    pub(super) async fn write(
        self,
        ctx: &Ctx,
        conn: &Conn,
        permit: &impl Permit,
        lane: Lane,
    ) -> Result<()> {
        let clock = &ctx.app.clock;
        for event in &self.events {
            if clock.now() - event.occurred_at > BACK_DATED_AFTER {
                ctx.app.db.ensure_partition_for("events", event.occurred_at).await?;
            }
        }
        audit::append(ctx, conn, permit, self.audits).await?;
        for (resource, ids) in self.forgotten {
            audit::forget(conn, permit, resource, ids).await?;
        }
        events::append(conn, permit, clock, lane, self.events).await?;
        outbox::append(conn, permit, clock, self.announcements).await?;
        cache::raise(conn, permit, &self.epochs, clock.now()).await?;
        notice::append(conn, permit, clock, self.notices).await
    }
}

/// The columns that a trail tells of: what a creation leaves empty goes without saying, and so do
/// the stamps of a change.
fn told(columns: &Values, done: Done) -> Values {
    let goes_without_saying = |column: &str, value: &Value| match done {
        Done::Created | Done::Destroyed => value.is_null(),
        Done::Updated | Done::Deleted | Done::Restored => {
            matches!(column, "updated_at" | "version")
        }
    };
    columns
        .iter()
        .filter(|(column, value)| !goes_without_saying(column, value))
        .map(|(column, value)| (*column, value.clone()))
        .collect()
}

/// The row after the change.
fn merged(change: &RowChange) -> Values {
    let mut row = change.old.clone().unwrap_or_default();
    row.extend(change.new.iter().map(|(column, value)| (*column, value.clone())));
    row
}

/// Now, unless an import says when.
fn happened_at(ctx: &Ctx, change: &RowChange, done: Done) -> DateTime<Utc> {
    let column = if done == Done::Created { "created_at" } else { "updated_at" };
    match change.new.get(column) {
        Some(Value::Instant(at)) if change.imported => *at,
        _ => ctx.now(),
    }
}
