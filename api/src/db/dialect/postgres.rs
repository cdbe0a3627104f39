//! PostgreSQL 15 and newer.

use chrono_tz::Tz;

use super::Bucket;

pub(super) fn in_list(column: &str, placeholder: &str) -> String {
    format!("{column} = ANY({placeholder})")
}

pub(super) fn json_text(column: &str, placeholder: &str) -> String {
    format!("({column} #>> {placeholder})")
}

pub(super) fn instant_bucket(column: &str, bucket: Bucket, zone: Tz) -> String {
    // Zone names come from the IANA list that chrono-tz knows, never from the request.
    date_text(&format!("({column} AT TIME ZONE '{}')", zone.name()), bucket)
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
