//! Input values -> typed bind values. GraphQL validation has seen them before; what it cannot know
//! (ids, dates, money, ranges) is refused here, with the field's name.

use async_graphql::Value as Input;
use chrono::{DateTime, Datelike as _, NaiveDate, Utc};
use uuid::Uuid;

use super::kind::{EnumType, Kind};
use crate::db::Value;
use crate::error::{Error, Result, say};
use crate::limits;

/// Keys by which serde_json knows raw text and raw numbers: a JSON value that carries one could pass
/// for finished output.
const RAW_TOKENS: &str = "$serde_json::private::";

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
        Kind::Float => Value::Float(read_float(input)?),
        Kind::Bool => Value::Bool(read_bool(input)?),
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
    let refuse = || wrong("an ID (UUID)", input);
    let Input::String(text) = input else { return Err(refuse()) };
    Uuid::try_parse(text).map_err(|_not_a_uuid| refuse())
}

/// Text without NUL bytes, which PostgreSQL cannot store.
pub fn read_text(input: &Input) -> Result<&str> {
    let Input::String(text) = input else { return Err(wrong("String", input)) };
    if text.contains('\0') {
        return Err(Error::invalid(say(
            "text must not contain NUL characters",
            "o texto não pode conter caracteres NUL",
        )));
    }
    if text.chars().count() > limits::TEXT_CHARS_MAX {
        return Err(Error::limit(say(
            format!("text is longer than {} characters", limits::TEXT_CHARS_MAX),
            format!("o texto passa de {} caracteres", limits::TEXT_CHARS_MAX),
        )));
    }
    Ok(text)
}

pub fn read_int(input: &Input) -> Result<i64> {
    let Input::Number(number) = input else { return Err(wrong("Int", input)) };
    number.as_i64().ok_or_else(|| wrong("Int", input))
}

pub fn read_float(input: &Input) -> Result<f64> {
    let Input::Number(number) = input else { return Err(wrong("Float", input)) };
    number.as_f64().ok_or_else(|| wrong("Float", input))
}

pub fn read_bool(input: &Input) -> Result<bool> {
    let Input::Boolean(value) = input else { return Err(wrong("Boolean", input)) };
    Ok(*value)
}

/// Decimal text (or a JSON number, by its digits) -> hundredths.
pub fn read_money(input: &Input) -> Result<i64> {
    let text = if let Input::String(text) = input {
        text.clone()
    } else if let Input::Number(number) = input {
        number.to_string()
    } else {
        return Err(wrong("Decimal", input));
    };
    entity::value::money::parse_hundredths(&text)
        .map_err(|error| Error::invalid(say(error.en, error.pt)))
}

/// `YYYY-MM-DD`, years 0001 to 9999: the texts that sort like the dates.
pub fn read_date(input: &Input) -> Result<NaiveDate> {
    let refuse = || wrong("Date (YYYY-MM-DD)", input);
    let Input::String(text) = input else { return Err(refuse()) };
    let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").map_err(|_malformed| refuse())?;
    let written_in_full =
        text.len() == 10 && text.starts_with(|first: char| first.is_ascii_digit());
    if written_in_full && date.year() >= 1 { Ok(date) } else { Err(refuse()) }
}

/// RFC 3339 text with any offset, or epoch milliseconds; years 0001 to 9999. Kept to the microsecond.
pub fn read_instant(input: &Input) -> Result<DateTime<Utc>> {
    let refuse = || wrong("DateTime (RFC 3339, or epoch milliseconds)", input);
    let micros = if let Input::String(text) = input {
        DateTime::parse_from_rfc3339(text).map_err(|_malformed| refuse())?.timestamp_micros()
    } else {
        let millis = read_int(input).map_err(|_not_a_number| refuse())?;
        millis.checked_mul(1_000).ok_or_else(refuse)?
    };
    // Also makes a leap second the second that follows it, as PostgreSQL does.
    DateTime::from_timestamp_micros(micros)
        .filter(|instant| (1..=9999).contains(&instant.year()))
        .ok_or_else(refuse)
}

pub fn read_enum(of: &'static EnumType, input: &Input) -> Result<&'static str> {
    read_name(input).and_then(|shown| of.stored(shown)).ok_or_else(|| wrong(of.name, input))
}

/// The name of an enum value, in a document or as a variable has it.
pub fn read_name(input: &Input) -> Option<&str> {
    if let Input::Enum(name) = input {
        return Some(name.as_str());
    }
    if let Input::String(text) = input { Some(text) } else { None }
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
                if key.starts_with(RAW_TOKENS) || key.contains('\0') {
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
    if let Input::List(items) = input { items } else { std::slice::from_ref(input) }
}
