//! Browsers on their way to an identity provider and back (`identity/single_sign_on/`). A cookie
//! binds the way to the browser: `SameSite=Lax`, because the browser comes back from another site.

use std::sync::Arc;

use axum::Extension;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::header::{CACHE_CONTROL, LOCATION};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

use super::session;
use crate::app::App;
use crate::ctx::Origin;
use crate::error::http::Problem;
use crate::error::{Error, Result, say};
use crate::identity::single_sign_on::service::{self, Begin, Callback};
use crate::identity::single_sign_on::{BrowserSecret, return_to};
use crate::limits;

const COOKIE: &str = "pulso_sign_in";

/// Tenant and provider.
type Names = Path<(String, String)>;

/// `GET /auth/oidc/{tenant}/{provider}`: sends a browser to a provider.
pub(super) async fn begin(
    State(app): State<Arc<App>>,
    Path((tenant, provider)): Names,
    wish: std::result::Result<Query<Begin>, QueryRejection>,
    origin: Extension<Origin>,
) -> Response {
    let begun = async {
        let Query(wish) = wish.map_err(unreadable)?;
        service::begin(&app, (&tenant, &provider), wish, &origin).await
    };
    let begun = Box::pin(begun).await;
    let is_secure = return_to::is_secure(&app.config);
    let answer = begun.and_then(|begun| {
        let secret = begun.secret.reveal();
        let kept =
            session::written((COOKIE, &secret), limits::SIGN_IN_MINUTES * 60, "Lax", is_secure);
        redirect(&begun.location, &[kept])
    });
    answer.unwrap_or_else(|error| problem(&error, &origin))
}

/// `GET /auth/oidc/{tenant}/{provider}/callback`: takes a browser back.
pub(super) async fn finish(
    State(app): State<Arc<App>>,
    Path((tenant, provider)): Names,
    callback: std::result::Result<Query<Callback>, QueryRejection>,
    headers: HeaderMap,
    origin: Extension<Origin>,
) -> Response {
    let is_secure = return_to::is_secure(&app.config);
    let secret = session::cookie(&headers, COOKIE, is_secure);
    let secret = secret.and_then(|secret| BrowserSecret::parse(secret.reveal()));
    let names = (tenant.as_str(), provider.as_str());
    let finished = async {
        let Query(callback) = callback.map_err(unreadable)?;
        service::finish(&app, names, callback, secret, &origin).await
    };
    let finished = Box::pin(finished).await;
    let answer = finished.and_then(|finished| {
        let mut lines = vec![session::written((COOKIE, ""), 0, "Lax", is_secure)];
        if let Some(session) = finished.session {
            let change = session.into_cookies(app.clock.now());
            lines.extend(session::lines(&change, is_secure));
        }
        redirect(&finished.location, &lines)
    });
    answer.unwrap_or_else(|error| problem(&error, &origin))
}

fn redirect(location: &str, cookies: &[String]) -> Result<Response> {
    let mut location = HeaderValue::from_str(location).map_err(Error::internal)?;
    // It may have a code in it.
    location.set_sensitive(true);
    let mut response = StatusCode::SEE_OTHER.into_response();
    let headers = response.headers_mut();
    headers.insert(LOCATION, location);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    for line in cookies {
        session::append(headers, line);
    }
    Ok(response)
}

/// A parameter that comes twice, for instance.
fn unreadable(_rejection: QueryRejection) -> Error {
    Error::invalid(say("the query cannot be read", "a query não pode ser lida"))
}

fn problem(error: &Error, origin: &Origin) -> Response {
    Problem::of(error, origin.language, &origin.request_id).into_response()
}
