//! SQLite, bundled with the binary.

use chrono::{DateTime, Offset, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;

use super::{Bucket, ZONES_FROM, ZONES_TO, offset_at_year};
use crate::db::Value;

pub(super) fn in_ids(column: &str, placeholder: &str) -> String {
    format!("{column} IN (SELECT unhex(value) FROM json_each({placeholder}))")
}

pub(super) fn in_list(column: &str, placeholder: &str) -> String {
    format!("{column} IN (SELECT value FROM json_each({placeholder}))")
}

/// Text like PostgreSQL's `#>>`: true and false in words, numbers with the digits that were stored
/// (as an SQL value, SQLite keeps 15 of them).
pub(super) fn json_text(column: &str, placeholder: &str) -> String {
    let path = existing_path(column, placeholder);
    format!(
        "(CASE json_type({column}, {path}) WHEN 'text' THEN json_extract({column}, {path}) \
         WHEN 'true' THEN 'true' WHEN 'false' THEN 'false' WHEN 'integer' THEN {column} -> {path} \
         WHEN 'real' THEN {column} -> {path} END)"
    )
}

pub(super) fn json_exists(column: &str, placeholder: &str) -> String {
    let path = existing_path(column, placeholder);
    format!("coalesce(json_type({column}, {path}), 'null') <> 'null'")
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
/// halved at each step, because a zone with summer time has some four hundred of them.
fn offset_expression(column: &str, zone: Tz) -> String {
    halved(column, &offset_changes(zone))
}

fn halved(column: &str, changes: &[(DateTime<Utc>, i32)]) -> String {
    let (earlier, later) = changes.split_at(changes.len() / 2);
    match (earlier, later) {
        (_, []) => "'+0 seconds'".to_owned(),
        // The first holds for everything before it too.
        ([], [(_, seconds), ..]) => format!("'{seconds:+} seconds'"),
        (_, [(from, _), ..]) => format!(
            "CASE WHEN {column} >= '{}' THEN {} ELSE {} END",
            from.to_rfc3339_opts(chrono::SecondsFormat::Secs, false),
            halved(column, later),
            halved(column, earlier)
        ),
    }
}

/// Instants from which an offset (seconds east of UTC) holds. Found by looking at every week and
/// halving where the offset differs at its ends.
fn offset_changes(zone: Tz) -> Vec<(DateTime<Utc>, i32)> {
    let offset_at =
        |at: DateTime<Utc>| zone.offset_from_utc_datetime(&at.naive_utc()).fix().local_minus_utc();
    let (start, mut offset) = offset_at_year(zone, ZONES_FROM);
    let (end, _) = offset_at_year(zone, ZONES_TO);
    let mut changes = vec![(start, offset)];
    let mut at = start;
    while at < end {
        let next = (at + TimeDelta::days(7)).min(end);
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

/// A text as FTS5 wants to be asked for it.
pub(super) fn phrase(folded: &str) -> String {
    format!("\"{}\"", folded.replace('"', "\"\""))
}

/// One look into the index: it joins the groups itself, in the order of rows.
pub(super) fn contains_one_of_each(
    table: &str,
    alias: &str,
    groups: &[Vec<&str>],
    bind: &mut dyn FnMut(Value) -> String,
) -> String {
    let placeholder = bind(one_of_each(groups));
    contains_indexed(table, alias, &placeholder)
}

/// Joined, and in this order: a sub-query would be gathered whole before its first row is looked at.
pub(super) fn searched(
    table: &str,
    alias: &str,
    groups: &[Vec<&str>],
    bind: &mut dyn FnMut(Value) -> String,
) -> (String, String) {
    let from =
        format!("{table}_search CROSS JOIN {table} {alias} ON {alias}.seq = {table}_search.rowid");
    (from, format!("{table}_search MATCH {}", bind(one_of_each(groups))))
}

fn one_of_each(groups: &[Vec<&str>]) -> Value {
    let groups = groups.iter().map(|group| {
        let phrases: Vec<String> = group.iter().map(|text| phrase(text)).collect();
        format!("({})", phrases.join(" OR "))
    });
    Value::Text(groups.collect::<Vec<_>>().join(" AND "))
}

pub(super) fn contains_indexed(table: &str, alias: &str, placeholder: &str) -> String {
    format!(
        "{alias}.seq IN (SELECT rowid FROM {table}_search WHERE {table}_search MATCH {placeholder})"
    )
}
