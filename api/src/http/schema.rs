//! The schema as a file, for code generators: the same bytes as `schema.graphql` in the repository.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH, VARY};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};

use super::credentials;
use crate::app::App;
use crate::ctx::Origin;
use crate::error::http::Problem;

/// Public unless a setting closes it; then any valid credential opens it.
pub(super) async fn handle(
    State(app): State<Arc<App>>,
    Extension(origin): Extension<Origin>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    if !app.config.graphql.sdl_public {
        let (language, request_id) = (origin.language, origin.request_id.clone());
        credentials::ctx(&app, &headers, origin)
            .await
            .map_err(|error| Problem::of(&error, language, &request_id))?;
    }
    // Weak, because the same schema may travel compressed.
    let etag = format!("W/{}", app.graphql.sdl_etag().trim_start_matches("W/"));
    let about = [(ETAG, etag.as_str()), (CACHE_CONTROL, "no-cache"), (VARY, "Accept-Encoding")];
    if names(&headers, &etag) {
        return Ok((StatusCode::NOT_MODIFIED, about).into_response());
    }
    let content_type = [(CONTENT_TYPE, "text/plain; charset=utf-8")];
    Ok((about, content_type, app.graphql.sdl().to_owned()).into_response())
}

/// Whether `If-None-Match` names the tag, compared weakly as RFC 9110 asks.
pub(super) fn names(headers: &HeaderMap, etag: &str) -> bool {
    let opaque = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    headers
        .get_all(IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .any(|value| value.split(',').any(|tag| tag.trim() == "*" || opaque(tag) == opaque(etag)))
}
