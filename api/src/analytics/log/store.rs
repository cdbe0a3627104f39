//! Rows of `events`, `event_ids`, `event_batches` and `event_failures`, by their ids.

use std::collections::HashMap;

use serde_json::Value as Json;
use uuid::Uuid;

use crate::access::Permit;
use crate::db::{Conn, Row, Statement, Value};
use crate::error::Result;

/// What became of an event, or of a batch of them.
#[derive(Debug, Clone)]
pub(super) struct Fate {
    pub(super) status: String,
    pub(super) error: Option<String>,
    pub(super) attempts: i64,
    pub(super) processing_ms: Option<i64>,
}

impl Default for Fate {
    /// Of an event whose batch is not known any more.
    fn default() -> Self {
        Self { status: "processed".to_owned(), error: None, attempts: 0, processing_ms: None }
    }
}

/// Rows of a table by the column `by`.
async fn by_ids(
    conn: &Conn,
    permit: &impl Permit,
    (columns, table, by): (&str, &str, &str),
    ids: Vec<Uuid>,
) -> Result<Vec<Row>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let sql = format!(
        "SELECT {columns} FROM {table} WHERE tenant_id = {} AND {}",
        conn.dialect().placeholder(1),
        conn.dialect().in_ids(by, &conn.dialect().placeholder(2))
    );
    conn.rows(permit, &Statement::new(sql, vec![Value::Id(permit.tenant_id()), Value::Ids(ids)]))
        .await
}

pub(super) async fn payloads(
    conn: &Conn,
    permit: &impl Permit,
    ids: Vec<Uuid>,
) -> Result<HashMap<Uuid, Json>> {
    let rows = by_ids(conn, permit, ("id, payload", "events", "id"), ids).await?;
    rows.iter().map(|row| Ok((row.required_id(0)?, row.json(1)?.unwrap_or(Json::Null)))).collect()
}

pub(super) async fn source_ids(
    conn: &Conn,
    permit: &impl Permit,
    ids: Vec<Uuid>,
) -> Result<HashMap<Uuid, String>> {
    let rows = by_ids(conn, permit, ("event_id, id", "event_ids", "event_id"), ids).await?;
    rows.iter().map(|row| Ok((row.required_id(0)?, row.text(1)?.unwrap_or_default()))).collect()
}

pub(super) async fn batches(
    conn: &Conn,
    permit: &impl Permit,
    mut ids: Vec<Uuid>,
) -> Result<HashMap<Uuid, Fate>> {
    ids.sort_unstable();
    ids.dedup();
    let columns = "id, state, error, attempts, processing_ms";
    let rows = by_ids(conn, permit, (columns, "event_batches", "id"), ids).await?;
    let fate = |row: &Row| {
        Ok((
            row.required_id(0)?,
            Fate {
                status: row.text(1)?.unwrap_or_default(),
                error: row.text(2)?,
                attempts: row.int(3)?.unwrap_or_default(),
                processing_ms: row.int(4)?,
            },
        ))
    };
    rows.iter().map(fate).collect()
}

/// State and error of events that failed.
pub(super) async fn failures(
    conn: &Conn,
    permit: &impl Permit,
    ids: Vec<Uuid>,
) -> Result<HashMap<Uuid, (String, String)>> {
    let rows = by_ids(conn, permit, ("id, state, error", "event_failures", "id"), ids).await?;
    let failure = |row: &Row| {
        let (state, error) = (row.text(1)?.unwrap_or_default(), row.text(2)?.unwrap_or_default());
        Ok((row.required_id(0)?, (state, error)))
    };
    rows.iter().map(failure).collect()
}
