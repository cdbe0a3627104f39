//! Who has which roles, and who may say so: nobody hands out, takes away or leads around what allows
//! more than they may do themselves.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use entity::user_role;
use serde_json::json;
use uuid::Uuid;

use super::store::{self, RoleRow};
use crate::access::{Action, Permissions, Permit, Resource};
use crate::audit::{self, Entry};
use crate::clock::Clock;
use crate::ctx::Ctx;
use crate::db::Conn;
use crate::error::{Error, Message, Result, say};
use crate::identity::role::ADMIN;
use crate::identity::user;
use crate::record::change::Session;

/// Gives somebody these roles and no others. Nobody changes their own: whoever may change those of an
/// administrator is one, and stays one.
pub(super) async fn set(session: &mut Session<'_>, user_id: Uuid, names: &[String]) -> Result<()> {
    let ctx = session.ctx();
    session.lock(user::record::record(), Action::Update, user_id, None).await?;
    if user_id == ctx.actor.user_id {
        return Err(Error::forbidden(say(
            "nobody changes their own roles",
            "ninguém altera os próprios papéis",
        )));
    }
    let conn = session.conn();
    let writer = ctx.writer(Action::Update, Resource::Users)?;
    let roles = store::roles(conn, &writer).await?;
    let held: Vec<Uuid> =
        store::grants(conn, &writer, &[user_id]).await?.into_iter().map(|(_, role)| role).collect();
    let present: Vec<&RoleRow> = roles.iter().filter(|role| held.contains(&role.id)).collect();
    check_covered(ctx, &present, "userId", above())?;
    let wanted = named(&roles, names)?;
    check_covered(ctx, &wanted, "roles", too_much())?;

    let gone: Vec<Uuid> =
        held.iter().copied().filter(|id| wanted.iter().all(|role| role.id != *id)).collect();
    let new: Vec<&RoleRow> =
        wanted.iter().copied().filter(|role| !held.contains(&role.id)).collect();
    if gone.is_empty() && new.is_empty() {
        return Ok(());
    }
    store::remove_grants(conn, &writer, user_id, &gone).await?;
    if roles.iter().any(|role| role.name == ADMIN && gone.contains(&role.id)) {
        let kept = user::standing::keep_an_admin(conn, &writer).await;
        kept.map_err(|error| error.at("roles"))?;
    }
    grant(ctx, conn, &writer, user_id, &new).await?;
    let entry = Entry {
        action: "user.set_roles".to_owned(),
        resource: Resource::Users.as_str(),
        resource_id: user_id,
        old: Some(json!({ "roles": names_of(&present) })),
        new: Some(json!({ "roles": names_of(&wanted) })),
    };
    audit::append(ctx, conn, &writer, vec![entry]).await?;
    let payload = json!({ "id": user_id, "roles": names_of(&wanted) });
    session.tell(user::record::record(), user_id, "roles_changed", payload);
    Ok(())
}

/// Gives a new user their first roles; returns the names of them.
pub(super) async fn give(
    ctx: &Ctx,
    conn: &Conn,
    permit: &impl Permit,
    (user_id, names): (Uuid, &[String]),
) -> Result<Vec<String>> {
    let roles = store::roles(conn, permit).await?;
    let wanted = named(&roles, names)?;
    check_covered(ctx, &wanted, "roles", too_much())?;
    grant(ctx, conn, permit, user_id, &wanted).await?;
    Ok(names_of(&wanted))
}

/// Refuses deeds on the accounts of people who may do more than the caller.
pub(crate) async fn check_not_above(
    ctx: &Ctx,
    conn: &Conn,
    permit: &impl Permit,
    user_ids: &[Uuid],
    field: &'static str,
) -> Result<()> {
    let mut others: Vec<Uuid> =
        user_ids.iter().copied().filter(|id| *id != ctx.actor.user_id).collect();
    others.sort_unstable();
    others.dedup();
    let grants = store::grants(conn, permit, &others).await?;
    if grants.is_empty() {
        return Ok(());
    }
    let roles: HashMap<Uuid, RoleRow> =
        store::roles(conn, permit).await?.into_iter().map(|role| (role.id, role)).collect();
    let held: Vec<&RoleRow> = grants.iter().filter_map(|(_, role)| roles.get(role)).collect();
    check_covered(ctx, &held, field, above())
}

/// The roles of these names, each once, or INVALID with the names there are.
fn named<'r>(roles: &'r [RoleRow], names: &[String]) -> Result<Vec<&'r RoleRow>> {
    let mut found: Vec<&RoleRow> = Vec::with_capacity(names.len());
    for name in names {
        let Some(role) = roles.iter().find(|role| role.name == *name) else {
            let known: Vec<&str> = roles.iter().map(|role| role.name.as_str()).collect();
            let known = known.join(", ");
            return Err(Error::invalid_field(
                "roles",
                say(
                    format!("unknown role \"{name}\"; there are: {known}"),
                    format!("papel desconhecido \"{name}\"; existem: {known}"),
                ),
            ));
        };
        if found.iter().all(|known| known.id != role.id) {
            found.push(role);
        }
    }
    Ok(found)
}

/// FORBIDDEN where one of the roles allows what the caller's credential does not.
fn check_covered(
    ctx: &Ctx,
    roles: &[&RoleRow],
    field: &'static str,
    refusal: Message,
) -> Result<()> {
    let own = &ctx.actor.permissions;
    let covered = roles.iter().all(|role| {
        let (permissions, _) = Permissions::from_stored(&role.permissions);
        own.lacks(&permissions).is_empty()
    });
    if covered { Ok(()) } else { Err(Error::forbidden(refusal).at(field)) }
}

async fn grant(
    ctx: &Ctx,
    conn: &Conn,
    permit: &impl Permit,
    user_id: Uuid,
    roles: &[&RoleRow],
) -> Result<()> {
    let (clock, now): (&Clock, DateTime<Utc>) = (&ctx.app.clock, ctx.now());
    let grants = roles.iter().map(|role| user_role::Model {
        tenant_id: ctx.tenant_id(),
        id: clock.new_id(),
        user_id,
        role_id: role.id,
        granted_by: Some(ctx.actor.user_id),
        granted_at: now,
    });
    store::insert_grants(conn, permit, grants.collect()).await
}

fn names_of(roles: &[&RoleRow]) -> Vec<String> {
    roles.iter().map(|role| role.name.clone()).collect()
}

fn too_much() -> Message {
    say(
        "a role among them allows more than you may do yourself",
        "um dos papéis permite mais do que você mesmo pode fazer",
    )
}

fn above() -> Message {
    say("this person may do more than you", "esta pessoa pode fazer mais do que você")
}
