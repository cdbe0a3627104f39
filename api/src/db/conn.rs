//! One connection, usually inside a transaction. Statements ask for a permit: without a decision of
//! the policy there is nothing to run them with.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use futures::TryStreamExt;
use futures::stream::BoxStream;
use sqlx::pool::PoolConnection;
use sqlx::{AssertSqlSafe, Postgres, Sqlite, Transaction};
use tokio::sync::Mutex;

use super::row::Row;
use super::value::{pg_arguments, sqlite_arguments};
use super::{Dialect, Statement, Value};
use crate::access::Permit;
use crate::error::{Error, Result, say};

/// SQLite takes 32,766 parameters to a statement, PostgreSQL 65,535.
const PARAMETERS_MAX: usize = 30_000;
const INSERT_ROWS_MAX: usize = 500;

/// A connection. Dropping it without [`Conn::commit`] rolls back.
pub struct Conn {
    inner: Mutex<Inner>,
    dialect: Dialect,
    statements: AtomicU32,
    rows: AtomicU64,
}

pub(super) enum Inner {
    Postgres(PoolConnection<Postgres>),
    PostgresTransaction(Transaction<'static, Postgres>),
    Sqlite(PoolConnection<Sqlite>),
    SqliteTransaction(Transaction<'static, Sqlite>),
}

impl Conn {
    pub(super) fn new(inner: Inner, dialect: Dialect) -> Self {
        Self {
            inner: Mutex::new(inner),
            dialect,
            statements: AtomicU32::new(0),
            rows: AtomicU64::new(0),
        }
    }

    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// Statements run so far, BEGIN and COMMIT not counted.
    pub fn statements(&self) -> u32 {
        self.statements.load(Ordering::Relaxed)
    }

    /// Rows read so far.
    pub fn rows_read(&self) -> u64 {
        self.rows.load(Ordering::Relaxed)
    }

    /// Runs a query and returns all its rows.
    pub async fn rows(&self, _permit: &impl Permit, statement: &Statement) -> Result<Vec<Row>> {
        self.count_statement(statement);
        let mut inner = self.inner.lock().await;
        let sql = AssertSqlSafe(statement.sql.as_str());
        let rows = match &mut *inner {
            Inner::Postgres(connection) => {
                let query = sqlx::query_with(sql, pg_arguments(&statement.values)?);
                collect(query.fetch(&mut **connection), Row::Postgres).await
            }
            Inner::PostgresTransaction(transaction) => {
                let query = sqlx::query_with(sql, pg_arguments(&statement.values)?);
                collect(query.fetch(&mut **transaction), Row::Postgres).await
            }
            Inner::Sqlite(connection) => {
                let query = sqlx::query_with(sql, sqlite_arguments(&statement.values)?);
                collect(query.fetch(&mut **connection), Row::Sqlite).await
            }
            Inner::SqliteTransaction(transaction) => {
                let query = sqlx::query_with(sql, sqlite_arguments(&statement.values)?);
                collect(query.fetch(&mut **transaction), Row::Sqlite).await
            }
        }?;
        self.rows.fetch_add(u64::try_from(rows.len()).unwrap_or(u64::MAX), Ordering::Relaxed);
        Ok(rows)
    }

    /// Runs a query that gives at most one row.
    pub async fn row(&self, permit: &impl Permit, statement: &Statement) -> Result<Option<Row>> {
        Ok(self.rows(permit, statement).await?.into_iter().next())
    }

    /// Runs a statement and returns the number of rows it changed.
    pub async fn execute(&self, _permit: &impl Permit, statement: &Statement) -> Result<u64> {
        self.count_statement(statement);
        let mut inner = self.inner.lock().await;
        let sql = AssertSqlSafe(statement.sql.as_str());
        let affected = match &mut *inner {
            Inner::Postgres(connection) => {
                let query = sqlx::query_with(sql, pg_arguments(&statement.values)?);
                query.execute(&mut **connection).await.map(|done| done.rows_affected())
            }
            Inner::PostgresTransaction(transaction) => {
                let query = sqlx::query_with(sql, pg_arguments(&statement.values)?);
                query.execute(&mut **transaction).await.map(|done| done.rows_affected())
            }
            Inner::Sqlite(connection) => {
                let query = sqlx::query_with(sql, sqlite_arguments(&statement.values)?);
                query.execute(&mut **connection).await.map(|done| done.rows_affected())
            }
            Inner::SqliteTransaction(transaction) => {
                let query = sqlx::query_with(sql, sqlite_arguments(&statement.values)?);
                query.execute(&mut **transaction).await.map(|done| done.rows_affected())
            }
        };
        affected.map_err(translate)
    }

    /// Begins a part that can be undone without giving up the transaction.
    pub async fn savepoint(&self, permit: &impl Permit) -> Result<()> {
        self.execute(permit, &Statement::new("SAVEPOINT part", Vec::new())).await.map(drop)
    }

    /// Keeps what was done since [`Conn::savepoint`].
    pub async fn keep_savepoint(&self, permit: &impl Permit) -> Result<()> {
        self.execute(permit, &Statement::new("RELEASE SAVEPOINT part", Vec::new())).await.map(drop)
    }

    /// Undoes what was done since [`Conn::savepoint`].
    pub async fn undo_savepoint(&self, permit: &impl Permit) -> Result<()> {
        let back = Statement::new("ROLLBACK TO SAVEPOINT part", Vec::new());
        self.execute(permit, &back).await?;
        self.keep_savepoint(permit).await
    }

    /// Inserts rows, as many to a statement as the database takes parameters.
    pub async fn insert(
        &self,
        permit: &impl Permit,
        table: &str,
        columns: &[&str],
        rows: Vec<Vec<Value>>,
    ) -> Result<()> {
        let at_once = (PARAMETERS_MAX / columns.len().max(1)).clamp(1, INSERT_ROWS_MAX);
        let mut rows = rows.into_iter().peekable();
        while rows.peek().is_some() {
            let mut values = Vec::with_capacity(columns.len());
            let mut tuples = Vec::new();
            for row in rows.by_ref().take(at_once) {
                let first = values.len();
                let count = row.len();
                values.extend(row);
                let places: Vec<String> =
                    (1..=count).map(|place| self.dialect.next_placeholder(first + place)).collect();
                tuples.push(format!("({})", places.join(", ")));
            }
            let names = columns.join(", ");
            let sql = format!("INSERT INTO {table} ({names}) VALUES {}", tuples.join(", "));
            self.execute(permit, &Statement::new(sql, values)).await?;
        }
        Ok(())
    }

    /// Makes everything written through this connection last.
    pub async fn commit(self) -> Result<()> {
        match self.inner.into_inner() {
            Inner::Postgres(_) | Inner::Sqlite(_) => Ok(()),
            Inner::PostgresTransaction(transaction) => {
                transaction.commit().await.map_err(translate)
            }
            Inner::SqliteTransaction(transaction) => transaction.commit().await.map_err(translate),
        }
    }

    pub(super) async fn lock(&self) -> tokio::sync::MutexGuard<'_, Inner> {
        self.statements.fetch_add(1, Ordering::Relaxed);
        self.inner.lock().await
    }

    fn count_statement(&self, statement: &Statement) {
        self.statements.fetch_add(1, Ordering::Relaxed);
        tracing::trace!(sql = %statement.sql, "statement");
    }
}

async fn collect<R>(
    mut stream: BoxStream<'_, sqlx::Result<R>>,
    wrap: fn(R) -> Row,
) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    while let Some(row) = stream.try_next().await.map_err(translate)? {
        rows.push(wrap(row));
    }
    Ok(rows)
}

/// A database's refusal, in the words of [`Error`]. The name of a violated constraint is kept in
/// the field, so that the engine can say which input it was.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "sqlx's list of errors is open; what is not named here is internal"
)]
pub(super) fn translate(error: sqlx::Error) -> Error {
    let sqlx::Error::Database(database) = &error else {
        return match error {
            sqlx::Error::PoolTimedOut | sqlx::Error::Io(_) | sqlx::Error::PoolClosed => {
                Error::unavailable(error)
            }
            other => Error::internal(other),
        };
    };
    let constraint = database.constraint().map(str::to_owned);
    if database.is_unique_violation() {
        return Error::Conflict {
            message: say("this value is already taken", "este valor já está em uso"),
            field: Some(constraint.unwrap_or_else(|| database.message().to_owned()).into()),
            current: None,
        };
    }
    if database.is_foreign_key_violation() {
        return Error::Conflict {
            message: say(
                "the record is referred to by, or refers to, a record that does not allow it",
                "o registro é referido por, ou refere, um registro que não permite isso",
            ),
            field: constraint.map(Into::into),
            current: None,
        };
    }
    // PostgreSQL reports a month that was not made yet as a violated check.
    if database.message().starts_with("no partition of relation") {
        return Error::unavailable(error);
    }
    if database.is_check_violation() {
        // SQLite names the constraint in its message alone.
        let constraint = constraint.unwrap_or_else(|| database.message().to_owned());
        return Error::Invalid {
            message: say("the value is out of its range", "o valor está fora dos limites"),
            field: Some(constraint.into()),
        };
    }
    match database.code().as_deref() {
        // A character that no text of the database holds (U+0000).
        Some("22021" | "22P05") => Error::Invalid {
            message: say(
                "a text holds a character that cannot be stored",
                "um texto tem um caractere que não pode ser gravado",
            ),
            field: None,
        },
        // Serialisation failure, deadlock, lock not available, too many connections; SQLITE_BUSY.
        Some("40001" | "40P01" | "55P03" | "53300" | "57P01" | "5" | "517") => {
            Error::unavailable(error)
        }
        // Numeric value out of range, on a sum.
        Some("22003") => Error::Invalid {
            message: say("the number is out of range", "o número está fora dos limites"),
            field: None,
        },
        Some("1") if database.message() == "integer overflow" => Error::Invalid {
            message: say("the number is out of range", "o número está fora dos limites"),
            field: None,
        },
        _ => Error::internal(error),
    }
}
