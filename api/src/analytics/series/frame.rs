//! The buckets of an answer: where each begins, and of which kept ones it is made.

use chrono::{DateTime, Datelike, Days, Months, NaiveDate, TimeDelta, Timelike, Utc};
use chrono_tz::Tz;

use crate::analytics::rollup::grain::{Grain, day_start};
use crate::analytics::rollup::kept::Stored;
use crate::error::{Error, Result, say};
use crate::limits;

const QUARTER: i64 = 15 * 60;
const HOUR: i64 = 60 * 60;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Granularity {
    /// Minutes of the last two days.
    Realtime,
    Hourly,
    Daily,
    /// ISO weeks, from Monday on.
    Weekly,
    Monthly,
}

impl Granularity {
    pub(super) const ALL: [Self; 5] =
        [Self::Realtime, Self::Hourly, Self::Daily, Self::Weekly, Self::Monthly];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Realtime => "realtime",
            Self::Hourly => "hourly",
            Self::Daily => "daily",
            Self::Weekly => "weekly",
            Self::Monthly => "monthly",
        }
    }
}

/// Whole buckets, one after the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Frame {
    /// Where each begins.
    pub(super) starts: Vec<DateTime<Utc>>,
    /// Where the last one ends.
    pub(super) end: DateTime<Utc>,
    /// What they are made of.
    pub(super) grain: Grain,
}

impl Frame {
    /// All buckets as one.
    pub(super) fn whole(&self) -> Self {
        let starts = self.starts.first().copied().into_iter().collect();
        Self { starts, end: self.end, grain: self.grain }
    }

    /// Whether all buckets of a stored row are among them.
    pub(super) fn holds(&self, stored: &Stored) -> bool {
        self.starts.first().is_some_and(|first| *first <= stored.from) && stored.to <= self.end
    }

    /// Where each bucket ends.
    pub(super) fn ends(&self) -> Vec<DateTime<Utc>> {
        self.starts.iter().skip(1).copied().chain([self.end]).collect()
    }

    /// The bucket that an instant falls into.
    pub(super) fn bucket_of(&self, at: DateTime<Utc>) -> Option<usize> {
        if at >= self.end {
            return None;
        }
        self.starts.partition_point(|start| *start <= at).checked_sub(1)
    }
}

/// The buckets that the span touches, each whole. `day_zone` is the zone whose days are kept.
///
/// # Errors
///
/// `INVALID` for a span that ends before it begins, or a zone whose clocks stood beside quarters of an
/// hour then; `LIMIT_EXCEEDED` for too many buckets.
pub(super) fn frame(
    granularity: Granularity,
    zone: Tz,
    (from, to): (DateTime<Utc>, DateTime<Utc>),
    day_zone: Option<Tz>,
) -> Result<Frame> {
    if from >= to {
        let message = say("from must be before to", "from deve vir antes de to");
        return Err(Error::invalid_field("from", message));
    }
    let mut starts = vec![start_of(granularity, from, zone)];
    let mut last = start_of(granularity, from, zone);
    let end = loop {
        let next = next_of(granularity, last, zone);
        if next >= to {
            break next;
        }
        if starts.len() >= limits::SERIES_BUCKETS_MAX {
            return Err(too_many());
        }
        starts.push(next);
        last = next;
    };
    let aligned = |seconds: i64| {
        starts.iter().chain([&end]).all(|start| start.timestamp().rem_euclid(seconds) == 0)
    };
    let is_calendar =
        matches!(granularity, Granularity::Daily | Granularity::Weekly | Granularity::Monthly);
    let grain = if granularity == Granularity::Realtime {
        Grain::Minute
    } else if is_calendar && day_zone == Some(zone) {
        Grain::Day
    } else if aligned(HOUR) {
        Grain::Hour
    } else if aligned(QUARTER) {
        Grain::Quarter
    } else {
        return Err(Error::invalid_field(
            "timeZone",
            say(
                format!("clocks of {zone} stood beside quarters of an hour then"),
                format!("os relógios de {zone} não marcavam quartos de hora nesse tempo"),
            ),
        ));
    };
    Ok(Frame { starts, end, grain })
}

fn too_many() -> Error {
    let max = limits::SERIES_BUCKETS_MAX;
    Error::limit(say(
        format!("more than {max} buckets: ask for a shorter span, or coarser"),
        format!("mais de {max} intervalos: peça um período menor, ou mais grosso"),
    ))
}

pub(super) fn start_of(granularity: Granularity, at: DateTime<Utc>, zone: Tz) -> DateTime<Utc> {
    let day = at.with_timezone(&zone).date_naive();
    match granularity {
        Granularity::Realtime => Grain::Minute.start_of(at, zone),
        Granularity::Hourly => {
            let quarter = Grain::Quarter.start_of(at, zone);
            let earlier = (0..8).map(|quarters| quarter - TimeDelta::seconds(QUARTER * quarters));
            earlier.into_iter().find(|start| begins_hour(*start, zone)).unwrap_or(quarter)
        }
        Granularity::Daily => day_start(day, zone),
        Granularity::Weekly => {
            let since_monday = u64::from(day.weekday().num_days_from_monday());
            day_start(day.checked_sub_days(Days::new(since_monday)).unwrap_or(day), zone)
        }
        Granularity::Monthly => day_start(day.with_day(1).unwrap_or(day), zone),
    }
}

/// Where the bucket after the one that begins at `start` begins.
pub(super) fn next_of(granularity: Granularity, start: DateTime<Utc>, zone: Tz) -> DateTime<Utc> {
    let day: NaiveDate = start.with_timezone(&zone).date_naive();
    let after = |days: u64| day_start(day.checked_add_days(Days::new(days)).unwrap_or(day), zone);
    match granularity {
        Granularity::Realtime => start + TimeDelta::minutes(1),
        Granularity::Hourly => {
            let later = (1..=8).map(|quarters| start + TimeDelta::seconds(QUARTER * quarters));
            let hour = start + TimeDelta::hours(1);
            later.into_iter().find(|start| begins_hour(*start, zone)).unwrap_or(hour)
        }
        Granularity::Daily => later_than(start, (1..4).map(after)),
        Granularity::Weekly => after(7),
        Granularity::Monthly => {
            let first = day.with_day(1).unwrap_or(day);
            day_start(first.checked_add_months(Months::new(1)).unwrap_or(day), zone)
        }
    }
}

/// A day that a zone left out has the start of the one after.
fn later_than(
    start: DateTime<Utc>,
    mut candidates: impl Iterator<Item = DateTime<Utc>>,
) -> DateTime<Utc> {
    candidates.find(|next| *next > start).unwrap_or(start + TimeDelta::days(1))
}

/// Whether clocks show a full hour.
fn begins_hour(at: DateTime<Utc>, zone: Tz) -> bool {
    at.with_timezone(&zone).minute() == 0
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn months_and_weeks_are_the_calendars_of_the_zone() {
        let zone = Tz::America__Sao_Paulo;
        let span = (at("2026-01-15T12:00:00Z"), at("2026-03-01T03:00:00Z"));
        let months = frame(Granularity::Monthly, zone, span, Some(zone)).unwrap();
        assert_eq!(months.starts, [at("2026-01-01T03:00:00Z"), at("2026-02-01T03:00:00Z")]);
        assert_eq!((months.end, months.grain), (at("2026-03-01T03:00:00Z"), Grain::Day));
        let weeks = frame(Granularity::Weekly, zone, span, None).unwrap();
        assert_eq!(weeks.starts[0], at("2026-01-12T03:00:00Z"));
        assert_eq!(weeks.grain, Grain::Hour);
    }

    #[test]
    fn zones_beside_the_hour_are_made_of_quarters() {
        let span = (at("2026-03-10T00:00:00Z"), at("2026-03-10T02:00:00Z"));
        let hours = frame(Granularity::Hourly, Tz::Asia__Kathmandu, span, None).unwrap();
        assert_eq!(hours.starts[0], at("2026-03-09T23:15:00Z"));
        assert_eq!(hours.grain, Grain::Quarter);
    }

    #[test]
    fn what_cannot_be_answered_is_refused() {
        let zone = Tz::UTC;
        let now = at("2026-03-10T00:00:00Z");
        assert!(frame(Granularity::Daily, zone, (now, now), None).is_err());
        let long = (at("2020-01-01T00:00:00Z"), now);
        let error = frame(Granularity::Hourly, zone, long, None).unwrap_err();
        assert_eq!(error.code().as_str(), "LIMIT_EXCEEDED");
        // Clocks in Monrovia were 44:30 behind until 1972.
        let odd = (at("1971-01-01T00:00:00Z"), at("1971-02-01T00:00:00Z"));
        assert!(frame(Granularity::Daily, Tz::Africa__Monrovia, odd, None).is_err());
    }

    proptest! {
        #[test]
        fn buckets_touch_and_cover_the_span(
            zone in prop::sample::select(vec![
                Tz::UTC, Tz::America__Sao_Paulo, Tz::Europe__Lisbon, Tz::Australia__Lord_Howe,
                Tz::Asia__Kathmandu, Tz::America__New_York, Tz::Pacific__Apia,
            ]),
            granularity in prop::sample::select(Granularity::ALL.to_vec()),
            from in 1_300_000_000_i64..1_900_000_000,
            minutes in 1_i64..9_000,
        ) {
            let from = DateTime::from_timestamp(from, 0).unwrap();
            let to = from + TimeDelta::minutes(minutes);
            let frame = frame(granularity, zone, (from, to), None).unwrap();
            prop_assert!(frame.starts[0] <= from && frame.end >= to);
            prop_assert!(frame.starts.windows(2).all(|pair| pair[0] < pair[1]));
            prop_assert!(frame.starts.last().unwrap() < &to);
            prop_assert_eq!(frame.bucket_of(from), Some(0));
            prop_assert_eq!(frame.bucket_of(frame.end), None);
            for (index, start) in frame.starts.iter().enumerate() {
                prop_assert_eq!(frame.bucket_of(*start), Some(index));
            }
        }
    }
}
