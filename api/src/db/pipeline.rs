//! The record engine's reads on PostgreSQL, over a driver of their own.
//!
//! sqlx waits for each answer before it sends the next statement. tokio-postgres does not: the
//! statement that begins a snapshot travels with the first one that reads, the one that ends it is
//! not waited for, and look-ups by key of several requests share a connection without queueing for
//! it. That is a third of a small read's cost (`docs/adr/0009-engine-reads-on-tokio-postgres.md`).
//! Everything that writes, and every hand-written store, stays on sqlx, inside SeaORM's reach.

use std::collections::HashMap;
use std::str::FromStr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use deadpool::Runtime;
use deadpool::managed::{Manager, Metrics, Object, Pool, RecycleError, RecycleResult};
use futures::{FutureExt, TryStreamExt};
use tokio::sync::RwLock;
use tokio_postgres::config::SslMode;
use tokio_postgres::{Client, Config, NoTls, Statement as Prepared};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::bind::{Bind, type_of};
use super::row::Row;
use super::tls;
use super::{PoolState, Statement, conn};
use crate::error::{Error, Result};

/// Connections that several look-ups use at once. More than processors would only wake more.
const SHARED: usize = 2;
/// Prepared statements kept per connection: filters and orders make many texts.
const STATEMENTS_KEPT: usize = 400;
/// Servers and what stands between close old connections; they are replaced before that.
const AGE_MAX: Duration = Duration::from_secs(30 * 60);
const SETTINGS: &str = super::pool::POSTGRES_SETTINGS;

/// The connections of one database.
pub(super) struct Pipelines {
    own: Pool<Opener>,
    shared: [RwLock<Option<Arc<Link>>>; SHARED],
}

/// How connections are opened.
struct Opener {
    config: Config,
    tls: Option<MakeRustlsConnect>,
}

/// An open connection. Its statements are answered in the order they were sent.
pub(super) struct Link {
    client: Client,
    tls: Option<MakeRustlsConnect>,
    prepared: Mutex<HashMap<Arc<str>, Prepared>>,
    /// Statements under way.
    in_flight: AtomicUsize,
    /// The last user's snapshot was left for the next one to end, together with beginning its own.
    snapshot_left: bool,
}

impl Pipelines {
    /// `None` for a URL that only sqlx understands: it asks for a certificate to be verified, or has
    /// a parameter of sqlx's own.
    pub(super) fn new(url: &str, connections_max: u32, wait: Duration) -> Result<Option<Self>> {
        let Ok(mut config) = Config::from_str(url) else {
            tracing::info!("the database URL asks for what only one driver has: reads go over it");
            return Ok(None);
        };
        config.application_name("pulso").connect_timeout(wait);
        let is_plain = config.get_ssl_mode() == SslMode::Disable;
        let tls = if is_plain { None } else { Some(tls::unverified().map_err(Error::internal)?) };
        let own = Pool::builder(Opener { config, tls })
            .max_size(usize::try_from(connections_max).unwrap_or(usize::MAX))
            .wait_timeout(Some(wait))
            .create_timeout(Some(wait))
            .runtime(Runtime::Tokio1)
            .build()
            .map_err(Error::internal)?;
        Ok(Some(Self { own, shared: std::array::from_fn(|_| RwLock::new(None)) }))
    }

    /// For one statement that finds a row by its key: quick, so that others may wait behind it.
    pub(super) async fn look_up(&self) -> Result<Reading> {
        let mut least: Option<Arc<Link>> = None;
        for place in &self.shared {
            let known = place.read().await.clone().filter(|link| !link.client.is_closed());
            let link = match known {
                Some(link) => link,
                None => self.reopen(place).await?,
            };
            let load = link.in_flight.load(Ordering::Relaxed);
            if least.as_ref().is_none_or(|other| load < other.in_flight.load(Ordering::Relaxed)) {
                least = Some(link);
            }
        }
        let link = least.ok_or_else(|| Error::internal("no shared connection"))?;
        Ok(Reading::new(Holds::Shared(link), false))
    }

    async fn reopen(&self, place: &RwLock<Option<Arc<Link>>>) -> Result<Arc<Link>> {
        let mut place = place.write().await;
        if let Some(link) = place.as_ref().filter(|link| !link.client.is_closed()) {
            return Ok(Arc::clone(link));
        }
        let link = Arc::new(self.own.manager().open().await.map_err(translate)?);
        *place = Some(Arc::clone(&link));
        Ok(link)
    }

    /// For one statement of any length.
    pub(super) async fn statement(&self) -> Result<Reading> {
        Ok(Reading::new(Holds::Own(Some(self.take().await?)), false))
    }

    /// For several statements that see one state of the database.
    pub(super) async fn snapshot(&self) -> Result<Reading> {
        Ok(Reading::new(Holds::Own(Some(self.take().await?)), true))
    }

    async fn take(&self) -> Result<Object<Opener>> {
        self.own.get().await.map_err(|error| Error::unavailable(format!("database: {error}")))
    }

    pub(super) fn state(&self) -> PoolState {
        PoolState::of(self.own.status())
    }

    pub(super) async fn close(&self) {
        self.own.close();
        for place in &self.shared {
            *place.write().await = None;
        }
    }
}

impl Opener {
    async fn open(&self) -> std::result::Result<Link, tokio_postgres::Error> {
        let client = match &self.tls {
            Some(tls) => {
                let (client, connection) = self.config.connect(tls.clone()).await?;
                drive(connection);
                client
            }
            None => {
                let (client, connection) = self.config.connect(NoTls).await?;
                drive(connection);
                client
            }
        };
        client.batch_execute(SETTINGS).await?;
        Ok(Link {
            client,
            tls: self.tls.clone(),
            prepared: Mutex::new(HashMap::new()),
            in_flight: AtomicUsize::new(0),
            snapshot_left: false,
        })
    }
}

/// Moves a connection's bytes until its client is dropped.
#[expect(clippy::disallowed_methods, reason = "the driver's own loop: it ends with its client")]
fn drive(
    connection: impl Future<Output = std::result::Result<(), tokio_postgres::Error>> + Send + 'static,
) {
    drop(tokio::spawn(connection.map(|ended| {
        if let Err(error) = ended {
            tracing::debug!(%error, "a database connection ended");
        }
    })));
}

impl Manager for Opener {
    type Type = Link;
    type Error = tokio_postgres::Error;

    async fn create(&self) -> std::result::Result<Link, tokio_postgres::Error> {
        self.open().await
    }

    async fn recycle(
        &self,
        link: &mut Link,
        used: &Metrics,
    ) -> RecycleResult<tokio_postgres::Error> {
        // A connection that ended is known to have ended: something reads from it all the time.
        if link.client.is_closed() || used.age() > AGE_MAX {
            return Err(RecycleError::message("closed, or old"));
        }
        Ok(())
    }
}

impl Link {
    async fn rows(&self, statement: &Statement) -> PgResult<Vec<Row>> {
        let prepared = self.prepare(statement).await?;
        let rows = self.client.query_raw(&prepared, statement.values.iter().map(Bind)).await?;
        rows.map_ok(Row::Pipelined).try_collect().await
    }

    async fn prepare(&self, statement: &Statement) -> PgResult<Prepared> {
        let known = self.known().get(&statement.sql).cloned();
        if let Some(prepared) = known {
            return Ok(prepared);
        }
        let types: Vec<_> = statement.values.iter().map(type_of).collect();
        let prepared = self.client.prepare_typed(&statement.sql, &types).await?;
        let mut known = self.known();
        if known.len() >= STATEMENTS_KEPT {
            known.clear();
        }
        known.insert(Arc::clone(&statement.sql), prepared.clone());
        Ok(prepared)
    }

    fn known(&self) -> std::sync::MutexGuard<'_, HashMap<Arc<str>, Prepared>> {
        self.prepared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

type PgResult<T> = std::result::Result<T, tokio_postgres::Error>;

/// A connection, or a share of one, while an operation reads.
pub(super) struct Reading {
    holds: Holds,
    wants_snapshot: bool,
    has_snapshot: bool,
    /// A statement is under way. Still set when its future was dropped before it ended.
    busy: bool,
}

#[expect(clippy::large_enum_variant, reason = "one per operation, and never in a list")]
enum Holds {
    Shared(Arc<Link>),
    Own(Option<Object<Opener>>),
}

/// Counts itself among the statements under way until it is dropped.
struct InFlight<'a>(&'a AtomicUsize);

impl<'a> InFlight<'a> {
    fn one_more(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Reading {
    fn new(holds: Holds, wants_snapshot: bool) -> Self {
        Self { holds, wants_snapshot, has_snapshot: false, busy: false }
    }

    /// Runs a query and returns all its rows.
    pub(super) async fn rows(&mut self, statement: &Statement) -> Result<Vec<Row>> {
        self.busy = true;
        let rows = match &mut self.holds {
            Holds::Shared(link) => {
                let _counted = InFlight::one_more(&link.in_flight);
                link.rows(statement).await
            }
            Holds::Own(None) => return Err(Error::internal("a connection was given back")),
            Holds::Own(Some(link)) => {
                let begin = match (self.wants_snapshot && !self.has_snapshot, link.snapshot_left) {
                    (false, false) => None,
                    (false, true) => Some("COMMIT"),
                    (true, false) => Some("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"),
                    (true, true) => Some("COMMIT AND CHAIN"),
                };
                link.snapshot_left = false;
                match begin {
                    None => link.rows(statement).await,
                    Some(begin) => {
                        self.has_snapshot = self.wants_snapshot;
                        // Polled in this order, so sent in this order, and in one go.
                        let (begun, rows) =
                            futures::join!(link.client.batch_execute(begin), link.rows(statement));
                        begun.and(rows)
                    }
                }
            }
        };
        self.busy = false;
        rows.map_err(translate)
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        let Holds::Own(held) = &mut self.holds else { return };
        let Some(mut link) = held.take() else { return };
        if self.busy {
            // Nobody waits for the statement any more; the next one must not wait behind it.
            match tokio::runtime::Handle::try_current() {
                Ok(runtime) => drop(runtime.spawn(give_up(link))),
                Err(_no_runtime) => drop(Object::take(link)),
            }
            return;
        }
        if !self.has_snapshot {
            return;
        }
        if Object::pool(&link).is_some_and(|pool| pool.status().waiting > 0) {
            // Whoever waits ends it in the same round trip that begins its own.
            link.snapshot_left = true;
            return;
        }
        // Sent when first asked; its answer has nothing to say, and later statements come after it.
        let sent = link.client.batch_execute("COMMIT").now_or_never();
        if sent.is_some() {
            drop(Object::take(link));
        }
    }
}

/// Asks the server to stop what nobody waits for any more, and only then gives the connection back.
async fn give_up(link: Object<Opener>) {
    let cancel = link.client.cancel_token();
    let asked = match &link.tls {
        Some(tls) => cancel.cancel_query(tls.clone()).await,
        None => cancel.cancel_query(NoTls).await,
    };
    if let Err(error) = asked {
        tracing::debug!(%error, "an abandoned statement runs to its end");
    }
    if link.client.batch_execute("ROLLBACK").await.is_err() {
        drop(Object::take(link));
    }
}

fn translate(error: tokio_postgres::Error) -> Error {
    match error.code() {
        Some(state) => {
            let code = state.code().to_owned();
            conn::of_code(&code, error)
        }
        None if error.is_closed() || std::error::Error::source(&error).is_some() => {
            Error::unavailable(error)
        }
        None => Error::internal(error),
    }
}
