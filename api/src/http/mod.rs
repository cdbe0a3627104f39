//! The HTTP door: every route on this page, and every layer a request passes through, in order.
//!
//! It turns credentials into a [`crate::ctx::Ctx`], speaks GraphQL over HTTP, WebSocket and SSE, and
//! answers health questions. It has no rules of the product and never touches a table. Failures that
//! are not GraphQL responses are problem+json.

mod adapter;
mod body;
mod cors;
pub mod credentials;
mod events;
mod explorer;
mod goals;
mod graphql;
mod health;
mod observe;
mod operation;
mod origin;
mod persisted;
mod reply;
mod schema;
mod series;
pub mod server;
mod session;
mod sign_in;
mod tenant_export;
mod websocket;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{FromRef, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, any, get, post};
use tower::ServiceBuilder;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{NotForContentType, Predicate, SizeAbove};

use crate::app::App;
use crate::ctx::Origin;
use crate::error::http::Problem;
use crate::error::{Code, Error, say};
use persisted::Persisted;

/// What handlers can ask for with `State`.
#[derive(Clone)]
pub(crate) struct Door {
    app: Arc<App>,
    persisted: Persisted,
}

impl FromRef<Door> for Arc<App> {
    fn from_ref(door: &Door) -> Self {
        Self::clone(&door.app)
    }
}

impl FromRef<Door> for Persisted {
    fn from_ref(door: &Door) -> Self {
        door.persisted.clone()
    }
}

/// Bytes below which compressing costs more than it saves.
const COMPRESS_BYTES_MIN: u16 = 1024;

/// Every address, and what answers there.
fn routes() -> Vec<(&'static str, MethodRouter<Door>)> {
    vec![
        ("/graphql", any(graphql::handle)),
        ("/graphql/ws", any(websocket::handle)),
        ("/schema.graphql", get(schema::handle)),
        ("/api/v1/analytics/series.json", get(series::json)),
        ("/api/v1/analytics/series.csv", get(series::csv)),
        ("/api/v2/analytics/goals/seller/{seller_id}", get(goals::handle)),
        ("/auth/oidc/{tenant}/{provider}", get(sign_in::begin)),
        ("/auth/oidc/{tenant}/{provider}/callback", get(sign_in::finish)),
        ("/api/v1/tenant/export", post(tenant_export::handle)),
        ("/v1/events", events::answers()),
        ("/livez", get(health::live)),
        ("/readyz", get(health::ready)),
        ("/metrics", get(health::metrics)),
    ]
}

/// Every address of the server, for whoever must know them all.
pub fn addresses() -> Vec<&'static str> {
    routes().into_iter().map(|(address, _)| address).collect()
}

/// The whole door.
pub fn router(app: Arc<App>) -> Router {
    let routes = routes()
        .into_iter()
        .fold(Router::new(), |router, (address, answers)| router.route(address, answers))
        .method_not_allowed_fallback(method_not_allowed)
        .fallback(not_found);

    // The first layer is the first to see a request. One stack for all: a layer on a router of its
    // own costs every request a boxed service.
    let layers = ServiceBuilder::new()
        .layer(from_fn_with_state(Arc::clone(&app), observe::observe))
        .layer(cors::layer(&app.config.server.cors_origins))
        .layer(
            CompressionLayer::new().gzip(true).compress_when(
                SizeAbove::new(COMPRESS_BYTES_MIN)
                    .and(NotForContentType::SSE)
                    .and(NotForContentType::IMAGES),
            ),
        )
        .layer(from_fn_with_state(Arc::clone(&app), give_up_in_time));
    routes.layer(layers).with_state(Door { app, persisted: Persisted::new() })
}

async fn not_found(origin: axum::Extension<Origin>) -> Problem {
    Problem::new(
        Code::NotFound,
        &say("there is nothing at this address", "não há nada neste endereço"),
        origin.language,
        &origin.request_id,
    )
}

async fn method_not_allowed(origin: axum::Extension<Origin>) -> Problem {
    // axum adds the Allow header itself.
    reply::method_not_allowed(&origin, None)
}

/// A request that takes too long is dropped, and with it its transaction.
async fn give_up_in_time(
    State(app): State<Arc<App>>,
    origin: axum::Extension<Origin>,
    request: Request,
    next: Next,
) -> Response {
    let limit = Duration::from_millis(app.config.server.request_timeout_ms);
    match tokio::time::timeout(limit, next.run(request)).await {
        Ok(response) => response,
        Err(_elapsed) => {
            let error = Error::unavailable(format!("request given up after {limit:?}"));
            Problem::of(&error, origin.language, &origin.request_id).into_response()
        }
    }
}
