//! How the tables came to be: reversible steps, the same for both databases.
//!
//! A step is two pure functions, `up` and `down`, that write SQL; they are wrapped once as a SeaORM
//! migration ([`Step`]), so that a dry run prints exactly what a real run executes. Tables are
//! declared with the small language of `table.rs`; what differs by database is in `dialect.rs` and
//! nowhere else. A step that was released is never edited: the next one corrects it.

mod column;
mod dialect;
mod m20261122_000001_tenancy;
mod m20261122_000002_crm;
mod m20261122_000003_log;
mod m20261122_000004_sessions;
mod m20261122_000005_accounts;
mod m20261122_000006_access;
mod m20261122_000007_audit;
mod m20261122_000008_limits;
mod m20261122_000009_notifications;
mod m20261122_000010_identity_providers;
mod m20261122_000011_tenant_export;
mod m20261122_000012_server_secrets;
mod m20261122_000013_goals;
mod m20261122_000014_analytics;
mod m20261122_000015_quarantine;
mod m20261122_000016_goals_index;
mod m20261123_000020_snapshot_rows;
mod m20261123_000021_custom_metrics;
mod m20261123_000023_dimensions;
mod m20261123_000024_errors_as_status;
mod m20261123_000025_event_schemas;
mod m20261123_000026_jobs;
mod m20261123_000027_backfills;
mod m20261123_000028_key_expiry;
mod m20261123_000029_session_providers;
pub mod partitions;
mod table;

use async_trait::async_trait;
use sea_orm_migration::sea_orm::ConnectionTrait;
use sea_orm_migration::{DbErr, MigrationName, MigrationTrait, MigratorTrait, SchemaManager};

pub use dialect::{Dialect, EXTENSION_REFUSED};

/// One reversible step.
#[derive(Debug, Clone, Copy)]
pub struct Step {
    pub name: &'static str,
    /// The statements that make it, in order.
    pub up: fn(Dialect) -> Vec<String>,
    /// The statements that take it back, in order.
    pub down: fn(Dialect) -> Vec<String>,
}

/// All steps, oldest first.
pub fn steps() -> Vec<Step> {
    macro_rules! step {
        ($module:ident) => {
            Step { name: stringify!($module), up: $module::up, down: $module::down }
        };
    }
    vec![
        step!(m20261122_000001_tenancy),
        step!(m20261122_000002_crm),
        step!(m20261122_000003_log),
        step!(m20261122_000004_sessions),
        step!(m20261122_000005_accounts),
        step!(m20261122_000006_access),
        step!(m20261122_000007_audit),
        step!(m20261122_000008_limits),
        step!(m20261122_000009_notifications),
        step!(m20261122_000010_identity_providers),
        step!(m20261122_000011_tenant_export),
        step!(m20261122_000012_server_secrets),
        step!(m20261122_000013_goals),
        step!(m20261122_000014_analytics),
        step!(m20261122_000015_quarantine),
        step!(m20261122_000016_goals_index),
        step!(m20261123_000020_snapshot_rows),
        step!(m20261123_000021_custom_metrics),
        step!(m20261123_000023_dimensions),
        step!(m20261123_000024_errors_as_status),
        step!(m20261123_000025_event_schemas),
        step!(m20261123_000026_jobs),
        step!(m20261123_000027_backfills),
        step!(m20261123_000028_key_expiry),
        step!(m20261123_000029_session_providers),
    ]
}

/// SeaORM's runner over [`steps`]; what was applied is kept in `seaql_migrations`.
#[derive(Debug)]
pub struct Migrator;

#[async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        steps().into_iter().map(|step| Box::new(step) as Box<dyn MigrationTrait>).collect()
    }
}

impl MigrationName for Step {
    fn name(&self) -> &str {
        self.name
    }
}

#[async_trait]
impl MigrationTrait for Step {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, self.up).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, self.down).await
    }

    /// Both databases have transactional DDL: a step that fails leaves nothing behind.
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}

async fn run(
    manager: &SchemaManager<'_>,
    statements: fn(Dialect) -> Vec<String>,
) -> Result<(), DbErr> {
    let connection = manager.get_connection();
    let dialect = Dialect::of(connection.get_database_backend())?;
    for statement in statements(dialect) {
        let outcome = connection.execute_unprepared(&statement).await;
        outcome.map_err(|error| dialect.explain(&statement, error))?;
    }
    Ok(())
}
