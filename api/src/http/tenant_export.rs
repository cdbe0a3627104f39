//! A tenant's own data, whole, as a file: `identity/tenant/export/` says what is in it and who may
//! have it. It is asked for by POST, because it leaves an entry in the audit trail, and so that no
//! link and no page of another site starts one.

use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Response};
use futures::TryStreamExt as _;

use super::credentials;
use crate::app::App;
use crate::ctx::Origin;
use crate::error::http::{Problem, log_cause};
use crate::identity::tenant::export::service::for_caller;

/// The archive as it is read. What fails on the way ends the connection before the last chunk: no
/// client takes a part for the whole.
pub(super) async fn handle(
    State(app): State<Arc<App>>,
    Extension(origin): Extension<Origin>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let (language, request_id) = (origin.language, origin.request_id.clone());
    let exported = async {
        let ctx = credentials::ctx(&app, &headers, origin).await?;
        for_caller(&ctx).await
    };
    let export = exported.await.map_err(|error| Problem::of(&error, language, &request_id))?;
    let pieces = export.pieces.inspect_err(move |error| log_cause(error, &request_id));
    let mut response = Body::from_stream(pieces).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-tar"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let disposition = format!("attachment; filename=\"{}\"", export.file_name);
    if let Ok(disposition) = HeaderValue::try_from(disposition) {
        headers.insert(CONTENT_DISPOSITION, disposition);
    }
    Ok(response)
}
