//! Snapshots counted again from the log, some days at a time: to be compared, or to take the place of
//! what is there.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use uuid::Uuid;

use super::fold::{Cut, Feeds, Folds, fold};
use super::folder::MINUTES_KEPT;
use super::grain::Grain;
use super::store::{self, Stretch};
use super::window::{Span, Window};
use crate::access::SystemHandle;
use crate::analytics::metric::{Metric, custom};
use crate::db::Conn;
use crate::error::{Error, Result};
use crate::limits;

/// Minutes that are about to go are left alone: a folder whose clock is ahead may have left them out.
const MINUTES_MARGIN: TimeDelta = TimeDelta::hours(2);
/// Rows that a series has for a day, about: hours, quarters, and its part of a row of days.
const ROWS_OF_A_DAY: i64 = 6;
/// Days that one row of days has: more at once would be read in vain.
const DAYS_AT_ONCE: i64 = 32;

/// The first minute that every folder has counted whole.
pub(super) fn minutes_from(now: DateTime<Utc>, zone: Tz) -> DateTime<Utc> {
    Grain::Hour.start_of(now - MINUTES_KEPT, zone) + MINUTES_MARGIN
}

/// What is counted again: metrics of a tenant, of which all events that were folded are in their
/// snapshots.
pub(super) struct Recount {
    feeds: Feeds,
    series: Vec<Uuid>,
    zone: Tz,
    /// Minutes from then on can be counted.
    minutes_from: DateTime<Utc>,
}

impl Recount {
    /// Of all metrics, or of those with these names that there are.
    pub(super) async fn of(
        conn: &Conn,
        system: &SystemHandle,
        (zone, now): (Tz, DateTime<Utc>),
        names: Option<&[String]>,
    ) -> Result<Self> {
        let catalogue = custom::catalogue_of(conn, system).await?;
        let keys: Option<BTreeSet<&str>> = names.map(|names| {
            let named = names.iter().filter_map(|name| catalogue.find(name));
            named.flat_map(|metric| metric.parts()).map(|folded| &*folded.key).collect()
        });
        let metrics = catalogue.iter().filter(|metric| {
            let key = metric.folded().map(|folded| &*folded.key);
            key.is_some_and(|key| keys.as_ref().is_none_or(|keys| keys.contains(key)))
        });
        Self::fed_by(conn, system, Feeds::of(metrics), (zone, minutes_from(now, zone))).await
    }

    /// Of metrics that were never counted: all minutes that are kept, because nobody else counted any.
    pub(super) async fn of_new(
        conn: &Conn,
        system: &SystemHandle,
        (zone, now): (Tz, DateTime<Utc>),
        metrics: &[Arc<Metric>],
    ) -> Result<Self> {
        let feeds = Feeds::of(metrics);
        Self::fed_by(conn, system, feeds, (zone, now - MINUTES_KEPT)).await
    }

    async fn fed_by(
        conn: &Conn,
        system: &SystemHandle,
        feeds: Feeds,
        (zone, minutes_from): (Tz, DateTime<Utc>),
    ) -> Result<Self> {
        let series = store::series_of(conn, system, &feeds.keys()).await?;
        let series = series.into_iter().map(|(id, _, _)| id).collect();
        Ok(Self { series, feeds, zone, minutes_from })
    }

    /// The first days of `rest`, as many as one step may take.
    pub(super) async fn first_of(
        &self,
        conn: &Conn,
        system: &SystemHandle,
        rest: Window,
    ) -> Result<Window> {
        let rows_of_a_day = i64::try_from(self.series.len()).unwrap_or(i64::MAX / 8).max(1);
        let rows_of_a_day = rows_of_a_day.saturating_mul(ROWS_OF_A_DAY);
        let mut days = (limits::RECOUNT_ROWS / rows_of_a_day).clamp(1, DAYS_AT_ONCE);
        loop {
            let window = rest.first_days(u32::try_from(days).unwrap_or(1), self.zone);
            let most = limits::RECOUNT_EVENTS + 1;
            if days == 1
                || store::count_between(conn, system, (window.from, window.to), most).await? < most
            {
                return Ok(window);
            }
            days /= 2;
        }
    }

    /// What the log says of a window, and how many events that was made of.
    pub(super) async fn count(
        &self,
        conn: &Conn,
        system: &SystemHandle,
        window: Window,
    ) -> Result<Counted> {
        let spans = window.spans(self.minutes_from);
        let cut = Cut { zone: self.zone, minutes_from: self.minutes_from };
        let from = Some(window.events_from());
        let mut log = Stretch::of(self.feeds.event_types()).between(from, window.to);
        let mut folds = Folds::default();
        let mut events = 0;
        loop {
            let page = log.next(conn, system).await?;
            if page.is_empty() {
                break;
            }
            let page = page.iter().map(|behind| &behind.event);
            // Those before belong to the days before, and only their hour to these.
            events += page.clone().filter(|event| event.occurred_at >= window.from).count();
            folds.absorb(fold(page, &self.feeds, cut)).map_err(Error::internal)?;
        }
        folds.buckets.retain(|place, _| spans.iter().any(|span| span.has(place)));
        let mut series: BTreeSet<Uuid> = self.series.iter().copied().collect();
        series.extend(folds.series.keys());
        let series = series.into_iter().collect();
        Ok(Counted { folds, events, spans, series })
    }
}

/// What the log says of a window.
pub(super) struct Counted {
    pub(super) folds: Folds,
    /// Events that happened in it.
    pub(super) events: usize,
    pub(super) spans: [Span; 4],
    /// All series that may have buckets there.
    pub(super) series: Vec<Uuid>,
}

/// The days in which a tenant has events or snapshots; none where there are none.
pub(super) async fn all_days(
    conn: &Conn,
    system: &SystemHandle,
    zone: Tz,
) -> Result<Option<Window>> {
    let bounds = store::bounds(conn, system).await?;
    // The last bound is an event's own time.
    Ok(bounds.map(|(from, to)| Window::around(from, to + TimeDelta::milliseconds(1), zone)))
}
