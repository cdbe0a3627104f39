//! The history of metrics that were declared after their events: counted once from what is folded, and
//! from then on like everything else.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use uuid::Uuid;

use super::fold::{Cut, Feeds, Folds, fold};
use super::folder::{MINUTES_KEPT, put};
use super::store::{self, Stretch};
use crate::access::SystemHandle;
use crate::analytics::metric::{Metric, custom};
use crate::db::Conn;
use crate::error::{Error, Result};

/// Counts the history of the tenant's metrics that wait for it. The caller holds the tenant's head, so
/// that no event is folded meanwhile: each is in the history, or comes after it.
pub(super) async fn count(
    conn: &Conn,
    system: &SystemHandle,
    (zone, now): (Tz, DateTime<Utc>),
) -> Result<()> {
    let waiting: Vec<Arc<Metric>> = custom::counting(conn, system).await?;
    if waiting.is_empty() {
        return Ok(());
    }
    let feeds = Feeds::of(&waiting);
    let cut = Cut { zone, minutes_from: now - MINUTES_KEPT };
    let mut log = Stretch::of(feeds.event_types());
    let mut counted = Folds::default();
    loop {
        let events = log.next(conn, system).await?;
        if events.is_empty() {
            break;
        }
        let folds = fold(events.iter().map(|behind| &behind.event), &feeds, cut);
        counted.absorb(folds).map_err(Error::internal)?;
    }
    let Folds { series, buckets, .. } = counted;
    put(conn, system, series, buckets, now).await?;
    store::note_change(conn, system, 0, now).await?;
    let keys = waiting.iter().filter_map(|metric| metric.folded());
    let ids: Vec<Uuid> = keys.filter_map(|folded| folded.key.parse().ok()).collect();
    tracing::info!(metrics = ids.len(), "the history of new metrics was counted");
    custom::mark_ready(conn, system, ids, now).await
}
