//! Where events wait for the next insert of their tenant. What comes while an insert is under way
//! goes together into the next one, so that many small requests cost one commit.
//!
//! Invariants: the room is bounded, and whoever finds it full is told so before anything of theirs is
//! taken; what was taken is written to the end, also when its caller went away; a caller hears of its
//! events after their commit, and never before.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::Datelike as _;
use tokio::sync::oneshot;
use uuid::Uuid;

use super::{Incoming, Outcome, Refused, Status, store};
use crate::access::{Permit, Writer};
use crate::app::App;
use crate::clock::Clock;
use crate::db::Conn;
use crate::error::{Error, Result, say};
use crate::events::{self, Event, Lane};
use crate::limits;

const LANES: [Lane; 3] = [Lane::Critical, Lane::Normal, Lane::Backfill];

/// An event of a request, looked at.
pub(super) type Judged = Result<Incoming, Box<Refused>>;

/// The events of one request, on their way.
struct Parcel {
    writer: Writer,
    events: Vec<Judged>,
    answer: oneshot::Sender<Result<Vec<Outcome>>>,
}

/// The part of [`App`] in which events wait.
#[derive(Default)]
pub struct Intake(Mutex<Waiting>);

#[derive(Default)]
struct Waiting {
    parcels: VecDeque<Parcel>,
    /// Events that wait or are being written.
    events: usize,
    writers: usize,
}

impl Intake {
    /// Events that wait or are being written at this moment.
    pub fn waiting(&self) -> usize {
        self.lock().events
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The oldest parcel and, as far as they fit into one insert, all of its tenant's; none when there
    /// is none, and then one writer fewer.
    fn next(&self) -> Vec<Parcel> {
        let mut waiting = self.lock();
        let Some(first) = waiting.parcels.pop_front() else {
            waiting.writers = waiting.writers.saturating_sub(1);
            return Vec::new();
        };
        let tenant_id = first.writer.tenant_id();
        let mut events = first.events.len();
        let mut group = vec![first];
        let mut left = VecDeque::with_capacity(waiting.parcels.len());
        for parcel in std::mem::take(&mut waiting.parcels) {
            let fits = events + parcel.events.len() <= limits::EVENTS_PER_INSERT_MAX;
            if parcel.writer.tenant_id() == tenant_id && fits {
                events += parcel.events.len();
                group.push(parcel);
            } else {
                left.push_back(parcel);
            }
        }
        waiting.parcels = left;
        group
    }

    fn done(&self, events: usize) {
        let mut waiting = self.lock();
        waiting.events = waiting.events.saturating_sub(events);
    }
}

/// Hands events over and waits until it is committed what became of each.
///
/// # Errors
///
/// `RATE_LIMITED` when too many wait already; nothing was taken then.
pub(super) async fn put(
    app: &Arc<App>,
    writer: Writer,
    events: Vec<Judged>,
) -> Result<Vec<Outcome>> {
    let (answer, answered) = oneshot::channel();
    {
        let mut waiting = app.intake.lock();
        if waiting.events + events.len() > limits::EVENTS_WAITING_MAX {
            return Err(full());
        }
        waiting.events += events.len();
        waiting.parcels.push_back(Parcel { writer, events, answer });
        if waiting.writers < limits::EVENT_WRITERS {
            waiting.writers += 1;
            app.see_through(write_all(Arc::clone(app)));
        }
    }
    answered.await.map_err(|_gone| Error::internal("the writer of events went away"))?
}

fn full() -> Error {
    Error::RateLimited {
        message: say(
            "too many events wait to be written: send them again in a second",
            "há eventos demais esperando gravação: envie de novo em um segundo",
        ),
        retry_after_s: 1,
    }
}

/// Writes until nothing waits.
async fn write_all(app: Arc<App>) {
    loop {
        let group = app.intake.next();
        if group.is_empty() {
            return;
        }
        let events = group.iter().map(|parcel| parcel.events.len()).sum();
        write_group(&app, group).await;
        app.intake.done(events);
    }
}

/// One transaction for all. Where that fails each parcel is tried alone, so that none answers for
/// another's fault.
async fn write_group(app: &Arc<App>, group: Vec<Parcel>) {
    let together: Vec<&[Judged]> = group.iter().map(|parcel| parcel.events.as_slice()).collect();
    let Some(writer) = group.first().map(|parcel| parcel.writer.clone()) else { return };
    match (write(app, &writer, &together).await, group.len()) {
        (Ok(outcomes), _) => {
            for (parcel, outcomes) in group.into_iter().zip(outcomes) {
                tell(parcel, Ok(outcomes));
            }
        }
        (Err(error), 1) => {
            if let Some(parcel) = group.into_iter().next() {
                tell(parcel, Err(error));
            }
        }
        (Err(error), requests) => {
            tracing::warn!(%error, requests, "events are written request by request");
            for parcel in group {
                let alone = write(app, &parcel.writer, &[parcel.events.as_slice()]).await;
                tell(parcel, alone.map(|mut all| all.pop().unwrap_or_default()));
            }
        }
    }
}

/// Whoever went away meanwhile cannot hear it, and will ask again.
fn tell(parcel: Parcel, outcomes: Result<Vec<Outcome>>) {
    if parcel.answer.send(outcomes).is_err() {
        tracing::debug!("a caller went away before its events were written");
    }
}

/// Writes the events of several requests of one tenant; what became of each, request by request.
async fn write(
    app: &Arc<App>,
    writer: &Writer,
    requests: &[&[Judged]],
) -> Result<Vec<Vec<Outcome>>> {
    let clock = &app.clock;
    let all = || requests.iter().copied().flatten();
    let arrivals = Arrivals::of(clock, all());
    arrivals.make_room(app).await?;
    let refused: Vec<Refused> = all()
        .filter_map(|judged| judged.as_ref().err().map(|refused| Refused::clone(refused)))
        .collect();
    let conn = app.db.transaction().await?;
    let mut fresh = arrivals.enter(&conn, writer, clock).await?;
    store::quarantine(&conn, writer, clock, refused).await?;
    conn.commit().await?;
    Ok(requests.iter().map(|events| arrivals.outcomes(events, &mut fresh)).collect())
}

/// The good events of one transaction, each source's id once, with the ids that they get if they are
/// new.
pub(super) struct Arrivals<'e>(HashMap<&'e str, (Uuid, &'e Incoming)>);

impl<'e> Arrivals<'e> {
    pub(super) fn of(clock: &Clock, judged: impl Iterator<Item = &'e Judged>) -> Self {
        let mut by_source = HashMap::new();
        for incoming in judged.filter_map(|judged| judged.as_ref().ok()) {
            by_source
                .entry(incoming.id.as_str())
                .or_insert_with(|| (clock.id_at(incoming.occurred_at), incoming));
        }
        Self(by_source)
    }

    /// Sees to the months in which the events lie; before the transaction that lets them in.
    pub(super) async fn make_room(&self, app: &App) -> Result<()> {
        let times = self.0.values().map(|(_, incoming)| incoming.occurred_at);
        let months: BTreeMap<_, _> = times.map(|at| ((at.year(), at.month()), at)).collect();
        for at in months.into_values() {
            app.db.ensure_partition_for("events", at).await?;
        }
        Ok(())
    }

    /// Appends those that are new, in the transaction of `conn`; their ids.
    pub(super) async fn enter(
        &self,
        conn: &Conn,
        writer: &Writer,
        clock: &Clock,
    ) -> Result<HashSet<Uuid>> {
        let claimed = self.0.iter().map(|(source, (id, _))| ((*source).to_owned(), *id)).collect();
        let fresh = store::claim(conn, writer, claimed).await?;
        for lane in LANES {
            let of_lane =
                self.0.values().filter(|(id, each)| each.lane == lane && fresh.contains(id));
            let events = of_lane.map(|(id, incoming)| event_of(*id, incoming)).collect();
            events::append(conn, writer, clock, lane, events).await?;
        }
        Ok(fresh)
    }

    /// The events of the log that the sources' ids stand for.
    pub(super) async fn known(
        &self,
        conn: &Conn,
        writer: &Writer,
    ) -> Result<HashMap<String, Uuid>> {
        store::known(conn, writer, self.0.keys().map(|source| (*source).to_owned()).collect()).await
    }

    /// Of several with one id the first is accepted, and the others are duplicates of it.
    pub(super) fn outcomes(&self, events: &[Judged], fresh: &mut HashSet<Uuid>) -> Vec<Outcome> {
        let outcome = |judged: &Judged| match judged {
            Err(refused) => Outcome {
                id: refused.id.clone(),
                status: Status::Quarantined,
                reason: Some((refused.reason, refused.detail.clone())),
            },
            Ok(incoming) => {
                let is_first =
                    self.0.get(incoming.id.as_str()).is_some_and(|(id, _)| fresh.remove(id));
                let status = if is_first { Status::Accepted } else { Status::Duplicate };
                Outcome { id: Some(incoming.id.clone()), status, reason: None }
            }
        };
        events.iter().map(outcome).collect()
    }
}

fn event_of(id: Uuid, incoming: &Incoming) -> Event {
    Event {
        id,
        module: incoming.module.clone(),
        event_type: incoming.event_type.clone(),
        schema_version: incoming.schema_version,
        occurred_at: incoming.occurred_at,
        actor_id: None,
        resource: None,
        resource_id: None,
        payload: incoming.payload.clone().into(),
        dimensions: incoming.dimensions.clone().into(),
    }
}
