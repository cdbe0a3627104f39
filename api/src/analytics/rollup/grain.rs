//! The sizes of buckets that are kept: minutes for two days, and quarters of an hour, hours and days
//! for good. Hours spare whoever asks for a month by the hour three quarters of the rows; zones that
//! are not whole hours from UTC are made of the quarters.

use chrono::{DateTime, Days, NaiveTime, TimeDelta, TimeZone as _, Utc};
use chrono_tz::Tz;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Grain {
    Minute,
    Quarter,
    Hour,
    /// Of the zone that the tenant's days are kept in.
    Day,
}

impl Grain {
    pub const ALL: [Self; 4] = [Self::Minute, Self::Quarter, Self::Hour, Self::Day];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Minute => "minute",
            Self::Quarter => "quarter",
            Self::Hour => "hour",
            Self::Day => "day",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|grain| grain.as_str() == text)
    }

    /// The beginning of the bucket that `at` falls into.
    pub fn start_of(self, at: DateTime<Utc>, days_of: Tz) -> DateTime<Utc> {
        let floor = |seconds: i64| {
            let start = at.timestamp().div_euclid(seconds) * seconds;
            DateTime::from_timestamp(start, 0).unwrap_or(at)
        };
        match self {
            Self::Minute => floor(60),
            Self::Quarter => floor(15 * 60),
            Self::Hour => floor(60 * 60),
            Self::Day => day_start(at.with_timezone(&days_of).date_naive(), days_of),
        }
    }
}

/// The first instant of a calendar day: midnight, or the end of the gap where there is no midnight.
pub fn day_start(day: chrono::NaiveDate, zone: Tz) -> DateTime<Utc> {
    let midnight = day.and_time(NaiveTime::MIN);
    if let Some(start) = zone.from_local_datetime(&midnight).earliest() {
        return start.with_timezone(&Utc);
    }
    // Clocks were put forward over midnight: the day begins when they were. No gap is longer than a
    // day, and all are whole minutes.
    let minutes = (1..=24 * 60).map(|minute| midnight + TimeDelta::minutes(minute));
    let first = minutes.filter_map(|local| zone.from_local_datetime(&local).earliest()).next();
    first.map_or_else(|| midnight.and_utc(), |start| start.with_timezone(&Utc))
}

/// The first instant of the day after.
pub fn next_day(start: DateTime<Utc>, zone: Tz) -> DateTime<Utc> {
    let day = start.with_timezone(&zone).date_naive();
    day_start(day.checked_add_days(Days::new(1)).unwrap_or(day), zone)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn buckets_begin_where_clocks_say() {
        let when = at("2026-03-10T02:44:59.999Z");
        let zone = Tz::America__Sao_Paulo;
        assert_eq!(Grain::Minute.start_of(when, zone), at("2026-03-10T02:44:00Z"));
        assert_eq!(Grain::Quarter.start_of(when, zone), at("2026-03-10T02:30:00Z"));
        assert_eq!(Grain::Hour.start_of(when, zone), at("2026-03-10T02:00:00Z"));
        assert_eq!(Grain::Day.start_of(when, zone), at("2026-03-09T03:00:00Z"));
    }

    #[test]
    fn a_day_without_midnight_begins_after_the_gap() {
        // Summer time began at midnight of 4 November 2018 in São Paulo.
        let zone = Tz::America__Sao_Paulo;
        let start = Grain::Day.start_of(at("2018-11-04T12:00:00Z"), zone);
        assert_eq!(start, at("2018-11-04T03:00:00Z"));
        assert_eq!(next_day(start, zone), at("2018-11-05T02:00:00Z"));
        // Samoa left out 30 December 2011: the 29th is followed by the 31st.
        let apia = Tz::Pacific__Apia;
        let before = Grain::Day.start_of(at("2011-12-29T20:00:00Z"), apia);
        assert_eq!(before, at("2011-12-29T10:00:00Z"));
        assert_eq!(next_day(before, apia), at("2011-12-30T10:00:00Z"));
    }
}
