//! One value -> JSON text.

use chrono::{DateTime, NaiveDate, Utc};
use sqlx::Row as _;
use uuid::Uuid;

use crate::db::{POSTGRES_EPOCH_DAYS, POSTGRES_EPOCH_MICROS, Row, Value};
use crate::error::{Error, Result};
use crate::record::kind::Kind;

const MICROS_PER_SECOND: i64 = 1_000_000;
const SECONDS_PER_DAY: i64 = 86_400;

/// Writes column `index` of a row as `kind`.
pub(super) fn write_column(
    out: &mut Vec<u8>,
    row: &Row,
    index: usize,
    kind: Kind,
    currency: Option<usize>,
) -> Result<()> {
    match row {
        Row::Postgres(_) | Row::Pipelined(_) => {
            let Some(bytes) = row.bytes(index)? else {
                out.extend_from_slice(b"null");
                return Ok(());
            };
            if let (Kind::Money { .. }, Some(currency)) = (kind, currency) {
                let currency = text_of(row.bytes(currency)?.unwrap_or_default())?;
                push_money(out, crate::db::int_from_bytes(bytes)?, currency);
                return Ok(());
            }
            write_postgres(out, bytes, kind)
        }
        Row::Sqlite(_) => write_sqlite(out, row, index, kind, currency),
        Row::Computed(values) => match values.get(index) {
            Some(value) => {
                let currency = match currency.and_then(|index| values.get(index)) {
                    Some(Value::Text(code)) => code.as_str(),
                    _ => "BRL",
                };
                write_value(out, value, kind, currency)
            }
            None => Err(Error::internal("a computed row is too short")),
        },
    }
}

fn write_postgres(out: &mut Vec<u8>, bytes: &[u8], kind: Kind) -> Result<()> {
    match kind {
        Kind::Id => {
            let id = Uuid::from_slice(bytes).map_err(Error::internal)?;
            push_id(out, id);
        }
        Kind::Text | Kind::Code => push_bytes(out, bytes),
        Kind::Enum(of) => push_enum(out, of, text_of(bytes)?),
        Kind::Int | Kind::Money { .. } => push_int(out, crate::db::int_from_bytes(bytes)?),
        Kind::Float => return Err(Error::internal("no column holds a float")),
        Kind::Bool => push_bool(out, bytes.first().is_some_and(|byte| *byte != 0)),
        Kind::Date => {
            push_date(out, crate::db::int_from_bytes(bytes)? + POSTGRES_EPOCH_DAYS);
        }
        Kind::Instant => {
            push_instant(out, crate::db::int_from_bytes(bytes)? + POSTGRES_EPOCH_MICROS);
        }
        // jsonb is sent as a version byte and text.
        Kind::Json => match bytes.split_first() {
            Some((1, text)) => out.extend_from_slice(text),
            _ => return Err(Error::internal("unknown jsonb version")),
        },
    }
    Ok(())
}

fn write_sqlite(
    out: &mut Vec<u8>,
    row: &Row,
    index: usize,
    kind: Kind,
    currency: Option<usize>,
) -> Result<()> {
    let Row::Sqlite(sqlite) = row else {
        return Err(Error::internal("not a SQLite row"));
    };
    if row.is_null(index)? {
        out.extend_from_slice(b"null");
        return Ok(());
    }
    let text = || sqlite.try_get_unchecked::<&str, _>(index).map_err(Error::internal);
    let int = || sqlite.try_get_unchecked::<i64, _>(index).map_err(Error::internal);
    match kind {
        Kind::Id => {
            let bytes: &[u8] = sqlite.try_get_unchecked(index).map_err(Error::internal)?;
            push_id(out, Uuid::from_slice(bytes).map_err(Error::internal)?);
        }
        Kind::Text | Kind::Code => push_text(out, text()?),
        Kind::Enum(of) => push_enum(out, of, text()?),
        Kind::Int => push_int(out, int()?),
        Kind::Float => return Err(Error::internal("no column holds a float")),
        Kind::Money { .. } => {
            let currency = match currency {
                Some(index) => {
                    sqlite.try_get_unchecked::<&str, _>(index).map_err(Error::internal)?
                }
                None => "BRL",
            };
            push_money(out, int()?, currency);
        }
        Kind::Bool => push_bool(out, int()? != 0),
        Kind::Date => push_text(out, text()?),
        Kind::Instant => match text()?.strip_suffix("+00:00") {
            // As we store it: only the zone is written differently.
            Some(local) => {
                out.push(b'"');
                out.extend_from_slice(local.as_bytes());
                out.extend_from_slice(b"Z\"");
            }
            None => {
                let at: DateTime<Utc> = sqlite.try_get_unchecked(index).map_err(Error::internal)?;
                push_instant(out, at.timestamp_micros());
            }
        },
        Kind::Json => out.extend_from_slice(text()?.as_bytes()),
    }
    Ok(())
}

/// Writes a value that is not from a row; `currency` is used by money.
pub fn write_value(out: &mut Vec<u8>, value: &Value, kind: Kind, currency: &str) -> Result<()> {
    match value {
        Value::Null(_) => out.extend_from_slice(b"null"),
        Value::Id(id) => push_id(out, *id),
        Value::Text(text) => {
            if let Kind::Enum(of) = kind {
                push_enum(out, of, text);
            } else {
                push_text(out, text);
            }
        }
        Value::Int(number) if matches!(kind, Kind::Money { .. }) => {
            push_money(out, *number, currency);
        }
        Value::Int(number) => push_int(out, *number),
        Value::Float(number) => push_float(out, *number),
        Value::Bool(value) => push_bool(out, *value),
        Value::Instant(at) => push_instant(out, at.timestamp_micros()),
        Value::Date(date) => push_naive_date(out, *date),
        Value::Json(json) => out.extend_from_slice(json.to_string().as_bytes()),
        Value::Ids(_)
        | Value::Texts(_)
        | Value::Ints(_)
        | Value::Bools(_)
        | Value::Dates(_)
        | Value::Instants(_) => return Err(Error::internal("a list is not a column")),
    }
    Ok(())
}

fn text_of(bytes: &[u8]) -> Result<&str> {
    std::str::from_utf8(bytes).map_err(Error::internal)
}

fn push_id(out: &mut Vec<u8>, id: Uuid) {
    out.push(b'"');
    let mut buffer = Uuid::encode_buffer();
    out.extend_from_slice(id.hyphenated().encode_lower(&mut buffer).as_bytes());
    out.push(b'"');
}

fn push_enum(out: &mut Vec<u8>, of: &'static crate::record::EnumType, stored: &str) {
    // A value that the declaration lacks is shown as it is stored rather than lost; the check
    // constraint and the schema test keep the two lists equal.
    push_text(out, of.shown(stored).unwrap_or(stored));
}

pub fn push_int(out: &mut Vec<u8>, number: i64) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

/// JSON has no infinities: they are null.
pub fn push_float(out: &mut Vec<u8>, number: f64) {
    match serde_json::Number::from_f64(number) {
        Some(number) => out.extend_from_slice(number.to_string().as_bytes()),
        None => out.extend_from_slice(b"null"),
    }
}

pub fn push_bool(out: &mut Vec<u8>, value: bool) {
    out.extend_from_slice(if value { b"true" } else { b"false" });
}

/// Hundredths as Decimal text, `"1054.00"`; currencies without minor units without decimals.
pub fn push_money(out: &mut Vec<u8>, hundredths: i64, currency: &str) {
    out.push(b'"');
    if hundredths < 0 {
        out.push(b'-');
    }
    let absolute = hundredths.unsigned_abs();
    out.extend_from_slice(itoa::Buffer::new().format(absolute / 100).as_bytes());
    if !entity::value::currency::has_no_minor_unit(currency) {
        out.push(b'.');
        push_two(out, absolute % 100);
    }
    out.push(b'"');
}

/// `"2026-03-01"` from days since 1970-01-01.
pub fn push_date(out: &mut Vec<u8>, days: i64) {
    out.push(b'"');
    push_civil(out, days);
    out.push(b'"');
}

fn push_naive_date(out: &mut Vec<u8>, date: NaiveDate) {
    push_date(out, date.signed_duration_since(NaiveDate::default()).num_days());
}

/// `"2026-03-01T12:00:00Z"` from microseconds since 1970; a fraction of 3 or 6 digits where there
/// is one.
pub fn push_instant(out: &mut Vec<u8>, micros: i64) {
    let seconds = micros.div_euclid(MICROS_PER_SECOND);
    let fraction = micros.rem_euclid(MICROS_PER_SECOND).unsigned_abs();
    let second_of_day = seconds.rem_euclid(SECONDS_PER_DAY).unsigned_abs();
    out.push(b'"');
    push_civil(out, seconds.div_euclid(SECONDS_PER_DAY));
    out.push(b'T');
    push_two(out, second_of_day / 3600);
    out.push(b':');
    push_two(out, second_of_day / 60 % 60);
    out.push(b':');
    push_two(out, second_of_day % 60);
    if fraction != 0 {
        out.push(b'.');
        push_digit(out, fraction / 100_000);
        push_two(out, fraction / 1_000 % 100);
        if !fraction.is_multiple_of(1_000) {
            push_digit(out, fraction / 100 % 10);
            push_two(out, fraction % 100);
        }
    }
    out.extend_from_slice(b"Z\"");
}

/// Year, month and day of a day number, by the era method of Howard Hinnant's
/// "chrono-Compatible Low-Level Date Algorithms".
fn push_civil(out: &mut Vec<u8>, days: i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let year = year.unsigned_abs();
    push_two(out, year / 100 % 100);
    push_two(out, year % 100);
    out.push(b'-');
    push_two(out, month.unsigned_abs());
    out.push(b'-');
    push_two(out, day.unsigned_abs());
}

fn push_two(out: &mut Vec<u8>, number: u64) {
    push_digit(out, number / 10);
    push_digit(out, number % 10);
}

fn push_digit(out: &mut Vec<u8>, digit: u64) {
    out.push(b'0' + u8::try_from(digit % 10).unwrap_or_default());
}

/// A JSON string.
pub fn push_text(out: &mut Vec<u8>, text: &str) {
    push_bytes(out, text.as_bytes());
}

/// As [`push_text`], of a text whose encoding is looked at later.
fn push_bytes(out: &mut Vec<u8>, text: &[u8]) {
    let is_special = |byte: &u8| *byte < 0x20 || *byte == b'"' || *byte == b'\\';
    out.push(b'"');
    // To the end even where one was found: so they are looked at many at a time.
    if !text.iter().fold(false, |found, byte| found | is_special(byte)) {
        out.extend_from_slice(text);
        out.push(b'"');
        return;
    }
    let mut rest = text;
    while let Some(place) = rest.iter().position(is_special) {
        let (plain, tail) = rest.split_at(place);
        out.extend_from_slice(plain);
        let Some((special, tail)) = tail.split_first() else { break };
        match special {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            control => out.extend_from_slice(format!("\\u{control:04x}").as_bytes()),
        }
        rest = tail;
    }
    out.extend_from_slice(rest);
    out.push(b'"');
}

/// What a masked field shows: the first character, and the domain of an e-mail.
pub(super) fn mask(text: &str) -> String {
    let first: String = text.chars().take(1).collect();
    match text.rsplit_once('@') {
        Some((_, domain)) => format!("{first}***@{domain}"),
        None => format!("{first}***"),
    }
}
