//! What rows are grouped by: fields, and periods of dates and instants.

use async_graphql::Value as Input;
use chrono::{NaiveDate, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;

use super::GroupKey;
use crate::db::NullOf;
use crate::db::dialect::Bucket;
use crate::error::{Error, Result, say};
use crate::record::declare::Record;
use crate::record::input;
use crate::record::kind::Kind;
use crate::record::sql::Sql;

impl GroupKey {
    pub(super) fn bind(&self) -> NullOf {
        if self.bucket.is_some() { NullOf::Text } else { self.field.kind.bind() }
    }

    pub(super) fn sql(&self, sql: &Sql) -> String {
        let column = format!("t0.{}", self.field.column);
        match (&self.bucket, self.field.kind) {
            (Some((bucket, _)), Kind::Date) => sql.dialect.date_bucket(&column, *bucket),
            (Some((bucket, zone)), _) => sql.dialect.instant_bucket(&column, *bucket, *zone),
            (None, _) => column,
        }
    }
}

pub(super) fn read_key(
    record: &'static Record,
    input: &Input,
    tenant_zone: Tz,
) -> Result<GroupKey> {
    let Input::Object(entries) = input else {
        return Err(Error::invalid(say("expected an object", "esperava um objeto")));
    };
    let text = |name: &str| entries.get(name).and_then(input::read_name);
    let name = text("field").unwrap_or_default();
    let field =
        record.fields.iter().find(|field| field.group && field.enum_name() == name).ok_or_else(
            || {
                Error::invalid(say(
                    format!("{} cannot be grouped by {name}", record.name),
                    format!("{} não pode ser agrupado por {name}", record.name),
                ))
            },
        )?;
    let zone = match text("timeZone") {
        None => tenant_zone,
        Some(name) => name.parse::<Tz>().map_err(|_unknown| {
            Error::invalid_field(
                "timeZone",
                say(
                    format!("unknown time zone {name}: use an IANA name"),
                    format!("fuso desconhecido {name}: use um nome IANA"),
                ),
            )
        })?,
    };
    let temporal = matches!(field.kind, Kind::Date | Kind::Instant);
    if text("timeZone").is_some() && !temporal {
        return Err(Error::invalid_field(
            "timeZone",
            say("only dates have a time zone", "só datas têm fuso horário"),
        ));
    }
    let bucket = match text("bucket") {
        None if temporal => Some((Bucket::Day, zone)),
        None => None,
        Some(_) if !temporal => {
            return Err(Error::invalid_field(
                "bucket",
                say("only dates have buckets", "só datas têm períodos"),
            ));
        }
        Some(name) => Bucket::ALL
            .into_iter()
            .find(|bucket| bucket.graphql_name() == name)
            .map(|bucket| (bucket, zone)),
    };
    Ok(GroupKey { field, bucket })
}

/// The first instant of a calendar day in a zone: midnight, or where the clock was put forward at
/// midnight, the first time that exists.
pub fn first_instant_of(date: NaiveDate, zone: Tz) -> chrono::DateTime<Utc> {
    let midnight = date.and_time(chrono::NaiveTime::MIN);
    for quarter in 0..=100 {
        let local = midnight + TimeDelta::minutes(15 * quarter);
        if let Some(at) = zone.from_local_datetime(&local).earliest() {
            return at.with_timezone(&Utc);
        }
    }
    midnight.and_utc()
}
