//! One row of an answer, read by column index. The engine writes JSON straight from the bytes that
//! the database sent; typed getters serve everything else.

use chrono::{DateTime, NaiveDate, Utc};
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;
use sqlx::{ColumnIndex, Decode, Postgres, Row as _, Sqlite, Type, ValueRef};
use uuid::Uuid;

use super::{NullOf, Value};
use crate::error::{Error, Result};

/// A row of either database, or one that a virtual record computed.
pub enum Row {
    Postgres(PgRow),
    Sqlite(SqliteRow),
    Computed(Vec<Value>),
}

impl Row {
    /// How many columns the row has.
    pub fn len(&self) -> usize {
        match self {
            Self::Postgres(row) => row.len(),
            Self::Sqlite(row) => row.len(),
            Self::Computed(values) => values.len(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn is_null(&self, index: usize) -> Result<bool> {
        Ok(match self {
            Self::Postgres(row) => row.try_get_raw(index).map_err(Error::internal)?.is_null(),
            Self::Sqlite(row) => row.try_get_raw(index).map_err(Error::internal)?.is_null(),
            Self::Computed(values) => values.get(index).is_none_or(Value::is_null),
        })
    }

    pub fn id(&self, index: usize) -> Result<Option<Uuid>> {
        match self {
            Self::Computed(values) => match values.get(index) {
                Some(Value::Id(id)) => Ok(Some(*id)),
                _ => Ok(None),
            },
            Self::Postgres(row) => get_pg(row, index),
            Self::Sqlite(row) => get_sqlite(row, index),
        }
    }

    /// As [`Row::id`], for a column that is never null.
    pub fn required_id(&self, index: usize) -> Result<Uuid> {
        self.id(index)?.ok_or_else(|| Error::internal(format!("column {index} is null")))
    }

    pub fn text(&self, index: usize) -> Result<Option<String>> {
        match self {
            Self::Computed(values) => match values.get(index) {
                Some(Value::Text(text)) => Ok(Some(text.clone())),
                _ => Ok(None),
            },
            Self::Postgres(row) => get_pg(row, index),
            Self::Sqlite(row) => get_sqlite(row, index),
        }
    }

    /// Integers of any width.
    pub fn int(&self, index: usize) -> Result<Option<i64>> {
        match self {
            Self::Computed(values) => match values.get(index) {
                Some(Value::Int(value)) => Ok(Some(*value)),
                _ => Ok(None),
            },
            Self::Postgres(row) => {
                let raw = row.try_get_raw(index).map_err(Error::internal)?;
                if raw.is_null() {
                    return Ok(None);
                }
                let bytes = raw.as_bytes().map_err(Error::internal)?;
                int_from_bytes(bytes).map(Some)
            }
            Self::Sqlite(row) => get_sqlite(row, index),
        }
    }

    pub fn float(&self, index: usize) -> Result<Option<f64>> {
        match self {
            Self::Computed(values) => match values.get(index) {
                Some(Value::Float(value)) => Ok(Some(*value)),
                _ => Ok(None),
            },
            Self::Postgres(row) => get_pg(row, index),
            Self::Sqlite(row) => get_sqlite(row, index),
        }
    }

    pub fn bool(&self, index: usize) -> Result<Option<bool>> {
        match self {
            Self::Computed(values) => match values.get(index) {
                Some(Value::Bool(value)) => Ok(Some(*value)),
                _ => Ok(None),
            },
            Self::Postgres(row) => get_pg(row, index),
            Self::Sqlite(row) => get_sqlite(row, index),
        }
    }

    pub fn instant(&self, index: usize) -> Result<Option<DateTime<Utc>>> {
        match self {
            Self::Computed(values) => match values.get(index) {
                Some(Value::Instant(value)) => Ok(Some(*value)),
                _ => Ok(None),
            },
            Self::Postgres(row) => get_pg(row, index),
            Self::Sqlite(row) => get_sqlite(row, index),
        }
    }

    pub fn date(&self, index: usize) -> Result<Option<NaiveDate>> {
        match self {
            Self::Computed(values) => match values.get(index) {
                Some(Value::Date(value)) => Ok(Some(*value)),
                _ => Ok(None),
            },
            Self::Postgres(row) => get_pg(row, index),
            Self::Sqlite(row) => get_sqlite(row, index),
        }
    }

    pub fn json(&self, index: usize) -> Result<Option<serde_json::Value>> {
        match self {
            Self::Computed(values) => match values.get(index) {
                Some(Value::Json(value)) => Ok(Some(value.clone())),
                _ => Ok(None),
            },
            Self::Postgres(row) => get_pg(row, index),
            Self::Sqlite(row) => {
                let text: Option<String> = get_sqlite(row, index)?;
                text.map(|text| serde_json::from_str(&text).map_err(Error::internal)).transpose()
            }
        }
    }

    /// The column as a bind value of the given type.
    pub fn value(&self, index: usize, kind: NullOf) -> Result<Value> {
        Ok(match kind {
            NullOf::Id => self.id(index)?.map(Value::Id),
            NullOf::Text => self.text(index)?.map(Value::Text),
            NullOf::Int => self.int(index)?.map(Value::Int),
            NullOf::Float => self.float(index)?.map(Value::Float),
            NullOf::Bool => self.bool(index)?.map(Value::Bool),
            NullOf::Instant => self.instant(index)?.map(Value::Instant),
            NullOf::Date => self.date(index)?.map(Value::Date),
            NullOf::Json => self.json(index)?.map(Value::Json),
        }
        .unwrap_or(Value::Null(kind)))
    }
}

/// PostgreSQL sends integers in as many bytes as their type has.
pub(crate) fn int_from_bytes(bytes: &[u8]) -> Result<i64> {
    match *bytes {
        [a, b] => Ok(i64::from(i16::from_be_bytes([a, b]))),
        [a, b, c, d] => Ok(i64::from(i32::from_be_bytes([a, b, c, d]))),
        [a, b, c, d, e, f, g, h] => Ok(i64::from_be_bytes([a, b, c, d, e, f, g, h])),
        _ => Err(Error::internal(format!("an integer of {} bytes", bytes.len()))),
    }
}

fn get_pg<'r, T>(row: &'r PgRow, index: usize) -> Result<Option<T>>
where
    T: Decode<'r, Postgres> + Type<Postgres>,
    usize: ColumnIndex<PgRow>,
{
    row.try_get::<Option<T>, _>(index).map_err(Error::internal)
}

fn get_sqlite<'r, T>(row: &'r SqliteRow, index: usize) -> Result<Option<T>>
where
    T: Decode<'r, Sqlite> + Type<Sqlite>,
    usize: ColumnIndex<SqliteRow>,
{
    // Unchecked: an expression's declared type is unknown to SQLite; decoding still refuses
    // what does not fit.
    row.try_get_unchecked::<Option<T>, _>(index).map_err(Error::internal)
}
