//! Epochs: numbers that grow when something changes, in the transaction of the change. Whoever keeps
//! a copy keeps the epoch it was read at; an older one is refilled. No message has to arrive.

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::access::Permit;
use crate::db::{Conn, List, Lists, Row, Statement, Value};
use crate::error::Result;

/// Rows of one kind share an epoch in this many parts, so that writers of different rows do not
/// queue for one counter.
const PARTS: u8 = 16;

/// The epoch that a change of a record raises, `leads/0a`. A reader of the whole kind adds up all
/// parts.
pub fn epoch_of(resource: &str, id: Uuid) -> String {
    let part = id.as_bytes().last().copied().unwrap_or_default() % PARTS;
    format!("{resource}/{part:02x}")
}

/// Raises epochs, last in a transaction and in key order, so that two writers never wait for each
/// other in a circle.
pub async fn raise(
    conn: &Conn,
    permit: &impl Permit,
    epochs: &BTreeSet<String>,
    now: DateTime<Utc>,
) -> Result<()> {
    let lists = Lists {
        table: "epochs",
        columns: vec![
            ("tenant_id", List::Same(Value::Id(permit.tenant_id()))),
            ("id", List::Texts(epochs.iter().cloned().collect())),
            ("value", List::Same(Value::Int(1))),
            ("updated_at", List::Same(Value::Instant(now))),
        ],
        then: "ON CONFLICT (tenant_id, id) DO UPDATE SET value = epochs.value + 1, \
               updated_at = excluded.updated_at",
    };
    conn.insert_lists(permit, lists).await.map(drop)
}

/// The values of epochs that were ever raised; others are 0.
pub async fn values_of(
    conn: &Conn,
    permit: &impl Permit,
    epochs: Vec<String>,
) -> Result<HashMap<String, i64>> {
    let dialect = conn.dialect();
    let sql = format!(
        "SELECT id, value FROM epochs WHERE tenant_id = {} AND {}",
        dialect.placeholder(1),
        dialect.in_list("id", &dialect.placeholder(2))
    );
    let values = vec![Value::Id(permit.tenant_id()), Value::Texts(epochs)];
    let rows = conn.rows(permit, &Statement::new(sql, values)).await?;
    let value = |row: &Row| Ok((row.text(0)?.unwrap_or_default(), row.int(1)?.unwrap_or_default()));
    rows.iter().map(value).collect()
}
