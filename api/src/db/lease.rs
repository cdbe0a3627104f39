//! A connection on loan from its pool: what it is in the middle of, and how it goes back.

use std::sync::Arc;

use deadpool::managed::Object;
use futures::TryStreamExt;
use futures::stream::BoxStream;
use sqlx::AssertSqlSafe;

use super::conn::translate;
use super::pool::{Pooled, Raw, Session};
use super::row::Row;
use super::value::{pg_arguments, sqlite_arguments};
use super::{Dialect, Statement};
use crate::error::Result;

/// What a connection is in the middle of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Open {
    Nothing,
    Snapshot,
    Transaction,
}

/// A connection on loan from the pool.
pub(super) struct Lease {
    pooled: Option<Pooled>,
    open: Open,
    /// A statement is under way. Still set when its future was dropped before it ended.
    busy: bool,
    broken: bool,
}

impl Lease {
    /// Takes a connection and begins what is asked for.
    pub(super) async fn begin(
        mut pooled: Pooled,
        dialect: Dialect,
        open: Open,
    ) -> sqlx::Result<Self> {
        let left = std::mem::take(&mut pooled.snapshot_left);
        let sql = match (dialect, open, left) {
            (_, Open::Nothing, false) => None,
            (_, Open::Nothing, true) => Some("COMMIT"),
            (Dialect::Postgres, Open::Snapshot, false) => {
                Some("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            }
            (Dialect::Postgres, Open::Snapshot, true) => Some("COMMIT AND CHAIN"),
            (Dialect::Postgres, Open::Transaction, false) => Some("BEGIN"),
            (Dialect::Postgres, Open::Transaction, true) => Some("COMMIT; BEGIN"),
            (Dialect::Sqlite, Open::Snapshot, false) => Some("BEGIN DEFERRED"),
            (Dialect::Sqlite, Open::Snapshot, true) => Some("COMMIT; BEGIN DEFERRED"),
            (Dialect::Sqlite, Open::Transaction, false) => Some("BEGIN IMMEDIATE"),
            (Dialect::Sqlite, Open::Transaction, true) => Some("COMMIT; BEGIN IMMEDIATE"),
        };
        let mut lease = Self { pooled: Some(pooled), open, busy: false, broken: false };
        if let Some(sql) = sql
            && let Err(error) = lease.run(sql).await
        {
            // Whether the old snapshot is still open is not worth finding out.
            lease.broken = true;
            return Err(error);
        }
        Ok(lease)
    }

    /// A snapshot has nothing to keep: it ends when the connection is given back.
    pub(super) async fn commit(&mut self) -> sqlx::Result<()> {
        if self.open == Open::Transaction {
            self.run("COMMIT").await?;
            self.open = Open::Nothing;
        }
        Ok(())
    }

    /// A statement is under way from here to [`Lease::done`].
    pub(super) fn begin_statement(&mut self) {
        self.busy = true;
    }

    pub(super) fn session(&mut self) -> sqlx::Result<&mut Session> {
        self.pooled.as_deref_mut().ok_or(sqlx::Error::PoolClosed)
    }

    /// To be called with what a statement gave, before anything else.
    pub(super) fn done<T>(&mut self, outcome: &sqlx::Result<T>) {
        self.busy = false;
        self.broken |= outcome.as_ref().is_err_and(is_broken);
    }

    pub(super) async fn rows(&mut self, statement: &Statement) -> Result<Vec<Row>> {
        let sql = AssertSqlSafe(Arc::clone(&statement.sql));
        let outcome = match &mut self.session().map_err(translate)?.raw {
            Raw::Postgres(connection) => {
                let query = sqlx::query_with(sql, pg_arguments(&statement.values)?);
                collect(query.fetch(connection), Row::Postgres).await
            }
            Raw::Sqlite(connection) => {
                let query = sqlx::query_with(sql, sqlite_arguments(&statement.values)?);
                collect(query.fetch(connection), Row::Sqlite).await
            }
        };
        self.done(&outcome);
        outcome.map_err(translate)
    }

    pub(super) async fn execute(&mut self, statement: &Statement) -> Result<u64> {
        let sql = AssertSqlSafe(Arc::clone(&statement.sql));
        let outcome = match &mut self.session().map_err(translate)?.raw {
            Raw::Postgres(connection) => {
                let query = sqlx::query_with(sql, pg_arguments(&statement.values)?);
                query.execute(connection).await.map(|done| done.rows_affected())
            }
            Raw::Sqlite(connection) => {
                let query = sqlx::query_with(sql, sqlite_arguments(&statement.values)?);
                query.execute(connection).await.map(|done| done.rows_affected())
            }
        };
        self.done(&outcome);
        outcome.map_err(translate)
    }

    async fn run(&mut self, sql: &'static str) -> sqlx::Result<()> {
        self.busy = true;
        let outcome = self.session()?.run(sql).await;
        self.done(&outcome);
        outcome
    }

    /// Gives the connection back as it should be for the next one.
    fn give_back(&mut self) {
        let Some(mut pooled) = self.pooled.take() else { return };
        let (open, busy) = (self.open, self.busy);
        if self.broken {
            drop(Object::take(pooled));
            return;
        }
        if open == Open::Nothing && !busy {
            return;
        }
        let somebody_waits = Object::pool(&pooled).is_some_and(|pool| pool.status().waiting > 0);
        if open == Open::Snapshot && !busy && somebody_waits {
            // Whoever waits ends it in the same round trip that begins its own.
            pooled.snapshot_left = true;
            return;
        }
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn(clean(pooled, busy))),
            Err(_no_runtime) => drop(Object::take(pooled)),
        }
    }
}

/// Ends what a connection is in the middle of, and only then gives it back.
async fn clean(mut pooled: Pooled, busy: bool) {
    // SQLite is still at work on a thread of its own: a new connection is there sooner.
    let is_lost = busy && matches!(pooled.raw, Raw::Sqlite(_));
    // PostgreSQL's answer, which nobody took, is read and thrown away first.
    let is_drained = !is_lost && (!busy || pooled.ping().await.is_ok());
    if !(is_drained && pooled.run("ROLLBACK").await.is_ok()) {
        drop(Object::take(pooled));
    }
}

/// After these a connection is of no more use.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "sqlx's list of errors is open; those named here end a connection"
)]
fn is_broken(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::WorkerCrashed => true,
        // Closed by the operator, by a crash, or for lack of use.
        sqlx::Error::Database(database) => {
            matches!(database.code().as_deref(), Some("57P01" | "57P02" | "57P03" | "25P03"))
        }
        _ => false,
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.give_back();
    }
}

async fn collect<R>(
    mut stream: BoxStream<'_, sqlx::Result<R>>,
    wrap: fn(R) -> Row,
) -> sqlx::Result<Vec<Row>> {
    let mut rows = Vec::new();
    while let Some(row) = stream.try_next().await? {
        rows.push(wrap(row));
    }
    Ok(rows)
}
