//! The arithmetic of points that come back steadily, without time or database.

use std::num::NonZeroU32;
use std::time::Duration;

/// So many points, all of which come back within a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Quota {
    limit: u64,
    window_ns: u64,
    /// How long one point takes to come back.
    point_ns: u64,
}

/// What came of taking points.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Draw {
    Taken {
        remaining: u64,
    },
    /// Not enough now.
    Short {
        remaining: u64,
        wait: Duration,
    },
    /// More than there ever is.
    Never,
}

impl Quota {
    pub(super) fn new(limit: NonZeroU32, window: Duration) -> Self {
        let window_ns = u64::try_from(window.as_nanos()).unwrap_or(u64::MAX);
        let limit = u64::from(limit.get());
        Self { limit, window_ns, point_ns: (window_ns / limit).max(1) }
    }

    pub(super) fn limit(self) -> u64 {
        self.limit
    }

    pub(super) fn window_s(self) -> u64 {
        self.window_ns / 1_000_000_000
    }

    pub(super) fn point(self) -> Duration {
        Duration::from_nanos(self.point_ns)
    }

    /// How long `points` take to come back.
    pub(super) fn time_of(self, points: u64) -> u64 {
        points.saturating_mul(self.point_ns)
    }

    /// How long all points together last.
    pub(super) fn whole(self) -> u64 {
        self.time_of(self.limit)
    }

    /// The points that are there while `owed_ns` have still to come back.
    pub(super) fn remaining(self, owed_ns: u64) -> u64 {
        self.whole().saturating_sub(owed_ns) / self.point_ns
    }

    /// How long until all points are there again.
    pub(super) fn until_full(self, remaining: u64) -> Duration {
        Duration::from_nanos(self.time_of(self.limit.saturating_sub(remaining)))
    }

    /// What is left of the points when `cost` of them are there only after `wait`.
    pub(super) fn short_of(self, cost: u64, wait: Duration) -> Draw {
        let wait_ns = u64::try_from(wait.as_nanos()).unwrap_or(u64::MAX);
        let missing = wait_ns.div_ceil(self.point_ns);
        Draw::Short { remaining: cost.saturating_sub(missing), wait }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_come_back_over_the_window() {
        let quota = Quota::new(NonZeroU32::new(100).unwrap(), Duration::from_secs(60));
        assert_eq!(quota.point(), Duration::from_millis(600));
        assert_eq!((quota.remaining(0), quota.remaining(quota.whole())), (100, 0));
        assert_eq!(quota.remaining(quota.time_of(30)), 70);
        assert_eq!(quota.until_full(70), Duration::from_secs(18));
        let short = quota.short_of(10, Duration::from_millis(1_800));
        assert_eq!(short, Draw::Short { remaining: 7, wait: Duration::from_millis(1_800) });
    }
}
