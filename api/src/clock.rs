//! The only place that reads the time and makes new ids, so that tests can fix both.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use rand::RngCore;
use sha2::{Digest as _, Sha256};
use uuid::{Builder, Uuid};

/// An id that follows from what it names (a UUID of version 8): the same in every process and version.
pub fn id_of(parts: &[&[u8]]) -> Uuid {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part);
        // Two lists that read the same run together are not the same.
        hasher.update([0]);
    }
    let mut bytes = [0_u8; 16];
    for (slot, byte) in bytes.iter_mut().zip(hasher.finalize()) {
        *slot = byte;
    }
    Builder::from_custom_bytes(bytes).into_uuid()
}

/// Source of time and ids. Clones share state.
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    System,
    Fixed(Arc<FixedClock>),
}

/// Time that stands still and ids that count up, for tests.
#[derive(Debug)]
struct FixedClock {
    now_ms: AtomicU64,
    ids: AtomicU64,
}

impl Clock {
    pub fn system() -> Self {
        Self(Source::System)
    }

    /// A clock that stands at `now` until it is moved.
    pub fn fixed(now: DateTime<Utc>) -> Self {
        Self(Source::Fixed(Arc::new(FixedClock {
            now_ms: AtomicU64::new(u64::try_from(now.timestamp_millis()).unwrap_or_default()),
            ids: AtomicU64::new(1),
        })))
    }

    /// Moves a fixed clock forward; the system clock ignores it.
    pub fn advance(&self, by: TimeDelta) {
        if let Source::Fixed(fixed) = &self.0 {
            let ms = u64::try_from(by.num_milliseconds()).unwrap_or_default();
            fixed.now_ms.fetch_add(ms, Ordering::Relaxed);
        }
    }

    /// Now, in UTC, to the millisecond: both databases store it exactly and order it alike.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the clock")]
    pub fn now(&self) -> DateTime<Utc> {
        match &self.0 {
            Source::System => {
                let now = Utc::now();
                now.duration_trunc(TimeDelta::milliseconds(1)).unwrap_or(now)
            }
            Source::Fixed(fixed) => {
                let ms = i64::try_from(fixed.now_ms.load(Ordering::Relaxed)).unwrap_or_default();
                DateTime::from_timestamp_millis(ms).unwrap_or_default()
            }
        }
    }

    /// A fresh UUID v7, ordered by time within this process.
    pub fn new_id(&self) -> Uuid {
        match &self.0 {
            #[expect(clippy::disallowed_methods, reason = "this is the one place that makes ids")]
            Source::System => Uuid::now_v7(),
            Source::Fixed(_) => self.id_at(self.now()),
        }
    }

    /// A UUID v7 that carries `at`, for rows that happened earlier (their partition follows their id).
    pub fn id_at(&self, at: DateTime<Utc>) -> Uuid {
        let millis = u64::try_from(at.timestamp_millis()).unwrap_or_default();
        let mut random = [0_u8; 10];
        match &self.0 {
            Source::System => rand::rng().fill_bytes(&mut random),
            Source::Fixed(fixed) => {
                let count = fixed.ids.fetch_add(1, Ordering::Relaxed);
                random[2..].copy_from_slice(&count.to_be_bytes());
            }
        }
        Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
    }

    /// A number below `bound`, evenly drawn; 0 where there is none. A fixed clock draws the same again.
    pub fn draw(&self, bound: u64) -> u64 {
        let bytes = match &self.0 {
            Source::System => rand::rng().next_u64(),
            Source::Fixed(fixed) => {
                let count = fixed.ids.fetch_add(1, Ordering::Relaxed);
                let digest = Sha256::digest(count.to_be_bytes());
                digest.iter().take(8).fold(0_u64, |drawn, byte| drawn << 8 | u64::from(*byte))
            }
        };
        bytes.checked_rem(bound).unwrap_or_default()
    }

    /// For durations only.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the clock")]
    pub fn stopwatch(&self) -> Instant {
        Instant::now()
    }
}
