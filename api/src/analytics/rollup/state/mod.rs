//! What a bucket of a metric holds: state that merges, never a finished average.
//!
//! Invariants: merging is commutative and associative, so that any order of folding the same events
//! gives the same state, and the same state has one text: integers of a fixed scale instead of
//! floats, sums wider than any of their terms, bins and registers at fixed places. Floats appear only
//! when a state is read.

mod codec;
mod distinct;
mod sketch;

use uuid::Uuid;

pub use distinct::Distinct;
pub use sketch::Sketch;

/// Values and their sum, in units of the metric's scale.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Total {
    pub count: i64,
    pub sum: i128,
}

/// The latest value; of several at one instant, that of the greatest event id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Latest {
    pub count: i64,
    pub at_us: i64,
    pub event_id: Uuid,
    pub value: i64,
}

/// The extreme of `count` values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extreme {
    pub count: i64,
    pub value: i64,
}

/// The state of one bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    Count(i64),
    Sum(Total),
    Minimum(Extreme),
    Maximum(Extreme),
    Last(Latest),
    Distinct(Distinct),
    Spread(Sketch),
}

/// Two states of different kinds met: a metric's aggregation never changes, so one of them is not
/// what it is taken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("states of different kinds cannot be merged")]
pub struct Mismatch;

/// A text that is no state.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a snapshot's state: {0:?}")]
pub struct Unreadable(pub String);

impl State {
    /// How many events are in it.
    pub fn events(&self) -> i64 {
        match self {
            Self::Count(count) => *count,
            Self::Sum(total) => total.count,
            Self::Minimum(extreme) | Self::Maximum(extreme) => extreme.count,
            Self::Last(latest) => latest.count,
            Self::Distinct(distinct) => distinct.events(),
            Self::Spread(sketch) => sketch.total().count,
        }
    }

    /// Bytes that it takes beside its own size, about.
    pub fn bytes(&self) -> usize {
        /// What a tree of small entries takes for each, with the room that its nodes keep free.
        const ENTRY: usize = 32;
        match self {
            Self::Distinct(distinct) => distinct.len() * ENTRY,
            Self::Spread(sketch) => sketch.len() * ENTRY,
            Self::Count(_) | Self::Sum(_) | Self::Minimum(_) | Self::Maximum(_) | Self::Last(_) => {
                0
            }
        }
    }

    /// Takes in the events of another state.
    pub fn merge(&mut self, other: &Self) -> Result<(), Mismatch> {
        match (self, other) {
            (Self::Count(mine), Self::Count(theirs)) => *mine += theirs,
            (Self::Sum(mine), Self::Sum(theirs)) => mine.add(theirs),
            (Self::Minimum(mine), Self::Minimum(theirs)) => {
                mine.count += theirs.count;
                mine.value = mine.value.min(theirs.value);
            }
            (Self::Maximum(mine), Self::Maximum(theirs)) => {
                mine.count += theirs.count;
                mine.value = mine.value.max(theirs.value);
            }
            (Self::Last(mine), Self::Last(theirs)) => mine.merge(theirs),
            (Self::Distinct(mine), Self::Distinct(theirs)) => mine.merge(theirs),
            (Self::Spread(mine), Self::Spread(theirs)) => mine.merge(theirs),
            (
                Self::Count(_)
                | Self::Sum(_)
                | Self::Minimum(_)
                | Self::Maximum(_)
                | Self::Last(_)
                | Self::Distinct(_)
                | Self::Spread(_),
                _,
            ) => return Err(Mismatch),
        }
        Ok(())
    }
}

impl Total {
    pub fn of(value: i64) -> Self {
        Self { count: 1, sum: i128::from(value) }
    }

    fn add(&mut self, other: &Self) {
        self.count += other.count;
        self.sum += other.sum;
    }
}

impl Latest {
    fn merge(&mut self, other: &Self) {
        let count = self.count + other.count;
        if (other.at_us, other.event_id) > (self.at_us, self.event_id) {
            *self = *other;
        }
        self.count = count;
    }
}
