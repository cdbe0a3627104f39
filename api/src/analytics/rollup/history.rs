//! The history of metrics that were declared after their events: counted once from what is folded, and
//! from then on like everything else.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use uuid::Uuid;

use super::fold::{Cut, Feeds, Folds, fold};
use super::folder::{MINUTES_KEPT, put};
use super::store;
use crate::access::SystemHandle;
use crate::analytics::metric::{Metric, custom};
use crate::db::Conn;
use crate::error::{Error, Result};
use crate::limits;

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
    let most = i64::try_from(limits::EVENTS_PER_INSERT_MAX).map_err(Error::internal)?;
    let mut counted = Folds::default();
    let mut after = Uuid::nil();
    loop {
        let events = store::folded_after(conn, system, (after, most)).await?;
        let Some(last) = events.last() else { break };
        after = last.id;
        counted.absorb(fold(&events, &feeds, cut)).map_err(Error::internal)?;
    }
    let Folds { series, buckets, .. } = counted;
    put(conn, system, series, buckets, now).await?;
    let keys = waiting.iter().filter_map(|metric| metric.folded());
    let ids: Vec<Uuid> = keys.filter_map(|folded| folded.key.parse().ok()).collect();
    tracing::info!(metrics = ids.len(), "the history of new metrics was counted");
    custom::mark_ready(conn, system, ids, now).await
}
