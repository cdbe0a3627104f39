//! Counting in this process, by `governor`.

use std::num::NonZeroU32;
use std::time::Duration;

use governor::RateLimiter;
use governor::clock::Clock as _;
use governor::middleware::StateInformationMiddleware;
use governor::nanos::Nanos;
use governor::state::keyed::DashMapStateStore;

use super::bucket::Subject;
use super::quota::{Draw, Quota};
use crate::clock::Clock;

/// The house's clock, as `governor` wants it.
#[derive(Debug, Clone)]
struct Ticks(Clock);

impl governor::clock::Clock for Ticks {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        let ns = self.0.now().timestamp_nanos_opt().unwrap_or_default();
        Nanos::new(u64::try_from(ns).unwrap_or_default())
    }
}

type Limiter = RateLimiter<Subject, DashMapStateStore<Subject>, Ticks, StateInformationMiddleware>;

pub(super) struct Local {
    limiter: Limiter,
    quota: Quota,
}

impl Local {
    /// `None` for a quota that `governor` does not take.
    pub(super) fn new(limit: NonZeroU32, quota: Quota, clock: &Clock) -> Option<Self> {
        let pace = governor::Quota::with_period(quota.point())?.allow_burst(limit);
        let limiter = RateLimiter::new(pace, DashMapStateStore::default(), Ticks(clock.clone()));
        Some(Self { limiter, quota })
    }

    pub(super) fn draw(&self, subject: Subject, cost: u64) -> Draw {
        let Ok(cells) = u32::try_from(cost) else { return Draw::Never };
        let Some(cells) = NonZeroU32::new(cells) else {
            return Draw::Taken { remaining: self.quota.limit() };
        };
        match self.limiter.check_key_n(&subject, cells) {
            Ok(Ok(state)) => Draw::Taken { remaining: u64::from(state.remaining_burst_capacity()) },
            Ok(Err(not_until)) => {
                let wait: Duration = not_until.wait_time_from(self.limiter.clock().now());
                self.quota.short_of(cost, wait)
            }
            Err(_more_than_there_is) => Draw::Never,
        }
    }

    pub(super) fn forget_the_rested(&self) {
        self.limiter.retain_recent();
        self.limiter.shrink_to_fit();
    }
}
