//! `apiKeys`, `apiKeyCreate`, `apiKeyRotate`, `apiKeySetErrorsAsStatus`, `apiKeyRevoke`.

use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};

use super::issuing::{self, Issued};
use super::service::KeyInput;
use super::store::KeySummary;
use crate::error::Error;
use crate::identity::graphql::{Instant, in_language, read_id, somebody};
use crate::limits;

#[derive(Default)]
pub struct ApiKeyQuery;

#[derive(Default)]
pub struct ApiKeyMutation;

#[Object]
impl ApiKeyQuery {
    /// The API keys of the tenant, oldest first, ended ones too.
    async fn api_keys(&self, context: &Context<'_>) -> Result<Vec<ApiKey>> {
        let ctx = somebody(context)?;
        let keys = issuing::all(ctx).await.map_err(in_language(&ctx.origin))?;
        Ok(keys.into_iter().map(ApiKey::of).collect())
    }
}

#[Object]
impl ApiKeyMutation {
    /// Makes a key with a service account of its own. Its secret is shown this once. A key may do
    /// no more than its maker.
    async fn api_key_create(
        &self,
        context: &Context<'_>,
        input: ApiKeyCreateInput,
    ) -> Result<ApiKeySecret> {
        let ctx = somebody(context)?;
        let input = KeyInput {
            role: input.role,
            name: input.name,
            scopes: input.scopes,
            fields: input.fields,
            allowed_addresses: input.allowed_addresses,
            expires_at: input.expires_at.map(|at| at.0),
            errors_as_status: input.errors_as_status,
            ..KeyInput::default()
        };
        let within_input = |error: Error| match error.field() {
            Some(_) => error.within("input"),
            None => error,
        };
        let issued = issuing::create(ctx, input).await.map_err(within_input);
        Ok(ApiKeySecret::of(issued.map_err(in_language(&ctx.origin))?))
    }

    /// Gives a key a new secret, shown this once; the old one works on for a while.
    async fn api_key_rotate(
        &self,
        context: &Context<'_>,
        id: ID,
        #[graphql(desc = "Seconds that the old secret still works: a day, 30 days at most.")]
        keep_old_for_seconds: Option<i64>,
    ) -> Result<ApiKeySecret> {
        let ctx = somebody(context)?;
        let keep_old_s = keep_old_for_seconds.unwrap_or(limits::KEY_OVERLAP_SECONDS);
        let issued = async { issuing::rotate(ctx, read_id(&id, "id")?, keep_old_s).await };
        Ok(ApiKeySecret::of(issued.await.map_err(in_language(&ctx.origin))?))
    }

    /// Lets answers with errors have the status of an error, for programs that look at nothing else,
    /// or lets them have 200 again.
    async fn api_key_set_errors_as_status(
        &self,
        context: &Context<'_>,
        id: ID,
        errors_as_status: bool,
    ) -> Result<ApiKey> {
        let ctx = somebody(context)?;
        let changed = async {
            issuing::set_errors_as_status(ctx, read_id(&id, "id")?, errors_as_status).await
        };
        Ok(ApiKey::of(changed.await.map_err(in_language(&ctx.origin))?))
    }

    /// Ends a key for good, within a second on every node.
    async fn api_key_revoke(&self, context: &Context<'_>, id: ID) -> Result<ApiKey> {
        let ctx = somebody(context)?;
        let revoked = async { issuing::revoke(ctx, read_id(&id, "id")?).await };
        Ok(ApiKey::of(revoked.await.map_err(in_language(&ctx.origin))?))
    }
}

/// A credential of a program, without its secret.
#[derive(SimpleObject)]
struct ApiKey {
    id: ID,
    name: String,
    /// How the key begins, to know it by.
    prefix: String,
    /// The role that it acts with.
    role: String,
    /// What it may do of its role (`leads:read`); empty for all.
    scopes: Vec<String>,
    /// What it may read of that (`leads.name`, `leads.*`), beside ids; empty for all.
    fields: Vec<String>,
    /// Networks that it may be used from (`10.0.0.0/8`); empty for everywhere.
    allowed_addresses: Vec<String>,
    /// The account that it acts as.
    user_id: ID,
    /// Who made it; null for the operator.
    creator_id: Option<ID>,
    created_at: Instant,
    expires_at: Option<Instant>,
    /// Until when the secret before the present one works.
    previous_expires_at: Option<Instant>,
    revoked_at: Option<Instant>,
    /// To the minute.
    last_used_at: Option<Instant>,
    /// An answer with errors has the status of an error (4xx, 5xx) instead of 200.
    errors_as_status: bool,
}

impl ApiKey {
    fn of(key: KeySummary) -> Self {
        Self {
            id: key.id.to_string().into(),
            name: key.name,
            prefix: key.prefix,
            role: key.role,
            scopes: key.scopes,
            fields: key.fields,
            allowed_addresses: key.allowed_addresses,
            user_id: key.user_id.to_string().into(),
            creator_id: key.created_by.map(|id| id.to_string().into()),
            created_at: Instant(key.created_at),
            expires_at: key.expires_at.map(Instant),
            previous_expires_at: key.previous_expires_at.map(Instant),
            revoked_at: key.revoked_at.map(Instant),
            last_used_at: key.last_used_at.map(Instant),
            errors_as_status: key.errors_as_status,
        }
    }
}

/// A key and its text.
#[derive(SimpleObject)]
struct ApiKeySecret {
    api_key: ApiKey,
    /// To be sent as `Authorization: Bearer …`; it is kept nowhere and shown this once.
    secret: String,
}

impl ApiKeySecret {
    fn of(issued: Issued) -> Self {
        Self { api_key: ApiKey::of(issued.key), secret: issued.secret }
    }
}

#[derive(InputObject)]
struct ApiKeyCreateInput {
    /// What the key is for.
    name: String,
    /// Name of the role that it acts with.
    role: String,
    /// Leave only these of the role's actions, as in `leads:read`.
    #[graphql(default)]
    scopes: Vec<String>,
    /// Leave only these fields to be read, as in `leads.name` or `leads.*`.
    #[graphql(default)]
    fields: Vec<String>,
    /// Networks that it may be used from, as in `10.0.0.0/8`.
    #[graphql(default)]
    allowed_addresses: Vec<String>,
    expires_at: Option<Instant>,
    /// Answers with errors have the status of an error, for programs that look at nothing else.
    #[graphql(default)]
    errors_as_status: bool,
}
