//! Rows of `event_schemas`, the epochs that say when they changed, and the key of a tenant's hashes.

use chrono::{DateTime, Utc};
use serde_json::Value as Json;
use uuid::Uuid;

use super::secret;
use crate::access::{Permit, Resource};
use crate::cache;
use crate::db::{Conn, NullOf, Row, Statement, Value};
use crate::error::{Error, Result};

/// Grows with every change of a tenant's schemas.
pub(super) const EPOCH: &str = "event_schemas";
const COLUMNS: &str = "id, module, event_type, schema_version, schema";

/// A schema of a tenant.
#[derive(Debug, Clone)]
pub(super) struct Stored {
    pub(super) id: Uuid,
    pub(super) module: String,
    pub(super) event_type: String,
    pub(super) version: i64,
    pub(super) schema: Json,
}

/// Of what a tenant lets in: its schemas, and its settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Epochs {
    schemas: i64,
    settings: i64,
}

fn stored(row: &Row) -> Result<Stored> {
    let missing = || Error::internal("a schema of events lacks a column");
    Ok(Stored {
        id: row.required_id(0)?,
        module: row.text(1)?.ok_or_else(missing)?,
        event_type: row.text(2)?.ok_or_else(missing)?,
        version: row.int(3)?.ok_or_else(missing)?,
        schema: row.json(4)?.ok_or_else(missing)?,
    })
}

pub(super) async fn epochs(conn: &Conn, permit: &impl Permit) -> Result<Epochs> {
    let place = |number| conn.dialect().placeholder(number);
    let sql = format!(
        "SELECT id, value FROM epochs WHERE tenant_id = {} AND id IN ({}, {})",
        place(1),
        place(2),
        place(3)
    );
    let settings = cache::epoch_of(Resource::Tenants.as_str(), permit.tenant_id());
    let values = vec![Value::Id(permit.tenant_id()), EPOCH.into(), settings.into()];
    let mut epochs = Epochs::default();
    for row in conn.rows(permit, &Statement::new(sql, values)).await? {
        let value = row.int(1)?.unwrap_or_default();
        match row.text(0)?.as_deref() {
            Some(EPOCH) => epochs.schemas = value,
            Some(_) | None => epochs.settings = value,
        }
    }
    Ok(epochs)
}

/// All of a tenant.
pub(super) async fn all(conn: &Conn, permit: &impl Permit) -> Result<Vec<Stored>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM event_schemas WHERE tenant_id = {} \
         ORDER BY module, event_type, schema_version",
        conn.dialect().placeholder(1)
    );
    let statement = Statement::new(sql, vec![Value::Id(permit.tenant_id())]);
    conn.rows(permit, &statement).await?.iter().map(stored).collect()
}

/// The versions of a type, the oldest first.
pub(super) async fn versions(
    conn: &Conn,
    permit: &impl Permit,
    (module, event_type): (&str, &str),
) -> Result<Vec<Stored>> {
    let place = |number| conn.dialect().placeholder(number);
    let sql = format!(
        "SELECT {COLUMNS} FROM event_schemas WHERE tenant_id = {} AND module = {} \
         AND event_type = {} ORDER BY schema_version",
        place(1),
        place(2),
        place(3)
    );
    let values = vec![Value::Id(permit.tenant_id()), module.into(), event_type.into()];
    conn.rows(permit, &Statement::new(sql, values)).await?.iter().map(stored).collect()
}

pub(super) async fn by_id(conn: &Conn, permit: &impl Permit, id: Uuid) -> Result<Option<Stored>> {
    let place = |number| conn.dialect().placeholder(number);
    let sql = format!(
        "SELECT {COLUMNS} FROM event_schemas WHERE tenant_id = {} AND id = {}",
        place(1),
        place(2)
    );
    let statement = Statement::new(sql, vec![Value::Id(permit.tenant_id()), Value::Id(id)]);
    conn.row(permit, &statement).await?.as_ref().map(stored).transpose()
}

pub(super) async fn count(conn: &Conn, permit: &impl Permit) -> Result<i64> {
    let sql = format!(
        "SELECT count(*) FROM event_schemas WHERE tenant_id = {}",
        conn.dialect().placeholder(1)
    );
    let statement = Statement::new(sql, vec![Value::Id(permit.tenant_id())]);
    let row = conn.row(permit, &statement).await?;
    Ok(row.map(|row| row.int(0)).transpose()?.flatten().unwrap_or_default())
}

pub(super) async fn insert(
    conn: &Conn,
    permit: &impl Permit,
    schema: &Stored,
    (by, at): (Option<Uuid>, DateTime<Utc>),
) -> Result<()> {
    let columns = [
        "tenant_id",
        "id",
        "module",
        "event_type",
        "schema_version",
        "schema",
        "created_by",
        "created_at",
    ];
    let row = vec![
        Value::Id(permit.tenant_id()),
        Value::Id(schema.id),
        schema.module.clone().into(),
        schema.event_type.clone().into(),
        Value::Int(schema.version),
        Value::Json(schema.schema.clone()),
        by.map_or(Value::Null(NullOf::Id), Value::Id),
        Value::Instant(at),
    ];
    conn.insert(permit, "event_schemas", &columns, vec![row]).await
}

pub(super) async fn remove(conn: &Conn, permit: &impl Permit, id: Uuid) -> Result<()> {
    let place = |number| conn.dialect().placeholder(number);
    let sql =
        format!("DELETE FROM event_schemas WHERE tenant_id = {} AND id = {}", place(1), place(2));
    let values = vec![Value::Id(permit.tenant_id()), Value::Id(id)];
    conn.execute(permit, &Statement::new(sql, values)).await.map(drop)
}

/// The sealed key of a tenant's hashes.
pub(super) async fn secret(conn: &Conn, permit: &impl Permit) -> Result<Option<String>> {
    let place = |number| conn.dialect().placeholder(number);
    let sql = format!(
        "SELECT value FROM server_secrets WHERE tenant_id = {} AND id = {}",
        place(1),
        place(2)
    );
    let values = vec![Value::Id(permit.tenant_id()), secret::NAME.into()];
    let row = conn.row(permit, &Statement::new(sql, values)).await?;
    Ok(row.map(|row| row.text(0)).transpose()?.flatten())
}

pub(super) async fn insert_secret(
    conn: &Conn,
    permit: &impl Permit,
    sealed: String,
    at: DateTime<Utc>,
) -> Result<()> {
    let row = vec![
        Value::Id(permit.tenant_id()),
        secret::NAME.into(),
        Value::Text(sealed),
        Value::Instant(at),
    ];
    let columns = ["tenant_id", "id", "value", "created_at"];
    conn.insert(permit, "server_secrets", &columns, vec![row]).await
}

/// Those of all tenants.
pub(super) async fn all_secrets(conn: &Conn, permit: &impl Permit) -> Result<Vec<(Uuid, String)>> {
    let sql = format!(
        "SELECT tenant_id, value FROM server_secrets WHERE id = {} ORDER BY tenant_id",
        conn.dialect().placeholder(1)
    );
    let rows = conn.rows(permit, &Statement::new(sql, vec![secret::NAME.into()])).await?;
    rows.iter().map(|row| Ok((row.required_id(0)?, row.text(1)?.unwrap_or_default()))).collect()
}

/// Puts `new` in the place of `old`, if that is still there.
pub(super) async fn replace_secret(
    conn: &Conn,
    permit: &impl Permit,
    (old, new): (String, String),
) -> Result<u64> {
    let place = |number| conn.dialect().placeholder(number);
    let sql = format!(
        "UPDATE server_secrets SET value = {} WHERE tenant_id = {} AND id = {} AND value = {}",
        place(1),
        place(2),
        place(3),
        place(4)
    );
    let values = vec![new.into(), Value::Id(permit.tenant_id()), secret::NAME.into(), old.into()];
    conn.execute(permit, &Statement::new(sql, values)).await
}
