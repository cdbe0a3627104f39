//! Invitations: an administrator names a person and their roles, a mail goes out, and whoever opens
//! its link chooses a password.

use std::sync::Arc;

use async_graphql_value::{ConstValue, Name, indexmap::IndexMap};
use chrono::TimeDelta;
use entity::value::{fold, search_text};
use serde_json::json;
use uuid::Uuid;

use super::store::{self, Person};
use super::token::TokenText;
use super::trail::{Deed, leave};
use super::{Let, guard, letter, link_refused, new_password, opened, roles};
use crate::access::{Action, Permit as _, Reader, Resource, SystemHandle, Writer};
use crate::app::App;
use crate::audit::{self, Author, Entry};
use crate::clock::Clock;
use crate::ctx::Origin;
use crate::db::Conn;
use crate::error::{Error, Language, Result, say};
use crate::identity::notification::audience;
use crate::identity::user;
use crate::limits;
use crate::mail::{self, Queued};
use crate::notice::{self, Kind, Notice};
use crate::record::Record;
use crate::record::change::Session;
use crate::record::change::input::{self as draft, Purpose};

const LANGUAGES: [&str; 2] = ["pt-BR", "en"];

/// Who is to be invited.
pub(super) struct Invitation {
    /// `email`, `fullName`, `orgUnitId` and `managerId`, as the record's own input has them.
    pub(super) user: IndexMap<Name, ConstValue>,
    pub(super) roles: Vec<String>,
    /// Of the mail; the tenant's when absent.
    pub(super) language: Option<String>,
}

/// Makes a user who cannot sign in yet and sends them an invitation.
pub(super) async fn invite(session: &mut Session<'_>, invitation: Invitation) -> Result<Uuid> {
    let ctx = session.ctx();
    let language = language(invitation.language.as_deref(), &ctx.actor.tenant.language)?;
    let writer = ctx.writer(Action::Create, Resource::Users)?;
    let grant = |other: &'static Record| -> Result<Reader> { ctx.reader(other.resource) };
    let given = ConstValue::Object(invitation.user);
    let draft = draft::read(&grant, user::record::record(), &given, Purpose::Create)?;
    let user_id = draft.create(session).await?;
    let named = (user_id, invitation.roles.as_slice());
    let roles = roles::give(ctx, session.conn(), &writer, named).await?;
    send(session, &writer, (user_id, language), Some(roles)).await?;
    Ok(user_id)
}

/// Sends somebody who has no password yet another invitation; the ones before end.
pub(super) async fn resend(
    session: &mut Session<'_>,
    user_id: Uuid,
    language_tag: Option<&str>,
) -> Result<()> {
    let ctx = session.ctx();
    let writer = ctx.writer(Action::Update, Resource::Users)?;
    session.lock(user::record::record(), Action::Update, user_id, None).await?;
    let person = store::person(session.conn(), &writer, user_id).await?;
    match person {
        Some(Person { password_hash: None, .. }) => {}
        Some(_) => {
            return Err(Error::conflict(say(
                "this person has a password already: no invitation is needed",
                "esta pessoa já tem senha: não é preciso convite",
            )));
        }
        None => {
            return Err(Error::conflict(say(
                "only active people with an e-mail address are invited",
                "só pessoas ativas e com e-mail são convidadas",
            )));
        }
    }
    let last = store::latest_token(session.conn(), &writer, user_id, letter::INVITATION).await?;
    if let Some(last) = last {
        let again_at = last.created_at + TimeDelta::seconds(limits::INVITATION_AGAIN_SECONDS);
        let left_s = (again_at - ctx.now()).num_seconds();
        if let Some(retry_after_s) = u64::try_from(left_s).ok().filter(|left| *left > 0) {
            return Err(Error::RateLimited {
                message: say("an invitation was sent just now", "um convite acabou de ser enviado"),
                retry_after_s,
            });
        }
    }
    let language = language(language_tag, &ctx.actor.tenant.language)?;
    send(session, &writer, (user_id, language), None).await
}

/// Ends somebody's open invitation.
pub(super) async fn revoke(session: &mut Session<'_>, user_id: Uuid) -> Result<()> {
    let ctx = session.ctx();
    let writer = ctx.writer(Action::Update, Resource::Users)?;
    session.lock(user::record::record(), Action::Update, user_id, None).await?;
    let which = ([user_id], Some(letter::INVITATION));
    let open = store::revoke_open(session.conn(), &writer, (&which.0, which.1), ctx.now()).await?;
    if open == 0 {
        return Err(Error::conflict(say("no invitation is open", "não há convite em aberto")));
    }
    let entry = entry("user.revoke_invitation", user_id, json!({}));
    audit::append(ctx, session.conn(), &writer, vec![entry]).await?;
    let payload = json!({ "id": user_id });
    session.tell(user::record::record(), user_id, "invitation_revoked", payload);
    Ok(())
}

async fn send(
    session: &mut Session<'_>,
    writer: &Writer,
    (user_id, language): (Uuid, Language),
    roles: Option<Vec<String>>,
) -> Result<()> {
    let (ctx, conn) = (session.ctx(), session.conn());
    let clock = &ctx.app.clock;
    let now = ctx.now();
    let earlier = ([user_id], Some(letter::INVITATION));
    store::revoke_open(conn, writer, (&earlier.0, earlier.1), now).await?;
    let id = clock.new_id();
    let expires_at = now + TimeDelta::days(limits::INVITATION_DAYS);
    let token = letter::new_token(
        (ctx.tenant_id(), id),
        (letter::INVITATION, user_id),
        Some(ctx.actor.user_id),
        (now, expires_at),
    );
    store::insert_token(conn, writer, token).await?;
    let queued = Queued { kind: letter::INVITATION, user_id, subject_id: Some(id), language };
    mail::append(conn, writer, clock, queued).await?;
    // Who is invited anew has the roles that they had.
    let told = json!({ "expiresAt": expires_at, "roles": roles });
    audit::append(ctx, conn, writer, vec![entry("user.invite", user_id, told)]).await?;
    let payload = json!({ "id": user_id, "expiresAt": expires_at, "roles": roles });
    session.tell(user::record::record(), user_id, "invited", payload);
    Ok(())
}

/// Opens an account by the link of an invitation.
pub(super) async fn accept(
    app: &Arc<App>,
    token: &str,
    (password, name): (&str, Option<&str>),
    origin: &Origin,
) -> Result<Let> {
    let token = TokenText::parse(token).ok_or_else(link_refused)?;
    let system = SystemHandle::for_tenant(token.tenant_id);
    let person = opened(app, &token, letter::INVITATION).await?;
    if person.password_hash.is_some() {
        return Err(link_refused());
    }
    new_password::check(password, (&person.email, &person.tenant_slug), "password")?;
    let name = match name {
        Some(name) => user::service::checked_name(name, "name")?,
        None => person.full_name.clone(),
    };
    // Hashed before the transaction: a single writer must not wait for it.
    let hash = app.identity.passwords.hash(password).await?;
    let (clock, now, user_id) = (&app.clock, app.clock.now(), person.user_id);
    let conn = app.db.transaction().await?;
    if !store::consume(&conn, &system, (token.id, &token.secret_hash()), now).await?
        || !store::set_password(&conn, &system, user_id, (None, &hash)).await?
    {
        return Err(link_refused());
    }
    let words = (name.as_str(), fold(&name), search_text(&[&name]));
    store::verify(&conn, &system, user_id, words, now).await?;
    let named = (person.tenant_slug.as_str(), person.email.as_str());
    guard::trust(&conn, now, named, origin).await?;
    let deed = Deed {
        user_id,
        action: "user.accept_invitation",
        past: "invitation_accepted",
        old: Some(json!({ "fullName": person.full_name })),
        new: Some(json!({ "fullName": name })),
        payload: json!({ "id": user_id }),
    };
    let author = Author { user_id: Some(user_id), api_key_id: None, origin };
    leave(clock, &conn, &system, author, deed).await?;
    tell_inviter(clock, &conn, &system, user_id).await?;
    conn.commit().await?;
    app.feeds.wake();
    Ok(Let { tenant: person.tenant_slug, email: person.email })
}

/// Who sent the invitation hears of it, where they may still see who it was for.
async fn tell_inviter(
    clock: &Clock,
    conn: &Conn,
    system: &SystemHandle,
    user_id: Uuid,
) -> Result<()> {
    let sent = store::latest_token(conn, system, user_id, letter::INVITATION).await?;
    let Some(inviter) = sent.and_then(|sent| sent.created_by) else { return Ok(()) };
    let people = audience::people(conn, system.tenant_id(), vec![inviter]).await?;
    let Some(person) = people.get(&inviter) else { return Ok(()) };
    if !person.may_read(conn, Resource::Users, (user_id, None)).await? {
        return Ok(());
    }
    let accepted = Notice {
        user_id: inviter,
        kind: Kind::InvitationAccepted,
        actor_id: Some(user_id),
        resource: Resource::Users,
        record_id: user_id,
    };
    notice::append(conn, system, clock, vec![accepted]).await
}

fn entry(action: &str, user_id: Uuid, new: serde_json::Value) -> Entry {
    Entry {
        action: action.to_owned(),
        resource: Resource::Users.as_str(),
        resource_id: user_id,
        old: None,
        new: Some(new),
    }
}

fn language(tag: Option<&str>, tenants: &str) -> Result<Language> {
    let tag = tag.unwrap_or(tenants);
    if LANGUAGES.contains(&tag) {
        return Ok(letter::language_of(tag));
    }
    Err(Error::invalid_field(
        "language",
        say("the language is pt-BR or en", "o idioma é pt-BR ou en"),
    ))
}
