//! How long one has to wait after so many wrong guesses. Pure.

use chrono::{DateTime, TimeDelta, Utc};

/// One thing that is counted, and how strictly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Counter {
    /// A digest: the table tells nobody's address or e-mail.
    pub(super) id: String,
    /// Guesses before each further one has to wait.
    pub(super) free: i64,
    pub(super) wait_max_s: i64,
    /// Without a guess for so long the count begins anew.
    pub(super) kept: TimeDelta,
}

/// What was counted so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) failures: i64,
    pub(super) last_at: DateTime<Utc>,
}

impl Counter {
    /// Seconds until the next guess may be made; `None` when it may be made now.
    pub(super) fn wait_s(&self, seen: Option<Seen>, now: DateTime<Utc>) -> Option<u64> {
        let seen = seen.filter(|seen| self.counts(*seen, now))?;
        let doublings = seen.failures - self.free;
        if doublings < 0 {
            return None;
        }
        // Beyond 30 doublings every bound is reached.
        let wait = (1_i64 << doublings.min(30)).min(self.wait_max_s);
        let left = seen.last_at + TimeDelta::seconds(wait) - now;
        // A clock that was set back does not lock anybody out for longer than the wait.
        let left_ms = left.num_milliseconds().min(wait.saturating_mul(1_000));
        u64::try_from(left_ms).ok().filter(|ms| *ms > 0).map(|ms| ms.div_ceil(1_000))
    }

    /// The count with one more guess.
    pub(super) fn next(&self, seen: Option<Seen>, now: DateTime<Utc>) -> i64 {
        seen.filter(|seen| self.counts(*seen, now)).map_or(0, |seen| seen.failures) + 1
    }

    /// Whether a guess was the last that was free.
    pub(super) fn is_reached_by(&self, failures: i64) -> bool {
        failures == self.free
    }

    fn counts(&self, seen: Seen, now: DateTime<Utc>) -> bool {
        now - seen.last_at < self.kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counter() -> Counter {
        Counter { id: "x".to_owned(), free: 5, wait_max_s: 900, kept: TimeDelta::hours(24) }
    }

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_000_000 + second, 0).unwrap()
    }

    fn seen(failures: i64) -> Option<Seen> {
        Some(Seen { failures, last_at: at(0) })
    }

    #[test]
    fn waits_double_and_are_bounded() {
        let waits: Vec<_> =
            [0, 4, 5, 6, 7, 14, 15, 99].map(|count| counter().wait_s(seen(count), at(0))).into();
        let expected = [None, None, Some(1), Some(2), Some(4), Some(512), Some(900), Some(900)];
        assert_eq!(waits, expected);
        assert_eq!(counter().wait_s(None, at(0)), None);
    }

    #[test]
    fn a_wait_ends_and_a_count_is_forgotten() {
        assert_eq!(counter().wait_s(seen(7), at(3)), Some(1));
        assert_eq!(counter().wait_s(seen(7), at(4)), None);
        assert_eq!(counter().next(seen(7), at(4)), 8);
        assert_eq!(counter().next(seen(7), at(24 * 3_600)), 1);
        assert_eq!(counter().next(None, at(0)), 1);
    }

    #[test]
    fn a_clock_that_was_set_back_locks_nobody_out() {
        assert_eq!(counter().wait_s(seen(5), at(-1_000_000)), Some(1));
    }
}
