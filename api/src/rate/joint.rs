//! Counting over all nodes: each takes points in portions from one row and spends them without
//! asking again.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use moka::future::Cache;

use super::bucket::{Bucket, Subject};
use super::quota::{Draw, Quota};
use super::store::{self, Reserved};
use crate::app::App;
use crate::db::Tally;
use crate::error::Result;

/// A node takes this part of a limit at a time.
const PORTIONS: u64 = 50;
/// A portion that is not spent by then is given up: points that nobody uses come back anyway.
const PORTION_SECONDS: i64 = 10;
const PORTIONS_KEPT: u64 = 100_000;
const KEPT_WHILE_USED: Duration = Duration::from_secs(60);

type Place = (Bucket, Subject);

pub(super) struct Joint {
    portions: Cache<Place, Arc<Mutex<Portion>>>,
}

/// Points that this node has taken and not yet spent.
#[derive(Debug, Default)]
struct Portion {
    left: u64,
    taken_at: DateTime<Utc>,
    /// Points that were still in the row when it was last asked.
    beyond: u64,
}

impl Portion {
    fn spend(&mut self, cost: u64, now: DateTime<Utc>) -> Option<u64> {
        if now - self.taken_at > TimeDelta::seconds(PORTION_SECONDS) {
            self.left = 0;
        }
        self.left = self.left.checked_sub(cost)?;
        Some(self.left.saturating_add(self.beyond))
    }

    fn put(&mut self, points: u64, beyond: u64, now: DateTime<Utc>) -> u64 {
        self.left = self.left.saturating_add(points);
        self.beyond = beyond;
        self.taken_at = now;
        self.left.saturating_add(beyond)
    }
}

impl Joint {
    pub(super) fn new() -> Self {
        let portions =
            Cache::builder().max_capacity(PORTIONS_KEPT).time_to_idle(KEPT_WHILE_USED).build();
        Self { portions }
    }

    pub(super) async fn draw(
        &self,
        app: &App,
        place: Place,
        quota: Quota,
        cost: u64,
    ) -> Result<Draw> {
        if cost > quota.limit() {
            return Ok(Draw::Never);
        }
        let portion = self.portions.get_with(place, async { Arc::default() }).await;
        let now = app.clock.now();
        let spent = portion.lock().unwrap_or_else(PoisonError::into_inner).spend(cost, now);
        if let Some(remaining) = spent {
            return Ok(Draw::Taken { remaining });
        }
        let usual = cost.max(quota.limit() / PORTIONS);
        let mut wanted = usual;
        loop {
            // Which operation a portion runs out at is none of its cost.
            let apart = Tally::default();
            let reserved = Box::pin(store::reserve(app, place, quota, wanted));
            match apart.over(reserved).await? {
                Reserved::Taken { beyond } => {
                    let mut portion = portion.lock().unwrap_or_else(PoisonError::into_inner);
                    return Ok(Draw::Taken { remaining: portion.put(wanted - cost, beyond, now) });
                }
                // The last points go one operation at a time.
                Reserved::Short { .. } if wanted > cost => wanted = cost,
                Reserved::Short { wait } => return Ok(quota.short_of(cost, wait)),
            }
        }
    }
}
