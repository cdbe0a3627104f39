//! Single rows, for whoever draws by lot.

use uuid::Uuid;

use super::snapshots::{KEPT, Kept};
use crate::access::{Permit, SystemHandle};
use crate::db::{Conn, Statement, Value};
use crate::error::Result;

/// Tenants whose events were ever folded.
pub(in crate::analytics::rollup) async fn tenants_with_head(conn: &Conn) -> Result<Vec<Uuid>> {
    let system = SystemHandle::for_tenant(Uuid::nil());
    let sql = "SELECT tenant_id FROM fold_heads ORDER BY tenant_id";
    let rows = conn.rows(&system, &Statement::new(sql, Vec::new())).await?;
    rows.iter().map(|row| row.required_id(0)).collect()
}

/// The first row of snapshots whose id is not before `from`, or the first of all.
pub(in crate::analytics::rollup) async fn row_from(
    conn: &Conn,
    permit: &impl Permit,
    from: Uuid,
) -> Result<Option<Kept>> {
    let sql = format!(
        "SELECT {KEPT} FROM snapshots \
         WHERE tenant_id = {} AND id >= {} ORDER BY id LIMIT 1",
        conn.dialect().placeholder(1),
        conn.dialect().placeholder(2)
    );
    for from in [from, Uuid::nil()] {
        let values = vec![Value::Id(permit.tenant_id()), Value::Id(from)];
        let row = conn.row(permit, &Statement::new(sql.clone(), values)).await?;
        if let Some(row) = row {
            return Kept::read(&row).map(Some);
        }
    }
    Ok(None)
}

/// What a series is kept by.
pub(in crate::analytics::rollup) async fn metric_of(
    conn: &Conn,
    permit: &impl Permit,
    series_id: Uuid,
) -> Result<Option<String>> {
    let sql = format!(
        "SELECT metric FROM metric_series WHERE tenant_id = {} AND id = {}",
        conn.dialect().placeholder(1),
        conn.dialect().placeholder(2)
    );
    let values = vec![Value::Id(permit.tenant_id()), Value::Id(series_id)];
    let row = conn.row(permit, &Statement::new(sql, values)).await?;
    row.map(|row| row.text(0)).transpose().map(Option::flatten)
}
