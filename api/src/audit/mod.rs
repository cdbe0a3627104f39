//! The audit trail: who changed what, from what to what, written in the transaction of the change;
//! and the log of who read personal data and analytics. `docs/audit.md` is for whoever checks it.
//!
//! Entries are written unchained, because a chain would make a tenant's writers queue. The
//! [`sealer`] chains what was committed within a second: one hash chain per tenant, in the order of
//! sealing, closed month by month. [`verify`] finds any later change of it.
//!
//! Invariants:
//! - an entry is never changed: it is sealed once, and its personal values may be erased once;
//! - personal values stand apart from the rest, and the chain covers only their salted digests, so
//!   that a person can be forgotten and the chain still agrees.
//!
//! Not here: what is personal (declarations say so), and who may read the trail (the policy does).

mod canonical;
mod chain;
mod entry;
mod erase;
pub mod reads;
pub mod sealer;
mod store;
pub mod values;
pub mod verify;

use serde_json::Value as Json;
use uuid::Uuid;

use crate::access::Permit;
use crate::clock::Clock;
use crate::ctx::Ctx;
use crate::db::{Conn, NullOf, Value};
use crate::error::Result;

pub use entry::{Author, Draft, Entry};
pub use erase::erase;
pub(crate) use erase::forget;

const COLUMNS: [&str; 15] = [
    "tenant_id",
    "id",
    "user_id",
    "api_key_id",
    "action",
    "resource_type",
    "resource_id",
    "old_values",
    "new_values",
    "digests",
    "personal",
    "ip_address",
    "user_agent",
    "request_id",
    "created_at",
];
const USER_AGENT_CHARS_MAX: usize = 500;
const REQUEST_ID_CHARS_MAX: usize = 100;

fn id(value: Option<Uuid>) -> Value {
    value.map_or(Value::Null(NullOf::Id), Value::Id)
}

fn text(value: Option<String>) -> Value {
    value.map_or(Value::Null(NullOf::Text), Value::Text)
}

fn json(value: Option<Json>) -> Value {
    value.map_or(Value::Null(NullOf::Json), Value::Json)
}

/// The first characters of a text from outside, as many as its column takes.
fn cut(text: &str, most: usize) -> String {
    text.chars().take(most).collect()
}

/// Writes a caller's entries in the transaction of `conn`.
pub async fn append(
    ctx: &Ctx,
    conn: &Conn,
    permit: &impl Permit,
    entries: Vec<impl Into<Draft>>,
) -> Result<()> {
    append_by(&ctx.app.clock, conn, permit, Author::of(ctx), entries).await
}

/// Writes entries in the transaction of `conn`, in the name of `author`.
pub async fn append_by(
    clock: &Clock,
    conn: &Conn,
    permit: &impl Permit,
    author: Author<'_>,
    entries: Vec<impl Into<Draft>>,
) -> Result<()> {
    let origin = author.origin;
    let now = clock.now();
    let rows = entries
        .into_iter()
        .map(|entry| {
            let draft: Draft = entry.into();
            let (digests, personal) = (draft.digests(), draft.personal());
            let entry = draft.entry;
            vec![
                Value::Id(permit.tenant_id()),
                Value::Id(clock.new_id()),
                id(author.user_id),
                id(author.api_key_id),
                Value::Text(entry.action),
                entry.resource.into(),
                Value::Id(entry.resource_id),
                json(entry.old),
                json(entry.new),
                json(digests),
                json(personal),
                text(origin.ip.map(|ip| ip.to_string())),
                text(origin.user_agent.as_deref().map(|agent| cut(agent, USER_AGENT_CHARS_MAX))),
                Value::Text(cut(&origin.request_id, REQUEST_ID_CHARS_MAX)),
                Value::Instant(now),
            ]
        })
        .collect();
    conn.insert(permit, "audit_logs", &COLUMNS, rows).await
}
