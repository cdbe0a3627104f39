//! The audit trail: who changed what, from what to what, written in the transaction of the change.
//! Entries are not chained here (a chain would make a tenant's writers queue); that is a sealer's
//! work.

use serde_json::Value as Json;
use uuid::Uuid;

use crate::access::Permit;
use crate::clock::Clock;
use crate::ctx::{Ctx, Origin};
use crate::db::{Conn, NullOf, Value};
use crate::error::Result;

const COLUMNS: [&str; 13] = [
    "tenant_id",
    "id",
    "user_id",
    "api_key_id",
    "action",
    "resource_type",
    "resource_id",
    "old_values",
    "new_values",
    "ip_address",
    "user_agent",
    "request_id",
    "created_at",
];
const USER_AGENT_CHARS_MAX: usize = 500;
const REQUEST_ID_CHARS_MAX: usize = 100;

/// One thing that was done.
#[derive(Debug)]
pub struct Entry {
    /// `lead.update`
    pub action: String,
    pub resource: &'static str,
    pub resource_id: Uuid,
    /// The fields that changed, as they were; absent for a creation.
    pub old: Option<Json>,
    /// The fields that changed, as they are; absent for a removal.
    pub new: Option<Json>,
}

/// Who did it, for work that has no [`Ctx`]: a sign-in, the command line, a job.
#[derive(Debug, Clone, Copy)]
pub struct Author<'a> {
    /// Nobody signed in: the operator at the command line, or the server itself.
    pub user_id: Option<Uuid>,
    pub api_key_id: Option<Uuid>,
    pub origin: &'a Origin,
}

impl<'a> Author<'a> {
    pub fn of(ctx: &'a Ctx) -> Self {
        Self {
            user_id: Some(ctx.actor.user_id),
            api_key_id: ctx.actor.api_key_id,
            origin: &ctx.origin,
        }
    }
}

/// Writes a caller's entries in the transaction of `conn`.
pub async fn append(
    ctx: &Ctx,
    conn: &Conn,
    permit: &impl Permit,
    entries: Vec<Entry>,
) -> Result<()> {
    append_by(&ctx.app.clock, conn, permit, Author::of(ctx), entries).await
}

/// Writes entries in the transaction of `conn`, in the name of `author`.
pub async fn append_by(
    clock: &Clock,
    conn: &Conn,
    permit: &impl Permit,
    author: Author<'_>,
    entries: Vec<Entry>,
) -> Result<()> {
    let origin = author.origin;
    let id = |value: Option<Uuid>| value.map_or(Value::Null(NullOf::Id), Value::Id);
    let text = |value: Option<String>| value.map_or(Value::Null(NullOf::Text), Value::Text);
    let json = |value: Option<Json>| value.map_or(Value::Null(NullOf::Json), Value::Json);
    let cut = |text: &str, most: usize| text.chars().take(most).collect::<String>();
    let now = clock.now();
    let rows = entries
        .into_iter()
        .map(|entry| {
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
                text(origin.ip.map(|ip| ip.to_string())),
                text(origin.user_agent.as_deref().map(|agent| cut(agent, USER_AGENT_CHARS_MAX))),
                Value::Text(cut(&origin.request_id, REQUEST_ID_CHARS_MAX)),
                Value::Instant(now),
            ]
        })
        .collect();
    conn.insert(permit, "audit_logs", &COLUMNS, rows).await
}
