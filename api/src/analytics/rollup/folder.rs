//! The folder: takes batches that wait and folds them, for every tenant, on every node.
//!
//! Lanes: what is critical goes first, but every pass takes something of each lane that waits, so that
//! a flood in one starves no other.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::fold::{Cut, Feeds, Logged, Place, Series, fold};
use super::state::State;
use super::store::{self, Batch};
use crate::access::{Permit, SystemHandle};
use crate::analytics::metric::catalogue::METRICS;
use crate::analytics::metric::custom;
use crate::app::App;
use crate::db::Conn;
use crate::error::{Code, Error, Result};
use crate::events::Lane;
use crate::limits;

/// A fraction of the second in which an event is to be seen.
const FOLD_EVERY: Duration = Duration::from_millis(200);
/// The longest rest while events come faster than they are folded.
const REST_MAX: Duration = Duration::from_secs(1);
const AGAIN_AFTER_FAILURE: Duration = Duration::from_secs(2);
/// How long a batch that could not be folded waits; the database is gone, or a program is wrong.
const AGAIN_IN: TimeDelta = TimeDelta::seconds(30);
/// How long minutes are kept.
pub const MINUTES_KEPT: TimeDelta = TimeDelta::hours(48);
/// Rows that one statement of the sweep removes.
const SWEPT_AT_ONCE: i64 = 5_000;

/// Lanes in their order, and the batches that one pass takes of each.
const LANES: [(Lane, i64); 3] = [(Lane::Critical, 100), (Lane::Normal, 100), (Lane::Backfill, 20)];

/// What feeds the metrics that every tenant has.
static COMMON: LazyLock<Arc<Feeds>> = LazyLock::new(|| Arc::new(Feeds::of(METRICS.iter())));

/// What feeds a tenant's metrics, also those whose history is still being counted: days that the count
/// has not reached yet are replaced by it, and after it nothing is missing.
pub(in crate::analytics) async fn feeds_of(
    conn: &Conn,
    permit: &impl Permit,
) -> Result<Arc<Feeds>> {
    let catalogue = custom::fed_of(conn, permit).await?;
    Ok(if catalogue.is_common() {
        Arc::clone(&COMMON)
    } else {
        Arc::new(Feeds::of(catalogue.iter()))
    })
}

/// Folds for as long as the process serves.
pub async fn keep_folding(app: Arc<App>) {
    loop {
        let started = app.clock.stopwatch();
        let pause = match fold_round(&app).await {
            Ok(Folded { more: false, .. }) => FOLD_EVERY,
            // To let events in goes first. Whoever folds rests as long as it worked, and has more of
            // them to fold at once the next time, which costs less for each.
            Ok(_) if app.intake.waiting() > 0 => started.elapsed().min(REST_MAX),
            Ok(_) => Duration::ZERO,
            Err(error) => {
                tracing::error!(%error, "events were not folded");
                AGAIN_AFTER_FAILURE
            }
        };
        tokio::time::sleep(pause).await;
    }
}

/// What was folded, and whether more waited all the while.
#[derive(Debug, Default)]
struct Folded {
    events: i64,
    more: bool,
}

/// Folds everything that waits, of all tenants; the number of events. One tenant's failure is told and
/// leaves the others alone.
pub async fn fold_all(app: &App) -> Result<i64> {
    let mut folded = 0;
    loop {
        let round = fold_round(app).await?;
        folded += round.events;
        if !round.more {
            return Ok(folded);
        }
    }
}

/// One pass for each tenant with events that wait: none waits until another's flood is over.
async fn fold_round(app: &App) -> Result<Folded> {
    let conn = app.db.single_read().await?;
    let tenants = store::tenants_with_work(&conn, app.clock.now()).await?;
    drop(conn);
    let mut round = Folded::default();
    let mut failed = None;
    for tenant_id in tenants {
        match fold_pass(app, tenant_id).await {
            Ok(pass) => {
                round.events += pass.events;
                round.more |= pass.more;
            }
            Err(error) => {
                tracing::error!(%tenant_id, %error, "a tenant's events were not folded");
                failed = Some(error);
            }
        }
    }
    failed.map_or(Ok(round), Err)
}

/// One transaction; nothing when somebody else has the head. What comes meanwhile waits for the next
/// round.
async fn fold_pass(app: &App, tenant_id: Uuid) -> Result<Folded> {
    let started = app.clock.stopwatch();
    let system = SystemHandle::for_tenant(tenant_id);
    let now = app.clock.now();
    let conn = app.db.transaction().await?;
    let zone = store::zone_of(&conn, &system).await?;
    let Some(head) = store::take_head(&conn, &system, (zone, now)).await? else {
        return Ok(Folded::default());
    };
    let (batches, more) = next_batches(&conn, &system, now).await?;
    if batches.is_empty() {
        // Gives the head back now: a dropped transaction ends a little later, and whoever comes
        // meanwhile would take the tenant for taken.
        conn.commit().await?;
        return Ok(Folded::default());
    }
    let cut = Cut { zone: head.zone, minutes_from: now - MINUTES_KEPT };
    match write(&conn, &system, (&batches, cut), now).await {
        Ok(events) => {
            let took = i64::try_from(started.elapsed().as_millis()).unwrap_or(i64::MAX);
            store::mark_folded(&conn, &system, &batches, (now, took)).await?;
            conn.commit().await?;
            Ok(Folded { events, more })
        }
        // The same again would fail again: the batches wait, and whoever reads them sees why.
        Err(error) if error.code() != Code::Unavailable => {
            drop(conn);
            put_off(app, &system, &batches, &error).await?;
            Err(error)
        }
        Err(error) => Err(error),
    }
}

async fn put_off(app: &App, system: &SystemHandle, batches: &[Batch], error: &Error) -> Result<()> {
    let now = app.clock.now();
    let conn = app.db.transaction().await?;
    store::put_off(&conn, system, batches, (now + AGAIN_IN, now, &error.to_string())).await?;
    conn.commit().await
}

/// What a pass takes: some of each lane, as many events as it may hold in memory, at least one batch;
/// and whether it leaves any.
async fn next_batches(
    conn: &Conn,
    system: &SystemHandle,
    now: DateTime<Utc>,
) -> Result<(Vec<Batch>, bool)> {
    let mut taken = Vec::new();
    let mut events = 0;
    let mut more = false;
    for (lane, most) in LANES {
        let waiting = store::waiting(conn, system, lane, (now, most)).await?;
        more |= i64::try_from(waiting.len()).ok() == Some(most);
        let mut first_of_lane = true;
        for batch in waiting {
            if !first_of_lane && events + batch.events > limits::EVENTS_PER_FOLD {
                more = true;
                break;
            }
            first_of_lane = false;
            events += batch.events;
            taken.push(batch);
        }
    }
    Ok((taken, more))
}

/// Folds the events of batches, and notes those that cannot be folded.
async fn write(
    conn: &Conn,
    system: &SystemHandle,
    (batches, cut): (&[Batch], Cut),
    now: DateTime<Utc>,
) -> Result<i64> {
    let events = store::events_of(conn, system, batches).await?;
    let expected: i64 = batches.iter().map(|batch| batch.events).sum();
    if i64::try_from(events.len()).ok() != Some(expected) {
        // Marked as folded they would be lost without a word.
        return Err(Error::internal(format!(
            "batches say {expected} events, and the log has {}",
            events.len()
        )));
    }
    let feeds = feeds_of(conn, system).await?;
    let (folded, failed) = fold_by_halves(conn, system, (&events, &feeds, cut), now).await?;
    if !failed.is_empty() {
        tracing::warn!(events = failed.len(), "events could not be folded");
    }
    store::put_failures(conn, system, &failed, now).await?;
    Ok(folded)
}

/// Folds events and adds what came out. What the database refuses is halved until the events are found
/// that it refuses, and the others are folded. How many were, and the others with what is wrong.
pub(super) async fn fold_by_halves(
    conn: &Conn,
    permit: &impl Permit,
    (events, feeds, cut): (&[Logged], &Feeds, Cut),
    now: DateTime<Utc>,
) -> Result<(i64, Vec<(Uuid, String)>)> {
    let mut failed = Vec::new();
    let mut folded = 0;
    let mut parts = vec![events];
    while let Some(part) = parts.pop() {
        conn.savepoint(permit).await?;
        let folds = fold(part, feeds, cut);
        match put(conn, permit, folds.series, folds.buckets, now).await {
            Ok(()) => {
                conn.keep_savepoint(permit).await?;
                folded += folds.events;
                failed.extend(folds.failed);
            }
            Err(error) if error.code() == Code::Unavailable => return Err(error),
            Err(error) => {
                conn.undo_savepoint(permit).await?;
                match part {
                    [] => return Err(error),
                    [alone] => failed.push((alone.id, error.to_string())),
                    many => {
                        let (first, second) = many.split_at(many.len() / 2);
                        parts.extend([second, first]);
                    }
                }
            }
        }
    }
    Ok((folded, failed))
}

pub(super) async fn put(
    conn: &Conn,
    permit: &impl Permit,
    series: BTreeMap<Uuid, Series>,
    buckets: BTreeMap<Place, State>,
    now: DateTime<Utc>,
) -> Result<()> {
    store::put_series(conn, permit, &series, now).await?;
    store::add(conn, permit, buckets, now).await
}

/// Tells in the measurements how far folding is behind.
pub async fn measure(app: &App) -> Result<()> {
    let conn = app.db.single_read().await?;
    let (events, since) = store::unfolded(&conn).await?;
    let age = since.map_or(TimeDelta::zero(), |since| app.clock.now() - since);
    let gauge = |name, value: f64| app.metrics.gauge(name, Vec::new()).set(value);
    gauge("pulso_events_unfolded", f64::from(u32::try_from(events).unwrap_or(u32::MAX)));
    gauge("pulso_events_unfolded_age_seconds", age.as_seconds_f64());
    Ok(())
}

/// Removes minutes that are older than they are kept, some at a time; how many.
pub async fn sweep(app: &App) -> Result<u64> {
    let conn = app.db.transaction().await?;
    let before = app.clock.now() - MINUTES_KEPT;
    let swept = store::sweep_minutes(&conn, (before, SWEPT_AT_ONCE)).await?;
    conn.commit().await?;
    Ok(swept)
}
