//! `me`.

use async_graphql::{
    Context, ID, InputValueError, InputValueResult, Object, Result, Scalar, ScalarType,
    SimpleObject, Value,
};
use chrono::{DateTime, SecondsFormat, Utc};
use uuid::Uuid;

use super::{notification, tenant, user};
use crate::ctx::{Caller, Ctx, Origin};
use crate::error::graphql::to_field_error as field_error;
use crate::error::{Error, Language, say};

#[derive(Default)]
pub struct IdentityQuery;

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

    /// How many of the caller's notifications were not read yet.
    async fn unread_notifications(&self) -> Result<i32> {
        let count = notification::service::count(&self.ctx, true).await;
        Ok(i32::try_from(count.map_err(in_language(&self.ctx.origin))?).unwrap_or(i32::MAX))
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
    id: ID,
    full_name: String,
    email: Option<String>,
}

/// The caller's tenant.
#[derive(SimpleObject)]
struct MeTenant {
    id: ID,
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

/// An instant as records show and read theirs: RFC 3339 in UTC with `Z`; also epoch milliseconds.
pub(crate) struct Instant(pub(crate) DateTime<Utc>);

#[Scalar(name = "DateTime", specified_by_url = "https://www.rfc-editor.org/rfc/rfc3339")]
impl ScalarType for Instant {
    fn parse(value: Value) -> InputValueResult<Self> {
        match &value {
            Value::String(text) => Ok(Self(text.parse()?)),
            Value::Number(number) => {
                let at = number.as_i64().and_then(DateTime::from_timestamp_millis);
                at.map(Self).ok_or_else(|| InputValueError::expected_type(value))
            }
            Value::Null
            | Value::Boolean(_)
            | Value::Binary(_)
            | Value::Enum(_)
            | Value::List(_)
            | Value::Object(_) => Err(InputValueError::expected_type(value)),
        }
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.to_rfc3339_opts(SecondsFormat::AutoSi, true))
    }
}

/// The caller of a field that needs somebody.
pub(crate) fn somebody<'c>(context: &'c Context<'_>) -> Result<&'c Ctx> {
    match context.data::<Caller>()? {
        Caller::Somebody(ctx) => Ok(ctx),
        Caller::Nobody { origin, .. } => {
            Err(field_error(&Error::unauthenticated(), origin.language))
        }
    }
}

pub(crate) fn read_id(id: &ID, name: &'static str) -> crate::error::Result<Uuid> {
    Uuid::try_parse(id).map_err(|_not_a_uuid| {
        let message = say("expected an ID (UUID)", "esperava um ID (UUID)");
        Error::invalid_field(name, message)
    })
}

pub(crate) fn in_language(origin: &Origin) -> impl Fn(Error) -> async_graphql::Error + use<> {
    let language: Language = origin.language;
    move |error| field_error(&error, language)
}
