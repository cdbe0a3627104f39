//! PostgreSQL 15 and newer.

use chrono::{DateTime, SecondsFormat, Utc};
use chrono_tz::Tz;

use super::{Bucket, ZONES_FROM, ZONES_TO, escape_like, offset_at_year};
use crate::db::Value;

pub(super) fn in_list(column: &str, placeholder: &str) -> String {
    format!("{column} = ANY({placeholder})")
}

pub(super) fn json_text(column: &str, placeholder: &str) -> String {
    format!(
        "(CASE WHEN jsonb_typeof({column} #> {placeholder}) NOT IN ('object', 'array') \
         THEN {column} #>> {placeholder} END)"
    )
}

pub(super) fn instant_bucket(column: &str, bucket: Bucket, zone: Tz) -> String {
    let (from, before) = offset_at_year(zone, ZONES_FROM);
    let (to, after) = offset_at_year(zone, ZONES_TO);
    let at = |instant: DateTime<Utc>| instant.to_rfc3339_opts(SecondsFormat::Secs, false);
    // Zone names come from the IANA list that chrono-tz knows, never from the request.
    let local = format!(
        "(CASE WHEN {column} < '{}' THEN {column} AT TIME ZONE 'UTC' + interval '{before} seconds' \
         WHEN {column} >= '{}' THEN {column} AT TIME ZONE 'UTC' + interval '{after} seconds' \
         ELSE {column} AT TIME ZONE '{}' END)",
        at(from),
        at(to),
        zone.name()
    );
    date_text(&local, bucket)
}

pub(super) fn date_bucket(column: &str, bucket: Bucket) -> String {
    date_text(&format!("{column}::timestamp"), bucket)
}

fn date_text(timestamp: &str, bucket: Bucket) -> String {
    let unit = match bucket {
        Bucket::Day => "day",
        Bucket::Week => "week",
        Bucket::Month => "month",
        Bucket::Quarter => "quarter",
        Bucket::Year => "year",
    };
    format!("to_char(date_trunc('{unit}', {timestamp}), 'YYYY-MM-DD') COLLATE \"C\"")
}

pub(super) fn contains_indexed(alias: &str, placeholder: &str) -> String {
    format!("{alias}.search_text LIKE {placeholder}")
}

/// The LIKE pattern of a text that stands anywhere.
pub(super) fn contains(folded: &str) -> String {
    format!("%{}%", escape_like(folded))
}

pub(super) fn contains_one_of_each(
    alias: &str,
    groups: &[Vec<&str>],
    bind: &mut dyn FnMut(Value) -> String,
) -> String {
    let groups = groups.iter().map(|group| {
        let texts = group.iter().map(|text| {
            let placeholder = bind(Value::Text(contains(text)));
            contains_indexed(alias, &placeholder)
        });
        format!("({})", texts.collect::<Vec<_>>().join(" OR "))
    });
    groups.collect::<Vec<_>>().join(" AND ")
}
