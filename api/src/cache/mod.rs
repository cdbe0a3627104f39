//! Epochs: numbers that grow when something changes, in the transaction of the change. Whoever keeps
//! a copy keeps the epoch it was read at; an older one is refilled. No message has to arrive.

use std::collections::BTreeSet;

use uuid::Uuid;

use crate::access::Permit;
use crate::clock::Clock;
use crate::db::{Conn, Statement, Value};
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
    clock: &Clock,
    epochs: &BTreeSet<String>,
) -> Result<()> {
    if epochs.is_empty() {
        return Ok(());
    }
    let dialect = conn.dialect();
    let mut values = vec![Value::Id(permit.tenant_id()), Value::Instant(clock.now())];
    let mut rows = Vec::with_capacity(epochs.len());
    for epoch in epochs {
        values.push(Value::Text(epoch.clone()));
        rows.push(format!(
            "({}, {}, 1, {})",
            dialect.placeholder(1),
            dialect.placeholder(values.len()),
            dialect.placeholder(2)
        ));
    }
    let sql = format!(
        "INSERT INTO epochs (tenant_id, id, value, updated_at) VALUES {} \
         ON CONFLICT (tenant_id, id) DO UPDATE SET value = epochs.value + 1, \
         updated_at = excluded.updated_at",
        rows.join(", ")
    );
    conn.execute(permit, &Statement::new(sql, values)).await?;
    Ok(())
}
