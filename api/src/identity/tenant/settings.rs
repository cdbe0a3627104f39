//! The profile and the settings of the caller's tenant.

use entity::tenant;
use serde_json::{Map, Value as Json, json};

use super::service::{checked_currency, checked_language, checked_name, checked_zone};
use super::store;
use crate::access::{Action, Permit, Resource};
use crate::ctx::Ctx;
use crate::db::Conn;
use crate::error::{Error, Result, say};
use crate::identity::gate;
use crate::identity::trail::{self, Deed};

const EVENT_DAYS: &str = "eventRetentionDays";
const AUDIT_DAYS: &str = "auditRetentionDays";
const EVENT_POLICY: &str = "eventPolicy";
const SALES_FROM_WON_DEALS: &str = "salesFromWonDeals";
const DAYS_MIN: i32 = 30;
const DAYS_MAX: i32 = 36_500;

/// Whether events from outside are accepted whose type, or whose version of it, nobody declared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventPolicy {
    Open,
    Strict,
}

impl EventPolicy {
    fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Strict => "strict",
        }
    }
}

/// What a tenant's settings say; what they do not say has its default.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// `None`: events are kept.
    pub event_retention_days: Option<i32>,
    /// `None`: audit entries are kept.
    pub audit_retention_days: Option<i32>,
    pub event_policy: EventPolicy,
    /// A deal that is won registers its sale.
    pub sales_from_won_deals: bool,
}

impl Settings {
    pub fn of(stored: &Json) -> Self {
        let days = |name: &str| {
            stored.get(name).and_then(Json::as_i64).and_then(|days| i32::try_from(days).ok())
        };
        let strict = stored.get(EVENT_POLICY).and_then(Json::as_str) == Some("strict");
        Self {
            event_retention_days: days(EVENT_DAYS),
            audit_retention_days: days(AUDIT_DAYS),
            event_policy: if strict { EventPolicy::Strict } else { EventPolicy::Open },
            sales_from_won_deals: stored.get(SALES_FROM_WON_DEALS).and_then(Json::as_bool)
                == Some(true),
        }
    }
}

/// What is to be changed; what is `None` stays.
#[derive(Default)]
pub(super) struct TenantChange {
    pub(super) name: Option<String>,
    pub(super) time_zone: Option<String>,
    pub(super) currency: Option<String>,
    pub(super) language: Option<String>,
    pub(super) event_retention_days: Option<Option<i32>>,
    pub(super) audit_retention_days: Option<Option<i32>>,
    pub(super) event_policy: Option<EventPolicy>,
    pub(super) sales_from_won_deals: Option<bool>,
}

/// The settings of the permit's tenant, as this transaction sees them.
pub async fn of_tenant(conn: &Conn, permit: &impl Permit) -> Result<Settings> {
    let tenant = store::by_id(conn, permit, permit.tenant_id()).await?;
    Ok(Settings::of(&tenant.ok_or_else(|| Error::internal("a permit of no tenant"))?.settings))
}

/// The caller's tenant, settings and all.
pub(super) async fn own(ctx: &Ctx) -> Result<tenant::Model> {
    let reader = gate::reader(ctx, Resource::Tenants)?;
    let conn = ctx.single_read().await?;
    store::by_id(&conn, &reader, ctx.tenant_id()).await?.ok_or_else(Error::unauthenticated)
}

pub(super) async fn update(ctx: &Ctx, change: TenantChange) -> Result<tenant::Model> {
    let writer = gate::writer(ctx, Action::Update, Resource::Tenants)?;
    let conn = ctx.transaction().await?;
    let old = store::by_id(&conn, &writer, ctx.tenant_id()).await?;
    let old = old.ok_or_else(Error::unauthenticated)?;
    let mut new = changed(&old, change)?;
    if new == old {
        return Ok(old);
    }
    new.updated_at = ctx.now().max(old.updated_at);
    if !store::update(&conn, &writer, &new, &old).await? {
        return Err(Error::conflict(say(
            "the tenant was changed meanwhile",
            "o tenant foi alterado nesse meio-tempo",
        )));
    }
    let deed = Deed {
        action: "tenant.update",
        event: "tenant.updated",
        resource: Resource::Tenants,
        id: new.id,
        old: Some(image(&old)),
        new: Some(image(&new)),
    };
    trail::leave(ctx, &conn, &writer, deed).await?;
    conn.commit().await?;
    Ok(new)
}

fn changed(old: &tenant::Model, change: TenantChange) -> Result<tenant::Model> {
    let mut new = old.clone();
    if let Some(name) = change.name {
        new.name = checked_name(&name)?;
    }
    if change.time_zone.is_some() {
        new.time_zone = checked_zone(change.time_zone)?;
    }
    if change.currency.is_some() {
        new.currency = checked_currency(change.currency)?;
    }
    if change.language.is_some() {
        new.language = checked_language(change.language)?;
    }
    let mut settings = old.settings.as_object().cloned().unwrap_or_default();
    for (name, days) in
        [(EVENT_DAYS, change.event_retention_days), (AUDIT_DAYS, change.audit_retention_days)]
    {
        set_days(&mut settings, name, days)?;
    }
    if let Some(policy) = change.event_policy {
        settings.insert(EVENT_POLICY.to_owned(), policy.as_str().into());
    }
    if let Some(wanted) = change.sales_from_won_deals {
        settings.insert(SALES_FROM_WON_DEALS.to_owned(), wanted.into());
    }
    new.settings = Json::Object(settings);
    Ok(new)
}

fn set_days(
    settings: &mut Map<String, Json>,
    name: &'static str,
    days: Option<Option<i32>>,
) -> Result<()> {
    match days {
        None => {}
        Some(None) => {
            settings.remove(name);
        }
        Some(Some(days)) if (DAYS_MIN..=DAYS_MAX).contains(&days) => {
            settings.insert(name.to_owned(), days.into());
        }
        Some(Some(_)) => {
            let message = say(
                format!("must be {DAYS_MIN} to {DAYS_MAX} days"),
                format!("deve ser de {DAYS_MIN} a {DAYS_MAX} dias"),
            );
            return Err(Error::invalid_field(name, message));
        }
    }
    Ok(())
}

fn image(tenant: &tenant::Model) -> Json {
    json!({
        "name": tenant.name,
        "timeZone": tenant.time_zone,
        "currency": tenant.currency,
        "language": tenant.language,
        "settings": tenant.settings,
    })
}
