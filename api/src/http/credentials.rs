//! Credentials -> who asks. `Authorization: Bearer …` holds a token or an API key alike; a wrong one
//! is refused at once, none at all is an anonymous caller (who may log in, and little else). In
//! cookie mode, and where there is no such header, the token is the cookie's.

use std::sync::Arc;

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;

use super::session;
use crate::app::App;
use crate::ctx::{Ctx, Origin};
use crate::error::{Error, Result};
use crate::graphql::Caller;

/// Resolves the `Authorization` header of a request, or its cookie.
pub async fn caller(app: &Arc<App>, headers: &HeaderMap, origin: Origin) -> Result<Caller> {
    match headers.get(AUTHORIZATION) {
        None => by_cookie(app, origin).await,
        Some(value) => {
            let text = value.to_str().map_err(|_not_text| Error::unauthenticated())?;
            let bearer = bearer(text).ok_or_else(Error::unauthenticated)?;
            Ok(Caller::Somebody(authenticate(app, bearer, origin).await?))
        }
    }
}

/// A cookie that no longer holds is no credential: a page cannot take it away, and must be able to
/// sign in again. What has no session was never put into a cookie by us.
async fn by_cookie(app: &Arc<App>, origin: Origin) -> Result<Caller> {
    if let Some(browser) = origin.browser.clone()
        && let Some(token) = session::access_token(&browser)?
    {
        match app.identity.authenticate_from(app, token, origin.ip).await {
            Ok(actor) if actor.session_id.is_some() => {
                return Ok(Caller::Somebody(Ctx::new(Arc::clone(app), actor, origin)));
            }
            Ok(_) | Err(Error::Unauthenticated { .. }) => {}
            Err(other) => return Err(other),
        }
    }
    Ok(Caller::Nobody { app: Arc::clone(app), origin })
}

/// For doors that need somebody.
pub async fn ctx(app: &Arc<App>, headers: &HeaderMap, origin: Origin) -> Result<Ctx> {
    match caller(app, headers, origin).await? {
        Caller::Somebody(ctx) => Ok(ctx),
        Caller::Nobody { .. } => Err(Error::unauthenticated()),
    }
}

pub(super) async fn authenticate(app: &Arc<App>, bearer: &str, origin: Origin) -> Result<Ctx> {
    let actor = app.identity.authenticate_from(app, bearer, origin.ip).await?;
    Ok(Ctx::new(Arc::clone(app), actor, origin))
}

/// The credential of `Bearer …` (the scheme in any case, as RFC 9110 has it).
pub(super) fn bearer(text: &str) -> Option<&str> {
    let (scheme, credential) = text.trim().split_once(' ')?;
    let credential = credential.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !credential.is_empty()).then_some(credential)
}
