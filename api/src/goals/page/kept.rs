//! What this process keeps of sellers, by tenant, seller and year, with the epoch it was read at.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use moka::future::Cache;
use moka::ops::compute::{CompResult, Op};
use tokio::sync::Mutex;
use uuid::Uuid;

use super::store::{Customer, Entry, Goal, Year};
use crate::ctx::Ctx;
use crate::error::{Error, Result, say};
use crate::limits;
use crate::record::declare::Tier;

/// A tenant's seller in a year.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) tenant: Uuid,
    pub(super) seller: Uuid,
    pub(super) year: i32,
}

/// The static tier: goals, and what customers are called; both in the order of the customers.
pub(super) struct Base {
    pub(super) epoch: i64,
    pub(super) at: DateTime<Utc>,
    pub(super) goals: Vec<Entry<Goal>>,
    pub(super) customers: Vec<(Uuid, Arc<Customer>)>,
    /// Those that goals are in.
    pub(super) currencies: BTreeSet<String>,
}

impl Base {
    /// Whether it knows what every one of these customers is called.
    pub(super) fn names<T>(&self, entries: &[Entry<T>]) -> bool {
        let mut known = self.customers.iter().map(|(customer, _)| *customer).peekable();
        entries.iter().all(|entry| {
            while known.next_if(|customer| *customer < entry.customer).is_some() {}
            known.peek() == Some(&entry.customer)
        })
    }
}

/// The annual tier, in the order of the customers.
pub(super) struct Sold {
    pub(super) epoch: i64,
    pub(super) at: DateTime<Utc>,
    pub(super) years: Vec<Entry<Year>>,
    /// Those that anything was sold in.
    pub(super) currencies: BTreeSet<String>,
}

/// What pages keep. A seller's part weighs as many rows as it has.
pub struct Kept {
    bases: Cache<Key, Arc<Base>>,
    sold: Cache<Key, Arc<Sold>>,
    /// Who reads what is missing, so that the others wait and do not read it too.
    flights: Cache<Vec<Key>, Arc<Mutex<()>>>,
    /// When a user last asked for a refresh.
    refreshed: Cache<(Uuid, Uuid), DateTime<Utc>>,
}

impl Kept {
    pub fn new() -> Self {
        Self::of_at_most(limits::GOALS_KEPT_ROWS)
    }

    /// So many rows of each tier.
    fn of_at_most(rows: u64) -> Self {
        let weight = |rows: usize| u32::try_from(rows + 1).unwrap_or(u32::MAX);
        let live_for = |tier: Tier| Duration::from_secs(tier.seconds());
        Self {
            bases: Cache::builder()
                .max_capacity(rows)
                .weigher(move |_, base: &Arc<Base>| weight(base.goals.len() + base.customers.len()))
                .time_to_live(live_for(Tier::Static))
                .build(),
            sold: Cache::builder()
                .max_capacity(rows)
                .weigher(move |_, sold: &Arc<Sold>| weight(sold.years.len()))
                .time_to_live(live_for(Tier::Annual))
                .build(),
            flights: Cache::builder()
                .max_capacity(limits::GOALS_WAITING_KEPT)
                .time_to_idle(live_for(Tier::Annual))
                .build(),
            refreshed: Cache::builder()
                .max_capacity(limits::GOALS_WAITING_KEPT)
                .time_to_live(live_for(Tier::Annual))
                .build(),
        }
    }

    pub(super) async fn base(
        &self,
        key: &Key,
        epoch: i64,
        now: DateTime<Utc>,
    ) -> Option<Arc<Base>> {
        let is_fresh = |base: &Arc<Base>| base.epoch == epoch && young(base.at, now, Tier::Static);
        self.bases.get(key).await.filter(is_fresh)
    }

    pub(super) async fn sold(
        &self,
        key: &Key,
        epoch: i64,
        now: DateTime<Utc>,
    ) -> Option<Arc<Sold>> {
        let is_fresh = |sold: &Arc<Sold>| sold.epoch == epoch && young(sold.at, now, Tier::Annual);
        self.sold.get(key).await.filter(is_fresh)
    }

    /// What another request read of a later state stays.
    pub(super) async fn put_base(&self, key: Key, base: &Arc<Base>) {
        if self.bases.get(&key).await.is_none_or(|there| there.epoch <= base.epoch) {
            self.bases.insert(key, Arc::clone(base)).await;
        }
    }

    pub(super) async fn put_sold(&self, key: Key, sold: &Arc<Sold>) {
        if self.sold.get(&key).await.is_none_or(|there| there.epoch <= sold.epoch) {
            self.sold.insert(key, Arc::clone(sold)).await;
        }
    }

    pub(super) async fn flight(&self, missing: Vec<Key>) -> Arc<Mutex<()>> {
        self.flights.get_with(missing, async { Arc::new(Mutex::new(())) }).await
    }

    /// Whether the caller may have everything read anew; RATE_LIMITED when that was just done. Of
    /// several who ask at once one may.
    pub(super) async fn allow_refresh(&self, ctx: &Ctx) -> Result<()> {
        let (caller, now) = ((ctx.tenant_id(), ctx.actor.user_id), ctx.now());
        let pause = TimeDelta::seconds(limits::GOALS_REFRESH_SECONDS);
        let asked = self.refreshed.entry(caller).and_compute_with(async |last| match last {
            Some(last) if *last.value() + pause > now => Op::Nop,
            Some(_) | None => Op::Put(now),
        });
        let CompResult::Unchanged(last) = asked.await else { return Ok(()) };
        let wait = (*last.value() + pause - now).num_seconds();
        let wait = u64::try_from(wait).unwrap_or_default() + 1;
        Err(Error::RateLimited {
            message: say(
                format!("refreshed a moment ago: again in {wait} s"),
                format!("atualizado há instantes: de novo em {wait} s"),
            ),
            retry_after_s: wait,
        })
    }
}

impl Default for Kept {
    fn default() -> Self {
        Self::new()
    }
}

fn young(at: DateTime<Utc>, now: DateTime<Utc>, tier: Tier) -> bool {
    let seconds = i64::try_from(tier.seconds()).unwrap_or(i64::MAX);
    now - at < TimeDelta::seconds(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sellers with many customers push others out, however few sellers they are.
    #[tokio::test]
    async fn what_is_kept_weighs_as_many_rows_as_it_has() {
        let kept = Kept::of_at_most(1_000);
        let now = DateTime::UNIX_EPOCH;
        for number in 0..50_u128 {
            let key = Key { tenant: Uuid::nil(), seller: Uuid::from_u128(number), year: 2026 };
            let customers = (0..100_u128).map(|customer| {
                let named = Customer { name: String::new(), city: None, state: None };
                (Uuid::from_u128(customer), Arc::new(named))
            });
            let base = Base {
                epoch: 1,
                at: now,
                goals: Vec::new(),
                customers: customers.collect(),
                currencies: BTreeSet::new(),
            };
            kept.put_base(key, &Arc::new(base)).await;
        }
        kept.bases.run_pending_tasks().await;
        assert!(kept.bases.weighted_size() <= 1_000, "{}", kept.bases.weighted_size());
        assert_eq!(kept.bases.entry_count(), 9);
    }
}
