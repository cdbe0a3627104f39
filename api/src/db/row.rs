//! One row of an answer, read by column index. The engine writes JSON straight from the bytes that
//! the database sent; typed getters serve everything else.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;
use sqlx::{ColumnIndex, Decode, Row as _, Sqlite, Type, ValueRef};
use uuid::Uuid;

use super::bind::Bytes;
use super::{NullOf, Value};
use crate::error::{Error, Result};

/// Days and microseconds from 1970-01-01 to PostgreSQL's epoch, 2000-01-01.
pub(crate) const POSTGRES_EPOCH_DAYS: i64 = 10_957;
pub(crate) const POSTGRES_EPOCH_MICROS: i64 = POSTGRES_EPOCH_DAYS * 86_400 * 1_000_000;

/// A row of either database, or one that a virtual record computed.
pub enum Row {
    Postgres(PgRow),
    Pipelined(tokio_postgres::Row),
    Sqlite(SqliteRow),
    Computed(Vec<Value>),
}

impl Row {
    /// How many columns the row has.
    pub fn len(&self) -> usize {
        match self {
            Self::Postgres(row) => row.len(),
            Self::Pipelined(row) => row.len(),
            Self::Sqlite(row) => row.len(),
            Self::Computed(values) => values.len(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A column as PostgreSQL sent it; nothing for the other rows.
    pub(crate) fn bytes(&self, index: usize) -> Result<Option<&[u8]>> {
        match self {
            Self::Postgres(row) => {
                let raw = row.try_get_raw(index).map_err(Error::internal)?;
                if raw.is_null() {
                    return Ok(None);
                }
                raw.as_bytes().map(Some).map_err(Error::internal)
            }
            Self::Pipelined(row) => {
                let raw: Option<Bytes<'_>> = row.try_get(index).map_err(Error::internal)?;
                Ok(raw.map(|raw| raw.0))
            }
            Self::Sqlite(_) | Self::Computed(_) => Err(Error::internal("not a PostgreSQL row")),
        }
    }

    pub fn is_null(&self, index: usize) -> Result<bool> {
        Ok(match self {
            Self::Postgres(_) | Self::Pipelined(_) => self.bytes(index)?.is_none(),
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
            Self::Postgres(_) | Self::Pipelined(_) => {
                let bytes = self.bytes(index)?;
                bytes.map(|bytes| Uuid::from_slice(bytes).map_err(Error::internal)).transpose()
            }
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
            Self::Postgres(_) | Self::Pipelined(_) => {
                let bytes = self.bytes(index)?;
                bytes.map(|bytes| text_from_bytes(bytes).map(str::to_owned)).transpose()
            }
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
            Self::Postgres(_) | Self::Pipelined(_) => {
                self.bytes(index)?.map(int_from_bytes).transpose()
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
            Self::Postgres(_) | Self::Pipelined(_) => {
                self.bytes(index)?.map(float_from_bytes).transpose()
            }
            Self::Sqlite(row) => get_sqlite(row, index),
        }
    }

    pub fn bool(&self, index: usize) -> Result<Option<bool>> {
        match self {
            Self::Computed(values) => match values.get(index) {
                Some(Value::Bool(value)) => Ok(Some(*value)),
                _ => Ok(None),
            },
            Self::Postgres(_) | Self::Pipelined(_) => {
                Ok(self.bytes(index)?.map(|bytes| bytes.first().is_some_and(|byte| *byte != 0)))
            }
            Self::Sqlite(row) => get_sqlite(row, index),
        }
    }

    pub fn instant(&self, index: usize) -> Result<Option<DateTime<Utc>>> {
        match self {
            Self::Computed(values) => match values.get(index) {
                Some(Value::Instant(value)) => Ok(Some(*value)),
                _ => Ok(None),
            },
            Self::Postgres(_) | Self::Pipelined(_) => {
                self.bytes(index)?.map(instant_from_bytes).transpose()
            }
            Self::Sqlite(row) => get_sqlite(row, index),
        }
    }

    pub fn date(&self, index: usize) -> Result<Option<NaiveDate>> {
        match self {
            Self::Computed(values) => match values.get(index) {
                Some(Value::Date(value)) => Ok(Some(*value)),
                _ => Ok(None),
            },
            Self::Postgres(_) | Self::Pipelined(_) => {
                self.bytes(index)?.map(date_from_bytes).transpose()
            }
            Self::Sqlite(row) => get_sqlite(row, index),
        }
    }

    pub fn json(&self, index: usize) -> Result<Option<serde_json::Value>> {
        match self {
            Self::Computed(values) => match values.get(index) {
                Some(Value::Json(value)) => Ok(Some(value.clone())),
                _ => Ok(None),
            },
            Self::Postgres(_) | Self::Pipelined(_) => {
                self.bytes(index)?.map(json_from_bytes).transpose()
            }
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

fn text_from_bytes(bytes: &[u8]) -> Result<&str> {
    std::str::from_utf8(bytes).map_err(Error::internal)
}

fn float_from_bytes(bytes: &[u8]) -> Result<f64> {
    let bytes: [u8; 8] = bytes.try_into().map_err(Error::internal)?;
    Ok(f64::from_be_bytes(bytes))
}

/// Microseconds since 2000-01-01.
fn instant_from_bytes(bytes: &[u8]) -> Result<DateTime<Utc>> {
    let micros = int_from_bytes(bytes)?;
    micros
        .checked_add(POSTGRES_EPOCH_MICROS)
        .and_then(DateTime::from_timestamp_micros)
        .ok_or_else(|| Error::internal("an instant out of range"))
}

/// Days since 2000-01-01.
fn date_from_bytes(bytes: &[u8]) -> Result<NaiveDate> {
    let days = int_from_bytes(bytes)? + POSTGRES_EPOCH_DAYS;
    TimeDelta::try_days(days)
        .and_then(|since| NaiveDate::default().checked_add_signed(since))
        .ok_or_else(|| Error::internal("a date out of range"))
}

/// `json` is text, `jsonb` text behind a version.
fn json_from_bytes(bytes: &[u8]) -> Result<serde_json::Value> {
    let text = bytes.strip_prefix(&[1]).unwrap_or(bytes);
    serde_json::from_slice(text).map_err(Error::internal)
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
