//! Opening the database. Small pools: on two cores 6-8 connections beat 16.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use sea_orm::{SqlxPostgresConnector, SqlxSqliteConnector};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions as _, PgPool, SqlitePool};

use super::conn::Conn;
use super::partitions::KnownPartitions;
use super::pipeline::Pipelines;
use super::pool::{self, Connections, Opener, Pooled};
use super::{Dialect, Statement, migrate};
use crate::access::SystemHandle;
use crate::error::{Error, Result, say};

const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);
const SQLITE_BUSY_TIMEOUT: Duration = Duration::from_secs(15);
const SQLITE_READERS: u32 = 4;
/// Migrations and partitions are made on connections of their own, closed soon after.
const MAINTENANCE_CONNECTIONS: u32 = 2;
const MAINTENANCE_IDLE_TIMEOUT: Duration = Duration::from_secs(5);
/// Prepared statements kept per connection: filters and orders make many texts.
const STATEMENTS_KEPT: usize = 400;

/// One database, with its pools. Clones share them.
#[derive(Clone)]
pub struct Db {
    readers: Connections,
    /// On PostgreSQL the same pool; on SQLite the one connection that writes.
    writers: Connections,
    /// The engine's reads on PostgreSQL.
    pipelines: Option<Arc<Pipelines>>,
    maintenance: Maintenance,
    partitions: Arc<KnownPartitions>,
}

/// Connections for what changes tables; SeaORM's migrations want sqlx's own pools.
#[derive(Clone)]
enum Maintenance {
    Postgres(PgPool),
    Sqlite(SqlitePool),
}

/// What the record engine is about to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EngineRead {
    /// A row by its key, in one statement.
    LookUp,
    /// Whatever one statement gives.
    Statement,
    /// Several statements on one state of the database.
    Snapshot,
}

/// How busy the connections for requests are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolState {
    /// The most there may be.
    pub max: usize,
    pub open: usize,
    pub idle: usize,
    /// Requests that wait for one.
    pub waiting: usize,
}

impl PoolState {
    pub(super) fn of(status: deadpool::managed::Status) -> Self {
        Self {
            max: status.max_size,
            open: status.size,
            idle: status.available,
            waiting: status.waiting,
        }
    }
}

impl Db {
    /// Opens `postgres://…` or `sqlite://PATH?mode=rwc`.
    pub async fn connect(url: &str, connections_max: u32) -> Result<Self> {
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            connect_postgres(url, connections_max).await
        } else if url.starts_with("sqlite:") {
            connect_sqlite(url).await
        } else {
            Err(Error::invalid_field(
                "database_url",
                say(
                    "the database URL must begin with postgres:// or sqlite://",
                    "a URL do banco deve começar com postgres:// ou sqlite://",
                ),
            ))
        }
    }

    pub fn dialect(&self) -> Dialect {
        match self.maintenance {
            Maintenance::Postgres(_) => Dialect::Postgres,
            Maintenance::Sqlite(_) => Dialect::Sqlite,
        }
    }

    /// SeaORM's own connection: for migrations only, stores get theirs from [`Conn::orm`].
    #[expect(clippy::disallowed_types, reason = "sea-orm-migration wants its own kind")]
    pub fn migration_connection(&self) -> sea_orm::DatabaseConnection {
        match &self.maintenance {
            Maintenance::Postgres(pool) => {
                SqlxPostgresConnector::from_sqlx_postgres_pool(pool.clone())
            }
            Maintenance::Sqlite(pool) => SqlxSqliteConnector::from_sqlx_sqlite_pool(pool.clone()),
        }
    }

    /// Applies pending migrations and makes partitions ahead; returns the names applied.
    pub async fn migrate(&self, now: chrono::DateTime<chrono::Utc>) -> Result<Vec<String>> {
        let applied = migrate::up(&self.migration_connection()).await?;
        self.ensure_partitions(now).await?;
        Ok(applied)
    }

    /// Makes the coming months of the partitioned tables; nothing to do on SQLite.
    pub async fn ensure_partitions(&self, now: chrono::DateTime<chrono::Utc>) -> Result<()> {
        match &self.maintenance {
            Maintenance::Postgres(pool) => super::partitions::ensure_ahead(pool, now).await,
            Maintenance::Sqlite(_) => Ok(()),
        }
    }

    /// Makes the month that a back-dated row of `table` falls into, when it is missing.
    pub async fn ensure_partition_for(
        &self,
        table: &str,
        at: chrono::DateTime<chrono::Utc>,
    ) -> Result<()> {
        match &self.maintenance {
            Maintenance::Postgres(pool) => {
                super::partitions::ensure_for(pool, &self.partitions, table, at).await
            }
            Maintenance::Sqlite(_) => Ok(()),
        }
    }

    /// Tells PostgreSQL how `table` looks after many rows were added at once. Its own upkeep comes by
    /// a minute later, and until then every statement runs by a plan made for an empty table. SQLite
    /// chooses its indexes without.
    pub async fn refresh_statistics(&self, table: &'static str) -> Result<()> {
        match &self.maintenance {
            Maintenance::Postgres(pool) => {
                let statement = sqlx::AssertSqlSafe(format!("ANALYZE {table}"));
                sqlx::query(statement).execute(pool).await.map_err(super::conn::translate)?;
                Ok(())
            }
            Maintenance::Sqlite(_) => Ok(()),
        }
    }

    /// One state of the database for as many statements as needed.
    pub async fn snapshot(&self) -> Result<Conn> {
        Conn::snapshot(take(&self.readers).await?, self.dialect()).await
    }

    /// For a single read statement, which is its own snapshot.
    pub async fn single_read(&self) -> Result<Conn> {
        Conn::plain(take(&self.readers).await?, self.dialect()).await
    }

    /// For the record engine, which only calls [`Conn::rows`].
    pub async fn engine_read(&self, read: EngineRead) -> Result<Conn> {
        let Some(pipelines) = &self.pipelines else {
            return match read {
                EngineRead::LookUp | EngineRead::Statement => self.single_read().await,
                EngineRead::Snapshot => self.snapshot().await,
            };
        };
        Ok(Conn::reading(match read {
            EngineRead::LookUp => pipelines.look_up().await?,
            EngineRead::Statement => pipelines.statement().await?,
            EngineRead::Snapshot => pipelines.snapshot().await?,
        }))
    }

    /// A transaction that writes.
    pub async fn transaction(&self) -> Result<Conn> {
        Conn::transaction(take(&self.writers).await?, self.dialect()).await
    }

    /// Answers whether the database answers.
    pub async fn ping(&self) -> Result<()> {
        let conn = self.single_read().await?;
        let system = SystemHandle::for_tenant(uuid::Uuid::nil());
        conn.execute(&system, &Statement::new("SELECT 1", Vec::new())).await.map(drop)
    }

    /// How busy the connections are that serve reads.
    pub fn pool_state(&self) -> PoolState {
        match &self.pipelines {
            Some(pipelines) => pipelines.state(),
            None => PoolState::of(self.readers.status()),
        }
    }

    pub async fn close(&self) {
        if let Some(pipelines) = &self.pipelines {
            pipelines.close().await;
        }
        pool::close(&self.readers).await;
        match &self.maintenance {
            Maintenance::Postgres(maintenance) => maintenance.close().await,
            Maintenance::Sqlite(maintenance) => {
                // Keeps the planner's statistics true to what was written meanwhile.
                if let Err(error) = sqlx::query("PRAGMA optimize").execute(maintenance).await {
                    tracing::warn!(%error, "statistics were not refreshed");
                }
                maintenance.close().await;
                pool::close(&self.writers).await;
            }
        }
    }
}

async fn take(connections: &Connections) -> Result<Pooled> {
    connections.get().await.map_err(unreachable_database)
}

async fn connect_postgres(url: &str, connections_max: u32) -> Result<Db> {
    let options = PgConnectOptions::from_str(url)
        .map_err(|error| bad_url(&error))?
        .application_name("pulso")
        // It would print the whole text of a slow statement, all of an insert's thousands of places.
        .disable_statement_logging()
        .statement_cache_capacity(STATEMENTS_KEPT);
    let maintenance = PgPoolOptions::new()
        .max_connections(MAINTENANCE_CONNECTIONS)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .idle_timeout(MAINTENANCE_IDLE_TIMEOUT)
        .connect_lazy_with(options.clone());
    let readers = pool::build(Opener::Postgres(options), connections_max, ACQUIRE_TIMEOUT)?;
    // Loud at the beginning, not at the first request.
    drop(take(&readers).await?);
    Ok(Db {
        writers: readers.clone(),
        readers,
        pipelines: Pipelines::new(url, connections_max, ACQUIRE_TIMEOUT)?.map(Arc::new),
        maintenance: Maintenance::Postgres(maintenance),
        partitions: Arc::new(KnownPartitions::default()),
    })
}

async fn connect_sqlite(url: &str) -> Result<Db> {
    let options = SqliteConnectOptions::from_str(url).map_err(|error| bad_url(&error))?;
    if let Some(folder) = options.get_filename().parent()
        && !folder.as_os_str().is_empty()
    {
        std::fs::create_dir_all(folder).map_err(unreachable_database)?;
    }
    let options = options
        .disable_statement_logging()
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(SQLITE_BUSY_TIMEOUT)
        .foreign_keys(true)
        .statement_cache_capacity(STATEMENTS_KEPT)
        .pragma("cache_size", "-32000")
        .pragma("mmap_size", "268435456")
        .pragma("temp_store", "MEMORY");
    let maintenance = SqlitePoolOptions::new()
        .max_connections(1)
        .acquire_timeout(SQLITE_BUSY_TIMEOUT)
        .idle_timeout(MAINTENANCE_IDLE_TIMEOUT)
        .connect_lazy_with(options.clone());
    let writers = pool::build(Opener::Sqlite(options.clone()), 1, SQLITE_BUSY_TIMEOUT)?;
    // Loud at the beginning, not at the first request; it also makes the file.
    drop(take(&writers).await?);
    let reading = Opener::Sqlite(options.pragma("query_only", "ON"));
    let readers = pool::build(reading, SQLITE_READERS, ACQUIRE_TIMEOUT)?;
    Ok(Db {
        readers,
        writers,
        pipelines: None,
        maintenance: Maintenance::Sqlite(maintenance),
        partitions: Arc::new(KnownPartitions::default()),
    })
}

fn bad_url(error: &sqlx::Error) -> Error {
    // The error may quote the URL, and the URL may hold a password: say neither.
    tracing::debug!(kind = %std::any::type_name_of_val(error), "database URL refused");
    Error::invalid_field(
        "database_url",
        say("the database URL cannot be read", "a URL do banco não pode ser lida"),
    )
}

fn unreachable_database(error: impl std::fmt::Display) -> Error {
    Error::unavailable(format!("database: {error}"))
}
