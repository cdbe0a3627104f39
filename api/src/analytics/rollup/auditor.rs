//! The auditor that always runs: now and then it takes some buckets by lot, recent and old, counts them
//! again from the log and compares. It is cheap, and finds in days what nobody would look for; the whole
//! is looked at by a verification.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use metrics::Label;
use uuid::Uuid;

use super::chunk;
use super::fold::{Cut, Feeds, Folds, Place, fold};
use super::grain::{Grain, next_day};
use super::recount::minutes_from;
use super::store::{self, Stretch};
use super::window::Span;
use crate::access::SystemHandle;
use crate::analytics::metric::{Metric, custom};
use crate::app::App;
use crate::db::Conn;
use crate::error::{Error, Result};
use crate::limits;

const AUDIT_EVERY: Duration = Duration::from_secs(60);
/// Times that a round looks for a bucket in each of its ways.
const LOOKS: usize = 2;
/// The youngest events that are looked for are of the last two days; others are up to twice as old, or
/// four times, …, which is twenty years in the end.
const RECENT: TimeDelta = TimeDelta::hours(48);
const DOUBLINGS: u64 = 12;

/// What a round found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Audited {
    pub agree: u64,
    pub differ: u64,
    /// Buckets of more events than a round may count.
    pub too_large: u64,
}

pub async fn keep_auditing(app: Arc<App>) {
    loop {
        tokio::time::sleep(AUDIT_EVERY).await;
        if let Err(error) = audit_some(&app).await {
            tracing::warn!(%error, "snapshots were not audited");
        }
    }
}

/// One round: some buckets of one tenant, all by lot.
pub async fn audit_some(app: &App) -> Result<Audited> {
    let conn = app.db.single_read().await?;
    let tenants = store::tenants_with_head(&conn).await?;
    drop(conn);
    let mut audited = Audited::default();
    let Some(tenant_id) = drawn(app, &tenants).copied() else { return Ok(audited) };
    let system = SystemHandle::for_tenant(tenant_id);
    for look in 0..LOOKS {
        // One moment for each bucket: nobody waits for a long one.
        let conn = app.db.snapshot().await?;
        let Some(audit) = Audit::of(app, &conn, &system).await? else { break };
        let of_row = audit.by_row().await?;
        let of_event = audit.by_event(look == 0).await?;
        for (place, metric) in of_row.into_iter().chain(of_event) {
            audit.compare((place, &metric), &mut audited).await?;
        }
    }
    for (found, buckets) in
        [("agrees", audited.agree), ("differs", audited.differ), ("too_large", audited.too_large)]
    {
        let labels = vec![Label::new("found", found)];
        app.metrics.counter("pulso_snapshot_audits_total", labels).increment(buckets);
    }
    Ok(audited)
}

fn drawn<'l, T>(app: &App, list: &'l [T]) -> Option<&'l T> {
    let place = app.clock.draw(u64::try_from(list.len()).ok()?);
    list.get(usize::try_from(place).ok()?)
}

/// A tenant at one moment.
struct Audit<'a> {
    app: &'a App,
    conn: &'a Conn,
    system: &'a SystemHandle,
    /// Of metrics whose history is counted; of others some days are not there yet.
    feeds: Feeds,
    zone: Tz,
    minutes_from: DateTime<Utc>,
}

impl<'a> Audit<'a> {
    async fn of(
        app: &'a App,
        conn: &'a Conn,
        system: &'a SystemHandle,
    ) -> Result<Option<Audit<'a>>> {
        let Some(zone) = store::day_zone(conn, system).await? else { return Ok(None) };
        let feeds = Feeds::of(custom::catalogue_of(conn, system).await?.iter());
        let minutes_from = minutes_from(app.clock.now(), zone);
        Ok(Some(Self { app, conn, system, feeds, zone, minutes_from }))
    }

    fn cut(&self) -> Cut {
        Cut { zone: self.zone, minutes_from: self.minutes_from }
    }

    /// A bucket that is kept. Rows' ids are digests: one behind a number that is drawn is as good as any.
    async fn by_row(&self) -> Result<Option<(Place, String)>> {
        let half = || u128::from(self.app.clock.draw(u64::MAX));
        let from = Uuid::from_u128(half() << 64 | half());
        let Some(row) = store::row_from(self.conn, self.system, from).await? else {
            return Ok(None);
        };
        let metric = store::metric_of(self.conn, self.system, row.chunk.series_id).await?;
        let offsets: Vec<i64> =
            chunk::entries(&row.text).filter_map(|entry| entry.ok()).map(|(at, _)| at).collect();
        // A row without one that can be read is wrong at its beginning.
        let offset = drawn(self.app, &offsets).copied().unwrap_or_default();
        let place = row.chunk.place(offset);
        let may_go = place.grain == Grain::Minute && place.starts_at < self.minutes_from;
        Ok((!may_go).then(|| (place, metric.unwrap_or_default())))
    }

    /// A bucket that an event is in: it must be there.
    async fn by_event(&self, is_recent: bool) -> Result<Option<(Place, String)>> {
        let doublings = if is_recent { 0 } else { self.app.clock.draw(DOUBLINGS) };
        let oldest_ms =
            u64::try_from(RECENT.num_milliseconds()).map_err(Error::internal)? << doublings;
        let age_ms = i64::try_from(self.app.clock.draw(oldest_ms)).map_err(Error::internal)?;
        let now = self.app.clock.now();
        let from = Some(now - TimeDelta::milliseconds(age_ms));
        let log = Stretch::of(self.feeds.event_types()).between(from, now + RECENT);
        let events = log.at_most(1).next(self.conn, self.system).await?;
        let folds = fold(events.iter().map(|behind| &behind.event), &self.feeds, self.cut());
        let places: Vec<Place> = folds.buckets.keys().copied().collect();
        let Some(place) = drawn(self.app, &places).copied() else { return Ok(None) };
        let series = folds.series.get(&place.series_id);
        Ok(series.map(|series| (place, series.metric.to_string())))
    }

    async fn compare(&self, (place, metric): (Place, &str), audited: &mut Audited) -> Result<()> {
        let ends_at = match place.grain {
            Grain::Minute => place.starts_at + TimeDelta::minutes(1),
            Grain::Quarter => place.starts_at + TimeDelta::minutes(15),
            Grain::Hour => place.starts_at + TimeDelta::hours(1),
            Grain::Day => next_day(place.starts_at, self.zone),
        };
        let span = (place.starts_at, ends_at);
        let most = limits::AUDITED_EVENTS + 1;
        if store::count_between(self.conn, self.system, span, most).await? >= most {
            audited.too_large += 1;
            return Ok(());
        }
        let fed = custom::fed_of(self.conn, self.system).await?;
        let is_meant =
            |known: &&Arc<Metric>| known.folded().is_some_and(|folded| &*folded.key == metric);
        let feeds = Feeds::of(fed.iter().filter(is_meant));
        if !feeds.keys().is_empty() && !self.feeds.keys().contains(&metric) {
            return Ok(());
        }
        let counted = self.count(&feeds, span).await?;
        let counted = counted.buckets.get(&place).map(|state| state.to_text());
        let spans = [Span { grain: place.grain, from: place.starts_at, to: ends_at }];
        let rows = store::rows_of(self.conn, self.system, &[place.series_id], &spans).await?;
        let kept = rows.iter().find(|row| row.id == row.chunk.id()).and_then(|row| {
            let mut entries = chunk::entries(&row.text).filter_map(|entry| entry.ok());
            entries.find(|(offset, _)| row.chunk.place(*offset) == place).map(|(_, text)| text)
        });
        if counted.is_some() && counted.as_deref() == kept {
            audited.agree += 1;
            return Ok(());
        }
        audited.differ += 1;
        let (tenant_id, grain, at) = (self.system_tenant(), place.grain.as_str(), place.starts_at);
        tracing::error!(%tenant_id, metric, grain, %at, "a snapshot is not what the log says");
        Ok(())
    }

    fn system_tenant(&self) -> Uuid {
        use crate::access::Permit as _;

        self.system.tenant_id()
    }

    async fn count(
        &self,
        feeds: &Feeds,
        (from, to): (DateTime<Utc>, DateTime<Utc>),
    ) -> Result<Folds> {
        let log = Stretch::of(feeds.event_types()).between(Some(from), to);
        let most = usize::try_from(limits::AUDITED_EVENTS).map_err(Error::internal)?;
        let events = log.at_most(most).next(self.conn, self.system).await?;
        Ok(fold(events.iter().map(|behind| &behind.event), feeds, self.cut()))
    }
}
