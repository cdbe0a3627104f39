//! One connection, usually inside a transaction. Statements ask for a permit: without a decision of
//! the policy there is nothing to run them with.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use tokio::sync::{Mutex, MutexGuard};

use super::lease::{Lease, Open};
use super::pipeline::Reading;
use super::pool::Pooled;
use super::row::Row;
use super::tally::Tally;
use super::{Dialect, Statement, Value};
use crate::access::Permit;
use crate::error::{Error, Result, say};

/// SQLite takes 32,766 parameters to a statement, PostgreSQL 65,535.
const PARAMETERS_MAX: usize = 30_000;
const INSERT_ROWS_MAX: usize = 500;

/// A connection. Dropping it without [`Conn::commit`] rolls back.
pub struct Conn {
    driver: Mutex<Driver>,
    dialect: Dialect,
    statements: AtomicU32,
    rows: AtomicU64,
    /// Of the operation that took this connection.
    tally: Option<Tally>,
    /// Whether somebody has something to read once this is committed.
    news: AtomicBool,
}

/// How statements reach the database.
enum Driver {
    Session(Lease),
    Reading(Reading),
}

/// The session of a connection, for one statement.
pub(super) struct Held<'c>(MutexGuard<'c, Driver>);

impl Held<'_> {
    /// Counts the statement as under way. Whoever calls this calls [`Lease::done`].
    pub(super) fn lease(&mut self) -> sqlx::Result<&mut Lease> {
        match &mut *self.0 {
            Driver::Session(lease) => {
                lease.begin_statement();
                Ok(lease)
            }
            Driver::Reading(_) => {
                Err(sqlx::Error::Configuration("this connection only reads for the engine".into()))
            }
        }
    }
}

impl Conn {
    /// For single statements.
    pub(super) async fn plain(pooled: Pooled, dialect: Dialect) -> Result<Self> {
        Self::begin(pooled, dialect, Open::Nothing).await
    }

    /// For several statements that see one state of the database.
    pub(super) async fn snapshot(pooled: Pooled, dialect: Dialect) -> Result<Self> {
        Self::begin(pooled, dialect, Open::Snapshot).await
    }

    /// For statements that write.
    pub(super) async fn transaction(pooled: Pooled, dialect: Dialect) -> Result<Self> {
        Self::begin(pooled, dialect, Open::Transaction).await
    }

    async fn begin(pooled: Pooled, dialect: Dialect, open: Open) -> Result<Self> {
        let lease = Lease::begin(pooled, dialect, open).await.map_err(translate)?;
        Ok(Self::over(Driver::Session(lease), dialect))
    }

    /// For the engine's reads on PostgreSQL.
    pub(super) fn reading(reading: Reading) -> Self {
        Self::over(Driver::Reading(reading), Dialect::Postgres)
    }

    fn over(driver: Driver, dialect: Dialect) -> Self {
        Self {
            driver: Mutex::new(driver),
            dialect,
            statements: AtomicU32::new(0),
            rows: AtomicU64::new(0),
            tally: Tally::current(),
            news: AtomicBool::new(false),
        }
    }

    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// Statements run so far, BEGIN and COMMIT not counted.
    pub fn statements(&self) -> u32 {
        self.statements.load(Ordering::Relaxed)
    }

    /// Rows read so far, related ones counted by [`Conn::count_joined`].
    pub fn rows_read(&self) -> u64 {
        self.rows.load(Ordering::Relaxed)
    }

    /// Counts related rows that came joined to others.
    pub fn count_joined(&self, rows: u64) {
        self.rows.fetch_add(rows, Ordering::Relaxed);
    }

    /// Notes that somebody will have something to read.
    pub fn mark_news(&self) {
        self.news.store(true, Ordering::Relaxed);
    }

    /// Whether whoever waits for news on this node is to be woken after the commit.
    pub fn has_news(&self) -> bool {
        self.news.load(Ordering::Relaxed)
    }

    /// Runs a query and returns all its rows.
    pub async fn rows(&self, _permit: &impl Permit, statement: &Statement) -> Result<Vec<Row>> {
        let mut held = self.hold(statement).await;
        let rows = match &mut *held.0 {
            Driver::Reading(reading) => reading.rows(statement).await?,
            Driver::Session(_) => held.lease().map_err(translate)?.rows(statement).await?,
        };
        self.rows.fetch_add(u64::try_from(rows.len()).unwrap_or(u64::MAX), Ordering::Relaxed);
        Ok(rows)
    }

    /// Runs a query that gives at most one row.
    pub async fn row(&self, permit: &impl Permit, statement: &Statement) -> Result<Option<Row>> {
        Ok(self.rows(permit, statement).await?.into_iter().next())
    }

    /// Runs a statement and returns the number of rows it changed.
    pub async fn execute(&self, _permit: &impl Permit, statement: &Statement) -> Result<u64> {
        let mut held = self.hold(statement).await;
        held.lease().map_err(translate)?.execute(statement).await
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
    pub async fn commit(mut self) -> Result<()> {
        match self.driver.get_mut() {
            Driver::Session(lease) => lease.commit().await.map_err(translate),
            // A snapshot has nothing to keep: it ends when the connection is given back.
            Driver::Reading(_) => Ok(()),
        }
    }

    /// The connection for one statement, counted.
    pub(super) async fn lock(&self) -> Held<'_> {
        self.statements.fetch_add(1, Ordering::Relaxed);
        if let Some(tally) = &self.tally {
            tally.add();
        }
        Held(self.driver.lock().await)
    }

    async fn hold(&self, statement: &Statement) -> Held<'_> {
        tracing::trace!(sql = %statement.sql, "statement");
        self.lock().await
    }
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
    let code = database.code().map(std::borrow::Cow::into_owned).unwrap_or_default();
    if code == "1" && database.message() == "integer overflow" {
        return out_of_range();
    }
    of_code(&code, error)
}

/// What a code of the database means; one that is not named here is internal.
pub(super) fn of_code(code: &str, error: impl std::fmt::Display) -> Error {
    match code {
        // A character that no text of the database holds (U+0000).
        "22021" | "22P05" => Error::Invalid {
            message: say(
                "a text holds a character that cannot be stored",
                "um texto tem um caractere que não pode ser gravado",
            ),
            field: None,
        },
        // Serialisation failure, deadlock, lock not available, too many connections, the server is
        // being stopped; SQLITE_BUSY.
        "40001" | "40P01" | "55P03" | "53300" | "57P01" | "5" | "517" => Error::unavailable(error),
        // Numeric value out of range, on a sum.
        "22003" => out_of_range(),
        _ => Error::internal(error),
    }
}

fn out_of_range() -> Error {
    Error::Invalid {
        message: say("the number is out of range", "o número está fora dos limites"),
        field: None,
    }
}
