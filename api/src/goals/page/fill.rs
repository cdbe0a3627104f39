//! What an answer is made of: the live statement, and what is kept of each seller, read anew in the
//! same snapshot where the epoch that the statement brought is another one.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::ask::{Ask, Sellers};
use super::kept::{Base, Key, Sold};
use super::store::{self, Entry, Epochs, Live};
use crate::ctx::Ctx;
use crate::db::Conn;
use crate::error::{Error, Result};
use crate::record::declare::{Found, Freshness, Tier};

/// Everything that a page is made of.
pub(super) struct Material {
    pub(super) live: Live,
    pub(super) sellers: Vec<Seller>,
    pub(super) freshness: Vec<Freshness>,
}

/// One seller's kept parts.
pub(super) struct Seller {
    pub(super) id: Uuid,
    pub(super) base: Arc<Base>,
    pub(super) sold: Arc<Sold>,
}

/// A seller on the way to be one: what is still missing of it.
struct Wanted {
    id: Uuid,
    epochs: Epochs,
    base: Option<Arc<Base>>,
    sold: Option<Arc<Sold>>,
}

impl Wanted {
    fn is_whole(&self) -> bool {
        self.base.is_some() && self.sold.is_some()
    }
}

pub(super) async fn gather(ctx: &Ctx, conn: &Conn, ask: &Ask) -> Result<Material> {
    if ask.refresh {
        ctx.app.goals.allow_refresh(ctx).await?;
    }
    let months = ask.live_months();
    let live = store::live(conn, &ask.reader, &ask.sellers, (ask.year, &months)).await?;
    let ids = whose(conn, ask, &live).await?;
    let mut wanted: Vec<Wanted> = ids
        .into_iter()
        .map(|id| {
            let epochs = live.epochs.get(&id).copied().unwrap_or_default();
            Wanted { id, epochs, base: None, sold: None }
        })
        .collect();
    let work = Work { ctx, conn, ask, live: &live, now: ctx.now() };
    let mut found = (Found::Bypass, Found::Bypass);
    if ask.refresh {
        work.fill(&mut wanted).await?;
    } else {
        work.take_kept(&mut wanted).await;
        found = work.complete(&mut wanted).await?;
    }
    let mut sellers = Vec::with_capacity(wanted.len());
    for each in wanted {
        let parts = each.base.zip(each.sold);
        let (base, sold) = parts.ok_or_else(|| Error::internal("a seller half read"))?;
        sellers.push(Seller { id: each.id, base, sold });
    }
    let freshness = freshness(&sellers, found, work.now);
    Ok(Material { live, sellers, freshness })
}

/// The sellers of the page. Whoever was named and has neither goals nor sales must at least exist.
async fn whose(conn: &Conn, ask: &Ask, live: &Live) -> Result<Vec<Uuid>> {
    let mut ids = match &ask.sellers {
        Sellers::These(ids) => ids.clone(),
        Sellers::All => live.epochs.keys().copied().collect(),
    };
    ids.sort_unstable();
    let Some(name) = ask.named else { return Ok(ids) };
    let unheard = ids.iter().filter(|id| !live.epochs.contains_key(id));
    let unheard: Vec<Uuid> = unheard.copied().collect();
    let count = unheard.len();
    if count > 0 && store::count_people(conn, &ask.reader, unheard).await? < count {
        return Err(Error::not_found("User").at(name));
    }
    Ok(ids)
}

struct Work<'a> {
    ctx: &'a Ctx,
    conn: &'a Conn,
    ask: &'a Ask,
    live: &'a Live,
    now: DateTime<Utc>,
}

impl Work<'_> {
    fn key(&self, seller: Uuid) -> Key {
        Key { tenant: self.ctx.tenant_id(), seller, year: self.ask.year }
    }

    async fn take_kept(&self, wanted: &mut [Wanted]) {
        let kept = &self.ctx.app.goals;
        for each in &mut *wanted {
            let key = self.key(each.id);
            each.sold = kept.sold(&key, each.epochs.sales, self.now).await;
            each.base = kept.base(&key, each.epochs.goals, self.now).await;
        }
        self.drop_nameless(wanted);
    }

    /// A base that lacks the name of a customer who bought for the first time is of no use.
    fn drop_nameless(&self, wanted: &mut [Wanted]) {
        for each in wanted {
            let years = each.sold.as_ref().map_or(&[][..], |sold| &sold.years);
            let live = self.live.months_of(each.id);
            each.base = each.base.take().filter(|base| base.names(years) && base.names(live));
        }
    }

    /// Reads what is missing, once for all who miss the same at the same time.
    async fn complete(&self, wanted: &mut [Wanted]) -> Result<(Found, Found)> {
        let missing: Vec<Key> =
            wanted.iter().filter(|each| !each.is_whole()).map(|each| self.key(each.id)).collect();
        if missing.is_empty() {
            return Ok((Found::Hit, Found::Hit));
        }
        let flight = self.ctx.app.goals.flight(missing).await;
        let _flying = flight.lock().await;
        self.take_kept(wanted).await;
        let hit_if = |all: bool| if all { Found::Hit } else { Found::Miss };
        let sold = hit_if(wanted.iter().all(|each| each.sold.is_some()));
        self.fill_sold(wanted).await?;
        self.drop_nameless(wanted);
        let base = hit_if(wanted.iter().all(|each| each.base.is_some()));
        self.fill_bases(wanted).await?;
        Ok((base, sold))
    }

    /// Reads what is missing, in the snapshot of the live statement.
    async fn fill(&self, wanted: &mut [Wanted]) -> Result<()> {
        self.fill_sold(wanted).await?;
        self.fill_bases(wanted).await
    }

    async fn fill_sold(&self, wanted: &mut [Wanted]) -> Result<()> {
        let lacking: Vec<Uuid> =
            wanted.iter().filter(|each| each.sold.is_none()).map(|each| each.id).collect();
        if lacking.is_empty() {
            return Ok(());
        }
        let (year, reader) = (self.ask.year, &self.ask.reader);
        let mut read = store::sold(self.conn, reader, &lacking, year).await?;
        for each in wanted.iter_mut().filter(|each| each.sold.is_none()) {
            let years = read.remove(&each.id).unwrap_or_default();
            let currencies = currencies(years.iter().filter(|entry| entry.of.has_any()));
            let (epoch, at) = (each.epochs.sales, self.now);
            let sold = Arc::new(Sold { epoch, at, years, currencies });
            self.ctx.app.goals.put_sold(self.key(each.id), &sold).await;
            each.sold = Some(sold);
        }
        Ok(())
    }

    async fn fill_bases(&self, wanted: &mut [Wanted]) -> Result<()> {
        let lacking: Vec<Uuid> =
            wanted.iter().filter(|each| each.base.is_none()).map(|each| each.id).collect();
        if lacking.is_empty() {
            return Ok(());
        }
        let (year, reader) = (self.ask.year, &self.ask.reader);
        let mut goals = store::goals(self.conn, reader, &lacking, year).await?;
        let mut of_seller: HashMap<Uuid, BTreeSet<Uuid>> = HashMap::new();
        for each in wanted.iter().filter(|each| each.base.is_none()) {
            let customers = of_seller.entry(each.id).or_default();
            customers.extend(goals.get(&each.id).into_iter().flatten().map(|entry| entry.customer));
            let years = each.sold.iter().flat_map(|sold| &sold.years);
            customers.extend(years.map(|entry| entry.customer));
            customers.extend(self.live.months_of(each.id).iter().map(|entry| entry.customer));
        }
        let all: HashSet<Uuid> = of_seller.values().flatten().copied().collect();
        let named = match all.is_empty() {
            true => HashMap::new(),
            false => store::customers(self.conn, reader, all.into_iter().collect()).await?,
        };
        for each in wanted.iter_mut().filter(|each| each.base.is_none()) {
            let ids = of_seller.remove(&each.id).unwrap_or_default();
            let called = |id: Uuid| (id, named.get(&id).cloned().unwrap_or_default());
            let goals = goals.remove(&each.id).unwrap_or_default();
            let base = Arc::new(Base {
                epoch: each.epochs.goals,
                at: self.now,
                currencies: currencies(goals.iter()),
                goals,
                customers: ids.into_iter().map(called).collect(),
            });
            self.ctx.app.goals.put_base(self.key(each.id), &base).await;
            each.base = Some(base);
        }
        Ok(())
    }
}

fn currencies<'e, T: 'e>(entries: impl Iterator<Item = &'e Entry<T>>) -> BTreeSet<String> {
    entries.map(|entry| entry.currency.clone()).collect()
}

fn freshness(
    sellers: &[Seller],
    (base, sold): (Found, Found),
    now: DateTime<Utc>,
) -> Vec<Freshness> {
    let age = |at: Option<DateTime<Utc>>| {
        at.map_or(0, |at| u64::try_from((now - at).num_seconds()).unwrap_or_default())
    };
    let oldest_base = sellers.iter().map(|seller| seller.base.at).min();
    let oldest_sold = sellers.iter().map(|seller| seller.sold.at).min();
    vec![
        Freshness { tier: Tier::Static, found: base, age_s: age(oldest_base) },
        Freshness { tier: Tier::Annual, found: sold, age_s: age(oldest_sold) },
        Freshness { tier: Tier::Live, found: Found::Bypass, age_s: 0 },
    ]
}
