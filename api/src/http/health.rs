//! Whether this process lives, whether it should be sent work, and what it measured.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::app::App;

const NO_STORE: (axum::http::HeaderName, &str) = (CACHE_CONTROL, "no-store");

/// Liveness: this process answers. The database is not asked, or its outage would have every node
/// restarted.
pub(super) async fn live() -> Response {
    ([NO_STORE], Json(json!({ "status": "alive" }))).into_response()
}

/// Readiness: the database answers, nothing is pending, and we are not being stopped.
pub(super) async fn ready(State(app): State<Arc<App>>) -> Response {
    let readiness = app.readiness().await;
    let word = |good: bool| if good { "ok" } else { "failing" };
    let (status, text) = if readiness.is_ready() {
        (StatusCode::OK, "ready")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not ready")
    };
    let body = json!({
        "status": text,
        "parts": {
            "database": word(readiness.database),
            "migrations": word(readiness.migrations),
            "draining": readiness.draining,
        },
        "version": env!("CARGO_PKG_VERSION"),
    });
    (status, [NO_STORE], Json(body)).into_response()
}

/// What Prometheus scrapes.
pub(super) async fn metrics(State(app): State<Arc<App>>) -> Response {
    app.metrics.turns(app.rate.turns.counts());
    app.metrics.pool(app.db.pool_state());
    let content_type = (CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8");
    ([content_type, NO_STORE], app.metrics.render()).into_response()
}
