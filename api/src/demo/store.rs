//! Is there anything yet?

use super::EXTERNAL_SYSTEM;
use crate::access::{Permit, Reader};
use crate::db::Conn;
use crate::error::Result;
use crate::record::sql::for_tenant;

/// Whether a table has a row of the tenant, deleted or not, that is not the demo's.
pub(super) async fn has_other_rows(conn: &Conn, reader: &Reader, table: &str) -> Result<bool> {
    let mut sql = for_tenant(conn.dialect(), reader.tenant_id());
    let tenant = sql.tenant_is("t0");
    let demo = sql.bind(EXTERNAL_SYSTEM.into());
    sql.push(&format!(
        "SELECT t0.id FROM {table} t0 WHERE {tenant} \
         AND (t0.external_system IS NULL OR t0.external_system <> {demo}) LIMIT 1"
    ));
    Ok(conn.row(reader, &sql.finish()).await?.is_some())
}
