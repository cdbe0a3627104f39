//! Rows of `org_units`.

use std::collections::HashMap;

use uuid::Uuid;

use crate::access::{Permit, Reader};
use crate::db::{Conn, Statement, Value};
use crate::error::Result;

/// What every unit of the tenant lies beneath; none of it changes before the transaction ends.
pub(super) async fn lock_parents(
    conn: &Conn,
    reader: &Reader,
) -> Result<HashMap<Uuid, Option<Uuid>>> {
    let dialect = conn.dialect();
    // In one order, so that two who lock the tree wait for each other in no circle.
    let sql = format!(
        "SELECT id, parent_id FROM org_units WHERE tenant_id = {} ORDER BY id{}",
        dialect.placeholder(1),
        dialect.for_update()
    );
    let rows = conn.rows(reader, &Statement::new(sql, vec![Value::Id(reader.tenant_id())])).await?;
    let mut parents = HashMap::with_capacity(rows.len());
    for row in rows {
        parents.insert(row.required_id(0)?, row.id(1)?);
    }
    Ok(parents)
}
