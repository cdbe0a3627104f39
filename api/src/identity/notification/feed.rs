//! Who waits for notifications on this node. One task looks for all of them: at the numbers of their
//! users, and at whether their sessions and keys still hold. What it tells a subscriber is a number
//! that replaces the one before, so that nothing piles up.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};

use super::standing::{self, Place};
use crate::app::App;
use crate::ctx::Ctx;
use crate::error::{Error, Result, say};
use crate::limits;

const EVERY: Duration = Duration::from_millis(limits::NEWS_POLL_MS);
/// Commits that follow each other closely are looked at together.
const GATHER: Duration = Duration::from_millis(10);

/// The subscribers of a node.
#[derive(Default)]
pub struct Feeds {
    watchers: Mutex<BTreeMap<u64, Watcher>>,
    last_id: AtomicU64,
    news: Notify,
}

/// What a subscriber is told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tide {
    /// The latest number that is known to be there.
    pub(super) number: i64,
    pub ended: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Credential {
    Session(Place),
    Key(Place),
}

struct Watcher {
    user: Place,
    credential: Credential,
    /// What the credential stood for at the first look.
    mark: Option<String>,
    tide: watch::Sender<Tide>,
}

/// A subscriber's place; it is free again when this is dropped.
pub struct Watch {
    app: Arc<App>,
    id: u64,
    tide: watch::Receiver<Tide>,
}

impl Feeds {
    /// Somebody was told something and it is committed: look now.
    pub fn wake(&self) {
        self.news.notify_one();
    }

    /// Subscribers at this moment.
    pub fn len(&self) -> usize {
        self.lock().len()
    }

    /// Subscribers whose credential was looked at: what is taken from it from then on is noticed.
    pub fn judged(&self) -> usize {
        self.lock().values().filter(|watcher| watcher.mark.is_some()).count()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Watcher>> {
        self.watchers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watch {
    /// Takes a place for the caller; LIMIT_EXCEEDED when they have as many as they may.
    pub fn begin(ctx: &Ctx) -> Result<Self> {
        let (app, tenant_id) = (Arc::clone(&ctx.app), ctx.tenant_id());
        let credential = match (ctx.actor.session_id, ctx.actor.api_key_id) {
            (Some(session_id), _) => Credential::Session((tenant_id, session_id)),
            (None, Some(key_id)) => Credential::Key((tenant_id, key_id)),
            (None, None) => return Err(Error::unauthenticated()),
        };
        let user = (tenant_id, ctx.actor.user_id);
        let (sender, tide) = watch::channel(Tide::default());
        let id = app.feeds.last_id.fetch_add(1, Ordering::Relaxed);
        {
            let mut watchers = app.feeds.lock();
            let theirs = watchers.values().filter(|watcher| watcher.user == user).count();
            if theirs >= limits::SUBSCRIPTIONS_PER_USER_MAX {
                return Err(too_many());
            }
            let watcher = Watcher { user, credential, mark: None, tide: sender };
            watchers.insert(id, watcher);
        }
        Ok(Self { app, id, tide })
    }

    /// What is known now.
    pub fn look(&mut self) -> Tide {
        *self.tide.borrow_and_update()
    }

    /// Ends when something else is known.
    pub async fn changed(&mut self) {
        // The sender lives as long as this place.
        if self.tide.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Notes a number that the subscriber read by itself.
    pub(super) fn reached(&self, number: i64) {
        if let Some(watcher) = self.app.feeds.lock().get(&self.id) {
            watcher.reach(number);
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.app.feeds.lock().remove(&self.id);
    }
}

impl Watcher {
    fn reach(&self, number: i64) {
        self.tide.send_if_modified(|tide| {
            let news = number > tide.number;
            tide.number = tide.number.max(number);
            news
        });
    }

    /// Ends the subscription unless its credential stands for what it did at the first look.
    fn judge(&mut self, standing: Option<&String>) {
        let holds = match (standing, &self.mark) {
            (None, _) => false,
            (Some(now), Some(first)) => now == first,
            (Some(now), None) => {
                self.mark = Some(now.clone());
                true
            }
        };
        if !holds {
            self.tide.send_if_modified(|tide| !std::mem::replace(&mut tide.ended, true));
        }
    }
}

/// Looks for as long as the process lives; at nothing while nobody subscribes.
pub async fn keep_watching(app: Arc<App>) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            () = app.feeds.news.notified() => tokio::time::sleep(GATHER).await,
        }
        if let Err(error) = look(&app).await {
            tracing::warn!(%error, "cannot look for news of subscribers");
        }
    }
}

/// Looks once, for all subscribers together.
async fn look(app: &App) -> Result<()> {
    let (mut users, mut sessions, mut keys) = (Vec::new(), Vec::new(), Vec::new());
    for watcher in app.feeds.lock().values() {
        users.push(watcher.user);
        match watcher.credential {
            Credential::Session(place) => sessions.push(place),
            Credential::Key(place) => keys.push(place),
        }
    }
    if users.is_empty() {
        return Ok(());
    }
    for places in [&mut users, &mut sessions, &mut keys] {
        places.sort_unstable();
        places.dedup();
    }
    let (now, conn) = (app.clock.now(), app.db.single_read().await?);
    let numbers = standing::numbers(&conn, &users).await?;
    let living_sessions = standing::sessions(&conn, &sessions, now).await?;
    let living_keys = standing::keys(&conn, &keys, now).await?;
    for watcher in app.feeds.lock().values_mut() {
        let standing = match watcher.credential {
            // Who came while we looked is seen at the next look.
            Credential::Session(place) if sessions.binary_search(&place).is_ok() => {
                living_sessions.get(&place)
            }
            Credential::Key(place) if keys.binary_search(&place).is_ok() => living_keys.get(&place),
            Credential::Session(_) | Credential::Key(_) => continue,
        };
        watcher.judge(standing);
        if let Some(number) = numbers.get(&watcher.user) {
            watcher.reach(*number);
        }
    }
    Ok(())
}

fn too_many() -> Error {
    let most = limits::SUBSCRIPTIONS_PER_USER_MAX;
    Error::limit(say(
        format!("a user has at most {most} subscriptions at the same time"),
        format!("um usuário tem no máximo {most} assinaturas ao mesmo tempo"),
    ))
}
