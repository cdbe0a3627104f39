//! Dates and times as files have them -> calendar dates and instants.

use chrono::format::{Fixed, Item, Numeric, StrftimeItems};
use chrono::{DateTime, Datelike, LocalResult, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta};
use chrono::{Offset, TimeZone, Utc};
use chrono_tz::Tz;

use crate::error::{Error, Result, say};

/// A strftime format, and what it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Format {
    text: String,
    has_time: bool,
    has_offset: bool,
}

impl Format {
    /// Nothing when the text is no format, or has no day.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut format = Self { text: text.to_owned(), has_time: false, has_offset: false };
        let mut has_day = false;
        for item in StrftimeItems::new(text) {
            match item {
                Item::Error => return None,
                Item::Numeric(Numeric::Day | Numeric::Ordinal, _) => has_day = true,
                Item::Numeric(Numeric::Hour | Numeric::Hour12, _) => format.has_time = true,
                Item::Numeric(Numeric::Timestamp, _) | Item::Fixed(Fixed::RFC3339) => {
                    (has_day, format.has_time, format.has_offset) = (true, true, true);
                }
                Item::Fixed(
                    Fixed::TimezoneOffset
                    | Fixed::TimezoneOffsetZ
                    | Fixed::TimezoneOffsetColon
                    | Fixed::TimezoneOffsetColonZ
                    | Fixed::TimezoneOffsetDoubleColon
                    | Fixed::TimezoneOffsetTripleColon
                    | Fixed::RFC2822,
                ) => format.has_offset = true,
                Item::Numeric(..)
                | Item::Fixed(_)
                | Item::Literal(_)
                | Item::OwnedLiteral(_)
                | Item::Space(_)
                | Item::OwnedSpace(_) => {}
            }
        }
        has_day.then_some(format)
    }
}

/// What a text says about time.
enum Moment {
    Day(NaiveDate),
    Local(NaiveDateTime),
    Instant(DateTime<Utc>),
}

/// The calendar date: as written, or the day that an instant has in the tenant's zone.
pub(super) fn date(
    text: &str,
    format: Option<&Format>,
    zone: Tz,
    tenant_zone: Tz,
) -> Result<NaiveDate> {
    let date = match read(text, format)? {
        Moment::Day(day) => day,
        Moment::Local(local) => resolve(local, zone).with_timezone(&tenant_zone).date_naive(),
        Moment::Instant(instant) => instant.with_timezone(&tenant_zone).date_naive(),
    };
    in_range(text, date)
}

/// The instant; local times are those of `zone`, and a date is the beginning of its day there.
pub(super) fn instant(text: &str, format: Option<&Format>, zone: Tz) -> Result<DateTime<Utc>> {
    let instant = match read(text, format)? {
        Moment::Day(day) => resolve(day.and_time(NaiveTime::MIN), zone),
        Moment::Local(local) => resolve(local, zone),
        Moment::Instant(instant) => instant,
    };
    in_range(text, instant.date_naive())?;
    let whole = chrono::DurationRound::duration_trunc(instant, TimeDelta::microseconds(1));
    Ok(whole.unwrap_or(instant))
}

fn in_range(text: &str, date: NaiveDate) -> Result<NaiveDate> {
    if (1..=9998).contains(&date.year()) { Ok(date) } else { Err(wrong(text, None)) }
}

fn read(text: &str, format: Option<&Format>) -> Result<Moment> {
    let Some(format) = format else {
        return read_iso(text).ok_or_else(|| wrong(text, None));
    };
    let pattern = format.text.as_str();
    let moment = if format.has_offset {
        DateTime::parse_from_str(text, pattern).ok().map(|at| Moment::Instant(at.to_utc()))
    } else if format.has_time {
        NaiveDateTime::parse_from_str(text, pattern).ok().map(Moment::Local)
    } else {
        NaiveDate::parse_from_str(text, pattern).ok().map(Moment::Day)
    };
    moment.ok_or_else(|| wrong(text, Some(pattern)))
}

/// What needs no format: ISO 8601 with or without time and offset.
fn read_iso(text: &str) -> Option<Moment> {
    if let Ok(day) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        return Some(Moment::Day(day));
    }
    if let Ok(at) = DateTime::parse_from_rfc3339(text) {
        return Some(Moment::Instant(at.to_utc()));
    }
    ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M"]
        .iter()
        .find_map(|pattern| NaiveDateTime::parse_from_str(text, pattern).ok())
        .map(Moment::Local)
}

/// A time that comes twice in a year is its first; one that a change of clocks leaves out is as much
/// later as the clocks were moved (midnight does not exist on some days in São Paulo).
fn resolve(local: NaiveDateTime, zone: Tz) -> DateTime<Utc> {
    match zone.from_local_datetime(&local) {
        LocalResult::Single(at) => at.to_utc(),
        LocalResult::Ambiguous(first, _) => first.to_utc(),
        LocalResult::None => {
            let day_before = (local - TimeDelta::days(1)).and_utc();
            let offset = zone.offset_from_utc_datetime(&day_before.naive_utc()).fix();
            (local - TimeDelta::seconds(i64::from(offset.local_minus_utc()))).and_utc()
        }
    }
}

fn wrong(text: &str, pattern: Option<&str>) -> Error {
    let shown: String = text.chars().take(60).collect();
    let pattern = pattern.unwrap_or("%Y-%m-%d");
    Error::invalid(say(
        format!("\"{shown}\" is not a date of the form {pattern}"),
        format!("\"{shown}\" não é uma data no formato {pattern}"),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAO_PAULO: Tz = chrono_tz::America::Sao_Paulo;

    fn format(text: &str) -> Format {
        Format::parse(text).unwrap()
    }

    fn at(text: &str, pattern: &str, zone: Tz) -> String {
        instant(text, Some(&format(pattern)), zone).unwrap().to_rfc3339()
    }

    #[test]
    fn dates_are_read_by_their_format() {
        let american = format("%m/%d/%Y");
        let read = |text| date(text, Some(&american), Tz::UTC, SAO_PAULO);
        assert_eq!(read("3/1/2017").unwrap(), NaiveDate::from_ymd_opt(2017, 3, 1).unwrap());
        assert_eq!(read("10/20/2016").unwrap(), NaiveDate::from_ymd_opt(2016, 10, 20).unwrap());
        assert!(read("20/10/2016").is_err());
        assert!(read("2/30/2016").is_err());
        assert!(read("1/1/10000").is_err());
        assert!(date("2020-02-29", None, Tz::UTC, Tz::UTC).is_ok());
    }

    #[test]
    fn local_times_are_those_of_their_zone() {
        let brazilian = "%d-%m-%Y %H:%M";
        assert_eq!(at("26-02-2018 19:58", brazilian, Tz::UTC), "2018-02-26T19:58:00+00:00");
        assert_eq!(at("26-02-2018 19:58", brazilian, SAO_PAULO), "2018-02-26T22:58:00+00:00");
        assert_eq!(at("01-02-2018", "%d-%m-%Y", SAO_PAULO), "2018-02-01T02:00:00+00:00");
    }

    #[test]
    fn a_midnight_that_does_not_exist_is_the_first_moment_of_its_day() {
        assert_eq!(at("15-10-2017", "%d-%m-%Y", SAO_PAULO), "2017-10-15T03:00:00+00:00");
        // Clocks went back: 23:30 came twice, the first is meant.
        assert_eq!(
            at("17-02-2018 23:30", "%d-%m-%Y %H:%M", SAO_PAULO),
            "2018-02-18T01:30:00+00:00"
        );
    }

    #[test]
    fn the_day_of_an_instant_is_the_tenants() {
        let pattern = format("%d-%m-%Y %H:%M");
        let day = date("18-07-2018 02:30", Some(&pattern), Tz::UTC, SAO_PAULO).unwrap();
        assert_eq!(day, NaiveDate::from_ymd_opt(2018, 7, 17).unwrap());
    }

    #[test]
    fn an_offset_in_the_text_wins() {
        assert_eq!(
            at("2018-07-18 02:30 -0300", "%Y-%m-%d %H:%M %z", Tz::UTC),
            "2018-07-18T05:30:00+00:00"
        );
        assert_eq!(
            instant("2018-07-18T02:30:00.1234567Z", None, SAO_PAULO).unwrap().to_rfc3339(),
            "2018-07-18T02:30:00.123456+00:00"
        );
    }

    #[test]
    fn what_is_no_format_is_found_before_any_row() {
        assert!(Format::parse("%Q").is_none());
        assert!(Format::parse("%H:%M").is_none());
        assert!(Format::parse("%s").is_some());
    }
}
