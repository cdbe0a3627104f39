//! The outbox: what is to be told to the world (webhooks, notifications, jobs), announced in the
//! transaction of its cause and sent after it.

use serde_json::Value as Json;

use crate::access::Permit;
use crate::clock::Clock;
use crate::db::{Conn, NullOf, Value};
use crate::error::Result;

const COLUMNS: [&str; 6] = ["tenant_id", "id", "topic", "payload", "created_at", "published_at"];

#[derive(Debug)]
pub struct Announcement {
    /// `lead.updated`
    pub topic: String,
    pub payload: Json,
}

/// Writes announcements in the transaction of `conn`.
pub async fn append(
    conn: &Conn,
    permit: &impl Permit,
    clock: &Clock,
    announcements: Vec<Announcement>,
) -> Result<()> {
    let now = clock.now();
    let rows = announcements
        .into_iter()
        .map(|each| {
            vec![
                Value::Id(permit.tenant_id()),
                Value::Id(clock.new_id()),
                Value::Text(each.topic),
                Value::Json(each.payload),
                Value::Instant(now),
                Value::Null(NullOf::Instant),
            ]
        })
        .collect();
    conn.insert(permit, "outbox", &COLUMNS, rows).await
}
