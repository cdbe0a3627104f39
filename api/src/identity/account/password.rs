//! Changing one's password, and getting a new one when it is forgotten.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use serde_json::{Value as Json, json};
use uuid::Uuid;

use super::store::{self, Person};
use super::token::TokenText;
use super::trail::{Deed, leave};
use super::{Let, guard, letter, link_refused, new_password, opened};
use crate::access::{Resource, SystemHandle};
use crate::app::App;
use crate::audit::Author;
use crate::ctx::{Ctx, Origin};
use crate::error::{Error, Result, say};
use crate::identity::session::password::Verdict;
use crate::identity::session::service::revoke_all_of;
use crate::identity::user::email;
use crate::limits;
use crate::mail::{self, Queued};
use crate::notice::{self, Kind, Notice};

/// Changes the caller's password; all their other sessions end.
pub(super) async fn change(ctx: &Ctx, current: &str, new: &str) -> Result<()> {
    let app = &ctx.app;
    if ctx.actor.api_key_id.is_some() {
        return Err(Error::forbidden(say(
            "an API key changes nobody's password: sign in",
            "uma chave de API não altera a senha de ninguém: entre com login",
        )));
    }
    let (tenant_id, user_id) = (ctx.tenant_id(), ctx.actor.user_id);
    let system = SystemHandle::for_tenant(tenant_id);
    let attempt = guard::begin_change(app, tenant_id, user_id).await?;
    let person = {
        let conn = app.db.single_read().await?;
        store::person(&conn, &system, user_id).await?.ok_or_else(Error::unauthenticated)?
    };
    let present = person.password_hash.clone();
    if app.identity.passwords.verify(current, present.clone()).await? == Verdict::Wrong {
        attempt.failed(app, Some((tenant_id, user_id)), &ctx.origin);
        return Err(Error::invalid_field(
            "current",
            say("this is not your present password", "esta não é a sua senha atual"),
        ));
    }
    new_password::check(new, (&person.email, &person.tenant_slug), "new")?;
    let hash = app.identity.passwords.hash(new).await?;
    let (clock, now) = (&app.clock, app.clock.now());
    let conn = app.db.transaction().await?;
    if !store::set_password(&conn, &system, user_id, (present.as_deref(), &hash)).await? {
        return Err(Error::conflict(say(
            "the password was changed meanwhile",
            "a senha foi alterada nesse meio-tempo",
        )));
    }
    let ended = revoke_all_of(&conn, &system, clock, user_id, ctx.actor.session_id).await?;
    // Whoever had a link sent before must not undo the change with it.
    store::revoke_open(&conn, &system, (&[user_id], None), now).await?;
    guard::succeeded(&conn, now, attempt).await?;
    let queued = Queued {
        kind: letter::PASSWORD_CHANGED,
        user_id,
        subject_id: None,
        language: ctx.origin.language,
    };
    mail::append(&conn, &system, clock, queued).await?;
    let changed = deed(user_id, ("user.change_password", "password_changed"), ended);
    leave(clock, &conn, &system, Author::of(ctx), changed).await?;
    notice::append(&conn, &system, clock, vec![told(user_id)]).await?;
    conn.commit().await?;
    app.feeds.wake();
    app.identity.forget(app, user_id).await;
    Ok(())
}

/// Sends a link for a new password, where there is such an account. Nobody learns whether there is:
/// the answer is the same, and comes at the same time.
pub(super) async fn request_reset(
    app: &Arc<App>,
    tenant_slug: &str,
    email: &str,
    origin: &Origin,
) -> Result<()> {
    let stopwatch = app.clock.stopwatch();
    let done = send_reset(app, tenant_slug, email, origin).await;
    let answer_after = Duration::from_millis(limits::PASSWORD_RESET_ANSWER_MS);
    tokio::time::sleep(answer_after.saturating_sub(stopwatch.elapsed())).await;
    done
}

async fn send_reset(app: &Arc<App>, tenant_slug: &str, email: &str, origin: &Origin) -> Result<()> {
    let is_allowed = guard::may_reset(app, tenant_slug, email, origin).await?;
    let beside_tenants = SystemHandle::for_tenant(Uuid::nil());
    let found = {
        let conn = app.db.single_read().await?;
        let email = email::folded(email);
        store::person_named(&conn, &beside_tenants, tenant_slug, &email).await?
    };
    // Without a password there is an invitation, or nothing to be let in by.
    let Some(person) = found.filter(|person| is_allowed && person.password_hash.is_some()) else {
        return Ok(());
    };
    let (clock, now) = (&app.clock, app.clock.now());
    let Person { tenant_id, user_id, .. } = person;
    let system = SystemHandle::for_tenant(tenant_id);
    let conn = app.db.transaction().await?;
    let earlier = [user_id];
    store::revoke_open(&conn, &system, (&earlier, Some(letter::PASSWORD_RESET)), now).await?;
    let id = clock.new_id();
    let expires_at = now + TimeDelta::minutes(limits::PASSWORD_RESET_MINUTES);
    let token = letter::new_token(
        (tenant_id, id),
        (letter::PASSWORD_RESET, user_id),
        None,
        (now, expires_at),
    );
    store::insert_token(&conn, &system, token).await?;
    let queued = Queued {
        kind: letter::PASSWORD_RESET,
        user_id,
        subject_id: Some(id),
        language: letter::language_of(&person.tenant_language),
    };
    mail::append(&conn, &system, clock, queued).await?;
    let asked = Deed {
        user_id,
        action: "user.request_password_reset",
        past: "password_reset_requested",
        old: None,
        new: Some(json!({ "expiresAt": expires_at })),
        payload: json!({ "id": user_id }),
    };
    // Anybody can ask.
    let author = Author { user_id: None, api_key_id: None, origin };
    leave(clock, &conn, &system, author, asked).await?;
    conn.commit().await
}

/// Sets a new password by the link of a mail; all sessions of the account end.
pub(super) async fn reset(app: &Arc<App>, token: &str, new: &str, origin: &Origin) -> Result<Let> {
    let token = TokenText::parse(token).ok_or_else(link_refused)?;
    let system = SystemHandle::for_tenant(token.tenant_id);
    let person = opened(app, &token, letter::PASSWORD_RESET).await?;
    new_password::check(new, (&person.email, &person.tenant_slug), "newPassword")?;
    let hash = app.identity.passwords.hash(new).await?;
    let (clock, now, user_id) = (&app.clock, app.clock.now(), person.user_id);
    let conn = app.db.transaction().await?;
    let present = person.password_hash.as_deref();
    if !store::consume(&conn, &system, (token.id, &token.secret_hash()), now).await?
        || !store::set_password(&conn, &system, user_id, (present, &hash)).await?
    {
        return Err(link_refused());
    }
    let ended = revoke_all_of(&conn, &system, clock, user_id, None).await?;
    store::revoke_open(&conn, &system, (&[user_id], None), now).await?;
    let named = (person.tenant_slug.as_str(), person.email.as_str());
    guard::trust(&conn, now, named, origin).await?;
    let queued = Queued {
        kind: letter::PASSWORD_CHANGED,
        user_id,
        subject_id: None,
        language: letter::language_of(&person.tenant_language),
    };
    mail::append(&conn, &system, clock, queued).await?;
    let done = deed(user_id, ("user.reset_password", "password_reset"), ended);
    let author = Author { user_id: Some(user_id), api_key_id: None, origin };
    leave(clock, &conn, &system, author, done).await?;
    notice::append(&conn, &system, clock, vec![told(user_id)]).await?;
    conn.commit().await?;
    app.feeds.wake();
    app.identity.forget(app, user_id).await;
    Ok(Let { tenant: person.tenant_slug, email: person.email })
}

/// The owner of a password that was set is told, whoever it was.
fn told(user_id: Uuid) -> Notice {
    Notice {
        user_id,
        kind: Kind::PasswordChanged,
        actor_id: Some(user_id),
        resource: Resource::Users,
        record_id: user_id,
    }
}

/// A password was set; how many sessions ended with it.
fn deed(user_id: Uuid, (action, past): (&'static str, &'static str), sessions_ended: u64) -> Deed {
    let about: Json = json!({ "sessionsEnded": sessions_ended });
    let payload = json!({ "id": user_id, "sessionsEnded": sessions_ended });
    Deed { user_id, action, past, old: None, new: Some(about), payload }
}
