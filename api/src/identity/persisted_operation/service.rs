//! Registering operations, and holding keys to them.

use chrono::{DateTime, Utc};
use serde_json::json;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::store;
use crate::access::{Action, Resource, SystemHandle};
use crate::audit::{self, Entry};
use crate::ctx::Ctx;
use crate::error::{Error, Result, say};
use crate::identity::api_key::issuing;
use crate::limits;

const RESOURCE: &str = "persisted_operations";

/// A registered operation.
#[derive(Debug, Clone)]
pub struct PersistedOperation {
    pub id: Uuid,
    pub name: String,
    /// Lowercase hexadecimal digits.
    pub sha256_hash: String,
    pub document: String,
    pub created_at: DateTime<Utc>,
}

/// The digest by which an operation is known.
pub fn hash_of(document: &str) -> String {
    Sha256::digest(document.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Registers a document that can be read. One that is registered already stays as it is.
pub async fn register(ctx: &Ctx, name: &str, document: String) -> Result<PersistedOperation> {
    let writer = ctx.whole_writer(Action::Create, Resource::ApiKeys)?;
    let name = checked_name(name)?;
    let sha256_hash = hash_of(&document);
    let conn = ctx.transaction().await?;
    if let Some(known) = store::by_hash(&conn, &writer, &sha256_hash).await? {
        return Ok(known);
    }
    if store::count(&conn, &writer).await? >= limits::PERSISTED_OPERATIONS_MAX {
        let most = limits::PERSISTED_OPERATIONS_MAX;
        return Err(Error::limit(say(
            format!("a tenant registers at most {most} operations"),
            format!("uma conta registra no máximo {most} operações"),
        )));
    }
    let operation = PersistedOperation {
        id: ctx.app.clock.new_id(),
        name,
        sha256_hash,
        document,
        created_at: ctx.now(),
    };
    store::insert(&conn, &writer, &operation, ctx.actor.user_id).await?;
    let told = json!({ "name": operation.name, "sha256Hash": operation.sha256_hash });
    let entry = Entry {
        action: "persisted_operation.register".to_owned(),
        resource: RESOURCE,
        resource_id: operation.id,
        old: None,
        new: Some(told),
    };
    audit::append(ctx, &conn, &writer, vec![entry]).await?;
    conn.commit().await?;
    Ok(operation)
}

/// All operations of the tenant, oldest first.
pub async fn list(ctx: &Ctx) -> Result<Vec<PersistedOperation>> {
    let reader = ctx.reader(Resource::ApiKeys)?;
    let conn = ctx.single_read().await?;
    store::list(&conn, &reader).await
}

/// Takes an operation back: keys that are held to registered ones may no longer run it.
pub async fn remove(ctx: &Ctx, id: Uuid) -> Result<()> {
    let writer = ctx.whole_writer(Action::Delete, Resource::ApiKeys)?;
    let conn = ctx.transaction().await?;
    let gone = store::remove(&conn, &writer, id).await?;
    let gone = gone.ok_or_else(|| Error::not_found("PersistedOperation"))?;
    let entry = Entry {
        action: "persisted_operation.remove".to_owned(),
        resource: RESOURCE,
        resource_id: id,
        old: Some(json!({ "name": gone.name, "sha256Hash": gone.sha256_hash })),
        new: None,
    };
    audit::append(ctx, &conn, &writer, vec![entry]).await?;
    conn.commit().await
}

/// Holds a key to registered operations, or lets it run any.
pub async fn hold_key(ctx: &Ctx, key_id: Uuid, persisted_only: bool) -> Result<()> {
    let writer = ctx.writer(Action::Update, Resource::ApiKeys)?;
    let conn = ctx.transaction().await?;
    issuing::check_within(&conn, &writer, writer.rows(), key_id).await?;
    if !store::hold_key(&conn, &writer, (key_id, persisted_only), ctx.now()).await? {
        return Err(Error::not_found("ApiKey"));
    }
    let entry = Entry {
        action: "api_key.update".to_owned(),
        resource: Resource::ApiKeys.as_str(),
        resource_id: key_id,
        old: None,
        new: Some(json!({ "persistedOnly": persisted_only })),
    };
    audit::append(ctx, &conn, &writer, vec![entry]).await?;
    conn.commit().await
}

/// The document that a caller's tenant has registered under a digest.
pub async fn document(ctx: &Ctx, sha256_hash: &str) -> Result<Option<String>> {
    let system = SystemHandle::for_tenant(ctx.tenant_id());
    let conn = ctx.single_read().await?;
    let found = store::by_hash(&conn, &system, sha256_hash).await?;
    Ok(found.map(|operation| operation.document))
}

fn checked_name(name: &str) -> Result<String> {
    let name = name.trim();
    if (1..=limits::NAME_CHARS_MAX).contains(&name.chars().count()) {
        return Ok(name.to_owned());
    }
    Err(Error::invalid_field(
        "name",
        say(
            format!("a name has 1 to {} characters", limits::NAME_CHARS_MAX),
            format!("um nome tem de 1 a {} caracteres", limits::NAME_CHARS_MAX),
        ),
    ))
}
