//! What a bucket is compared with: its counterpart in an earlier time, by the calendar of the zone.

use chrono::{
    DateTime, Datelike as _, Days, MappedLocalTime, NaiveDate, TimeDelta, TimeZone as _, Utc,
};
use chrono_tz::Tz;

use super::frame::{Frame, Granularity, frame, next_of, start_of};
use crate::analytics::rollup::grain::day_start;
use crate::error::{Error, Result, say};
use crate::record::kind::{EnumType, EnumValue};

pub(super) static COMPARISON: EnumType = EnumType {
    name: "Comparison",
    about: "An earlier time that numbers are compared with, by the calendar of the zone.",
    values: &[
        EnumValue::of(
            "period",
            "PREVIOUS_PERIOD",
            "As many buckets just before",
            "Período anterior",
        ),
        EnumValue::of("day", "PREVIOUS_DAY", "The day before", "Dia anterior"),
        EnumValue::of("week", "PREVIOUS_WEEK", "The same weekday a week before", "Semana anterior"),
        EnumValue::of(
            "month",
            "PREVIOUS_MONTH",
            "The same day of the month before",
            "Mês anterior",
        ),
        EnumValue::of("year", "PREVIOUS_YEAR", "The same day of the year before", "Ano anterior"),
    ],
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Period,
    Day,
    Week,
    Month,
    Year,
}

impl Comparison {
    const ALL: [Self; 5] = [Self::Period, Self::Day, Self::Week, Self::Month, Self::Year];

    pub(super) fn parse(stored: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|each| each.as_str() == stored)
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Period => "period",
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
            Self::Year => "year",
        }
    }

    /// A bucket is no longer than what it is compared over.
    fn fits(self, granularity: Granularity) -> bool {
        match granularity {
            Granularity::Realtime | Granularity::Hourly | Granularity::Daily => true,
            Granularity::Weekly => self != Self::Day,
            Granularity::Monthly => !matches!(self, Self::Day | Self::Week),
        }
    }
}

/// An earlier frame, and which of its buckets each bucket is compared with.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Earlier {
    pub(super) frame: Frame,
    /// None where the calendar has no such day or hour: the 30th of February, an hour that summer time
    /// left out.
    pub(super) counterparts: Vec<Option<usize>>,
}

/// None when no bucket at all has a counterpart.
///
/// # Errors
///
/// `INVALID` for buckets that are longer than what they are compared over, and what
/// [`frame`] refuses.
pub(super) fn earlier(
    comparison: Comparison,
    (granularity, zone): (Granularity, Tz),
    now: &Frame,
    day_zone: Option<Tz>,
) -> Result<Option<Earlier>> {
    if !comparison.fits(granularity) {
        let message = say(
            "buckets are longer than the time between what is compared",
            "os intervalos são maiores que o tempo entre o que se compara",
        );
        return Err(Error::invalid_field("compareTo", message));
    }
    let starts = match comparison {
        Comparison::Period => period_before(granularity, zone, now),
        Comparison::Day | Comparison::Week | Comparison::Month | Comparison::Year => {
            let back = |start: &DateTime<Utc>| before(comparison, granularity, *start, zone);
            now.starts.iter().map(back).collect()
        }
    };
    let known = || starts.iter().flatten().copied();
    let (Some(first), Some(last)) = (known().min(), known().max()) else { return Ok(None) };
    let span = (first, next_of(granularity, last, zone));
    let frame = frame(granularity, zone, span, day_zone)?;
    let counterparts = starts.iter().map(|start| frame.bucket_of((*start)?)).collect();
    Ok(Some(Earlier { frame, counterparts }))
}

/// As many buckets as there are now, just before them.
fn period_before(granularity: Granularity, zone: Tz, now: &Frame) -> Vec<Option<DateTime<Utc>>> {
    let mut starts = Vec::with_capacity(now.starts.len());
    let mut at = now.starts.first().copied().unwrap_or(now.end);
    for _ in &now.starts {
        at = start_of(granularity, at - TimeDelta::seconds(1), zone);
        starts.push(Some(at));
    }
    starts.reverse();
    starts
}

fn before(
    comparison: Comparison,
    granularity: Granularity,
    start: DateTime<Utc>,
    zone: Tz,
) -> Option<DateTime<Utc>> {
    let local = start.with_timezone(&zone).naive_local();
    let day = day_before(comparison, granularity, local.date())?;
    match granularity {
        Granularity::Daily => {
            let start = day_start(day, zone);
            // A day that the zone left out has the start of another one.
            (start.with_timezone(&zone).date_naive() == day).then_some(start)
        }
        Granularity::Weekly | Granularity::Monthly => {
            Some(start_of(granularity, day_start(day, zone), zone))
        }
        Granularity::Realtime | Granularity::Hourly => {
            let then = match zone.from_local_datetime(&day.and_time(local.time())) {
                MappedLocalTime::Single(then) => then,
                // The second of two equal hours is compared with the second.
                MappedLocalTime::Ambiguous(first, second) => {
                    let is_second = zone
                        .from_local_datetime(&local)
                        .earliest()
                        .is_some_and(|earliest| earliest < start);
                    if is_second { second } else { first }
                }
                MappedLocalTime::None => return None,
            };
            Some(start_of(granularity, then.with_timezone(&Utc), zone))
        }
    }
}

/// Weeks go back by whole weeks: four are a month, and 52 a year.
fn day_before(
    comparison: Comparison,
    granularity: Granularity,
    day: NaiveDate,
) -> Option<NaiveDate> {
    let days = |count| day.checked_sub_days(Days::new(count));
    match (comparison, granularity == Granularity::Weekly) {
        (Comparison::Period, _) => None,
        (Comparison::Day, _) => days(1),
        (Comparison::Week, _) => days(7),
        (Comparison::Month, true) => days(28),
        (Comparison::Year, true) => days(364),
        (Comparison::Month, false) => match day.month() {
            1 => NaiveDate::from_ymd_opt(day.year() - 1, 12, day.day()),
            month => NaiveDate::from_ymd_opt(day.year(), month - 1, day.day()),
        },
        (Comparison::Year, false) => {
            NaiveDate::from_ymd_opt(day.year() - 1, day.month(), day.day())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ZONE: Tz = Tz::America__Sao_Paulo;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    /// The start of each bucket's counterpart.
    fn counterparts(
        comparison: Comparison,
        granularity: Granularity,
        (from, to): (&str, &str),
    ) -> Vec<Option<DateTime<Utc>>> {
        let now = frame(granularity, ZONE, (at(from), at(to)), None).unwrap();
        let found = earlier(comparison, (granularity, ZONE), &now, None).unwrap();
        let Some(found) = found else { return vec![None; now.starts.len()] };
        assert_eq!(found.counterparts.len(), now.starts.len());
        found.counterparts.iter().map(|each| Some(found.frame.starts[(*each)?])).collect()
    }

    #[test]
    fn days_follow_the_calendar_over_summer_time() {
        // Summer time began on 4 November 2018, a day without midnight.
        let days = counterparts(
            Comparison::Week,
            Granularity::Daily,
            ("2018-11-10T12:00:00Z", "2018-11-12T12:00:00Z"),
        );
        assert_eq!(
            days,
            ["2018-11-03T03:00:00Z", "2018-11-04T03:00:00Z", "2018-11-05T02:00:00Z"]
                .map(|text| Some(at(text)))
        );
        let before = counterparts(
            Comparison::Period,
            Granularity::Daily,
            ("2018-11-04T12:00:00Z", "2018-11-05T12:00:00Z"),
        );
        assert_eq!(
            before,
            ["2018-11-02T03:00:00Z", "2018-11-03T03:00:00Z"].map(|text| Some(at(text)))
        );
    }

    #[test]
    fn what_the_calendar_does_not_have_is_compared_with_nothing() {
        let march = counterparts(
            Comparison::Month,
            Granularity::Daily,
            ("2026-03-27T12:00:00Z", "2026-03-30T12:00:00Z"),
        );
        let february = ["2026-02-27T03:00:00Z", "2026-02-28T03:00:00Z"].map(|text| Some(at(text)));
        assert_eq!(march, [february[0], february[1], None, None]);
        let leap = ("2024-02-29T12:00:00Z", "2024-02-29T13:00:00Z");
        assert_eq!(counterparts(Comparison::Year, Granularity::Daily, leap), [None]);
        // Midnight of the day before was left out.
        let hours = counterparts(
            Comparison::Day,
            Granularity::Hourly,
            ("2018-11-05T02:00:00Z", "2018-11-05T04:00:00Z"),
        );
        assert_eq!(hours, [None, Some(at("2018-11-04T03:00:00Z"))]);
    }

    #[test]
    fn the_second_of_two_equal_hours_has_its_own_counterpart() {
        // Clocks went back at midnight of 18 February 2018 in São Paulo: 23:00 came twice.
        let twice = counterparts(
            Comparison::Day,
            Granularity::Hourly,
            ("2018-02-19T02:00:00Z", "2018-02-19T03:00:00Z"),
        );
        assert_eq!(twice, [Some(at("2018-02-18T01:00:00Z"))]);
        let both = counterparts(
            Comparison::Year,
            Granularity::Hourly,
            ("2018-02-18T01:00:00Z", "2018-02-18T03:00:00Z"),
        );
        assert_eq!(both, [Some(at("2017-02-18T01:00:00Z")), Some(at("2017-02-18T01:00:00Z"))]);
    }

    #[test]
    fn weeks_and_months_are_compared_with_whole_ones() {
        let weeks = counterparts(
            Comparison::Year,
            Granularity::Weekly,
            ("2026-12-28T12:00:00Z", "2027-01-05T12:00:00Z"),
        );
        assert_eq!(
            weeks,
            ["2025-12-29T03:00:00Z", "2026-01-05T03:00:00Z"].map(|text| Some(at(text)))
        );
        let months = counterparts(
            Comparison::Year,
            Granularity::Monthly,
            ("2019-02-10T12:00:00Z", "2019-03-10T12:00:00Z"),
        );
        assert_eq!(
            months,
            ["2018-02-01T02:00:00Z", "2018-03-01T03:00:00Z"].map(|text| Some(at(text)))
        );
        let now = frame(
            Granularity::Monthly,
            ZONE,
            (at("2019-02-10T12:00:00Z"), at("2019-03-10T12:00:00Z")),
            None,
        );
        let refused = earlier(Comparison::Week, (Granularity::Monthly, ZONE), &now.unwrap(), None);
        assert_eq!(refused.unwrap_err().field(), Some("compareTo"));
    }
}
