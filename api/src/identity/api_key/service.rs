//! Making, rotating, revoking and listing keys.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use uuid::Uuid;

use super::narrowing;
use super::store::{self, KeySummary, NewKey};
use super::text::KeyText;
use crate::access::{Resource, SystemHandle};
use crate::app::App;
use crate::db::Conn;
use crate::error::{Error, Result, say};
use crate::identity::{operator, role, tenant, user};
use crate::limits;

/// What a new key is made of.
#[derive(Debug, Clone, Default)]
pub struct KeyInput {
    pub role: String,
    pub name: String,
    /// `leads:read` and the like; none means all of the role's rights.
    pub scopes: Vec<String>,
    /// `leads.name` and the like; none means all that the role may read.
    pub fields: Vec<String>,
    /// Networks that the key may be used from, `10.0.0.0/8`; none means everywhere.
    pub allowed_addresses: Vec<String>,
    pub expires_at: Option<DateTime<Utc>>,
    /// An answer with errors has the status of an error.
    pub errors_as_status: bool,
    /// Whom the key acts as; a service account of its own when nobody is named.
    pub user_id: Option<Uuid>,
    pub created_by: Option<Uuid>,
}

/// Makes a key with a service account of its own and returns its text, which is kept nowhere.
pub async fn create(
    app: &Arc<App>,
    tenant_slug: &str,
    role: &str,
    name: &str,
    scopes: &[String],
    expires_at: Option<DateTime<Utc>>,
) -> Result<String> {
    let tenant = tenant::service::named(app, tenant_slug).await?;
    let input = KeyInput {
        role: role.to_owned(),
        name: name.to_owned(),
        scopes: scopes.to_vec(),
        expires_at,
        ..KeyInput::default()
    };
    let conn = app.db.transaction().await?;
    let key = create_in(app, &conn, tenant.id, input).await?;
    conn.commit().await?;
    Ok(key)
}

/// As [`create`], inside a transaction of the caller's.
pub(crate) async fn create_in(
    app: &App,
    conn: &Conn,
    tenant_id: Uuid,
    input: KeyInput,
) -> Result<String> {
    let role_id = role::service::id_of(conn, tenant_id, &input.role).await?;
    let text = KeyText::generate(tenant_id, app.clock.new_id());
    issue(app, conn, &text, (role_id, input)).await?;
    Ok(text.reveal())
}

/// Writes the key of this text.
pub(super) async fn issue(
    app: &App,
    conn: &Conn,
    text: &KeyText,
    (role_id, input): (Uuid, KeyInput),
) -> Result<()> {
    let now = app.clock.now();
    check(app, &input, now)?;
    let tenant_id = text.tenant_id;
    let user_id = match input.user_id {
        Some(user_id) => user_id,
        None => user::service::create_service_account(app, conn, tenant_id, &input.name).await?,
    };
    let new = NewKey {
        id: text.key_id,
        user_id,
        role_id,
        name: input.name.trim().to_owned(),
        prefix: text.prefix(),
        secret_hash: text.secret_hash(),
        scopes: input.scopes,
        fields: input.fields,
        allowed_addresses: narrowing::checked_addresses(&input.allowed_addresses)?,
        expires_at: input.expires_at,
        errors_as_status: input.errors_as_status,
        created_by: input.created_by,
    };
    store::insert(conn, &SystemHandle::for_tenant(tenant_id), new, now).await
}

/// Gives a key a new secret. The old one still opens it for `overlap`.
pub async fn rotate(
    app: &Arc<App>,
    tenant_slug: &str,
    key: &str,
    overlap: TimeDelta,
) -> Result<String> {
    let tenant = tenant::service::named(app, tenant_slug).await?;
    let system = SystemHandle::for_tenant(tenant.id);
    let now = app.clock.now();
    let conn = app.db.transaction().await?;
    let found = find(&conn, &system, key).await?;
    let text = KeyText::generate(tenant.id, found.id);
    if found.revoked_at.is_some()
        || !store::replace_secret(&conn, &system, found.id, text.secret_hash(), (now, overlap))
            .await?
    {
        return Err(revoked());
    }
    let about = (Resource::ApiKeys, found.id, json!({ "oldSecretUntil": now + overlap }));
    operator::note(app, &conn, (tenant.id, "api_key.rotate"), about).await?;
    conn.commit().await?;
    Ok(text.reveal())
}

/// Ends a key, named by its id or its prefix, for good. Revoking twice is no error.
pub async fn revoke(app: &Arc<App>, tenant_slug: &str, key: &str) -> Result<()> {
    let tenant = tenant::service::named(app, tenant_slug).await?;
    let system = SystemHandle::for_tenant(tenant.id);
    let conn = app.db.transaction().await?;
    let found = find(&conn, &system, key).await?;
    let now = app.clock.now();
    store::revoke(&conn, &system, found.id, now).await?;
    if found.revoked_at.is_none() {
        let about = (Resource::ApiKeys, found.id, json!({ "revokedAt": now }));
        operator::note(app, &conn, (tenant.id, "api_key.revoke"), about).await?;
    }
    conn.commit().await
}

/// All keys of a tenant, newest last.
pub async fn list(app: &Arc<App>, tenant_slug: &str) -> Result<Vec<KeySummary>> {
    let tenant = tenant::service::named(app, tenant_slug).await?;
    let conn = app.db.single_read().await?;
    store::list(&conn, &SystemHandle::for_tenant(tenant.id)).await
}

/// Whether a use is worth writing down.
pub(crate) fn use_is_news(last_used_at: Option<DateTime<Utc>>, now: DateTime<Utc>) -> bool {
    last_used_at.is_none_or(|at| now - at >= TimeDelta::seconds(limits::KEY_USE_WRITTEN_SECONDS))
}

/// Writes that a key was used; a failure costs nothing but the note.
pub(crate) async fn record_use(app: Arc<App>, tenant_id: Uuid, key_id: Uuid, at: DateTime<Utc>) {
    let written = async {
        let conn = app.db.transaction().await?;
        store::record_use(&conn, &SystemHandle::for_tenant(tenant_id), key_id, at).await?;
        conn.commit().await
    };
    if let Err(error) = written.await {
        tracing::warn!(%tenant_id, %key_id, %error, "the last use of an API key was not written");
    }
}

pub(super) fn revoked() -> Error {
    Error::conflict(say("the key is revoked; make a new one", "a chave foi revogada; crie outra"))
}

async fn find(conn: &Conn, system: &SystemHandle, key: &str) -> Result<KeySummary> {
    let id = key.parse::<Uuid>().ok();
    let mut found = store::list(conn, system).await?;
    found.retain(|known| Some(known.id) == id || known.prefix == key);
    match (found.pop(), found.is_empty()) {
        (Some(only), true) => Ok(only),
        (Some(_), false) => Err(Error::invalid(say(
            "several keys begin like this: name one by its id",
            "várias chaves começam assim: indique uma pelo id",
        ))),
        (None, _) => Err(Error::not_found("ApiKey")),
    }
}

fn check(app: &App, input: &KeyInput, now: DateTime<Utc>) -> Result<()> {
    let length = input.name.trim().chars().count();
    if !(1..=limits::NAME_CHARS_MAX).contains(&length) {
        return Err(Error::invalid_field(
            "name",
            say(
                format!("a name has 1 to {} characters", limits::NAME_CHARS_MAX),
                format!("um nome tem de 1 a {} caracteres", limits::NAME_CHARS_MAX),
            ),
        ));
    }
    narrowing::check_scopes(&input.scopes)?;
    narrowing::check_fields(app, &input.fields)?;
    if input.expires_at.is_some_and(|at| at <= now) {
        return Err(Error::invalid_field(
            "expiresAt",
            say("the end must lie in the future", "o término deve estar no futuro"),
        ));
    }
    Ok(())
}
