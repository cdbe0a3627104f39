//! Buckets as they lie in a row: those of a series that are next to each other in time share one.
//!
//! A month by the hour is so 30 rows of a series instead of 720, and whoever folds a year of old
//! events rewrites hundreds of rows instead of thousands. A chunk is small enough to be written again
//! with every fold of present events.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::fold::Place;
use super::grain::Grain;
use super::state::State;
use crate::clock::id_of;
use crate::error::{Error, Result};

/// A row's place: which buckets lie in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Chunk {
    pub(super) series_id: Uuid,
    pub(super) grain: Grain,
    pub(super) starts_at: DateTime<Utc>,
}

/// The time that a row of a grain covers, in seconds.
fn span(grain: Grain) -> i64 {
    const HOUR: i64 = 60 * 60;
    match grain {
        Grain::Minute => HOUR,
        Grain::Quarter => 6 * HOUR,
        Grain::Hour => 24 * HOUR,
        // Days of a zone begin at any hour, and lie in one row by when they begin.
        Grain::Day => 32 * 24 * HOUR,
    }
}

/// Where the row begins in which a bucket lies.
pub(super) fn start_of(grain: Grain, at: DateTime<Utc>) -> DateTime<Utc> {
    let span = span(grain);
    DateTime::from_timestamp(at.timestamp().div_euclid(span) * span, 0).unwrap_or(at)
}

/// How long a row of a grain covers.
pub(super) fn length(grain: Grain) -> TimeDelta {
    TimeDelta::seconds(span(grain))
}

/// Where the rows begin in which buckets of a span of time lie.
pub(super) fn starts_between(
    grain: Grain,
    (from, to): (DateTime<Utc>, DateTime<Utc>),
) -> Vec<DateTime<Utc>> {
    let starts = std::iter::successors(Some(start_of(grain, from)), |at| Some(*at + length(grain)));
    starts.take_while(|at| *at < to).collect()
}

impl Chunk {
    pub(super) fn of(place: &Place) -> Self {
        let (series_id, grain) = (place.series_id, place.grain);
        Self { series_id, grain, starts_at: start_of(grain, place.starts_at) }
    }

    /// The id of the row.
    pub(super) fn id(&self) -> Uuid {
        let seconds = self.starts_at.timestamp().to_be_bytes();
        id_of(&[self.series_id.as_bytes(), self.grain.as_str().as_bytes(), &seconds])
    }

    /// Seconds from the beginning of the row.
    pub(super) fn offset(&self, at: DateTime<Utc>) -> i64 {
        (at - self.starts_at).num_seconds()
    }

    pub(super) fn at(&self, offset: i64) -> DateTime<Utc> {
        self.starts_at + TimeDelta::seconds(offset)
    }

    /// The bucket at an offset.
    pub(super) fn place(&self, offset: i64) -> Place {
        Place { series_id: self.series_id, grain: self.grain, starts_at: self.at(offset) }
    }
}

/// The buckets of a row by their offsets, each as its text: `0 c|12;3600 c|7`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Packed<'t>(BTreeMap<i64, Text<'t>>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Text<'t> {
    /// As it was read: most buckets of a row are not touched by a fold.
    Kept(&'t str),
    Written(String),
}

impl Text<'_> {
    fn as_str(&self) -> &str {
        match self {
            Self::Kept(text) => text,
            Self::Written(text) => text,
        }
    }
}

/// The buckets of a row's text, with their offsets.
pub(super) fn entries(text: &str) -> impl Iterator<Item = Result<(i64, &str)>> {
    let parts = text.split(';').filter(|part| !part.is_empty());
    parts.map(|part| {
        let (offset, state) = part.split_once(' ').ok_or_else(|| unreadable(part))?;
        Ok((offset.parse().map_err(|_number| unreadable(part))?, state))
    })
}

fn unreadable(part: &str) -> Error {
    Error::internal(format!(
        "no bucket of a snapshot: {:?}",
        part.chars().take(80).collect::<String>()
    ))
}

pub(super) fn state_of(text: &str) -> Result<State> {
    text.parse().map_err(Error::internal)
}

impl<'t> Packed<'t> {
    pub(super) fn read(text: &'t str) -> Result<Self> {
        let kept =
            entries(text).map(|entry| entry.map(|(offset, text)| (offset, Text::Kept(text))));
        kept.collect::<Result<_>>().map(Self)
    }

    /// Adds a state to the bucket at an offset.
    pub(super) fn add(&mut self, offset: i64, mut state: State) -> Result<()> {
        if let Some(there) = self.0.get(&offset) {
            state.merge(&state_of(there.as_str())?).map_err(Error::internal)?;
        }
        self.0.insert(offset, Text::Written(state.to_text()));
        Ok(())
    }

    /// Takes buckets away.
    pub(super) fn clear(&mut self, is_meant: impl Fn(i64) -> bool) {
        self.0.retain(|offset, _| !is_meant(*offset));
    }

    /// How many events are in it; what cannot be read has none.
    pub(super) fn events(&self) -> i64 {
        let events = |text: &Text<'_>| state_of(text.as_str()).map_or(0, |state| state.events());
        self.0.values().map(events).sum()
    }

    pub(super) fn to_text(&self) -> String {
        let mut text = String::with_capacity(self.0.len() * 12);
        for (offset, state) in &self.0 {
            if !text.is_empty() {
                text.push(';');
            }
            // Writing to a text cannot fail.
            let _written = write!(text, "{offset} {}", state.as_str());
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn a_row_has_its_buckets_in_their_order() {
        let mut packed = Packed::default();
        packed.add(7_200, State::Count(2)).unwrap();
        packed.add(0, State::Count(1)).unwrap();
        packed.add(7_200, State::Count(3)).unwrap();
        let text = packed.to_text();
        assert_eq!(text, "0 c|1;7200 c|5");
        let mut again = Packed::read(&text).unwrap();
        again.add(3_600, State::Count(9)).unwrap();
        assert_eq!(again.to_text(), "0 c|1;3600 c|9;7200 c|5");
        for wrong in ["c|1", "x c|1", "0  c|1;c"] {
            let parsed = Packed::read(wrong).and_then(|mut packed| packed.add(0, State::Count(1)));
            assert!(parsed.is_err(), "{wrong}");
        }
    }

    #[test]
    fn rows_begin_at_fixed_times_before_1970_too() {
        assert_eq!(start_of(Grain::Hour, at("2026-03-10T23:00:00Z")), at("2026-03-10T00:00:00Z"));
        assert_eq!(start_of(Grain::Hour, at("1969-12-31T23:00:00Z")), at("1969-12-31T00:00:00Z"));
        assert_eq!(start_of(Grain::Minute, at("2026-03-10T23:59:00Z")), at("2026-03-10T23:00:00Z"));
    }

    proptest! {
        #[test]
        fn a_bucket_lies_in_its_row(
            seconds in -10_000_000_000_i64..10_000_000_000,
            grain in prop::sample::select(Grain::ALL.to_vec()),
        ) {
            let starts_at = DateTime::from_timestamp(seconds, 0).unwrap();
            let chunk = Chunk::of(&Place { series_id: Uuid::nil(), grain, starts_at });
            let offset = chunk.offset(starts_at);
            prop_assert!((0..span(grain)).contains(&offset));
            prop_assert_eq!(chunk.at(offset), starts_at);
        }
    }
}
