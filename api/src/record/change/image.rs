//! Rows as JSON, by GraphQL names: for audit entries, events and conflicts.

use serde_json::{Map, Value as Json};

use super::Values;
use crate::access::{FieldRule, Reader};
use crate::db::Value;
use crate::error::{Error, Result};
use crate::record::declare::{Field, Record};
use crate::record::json::write_value;
use crate::record::kind::Kind;

fn of_field(field: &Field, value: &Value, row: &Values) -> Result<Json> {
    let mut currency = "BRL";
    if let Kind::Money { currency: column } = field.kind
        && let Some(Value::Text(code)) = row.get(column)
    {
        currency = code;
    }
    if let Value::Json(json) = value {
        return Ok(json.clone());
    }
    let mut text = Vec::new();
    write_value(&mut text, value, field.kind, currency)?;
    serde_json::from_slice(&text).map_err(Error::internal)
}

/// The given columns of a row. `row` is where currencies are looked up.
pub(super) fn of_columns(record: &Record, columns: &Values, row: &Values) -> Result<Json> {
    let mut image = Map::new();
    for field in &record.fields {
        if let Some(value) = columns.get(field.column) {
            image.insert(field.name.clone(), of_field(field, value, row)?);
        }
    }
    Ok(Json::Object(image))
}

/// The given columns, without personal data and free text: what an event may carry.
pub(super) fn for_event(record: &Record, columns: &Values, row: &Values) -> Result<Json> {
    let mut image = Map::new();
    for field in &record.fields {
        if field.pii || matches!(field.kind, Kind::Text | Kind::Json) {
            continue;
        }
        if let Some(value) = columns.get(field.column) {
            image.insert(field.name.clone(), of_field(field, value, row)?);
        }
    }
    Ok(Json::Object(image))
}

/// The whole row as this caller may see it.
pub(super) fn for_caller(record: &Record, reader: &Reader, row: &Values) -> Result<Json> {
    let mut image = Map::new();
    for field in &record.fields {
        if reader.field(&field.name) != FieldRule::Plain {
            continue;
        }
        if let Some(value) = row.get(field.column) {
            image.insert(field.name.clone(), of_field(field, value, row)?);
        }
    }
    Ok(Json::Object(image))
}
