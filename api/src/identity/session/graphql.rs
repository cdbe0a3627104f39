//! `login`, `sessionRefresh`, `logout`, and the list of sessions.

use async_graphql::{Context, ID, Object, Result, SimpleObject};
use entity::session;
use uuid::Uuid;

use super::ending::Ended;
use super::{ending, label, service};
use crate::app::App;
use crate::browser::{Browser, Change};
use crate::config::Secret;
use crate::ctx::{Caller, Ctx, Origin};
use crate::error::graphql::to_field_error;
use crate::error::http::log_cause;
use crate::error::{Code, Error, say};
use crate::identity::graphql::Instant;

#[derive(Default)]
pub struct SessionQuery;

#[derive(Default)]
pub struct SessionMutation;

#[Object]
impl SessionQuery {
    /// The caller's living sessions, the latest used first; with the right to update users also
    /// those of another user.
    async fn sessions(
        &self,
        context: &Context<'_>,
        user_id: Option<ID>,
    ) -> Result<Vec<OpenSession>> {
        let caller = context.data::<Caller>()?;
        let found = async {
            let ctx = somebody(caller)?;
            let user_id = user_id.as_ref().map(|id| read_id(id, "userId")).transpose()?;
            let found = ending::list(ctx, user_id).await?;
            let current = ctx.actor.session_id;
            Ok(found.into_iter().map(|row| OpenSession::of(row, current)).collect())
        };
        found.await.map_err(told(caller.origin()))
    }
}

#[Object]
impl SessionMutation {
    /// Signs in. Needs no credential; the answer does not say what was wrong. With the header
    /// `X-Session-Mode: cookie` the tokens are kept in cookies and not shown.
    async fn login(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The tenant's slug.")] tenant: String,
        email: String,
        password: String,
    ) -> Result<Session> {
        let caller = context.data::<Caller>()?;
        let (app, origin) = (caller.app(), caller.origin());
        let signed_in = async {
            ready(origin)?;
            let session = service::login(app, &tenant, &email, &password, origin).await?;
            hand_over(app, session, origin)
        };
        signed_in.await.map_err(told(origin))
    }

    /// The next pair of tokens for a refresh token, which is good once. Needs no access token; send
    /// none, because an expired one is refused. In cookie mode the refresh token is the cookie's.
    async fn session_refresh(
        &self,
        context: &Context<'_>,
        refresh_token: Option<String>,
    ) -> Result<Session> {
        let caller = context.data::<Caller>()?;
        let (app, origin) = (caller.app(), caller.origin());
        let refreshed = async {
            ready(origin)?;
            let token = match &refresh_token {
                Some(token) => token.as_str(),
                None => kept_refresh_token(origin).ok_or_else(no_refresh_token)?,
            };
            match service::refresh(app, token, origin).await {
                Ok(session) => hand_over(app, session, origin),
                Err(error) => {
                    if let (Some(browser), Code::Unauthenticated) = (&origin.browser, error.code())
                    {
                        browser.tell(Change::Drop)?;
                    }
                    Err(error)
                }
            }
        };
        refreshed.await.map_err(told(origin))
    }

    /// Ends the session of the caller's token, on every node. In cookie mode the cookies are
    /// removed too.
    async fn logout(&self, context: &Context<'_>) -> Result<bool> {
        let caller = context.data::<Caller>()?;
        let ended = end(caller).await.map_err(told(caller.origin()));
        ended.map(|_ended| true)
    }

    /// Ends a session, one's own or, with the right to update users, another user's.
    async fn session_revoke(&self, context: &Context<'_>, id: ID) -> Result<OpenSession> {
        let caller = context.data::<Caller>()?;
        let revoked = async {
            let ctx = somebody(caller)?;
            let row = ending::revoke(ctx, read_id(&id, "id")?).await?;
            Ok(OpenSession::of(row, ctx.actor.session_id))
        };
        revoked.await.map_err(told(caller.origin()))
    }

    /// Ends all sessions of the caller or, with the right to update users, of another user, and
    /// returns how many there were.
    async fn session_revoke_all(
        &self,
        context: &Context<'_>,
        #[graphql(default = true, desc = "Whether the session that asks stays.")]
        except_current: bool,
        user_id: Option<ID>,
    ) -> Result<u64> {
        let caller = context.data::<Caller>()?;
        let revoked = async {
            let ctx = somebody(caller)?;
            let user_id = user_id.as_ref().map(|id| read_id(id, "userId")).transpose()?;
            ending::revoke_all(ctx, user_id, except_current).await
        };
        revoked.await.map_err(told(caller.origin()))
    }
}

/// Ends the session of a caller, and a browser's cookies; what has ended already is no error there.
pub(crate) async fn end(caller: &Caller) -> crate::error::Result<Option<Ended>> {
    let origin = caller.origin();
    ready(origin)?;
    let ended = match (caller, kept_refresh_token(origin)) {
        (Caller::Somebody(ctx), _) => Some(ending::logout(ctx).await?),
        // The access token ended first: what is left of the session says which it is.
        (Caller::Nobody { app, .. }, Some(token)) => {
            ending::logout_with(app, token, origin).await?
        }
        (Caller::Nobody { .. }, None) if origin.browser.is_none() => {
            return Err(Error::unauthenticated());
        }
        (Caller::Nobody { .. }, None) => None,
    };
    if let Some(browser) = &origin.browser {
        browser.tell(Change::Drop)?;
    }
    Ok(ended)
}

/// What somebody who signed in holds.
#[derive(SimpleObject)]
pub(crate) struct Session {
    /// To be sent as `Authorization: Bearer …`; null in cookie mode.
    access_token: Option<String>,
    /// When the access token ends.
    expires_at: Instant,
    /// Good once, for `sessionRefresh`; null in cookie mode.
    refresh_token: Option<String>,
    /// When the session ends unless it is refreshed before.
    refresh_expires_at: Instant,
}

/// A sign-in that is still good, or was until now.
#[derive(SimpleObject)]
struct OpenSession {
    id: ID,
    user_id: ID,
    /// What the program that signed in seems to be, "Chrome, Windows".
    label: Option<String>,
    user_agent: Option<String>,
    /// Where the session was last refreshed from.
    ip_address: Option<String>,
    created_at: Instant,
    /// The sign-in or the last refresh.
    last_used_at: Instant,
    /// However much it is used, it ends here.
    expires_at: Instant,
    revoked_at: Option<Instant>,
    /// Whether this is the session that asks.
    is_current: bool,
}

impl OpenSession {
    fn of(row: session::Model, current: Option<Uuid>) -> Self {
        Self {
            id: row.id.to_string().into(),
            user_id: row.user_id.to_string().into(),
            label: label::of(row.user_agent.as_deref()),
            user_agent: row.user_agent,
            ip_address: row.ip_address,
            created_at: Instant(row.created_at),
            last_used_at: Instant(row.last_used_at),
            expires_at: Instant(row.expires_at),
            revoked_at: row.revoked_at.map(Instant),
            is_current: current == Some(row.id),
        }
    }
}

/// Gives the tokens to the caller, or to the browser's cookies.
pub(crate) fn hand_over(
    app: &App,
    session: service::Session,
    origin: &Origin,
) -> crate::error::Result<Session> {
    let shown = |access_token, refresh_token| Session {
        access_token,
        expires_at: Instant(session.expires_at),
        refresh_token,
        refresh_expires_at: Instant(session.refresh_expires_at),
    };
    let Some(browser) = &origin.browser else {
        return Ok(shown(Some(session.access_token), Some(session.refresh_token)));
    };
    let shown = shown(None, None);
    browser.tell(session.into_cookies(app.clock.now()))?;
    Ok(shown)
}

/// Nothing is begun whose outcome the browser could not keep.
pub(crate) fn ready(origin: &Origin) -> crate::error::Result<()> {
    origin.browser.as_deref().map_or(Ok(()), Browser::ready)
}

fn kept_refresh_token(origin: &Origin) -> Option<&str> {
    let browser = origin.browser.as_deref()?;
    browser.refresh_token.as_ref().map(Secret::reveal)
}

fn somebody(caller: &Caller) -> crate::error::Result<&Ctx> {
    match caller {
        Caller::Somebody(ctx) => Ok(ctx),
        Caller::Nobody { .. } => Err(Error::unauthenticated()),
    }
}

fn read_id(id: &ID, field: &'static str) -> crate::error::Result<Uuid> {
    id.parse().map_err(|_not_an_id| {
        Error::invalid_field(field, say("this is not an id", "isto não é um id"))
    })
}

fn no_refresh_token() -> Error {
    Error::invalid_field(
        "refreshToken",
        say(
            "a refresh token is needed, as an argument or, in cookie mode, as a cookie",
            "é preciso um token de renovação, como argumento ou, no modo de cookies, como cookie",
        ),
    )
}

pub(crate) fn told(origin: &Origin) -> impl Fn(Error) -> async_graphql::Error + use<> {
    let (language, request_id) = (origin.language, origin.request_id.clone());
    move |error| {
        log_cause(&error, &request_id);
        to_field_error(&error, language)
    }
}
