//! `tenant` and `tenantUpdate`.

use async_graphql::{Context, Enum, ID, InputObject, MaybeUndefined, Object, Result, SimpleObject};
use entity::tenant;

use super::settings::{self, EventPolicy, Settings, TenantChange};
use crate::error::Error;
use crate::identity::graphql::{Instant, in_language, somebody};

#[derive(Default)]
pub struct TenantQuery;

#[derive(Default)]
pub struct TenantMutation;

#[Object]
impl TenantQuery {
    /// The caller's tenant with its settings.
    async fn tenant(&self, context: &Context<'_>) -> Result<Tenant> {
        let ctx = somebody(context)?;
        let found = settings::own(ctx).await.map_err(in_language(&ctx.origin))?;
        Ok(Tenant::of(found))
    }
}

#[Object]
impl TenantMutation {
    /// Changes the caller's tenant; what is left out stays. It holds for everybody within a second.
    async fn tenant_update(
        &self,
        context: &Context<'_>,
        input: TenantUpdateInput,
    ) -> Result<Tenant> {
        let ctx = somebody(context)?;
        let days = |days: MaybeUndefined<i32>| match days {
            MaybeUndefined::Undefined => None,
            MaybeUndefined::Null => Some(None),
            MaybeUndefined::Value(days) => Some(Some(days)),
        };
        let change = TenantChange {
            name: input.name,
            time_zone: input.time_zone,
            currency: input.currency,
            language: input.language,
            event_retention_days: days(input.event_retention_days),
            audit_retention_days: days(input.audit_retention_days),
            event_policy: input.event_policy.map(EventPolicy::from),
            sales_from_won_deals: input.sales_from_won_deals,
        };
        let within_input = |error: Error| match error.field() {
            Some(_) => error.within("input"),
            None => error,
        };
        let updated = settings::update(ctx, change).await.map_err(within_input);
        Ok(Tenant::of(updated.map_err(in_language(&ctx.origin))?))
    }
}

/// Whether events from outside are let in whose type nobody declared.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(name = "EventPolicy")]
enum Policy {
    /// Types and versions without a schema are let in as they are.
    Open,
    /// Types and versions without a schema are kept apart: unknown_type, unknown_version.
    Strict,
}

impl From<Policy> for EventPolicy {
    fn from(policy: Policy) -> Self {
        match policy {
            Policy::Open => Self::Open,
            Policy::Strict => Self::Strict,
        }
    }
}

impl From<EventPolicy> for Policy {
    fn from(policy: EventPolicy) -> Self {
        match policy {
            EventPolicy::Open => Self::Open,
            EventPolicy::Strict => Self::Strict,
        }
    }
}

/// A customer of this installation.
#[derive(SimpleObject)]
struct Tenant {
    id: ID,
    slug: String,
    name: String,
    /// IANA name; calendar days and months are this zone's.
    time_zone: String,
    /// ISO 4217; the currency of amounts that name none.
    currency: String,
    /// `pt-BR` or `en`.
    language: String,
    /// Days that raw events are kept; null for always.
    event_retention_days: Option<i32>,
    /// Days that audit entries are kept; null for always.
    audit_retention_days: Option<i32>,
    event_policy: Policy,
    /// A deal that is won registers its sale; one that is lost or opened again cancels it.
    sales_from_won_deals: bool,
    created_at: Instant,
    updated_at: Instant,
}

impl Tenant {
    fn of(tenant: tenant::Model) -> Self {
        let settings = Settings::of(&tenant.settings);
        Self {
            id: tenant.id.to_string().into(),
            slug: tenant.slug,
            name: tenant.name,
            time_zone: tenant.time_zone,
            currency: tenant.currency,
            language: tenant.language,
            event_retention_days: settings.event_retention_days,
            audit_retention_days: settings.audit_retention_days,
            event_policy: settings.event_policy.into(),
            sales_from_won_deals: settings.sales_from_won_deals,
            created_at: Instant(tenant.created_at),
            updated_at: Instant(tenant.updated_at),
        }
    }
}

#[derive(InputObject)]
struct TenantUpdateInput {
    name: Option<String>,
    /// IANA name, as `America/Sao_Paulo`.
    time_zone: Option<String>,
    /// ISO 4217. Amounts that are there keep theirs.
    currency: Option<String>,
    /// `pt-BR` or `en`.
    language: Option<String>,
    /// 30 days at least; null keeps them always.
    event_retention_days: MaybeUndefined<i32>,
    /// 30 days at least; null keeps them always.
    audit_retention_days: MaybeUndefined<i32>,
    event_policy: Option<Policy>,
    /// Deals that are won from then on register their sales.
    sales_from_won_deals: Option<bool>,
}
