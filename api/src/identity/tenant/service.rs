//! Making and finding tenants.

use std::sync::Arc;

use chrono_tz::Tz;
use entity::tenant;
use entity::value::Currency;
use serde_json::json;
use uuid::Uuid;

use super::{stages, store};
use crate::access::{Permit, SystemHandle};
use crate::app::App;
use crate::ctx::Ctx;
use crate::db::Conn;
use crate::error::{Error, Result, say};
use crate::identity::role;
use crate::limits;

const LANGUAGES: [&str; 2] = ["pt-BR", "en"];
const SLUG_CHARS_MIN: usize = 2;
const SLUG_CHARS_MAX: usize = 63;

/// What differs from a Brazilian company's usual settings.
#[derive(Debug, Clone, Default)]
pub struct TenantOptions {
    /// IANA name; `America/Sao_Paulo` when absent.
    pub time_zone: Option<String>,
    /// ISO 4217; `BRL` when absent.
    pub currency: Option<String>,
    /// `pt-BR` (when absent) or `en`.
    pub language: Option<String>,
}

/// Makes a tenant with its roles and pipeline stages; CONFLICT when the slug is taken.
pub async fn create(
    app: &Arc<App>,
    slug: &str,
    name: &str,
    options: TenantOptions,
) -> Result<Uuid> {
    let conn = app.db.transaction().await?;
    let id = create_in(app, &conn, slug, name, options).await?;
    conn.commit().await?;
    Ok(id)
}

/// As [`create`], inside a transaction of the caller's.
pub(crate) async fn create_in(
    app: &App,
    conn: &Conn,
    slug: &str,
    name: &str,
    options: TenantOptions,
) -> Result<Uuid> {
    let now = app.clock.now();
    let id = app.clock.new_id();
    let system = SystemHandle::for_tenant(id);
    let tenant = tenant::Model {
        id,
        slug: checked_slug(slug)?,
        name: checked_name(name)?,
        time_zone: checked_zone(options.time_zone)?,
        currency: checked_currency(options.currency)?,
        language: checked_language(options.language)?,
        settings: json!({}),
        created_at: now,
        updated_at: now,
        suspended_at: None,
        purge_at: None,
    };
    if store::by_slug(conn, &system, slug).await?.is_some() {
        return Err(slug_taken(slug));
    }
    match store::insert(conn, &system, tenant).await {
        // Somebody was faster between the question and the insert.
        Err(Error::Conflict { .. }) => return Err(slug_taken(slug)),
        other => other?,
    }
    role::service::seed(conn, &app.clock, id, now).await?;
    store::insert_stages(conn, &system, stages::rows(&app.clock, id, now)).await?;
    Ok(id)
}

pub async fn find_by_slug(app: &Arc<App>, slug: &str) -> Result<Option<tenant::Model>> {
    let conn = app.db.single_read().await?;
    store::by_slug(&conn, &beside_tenants(), slug).await
}

/// As [`find_by_slug`], NOT_FOUND when there is none.
pub async fn named(app: &Arc<App>, slug: &str) -> Result<tenant::Model> {
    find_by_slug(app, slug).await?.ok_or_else(|| Error::not_found("Tenant"))
}

/// The caller's own tenant.
pub async fn of_caller(ctx: &Ctx) -> Result<tenant::Model> {
    let conn = ctx.app.db.single_read().await?;
    let system = SystemHandle::for_tenant(ctx.tenant_id());
    let found = store::by_id(&conn, &system, ctx.tenant_id()).await?;
    found.ok_or_else(Error::unauthenticated)
}

/// A tenant that is known to be there, as this connection sees it.
pub(crate) async fn of_id(conn: &Conn, id: Uuid) -> Result<tenant::Model> {
    let found = store::by_id(conn, &SystemHandle::for_tenant(id), id).await?;
    found.ok_or_else(|| Error::not_found("Tenant"))
}

/// One at a time in a tenant, to the end of the transaction: for rules that look at many rows, which
/// two changes could break together and neither alone.
pub(crate) async fn lock(conn: &Conn, permit: &impl Permit) -> Result<()> {
    store::lock(conn, permit).await
}

/// All tenants of the installation, by slug.
pub async fn list(app: &Arc<App>) -> Result<Vec<tenant::Model>> {
    let conn = app.db.single_read().await?;
    store::list(&conn, &beside_tenants()).await
}

/// Whether the installation has no tenant at all, as this connection sees it.
pub(crate) async fn none_exists(conn: &Conn) -> Result<bool> {
    Ok(store::count(conn, &beside_tenants()).await? == 0)
}

/// For the table of tenants itself, which belongs to none of them.
fn beside_tenants() -> SystemHandle {
    SystemHandle::for_tenant(Uuid::nil())
}

pub(crate) fn checked_slug(slug: &str) -> Result<String> {
    let length_fits = (SLUG_CHARS_MIN..=SLUG_CHARS_MAX).contains(&slug.len());
    let is_plain =
        slug.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    if length_fits && is_plain {
        return Ok(slug.to_owned());
    }
    Err(Error::invalid_field(
        "slug",
        say(
            "a slug has 2 to 63 characters out of a-z, 0-9 and -",
            "um slug tem de 2 a 63 caracteres dentre a-z, 0-9 e -",
        ),
    ))
}

pub(super) fn checked_name(name: &str) -> Result<String> {
    let name = name.trim();
    if (1..=limits::NAME_CHARS_MAX).contains(&name.chars().count()) {
        return Ok(name.to_owned());
    }
    let most = limits::NAME_CHARS_MAX;
    Err(Error::invalid_field(
        "name",
        say(
            format!("a name has 1 to {most} characters"),
            format!("um nome tem de 1 a {most} caracteres"),
        ),
    ))
}

pub(super) fn checked_zone(zone: Option<String>) -> Result<String> {
    let Some(zone) = zone else { return Ok(chrono_tz::America::Sao_Paulo.name().to_owned()) };
    match zone.parse::<Tz>() {
        Ok(known) => Ok(known.name().to_owned()),
        Err(_unknown) => Err(Error::invalid_field(
            "timeZone",
            say(
                format!("unknown time zone \"{zone}\": use an IANA name, as America/Sao_Paulo"),
                format!("fuso desconhecido \"{zone}\": use um nome IANA, como America/Sao_Paulo"),
            ),
        )),
    }
}

pub(super) fn checked_currency(currency: Option<String>) -> Result<String> {
    let Some(currency) = currency else { return Ok(Currency::BRL.as_str().to_owned()) };
    match Currency::parse(&currency) {
        Ok(known) => Ok(known.as_str().to_owned()),
        Err(refusal) => Err(Error::invalid_field("currency", say(refusal.en, refusal.pt))),
    }
}

pub(super) fn checked_language(language: Option<String>) -> Result<String> {
    let language = language.unwrap_or_else(|| "pt-BR".to_owned());
    if LANGUAGES.contains(&language.as_str()) {
        return Ok(language);
    }
    Err(Error::invalid_field(
        "language",
        say("the language is pt-BR or en", "o idioma é pt-BR ou en"),
    ))
}

fn slug_taken(slug: &str) -> Error {
    Error::conflict_field(
        "slug",
        say(format!("the slug \"{slug}\" is taken"), format!("o slug \"{slug}\" já está em uso")),
    )
}
