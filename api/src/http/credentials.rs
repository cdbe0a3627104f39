//! Credentials -> who asks. `Authorization: Bearer …` holds a token or an API key alike; a wrong one
//! is refused at once, none at all is an anonymous caller (who may log in, and little else).

use std::sync::Arc;

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;

use crate::app::App;
use crate::ctx::{Ctx, Origin};
use crate::error::{Error, Result};
use crate::graphql::Caller;

/// Resolves the `Authorization` header of a request.
pub async fn caller(app: &Arc<App>, headers: &HeaderMap, origin: Origin) -> Result<Caller> {
    match headers.get(AUTHORIZATION) {
        None => Ok(Caller::Nobody { app: Arc::clone(app), origin }),
        Some(value) => {
            let text = value.to_str().map_err(|_not_text| Error::unauthenticated())?;
            let bearer = bearer(text).ok_or_else(Error::unauthenticated)?;
            Ok(Caller::Somebody(authenticate(app, bearer, origin).await?))
        }
    }
}

/// For doors that need somebody.
pub async fn ctx(app: &Arc<App>, headers: &HeaderMap, origin: Origin) -> Result<Ctx> {
    match caller(app, headers, origin).await? {
        Caller::Somebody(ctx) => Ok(ctx),
        Caller::Nobody { .. } => Err(Error::unauthenticated()),
    }
}

pub(super) async fn authenticate(app: &Arc<App>, bearer: &str, origin: Origin) -> Result<Ctx> {
    let actor = app.identity.authenticate(app, bearer).await?;
    Ok(Ctx::new(Arc::clone(app), actor, origin))
}

/// The credential of `Bearer …` (the scheme in any case, as RFC 9110 has it).
pub(super) fn bearer(text: &str) -> Option<&str> {
    let (scheme, credential) = text.trim().split_once(' ')?;
    let credential = credential.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !credential.is_empty()).then_some(credential)
}
