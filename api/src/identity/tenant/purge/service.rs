//! Whose time has come, and the removal in steps.

use std::sync::Arc;
use std::time::Duration;

use entity::{tenant, tenant_tombstone};
use uuid::Uuid;

use super::store;
use crate::access::SystemHandle;
use crate::app::App;
use crate::db::Conn;
use crate::db::tables::{Table, all};
use crate::error::{Error, Result, say};
use crate::identity::tenant::service::named;
use crate::limits;

const PURGE_EVERY: Duration = Duration::from_secs(60);

/// Who began a removal.
#[derive(Debug, Clone, Copy)]
enum Starter {
    Schedule,
    Command,
}

impl Starter {
    fn as_str(self) -> &'static str {
        match self {
            Self::Schedule => "schedule",
            Self::Command => "command",
        }
    }
}

/// How a step ended.
enum Step {
    /// Rows were removed, and there may be more.
    More,
    /// Nothing is left of the table.
    Clear,
    /// Another node is at it.
    Elsewhere,
}

/// Removes tenants whose time has come, for as long as the process serves.
pub async fn keep(app: Arc<App>) {
    loop {
        if let Err(error) = purge_due(&app).await {
            tracing::error!(%error, "deleted tenants were not removed");
        }
        tokio::time::sleep(PURGE_EVERY).await;
    }
}

/// Removes every tenant whose waiting period is over; how many. One tenant's failure is told and
/// leaves the others alone.
pub async fn purge_due(app: &App) -> Result<usize> {
    let conn = app.db.single_read().await?;
    let due = store::due(&conn, &beside_tenants(), app.clock.now()).await?;
    drop(conn);
    let mut removed = 0;
    let mut failed = None;
    for tenant in due {
        match Box::pin(purge(app, &tenant, Starter::Schedule)).await {
            Ok(Some(_)) => removed += 1,
            Ok(None) => {}
            Err(error) => {
                tracing::error!(tenant = tenant.slug, %error, "a deleted tenant was not removed");
                failed = Some(error);
            }
        }
    }
    failed.map_or(Ok(removed), Err)
}

/// Removes a deleted tenant now, at the operator's word; CONFLICT while it can still be restored.
pub async fn purge_named(app: &Arc<App>, slug: &str) -> Result<tenant_tombstone::Model> {
    let tenant = named(app, slug).await?;
    match tenant.purge_at {
        None => {
            return Err(Error::conflict(say(
                "the tenant is not deleted",
                "o tenant não está excluído",
            )));
        }
        Some(at) if at > app.clock.now() => {
            let at = at.format("%Y-%m-%dT%H:%M:%SZ");
            return Err(Error::conflict(say(
                format!("the tenant can be restored until {at}: it is not removed before"),
                format!("o tenant pode ser restaurado até {at}: não é removido antes"),
            )));
        }
        Some(_over) => {}
    }
    let removed = Box::pin(purge(app, &tenant, Starter::Command)).await?;
    removed.ok_or_else(|| {
        Error::conflict(say(
            "another process is removing it at this moment",
            "outro processo está removendo o tenant neste momento",
        ))
    })
}

/// What is left of tenants that were removed, or are being removed, oldest first.
pub async fn tombstones(app: &App) -> Result<Vec<tenant_tombstone::Model>> {
    let conn = app.db.single_read().await?;
    store::tombstones(&conn, &beside_tenants()).await
}

/// Whether the removal of a tenant has begun, as this connection sees it.
pub(in crate::identity::tenant) async fn has_begun(
    conn: &Conn,
    system: &SystemHandle,
) -> Result<bool> {
    Ok(store::tombstone(conn, system, false).await?.is_some())
}

/// `None` where somebody else is at it.
async fn purge(
    app: &App,
    tenant: &tenant::Model,
    starter: Starter,
) -> Result<Option<tenant_tombstone::Model>> {
    let system = SystemHandle::for_tenant(tenant.id);
    if !begin(app, tenant, starter).await? {
        return Ok(None);
    }
    // Those who refer to others go first.
    for table in all().iter().rev() {
        loop {
            match step(app, &system, table).await? {
                Step::More => {}
                Step::Clear => break,
                Step::Elsewhere => return Ok(None),
            }
        }
    }
    end(app, &system).await
}

/// Puts up the tombstone. False where the tenant was restored meanwhile.
async fn begin(app: &App, tenant: &tenant::Model, starter: Starter) -> Result<bool> {
    let system = SystemHandle::for_tenant(tenant.id);
    let now = app.clock.now();
    let conn = app.db.transaction().await?;
    // Also the lock against whoever restores it at this moment.
    if !store::touch_due(&conn, &system, now).await? {
        return Ok(false);
    }
    if store::tombstone(&conn, &system, false).await?.is_none() {
        let tombstone = tenant_tombstone::Model {
            id: tenant.id,
            slug: tenant.slug.clone(),
            purge_at: tenant.purge_at.unwrap_or(now),
            started_by: starter.as_str().to_owned(),
            started_at: now,
            purged_at: None,
            removed: serde_json::json!({}),
        };
        store::insert(&conn, &system, tombstone).await?;
        tracing::warn!(tenant_id = %tenant.id, slug = tenant.slug, by = starter.as_str(),
            "the removal of a deleted tenant begins");
    }
    conn.commit().await?;
    Ok(true)
}

/// One transaction: so many rows of one table.
async fn step(app: &App, system: &SystemHandle, table: &Table) -> Result<Step> {
    let conn = app.db.transaction().await?;
    let Some(mut tombstone) = store::tombstone(&conn, system, true).await? else {
        return Ok(Step::Elsewhere);
    };
    let freed = store::free(&conn, system, table, limits::PURGE_ROWS_AT_ONCE).await?;
    let mut removed = 0;
    if freed == 0 {
        removed = store::remove(&conn, system, table, limits::PURGE_ROWS_AT_ONCE).await?;
    }
    if removed > 0 {
        count(&mut tombstone, table.name, removed);
        store::put(&conn, system, &tombstone).await?;
    }
    // Also where nothing was done: the lock is free before the next step asks for it.
    conn.commit().await?;
    Ok(if freed > 0 || removed > 0 { Step::More } else { Step::Clear })
}

/// The last step: the tenant itself, and what was written since its tables were cleared (a log of
/// reads that was in memory). What still refers to it refuses, and the next round begins anew.
async fn end(app: &App, system: &SystemHandle) -> Result<Option<tenant_tombstone::Model>> {
    let conn = app.db.transaction().await?;
    let Some(mut tombstone) = store::tombstone(&conn, system, true).await? else {
        return Ok(None);
    };
    for table in all().iter().rev() {
        let removed = store::remove(&conn, system, table, limits::PURGE_ROWS_AT_ONCE).await?;
        if removed > 0 {
            count(&mut tombstone, table.name, removed);
        }
    }
    store::remove_tenant(&conn, system).await?;
    tombstone.purged_at = Some(app.clock.now());
    store::put(&conn, system, &tombstone).await?;
    conn.commit().await?;
    tracing::warn!(tenant_id = %tombstone.id, slug = tombstone.slug, removed = %tombstone.removed,
        "a deleted tenant was removed for good");
    Ok(Some(tombstone))
}

fn count(tombstone: &mut tenant_tombstone::Model, table: &str, rows: u64) {
    if let Some(removed) = tombstone.removed.as_object_mut() {
        let before = removed.get(table).and_then(serde_json::Value::as_u64).unwrap_or_default();
        removed.insert(table.to_owned(), before.saturating_add(rows).into());
    }
}

/// For tables that belong to no tenant.
fn beside_tenants() -> SystemHandle {
    SystemHandle::for_tenant(Uuid::nil())
}
