//! `login` and `me`.

use async_graphql::{Context, Object, Result, SimpleObject};
use chrono::{DateTime, Utc};

use super::{session, tenant, user};
use crate::ctx::{Caller, Ctx, Origin};
use crate::error::graphql::to_field_error as field_error;
use crate::error::{Error, Language};

#[derive(Default)]
pub struct IdentityQuery;

#[derive(Default)]
pub struct IdentityMutation;

#[Object]
impl IdentityQuery {
    /// Who is asking and what they may do; null without a credential.
    async fn me(&self, context: &Context<'_>) -> Result<Option<Me>> {
        Ok(match context.data::<Caller>()? {
            Caller::Nobody { .. } => None,
            Caller::Somebody(ctx) => Some(Me { ctx: ctx.clone() }),
        })
    }
}

#[Object]
impl IdentityMutation {
    /// Signs in. Needs no credential; the answer does not say what was wrong.
    async fn login(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The tenant's slug.")] tenant: String,
        email: String,
        password: String,
    ) -> Result<Session> {
        let (app, origin) = match context.data::<Caller>()? {
            Caller::Nobody { app, origin } => (app, origin),
            Caller::Somebody(ctx) => (&ctx.app, &ctx.origin),
        };
        let login = session::service::login(app, &tenant, &email, &password, origin);
        let session = login.await.map_err(in_language(origin))?;
        Ok(Session { access_token: session.access_token, expires_at: session.expires_at })
    }
}

/// What somebody who signed in holds.
#[derive(SimpleObject)]
struct Session {
    /// To be sent as `Authorization: Bearer …`.
    access_token: String,
    expires_at: DateTime<Utc>,
}

/// The caller.
struct Me {
    ctx: Ctx,
}

#[Object]
impl Me {
    async fn user(&self) -> Result<MeUser> {
        let user = user::service::of_caller(&self.ctx).await;
        let user = user.map_err(in_language(&self.ctx.origin))?;
        Ok(MeUser { id: user.id.to_string().into(), full_name: user.full_name, email: user.email })
    }

    async fn tenant(&self) -> Result<MeTenant> {
        let tenant = tenant::service::of_caller(&self.ctx).await;
        let tenant = tenant.map_err(in_language(&self.ctx.origin))?;
        Ok(MeTenant {
            id: tenant.id.to_string().into(),
            slug: tenant.slug,
            name: tenant.name,
            time_zone: tenant.time_zone,
            currency: tenant.currency,
            language: tenant.language,
        })
    }

    /// Names of the caller's roles.
    async fn roles(&self) -> &[String] {
        &self.ctx.actor.role_names
    }

    /// What the roles allow, less what the scopes of an API key leave out.
    async fn permissions(&self) -> Vec<Permission> {
        let granted = self.ctx.actor.permissions.grants();
        granted
            .map(|(resource, action, scope)| Permission {
                resource: resource.as_str(),
                action: action.as_str(),
                scope: scope.as_str(),
            })
            .collect()
    }
}

/// The person or service account behind the caller's credential.
#[derive(SimpleObject)]
struct MeUser {
    id: async_graphql::ID,
    full_name: String,
    email: Option<String>,
}

/// The caller's tenant.
#[derive(SimpleObject)]
struct MeTenant {
    id: async_graphql::ID,
    slug: String,
    name: String,
    /// IANA name.
    time_zone: String,
    /// ISO 4217.
    currency: String,
    language: String,
}

/// One grant: an action on a resource, and how far it reaches (own, team, org_unit, all).
#[derive(SimpleObject)]
struct Permission {
    resource: &'static str,
    action: &'static str,
    scope: &'static str,
}

fn in_language(origin: &Origin) -> impl Fn(Error) -> async_graphql::Error + use<> {
    let language: Language = origin.language;
    move |error| field_error(&error, language)
}
