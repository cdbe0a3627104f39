//! Values on their way into a statement, the same for both databases.

use chrono::{DateTime, NaiveDate, Utc};
use sqlx::{
    Arguments, Encode, Postgres, Sqlite, Type, postgres::PgArguments, sqlite::SqliteArguments,
};
use uuid::Uuid;

use crate::error::{Error, Result};

/// A bind value. `Null` carries its type because PostgreSQL wants to know it.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Null(NullOf),
    Id(Uuid),
    Text(String),
    Int(i64),
    Float(f64),
    Bool(bool),
    Instant(DateTime<Utc>),
    Date(NaiveDate),
    Json(serde_json::Value),
    /// Lists are one parameter on PostgreSQL (`= ANY($1)`) and one JSON text on SQLite
    /// (`json_each`), so that one prepared statement serves every length.
    Ids(Vec<Uuid>),
    Texts(Vec<String>),
    Ints(Vec<i64>),
    Bools(Vec<bool>),
    Dates(Vec<NaiveDate>),
    Instants(Vec<DateTime<Utc>>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NullOf {
    Id,
    Text,
    Int,
    Float,
    Bool,
    Instant,
    Date,
    Json,
}

impl Value {
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null(_))
    }
}

impl From<Uuid> for Value {
    fn from(value: Uuid) -> Self {
        Self::Id(value)
    }
}
impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}
impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}
impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}
impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}
impl From<DateTime<Utc>> for Value {
    fn from(value: DateTime<Utc>) -> Self {
        Self::Instant(value)
    }
}
impl From<NaiveDate> for Value {
    fn from(value: NaiveDate) -> Self {
        Self::Date(value)
    }
}

pub(super) fn pg_arguments(values: &[Value]) -> Result<PgArguments> {
    let mut arguments = PgArguments::default();
    for value in values {
        match value {
            Value::Null(kind) => match kind {
                NullOf::Id => put_pg(&mut arguments, None::<Uuid>),
                NullOf::Text => put_pg(&mut arguments, None::<String>),
                NullOf::Int => put_pg(&mut arguments, None::<i64>),
                NullOf::Float => put_pg(&mut arguments, None::<f64>),
                NullOf::Bool => put_pg(&mut arguments, None::<bool>),
                NullOf::Instant => put_pg(&mut arguments, None::<DateTime<Utc>>),
                NullOf::Date => put_pg(&mut arguments, None::<NaiveDate>),
                NullOf::Json => put_pg(&mut arguments, None::<serde_json::Value>),
            },
            Value::Id(value) => put_pg(&mut arguments, *value),
            Value::Text(value) => put_pg(&mut arguments, value.clone()),
            Value::Int(value) => put_pg(&mut arguments, *value),
            Value::Float(value) => put_pg(&mut arguments, *value),
            Value::Bool(value) => put_pg(&mut arguments, *value),
            Value::Instant(value) => put_pg(&mut arguments, *value),
            Value::Date(value) => put_pg(&mut arguments, *value),
            Value::Json(value) => put_pg(&mut arguments, value.clone()),
            Value::Ids(values) => put_pg(&mut arguments, values.clone()),
            Value::Texts(values) => put_pg(&mut arguments, values.clone()),
            Value::Ints(values) => put_pg(&mut arguments, values.clone()),
            Value::Bools(values) => put_pg(&mut arguments, values.clone()),
            Value::Dates(values) => put_pg(&mut arguments, values.clone()),
            Value::Instants(values) => put_pg(&mut arguments, values.clone()),
        }?;
    }
    Ok(arguments)
}

pub(super) fn sqlite_arguments(values: &[Value]) -> Result<SqliteArguments> {
    let mut arguments = SqliteArguments::default();
    for value in values {
        match value {
            Value::Null(_) => put_sqlite(&mut arguments, None::<i64>),
            Value::Id(value) => put_sqlite(&mut arguments, *value),
            Value::Text(value) => put_sqlite(&mut arguments, value.clone()),
            Value::Int(value) => put_sqlite(&mut arguments, *value),
            Value::Float(value) => put_sqlite(&mut arguments, *value),
            Value::Bool(value) => put_sqlite(&mut arguments, *value),
            Value::Instant(value) => put_sqlite(&mut arguments, *value),
            Value::Date(value) => put_sqlite(&mut arguments, *value),
            Value::Json(value) => put_sqlite(&mut arguments, value.to_string()),
            Value::Ids(values) => put_sqlite(&mut arguments, hex_list(values)),
            Value::Texts(values) => put_sqlite(&mut arguments, json_list(values)?),
            Value::Ints(values) => put_sqlite(&mut arguments, json_list(values)?),
            Value::Bools(values) => {
                let numbers: Vec<u8> = values.iter().copied().map(u8::from).collect();
                put_sqlite(&mut arguments, json_list(&numbers)?)
            }
            Value::Dates(values) => put_sqlite(&mut arguments, json_list(values)?),
            Value::Instants(values) => {
                let texts: Vec<String> = values.iter().map(sqlite_instant).collect();
                put_sqlite(&mut arguments, json_list(&texts)?)
            }
        }?;
    }
    Ok(arguments)
}

fn json_list<T: serde::Serialize>(values: &[T]) -> Result<String> {
    serde_json::to_string(values).map_err(Error::internal)
}

/// An instant as sqlx stores it on SQLite: as many digits of the second as it has. Texts of this
/// form sort like the instants (`+` < `.` < `0`).
pub(crate) fn sqlite_instant(instant: &DateTime<Utc>) -> String {
    instant.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, false)
}

/// `["0193…","0194…"]`, ids as hexadecimal: SQLite turns them back with `unhex`.
fn hex_list(ids: &[Uuid]) -> String {
    let mut text = String::with_capacity(ids.len() * 35 + 2);
    text.push('[');
    for (index, id) in ids.iter().enumerate() {
        if index > 0 {
            text.push(',');
        }
        text.push('"');
        text.push_str(id.simple().encode_lower(&mut Uuid::encode_buffer()));
        text.push('"');
    }
    text.push(']');
    text
}

fn put_pg<'q, T>(arguments: &mut PgArguments, value: T) -> Result<()>
where
    T: 'q + Encode<'q, Postgres> + Type<Postgres>,
{
    arguments.add(value).map_err(Error::internal)
}

fn put_sqlite<'q, T>(arguments: &mut SqliteArguments, value: T) -> Result<()>
where
    T: 'q + Encode<'q, Sqlite> + Type<Sqlite>,
{
    arguments.add(value).map_err(Error::internal)
}
