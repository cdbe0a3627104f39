//! The queue of work that is done later (tarefas), and its history: one table.
//!
//! Invariants:
//! - A job is written in the transaction of its cause: it is there if and only if the cause is.
//! - Whoever runs a job has a lease on it. What a step did and how far it got are one transaction, and
//!   that succeeds only while the lease is the runner's and the job was not cancelled: a step counts
//!   once or not at all, whoever dies or comes too late.
//! - A failed step is tried again, later each time; a job that got nowhere is kept with its error.
//!
//! Not here: what kinds of jobs there are, and who runs them. `jobs/` knows that.

mod night;
mod store;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use serde_json::Value as Json;
use uuid::Uuid;

pub use night::waits_until;
pub use store::{append, bound, claim, due, fail, note, put_off, renew, revoke, state_of, sweep};

use crate::app::App;
use crate::db::Conn;
use crate::error::Result;

/// How long a runner that says nothing keeps its job.
pub const LEASE: TimeDelta = TimeDelta::seconds(60);
/// Tries of a step before the job has failed.
pub const ATTEMPTS_MAX: i64 = 5;
/// Of a job that something waits for: it is tried until it succeeds.
pub const ATTEMPTS_WITHOUT_END: i64 = i32::MAX as i64;
/// How long a job that failed waits, at least; twice as long after each further failure.
const AGAIN_IN: TimeDelta = TimeDelta::seconds(10);
const AGAIN_IN_MAX: TimeDelta = TimeDelta::hours(1);

/// A job about to be queued.
#[derive(Debug, Clone)]
pub struct Queued {
    /// What it is: `jobs/` knows the runner.
    pub kind: &'static str,
    pub arguments: Json,
    /// Only in the tenant's night.
    pub off_hours: bool,
    /// [`ATTEMPTS_MAX`] or [`ATTEMPTS_WITHOUT_END`].
    pub attempts_max: i64,
    pub requested_by: Option<Uuid>,
}

/// A job that somebody runs.
#[derive(Debug, Clone)]
pub struct Job {
    pub tenant_id: Uuid,
    pub id: Uuid,
    pub kind: String,
    pub arguments: Json,
    /// The tenant's.
    pub zone: Tz,
    pub off_hours: bool,
    /// Where its last step left it; none before the first.
    pub cursor: Option<Json>,
    pub done: i64,
    /// Tries since it last got further, this one included.
    pub attempts: i64,
    pub attempts_max: i64,
    /// Whose lease it is.
    pub owner: Uuid,
}

/// How far a job is after a step.
#[derive(Debug, Clone)]
pub enum Next {
    /// It goes on here, as soon as may be.
    More { cursor: Json, done: i64, total: i64 },
    /// It is done, and this came of it.
    Done(Json),
}

/// What a step did, not committed yet, and how far the job is after it.
pub struct Stepped {
    /// The transaction of the step; none where it only read.
    pub conn: Option<Conn>,
    pub next: Next,
}

/// Does one step of a job. It may be tried again as long as it is not noted.
pub type Runner =
    for<'a> fn(&'a Arc<App>, &'a Job) -> Pin<Box<dyn Future<Output = Result<Stepped>> + Send + 'a>>;

/// How long a job waits after so many tries: twice as long each time, and up to half of it more, by
/// lot, so that what failed together does not come back together.
pub fn pause_after(attempts: i64, lot: impl FnOnce(u64) -> u64) -> TimeDelta {
    let doublings = u32::try_from(attempts.saturating_sub(1)).unwrap_or_default().min(20);
    let factor = 2_i32.checked_pow(doublings).unwrap_or(i32::MAX);
    let pause = AGAIN_IN.checked_mul(factor).unwrap_or(AGAIN_IN_MAX).min(AGAIN_IN_MAX);
    let half_ms = u64::try_from(pause.num_milliseconds() / 2).unwrap_or_default();
    let more = i64::try_from(lot(half_ms)).unwrap_or_default();
    pause + TimeDelta::milliseconds(more)
}

/// When a job may begin that is asked for now.
pub fn first_run(now: DateTime<Utc>, zone: Tz, off_hours: bool) -> DateTime<Utc> {
    let night = off_hours.then(|| waits_until(now, zone)).flatten();
    night.unwrap_or(now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_and_end_somewhere() {
        let least = |attempts| pause_after(attempts, |_half| 0).num_seconds();
        assert_eq!([1, 2, 3, 4].map(least), [10, 20, 40, 80]);
        assert_eq!([12, 60].map(least), [3_600, 3_600]);
        let most = pause_after(2, |half| half);
        assert_eq!(most.num_seconds(), 30);
    }
}
