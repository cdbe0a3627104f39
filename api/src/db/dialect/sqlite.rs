//! SQLite, bundled with the binary.

use std::fmt::Write as _;

use chrono::{DateTime, NaiveDate, Offset, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;

use super::Bucket;

pub(super) fn in_ids(column: &str, placeholder: &str) -> String {
    format!("{column} IN (SELECT unhex(value) FROM json_each({placeholder}))")
}

pub(super) fn in_list(column: &str, placeholder: &str) -> String {
    format!("{column} IN (SELECT value FROM json_each({placeholder}))")
}

/// Text like PostgreSQL's `#>>`: scalars as text, true and false in words, objects as JSON.
pub(super) fn json_text(column: &str, placeholder: &str) -> String {
    let path = existing_path(column, placeholder);
    format!(
        "(CASE json_type({column}, {path}) WHEN 'true' THEN 'true' WHEN 'false' THEN 'false' \
         WHEN 'null' THEN NULL ELSE CAST(json_extract({column}, {path}) AS TEXT) END)"
    )
}

pub(super) fn json_array_contains(column: &str, placeholder: &str, text: &str) -> String {
    let path = existing_path(column, placeholder);
    format!(
        "(json_type({column}, {path}) = 'array' AND EXISTS (SELECT 1 FROM \
         json_each({column}, {path}) WHERE json_each.type = 'text' AND json_each.value = {text}))"
    )
}

/// Two paths as a JSON array: a key that is a whole number is an index of a list in the first and
/// a key of an object in the second, because PostgreSQL takes it for either.
pub(super) fn json_paths(keys: &[String]) -> String {
    serde_json::json!([json_path(keys, true), json_path(keys, false)]).to_string()
}

/// The one of [`json_paths`] that leads somewhere.
fn existing_path(column: &str, placeholder: &str) -> String {
    format!(
        "(CASE WHEN json_type({column}, {placeholder} ->> 0) IS NULL \
         THEN {placeholder} ->> 1 ELSE {placeholder} ->> 0 END)"
    )
}

/// `$."a"."b"`, or `$."a"[0]` where whole numbers are indexes.
fn json_path(keys: &[String], indexes: bool) -> String {
    let mut path = "$".to_owned();
    for key in keys {
        if indexes && !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_digit()) {
            path.push('[');
            path.push_str(key);
            path.push(']');
        } else {
            path.push_str(".\"");
            path.push_str(&key.replace('\\', "\\\\").replace('"', "\\\""));
            path.push('"');
        }
    }
    path
}

pub(super) fn instant_bucket(column: &str, bucket: Bucket, zone: Tz) -> String {
    date_text(&format!("datetime({column}, {})", offset_expression(column, zone)), bucket)
}

pub(super) fn date_bucket(column: &str, bucket: Bucket) -> String {
    date_text(column, bucket)
}

fn date_text(local: &str, bucket: Bucket) -> String {
    match bucket {
        Bucket::Day => format!("date({local})"),
        // Back to the Monday: forward to the next Sunday (or today), then six days back.
        Bucket::Week => format!("date({local}, 'weekday 0', '-6 days')"),
        Bucket::Month => format!("date({local}, 'start of month')"),
        Bucket::Quarter => format!(
            "date({local}, 'start of month', \
             '-' || ((CAST(strftime('%m', {local}) AS INTEGER) - 1) % 3) || ' months')"
        ),
        Bucket::Year => format!("date({local}, 'start of year')"),
    }
}

/// SQLite knows no zones: the zone's offsets become a `CASE` over the instants at which they change,
/// newest first, because data is mostly recent.
fn offset_expression(column: &str, zone: Tz) -> String {
    let changes = offset_changes(zone);
    let mut expression = "CASE".to_owned();
    for (from, seconds) in changes.iter().rev() {
        let written = write!(
            expression,
            " WHEN {column} >= '{}' THEN '{seconds:+} seconds'",
            from.to_rfc3339_opts(chrono::SecondsFormat::Secs, false)
        );
        debug_assert!(written.is_ok(), "writing to a String cannot fail");
    }
    expression.push_str(" ELSE '+0 seconds' END");
    expression
}

/// Instants from which an offset (seconds east of UTC) holds, 1900 to 2100. Found by looking at
/// every week and halving where the offset differs at its ends.
fn offset_changes(zone: Tz) -> Vec<(DateTime<Utc>, i32)> {
    let year_start = |year| {
        NaiveDate::from_ymd_opt(year, 1, 1)
            .and_then(|date| date.and_hms_opt(0, 0, 0))
            .map(|local| local.and_utc())
            .unwrap_or_default()
    };
    let offset_at =
        |at: DateTime<Utc>| zone.offset_from_utc_datetime(&at.naive_utc()).fix().local_minus_utc();
    let (start, end) = (year_start(1900), year_start(2100));
    let mut offset = offset_at(start);
    let mut changes = vec![(start, offset)];
    let mut at = start;
    while at < end {
        let next = at + TimeDelta::days(7);
        let next_offset = offset_at(next);
        if next_offset != offset {
            let (mut before, mut after) = (at.timestamp(), next.timestamp());
            while after - before > 1 {
                let middle = before + (after - before) / 2;
                let seen = DateTime::from_timestamp(middle, 0).map_or(offset, offset_at);
                if seen == offset {
                    before = middle;
                } else {
                    after = middle;
                }
            }
            if let Some(from) = DateTime::from_timestamp(after, 0) {
                changes.push((from, next_offset));
            }
            offset = next_offset;
        }
        at = next;
    }
    changes
}

pub(super) fn contains_indexed(table: &str, alias: &str, placeholder: &str) -> String {
    format!(
        "{alias}.seq IN (SELECT rowid FROM {table}_search WHERE {table}_search MATCH {placeholder})"
    )
}
