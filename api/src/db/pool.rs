//! Connections kept open between requests.
//!
//! sqlx's own pool asks the database whether it is still there every time a connection comes back: a
//! round trip per request that costs a small read as much again as its statement. Here a connection
//! comes back as it is; one that was used a while ago is asked when it is taken, one that broke or was
//! left in the middle of something never goes to anybody else.

use std::time::Duration;

use deadpool::Runtime;
use deadpool::managed::{Manager, Metrics, Object, Pool, RecycleError, RecycleResult};
use sqlx::postgres::PgConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, PgConnection, SqliteConnection};

use crate::error::{Error, Result};

/// A connection that rested longer than this is asked whether it still lives before it is used.
const ASK_AFTER: Duration = Duration::from_secs(15);
/// Servers and what stands between close old connections; they are replaced before that.
const AGE_MAX: Duration = Duration::from_secs(30 * 60);
/// Our reads look up few rows through indexes. Memoize nodes size their hash tables by the whole
/// table and cost a fifth of a nested page; just-in-time compilation costs more than it saves. A
/// snapshot left open by a process that stopped answering must not hold up vacuum for long.
pub(super) const POSTGRES_SETTINGS: &str = "SET enable_memoize = off; SET jit = off; \
                                 SET idle_in_transaction_session_timeout = '5min'";

pub(super) type Connections = Pool<Opener>;
pub(super) type Pooled = Object<Opener>;

/// How connections of one pool are opened.
pub(super) enum Opener {
    Postgres(PgConnectOptions),
    Sqlite(SqliteConnectOptions),
}

/// An open connection.
pub(super) struct Session {
    pub(super) raw: Raw,
    /// The last user's snapshot was left for the next one to end, together with beginning its own.
    pub(super) snapshot_left: bool,
}

pub(super) enum Raw {
    Postgres(PgConnection),
    Sqlite(SqliteConnection),
}

impl Session {
    /// Runs statements without parameters and without preparing them.
    pub(super) async fn run(&mut self, sql: &'static str) -> sqlx::Result<()> {
        match &mut self.raw {
            Raw::Postgres(connection) => sqlx::raw_sql(sql).execute(connection).await.map(drop),
            Raw::Sqlite(connection) => sqlx::raw_sql(sql).execute(connection).await.map(drop),
        }
    }

    pub(super) async fn ping(&mut self) -> sqlx::Result<()> {
        match &mut self.raw {
            Raw::Postgres(connection) => connection.ping().await,
            Raw::Sqlite(connection) => connection.ping().await,
        }
    }

    async fn close(self) -> sqlx::Result<()> {
        match self.raw {
            Raw::Postgres(connection) => connection.close().await,
            Raw::Sqlite(connection) => connection.close().await,
        }
    }
}

impl Manager for Opener {
    type Type = Session;
    type Error = sqlx::Error;

    async fn create(&self) -> sqlx::Result<Session> {
        let raw = match self {
            Self::Postgres(options) => {
                let mut connection = options.connect().await?;
                sqlx::raw_sql(POSTGRES_SETTINGS).execute(&mut connection).await?;
                Raw::Postgres(connection)
            }
            Self::Sqlite(options) => Raw::Sqlite(options.connect().await?),
        };
        Ok(Session { raw, snapshot_left: false })
    }

    async fn recycle(&self, session: &mut Session, used: &Metrics) -> RecycleResult<sqlx::Error> {
        if matches!(self, Self::Sqlite(_)) {
            return Ok(());
        }
        if used.age() > AGE_MAX {
            return Err(RecycleError::message("old"));
        }
        if used.last_used() > ASK_AFTER {
            session.ping().await?;
        }
        Ok(())
    }
}

/// A pool of at most `connections` that are opened when needed.
pub(super) fn build(opener: Opener, connections: u32, wait: Duration) -> Result<Connections> {
    Pool::builder(opener)
        .max_size(usize::try_from(connections).unwrap_or(usize::MAX))
        .wait_timeout(Some(wait))
        .create_timeout(Some(wait))
        .recycle_timeout(Some(wait))
        .runtime(Runtime::Tokio1)
        .build()
        .map_err(Error::internal)
}

/// Closes what rests in the pool; what is in use is closed when it comes back.
pub(super) async fn close(pool: &Connections) {
    let resting = pool.retain(|_, _| false).removed;
    pool.close();
    for session in resting {
        if let Err(error) = session.close().await {
            tracing::debug!(%error, "a connection did not close well");
        }
    }
}
