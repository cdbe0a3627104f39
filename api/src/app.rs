//! `App`: everything that lives as long as the process, put together in one place.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tokio_util::task::TaskTracker;

use crate::access::Resource;
use crate::analytics::event::intake::Intake;
use crate::analytics::event::schema;
use crate::analytics::rollup;
use crate::audit::{self, reads::ReadLog};
use crate::clock::Clock;
use crate::config::Config;
use crate::crm;
use crate::db::{Db, migrate};
use crate::error::{Error, Result};
use crate::goals;
use crate::graphql::{Graphql, catalogue};
use crate::identity::notification::feed::{self, Feeds};
use crate::identity::{Identity, account, api_key, tenant};
use crate::jobs;
use crate::mail::{self, Post};
use crate::notice;
use crate::rate::{self, Rate};
use crate::record::change::{Reactors, idempotency};
use crate::record::directory::Directory;
use crate::telemetry::Metrics;
use crate::vault::Vault;

/// How often the coming months of partitioned tables are made sure of.
const PARTITIONS_EVERY: Duration = Duration::from_secs(24 * 60 * 60);
const PARTITIONS_AGAIN_AFTER_FAILURE: Duration = Duration::from_secs(5 * 60);
const METRICS_UPKEEP_EVERY: Duration = Duration::from_secs(5);
/// How often what has expired is removed.
const SWEEP_EVERY: Duration = Duration::from_secs(5 * 60);
/// How long an answer of the database to `/readyz` may take: probes give up after a second.
const PING_TIMEOUT: Duration = Duration::from_millis(900);

/// What rooms do about changes of records below them.
fn reactors() -> Reactors {
    Reactors::default()
        .on(Resource::Companies, goals::reaction::customer_changed)
        .on(Resource::Deals, goals::reaction::deal_changed)
        .on(Resource::Leads, crm::notices::tell_of_leads)
        .on(Resource::Deals, crm::notices::tell_of_deals)
}

pub struct App {
    pub db: Db,
    pub clock: Clock,
    pub config: Config,
    /// The event types of tenants, ready for use.
    pub event_types: schema::kept::Kept,
    /// Who waits for notifications on this node.
    pub feeds: Feeds,
    pub goals: goals::page::Kept,
    pub graphql: Graphql,
    pub identity: Identity,
    /// Events on their way into the log.
    pub intake: Intake,
    /// Buckets of metrics that charts were made of.
    pub snapshots: rollup::kept::Kept,
    pub mail: Post,
    pub metrics: Metrics,
    pub rate: Rate,
    pub reactors: Reactors,
    pub reads: ReadLog,
    /// The records of all rooms, by what permissions call them.
    pub records: Directory,
    pub vault: Vault,
    /// Set at the first signal to stop: still serving, but no longer to be sent work.
    draining: AtomicBool,
    /// Set once no migration is pending; it cannot become untrue again while this binary runs.
    migrated: AtomicBool,
    stopping: CancellationToken,
    tasks: TaskTracker,
}

/// The parts of being ready for work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Readiness {
    pub database: bool,
    pub migrations: bool,
    pub draining: bool,
}

impl Readiness {
    pub fn is_ready(self) -> bool {
        self.database && self.migrations && !self.draining
    }
}

impl App {
    /// Puts the parts together. Nothing runs in the background before [`App::start`].
    pub fn build(config: Config, db: Db, clock: Clock) -> Result<Arc<Self>> {
        let signing_secret = config.signing_secret()?;
        let rate = Rate::new(&config.limits, config.database.connections_max, &clock);
        Ok(Arc::new(Self {
            db,
            clock,
            rate,
            reactors: reactors(),
            feeds: Feeds::default(),
            intake: Intake::default(),
            snapshots: rollup::kept::Kept::default(),
            event_types: schema::kept::Kept::new(),
            reads: ReadLog::default(),
            goals: goals::page::Kept::new(),
            graphql: Graphql::build()?,
            records: Directory::of(&catalogue().records),
            identity: Identity::new(
                signing_secret.reveal().as_bytes(),
                &config.identity.jwt_previous_secrets.bytes(),
                config.identity.sign_in_private_providers,
            ),
            vault: Vault::new(&config),
            mail: Post::new(&config)?,
            metrics: Metrics::new().map_err(Error::internal)?,
            config,
            draining: AtomicBool::new(false),
            migrated: AtomicBool::new(false),
            stopping: CancellationToken::new(),
            tasks: TaskTracker::new(),
        }))
    }

    /// Starts the work that nobody asks for.
    pub fn start(self: &Arc<Self>) {
        self.start_upkeep();
        self.spawn(audit::sealer::keep_sealing(Arc::clone(self)));
        // Ends by itself when the App stops: what it holds is written first.
        self.tasks.spawn(audit::reads::keep_writing(Arc::clone(self)));
        self.spawn(mail::deliver(Arc::clone(self), account::letter::write));
        self.spawn(account::upkeep::keep(Arc::clone(self)));
        self.spawn(api_key::expiry::keep_telling(Arc::clone(self)));
        self.spawn(tenant::purge::service::keep(Arc::clone(self)));
        self.spawn(keep_swept(Arc::clone(self)));
        self.spawn(feed::keep_watching(Arc::clone(self)));
        if self.config.server.workers {
            self.start_workers();
        }
    }

    /// What every process does that works on the database.
    pub fn start_upkeep(self: &Arc<Self>) {
        self.spawn(keep_metrics(Arc::clone(self)));
        self.spawn(keep_partitions(Arc::clone(self)));
    }

    /// Starts what can be done apart from serving: folding events, running jobs, auditing.
    pub fn start_workers(self: &Arc<Self>) {
        self.spawn(rollup::folder::keep_folding(Arc::clone(self)));
        self.spawn(rollup::auditor::keep_auditing(Arc::clone(self)));
        self.spawn(jobs::worker::keep_running(Arc::clone(self)));
    }

    /// Runs `work` in the background until it ends or the App stops; [`App::stop`] waits for it.
    pub fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        let stopping = self.stopping.clone();
        self.tasks.spawn(async move {
            tokio::select! {
                () = stopping.cancelled() => {}
                () = work => {}
            }
        });
    }

    /// Runs `work` in the background to its end, also when the App stops meanwhile.
    pub fn see_through(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(work);
    }

    /// Makes [`App::stop`] wait for `work`, which must itself end when [`App::stopped`] does.
    pub fn track<F: Future>(&self, work: F) -> impl Future<Output = F::Output> + use<F> {
        self.tasks.track_future(work)
    }

    /// Ends when the App stops: for connections that would otherwise stay open.
    pub fn stopped(&self) -> WaitForCancellationFutureOwned {
        self.stopping.clone().cancelled_owned()
    }

    /// Whether the App stops.
    pub fn is_stopping(&self) -> bool {
        self.stopping.is_cancelled()
    }

    /// Whether the parts of this process are ready for work.
    pub async fn readiness(&self) -> Readiness {
        let ping = tokio::time::timeout(PING_TIMEOUT, self.db.ping()).await;
        let database = matches!(ping, Ok(Ok(())));
        if database && !self.migrated.load(Ordering::Relaxed) {
            match self.pending_migrations().await {
                Ok(pending) => self.migrated.store(pending.is_empty(), Ordering::Relaxed),
                Err(error) => tracing::warn!(%error, "cannot tell whether migrations are pending"),
            }
        }
        Readiness {
            database,
            migrations: self.migrated.load(Ordering::Relaxed),
            draining: self.draining.load(Ordering::Relaxed),
        }
    }

    /// Names of the migrations that this binary knows and the database does not have yet.
    pub async fn pending_migrations(&self) -> Result<Vec<String>> {
        migrate::pending(&self.db.migration_connection()).await
    }

    /// From now on `/readyz` asks load balancers to send no more work.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// Asks background tasks and long-lived connections to end.
    pub fn begin_stop(&self) {
        self.drain();
        self.stopping.cancel();
    }

    /// Ends background work and closes the database, at most `within` later.
    pub async fn stop(&self, within: Duration) {
        self.begin_stop();
        self.tasks.close();
        if tokio::time::timeout(within, self.tasks.wait()).await.is_err() {
            tracing::warn!(tasks = self.tasks.len(), "background work did not end in time");
        }
        // What the last requests read.
        if tokio::time::timeout(within, audit::reads::write_waiting(self)).await.is_err() {
            tracing::error!(lost = self.reads.len(), "the log of reads was not written in time");
        }
        if tokio::time::timeout(within, self.db.close()).await.is_err() {
            tracing::warn!("the database connections did not close in time");
        }
    }
}

async fn keep_metrics(app: Arc<App>) {
    loop {
        tokio::time::sleep(METRICS_UPKEEP_EVERY).await;
        app.metrics.upkeep();
        if let Err(error) = rollup::folder::measure(&app).await {
            tracing::warn!(%error, "it is not known how many events wait to be folded");
        }
    }
}

/// Removes what has expired, in statements that hold no lock for long.
async fn keep_swept(app: Arc<App>) {
    loop {
        tokio::time::sleep(SWEEP_EVERY).await;
        app.rate.forget_the_rested();
        let keys = idempotency::sweep(&app.db, &app.clock).await;
        let budgets = rate::sweep(&app).await;
        let notifications = notice::sweep(&app).await;
        let minutes = rollup::folder::sweep(&app).await;
        let jobs = jobs::worker::sweep(&app).await;
        for (what, swept) in [
            ("idempotency keys", keys),
            ("budgets", budgets),
            ("notifications", notifications),
            ("minutes", minutes),
            ("jobs", jobs),
        ] {
            match swept {
                Ok(0) => {}
                Ok(rows) => tracing::debug!(rows, what, "expired rows were removed"),
                Err(error) => tracing::warn!(%error, what, "expired rows were not removed"),
            }
        }
    }
}

async fn keep_partitions(app: Arc<App>) {
    loop {
        let pause = match app.db.ensure_partitions(app.clock.now()).await {
            Ok(()) => PARTITIONS_EVERY,
            Err(error) => {
                tracing::error!(%error, "cannot make the coming months' partitions");
                PARTITIONS_AGAIN_AFTER_FAILURE
            }
        };
        tokio::time::sleep(pause).await;
    }
}
