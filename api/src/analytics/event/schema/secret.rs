//! The key by which a tenant's personal values are hashed: made with the first schema that asks for
//! it, sealed by the vault, the same on every node and for ever, so that one person has one hash.

use std::sync::Arc;

use aws_lc_rs::hmac;
use serde_json::Value as Json;
use uuid::Uuid;

use super::store;
use crate::access::{Permit, SystemHandle};
use crate::app::App;
use crate::clock::id_of;
use crate::config::Secret;
use crate::db::Conn;
use crate::error::{Error, Result};
use crate::vault::Place;

/// Its row's id.
pub(super) const NAME: &str = "event_pii";

pub(super) struct HashKey(hmac::Key);

impl HashKey {
    pub(super) fn new(secret: &str) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()))
    }

    /// Of a text what it says, of anything else its JSON.
    pub(super) fn hash(&self, value: &Json) -> String {
        let json;
        let text = match value {
            Json::String(text) => text,
            Json::Null | Json::Bool(_) | Json::Number(_) | Json::Array(_) | Json::Object(_) => {
                json = value.to_string();
                &json
            }
        };
        let tag = hmac::sign(&self.0, text.as_bytes());
        let digits: String = tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        format!("hmac:{digits}")
    }
}

fn place(tenant_id: Uuid) -> Place {
    let row = id_of(&[NAME.as_bytes()]);
    Place { tenant_id, table: "server_secrets", column: "value", row }
}

/// Sees to it that the tenant has a key, in the transaction of `conn`.
///
/// # Errors
///
/// `UNSUPPORTED` where the installation has no master key to seal it with.
pub(super) async fn ensure(app: &App, conn: &Conn, permit: &impl Permit) -> Result<()> {
    if store::secret(conn, permit).await?.is_some() {
        return Ok(());
    }
    let sealed = app.vault.seal(&place(permit.tenant_id()), &Secret::random())?;
    store::insert_secret(conn, permit, sealed, app.clock.now()).await
}

/// The tenant's key.
pub(super) async fn key(app: &App, conn: &Conn, permit: &impl Permit) -> Result<HashKey> {
    let sealed = store::secret(conn, permit).await?;
    let sealed = sealed.ok_or_else(|| Error::internal("the key of a tenant's hashes is gone"))?;
    let secret = app.vault.open(&place(permit.tenant_id()), &sealed)?;
    Ok(HashKey::new(secret.reveal()))
}

/// Seals the keys of all tenants under the first master key: how many were, and how many were so
/// already.
pub async fn reseal(app: &Arc<App>) -> Result<(u64, u64)> {
    let beside_tenants = SystemHandle::for_tenant(Uuid::nil());
    let rows = store::all_secrets(&app.db.single_read().await?, &beside_tenants).await?;
    let (mut resealed, mut current) = (0, 0);
    for (tenant_id, old) in rows {
        // Opened in either case: what cannot be read is to be known now.
        let secret = app.vault.open(&place(tenant_id), &old)?;
        if app.vault.is_current(&old)? {
            current += 1;
            continue;
        }
        let new = app.vault.seal(&place(tenant_id), &secret)?;
        let system = SystemHandle::for_tenant(tenant_id);
        let conn = app.db.transaction().await?;
        resealed += store::replace_secret(&conn, &system, (old, new)).await?;
        conn.commit().await?;
    }
    Ok((resealed, current))
}
