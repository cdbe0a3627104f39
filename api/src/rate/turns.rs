//! Who is next: operations that read or write take turns, so that a tenant that asks for everything
//! at once waits for its own operations and not the others for them.
//!
//! There are a few turns for every connection. A tenant that is alone may have all of them; as soon
//! as others are active it may have its share, and whoever waits is served tenant by tenant. Taking a
//! turn is one short lock; nothing runs in the background.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::available_parallelism;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::oneshot;
use uuid::Uuid;

use crate::clock::Clock;
use crate::config::Limits;
use crate::error::{Error, Result, say};
use crate::limits;

/// A tenant counts as active for so long after it last asked.
const ACTIVE_MS: i64 = 2_000;

/// Connections are kept busy by a few who wait for one, and short look-ups share one.
const OPERATIONS_PER_CONNECTION: usize = 2;

/// The turns of one process. Clones share them.
#[derive(Debug, Clone)]
pub struct Turns(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// Operations at the same time.
    most: usize,
    /// Of one tenant, while others are active.
    share: usize,
    hall: Mutex<Hall>,
}

#[derive(Debug, Default)]
struct Hall {
    running: usize,
    /// Tenants that have operations running or waiting.
    lines: HashMap<Uuid, Line>,
    /// Tenants that wait, the next one first.
    queue: VecDeque<Uuid>,
    /// The two tenants that asked last.
    recent: [Option<(Uuid, DateTime<Utc>)>; 2],
}

#[derive(Debug, Default)]
struct Line {
    running: usize,
    waiting: VecDeque<oneshot::Sender<()>>,
}

/// The right to run one operation, until it is dropped.
#[derive(Debug)]
pub struct Turn {
    turns: Turns,
    clock: Clock,
    tenant_id: Uuid,
}

/// A place in a tenant's line; given up when dropped.
struct Waiting<'t> {
    turns: &'t Turns,
    clock: &'t Clock,
    tenant_id: Uuid,
    granted: oneshot::Receiver<()>,
}

impl Turns {
    pub fn new(settings: &Limits, connections: u32) -> Self {
        let count = |number: u32| usize::try_from(number).unwrap_or(usize::MAX).max(1);
        let connections = count(connections);
        let usual = connections.saturating_mul(OPERATIONS_PER_CONNECTION);
        let most = settings.operations_at_once.map_or(usual, count);
        let processors = available_parallelism().map_or(1, usize::from);
        let usual = (connections / 4).min(processors / 2).max(1);
        let share = settings.tenant_operations_at_once.map_or(usual, count).min(most);
        Self(Arc::new(Shared { most, share, hall: Mutex::new(Hall::default()) }))
    }

    /// Waits until the tenant may run one more operation.
    pub async fn take(&self, clock: &Clock, tenant_id: Uuid) -> Result<Turn> {
        if let Some(granted) = self.ask(tenant_id, clock.now())? {
            let mut waiting = Waiting { turns: self, clock, tenant_id, granted };
            let heard = (&mut waiting.granted).await;
            heard.map_err(|_closed| Error::unavailable("a turn was lost"))?;
        }
        Ok(Turn { turns: self.clone(), clock: clock.clone(), tenant_id })
    }

    /// Operations that run and that wait, for measurements.
    pub fn counts(&self) -> (usize, usize) {
        let hall = self.hall();
        (hall.running, hall.lines.values().map(|line| line.waiting.len()).sum())
    }

    /// Runs at once (`None`), or says where to wait.
    fn ask(&self, tenant_id: Uuid, now: DateTime<Utc>) -> Result<Option<oneshot::Receiver<()>>> {
        let mut hall = self.hall();
        hall.note(tenant_id, now);
        let allowed = self.allowed(&hall, tenant_id, now);
        let free = hall.running < self.0.most;
        let line = hall.lines.entry(tenant_id).or_default();
        if line.waiting.len() >= limits::TENANT_WAITING_MAX {
            line.waiting.retain(|grant| !grant.is_closed());
            if line.waiting.len() >= limits::TENANT_WAITING_MAX {
                return Err(too_many_wait());
            }
        }
        if free && line.running < allowed && line.waiting.is_empty() {
            line.running += 1;
            hall.running += 1;
            return Ok(None);
        }
        let (grant, granted) = oneshot::channel();
        line.waiting.push_back(grant);
        if !hall.queue.contains(&tenant_id) {
            hall.queue.push_back(tenant_id);
        }
        Ok(Some(granted))
    }

    fn give_back(&self, tenant_id: Uuid, now: DateTime<Utc>) {
        let mut hall = self.hall();
        hall.running = hall.running.saturating_sub(1);
        if let Some(line) = hall.lines.get_mut(&tenant_id) {
            line.running = line.running.saturating_sub(1);
        }
        self.call_next(&mut hall, now);
        hall.tidy(tenant_id);
    }

    /// Gives free turns to those who wait, one tenant after the other.
    fn call_next(&self, hall: &mut Hall, now: DateTime<Utc>) {
        // Once round without anybody being called, and nobody may go.
        let mut passed_over = 0;
        while hall.running < self.0.most && passed_over < hall.queue.len() {
            let Some(tenant_id) = hall.queue.pop_front() else { return };
            let allowed = self.allowed(hall, tenant_id, now);
            let Some(line) = hall.lines.get_mut(&tenant_id) else { continue };
            if line.running >= allowed {
                hall.queue.push_back(tenant_id);
                passed_over += 1;
                continue;
            }
            // Whoever gave up waiting is not there to be called.
            let called =
                std::iter::from_fn(|| line.waiting.pop_front()).any(|grant| grant.send(()).is_ok());
            if called {
                line.running += 1;
                hall.running += 1;
                passed_over = 0;
            }
            let still_waits = !line.waiting.is_empty();
            if still_waits {
                hall.queue.push_back(tenant_id);
            } else {
                hall.tidy(tenant_id);
            }
        }
    }

    fn allowed(&self, hall: &Hall, tenant_id: Uuid, now: DateTime<Utc>) -> usize {
        if hall.others_active(tenant_id, now) { self.0.share } else { self.0.most }
    }

    fn hall(&self) -> MutexGuard<'_, Hall> {
        self.0.hall.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Hall {
    fn note(&mut self, tenant_id: Uuid, now: DateTime<Utc>) {
        let [last, before] = &mut self.recent;
        if last.is_none_or(|(known, _)| known != tenant_id) {
            *before = *last;
        }
        *last = Some((tenant_id, now));
    }

    fn others_active(&self, tenant_id: Uuid, now: DateTime<Utc>) -> bool {
        self.recent.iter().flatten().any(|(other, at)| {
            *other != tenant_id && now - *at < TimeDelta::milliseconds(ACTIVE_MS)
        })
    }

    /// Forgets a tenant that has nothing running and nobody waiting.
    fn tidy(&mut self, tenant_id: Uuid) {
        let idle = |line: &Line| line.running == 0 && line.waiting.is_empty();
        if self.lines.get(&tenant_id).is_some_and(idle) {
            self.lines.remove(&tenant_id);
            self.queue.retain(|waiting| *waiting != tenant_id);
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.turns.give_back(self.tenant_id, self.clock.now());
    }
}

impl Drop for Waiting<'_> {
    /// A turn that was granted to somebody who has left meanwhile goes to the next.
    fn drop(&mut self) {
        self.granted.close();
        if self.granted.try_recv().is_ok() {
            self.turns.give_back(self.tenant_id, self.clock.now());
        }
    }
}

fn too_many_wait() -> Error {
    Error::RateLimited {
        message: say(
            "too many operations of this tenant are waiting: send fewer at once, or let the operator \
             raise the setting tenant_operations_at_once",
            "há operações demais desta conta na fila: envie menos de uma vez, ou peça ao operador que \
             aumente a configuração tenant_operations_at_once",
        ),
        retry_after_s: 1,
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::Poll;

    use futures::poll;

    use super::*;

    fn turns(most: u32, share: u32) -> (Turns, Clock) {
        let settings = Limits {
            operations_at_once: Some(most),
            tenant_operations_at_once: Some(share),
            ..Limits::default()
        };
        (Turns::new(&settings, 99), Clock::fixed("2026-03-10T12:00:00Z".parse().unwrap()))
    }

    const NOISY: Uuid = Uuid::from_u128(1);
    const QUIET: Uuid = Uuid::from_u128(2);

    #[tokio::test]
    async fn a_tenant_alone_may_have_all_turns_and_no_more() {
        let (turns, clock) = turns(3, 1);
        let taken = [turns.take(&clock, NOISY).await, turns.take(&clock, NOISY).await];
        let third = turns.take(&clock, NOISY).await.unwrap();
        let mut fourth = pin!(turns.take(&clock, NOISY));
        assert!(poll!(&mut fourth).is_pending());
        drop(third);
        assert!(poll!(&mut fourth).is_ready());
        drop(taken);
        assert_eq!(turns.counts(), (0, 0));
    }

    #[tokio::test]
    async fn while_others_are_active_a_tenant_has_its_share() {
        let (turns, clock) = turns(3, 1);
        drop(turns.take(&clock, QUIET).await.unwrap());
        let noisy = turns.take(&clock, NOISY).await.unwrap();
        let mut more = pin!(turns.take(&clock, NOISY));
        assert!(poll!(&mut more).is_pending(), "two turns are free, and are kept for others");
        let quiet = turns.take(&clock, QUIET).await.unwrap();
        drop(noisy);
        let Poll::Ready(Ok(noisy)) = poll!(&mut more) else { panic!("its own turn is free") };
        drop(quiet);
        // Once the others have been silent for a while, all turns are its again.
        let mut more = pin!(turns.take(&clock, NOISY));
        assert!(poll!(&mut more).is_pending());
        clock.advance(TimeDelta::milliseconds(ACTIVE_MS));
        drop(noisy);
        assert!(poll!(&mut more).is_ready());
    }

    #[tokio::test]
    async fn waiting_tenants_are_called_by_turns() {
        let (turns, clock) = turns(1, 1);
        let first = turns.take(&clock, NOISY).await.unwrap();
        let mut noisy: Vec<_> = (0..5).map(|_| Box::pin(turns.take(&clock, NOISY))).collect();
        for waiting in &mut noisy {
            assert!(poll!(waiting.as_mut()).is_pending());
        }
        let mut quiet = pin!(turns.take(&clock, QUIET));
        assert!(poll!(&mut quiet).is_pending());
        drop(first);
        let Poll::Ready(Ok(turn)) = poll!(noisy[0].as_mut()) else { panic!("it came first") };
        drop(turn);
        assert!(poll!(noisy[1].as_mut()).is_pending(), "the other tenant is next");
        assert!(poll!(&mut quiet).is_ready());
    }

    #[tokio::test]
    async fn who_leaves_while_waiting_takes_no_turn_along() {
        let (turns, clock) = turns(1, 1);
        let first = turns.take(&clock, NOISY).await.unwrap();
        let mut leaves = Box::pin(turns.take(&clock, NOISY));
        let mut granted = Box::pin(turns.take(&clock, NOISY));
        let mut stays = Box::pin(turns.take(&clock, NOISY));
        for waiting in [&mut leaves, &mut granted, &mut stays] {
            assert!(poll!(waiting.as_mut()).is_pending());
        }
        drop(leaves);
        drop(first);
        // Granted, and left before it was told.
        drop(granted);
        let Poll::Ready(Ok(turn)) = poll!(stays.as_mut()) else { panic!("nobody is before it") };
        drop(turn);
        assert_eq!(turns.counts(), (0, 0));
    }
}
