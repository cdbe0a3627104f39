//! The outermost layer: who asks (request id, address, language), one log line and one measurement
//! per request, headers that every answer has, and a 500 instead of a cut connection when something
//! panics. A log line never has the query string, variables or credentials.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderMap, HeaderValue, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures::FutureExt;
use tracing::Instrument;
use uuid::Uuid;

use super::origin::{self, REQUEST_ID};
use super::session;
use crate::app::App;
use crate::ctx::Origin;
use crate::error::Error;
use crate::error::http::Problem;
use crate::telemetry::RequestKind;

/// Who a request was found to be; a handler leaves it on the response for the log line.
#[derive(Debug, Clone, Copy)]
pub(super) struct Who {
    pub(super) tenant_id: Uuid,
    pub(super) user_id: Uuid,
}

pub(super) async fn observe(
    State(app): State<Arc<App>>,
    mut request: Request,
    next: Next,
) -> Response {
    let started = app.clock.stopwatch();
    let _in_flight = app.metrics.request_started();
    let mut origin = origin::read(&request, &app.clock, &app.config.server.trusted_proxies);
    origin.browser = session::browser(&request, &app.config.server.cors_origins);
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let route = route_of(&request);
    request.extensions_mut().insert(origin.clone());

    let span = tracing::info_span!("request", id = %origin.request_id);
    let work = AssertUnwindSafe(next.run(request)).catch_unwind().instrument(span);
    let mut response = match work.await {
        Ok(mut response) => {
            session::write_cookies(&origin, response.headers_mut());
            response
        }
        Err(panic) => panicked(panic.as_ref(), &origin),
    };

    secure(response.headers_mut());
    if let Ok(value) = HeaderValue::from_str(&origin.request_id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    let took = started.elapsed();
    let status = response.status().as_u16();
    app.metrics.request_finished(RequestKind { route, method: name_of(&method), status }, took);
    let who = response.extensions().get::<Who>().copied();
    log(&Line { method: &method, path: &path, status, took, origin: &origin, who });
    response
}

struct Line<'a> {
    method: &'a Method,
    path: &'a str,
    status: u16,
    took: Duration,
    origin: &'a Origin,
    who: Option<Who>,
}

fn log(line: &Line<'_>) {
    let ms = line.took.as_secs_f64() * 1000.0;
    let tenant = line.who.map(|who| tracing::field::display(who.tenant_id));
    let user = line.who.map(|who| tracing::field::display(who.user_id));
    let ip = line.origin.ip.map(tracing::field::display);
    // Probes and scrapes come every few seconds and say nothing new.
    if matches!(line.path, "/livez" | "/readyz" | "/metrics") && line.status < 400 {
        tracing::debug!(
            method = %line.method, path = line.path, status = line.status, ms,
            request_id = line.origin.request_id, ip, "request"
        );
        return;
    }
    tracing::info!(
        method = %line.method, path = line.path, status = line.status, ms,
        request_id = line.origin.request_id, ip, tenant, user, "request"
    );
}

fn panicked(panic: &(dyn Any + Send), origin: &Origin) -> Response {
    let text = panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without a text".to_owned());
    let error = Error::internal(format!("panic: {text}"));
    Problem::of(&error, origin.language, &origin.request_id).into_response()
}

/// The route as written in `mod.rs`: paths from outside are not a closed set.
fn route_of(request: &Request) -> &'static str {
    const ROUTES: [&str; 8] = [
        "/graphql",
        "/graphql/ws",
        "/schema.graphql",
        "/auth/oidc/{tenant}/{provider}",
        "/auth/oidc/{tenant}/{provider}/callback",
        "/livez",
        "/readyz",
        "/metrics",
    ];
    let path = request
        .extensions()
        .get::<MatchedPath>()
        .map_or_else(|| request.uri().path(), MatchedPath::as_str);
    ROUTES.into_iter().find(|route| *route == path).unwrap_or("other")
}

fn name_of(method: &Method) -> &'static str {
    const METHODS: [Method; 7] = [
        Method::GET,
        Method::POST,
        Method::PUT,
        Method::PATCH,
        Method::DELETE,
        Method::HEAD,
        Method::OPTIONS,
    ];
    const NAMES: [&str; 7] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];
    METHODS.iter().zip(NAMES).find(|(known, _)| *known == method).map_or("other", |(_, name)| name)
}

/// Browsers must not guess types, must not tell others our addresses, and must not run or frame
/// anything we did not say they may.
fn secure(headers: &mut HeaderMap) {
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers
        .entry(CONTENT_SECURITY_POLICY)
        .or_insert(HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"));
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::body::Body;
    use axum::middleware::from_fn_with_state;
    use axum::routing::get;
    use tower::ServiceExt as _;

    use super::*;
    use crate::clock::Clock;
    use crate::config::{Config, DatabaseUrl};
    use crate::db::Db;

    async fn explode() -> &'static str {
        panic!("the secret of the house")
    }

    #[tokio::test]
    async fn a_panic_is_a_500_that_says_nothing_of_itself() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}/pulso.db?mode=rwc", folder.path().display());
        let db = Db::connect(&url, 1).await.unwrap();
        let mut config = Config::default();
        config.database.url = DatabaseUrl::new(url);
        let app = App::build(config, db, Clock::system()).unwrap();
        let router = Router::new()
            .route("/livez", get(explode))
            .layer(from_fn_with_state(Arc::clone(&app), observe));
        let request = axum::http::Request::get("/livez").body(Body::empty()).unwrap();
        let response = router.oneshot(request).await.unwrap();
        assert_eq!(response.status().as_u16(), 500);
        assert!(response.headers().contains_key(REQUEST_ID));
        let body = axum::body::to_bytes(response.into_body(), 10_000).await.unwrap();
        let text = String::from_utf8(body.to_vec()).unwrap();
        assert!(text.contains("\"code\":\"INTERNAL\"") && !text.contains("secret"), "{text}");
        assert!(app.metrics.render().contains("status=\"500\""));
    }
}
