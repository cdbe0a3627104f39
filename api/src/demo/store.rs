//! Is there anything yet?

use crate::access::{Permit, Reader};
use crate::db::Conn;
use crate::error::Result;
use crate::record::sql::for_tenant;

/// Whether a table has a row of the tenant, deleted or not.
pub(super) async fn has_rows(conn: &Conn, reader: &Reader, table: &str) -> Result<bool> {
    let mut sql = for_tenant(conn.dialect(), reader.tenant_id());
    let tenant = sql.tenant_is("t0");
    sql.push(&format!("SELECT t0.id FROM {table} t0 WHERE {tenant} LIMIT 1"));
    Ok(conn.row(reader, &sql.finish()).await?.is_some())
}
