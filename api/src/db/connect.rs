//! Opening the database. Small pools: on two cores 6-8 connections beat 16.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use sea_orm::{SqlxPostgresConnector, SqlxSqliteConnector};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions as _, PgPool, SqlitePool};

use super::conn::{Conn, Inner};
use super::partitions::KnownPartitions;
use super::{Dialect, migrate};
use crate::error::{Error, Result, say};

const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);
const SQLITE_BUSY_TIMEOUT: Duration = Duration::from_secs(15);
const SQLITE_READERS: u32 = 4;
/// Our reads look up few rows through indexes. Memoize nodes size their hash tables by the whole
/// table and cost a fifth of a nested page; just-in-time compilation costs more than it saves.
const SESSION_SETTINGS: &str = "SET enable_memoize = off; SET jit = off";
/// Prepared statements kept per connection: filters and orders make many texts.
const STATEMENTS_KEPT: usize = 400;

/// One database, with its pools. Clones share them.
#[derive(Clone, Debug)]
pub struct Db {
    pools: Pools,
    partitions: Arc<KnownPartitions>,
}

#[derive(Clone, Debug)]
enum Pools {
    Postgres(PgPool),
    /// One writer, several readers, one file.
    Sqlite {
        writer: SqlitePool,
        readers: SqlitePool,
    },
}

impl Db {
    /// Opens `postgres://…` or `sqlite://PATH?mode=rwc`.
    pub async fn connect(url: &str, connections_max: u32) -> Result<Self> {
        let pools = if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            connect_postgres(url, connections_max).await?
        } else if url.starts_with("sqlite:") {
            connect_sqlite(url).await?
        } else {
            return Err(Error::invalid_field(
                "database_url",
                say(
                    "the database URL must begin with postgres:// or sqlite://",
                    "a URL do banco deve começar com postgres:// ou sqlite://",
                ),
            ));
        };
        Ok(Self { pools, partitions: Arc::new(KnownPartitions::default()) })
    }

    pub fn dialect(&self) -> Dialect {
        match self.pools {
            Pools::Postgres(_) => Dialect::Postgres,
            Pools::Sqlite { .. } => Dialect::Sqlite,
        }
    }

    /// SeaORM's own connection: for migrations only, stores get theirs from [`Conn::orm`].
    #[expect(clippy::disallowed_types, reason = "sea-orm-migration wants its own kind")]
    pub fn migration_connection(&self) -> sea_orm::DatabaseConnection {
        match &self.pools {
            Pools::Postgres(pool) => SqlxPostgresConnector::from_sqlx_postgres_pool(pool.clone()),
            Pools::Sqlite { writer, .. } => {
                SqlxSqliteConnector::from_sqlx_sqlite_pool(writer.clone())
            }
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
        match &self.pools {
            Pools::Postgres(pool) => super::partitions::ensure_ahead(pool, now).await,
            Pools::Sqlite { .. } => Ok(()),
        }
    }

    /// Makes the month that a back-dated row of `table` falls into, when it is missing.
    pub async fn ensure_partition_for(
        &self,
        table: &str,
        at: chrono::DateTime<chrono::Utc>,
    ) -> Result<()> {
        match &self.pools {
            Pools::Postgres(pool) => {
                super::partitions::ensure_for(pool, &self.partitions, table, at).await
            }
            Pools::Sqlite { .. } => Ok(()),
        }
    }

    /// One state of the database for as many statements as needed.
    pub async fn snapshot(&self) -> Result<Conn> {
        let inner = match &self.pools {
            Pools::Postgres(pool) => Inner::PostgresTransaction(
                pool.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
                    .await
                    .map_err(unreachable_database)?,
            ),
            Pools::Sqlite { readers, .. } => Inner::SqliteTransaction(
                readers.begin_with("BEGIN DEFERRED").await.map_err(unreachable_database)?,
            ),
        };
        Ok(Conn::new(inner, self.dialect()))
    }

    /// For a single read statement, which is its own snapshot.
    pub async fn single_read(&self) -> Result<Conn> {
        let inner = match &self.pools {
            Pools::Postgres(pool) => {
                Inner::Postgres(pool.acquire().await.map_err(unreachable_database)?)
            }
            Pools::Sqlite { readers, .. } => {
                Inner::Sqlite(readers.acquire().await.map_err(unreachable_database)?)
            }
        };
        Ok(Conn::new(inner, self.dialect()))
    }

    /// A transaction that writes.
    pub async fn transaction(&self) -> Result<Conn> {
        let inner = match &self.pools {
            Pools::Postgres(pool) => Inner::PostgresTransaction(
                pool.begin_with("BEGIN").await.map_err(unreachable_database)?,
            ),
            Pools::Sqlite { writer, .. } => Inner::SqliteTransaction(
                writer.begin_with("BEGIN IMMEDIATE").await.map_err(unreachable_database)?,
            ),
        };
        Ok(Conn::new(inner, self.dialect()))
    }

    /// Answers whether the database answers.
    pub async fn ping(&self) -> Result<()> {
        match &self.pools {
            Pools::Postgres(pool) => {
                sqlx::query("SELECT 1").execute(pool).await.map_err(unreachable_database)?;
            }
            Pools::Sqlite { readers, .. } => {
                sqlx::query("SELECT 1").execute(readers).await.map_err(unreachable_database)?;
            }
        }
        Ok(())
    }

    pub async fn close(&self) {
        match &self.pools {
            Pools::Postgres(pool) => pool.close().await,
            Pools::Sqlite { writer, readers } => {
                readers.close().await;
                // Keeps the planner's statistics true to what was written meanwhile.
                if let Err(error) = sqlx::query("PRAGMA optimize").execute(writer).await {
                    tracing::warn!(%error, "statistics were not refreshed");
                }
                writer.close().await;
            }
        }
    }
}

async fn connect_postgres(url: &str, connections_max: u32) -> Result<Pools> {
    let options = PgConnectOptions::from_str(url)
        .map_err(|error| bad_url(&error))?
        .application_name("pulso")
        // It would print the whole text of a slow statement, all of an insert's thousands of places.
        .disable_statement_logging()
        .statement_cache_capacity(STATEMENTS_KEPT);
    let pool = PgPoolOptions::new()
        .max_connections(connections_max)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .test_before_acquire(false)
        .after_connect(|connection, _| {
            Box::pin(async move {
                sqlx::raw_sql(SESSION_SETTINGS).execute(&mut *connection).await?;
                Ok(())
            })
        })
        .connect_with(options)
        .await
        .map_err(unreachable_database)?;
    Ok(Pools::Postgres(pool))
}

async fn connect_sqlite(url: &str) -> Result<Pools> {
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
    let writer = SqlitePoolOptions::new()
        .max_connections(1)
        .acquire_timeout(SQLITE_BUSY_TIMEOUT)
        .test_before_acquire(false)
        .connect_with(options.clone())
        .await
        .map_err(unreachable_database)?;
    let readers = SqlitePoolOptions::new()
        .max_connections(SQLITE_READERS)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .test_before_acquire(false)
        .connect_with(options.pragma("query_only", "ON"))
        .await
        .map_err(unreachable_database)?;
    Ok(Pools::Sqlite { writer, readers })
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
