//! Bringing the tables to this program's version, and back.
//!
//! Each step runs in a transaction of its own that first takes a lock (an advisory one on PostgreSQL,
//! the write lock on SQLite) and only then looks what is pending: several servers that start at once
//! apply every step once, and a step that fails leaves nothing half-done. A database that a newer
//! version has already migrated is fine as long as it has all of our steps: neighbouring versions run
//! side by side.

#![expect(
    clippy::disallowed_types,
    reason = "migrations are SeaORM's own and run before there are tenants or permits"
)]

use std::collections::HashSet;

use migration::{Dialect, Migrator, Step};
use sea_orm::sea_query::{Alias, Query};
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbErr, SqliteTransactionMode,
    TransactionOptions, TransactionTrait,
};
use sea_orm_migration::{MigratorTrait, SchemaManager};

use crate::error::{Error, Result, say};

/// Any number will do, as long as it never changes and nothing else of ours uses it.
pub(super) const MIGRATION_LOCK: i64 = 0x7075_6c73_6f00_0001;

/// Applies what is pending; returns the names of the steps applied here, oldest first.
pub async fn up(db: &DatabaseConnection) -> Result<Vec<String>> {
    let mut applied = Vec::new();
    loop {
        let transaction = begin_locked(db).await?;
        let Some(step) = pending_steps(&SchemaManager::new(&transaction)).await?.into_iter().next()
        else {
            return Ok(applied);
        };
        super::bi::ground::step_aside(&transaction).await?;
        Migrator::up(&transaction, Some(1)).await.map_err(refused)?;
        transaction.commit().await?;
        tracing::info!(step = step.name, "migration applied");
        applied.push(step.name.to_owned());
    }
}

/// Takes the latest steps back; returns their names, newest first. Fewer are taken when there are
/// not as many.
pub async fn down(db: &DatabaseConnection, steps: u32) -> Result<Vec<String>> {
    let mut reverted = Vec::new();
    for _ in 0..steps {
        let transaction = begin_locked(db).await?;
        let known = applied_names(&SchemaManager::new(&transaction)).await?;
        let Some(step) = migration::steps().into_iter().rev().find(|s| known.contains(s.name))
        else {
            break;
        };
        super::bi::ground::step_aside(&transaction).await?;
        Migrator::down(&transaction, Some(1)).await.map_err(refused)?;
        transaction.commit().await?;
        tracing::info!(step = step.name, "migration reverted");
        reverted.push(step.name.to_owned());
    }
    Ok(reverted)
}

/// Every step this program knows, oldest first, and whether the database has it. Writes nothing.
pub async fn status(db: &DatabaseConnection) -> Result<Vec<(String, bool)>> {
    let known = applied_names(&SchemaManager::new(db)).await?;
    let steps = migration::steps().into_iter();
    Ok(steps.map(|step| (step.name.to_owned(), known.contains(step.name))).collect())
}

/// The names of the steps that [`up`] would apply now, oldest first. Writes nothing.
pub async fn pending(db: &DatabaseConnection) -> Result<Vec<String>> {
    let pending = pending_steps(&SchemaManager::new(db)).await?;
    Ok(pending.into_iter().map(|step| step.name.to_owned()).collect())
}

/// The statements that [`up`] would run now, by step. Writes nothing.
pub async fn dry_run(db: &DatabaseConnection) -> Result<Vec<(String, Vec<String>)>> {
    let dialect = Dialect::of(db.get_database_backend())?;
    let pending = pending_steps(&SchemaManager::new(db)).await?.into_iter();
    Ok(pending.map(|step| (step.name.to_owned(), (step.up)(dialect))).collect())
}

/// A transaction that no other migrating process can be in at the same time.
async fn begin_locked(db: &DatabaseConnection) -> Result<DatabaseTransaction> {
    let options = TransactionOptions {
        sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
        ..TransactionOptions::default()
    };
    let transaction = db.begin_with_options(options).await?;
    match Dialect::of(transaction.get_database_backend())? {
        Dialect::Postgres => {
            let lock = format!("SELECT pg_advisory_xact_lock({MIGRATION_LOCK})");
            transaction.execute_unprepared(&lock).await?;
        }
        Dialect::Sqlite => {}
    }
    Ok(transaction)
}

async fn pending_steps(manager: &SchemaManager<'_>) -> Result<Vec<Step>> {
    let known = applied_names(manager).await?;
    Ok(migration::steps().into_iter().filter(|step| !known.contains(step.name)).collect())
}

/// The names that the database remembers; none when it has never been migrated. SeaORM's own list
/// would refuse the steps of a newer version, and would create its table.
async fn applied_names(manager: &SchemaManager<'_>) -> Result<HashSet<String>> {
    let table = Migrator::migration_table_name();
    if !manager.has_table(table.to_string()).await? {
        return Ok(HashSet::new());
    }
    let select = Query::select().column(Alias::new("version")).from(table).take();
    let rows = manager.get_connection().query_all(&select).await?;
    rows.iter().map(|row| row.try_get_by_index(0).map_err(Error::from)).collect()
}

/// A refusal that an operator can act on is shown to them, in English; all others are internal.
fn refused(error: DbErr) -> Error {
    if let DbErr::Migration(sentence) | DbErr::Custom(sentence) = error {
        Error::Unsupported { message: say(sentence.clone(), sentence) }
    } else {
        error.into()
    }
}
