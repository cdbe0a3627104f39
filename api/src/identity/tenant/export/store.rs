//! Rows of a tenant's tables, whatever the table.

use serde_json::{Map, Value as Json};

use crate::access::Permit;
use crate::db::tables::{Column, Holds, Table, root};
use crate::db::{Conn, NullOf, Row, Statement, Value};
use crate::error::{Error, Result};

/// What leaves of a table, in the order in which [`page`] reads it.
fn exported(table: &Table) -> impl Iterator<Item = &Column> {
    table.columns.iter().filter(|column| column.holds == Holds::Data)
}

/// The next rows after the one with this id, by id.
pub(super) async fn page(
    conn: &Conn,
    permit: &impl Permit,
    table: &Table,
    (after, limit): (Option<&Value>, usize),
) -> Result<Vec<Row>> {
    let names: Vec<&str> = exported(table).map(|column| column.name).collect();
    let mark = |number| conn.dialect().placeholder(number);
    let mut values = vec![Value::Id(permit.tenant_id())];
    let tenant = if table.name == root().name { "id" } else { "tenant_id" };
    let mut sql =
        format!("SELECT {} FROM {} WHERE {tenant} = {}", names.join(", "), table.name, mark(1));
    if let Some(after) = after {
        sql.push_str(&format!(" AND id > {}", mark(2)));
        values.push(after.clone());
    }
    sql.push_str(&format!(" ORDER BY id LIMIT {limit}"));
    conn.rows(permit, &Statement::new(sql, values)).await
}

/// The id of a row that [`page`] gave.
pub(super) fn id_of(table: &Table, row: &Row) -> Result<Value> {
    let place = exported(table).position(|column| column.name == "id");
    let kind = table.columns.iter().find(|column| column.name == "id").map(|column| column.kind);
    match (place, kind) {
        (Some(place), Some(kind)) => row.value(place, kind),
        (Some(_) | None, _) => Err(Error::internal(format!("{} has no id", table.name))),
    }
}

/// A row that [`page`] gave, by column.
pub(super) fn json_of(table: &Table, row: &Row) -> Result<Json> {
    let mut object = Map::new();
    for (place, column) in exported(table).enumerate() {
        object.insert(column.name.to_owned(), value_of(row, place, column.kind)?);
    }
    Ok(Json::Object(object))
}

fn value_of(row: &Row, place: usize, kind: NullOf) -> Result<Json> {
    let text = |text: Option<String>| text.map_or(Json::Null, Json::String);
    Ok(match kind {
        NullOf::Id => text(row.id(place)?.map(|id| id.to_string())),
        NullOf::Text => text(row.text(place)?),
        NullOf::Int => row.int(place)?.map_or(Json::Null, Json::from),
        NullOf::Float => row.float(place)?.map_or(Json::Null, Json::from),
        NullOf::Bool => row.bool(place)?.map_or(Json::Null, Json::Bool),
        NullOf::Instant => serde_json::to_value(row.instant(place)?).map_err(Error::internal)?,
        NullOf::Date => text(row.date(place)?.map(|date| date.to_string())),
        NullOf::Json => row.json(place)?.unwrap_or(Json::Null),
    })
}
