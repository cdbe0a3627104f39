//! Making users.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use entity::value::{fold, search_text};
use entity::{user, user_role};
use uuid::Uuid;

use super::{email, store};
use crate::access::SystemHandle;
use crate::app::App;
use crate::ctx::Ctx;
use crate::db::Conn;
use crate::error::{Error, Result, say};
use crate::identity::account::new_password;
use crate::identity::role;
use crate::limits;

/// A new user.
#[derive(Clone, Default)]
pub struct UserInput {
    pub email: Option<String>,
    pub full_name: String,
    /// Without one the user cannot sign in.
    pub password: Option<String>,
    /// Names of roles.
    pub roles: Vec<String>,
    pub manager_id: Option<Uuid>,
    pub org_unit_id: Option<Uuid>,
}

/// A user about to be written: checked, with the password hashed already.
pub(crate) struct Draft {
    pub(crate) email: Option<String>,
    pub(crate) full_name: String,
    pub(crate) password_hash: Option<String>,
    pub(crate) is_service: bool,
    pub(crate) roles: Vec<String>,
    pub(crate) manager_id: Option<Uuid>,
    pub(crate) org_unit_id: Option<Uuid>,
}

/// Makes a user; CONFLICT when the e-mail address is taken in this tenant.
pub async fn create(app: &Arc<App>, tenant_id: Uuid, input: UserInput) -> Result<Uuid> {
    // Hashed before the transaction: SQLite's one writer must not wait for it.
    let draft = prepare(app, input).await?;
    let conn = app.db.transaction().await?;
    let id = create_in(app, &conn, tenant_id, draft).await?;
    conn.commit().await?;
    Ok(id)
}

/// Checks a new user and hashes the password.
pub(crate) async fn prepare(app: &App, input: UserInput) -> Result<Draft> {
    let password_hash = match &input.password {
        Some(password) => {
            let email = input.email.as_deref().unwrap_or_default();
            new_password::check(password, (email, ""), "password")?;
            Some(app.identity.passwords.hash(password).await?)
        }
        None => None,
    };
    Ok(Draft {
        email: input.email.as_deref().map(email::checked).transpose()?,
        full_name: checked_name(&input.full_name, "fullName")?,
        password_hash,
        is_service: false,
        roles: input.roles,
        manager_id: input.manager_id,
        org_unit_id: input.org_unit_id,
    })
}

/// Writes a user, inside a transaction of the caller's.
pub(crate) async fn create_in(
    app: &App,
    conn: &Conn,
    tenant_id: Uuid,
    draft: Draft,
) -> Result<Uuid> {
    let now = app.clock.now();
    let system = SystemHandle::for_tenant(tenant_id);
    let id = app.clock.new_id();
    if let Some(email) = &draft.email
        && store::email_exists(conn, &system, email).await?
    {
        return Err(email_taken());
    }
    check_place(conn, &system, &draft).await?;
    let mut grants = Vec::with_capacity(draft.roles.len());
    for name in &draft.roles {
        let role_id = role::service::id_of(conn, tenant_id, name).await?;
        let grant_id = app.clock.new_id();
        grants.push(grant((tenant_id, grant_id), id, role_id, now));
    }
    match store::insert(conn, &system, row(tenant_id, id, draft, now)).await {
        // Somebody was faster between the question and the insert.
        Err(Error::Conflict { .. }) => return Err(email_taken()),
        other => other?,
    }
    store::insert_grants(conn, &system, grants).await?;
    Ok(id)
}

/// An account for a program, that can never sign in with a password.
pub(crate) async fn create_service_account(
    app: &App,
    conn: &Conn,
    tenant_id: Uuid,
    name: &str,
) -> Result<Uuid> {
    let draft = Draft {
        email: None,
        full_name: checked_name(name, "fullName")?,
        password_hash: None,
        is_service: true,
        roles: Vec::new(),
        manager_id: None,
        org_unit_id: None,
    };
    create_in(app, conn, tenant_id, draft).await
}

/// The service account of this name, made where there is none.
pub(crate) async fn service_account(
    app: &App,
    conn: &Conn,
    tenant_id: Uuid,
    name: &str,
) -> Result<Uuid> {
    let system = SystemHandle::for_tenant(tenant_id);
    match store::service_account(conn, &system, name).await? {
        Some(known) => Ok(known.id),
        None => create_service_account(app, conn, tenant_id, name).await,
    }
}

/// Gives somebody who is there a role and, where one is given, a password.
pub(crate) async fn admit(
    app: &App,
    conn: &Conn,
    (tenant_id, user_id): (Uuid, Uuid),
    role: &str,
    password_hash: Option<&str>,
) -> Result<()> {
    let system = SystemHandle::for_tenant(tenant_id);
    let role_id = role::service::id_of(conn, tenant_id, role).await?;
    let row = grant((tenant_id, app.clock.new_id()), user_id, role_id, app.clock.now());
    store::insert_grants(conn, &system, vec![row]).await?;
    match password_hash {
        Some(hash) => store::set_password(conn, &system, user_id, hash).await,
        None => Ok(()),
    }
}

/// The caller's own row.
pub async fn of_caller(ctx: &Ctx) -> Result<user::Model> {
    let conn = ctx.app.db.single_read().await?;
    let system = SystemHandle::for_tenant(ctx.tenant_id());
    let found = store::by_id(&conn, &system, ctx.actor.user_id).await?;
    found.ok_or_else(Error::unauthenticated)
}

/// Manager and org unit must be living rows of the same tenant.
async fn check_place(conn: &Conn, system: &SystemHandle, draft: &Draft) -> Result<()> {
    if let Some(manager_id) = draft.manager_id {
        let manager = store::by_id(conn, system, manager_id).await?;
        if manager.is_none_or(|manager| manager.deleted_at.is_some()) {
            return Err(Error::not_found("User").at("managerId"));
        }
    }
    if let Some(org_unit_id) = draft.org_unit_id
        && !store::org_unit_lives(conn, system, org_unit_id).await?
    {
        return Err(Error::not_found("OrgUnit").at("orgUnitId"));
    }
    Ok(())
}

fn row(tenant_id: Uuid, id: Uuid, draft: Draft, now: DateTime<Utc>) -> user::Model {
    // Not the e-mail: who may not read it must not find out by searching.
    let search_text = search_text(&[&draft.full_name]);
    user::Model {
        tenant_id,
        id,
        email: draft.email,
        password_hash: draft.password_hash,
        full_name_folded: fold(&draft.full_name),
        full_name: draft.full_name,
        phone: None,
        avatar_url: None,
        is_active: true,
        is_verified: false,
        is_service: draft.is_service,
        last_login_at: None,
        manager_id: draft.manager_id,
        org_unit_id: draft.org_unit_id,
        company_id: None,
        external_system: None,
        external_id: None,
        created_at: now,
        updated_at: now,
        deleted_at: None,
        created_by: None,
        version: 1,
        search_text,
    }
}

fn grant(
    (tenant_id, id): (Uuid, Uuid),
    user_id: Uuid,
    role_id: Uuid,
    granted_at: DateTime<Utc>,
) -> user_role::Model {
    user_role::Model { tenant_id, id, user_id, role_id, granted_by: None, granted_at }
}

/// A name as it is stored. `field` is the argument it came in.
pub(crate) fn checked_name(name: &str, field: &'static str) -> Result<String> {
    let name = name.trim();
    if (1..=limits::NAME_CHARS_MAX).contains(&name.chars().count()) {
        return Ok(name.to_owned());
    }
    let most = limits::NAME_CHARS_MAX;
    Err(Error::invalid_field(
        field,
        say(
            format!("a name has 1 to {most} characters"),
            format!("um nome tem de 1 a {most} caracteres"),
        ),
    ))
}

fn email_taken() -> Error {
    Error::conflict_field(
        "email",
        say(
            "somebody in this tenant has this e-mail address already",
            "alguém nesta organização já tem este e-mail",
        ),
    )
}
