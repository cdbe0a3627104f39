//! Months of the partitioned tables, made before rows need them (PostgreSQL only).
//!
//! There is no default partition: a row without its month is refused rather than put where it would
//! block the making of that month. Safe when several servers do it at once, and quick when there is
//! nothing to do: what exists is read without any lock on the tables.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use migration::partitions::{Month, PARTITIONED_TABLES, create_partition_sql};
use sqlx::{AssertSqlSafe, PgPool};

use super::conn::translate;
use crate::error::{Error, Result};

/// Months made ahead of the current one.
const MONTHS_AHEAD: usize = 3;
/// Any number will do, as long as it never changes and nothing else of ours uses it.
const PARTITION_LOCK: i64 = 0x7075_6c73_6f00_0002;
/// Making a partition locks its parent: better to try again than to hold up everyone behind us.
const LOCK_TIMEOUT_MS: u32 = 500;
const ATTEMPTS_MAX: u32 = 6;
const RETRY_FIRST: Duration = Duration::from_millis(50);

/// The partitions that this process has seen, so that a back-dated row asks the database once.
#[derive(Debug, Default)]
pub struct KnownPartitions(Mutex<HashSet<String>>);

impl KnownPartitions {
    fn contains(&self, name: &str) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(name)
    }

    fn insert(&self, name: String) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(name);
    }
}

/// Makes the month before `now`, its own and the next three, of every partitioned table.
pub async fn ensure_ahead(pool: &PgPool, now: DateTime<Utc>) -> Result<()> {
    let previous = Month::of(now).previous();
    let months: Vec<Month> = std::iter::successors(Some(previous), |month| Some(month.next()))
        .take(MONTHS_AHEAD + 2)
        .collect();
    for table in PARTITIONED_TABLES {
        for &month in &months {
            ensure(pool, table, month).await?;
        }
    }
    Ok(())
}

/// Makes the month of `table` that `at` falls into, for a row whose id carries `at`.
pub async fn ensure_for(
    pool: &PgPool,
    known: &KnownPartitions,
    table: &str,
    at: DateTime<Utc>,
) -> Result<()> {
    let month = Month::of(at);
    let name = month.partition_name(table);
    if known.contains(&name) {
        return Ok(());
    }
    let Some(table) = PARTITIONED_TABLES.into_iter().find(|&known| known == table) else {
        return Err(Error::internal(format!("{table} is not partitioned by month")));
    };
    ensure(pool, table, month).await?;
    known.insert(name);
    Ok(())
}

async fn ensure(pool: &PgPool, table: &'static str, month: Month) -> Result<()> {
    let mut pause = RETRY_FIRST;
    for _ in 1..ATTEMPTS_MAX {
        match make_if_missing(pool, table, month).await {
            Err(error) if is_contention(&error) => {
                tracing::debug!(table, ?month, %error, "partition not made yet");
                tokio::time::sleep(pause).await;
                pause *= 2;
            }
            outcome => return outcome.map_err(translate),
        }
    }
    make_if_missing(pool, table, month).await.map_err(translate)
}

async fn make_if_missing(pool: &PgPool, table: &'static str, month: Month) -> sqlx::Result<()> {
    let exists: bool = sqlx::query_scalar("SELECT to_regclass($1) IS NOT NULL")
        .bind(month.partition_name(table))
        .fetch_one(pool)
        .await?;
    if exists {
        return Ok(());
    }
    let mut transaction = pool.begin().await?;
    let prepare = format!(
        "SET LOCAL lock_timeout = {LOCK_TIMEOUT_MS}; SELECT pg_advisory_xact_lock({PARTITION_LOCK})"
    );
    sqlx::raw_sql(AssertSqlSafe(prepare)).execute(&mut *transaction).await?;
    let create = create_partition_sql(table, month);
    sqlx::raw_sql(AssertSqlSafe(create)).execute(&mut *transaction).await?;
    transaction.commit().await?;
    tracing::info!(partition = month.partition_name(table), "partition made");
    Ok(())
}

/// Lock not available, deadlock: someone else was quicker, or is still busy.
fn is_contention(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|database| database.code());
    matches!(code.as_deref(), Some("55P03" | "40P01"))
}
