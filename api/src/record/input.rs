//! Input values -> typed bind values. GraphQL validation has seen them before; what it cannot know
//! (ids, dates, money, ranges) is refused here, with the field's name.

use async_graphql::Value as Input;
use chrono::{DateTime, NaiveDate, Utc};
use uuid::Uuid;

use super::kind::{EnumType, Kind};
use crate::db::Value;
use crate::error::{Error, Result, say};
use crate::limits;

/// Key that serde_json uses for raw text: a JSON value that carries it could pass for finished
/// output.
const RAW_TOKEN: &str = "$serde_json::private::RawValue";

/// Reads one input value as `kind`; null becomes the typed null.
pub fn read(kind: Kind, input: &Input) -> Result<Value> {
    if matches!(input, Input::Null) {
        return Ok(Value::Null(kind.bind()));
    }
    Ok(match kind {
        Kind::Id => Value::Id(read_id(input)?),
        Kind::Text | Kind::Code => Value::Text(read_text(input)?.to_owned()),
        Kind::Int => Value::Int(i64::from(
            i32::try_from(read_int(input)?).map_err(|_out_of_range| wrong("Int", input))?,
        )),
        Kind::Float => match input {
            Input::Number(number) => Value::Float(number.as_f64().unwrap_or_default()),
            other => return Err(wrong("Float", other)),
        },
        Kind::Bool => match input {
            Input::Boolean(value) => Value::Bool(*value),
            other => return Err(wrong("Boolean", other)),
        },
        Kind::Money { .. } => Value::Int(read_money(input)?),
        Kind::Date => Value::Date(read_date(input)?),
        Kind::Instant => Value::Instant(read_instant(input)?),
        Kind::Json => Value::Json(read_json(input)?),
        Kind::Enum(of) => Value::Text(read_enum(of, input)?.to_owned()),
    })
}

fn wrong(expected: &str, input: &Input) -> Error {
    let shown: String = input.to_string().chars().take(60).collect();
    Error::invalid(say(
        format!("expected {expected}, got {shown}"),
        format!("esperava {expected}, veio {shown}"),
    ))
}

pub fn read_id(input: &Input) -> Result<Uuid> {
    match input {
        Input::String(text) => {
            Uuid::try_parse(text).map_err(|_not_a_uuid| wrong("an ID (UUID)", input))
        }
        other => Err(wrong("an ID (UUID)", other)),
    }
}

/// Text without NUL bytes, which PostgreSQL cannot store.
pub fn read_text(input: &Input) -> Result<&str> {
    match input {
        Input::String(text) if text.contains('\0') => Err(Error::invalid(say(
            "text must not contain NUL characters",
            "o texto não pode conter caracteres NUL",
        ))),
        Input::String(text) if text.chars().count() > limits::TEXT_CHARS_MAX => {
            Err(Error::limit(say(
                format!("text is longer than {} characters", limits::TEXT_CHARS_MAX),
                format!("o texto passa de {} caracteres", limits::TEXT_CHARS_MAX),
            )))
        }
        Input::String(text) => Ok(text),
        other => Err(wrong("String", other)),
    }
}

pub fn read_int(input: &Input) -> Result<i64> {
    match input {
        Input::Number(number) => number.as_i64().ok_or_else(|| wrong("Int", input)),
        other => Err(wrong("Int", other)),
    }
}

pub fn read_bool(input: &Input) -> Result<bool> {
    match input {
        Input::Boolean(value) => Ok(*value),
        other => Err(wrong("Boolean", other)),
    }
}

/// Decimal text (or a JSON number, by its digits) -> hundredths.
pub fn read_money(input: &Input) -> Result<i64> {
    let text = match input {
        Input::String(text) => text.clone(),
        Input::Number(number) => number.to_string(),
        other => return Err(wrong("Decimal", other)),
    };
    entity::value::money::parse_hundredths(&text)
        .map_err(|error| Error::invalid(say(error.en, error.pt)))
}

pub fn read_date(input: &Input) -> Result<NaiveDate> {
    match input {
        Input::String(text) => NaiveDate::parse_from_str(text, "%Y-%m-%d")
            .map_err(|_malformed| wrong("Date (YYYY-MM-DD)", input)),
        other => Err(wrong("Date (YYYY-MM-DD)", other)),
    }
}

/// RFC 3339 text with any offset, or epoch milliseconds. Kept to the microsecond.
pub fn read_instant(input: &Input) -> Result<DateTime<Utc>> {
    let refuse = || wrong("DateTime (RFC 3339, or epoch milliseconds)", input);
    let instant = match input {
        Input::String(text) => DateTime::parse_from_rfc3339(text)
            .map_err(|_malformed| refuse())?
            .with_timezone(&Utc),
        Input::Number(number) => number
            .as_i64()
            .and_then(DateTime::from_timestamp_millis)
            .ok_or_else(refuse)?,
        _ => return Err(refuse()),
    };
    let year = chrono::Datelike::year(&instant);
    if !(1..=9999).contains(&year) {
        return Err(refuse());
    }
    chrono::DurationRound::duration_trunc(instant, chrono::TimeDelta::microseconds(1))
        .or(Ok(instant))
}

pub fn read_enum(of: &'static EnumType, input: &Input) -> Result<&'static str> {
    let shown = match input {
        Input::Enum(name) => name.as_str(),
        Input::String(text) => text.as_str(),
        other => return Err(wrong(of.name, other)),
    };
    of.stored(shown).ok_or_else(|| wrong(of.name, input))
}

/// A JSON value of bounded size that cannot pass for raw output.
pub fn read_json(input: &Input) -> Result<serde_json::Value> {
    let json = input.clone().into_json().map_err(|_not_json| wrong("JSON", input))?;
    check_json(&json)?;
    if json.to_string().len() > limits::JSON_BYTES_MAX {
        return Err(Error::limit(say(
            format!("a JSON value is at most {} bytes", limits::JSON_BYTES_MAX),
            format!("um valor JSON tem no máximo {} bytes", limits::JSON_BYTES_MAX),
        )));
    }
    Ok(json)
}

fn check_json(json: &serde_json::Value) -> Result<()> {
    match json {
        serde_json::Value::Object(entries) => {
            for (key, value) in entries {
                if key == RAW_TOKEN || key.contains('\0') {
                    return Err(Error::invalid(say(
                        "this JSON key is reserved",
                        "esta chave JSON é reservada",
                    )));
                }
                check_json(value)?;
            }
            Ok(())
        }
        serde_json::Value::Array(items) => items.iter().try_for_each(check_json),
        serde_json::Value::String(text) if text.contains('\0') => Err(Error::invalid(say(
            "text must not contain NUL characters",
            "o texto não pode conter caracteres NUL",
        ))),
        serde_json::Value::String(_)
        | serde_json::Value::Null
        | serde_json::Value::Bool(_)
        | serde_json::Value::Number(_) => Ok(()),
    }
}

/// A list, or one value standing for a list of one (GraphQL's list coercion).
pub fn read_list(input: &Input) -> &[Input] {
    match input {
        Input::List(items) => items,
        single => std::slice::from_ref(single),
    }
}
