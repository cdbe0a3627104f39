//! Naming identity providers, and sealing their secrets anew.

use std::sync::Arc;

use entity::identity_provider::Model;
use serde_json::{Value as Json, json};
use uuid::Uuid;

use super::{checks, place_of, store};
use crate::access::{Action, Permissions, Resource, SystemHandle, Writer};
use crate::app::App;
use crate::audit::{self, Entry};
use crate::config::Secret;
use crate::ctx::Ctx;
use crate::db::Conn;
use crate::error::{Error, Result};
use crate::identity::{gate, role};

pub(crate) const RESOURCE: &str = "identity_providers";

/// What a provider is to be, but for its secret.
#[derive(Debug, Clone, Default)]
pub struct ProviderDraft {
    pub slug: String,
    pub name: String,
    pub issuer: String,
    pub client_id: String,
    /// The usual ones when empty.
    pub scopes: Vec<String>,
    pub email_domains: Vec<String>,
    pub creates_users: bool,
    /// Name of the role of users who are made.
    pub role: Option<String>,
    pub is_enabled: bool,
}

/// What is to become of a provider; what is absent stays.
#[derive(Debug, Clone, Default)]
pub struct ProviderChange {
    pub name: Option<String>,
    pub issuer: Option<String>,
    pub client_id: Option<String>,
    /// `Some(None)` for a public client.
    pub client_secret: Option<Option<String>>,
    pub scopes: Option<Vec<String>>,
    pub email_domains: Option<Vec<String>>,
    pub creates_users: Option<bool>,
    pub role: Option<Option<String>>,
    pub is_enabled: Option<bool>,
}

/// A provider as those see it who may name one.
#[derive(Debug, Clone)]
pub struct Provider {
    pub row: Model,
    pub role: Option<String>,
}

impl Provider {
    pub fn scopes(&self) -> Vec<String> {
        texts(&self.row.scopes)
    }

    pub fn email_domains(&self) -> Vec<String> {
        texts(&self.row.email_domains)
    }

    fn draft(&self) -> ProviderDraft {
        ProviderDraft {
            slug: self.row.slug.clone(),
            name: self.row.name.clone(),
            issuer: self.row.issuer.clone(),
            client_id: self.row.client_id.clone(),
            scopes: self.scopes(),
            email_domains: self.email_domains(),
            creates_users: self.row.creates_users,
            role: self.role.clone(),
            is_enabled: self.row.is_enabled,
        }
    }

    /// For the trail: whether there is a secret, never which.
    fn told(&self) -> Json {
        json!({
            "slug": self.row.slug,
            "name": self.row.name,
            "issuer": self.row.issuer,
            "clientId": self.row.client_id,
            "hasClientSecret": self.row.client_secret.is_some(),
            "scopes": self.row.scopes,
            "emailDomains": self.row.email_domains,
            "createsUsers": self.row.creates_users,
            "role": self.role,
            "isEnabled": self.row.is_enabled,
        })
    }
}

pub(crate) fn texts(list: &Json) -> Vec<String> {
    let texts = list.as_array().into_iter().flatten();
    texts.filter_map(|text| text.as_str().map(str::to_owned)).collect()
}

/// The providers of the caller's tenant, by slug.
pub async fn list(ctx: &Ctx) -> Result<Vec<Provider>> {
    let reader = gate::reader(ctx, Resource::Tenants)?;
    let conn = ctx.snapshot().await?;
    let rows = store::list(&conn, &reader).await?;
    let roles = role::service::names(&conn, ctx.tenant_id()).await?;
    let named = |row: Model| {
        let role = row.role_id.and_then(|id| roles.get(&id).cloned());
        Provider { row, role }
    };
    Ok(rows.into_iter().map(named).collect())
}

pub async fn create(ctx: &Ctx, draft: ProviderDraft, secret: Option<String>) -> Result<Provider> {
    let writer = writer(ctx)?;
    let draft = checks::checked(draft, ctx.app.config.identity.sign_in_private_providers)?;
    let secret = secret.as_deref().map(checks::checked_secret).transpose()?;
    let conn = ctx.transaction().await?;
    checks::check_count(store::count(&conn, &writer).await?)?;
    let now = ctx.now();
    let mut row = Model {
        tenant_id: ctx.tenant_id(),
        id: ctx.app.clock.new_id(),
        slug: String::new(),
        name: String::new(),
        issuer: String::new(),
        client_id: String::new(),
        client_secret: None,
        scopes: Json::Null,
        email_domains: Json::Null,
        creates_users: false,
        role_id: None,
        is_enabled: false,
        created_at: now,
        updated_at: now,
        created_by: Some(ctx.actor.user_id),
        version: 1,
    };
    row.client_secret = sealed(ctx, &row, secret.as_ref())?;
    let provider = filled(&conn, row, draft).await?;
    match store::insert(&conn, &writer, provider.row.clone()).await {
        Err(Error::Conflict { .. }) => return Err(slug_taken()),
        other => other?,
    }
    note(ctx, &conn, &writer, ("identity_provider.create", None, Some(&provider))).await?;
    conn.commit().await?;
    Ok(provider)
}

pub async fn update(ctx: &Ctx, id: Uuid, change: ProviderChange) -> Result<Provider> {
    let writer = writer(ctx)?;
    let conn = ctx.transaction().await?;
    let old = found(&conn, &writer, id).await?;
    let mut draft = old.draft();
    draft.name = change.name.unwrap_or(draft.name);
    draft.issuer = change.issuer.unwrap_or(draft.issuer);
    draft.client_id = change.client_id.unwrap_or(draft.client_id);
    draft.scopes = change.scopes.unwrap_or(draft.scopes);
    draft.email_domains = change.email_domains.unwrap_or(draft.email_domains);
    draft.creates_users = change.creates_users.unwrap_or(draft.creates_users);
    draft.role = change.role.unwrap_or(draft.role);
    draft.is_enabled = change.is_enabled.unwrap_or(draft.is_enabled);
    let draft = checks::checked(draft, ctx.app.config.identity.sign_in_private_providers)?;
    let mut row = old.row.clone();
    if let Some(secret) = change.client_secret {
        let secret = secret.as_deref().map(checks::checked_secret).transpose()?;
        row.client_secret = sealed(ctx, &row, secret.as_ref())?;
    } else if draft.issuer != old.row.issuer {
        // The secret was told to us for another: it must not be carried to whoever is named now.
        row.client_secret = None;
    }
    row.updated_at = ctx.now();
    row.version = row.version.saturating_add(1);
    let new = filled(&conn, row, draft).await?;
    if !store::update(&conn, &writer, new.row.clone(), old.row.version).await? {
        return Err(Error::conflict(crate::error::say(
            "this provider was changed meanwhile",
            "este provedor foi alterado nesse meio-tempo",
        )));
    }
    let about = ("identity_provider.update", Some(&old), Some(&new));
    note(ctx, &conn, &writer, about).await?;
    conn.commit().await?;
    Ok(new)
}

/// Takes a provider away, and with it whom its people are there; the people stay.
pub async fn remove(ctx: &Ctx, id: Uuid) -> Result<()> {
    let writer = writer(ctx)?;
    let conn = ctx.transaction().await?;
    let old = found(&conn, &writer, id).await?;
    store::remove(&conn, &writer, id).await?;
    note(ctx, &conn, &writer, ("identity_provider.delete", Some(&old), None)).await?;
    conn.commit().await
}

/// What sealing anew came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resealed {
    pub resealed: u64,
    /// Sealed under the first key already.
    pub current: u64,
}

/// Seals the secrets of all tenants under the first master key.
pub async fn reseal(app: &Arc<App>) -> Result<Resealed> {
    let beside_tenants = SystemHandle::for_tenant(Uuid::nil());
    let rows = store::all_with_secrets(&app.db.single_read().await?, &beside_tenants).await?;
    let mut done = Resealed { resealed: 0, current: 0 };
    for row in rows {
        let Some(old) = row.client_secret.as_deref() else { continue };
        // Opened in either case: what cannot be read is to be known now.
        let secret = app.vault.open(&place_of(&row), old)?;
        if app.vault.is_current(old)? {
            done.current += 1;
            continue;
        }
        let new = app.vault.seal(&place_of(&row), &secret)?;
        let system = SystemHandle::for_tenant(row.tenant_id);
        let conn = app.db.transaction().await?;
        // A secret that was changed meanwhile is sealed under the first key by that.
        done.resealed += store::replace_secret(&conn, &system, row.id, (old, &new)).await?;
        conn.commit().await?;
    }
    Ok(done)
}

/// A provider decides who somebody is, whoever they are: naming one is handing out every right.
fn writer(ctx: &Ctx) -> Result<Writer> {
    let writer = gate::writer(ctx, Action::Update, Resource::Tenants)?;
    gate::check_handed_out(ctx, &Permissions::everything())?;
    Ok(writer)
}

async fn found(conn: &Conn, writer: &Writer, id: Uuid) -> Result<Provider> {
    let row = store::by_id(conn, writer, id).await?;
    let row = row.ok_or_else(|| Error::not_found("IdentityProvider").at("id"))?;
    let roles = role::service::names(conn, row.tenant_id).await?;
    let role = row.role_id.and_then(|id| roles.get(&id).cloned());
    Ok(Provider { row, role })
}

async fn filled(conn: &Conn, row: Model, draft: ProviderDraft) -> Result<Provider> {
    let role_id = match &draft.role {
        Some(name) => Some(role::service::id_of(conn, row.tenant_id, name).await?),
        None => None,
    };
    let row = Model {
        slug: draft.slug,
        name: draft.name,
        issuer: draft.issuer,
        client_id: draft.client_id,
        scopes: json!(draft.scopes),
        email_domains: json!(draft.email_domains),
        creates_users: draft.creates_users,
        role_id,
        is_enabled: draft.is_enabled,
        ..row
    };
    Ok(Provider { row, role: draft.role })
}

fn sealed(ctx: &Ctx, row: &Model, secret: Option<&Secret>) -> Result<Option<String>> {
    secret.map(|secret| ctx.app.vault.seal(&place_of(row), secret)).transpose()
}

async fn note(
    ctx: &Ctx,
    conn: &Conn,
    writer: &Writer,
    (action, old, new): (&str, Option<&Provider>, Option<&Provider>),
) -> Result<()> {
    let id = new.or(old).map(|provider| provider.row.id).unwrap_or_default();
    let entry = Entry {
        action: action.to_owned(),
        resource: RESOURCE,
        resource_id: id,
        old: old.map(Provider::told),
        new: new.map(Provider::told),
    };
    audit::append(ctx, conn, writer, vec![entry]).await
}

fn slug_taken() -> Error {
    Error::conflict_field(
        "slug",
        crate::error::say(
            "this tenant has a provider of this slug already",
            "esta organização já tem um provedor com este slug",
        ),
    )
}
