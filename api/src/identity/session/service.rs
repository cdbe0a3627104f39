//! Signing in and staying signed in.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use entity::session;
use serde_json::{Value as Json, json};
use uuid::Uuid;

use super::decide::{Living, Verdict, judge, refreshable_until};
use super::password::Verdict as PasswordVerdict;
use super::refresh::RefreshToken;
use super::store::{self, Account, Seen};
use super::token::AccessToken;
use crate::access::{Permit, Resource, SystemHandle};
use crate::app::App;
use crate::audit::{self, Author, Entry};
use crate::browser::{Change, Cookie};
use crate::clock::Clock;
use crate::config::Secret;
use crate::ctx::Origin;
use crate::db::Conn;
use crate::error::{Error, Result, say};
use crate::identity::account::guard;
use crate::identity::user::email;
use crate::limits;
use crate::notice::{self, Kind, Notice};

const IP_CHARS_MAX: usize = 45;
const USER_AGENT_CHARS_MAX: usize = 500;
/// Sessions that a user may have had too many of, ended at one sign-in.
const SURPLUS_MAX: usize = 1_000;

/// What somebody who signed in holds.
#[derive(Debug, Clone)]
pub struct Session {
    pub access_token: String,
    pub expires_at: DateTime<Utc>,
    pub refresh_token: String,
    pub refresh_expires_at: DateTime<Utc>,
    pub session_id: Uuid,
    pub user_id: Uuid,
    pub tenant_id: Uuid,
}

impl Session {
    /// What a browser keeps of it.
    pub fn into_cookies(self, now: DateTime<Utc>) -> Change {
        let cookie = |token: String, ends: DateTime<Utc>| Cookie {
            token: Secret::new(token),
            max_age_s: (ends - now).num_seconds().max(0),
        };
        Change::Keep {
            access: cookie(self.access_token, self.expires_at),
            refresh: cookie(self.refresh_token, self.refresh_expires_at),
        }
    }
}

/// What a session was opened by.
#[derive(Debug, Clone, Copy)]
pub(crate) enum SignedInBy<'a> {
    Password,
    /// An identity provider.
    Provider {
        id: Uuid,
        slug: &'a str,
    },
}

/// Why a session ended before its time; the words that are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
    Logout,
    Revoked,
    Reuse,
    /// The user had too many.
    Replaced,
}

impl Reason {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Logout => "logout",
            Self::Revoked => "revoked",
            Self::Reuse => "reuse",
            Self::Replaced => "replaced",
        }
    }
}

/// Signs in. Whatever was wrong, the answer is the same, after the same statements and one hash;
/// RATE_LIMITED while whoever guesses has to wait.
pub async fn login(
    app: &Arc<App>,
    tenant_slug: &str,
    email: &str,
    password: &str,
    origin: &Origin,
) -> Result<Session> {
    let attempt = guard::begin_sign_in(app, tenant_slug, email, origin).await?;
    let found = find(app, tenant_slug, email).await?;
    let hash = found.as_ref().and_then(|account| account.password_hash.clone());
    let verdict = app.identity.passwords.verify(password, hash).await?;
    let account = match (verdict, found) {
        (PasswordVerdict::Wrong, found) | (_, found @ None) => {
            let user = found.map(|account| (account.tenant_id, account.user_id));
            attempt.failed(app, user, origin);
            return Err(wrong_credentials());
        }
        (PasswordVerdict::Right | PasswordVerdict::RightButOld, Some(account)) => account,
    };
    let stronger_hash = match verdict {
        PasswordVerdict::RightButOld => app.identity.passwords.hash(password).await.ok(),
        PasswordVerdict::Right | PasswordVerdict::Wrong => None,
    };
    let system = SystemHandle::for_tenant(account.tenant_id);
    let conn = app.db.transaction().await?;
    store::record_login(&conn, &system, &account, stronger_hash, app.clock.now()).await?;
    guard::succeeded(&conn, app.clock.now(), attempt).await?;
    let who = (account.tenant_id, account.user_id);
    let session = open(app, &conn, who, SignedInBy::Password, origin).await?;
    conn.commit().await?;
    tracing::info!(
        tenant_id = %session.tenant_id,
        user_id = %session.user_id,
        session_id = %session.session_id,
        request_id = %origin.request_id,
        "signed in"
    );
    Ok(session)
}

async fn find(app: &Arc<App>, tenant_slug: &str, email: &str) -> Result<Option<Account>> {
    // Only the slug is known yet: the tenant is found by the same statement.
    let system = SystemHandle::for_tenant(Uuid::nil());
    let conn = app.db.single_read().await?;
    store::find_account(&conn, &system, tenant_slug, &email::folded(email)).await
}

/// Opens a session for somebody whom an identity provider vouches for, in the transaction of `conn`.
pub(crate) async fn admit(
    app: &App,
    conn: &Conn,
    (tenant_id, user_id): (Uuid, Uuid),
    by: SignedInBy<'_>,
    origin: &Origin,
) -> Result<Session> {
    let system = SystemHandle::for_tenant(tenant_id);
    let account = Account { tenant_id, user_id, password_hash: None };
    store::record_login(conn, &system, &account, None, app.clock.now()).await?;
    open(app, conn, (tenant_id, user_id), by, origin).await
}

/// Opens a session for somebody who has proved who they are, in the transaction of `conn`.
async fn open(
    app: &App,
    conn: &Conn,
    (tenant_id, user_id): (Uuid, Uuid),
    by: SignedInBy<'_>,
    origin: &Origin,
) -> Result<Session> {
    let now = app.clock.now();
    let system = SystemHandle::for_tenant(tenant_id);
    let forgotten = now - TimeDelta::days(limits::ENDED_SESSION_DAYS);
    store::remove_ended(conn, &system, user_id, forgotten).await?;
    make_room(conn, &system, user_id, now).await?;

    let token = RefreshToken::first(tenant_id, app.clock.new_id());
    let (ip_address, user_agent) = told_by(origin);
    let (provider_id, about) = match by {
        SignedInBy::Password => (None, json!({ "userId": user_id })),
        SignedInBy::Provider { id, slug } => {
            (Some(id), json!({ "userId": user_id, "identityProvider": slug }))
        }
    };
    let row = session::Model {
        tenant_id,
        id: token.session_id,
        user_id,
        generation: token.generation,
        refresh_hash: token.hash(),
        previous_hash: None,
        created_at: now,
        last_used_at: now,
        expires_at: now + app.config.identity.session_lifetime(),
        revoked_at: None,
        revoked_reason: None,
        ip_address,
        user_agent,
        provider_id,
    };
    let session = hand_out(app, &token, (user_id, now, row.expires_at), now)?;
    store::insert(conn, &system, row).await?;
    let entry = entry("session.login", token.session_id, about);
    let author = Author { user_id: Some(user_id), api_key_id: None, origin };
    audit::append_by(&app.clock, conn, &system, author, vec![entry]).await?;
    Ok(session)
}

/// A user has a bounded number of sessions: the longest unused give way.
async fn make_room(
    conn: &Conn,
    system: &SystemHandle,
    user_id: Uuid,
    now: DateTime<Utc>,
) -> Result<()> {
    let living = store::living_of(conn, system, user_id, now).await?;
    let most = usize::try_from(limits::SESSIONS_PER_USER_MAX).unwrap_or(usize::MAX);
    let surplus: Vec<Uuid> = living
        .iter()
        .skip(most.saturating_sub(1))
        .take(SURPLUS_MAX)
        .map(|session| session.id)
        .collect();
    if surplus.is_empty() {
        return Ok(());
    }
    store::revoke_these(conn, system, surplus, (Reason::Replaced.as_str(), now)).await
}

/// Gives the next pair of tokens for a refresh token. The same token once more within
/// [`limits::REFRESH_GRACE_SECONDS`] gives the same refresh token again; any other used token ends
/// the session. Every refusal is the same UNAUTHENTICATED.
pub async fn refresh(app: &Arc<App>, text: &str, origin: &Origin) -> Result<Session> {
    let token = app.identity.refresh.read(text).ok_or_else(refresh_refused)?;
    let system = SystemHandle::for_tenant(token.tenant_id);
    let conn = app.db.transaction().await?;
    let now = app.clock.now();
    // Twice at most: who was faster has left behind what the token is to be judged by.
    for _attempt in 0..2 {
        let found = store::refreshable(&conn, &system, token.session_id).await?;
        let Some(living) = found else { return Err(refresh_refused()) };
        let idle = app.config.identity.session_idle();
        match judge(&living, &token, &app.identity.refresh, now, idle) {
            Verdict::Rotate(next) => {
                let (ip, agent) = told_by(origin);
                let seen =
                    Seen { at: now, ip_address: ip.as_deref(), user_agent: agent.as_deref() };
                let hashes = (token.hash(), next.hash());
                let hashes = (hashes.0.as_str(), hashes.1.as_str());
                if store::rotate(&conn, &system, token.session_id, hashes, seen).await? {
                    let held = (living.user_id, now, living.expires_at);
                    let session = hand_out(app, &next, held, now)?;
                    conn.commit().await?;
                    return Ok(session);
                }
            }
            Verdict::Repeat(next) => {
                let held = (living.user_id, living.last_used_at, living.expires_at);
                return hand_out(app, &next, held, now);
            }
            Verdict::Reused => {
                end_reused(app, &conn, (&token, &living), origin).await?;
                conn.commit().await?;
                app.feeds.wake();
                app.identity.forget(app, token.session_id).await;
                return Err(refresh_refused());
            }
            Verdict::Refused => return Err(refresh_refused()),
        }
    }
    Err(Error::unavailable("a session is refreshed by several at the same time"))
}

/// Two hold a token that was used: whoever of them is honest, neither keeps the session.
async fn end_reused(
    app: &App,
    conn: &Conn,
    (token, living): (&RefreshToken, &Living),
    origin: &Origin,
) -> Result<()> {
    let system = SystemHandle::for_tenant(token.tenant_id);
    let ended = (Reason::Reuse.as_str(), app.clock.now());
    if !store::revoke(conn, &system, token.session_id, ended).await? {
        return Ok(());
    }
    tracing::warn!(
        tenant_id = %token.tenant_id,
        user_id = %living.user_id,
        session_id = %token.session_id,
        request_id = %origin.request_id,
        "a used refresh token came again: its session was ended"
    );
    let about = json!({
        "userId": living.user_id,
        "generation": token.generation,
        "currentGeneration": living.generation,
    });
    let entry = entry("session.reuse", token.session_id, about);
    // Nobody knows which of the two it was.
    let author = Author { user_id: None, api_key_id: None, origin };
    audit::append_by(&app.clock, conn, &system, author, vec![entry]).await?;
    let told = Notice {
        user_id: living.user_id,
        kind: Kind::SessionReused,
        actor_id: None,
        resource: Resource::Users,
        record_id: living.user_id,
    };
    notice::append(conn, &system, &app.clock, vec![told]).await
}

/// Ends all sessions of a user but one, in the transaction of `conn`, and returns how many there
/// were. The caller writes the audit entry, and calls [`crate::identity::Identity::forget`] with the
/// user's id once the transaction is committed, so that this node feels it at once.
pub async fn revoke_all_of(
    conn: &Conn,
    permit: &impl Permit,
    clock: &Clock,
    user_id: Uuid,
    except: Option<Uuid>,
) -> Result<u64> {
    let ended = (Reason::Revoked.as_str(), clock.now());
    store::revoke_all(conn, permit, (user_id, except), ended).await
}

/// The pair of tokens that a session's holder gets.
fn hand_out(
    app: &App,
    token: &RefreshToken,
    (user_id, last_used_at, expires_at): (Uuid, DateTime<Utc>, DateTime<Utc>),
    now: DateTime<Utc>,
) -> Result<Session> {
    let begins = DateTime::from_timestamp(now.timestamp(), 0).unwrap_or(now);
    let lives_until = begins + TimeDelta::seconds(limits::ACCESS_TOKEN_SECONDS);
    let access = AccessToken {
        tenant_id: token.tenant_id,
        user_id,
        session_id: token.session_id,
        expires_at: lives_until.min(expires_at),
    };
    let idle = app.config.identity.session_idle();
    Ok(Session {
        access_token: app.identity.signer.sign(&access, now)?,
        expires_at: access.expires_at,
        refresh_token: app.identity.refresh.reveal(token),
        refresh_expires_at: refreshable_until(last_used_at, expires_at, idle),
        session_id: token.session_id,
        user_id,
        tenant_id: token.tenant_id,
    })
}

/// Address and program of a request, as long as they are stored.
fn told_by(origin: &Origin) -> (Option<String>, Option<String>) {
    let cut = |text: String, most: usize| text.chars().take(most).collect::<String>();
    (
        origin.ip.map(|ip| cut(ip.to_string(), IP_CHARS_MAX)),
        origin.user_agent.clone().map(|agent| cut(agent, USER_AGENT_CHARS_MAX)),
    )
}

/// An audit entry about a session.
pub(super) fn entry(action: &str, session_id: Uuid, about: Json) -> Entry {
    Entry {
        action: action.to_owned(),
        resource: "sessions",
        resource_id: session_id,
        old: None,
        new: Some(about),
    }
}

fn wrong_credentials() -> Error {
    Error::Unauthenticated {
        message: say(
            "tenant, e-mail or password is wrong",
            "organização, e-mail ou senha incorretos",
        ),
    }
}

fn refresh_refused() -> Error {
    Error::Unauthenticated {
        message: say(
            "this refresh token is not valid (any more): sign in again",
            "este token de renovação não é (mais) válido: entre de novo",
        ),
    }
}
