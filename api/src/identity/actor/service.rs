//! Resolving credentials. Every refusal is the same UNAUTHENTICATED.

use std::net::IpAddr;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use entity::tenant;
use ipnet::IpNet;
use uuid::Uuid;

use super::store::{self, KeyRow, People, RoleRow, TenantRow};
use crate::access::{Actor, Permissions, SystemHandle, TenantProfile};
use crate::app::App;
use crate::ctx::Ctx;
use crate::db::Conn;
use crate::error::{Error, Result};
use crate::identity::api_key::narrowing::{narrowed, networks};
use crate::identity::api_key::text::{self as key_text, KeyText};
use crate::identity::session::token::AccessToken;
use crate::identity::{api_key, digest, role, user};

/// Name of the account that imports act as.
const IMPORTER: &str = "Importação";

/// What a credential was found to mean.
#[derive(Clone)]
pub struct Resolved {
    pub actor: Actor,
    /// When the database was asked.
    pub(crate) read_at: DateTime<Utc>,
    /// When the credential ends by itself.
    pub(crate) valid_until: Option<DateTime<Utc>>,
    /// Where it may be used from; everywhere when `None`.
    networks: Option<Arc<[IpNet]>>,
}

impl Resolved {
    /// Whether the credential may be used from this address. What is remembered is asked again each
    /// time; an unknown address is in no network.
    pub(crate) fn admits(&self, address: Option<IpAddr>) -> bool {
        self.networks.as_ref().is_none_or(|networks| is_within(networks, address))
    }
}

fn is_within(networks: &[IpNet], address: Option<IpAddr>) -> bool {
    let address = address.map(|address| address.to_canonical());
    address.is_some_and(|address| networks.iter().any(|network| network.contains(&address)))
}

/// Who somebody is, before the people around them are known.
struct Identified {
    tenant: TenantProfile,
    user_id: Uuid,
    org_unit_id: Option<Uuid>,
    company_id: Option<Uuid>,
    api_key_id: Option<Uuid>,
    persisted_only: bool,
    errors_as_status: bool,
    session_id: Option<Uuid>,
    role_names: Vec<String>,
    permissions: Permissions,
    valid_until: Option<DateTime<Utc>>,
    networks: Option<Arc<[IpNet]>>,
}

pub(crate) async fn resolve(
    app: &Arc<App>,
    bearer: &str,
    address: Option<IpAddr>,
) -> Result<Resolved> {
    let read_at = app.clock.now();
    if key_text::looks_like_key(bearer) {
        let key = KeyText::parse(bearer).ok_or_else(Error::unauthenticated)?;
        let conn = app.db.single_read().await?;
        let system = SystemHandle::for_tenant(key.tenant_id);
        let found = identify_key(app, &conn, (&key, address), read_at).await?;
        finish(&conn, &system, key.tenant_id, found, read_at).await
    } else {
        let token = app.identity.signer.read(bearer, read_at).ok_or_else(Error::unauthenticated)?;
        let conn = app.db.single_read().await?;
        let system = SystemHandle::for_tenant(token.tenant_id);
        let found = identify_user(&conn, &system, &token, read_at).await?;
        finish(&conn, &system, token.tenant_id, found, read_at).await
    }
}

/// Who imports into a tenant: a service account of its own, which may do everything there.
pub(crate) async fn importer(app: &App, conn: &Conn, tenant: &tenant::Model) -> Result<Actor> {
    let user_id = user::service::service_account(app, conn, tenant.id, IMPORTER).await?;
    operator(tenant, user_id)
}

/// Somebody who works for the operator of the installation, whom no role could forbid anything.
pub(crate) fn operator(tenant: &tenant::Model, user_id: Uuid) -> Result<Actor> {
    let row = TenantRow {
        slug: tenant.slug.clone(),
        time_zone: tenant.time_zone.clone(),
        currency: tenant.currency.clone(),
        language: tenant.language.clone(),
    };
    Ok(Actor {
        tenant_id: tenant.id,
        tenant: Arc::new(profile(row)?),
        user_id,
        api_key_id: None,
        persisted_only: false,
        errors_as_status: false,
        session_id: None,
        role_names: Arc::from([]),
        permissions: Arc::new(Permissions::everything()),
        team: Arc::from([user_id]),
        org_unit_members: Arc::from([user_id]),
        company_id: None,
    })
}

async fn identify_user(
    conn: &Conn,
    system: &SystemHandle,
    token: &AccessToken,
    now: DateTime<Utc>,
) -> Result<Identified> {
    let user = store::user_with_roles(conn, system, (token.user_id, token.session_id), now)
        .await?
        .ok_or_else(Error::unauthenticated)?;
    let session_ends_at = user.session_ends_at;
    let mut permissions = Permissions::default();
    for role in &user.roles {
        permissions = permissions.merge(&read_permissions(role));
    }
    let mut role_names: Vec<String> = user.roles.into_iter().map(|role| role.name).collect();
    role_names.sort_unstable();
    Ok(Identified {
        tenant: profile(user.tenant)?,
        user_id: token.user_id,
        org_unit_id: user.org_unit_id,
        company_id: user.company_id,
        api_key_id: None,
        persisted_only: false,
        errors_as_status: false,
        session_id: Some(token.session_id),
        role_names,
        permissions,
        valid_until: Some(token.accepted_until().min(session_ends_at)),
        networks: None,
    })
}

async fn identify_key(
    app: &Arc<App>,
    conn: &Conn,
    (key, address): (&KeyText, Option<IpAddr>),
    now: DateTime<Utc>,
) -> Result<Identified> {
    let system = SystemHandle::for_tenant(key.tenant_id);
    let row = store::key_with_role(conn, &system, key.key_id).await?;
    let row = row.ok_or_else(Error::unauthenticated)?;
    let valid_until = key_validity(&row, &key.secret_hash(), now)?;
    let networks = networks(key.key_id, &row.allowed_addresses).map(Arc::from);
    let is_used =
        networks.as_ref().is_none_or(|networks: &Arc<[IpNet]>| is_within(networks, address));
    if is_used && api_key::service::use_is_news(row.last_used_at, now) {
        // Beside the request: on SQLite the one writer may be busy for a while.
        app.spawn(api_key::service::record_use(Arc::clone(app), key.tenant_id, key.key_id, now));
    }
    let permissions = read_permissions(&row.role);
    let permissions = narrowed(key.key_id, &permissions, &row.scopes, &row.fields);
    Ok(Identified {
        tenant: profile(row.tenant)?,
        user_id: row.user_id,
        org_unit_id: row.org_unit_id,
        company_id: row.company_id,
        api_key_id: Some(key.key_id),
        persisted_only: row.persisted_only,
        errors_as_status: row.errors_as_status,
        session_id: None,
        role_names: vec![row.role.name],
        permissions,
        valid_until,
        networks,
    })
}

/// Until when this secret opens this key (`None`: no end is set), or UNAUTHENTICATED.
fn key_validity(
    row: &KeyRow,
    secret_hash: &str,
    now: DateTime<Utc>,
) -> Result<Option<DateTime<Utc>>> {
    let is_current = digest::same(&row.secret_hash, secret_hash);
    let is_previous =
        row.previous_secret_hash.as_deref().is_some_and(|hash| digest::same(hash, secret_hash));
    let ends = if is_current {
        row.expires_at
    } else if is_previous {
        let replaced_at = row.previous_expires_at.unwrap_or(now);
        Some(row.expires_at.map_or(replaced_at, |at| at.min(replaced_at)))
    } else {
        return Err(Error::unauthenticated());
    };
    if ends.is_some_and(|at| at <= now) {
        return Err(Error::unauthenticated());
    }
    Ok(ends)
}

/// A zone that this binary does not know fails the request: its days would be somebody else's.
fn profile(row: TenantRow) -> Result<TenantProfile> {
    Ok(TenantProfile {
        slug: row.slug,
        time_zone: row.time_zone.parse().map_err(Error::internal)?,
        currency: row.currency,
        language: row.language,
    })
}

pub(super) fn read_permissions(role: &RoleRow) -> Permissions {
    role::service::rights(&role.name, &role.permissions)
}

/// Everybody of the team and of the org unit of somebody, themselves among them.
pub(crate) async fn around(
    conn: &Conn,
    system: &SystemHandle,
    (user_id, org_unit_id): (Uuid, Option<Uuid>),
    permissions: &Permissions,
) -> Result<(Vec<Uuid>, Vec<Uuid>)> {
    let people = if permissions.speaks_of_people() {
        store::people_around(conn, system, user_id, org_unit_id).await?
    } else {
        People::only(user_id)
    };
    Ok((people.team, people.org_unit_members))
}

/// The caller with the people whom their scopes reach now: for work that outlives its request.
pub async fn as_of_now(ctx: &Ctx, conn: &Conn) -> Result<Ctx> {
    let mut ctx = ctx.clone();
    let actor = &mut ctx.actor;
    if actor.permissions.speaks_of_people() {
        let system = SystemHandle::for_tenant(actor.tenant_id);
        let unit = store::org_unit_of(conn, &system, actor.user_id).await?;
        let people = store::people_around(conn, &system, actor.user_id, unit).await?;
        actor.team = people.team.into();
        actor.org_unit_members = people.org_unit_members.into();
    }
    Ok(ctx)
}

async fn finish(
    conn: &Conn,
    system: &SystemHandle,
    tenant_id: Uuid,
    found: Identified,
    read_at: DateTime<Utc>,
) -> Result<Resolved> {
    let place = (found.user_id, found.org_unit_id);
    let (team, org_unit_members) = around(conn, system, place, &found.permissions).await?;
    let actor = Actor {
        tenant_id,
        tenant: Arc::new(found.tenant),
        user_id: found.user_id,
        api_key_id: found.api_key_id,
        persisted_only: found.persisted_only,
        errors_as_status: found.errors_as_status,
        session_id: found.session_id,
        role_names: found.role_names.into(),
        permissions: Arc::new(found.permissions),
        team: team.into(),
        org_unit_members: org_unit_members.into(),
        company_id: found.company_id,
    };
    let (valid_until, networks) = (found.valid_until, found.networks);
    Ok(Resolved { actor, read_at, valid_until, networks })
}
