//! What a transaction leaves behind beside its rows, collected and written at its end.

use std::collections::BTreeSet;

use serde_json::{Value as Json, json};
use uuid::Uuid;

use super::{RowChange, Values, image};
use crate::access::Permit;
use crate::audit;
use crate::cache;
use crate::ctx::Ctx;
use crate::db::Conn;
use crate::error::Result;
use crate::events::{self, Event, Lane};
use crate::outbox::{self, Announcement};
use crate::record::declare::Record;

#[derive(Default)]
pub(super) struct Effects {
    audits: Vec<audit::Entry>,
    events: Vec<Event>,
    announcements: Vec<Announcement>,
    epochs: BTreeSet<String>,
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
        let old = match &change.old {
            Some(old) => {
                let before: Values = old
                    .iter()
                    .filter(|(column, _)| done == Done::Destroyed || change.new.contains_key(*column))
                    .map(|(column, value)| (*column, value.clone()))
                    .collect();
                Some(before)
            }
            None => None,
        };
        let noun = record.changes.emits.map_or(record.singular, |(_, noun)| noun);
        self.audits.push(audit::Entry {
            action: format!("{noun}.{}", done.verb()),
            resource: record.resource.as_str(),
            resource_id: change.id,
            old: old.as_ref().map(|old| image::of_columns(record, old, old)).transpose()?,
            new: match done {
                Done::Destroyed => None,
                _ => Some(image::of_columns(record, &change.new, &row)?),
            },
        });
        self.epochs.insert(cache::epoch_of(record.resource.as_str(), change.id));
        let mut payload = json!({ "id": change.id });
        if let Some(payload) = payload.as_object_mut() {
            payload.insert("after".to_owned(), image::for_event(record, &change.new, &row)?);
            if let Some(old) = old.filter(|_| done != Done::Created) {
                payload.insert("before".to_owned(), image::for_event(record, &old, &old)?);
            }
        }
        self.tell(ctx, record, change.id, (done.past(), payload));
        Ok(())
    }

    pub(super) fn absorb(&mut self, other: Self) {
        self.audits.extend(other.audits);
        self.events.extend(other.events);
        self.announcements.extend(other.announcements);
        self.epochs.extend(other.epochs);
    }

    /// An event and its announcement.
    pub(super) fn tell(
        &mut self,
        ctx: &Ctx,
        record: &Record,
        id: Uuid,
        (past, payload): (&str, Json),
    ) {
        let Some((module, noun)) = record.changes.emits else { return };
        let event_id = ctx.app.clock.new_id();
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
            occurred_at: ctx.now(),
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
        audit::append(ctx, conn, permit, self.audits).await?;
        events::append(conn, permit, clock, lane, self.events).await?;
        outbox::append(conn, permit, clock, self.announcements).await?;
        cache::raise(conn, permit, clock, &self.epochs).await
    }
}

/// The row after the change.
fn merged(change: &RowChange) -> Values {
    let mut row = change.old.clone().unwrap_or_default();
    row.extend(change.new.iter().map(|(column, value)| (*column, value.clone())));
    row
}
