//! What this process keeps of tenants' types: ready for use, with the epochs they were read at. Every
//! request asks for the epochs, in one statement; nothing else is read while they stay.

use std::sync::Arc;

use moka::future::Cache;
use uuid::Uuid;

use super::secret;
use super::store::{self, Epochs};
use super::types::Types;
use crate::access::Permit;
use crate::app::App;
use crate::error::Result;
use crate::identity::tenant::settings::{self, EventPolicy};
use crate::limits;

struct Entry {
    epochs: Epochs,
    types: Arc<Types>,
}

/// The part of [`App`] that keeps them, by tenant. A tenant weighs as many bytes as its schemas have.
pub struct Kept(Cache<Uuid, Arc<Entry>>);

impl Kept {
    pub fn new() -> Self {
        let weight = |bytes: usize| u32::try_from(bytes + 1_000).unwrap_or(u32::MAX);
        let cache = Cache::builder()
            .max_capacity(limits::EVENT_SCHEMAS_KEPT_BYTES)
            .weigher(move |_, entry: &Arc<Entry>| weight(entry.types.bytes()))
            .build();
        Self(cache)
    }
}

impl Default for Kept {
    fn default() -> Self {
        Self::new()
    }
}

/// The types of the permit's tenant, as they are now.
pub(in crate::analytics::event) async fn types(
    app: &App,
    permit: &impl Permit,
) -> Result<Arc<Types>> {
    let epochs = store::epochs(&app.db.single_read().await?, permit).await?;
    let kept = app.event_types.0.get(&permit.tenant_id()).await;
    match kept {
        Some(kept) if kept.epochs == epochs => Ok(Arc::clone(&kept.types)),
        before => {
            let entry = Arc::new(read(app, permit, before.as_deref()).await?);
            app.event_types.0.insert(permit.tenant_id(), Arc::clone(&entry)).await;
            Ok(Arc::clone(&entry.types))
        }
    }
}

/// Everything of one state of the database.
async fn read(app: &App, permit: &impl Permit, before: Option<&Entry>) -> Result<Entry> {
    let conn = app.db.snapshot().await?;
    let epochs = store::epochs(&conn, permit).await?;
    let settings = settings::of_tenant(&conn, permit).await?;
    let rows = store::all(&conn, permit).await?;
    let mut types = Types::of(rows, before.map(|before| before.types.as_ref()))?;
    types.is_strict = match settings.event_policy {
        EventPolicy::Open => false,
        EventPolicy::Strict => true,
    };
    if types.hashes() {
        types = types.with_key(secret::key(app, &conn, permit).await?);
    }
    Ok(Entry { epochs, types: Arc::new(types) })
}
