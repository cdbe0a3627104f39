//! What a deed on an account leaves behind where the engine does not write it: audit entry, event,
//! announcement and epoch, in the transaction of the deed.

use std::collections::BTreeSet;

use serde_json::{Value as Json, json};
use uuid::Uuid;

use crate::access::{Permit, Resource};
use crate::audit::{self, Author, Entry};
use crate::cache;
use crate::clock::Clock;
use crate::db::Conn;
use crate::error::Result;
use crate::events::{self, Event, Lane};
use crate::outbox::{self, Announcement};

/// Something that was done to a user's account.
pub(super) struct Deed {
    pub(super) user_id: Uuid,
    /// `user.change_password`
    pub(super) action: &'static str,
    /// `password_changed`, what the event is called after its noun.
    pub(super) past: &'static str,
    pub(super) old: Option<Json>,
    pub(super) new: Option<Json>,
    /// What the event carries: no personal data.
    pub(super) payload: Json,
}

/// Writes the trail of a deed.
pub(super) async fn leave(
    clock: &Clock,
    conn: &Conn,
    permit: &impl Permit,
    author: Author<'_>,
    deed: Deed,
) -> Result<()> {
    let Deed { user_id, action, past, old, new, payload } = deed;
    let resource = Resource::Users.as_str();
    let entry = Entry { action: action.to_owned(), resource, resource_id: user_id, old, new };
    let event = Event {
        id: clock.new_id(),
        module: "core".to_owned(),
        event_type: format!("user.{past}"),
        schema_version: 1,
        occurred_at: clock.now(),
        actor_id: author.user_id,
        resource: Some(resource),
        resource_id: Some(user_id),
        payload,
        dimensions: json!({}),
    };
    let announcement = Announcement {
        topic: event.event_type.clone(),
        payload: json!({ "eventId": event.id, "resource": resource, "id": user_id }),
    };
    audit::append_by(clock, conn, permit, author, vec![entry]).await?;
    events::append(conn, permit, clock, Lane::Normal, vec![event]).await?;
    outbox::append(conn, permit, clock, vec![announcement]).await?;
    let epochs = BTreeSet::from([cache::epoch_of(resource, user_id)]);
    cache::raise(conn, permit, &epochs, clock.now()).await
}
