//! The sealer: chains what was committed, and closes months.
//!
//! Invariants:
//! - one seals a tenant at a time, on whatever node: the row of the chain's head is locked first;
//! - entries are found by their mark (no place in the chain yet), never by their order; the order of
//!   the chain is the order of sealing;
//! - entries, marks, head and month are one transaction: nothing is skipped, nothing sealed twice;
//! - where the head is gone though entries are sealed, nothing more is sealed: a new chain would
//!   cover up what happened to the old one.

use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use super::chain::month_of;
use super::store;
use crate::access::SystemHandle;
use crate::app::App;
use crate::db::Conn;
use crate::error::{Error, Result};
use crate::limits;

/// Twice within the second in which entries are to be sealed.
const SEAL_EVERY: Duration = Duration::from_millis(500);
const AGAIN_AFTER_FAILURE: Duration = Duration::from_secs(5);

/// Seals for as long as the process serves.
pub async fn keep_sealing(app: Arc<App>) {
    loop {
        let pause = match seal_all(&app).await {
            Ok(_) => SEAL_EVERY,
            Err(error) => {
                tracing::error!(%error, "audit entries were not sealed");
                AGAIN_AFTER_FAILURE
            }
        };
        tokio::time::sleep(pause).await;
    }
}

/// Seals everything that waits now, of all tenants; the number of entries. One tenant's failure is
/// told and leaves the others alone.
pub async fn seal_all(app: &App) -> Result<usize> {
    let conn = app.db.single_read().await?;
    let month = month_of(app.clock.now());
    let beside_tenants = SystemHandle::for_tenant(Uuid::nil());
    let tenants = store::tenants_with_work(&conn, &beside_tenants, &month).await?;
    drop(conn);
    let mut sealed = 0;
    let mut failed = None;
    for tenant_id in tenants {
        match seal_tenant(app, tenant_id).await {
            Ok(count) => sealed += count,
            Err(error) => {
                tracing::error!(%tenant_id, %error, "a tenant's audit entries were not sealed");
                failed = Some(error);
            }
        }
    }
    failed.map_or(Ok(sealed), Err)
}

/// Seals everything of one tenant that waits now; the number of entries.
pub async fn seal_tenant(app: &App, tenant_id: Uuid) -> Result<usize> {
    let mut sealed = 0;
    loop {
        let pass = seal_pass(app, tenant_id).await?;
        sealed += pass;
        if pass < limits::AUDIT_ENTRIES_PER_SEAL {
            return Ok(sealed);
        }
    }
}

/// One transaction: as many entries as it takes.
async fn seal_pass(app: &App, tenant_id: Uuid) -> Result<usize> {
    let system = SystemHandle::for_tenant(tenant_id);
    let now = app.clock.now();
    let conn = app.db.transaction().await?;
    let mut head = match store::head(&conn, &system, true).await? {
        Some(head) => head,
        None => begin(&conn, &system, app).await?,
    };
    let month = month_of(now);
    let before = head.clone();
    if let Some(seal) = head.close_month(&month) {
        let hash = seal.hash(tenant_id);
        store::insert_month(&conn, &system, &seal, (&hash, now)).await?;
        // For whoever keeps logs elsewhere: a chain that is written anew cannot give this again.
        tracing::info!(%tenant_id, month = seal.month, last_seq = seal.last_seq, hash,
            "a month of the audit trail was sealed");
        head.month_hash = Some(hash);
    }
    let entries = store::unsealed(&conn, &system, limits::AUDIT_ENTRIES_PER_SEAL).await?;
    let sealed: Vec<(Uuid, i64, String)> = entries
        .iter()
        .map(|entry| {
            let (seq, hash) = head.append(tenant_id, entry, &month);
            (entry.id, seq, hash)
        })
        .collect();
    if head == before {
        return Ok(0);
    }
    store::mark_sealed(&conn, &system, &sealed).await?;
    store::put_head(&conn, &system, &head, now).await?;
    conn.commit().await?;
    Ok(sealed.len())
}

/// A tenant's first entries: the head is made, and locked.
async fn begin(conn: &Conn, system: &SystemHandle, app: &App) -> Result<super::chain::Head> {
    if let (Some(_), None) = store::places(conn, system).await? {
        return Err(Error::internal(
            "audit entries are sealed, but the head of their chain is gone: run `pulso verify audit`",
        ));
    }
    store::begin(conn, system, app.clock.now()).await?;
    let head = store::head(conn, system, true).await?;
    head.ok_or_else(|| Error::internal("the head of an audit chain was not made"))
}
