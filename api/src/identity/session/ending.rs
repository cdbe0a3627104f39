//! Seeing one's sessions and ending them.

use std::sync::Arc;

use entity::session;
use serde_json::json;
use uuid::Uuid;

use super::decide::refreshable_until;
use super::service::{Reason, entry, revoke_all_of};
use super::store;
use crate::access::{Action, Resource, SystemHandle, Writer};
use crate::app::App;
use crate::audit::{self, Author};
use crate::ctx::{Ctx, Origin};
use crate::db::Conn;
use crate::error::{Error, Result, say};

/// A session that was ended by its holder.
#[derive(Debug, Clone, Copy)]
pub struct Ended {
    pub tenant_id: Uuid,
    pub session_id: Uuid,
}

/// Ends the session of the caller's access token.
pub async fn logout(ctx: &Ctx) -> Result<Ended> {
    let session_id = ctx.actor.session_id.ok_or_else(no_session)?;
    let system = SystemHandle::for_tenant(ctx.tenant_id());
    let conn = ctx.transaction().await?;
    let ended = (Reason::Logout.as_str(), ctx.now());
    if store::revoke(&conn, &system, session_id, ended).await? {
        let about = json!({ "userId": ctx.actor.user_id });
        let entry = entry("session.logout", session_id, about);
        audit::append(ctx, &conn, &system, vec![entry]).await?;
    }
    conn.commit().await?;
    ctx.app.identity.forget(&ctx.app, session_id).await;
    Ok(Ended { tenant_id: ctx.tenant_id(), session_id })
}

/// Ends the session of a refresh token, for who has no access token any more. What opens nothing is
/// no error: its holder wanted to be signed out, and is.
pub async fn logout_with(app: &Arc<App>, text: &str, origin: &Origin) -> Result<Option<Ended>> {
    let Some(token) = app.identity.refresh.read(text) else { return Ok(None) };
    let system = SystemHandle::for_tenant(token.tenant_id);
    let conn = app.db.transaction().await?;
    let Some(living) = store::refreshable(&conn, &system, token.session_id).await? else {
        return Ok(None);
    };
    let ended = (Reason::Logout.as_str(), app.clock.now());
    if store::revoke(&conn, &system, token.session_id, ended).await? {
        let about = json!({ "userId": living.user_id });
        let entry = entry("session.logout", token.session_id, about);
        let author = Author { user_id: Some(living.user_id), api_key_id: None, origin };
        audit::append_by(&app.clock, &conn, &system, author, vec![entry]).await?;
    }
    conn.commit().await?;
    app.identity.forget(app, token.session_id).await;
    Ok(Some(Ended { tenant_id: token.tenant_id, session_id: token.session_id }))
}

/// The living sessions of somebody, the latest used first: one's own, or, with the right to update
/// users, those of another.
pub async fn list(ctx: &Ctx, user_id: Option<Uuid>) -> Result<Vec<session::Model>> {
    let conn = ctx.snapshot().await?;
    let now = ctx.now();
    let found = match keeper_of(ctx, &conn, user_id).await? {
        Keeper::Oneself(system) => store::living_of(&conn, &system, ctx.actor.user_id, now).await?,
        Keeper::Another(writer, user_id) => store::living_of(&conn, &writer, user_id, now).await?,
    };
    conn.commit().await?;
    let idle = ctx.app.config.identity.session_idle();
    let is_alive = |session: &session::Model| {
        now < refreshable_until(session.last_used_at, session.expires_at, idle)
    };
    Ok(found.into_iter().filter(is_alive).collect())
}

/// Ends one session, one's own or, with the right to update users, another's. Ending it once more
/// changes nothing.
pub async fn revoke(ctx: &Ctx, id: Uuid) -> Result<session::Model> {
    let system = SystemHandle::for_tenant(ctx.tenant_id());
    let conn = ctx.transaction().await?;
    let found = store::by_id(&conn, &system, id).await?;
    let mut found = found.ok_or_else(|| Error::not_found("Session").at("id"))?;
    let is_own = is_own(ctx, Some(found.user_id));
    // Whose it is must not be found out by trying: without the right it is not there.
    let may_end = |writer: Writer| reaches(&writer, found.user_id);
    if !is_own && !ctx.writer(Action::Update, Resource::Users).is_ok_and(may_end) {
        return Err(Error::not_found("Session").at("id"));
    }
    let now = ctx.now();
    if store::revoke(&conn, &system, id, (Reason::Revoked.as_str(), now)).await? {
        let about = json!({ "userId": found.user_id });
        audit::append(ctx, &conn, &system, vec![entry("session.revoke", id, about)]).await?;
        found.revoked_at = Some(now);
    }
    conn.commit().await?;
    ctx.app.identity.forget(&ctx.app, id).await;
    Ok(found)
}

/// Ends all sessions of somebody, oneself or, with the right to update users, another; the
/// caller's own may stay. Returns how many there were.
pub async fn revoke_all(ctx: &Ctx, user_id: Option<Uuid>, except_current: bool) -> Result<u64> {
    let conn = ctx.transaction().await?;
    let except = ctx.actor.session_id.filter(|_| except_current);
    let clock = &ctx.app.clock;
    let (user_id, ended) = match keeper_of(ctx, &conn, user_id).await? {
        Keeper::Oneself(system) => {
            let user_id = ctx.actor.user_id;
            (user_id, revoke_all_of(&conn, &system, clock, user_id, except).await?)
        }
        Keeper::Another(writer, user_id) => {
            (user_id, revoke_all_of(&conn, &writer, clock, user_id, except).await?)
        }
    };
    if ended > 0 {
        let about = json!({ "count": ended, "exceptId": except });
        let system = SystemHandle::for_tenant(ctx.tenant_id());
        let mut entry = entry("session.revoke_all", user_id, about);
        entry.resource = Resource::Users.as_str();
        audit::append(ctx, &conn, &system, vec![entry]).await?;
    }
    conn.commit().await?;
    ctx.app.identity.forget(&ctx.app, user_id).await;
    Ok(ended)
}

/// By what right a caller deals with somebody's sessions.
enum Keeper {
    /// A session is its user's own, whatever their roles allow.
    Oneself(SystemHandle),
    Another(Writer, Uuid),
}

async fn keeper_of(ctx: &Ctx, conn: &Conn, user_id: Option<Uuid>) -> Result<Keeper> {
    if is_own(ctx, user_id) {
        return Ok(Keeper::Oneself(SystemHandle::for_tenant(ctx.tenant_id())));
    }
    let writer = ctx.writer(Action::Update, Resource::Users)?;
    let user_id = user_id.unwrap_or(ctx.actor.user_id);
    let is_there = reaches(&writer, user_id) && store::user_exists(conn, &writer, user_id).await?;
    if is_there {
        return Ok(Keeper::Another(writer, user_id));
    }
    Err(Error::not_found("User").at("userId"))
}

/// An API key has the rights of its role and scopes and no more: the sessions of the account that it
/// acts as are not its own.
fn is_own(ctx: &Ctx, user_id: Option<Uuid>) -> bool {
    ctx.actor.api_key_id.is_none() && user_id.is_none_or(|id| id == ctx.actor.user_id)
}

fn reaches(writer: &Writer, user_id: Uuid) -> bool {
    writer.rows().reaches(Some(user_id), None)
}

fn no_session() -> Error {
    Error::Unsupported {
        message: say(
            "an API key has no session to end; revoke the key",
            "uma chave de API não tem sessão a encerrar; revogue a chave",
        ),
    }
}
