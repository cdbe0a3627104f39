//! `identityProviders`, `identityProviderCreate`, `identityProviderUpdate`, `identityProviderDelete`.

use async_graphql::{Context, ID, InputObject, MaybeUndefined, Object, Result, SimpleObject};
use chrono::{DateTime, Utc};

use super::service::{self, Provider, ProviderChange, ProviderDraft};
use crate::app::App;
use crate::error::Error;
use crate::identity::graphql::{in_language, read_id, somebody};
use crate::identity::single_sign_on::return_to;

#[derive(Default)]
pub struct IdentityProviderQuery;

#[derive(Default)]
pub struct IdentityProviderMutation;

#[Object]
impl IdentityProviderQuery {
    /// The providers through which people of the tenant sign in, by slug.
    async fn identity_providers(&self, context: &Context<'_>) -> Result<Vec<IdentityProvider>> {
        let ctx = somebody(context)?;
        let found = service::list(ctx).await.map_err(in_language(&ctx.origin))?;
        let tenant = &ctx.actor.tenant.slug;
        Ok(found.into_iter().map(|one| IdentityProvider::of(&ctx.app, tenant, one)).collect())
    }
}

#[Object]
impl IdentityProviderMutation {
    /// Lets people of the tenant sign in through a provider of OpenID Connect. Whoever does that
    /// decides who everybody is, and must be allowed everything.
    async fn identity_provider_create(
        &self,
        context: &Context<'_>,
        input: IdentityProviderCreateInput,
    ) -> Result<IdentityProvider> {
        let ctx = somebody(context)?;
        let draft = ProviderDraft {
            slug: input.slug,
            name: input.name,
            issuer: input.issuer,
            client_id: input.client_id,
            scopes: input.scopes,
            email_domains: input.email_domains,
            creates_users: input.creates_users,
            role: input.role,
            is_enabled: input.is_enabled,
        };
        let made = service::create(ctx, draft, input.client_secret).await;
        let made = made.map_err(within_input).map_err(in_language(&ctx.origin))?;
        Ok(IdentityProvider::of(&ctx.app, &ctx.actor.tenant.slug, made))
    }

    /// Changes a provider; what is left out stays. Another issuer needs its own secret: the present
    /// one is forgotten with the old.
    async fn identity_provider_update(
        &self,
        context: &Context<'_>,
        id: ID,
        input: IdentityProviderUpdateInput,
    ) -> Result<IdentityProvider> {
        let ctx = somebody(context)?;
        let change = ProviderChange {
            name: input.name,
            issuer: input.issuer,
            client_id: input.client_id,
            client_secret: nullable(input.client_secret),
            scopes: input.scopes,
            email_domains: input.email_domains,
            creates_users: input.creates_users,
            role: nullable(input.role),
            is_enabled: input.is_enabled,
        };
        let changed = async { service::update(ctx, read_id(&id, "id")?, change).await };
        let changed = changed.await.map_err(|error| match error.field() {
            Some("id") => error,
            _ => within_input(error),
        });
        let changed = changed.map_err(in_language(&ctx.origin))?;
        Ok(IdentityProvider::of(&ctx.app, &ctx.actor.tenant.slug, changed))
    }

    /// Takes a provider away; its people stay, and sign in in another way. Answers its id.
    async fn identity_provider_delete(&self, context: &Context<'_>, id: ID) -> Result<ID> {
        let ctx = somebody(context)?;
        let removed = async { service::remove(ctx, read_id(&id, "id")?).await };
        removed.await.map_err(in_language(&ctx.origin))?;
        Ok(id)
    }
}

/// A provider of OpenID Connect that the tenant trusts. Its client secret is never shown.
#[derive(SimpleObject)]
struct IdentityProvider {
    id: ID,
    /// Its part of addresses.
    slug: String,
    /// What people call it: the text of a button.
    name: String,
    issuer: String,
    client_id: String,
    has_client_secret: bool,
    scopes: Vec<String>,
    /// Domains of the e-mail addresses that may sign in; empty for all.
    email_domains: Vec<String>,
    /// Whether somebody who is not there yet becomes a user at their first sign-in.
    creates_users: bool,
    /// The role of users who are made so.
    role: Option<String>,
    is_enabled: bool,
    /// Where browsers begin to sign in.
    sign_in_url: String,
    /// To be registered at the provider: where it sends browsers back to.
    callback_url: String,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl IdentityProvider {
    fn of(app: &App, tenant: &str, provider: Provider) -> Self {
        let (scopes, email_domains) = (provider.scopes(), provider.email_domains());
        let row = provider.row;
        let sign_in_url = return_to::begin_url(&app.config, tenant, &row.slug);
        Self {
            id: row.id.to_string().into(),
            callback_url: return_to::callback_url(&app.config, tenant, &row.slug),
            sign_in_url,
            slug: row.slug,
            name: row.name,
            issuer: row.issuer,
            client_id: row.client_id,
            has_client_secret: row.client_secret.is_some(),
            scopes,
            email_domains,
            creates_users: row.creates_users,
            role: provider.role,
            is_enabled: row.is_enabled,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

#[derive(InputObject)]
struct IdentityProviderCreateInput {
    /// 2 to 63 characters out of a-z, 0-9 and -; it stays.
    slug: String,
    name: String,
    /// As the provider says it of itself, to the letter: `https://accounts.google.com`.
    issuer: String,
    client_id: String,
    /// Stored sealed and never shown; none for a public client.
    client_secret: Option<String>,
    /// openid, email and profile when empty.
    #[graphql(default)]
    scopes: Vec<String>,
    #[graphql(default)]
    email_domains: Vec<String>,
    #[graphql(default)]
    creates_users: bool,
    role: Option<String>,
    #[graphql(default = true)]
    is_enabled: bool,
}

#[derive(InputObject)]
struct IdentityProviderUpdateInput {
    name: Option<String>,
    issuer: Option<String>,
    client_id: Option<String>,
    /// null for a public client.
    client_secret: MaybeUndefined<String>,
    scopes: Option<Vec<String>>,
    email_domains: Option<Vec<String>>,
    creates_users: Option<bool>,
    role: MaybeUndefined<String>,
    is_enabled: Option<bool>,
}

fn nullable<T>(given: MaybeUndefined<T>) -> Option<Option<T>> {
    match given {
        MaybeUndefined::Undefined => None,
        MaybeUndefined::Null => Some(None),
        MaybeUndefined::Value(value) => Some(Some(value)),
    }
}

fn within_input(error: Error) -> Error {
    match error.field() {
        Some(_) => error.within("input"),
        None => error,
    }
}
