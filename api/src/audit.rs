//! The audit trail: who changed what, from what to what, written in the transaction of the change.
//! Entries are not chained here (a chain would make a tenant's writers queue); that is a sealer's
//! work.

use serde_json::Value as Json;
use uuid::Uuid;

use crate::access::Permit;
use crate::ctx::Ctx;
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

/// Writes entries in the transaction of `conn`.
pub async fn append(
    ctx: &Ctx,
    conn: &Conn,
    permit: &impl Permit,
    entries: Vec<Entry>,
) -> Result<()> {
    let origin = &ctx.origin;
    let text = |value: Option<String>| value.map_or(Value::Null(NullOf::Text), Value::Text);
    let json = |value: Option<Json>| value.map_or(Value::Null(NullOf::Json), Value::Json);
    let cut = |text: &str, most: usize| text.chars().take(most).collect::<String>();
    let now = ctx.now();
    let rows = entries
        .into_iter()
        .map(|entry| {
            vec![
                Value::Id(permit.tenant_id()),
                Value::Id(ctx.app.clock.new_id()),
                Value::Id(ctx.actor.user_id),
                ctx.actor.api_key_id.map_or(Value::Null(NullOf::Id), Value::Id),
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
