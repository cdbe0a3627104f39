//! Roles of somebody, and whether rules reach a row.

use serde_json::Value as Json;
use uuid::Uuid;

use crate::access::{Permit, RowRule};
use crate::db::{Conn, Statement, Value};
use crate::error::Result;
use crate::record::Record;
use crate::record::sql::{for_tenant, row_rule};

/// Names and permissions of the roles that a user has.
pub(super) async fn roles_of(
    conn: &Conn,
    permit: &impl Permit,
    user_id: Uuid,
) -> Result<Vec<(String, Json)>> {
    let (tenant, user) = (conn.dialect().placeholder(1), conn.dialect().placeholder(2));
    let sql = format!(
        "SELECT r.name, r.permissions FROM user_roles g \
         JOIN roles r ON r.tenant_id = g.tenant_id AND r.id = g.role_id \
         WHERE g.tenant_id = {tenant} AND g.user_id = {user} ORDER BY r.name"
    );
    let values = vec![Value::Id(permit.tenant_id()), Value::Id(user_id)];
    let rows = conn.rows(permit, &Statement::new(sql, values)).await?;
    rows.iter()
        .map(|row| Ok((row.text(0)?.unwrap_or_default(), row.json(1)?.unwrap_or_default())))
        .collect()
}

/// Org unit and company of a user.
pub(super) async fn place_of(
    conn: &Conn,
    permit: &impl Permit,
    user_id: Uuid,
) -> Result<(Option<Uuid>, Option<Uuid>)> {
    let (tenant, user) = (conn.dialect().placeholder(1), conn.dialect().placeholder(2));
    let sql = format!(
        "SELECT u.org_unit_id, u.company_id FROM users u WHERE u.tenant_id = {tenant} \
         AND u.id = {user}"
    );
    let values = vec![Value::Id(permit.tenant_id()), Value::Id(user_id)];
    let Some(row) = conn.row(permit, &Statement::new(sql, values)).await? else {
        return Ok((None, None));
    };
    Ok((row.id(0)?, row.id(1)?))
}

/// Whether a row, deleted or not, is within each of two rules; `None` when there is no such row.
pub(super) async fn reached(
    conn: &Conn,
    permit: &impl Permit,
    (record, id): (&'static Record, Uuid),
    [first, second]: [&RowRule; 2],
) -> Result<Option<(bool, bool)>> {
    let mut sql = for_tenant(conn.dialect(), permit.tenant_id());
    let mut written = |rule: &RowRule| {
        row_rule(&mut sql, record, "t0", rule).unwrap_or_else(|| "TRUE".to_owned())
    };
    let (first, second) = (written(first), written(second));
    let (tenant, id) = (sql.tenant_is("t0"), sql.bind(Value::Id(id)));
    sql.push(&format!(
        "SELECT ({first}), ({second}) FROM {} t0 WHERE {tenant} AND t0.id = {id}",
        record.table
    ));
    let Some(row) = conn.row(permit, &sql.finish()).await? else { return Ok(None) };
    Ok(Some((row.bool(0)?.unwrap_or_default(), row.bool(1)?.unwrap_or_default())))
}
