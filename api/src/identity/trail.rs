//! What a change of this room leaves beside its row when the row is no record: audit entry, event,
//! announcement and epoch, as the record engine writes them.

use std::collections::BTreeSet;

use serde_json::{Value as Json, json};
use uuid::Uuid;

use crate::access::{Permit, Resource};
use crate::audit::{self, Author, Entry};
use crate::cache;
use crate::clock::Clock;
use crate::ctx::Ctx;
use crate::db::Conn;
use crate::error::Result;
use crate::events::{self, Event, Lane};
use crate::outbox::{self, Announcement};

const MODULE: &str = "core";

/// One thing that was done.
pub(super) struct Deed {
    /// `role.update`
    pub(super) action: &'static str,
    /// `role.updated`
    pub(super) event: &'static str,
    pub(super) resource: Resource,
    pub(super) id: Uuid,
    pub(super) old: Option<Json>,
    pub(super) new: Option<Json>,
}

/// Writes the trail of a caller's deed in the transaction of `conn`.
pub(super) async fn leave(ctx: &Ctx, conn: &Conn, permit: &impl Permit, deed: Deed) -> Result<()> {
    leave_by(&ctx.app.clock, conn, permit, Author::of(ctx), deed).await
}

/// As [`leave`], in the name of `author`.
pub(super) async fn leave_by(
    clock: &Clock,
    conn: &Conn,
    permit: &impl Permit,
    author: Author<'_>,
    deed: Deed,
) -> Result<()> {
    let (resource, event_id) = (deed.resource.as_str(), clock.new_id());
    let event = Event {
        id: event_id,
        module: MODULE.to_owned(),
        event_type: deed.event.to_owned(),
        schema_version: 1,
        occurred_at: clock.now(),
        actor_id: author.user_id,
        resource: Some(resource),
        resource_id: Some(deed.id),
        payload: json!({ "id": deed.id }),
        dimensions: json!({}),
    };
    let announcement = Announcement {
        topic: deed.event.to_owned(),
        payload: json!({ "eventId": event_id, "resource": resource, "id": deed.id }),
    };
    let entry = Entry {
        action: deed.action.to_owned(),
        resource,
        resource_id: deed.id,
        old: deed.old,
        new: deed.new,
    };
    audit::append_by(clock, conn, permit, author, vec![entry]).await?;
    events::append(conn, permit, clock, Lane::Normal, vec![event]).await?;
    outbox::append(conn, permit, clock, vec![announcement]).await?;
    let epochs = BTreeSet::from([cache::epoch_of(resource, deed.id)]);
    cache::raise(conn, permit, &epochs, clock.now()).await
}
