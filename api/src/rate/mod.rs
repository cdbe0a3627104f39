//! How much callers may ask for. Every operation costs something: one point, and one for every
//! hundred rows that it may return. Points come back steadily; who has none left is told when.
//!
//! Points are counted by API key, by user and by tenant, and by address for those without a
//! credential; signing in and resetting a password have limits of their own ([`check`]). In one node
//! `governor` counts. Where several nodes count together, each takes points in small portions from
//! one row of the database, so that the usual request runs no statement for it.
//!
//! Beside how much, [`Turns`] decides who is next: a tenant that asks for everything at once waits
//! for its own, and not the others.
//!
//! Not here: locking out who guesses passwords (that is `identity/`), and the bounds of a single
//! operation (`limits.rs`).

mod bucket;
mod joint;
mod local;
mod quota;
mod standing;
mod store;
mod turns;

use std::num::NonZeroU32;

use crate::app::App;
use crate::clock::Clock;
use crate::config::Limits;
use crate::ctx::Caller;
use crate::error::{Error, Result, say};
use crate::limits;
use joint::Joint;
use local::Local;
use quota::{Draw, Quota};

pub use bucket::{Bucket, Subject};
pub use standing::{Standing, Standings};
pub use turns::{Turn, Turns};

/// The part of [`App`] that counts. One per process.
pub struct Rate {
    /// In the order of [`Bucket::ALL`]; absent where no limit is set.
    counters: Vec<(Bucket, Counter)>,
    joint: Option<Joint>,
    pub turns: Turns,
}

struct Counter {
    quota: Quota,
    local: Local,
}

/// What a caller was charged, and why it may not go on.
#[derive(Debug, Default)]
pub struct Charge {
    pub standings: Standings,
    pub refused: Option<Error>,
}

impl Rate {
    pub fn new(settings: &Limits, connections: u32, clock: &Clock) -> Self {
        let counters = Bucket::ALL.into_iter().filter_map(|bucket| {
            let limit = NonZeroU32::new(bucket.limit(settings))?;
            let quota = Quota::new(limit, bucket.window());
            Some((bucket, Counter { quota, local: Local::new(limit, quota, clock)? }))
        });
        Self {
            counters: counters.collect(),
            joint: settings.rate_shared.then(Joint::new),
            turns: Turns::new(settings, connections),
        }
    }

    fn counter(&self, bucket: Bucket) -> Option<&Counter> {
        self.counters.iter().find(|(known, _)| *known == bucket).map(|(_, counter)| counter)
    }

    /// Forgets who has all points again; must run now and then, or strangers fill the memory.
    pub(crate) fn forget_the_rested(&self) {
        for (_, counter) in &self.counters {
            counter.local.forget_the_rested();
        }
    }
}

/// Takes `cost` points of `subject` from a bucket, or says `RATE_LIMITED`: for doors and rooms that
/// bound something of their own.
///
/// ```ignore
/// rate::check(app, Bucket::PasswordReset, Subject::address(ip), 1).await?;
/// ```
pub async fn check(app: &App, bucket: Bucket, subject: Subject, cost: u64) -> Result<()> {
    let mut charge = Charge::default();
    draw(app, &mut charge, (bucket, subject), cost).await;
    charge.refused.map_or(Ok(()), Err)
}

/// Takes `cost` points of a caller from every bucket that holds for them.
pub async fn charge(caller: &Caller, cost: u64) -> Charge {
    let app = caller.app();
    let mut charge = Charge::default();
    match caller {
        Caller::Nobody { origin, .. } => {
            if let Some(ip) = origin.ip {
                draw(app, &mut charge, (Bucket::Address, Subject::address(ip)), cost).await;
            }
        }
        Caller::Somebody(ctx) => {
            let tenant_id = ctx.tenant_id();
            let of = |id| Subject::Member { tenant_id, id };
            let key = ctx.actor.api_key_id.map(|id| (Bucket::Key, of(id)));
            let others = [(Bucket::User, of(ctx.actor.user_id)), (Bucket::Tenant, of(tenant_id))];
            for place in key.into_iter().chain(others) {
                if charge.refused.is_none() {
                    draw(app, &mut charge, place, cost).await;
                }
            }
        }
    }
    charge
}

/// The cost of so many rows beside that of the operation itself.
pub fn cost_of_rows(rows: u64) -> u64 {
    rows / limits::RATE_ROWS_PER_POINT
}

/// Removes what the database no longer has to remember of budgets.
pub(crate) async fn sweep(app: &App) -> Result<u64> {
    match app.rate.joint {
        Some(_) => store::sweep(app).await,
        None => Ok(0),
    }
}

async fn draw(app: &App, charge: &mut Charge, place: (Bucket, Subject), cost: u64) {
    let (bucket, subject) = place;
    let Some(counter) = app.rate.counter(bucket) else { return };
    let quota = counter.quota;
    let drawn = match &app.rate.joint {
        Some(joint) if bucket.is_shared() => joint.draw(app, place, quota, cost).await,
        Some(_) | None => Ok(counter.local.draw(subject, cost)),
    };
    let drawn = match drawn {
        Ok(drawn) => drawn,
        Err(error) => {
            // What cannot be counted limits nobody: the operation meets the same database.
            tracing::warn!(%error, bucket = bucket.as_str(), "a rate limit could not be counted");
            return;
        }
    };
    match drawn {
        Draw::Taken { remaining } => charge.standings.add(Standing::of(bucket, quota, remaining)),
        Draw::Short { remaining, wait } => {
            charge.standings.add(Standing::of(bucket, quota, remaining));
            charge.refused = Some(used_up(bucket, quota, wait.as_millis().div_ceil(1000)));
        }
        Draw::Never => charge.refused = Some(too_dear(bucket, quota, cost)),
    }
    if charge.refused.is_some() {
        app.metrics.rate_limited(bucket.as_str());
    }
}

fn used_up(bucket: Bucket, quota: Quota, seconds: u128) -> Error {
    let seconds = u64::try_from(seconds).unwrap_or(u64::MAX).max(1);
    let (setting, limit) = (bucket.setting(), quota.limit());
    let (of_en, of_pt) = bucket.spoken();
    let (per_en, per_pt) = bucket.period();
    Error::RateLimited {
        message: say(
            format!(
                "the rate limit of this {of_en} ({limit} per {per_en}) is used up: try again in \
                 {seconds} s, or let the operator raise the setting {setting}"
            ),
            format!(
                "o limite {of_pt} ({limit} por {per_pt}) foi atingido: tente de novo em {seconds} s, \
                 ou peça ao operador que aumente a configuração {setting}"
            ),
        ),
        retry_after_s: seconds,
    }
}

/// Waiting would not help.
fn too_dear(bucket: Bucket, quota: Quota, cost: u64) -> Error {
    let (setting, limit) = (bucket.setting(), quota.limit());
    Error::limit(say(
        format!(
            "this operation costs {cost}, more than the {limit} that the setting {setting} allows \
             at all: ask for fewer rows at once"
        ),
        format!(
            "esta operação custa {cost}, mais que os {limit} que a configuração {setting} permite ao \
             todo: peça menos linhas de uma vez"
        ),
    ))
}
