//! What callers do with keys.

use chrono::TimeDelta;
use serde_json::{Value as Json, json};
use uuid::Uuid;

use super::narrowing::narrowed;
use super::service::{KeyInput, issue};
use super::store::{self, KeySummary};
use super::text::KeyText;
use crate::access::{Action, Permit, Resource, RowRule};
use crate::ctx::Ctx;
use crate::db::Conn;
use crate::error::{Error, Result, say};
use crate::identity::notification::audience;
use crate::identity::trail::{self, Deed};
use crate::identity::{gate, role};
use crate::limits;
use crate::notice::{self, Kind, Notice};

/// A key and its text, for the one time that it is shown.
pub(super) struct Issued {
    pub(super) key: KeySummary,
    pub(super) secret: String,
}

/// The keys that the caller may see, oldest first.
pub(super) async fn all(ctx: &Ctx) -> Result<Vec<KeySummary>> {
    let reader = gate::reader(ctx, Resource::ApiKeys)?;
    let conn = ctx.snapshot().await?;
    let mut keys = store::list(&conn, &reader).await?;
    conn.commit().await?;
    keys.retain(|key| reaches(reader.rows(), key));
    Ok(keys)
}

/// Makes a key that acts as a service account of its own, with no more rights than the caller has.
pub(super) async fn create(ctx: &Ctx, input: KeyInput) -> Result<Issued> {
    let writer = gate::writer(ctx, Action::Create, Resource::ApiKeys)?;
    let conn = ctx.transaction().await?;
    let role = role::service::named(&conn, ctx.tenant_id(), &input.role).await?;
    let rights = role::service::rights(&role.name, &role.permissions);
    let text = KeyText::generate(ctx.tenant_id(), ctx.app.clock.new_id());
    gate::check_handed_out(ctx, &narrowed(text.key_id, &rights, &input.scopes, &input.fields))?;
    let input = KeyInput { user_id: None, created_by: Some(ctx.actor.user_id), ..input };
    issue(&ctx.app, &conn, &text, (role.id, input)).await?;
    let key = find(&conn, &writer, text.key_id).await?;
    let deed = Deed {
        action: "api_key.create",
        event: "api_key.created",
        resource: Resource::ApiKeys,
        id: key.id,
        old: None,
        new: Some(image(&key)),
    };
    trail::leave(ctx, &conn, &writer, deed).await?;
    conn.commit().await?;
    Ok(Issued { key, secret: text.reveal() })
}

/// Gives a key a new secret; the old one opens it for `keep_old_s` seconds more. Whoever is shown
/// the secret has the key's rights: so they must have them already.
pub(super) async fn rotate(ctx: &Ctx, id: Uuid, keep_old_s: i64) -> Result<Issued> {
    let writer = gate::writer(ctx, Action::Update, Resource::ApiKeys)?;
    let overlap = checked_overlap(keep_old_s)?;
    let conn = ctx.transaction().await?;
    let key = found_within(&conn, &writer, writer.rows(), id).await?;
    let role = role::service::named(&conn, ctx.tenant_id(), &key.role).await?;
    let rights = role::service::rights(&role.name, &role.permissions);
    gate::check_handed_out(ctx, &narrowed(key.id, &rights, &key.scopes, &key.fields))?;
    let text = KeyText::generate(ctx.tenant_id(), id);
    let replaced = (ctx.now(), overlap);
    if !store::replace_secret(&conn, &writer, id, text.secret_hash(), replaced).await? {
        return Err(super::service::revoked());
    }
    let deed = Deed {
        action: "api_key.rotate",
        event: "api_key.rotated",
        resource: Resource::ApiKeys,
        id,
        old: None,
        new: Some(json!({ "previousExpiresAt": ctx.now() + overlap })),
    };
    trail::leave(ctx, &conn, &writer, deed).await?;
    let key = find(&conn, &writer, id).await?;
    tell_maker(ctx, &conn, &writer, (&key, Kind::ApiKeyRotated)).await?;
    conn.commit().await?;
    ctx.app.feeds.wake();
    ctx.app.identity.forget(&ctx.app, key.user_id).await;
    Ok(Issued { key, secret: text.reveal() })
}

/// Says what status a key's errors are answered with.
pub(super) async fn set_errors_as_status(
    ctx: &Ctx,
    id: Uuid,
    as_status: bool,
) -> Result<KeySummary> {
    let writer = gate::writer(ctx, Action::Update, Resource::ApiKeys)?;
    let conn = ctx.transaction().await?;
    let before = found_within(&conn, &writer, writer.rows(), id).await?;
    if !store::set_errors_as_status(&conn, &writer, (id, as_status), ctx.now()).await? {
        return Err(super::service::revoked());
    }
    let deed = Deed {
        action: "api_key.update",
        event: "api_key.updated",
        resource: Resource::ApiKeys,
        id,
        old: Some(json!({ "errorsAsStatus": before.errors_as_status })),
        new: Some(json!({ "errorsAsStatus": as_status })),
    };
    trail::leave(ctx, &conn, &writer, deed).await?;
    let key = find(&conn, &writer, id).await?;
    conn.commit().await?;
    ctx.app.identity.forget(&ctx.app, key.user_id).await;
    Ok(key)
}

/// Ends a key for good. Ending it once more changes nothing.
pub(super) async fn revoke(ctx: &Ctx, id: Uuid) -> Result<KeySummary> {
    let writer = gate::writer(ctx, Action::Delete, Resource::ApiKeys)?;
    let conn = ctx.transaction().await?;
    let key = found_within(&conn, &writer, writer.rows(), id).await?;
    if key.revoked_at.is_some() {
        return Ok(key);
    }
    store::revoke(&conn, &writer, id, ctx.now()).await?;
    let deed = Deed {
        action: "api_key.revoke",
        event: "api_key.revoked",
        resource: Resource::ApiKeys,
        id,
        old: Some(image(&key)),
        new: None,
    };
    trail::leave(ctx, &conn, &writer, deed).await?;
    let key = find(&conn, &writer, id).await?;
    tell_maker(ctx, &conn, &writer, (&key, Kind::ApiKeyRevoked)).await?;
    conn.commit().await?;
    ctx.app.feeds.wake();
    ctx.app.identity.forget(&ctx.app, key.user_id).await;
    Ok(key)
}

/// Who made a key hears what another did to it, where they may still see it.
async fn tell_maker(
    ctx: &Ctx,
    conn: &Conn,
    permit: &impl Permit,
    (key, kind): (&KeySummary, Kind),
) -> Result<()> {
    let maker = key.created_by.filter(|maker| *maker != ctx.actor.user_id);
    let Some(maker) = maker else { return Ok(()) };
    let people = audience::people(conn, ctx.tenant_id(), vec![maker]).await?;
    let Some(person) = people.get(&maker) else { return Ok(()) };
    if !person.may_read(conn, Resource::ApiKeys, (maker, None)).await? {
        return Ok(());
    }
    let told = Notice {
        user_id: maker,
        kind,
        actor_id: Some(ctx.actor.user_id),
        resource: Resource::ApiKeys,
        record_id: key.id,
    };
    notice::append(conn, permit, &ctx.app.clock, vec![told]).await
}

/// A key belongs to the account that it acts as, and to who made it.
fn reaches(rows: &RowRule, key: &KeySummary) -> bool {
    rows.reaches(Some(key.user_id), None) || rows.reaches(key.created_by, None)
}

async fn found_within(
    conn: &Conn,
    permit: &impl Permit,
    rows: &RowRule,
    id: Uuid,
) -> Result<KeySummary> {
    let key = find(conn, permit, id).await?;
    if reaches(rows, &key) { Ok(key) } else { Err(not_found()) }
}

/// NOT_FOUND for a key that these rows do not reach.
pub(in crate::identity) async fn check_within(
    conn: &Conn,
    permit: &impl Permit,
    rows: &RowRule,
    id: Uuid,
) -> Result<()> {
    found_within(conn, permit, rows, id).await.map(|_key| ())
}

async fn find(conn: &Conn, permit: &impl Permit, id: Uuid) -> Result<KeySummary> {
    let keys = store::list(conn, permit).await?;
    keys.into_iter().find(|key| key.id == id).ok_or_else(not_found)
}

fn not_found() -> Error {
    Error::not_found("ApiKey").at("id")
}

fn checked_overlap(seconds: i64) -> Result<TimeDelta> {
    let most = limits::KEY_OVERLAP_SECONDS_MAX;
    if (0..=most).contains(&seconds) {
        return Ok(TimeDelta::seconds(seconds));
    }
    Err(Error::invalid_field(
        "keepOldForSeconds",
        say(format!("must be 0 to {most}"), format!("deve ser de 0 a {most}")),
    ))
}

fn image(key: &KeySummary) -> Json {
    json!({
        "name": key.name,
        "prefix": key.prefix,
        "role": key.role,
        "scopes": key.scopes,
        "fields": key.fields,
        "allowedAddresses": key.allowed_addresses,
        "expiresAt": key.expires_at,
        "errorsAsStatus": key.errors_as_status,
    })
}
