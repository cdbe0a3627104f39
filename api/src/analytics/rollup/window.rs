//! Whole days of a tenant's zone, and the buckets that belong to them: what is counted again at once.
//!
//! Days of a zone need not begin with an hour of UTC. Smaller buckets belong to the days in which the
//! hour began that they are in, so that the buckets of days side by side are side by side too.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use super::fold::Place;
use super::grain::{Grain, next_day};

/// From the beginning of a day to the beginning of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Window {
    pub(super) from: DateTime<Utc>,
    pub(super) to: DateTime<Utc>,
}

/// Buckets of a grain that begin in a span of time, the end not included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) grain: Grain,
    pub(super) from: DateTime<Utc>,
    pub(super) to: DateTime<Utc>,
}

impl Span {
    pub(super) fn has(&self, place: &Place) -> bool {
        place.grain == self.grain && (self.from..self.to).contains(&place.starts_at)
    }
}

fn hour_of(at: DateTime<Utc>) -> DateTime<Utc> {
    Grain::Hour.start_of(at, Tz::UTC)
}

impl Window {
    /// The days whose buckets have everything of a span of time, its end not included.
    pub(super) fn around(from: DateTime<Utc>, to: DateTime<Utc>, zone: Tz) -> Self {
        let from = Grain::Day.start_of(from, zone);
        let mut end = Grain::Day.start_of(to, zone);
        // The hour in which a day ends belongs to the next.
        while end <= from || hour_of(end) < to {
            end = next_day(end, zone);
        }
        Self { from, to: end }
    }

    /// At most so many days from the beginning.
    pub(super) fn first_days(self, days: u32, zone: Tz) -> Self {
        let mut to = self.from;
        for _day in 0..days.max(1) {
            to = next_day(to, zone);
            if to >= self.to {
                return self;
            }
        }
        Self { to, ..self }
    }

    /// How many days there are, about: clocks are put forward and back.
    pub(super) fn days(self) -> i64 {
        let hours = (self.to - self.from).num_hours();
        (hours + 12) / 24
    }

    /// When the first of its events may happen.
    pub(super) fn events_from(self) -> DateTime<Utc> {
        hour_of(self.from)
    }

    /// The buckets that belong to it, and whose events are all between [`Window::events_from`] and its
    /// end; of minutes those from `minutes_from` on, which is the beginning of one.
    pub(super) fn spans(self, minutes_from: DateTime<Utc>) -> [Span; 4] {
        let (from, to) = (hour_of(self.from), hour_of(self.to));
        Grain::ALL.map(|grain| match grain {
            Grain::Minute => Span { grain, from: from.max(minutes_from).min(to), to },
            Grain::Quarter | Grain::Hour => Span { grain, from, to },
            Grain::Day => Span { grain, from: self.from, to: self.to },
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    const ZONES: [Tz; 6] = [
        Tz::America__Sao_Paulo,
        Tz::Asia__Kolkata,
        Tz::Asia__Kathmandu,
        Tz::Australia__Lord_Howe,
        Tz::Pacific__Apia,
        Tz::UTC,
    ];

    proptest! {
        /// Each bucket of an event in the span belongs to exactly one of the windows, and all events
        /// of the bucket are read for that window.
        #[test]
        fn windows_side_by_side_have_every_bucket_once(
            begins in 0_i64..2_000_000_000,
            lasts in 1_i64..20_000_000,
            event in 0_i64..1_000_000,
            days in 1_u32..9,
            zone in prop::sample::select(ZONES.to_vec()),
        ) {
            let at = |seconds| DateTime::from_timestamp(seconds, 0).unwrap();
            let happened = at(begins + lasts * event / 1_000_000);
            let whole = Window::around(at(begins), at(begins + lasts), zone);
            let mut rest = whole;
            let mut found = [0; 4];
            while rest.from < whole.to {
                let window = rest.first_days(days, zone);
                prop_assert!(window.to > window.from && window.to <= whole.to);
                for (found, span) in found.iter_mut().zip(window.spans(DateTime::<Utc>::MIN_UTC)) {
                    let starts_at = span.grain.start_of(happened, zone);
                    if span.has(&Place { series_id: Uuid::nil(), grain: span.grain, starts_at }) {
                        *found += 1;
                        prop_assert!(window.events_from() <= starts_at);
                        prop_assert!(happened < window.to);
                    }
                }
                rest.from = window.to;
            }
            prop_assert_eq!(found, [1; 4]);
        }
    }
}
