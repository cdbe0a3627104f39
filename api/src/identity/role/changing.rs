//! What callers do with roles.

use entity::role;
use serde_json::{Value as Json, json};
use uuid::Uuid;

use super::ADMIN;
use super::seed::SEEDS;
use super::service::rights;
use super::store::{self, Holders};
use crate::access::{Action, Permissions, Permit, Resource};
use crate::ctx::Ctx;
use crate::db::Conn;
use crate::error::{Error, Result, say};
use crate::identity::gate;
use crate::identity::trail::{self, Deed};
use crate::limits;

const NAME_CHARS_MAX: usize = 50;
const LABEL_CHARS_MAX: usize = 100;
const DESCRIPTION_CHARS_MAX: usize = 255;

/// A role and who has it.
pub(super) struct Held {
    pub(super) role: role::Model,
    pub(super) holders: Holders,
}

/// A role to be.
pub(super) struct NewRole {
    pub(super) name: String,
    pub(super) label: Option<String>,
    pub(super) description: Option<String>,
    pub(super) permissions: Json,
}

/// What is to be changed; what is `None` stays.
pub(super) struct RoleChange {
    pub(super) name: Option<String>,
    pub(super) label: Option<Option<String>>,
    pub(super) description: Option<Option<String>>,
    pub(super) permissions: Option<Json>,
    pub(super) expected_version: Option<i32>,
}

pub(super) fn is_seed(name: &str) -> bool {
    SEEDS.iter().any(|seed| seed.name == name)
}

/// All roles of the caller's tenant, by name.
pub(super) async fn all(ctx: &Ctx) -> Result<Vec<Held>> {
    let reader = gate::reader(ctx, Resource::Roles)?;
    let conn = ctx.snapshot().await?;
    let roles = store::list(&conn, &reader).await?;
    let mut holders = store::holders(&conn, &reader, ctx.now()).await?;
    conn.commit().await?;
    let held = |role: role::Model| {
        let holders = holders.remove(&role.id).unwrap_or_default();
        Held { role, holders }
    };
    Ok(roles.into_iter().map(held).collect())
}

pub(super) async fn create(ctx: &Ctx, new: NewRole) -> Result<Held> {
    let writer = gate::writer(ctx, Action::Create, Resource::Roles)?;
    gate::check_handed_out(ctx, &checked_permissions(ctx, &new.permissions)?)?;
    let now = ctx.now();
    let role = role::Model {
        tenant_id: ctx.tenant_id(),
        id: ctx.app.clock.new_id(),
        name: checked_name(&new.name)?,
        description: checked_text("description", new.description, DESCRIPTION_CHARS_MAX)?,
        label_pt: checked_text("label", new.label, LABEL_CHARS_MAX)?,
        permissions: new.permissions,
        created_at: now,
        updated_at: now,
        version: 1,
    };
    let conn = ctx.transaction().await?;
    let inserted = store::insert_all(&conn, &writer, std::iter::once(role.clone())).await;
    inserted.map_err(|error| taken(error, &role.name))?;
    let deed = Deed {
        action: "role.create",
        event: "role.created",
        resource: Resource::Roles,
        id: role.id,
        old: None,
        new: Some(image(&role)),
    };
    trail::leave(ctx, &conn, &writer, deed).await?;
    conn.commit().await?;
    Ok(Held { role, holders: Holders::default() })
}

pub(super) async fn update(ctx: &Ctx, id: Uuid, change: RoleChange) -> Result<Held> {
    let writer = gate::writer(ctx, Action::Update, Resource::Roles)?;
    let conn = ctx.transaction().await?;
    let old = find(&conn, &writer, id).await?;
    if change.expected_version.is_some_and(|version| version != old.version) {
        return Err(changed_meanwhile());
    }
    let mut new = changed(ctx, &old, change)?;
    if new != old {
        new.version += 1;
        new.updated_at = ctx.now();
        let written = store::update(&conn, &writer, &new, old.version).await;
        if !written.map_err(|error| taken(error, &new.name))? {
            return Err(changed_meanwhile());
        }
        let deed = Deed {
            action: "role.update",
            event: "role.updated",
            resource: Resource::Roles,
            id,
            old: Some(image(&old)),
            new: Some(image(&new)),
        };
        trail::leave(ctx, &conn, &writer, deed).await?;
    }
    let mut holders = store::holders(&conn, &writer, ctx.now()).await?;
    conn.commit().await?;
    ctx.app.identity.forget(&ctx.app, ctx.tenant_id()).await;
    Ok(Held { role: new, holders: holders.remove(&id).unwrap_or_default() })
}

/// The role after the change, or why it cannot be so.
fn changed(ctx: &Ctx, old: &role::Model, change: RoleChange) -> Result<role::Model> {
    // Not even the name of a role of those who have more: people hand it out by that.
    gate::check_handed_out(ctx, &rights(&old.name, &old.permissions))?;
    let mut new = old.clone();
    if let Some(name) = change.name {
        new.name = checked_name(&name)?;
    }
    if new.name != old.name && is_seed(&old.name) {
        return Err(protected("input.name"));
    }
    if let Some(label) = change.label {
        new.label_pt = checked_text("label", label, LABEL_CHARS_MAX)?;
    }
    if let Some(description) = change.description {
        new.description = checked_text("description", description, DESCRIPTION_CHARS_MAX)?;
    }
    if let Some(permissions) = change.permissions
        && permissions != old.permissions
    {
        if old.name == ADMIN {
            return Err(protected("input.permissions"));
        }
        gate::check_handed_out(ctx, &checked_permissions(ctx, &permissions)?)?;
        new.permissions = permissions;
    }
    Ok(new)
}

/// Removes a role that nobody has, with the ended keys that had it.
pub(super) async fn delete(ctx: &Ctx, id: Uuid) -> Result<Uuid> {
    let writer = gate::writer(ctx, Action::Delete, Resource::Roles)?;
    let conn = ctx.transaction().await?;
    let role = find(&conn, &writer, id).await?;
    if is_seed(&role.name) {
        return Err(protected("id"));
    }
    gate::check_handed_out(ctx, &rights(&role.name, &role.permissions))?;
    let holders = store::holders(&conn, &writer, ctx.now()).await?;
    let Holders { users, keys } = holders.get(&id).copied().unwrap_or_default();
    if users > 0 || keys > 0 {
        return Err(still_held(users, keys));
    }
    // Somebody may be given it at this moment: the foreign key then refuses.
    store::delete(&conn, &writer, id).await.map_err(|error| {
        if matches!(error, Error::Conflict { .. }) { still_held(1, 0) } else { error }
    })?;
    let deed = Deed {
        action: "role.delete",
        event: "role.deleted",
        resource: Resource::Roles,
        id,
        old: Some(image(&role)),
        new: None,
    };
    trail::leave(ctx, &conn, &writer, deed).await?;
    conn.commit().await?;
    Ok(id)
}

async fn find(conn: &Conn, permit: &impl Permit, id: Uuid) -> Result<role::Model> {
    let found = store::by_id(conn, permit, id).await?;
    found.ok_or_else(|| Error::not_found("Role").at("id"))
}

fn image(role: &role::Model) -> Json {
    json!({
        "name": role.name,
        "label": role.label_pt,
        "description": role.description,
        "permissions": role.permissions,
    })
}

fn checked_permissions(ctx: &Ctx, json: &Json) -> Result<Permissions> {
    let refuse = |problems: String| {
        Error::invalid_field(
            "input.permissions",
            say(format!("not understood: {problems}"), format!("não entendido: {problems}")),
        )
    };
    if json.to_string().len() > limits::JSON_BYTES_MAX {
        let max = limits::JSON_BYTES_MAX;
        return Err(refuse(format!("more than {max} bytes")));
    }
    let permissions = Permissions::from_json(json).map_err(refuse)?;
    let problems = ctx.app.records.problems(&permissions);
    if problems.is_empty() { Ok(permissions) } else { Err(refuse(problems.join("; "))) }
}

fn checked_name(name: &str) -> Result<String> {
    let plain = |byte: u8| {
        byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'-')
    };
    let begins = name.starts_with(|first: char| first.is_ascii_lowercase());
    if begins && name.len() <= NAME_CHARS_MAX && name.bytes().all(plain) {
        return Ok(name.to_owned());
    }
    Err(Error::invalid_field(
        "input.name",
        say(
            format!("1 to {NAME_CHARS_MAX} characters out of a-z, 0-9, _ and -, a letter first"),
            format!("1 a {NAME_CHARS_MAX} caracteres dentre a-z, 0-9, _ e -, letra primeiro"),
        ),
    ))
}

/// Nothing but spaces is nothing.
fn checked_text(
    field: &'static str,
    text: Option<String>,
    chars_max: usize,
) -> Result<Option<String>> {
    let Some(text) = text else { return Ok(None) };
    let text = text.trim();
    if text.contains('\0') || text.chars().count() > chars_max {
        let message = say(
            format!("at most {chars_max} characters"),
            format!("no máximo {chars_max} caracteres"),
        );
        return Err(Error::invalid_field(format!("input.{field}"), message));
    }
    Ok((!text.is_empty()).then(|| text.to_owned()))
}

fn taken(error: Error, name: &str) -> Error {
    if !matches!(error, Error::Conflict { .. }) {
        return error;
    }
    Error::conflict_field(
        "input.name",
        say(format!("there is a role \"{name}\""), format!("já existe um papel \"{name}\"")),
    )
}

fn protected(field: &'static str) -> Error {
    Error::conflict_field(
        field,
        say(
            "the roles that every tenant begins with stay under their names, and admin keeps its \
             permissions",
            "os papéis com que todo tenant começa mantêm o nome e permanecem, e admin mantém as \
             permissões",
        ),
    )
}

fn changed_meanwhile() -> Error {
    Error::conflict_field(
        "expectedVersion",
        say("the role was changed meanwhile", "o papel foi alterado nesse meio-tempo"),
    )
}

fn still_held(users: i64, keys: i64) -> Error {
    Error::conflict_field(
        "id",
        say(
            format!("still held by users ({users}) and API keys ({keys})"),
            format!("ainda é de usuários ({users}) e chaves de API ({keys})"),
        ),
    )
}
