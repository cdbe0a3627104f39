//! Rows of `tenant_tombstones`, and of every table that a tenant has rows in.

use chrono::{DateTime, Utc};
use entity::{tenant, tenant_tombstone};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder};

use crate::access::{Permit, SystemHandle};
use crate::db::tables::Table;
use crate::db::{Conn, Statement, Value};
use crate::error::{Error, Result};

pub(super) async fn due(
    conn: &Conn,
    system: &SystemHandle,
    now: DateTime<Utc>,
) -> Result<Vec<tenant::Model>> {
    Ok(tenant::Entity::find()
        .filter(tenant::Column::PurgeAt.lte(now))
        .order_by_asc(tenant::Column::PurgeAt)
        .all(&conn.orm(system))
        .await?)
}

/// Changes the tenant's row, so that nobody who read it before changes it after. False when its time
/// has not come (any more).
pub(super) async fn touch_due(
    conn: &Conn,
    system: &SystemHandle,
    now: DateTime<Utc>,
) -> Result<bool> {
    let done = tenant::Entity::update_many()
        .col_expr(tenant::Column::UpdatedAt, Expr::value(now))
        .filter(tenant::Column::Id.eq(system.tenant_id()))
        .filter(tenant::Column::PurgeAt.lte(now))
        .exec(&conn.orm(system))
        .await?;
    Ok(done.rows_affected == 1)
}

pub(super) async fn insert(
    conn: &Conn,
    system: &SystemHandle,
    tombstone: tenant_tombstone::Model,
) -> Result<()> {
    tenant_tombstone::Entity::insert(tombstone.into_active_model())
        .exec_without_returning(&conn.orm(system))
        .await?;
    Ok(())
}

/// The tenant's tombstone; `to_count` takes it for this transaction, and finds none while somebody
/// else has it.
pub(super) async fn tombstone(
    conn: &Conn,
    system: &SystemHandle,
    to_count: bool,
) -> Result<Option<tenant_tombstone::Model>> {
    if to_count {
        let sql = format!(
            "SELECT id FROM tenant_tombstones WHERE id = {} AND purged_at IS NULL{}",
            conn.dialect().placeholder(1),
            conn.dialect().for_update_or_skip()
        );
        let taken = Statement::new(sql, vec![Value::Id(system.tenant_id())]);
        if conn.row(system, &taken).await?.is_none() {
            return Ok(None);
        }
    }
    Ok(tenant_tombstone::Entity::find_by_id(system.tenant_id()).one(&conn.orm(system)).await?)
}

pub(super) async fn put(
    conn: &Conn,
    system: &SystemHandle,
    tombstone: &tenant_tombstone::Model,
) -> Result<()> {
    tenant_tombstone::Entity::update_many()
        .col_expr(tenant_tombstone::Column::Removed, Expr::value(tombstone.removed.clone()))
        .col_expr(tenant_tombstone::Column::PurgedAt, Expr::value(tombstone.purged_at))
        .filter(tenant_tombstone::Column::Id.eq(system.tenant_id()))
        .exec(&conn.orm(system))
        .await?;
    Ok(())
}

pub(super) async fn tombstones(
    conn: &Conn,
    system: &SystemHandle,
) -> Result<Vec<tenant_tombstone::Model>> {
    Ok(tenant_tombstone::Entity::find()
        .order_by_asc(tenant_tombstone::Column::StartedAt)
        .all(&conn.orm(system))
        .await?)
}

/// Empties what refers in a circle, of so many rows; how many.
pub(super) async fn free(
    conn: &Conn,
    system: &SystemHandle,
    table: &Table,
    limit: usize,
) -> Result<u64> {
    if table.loops.is_empty() {
        return Ok(0);
    }
    let empty: Vec<String> = table.loops.iter().map(|column| format!("{column} = NULL")).collect();
    let full: Vec<String> =
        table.loops.iter().map(|column| format!("{column} IS NOT NULL")).collect();
    let (name, tenant) = (table.name, conn.dialect().placeholder(1));
    let sql = format!(
        "UPDATE {name} SET {} WHERE tenant_id = {tenant} AND id IN (SELECT id FROM {name} \
         WHERE tenant_id = {tenant} AND ({}) LIMIT {limit})",
        empty.join(", "),
        full.join(" OR ")
    );
    conn.execute(system, &Statement::new(sql, vec![Value::Id(system.tenant_id())])).await
}

/// Removes so many rows of the tenant; how many.
pub(super) async fn remove(
    conn: &Conn,
    system: &SystemHandle,
    table: &Table,
    limit: usize,
) -> Result<u64> {
    let (name, tenant) = (table.name, conn.dialect().placeholder(1));
    let sql = format!(
        "DELETE FROM {name} WHERE tenant_id = {tenant} AND id IN (SELECT id FROM {name} \
         WHERE tenant_id = {tenant} LIMIT {limit})"
    );
    conn.execute(system, &Statement::new(sql, vec![Value::Id(system.tenant_id())])).await
}

pub(super) async fn remove_tenant(conn: &Conn, system: &SystemHandle) -> Result<()> {
    let done = tenant::Entity::delete_by_id(system.tenant_id()).exec(&conn.orm(system)).await?;
    if done.rows_affected == 1 {
        return Ok(());
    }
    Err(Error::internal("a tenant was gone before it was removed"))
}
