//! `POST /v1/events`: events from outside, as an array, one by one, or line by line; also packed with
//! gzip or zstd. It answers 202 when what became of each event is committed.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, post};
use axum::{Extension, Json};
use serde_json::json;
use tower_http::decompression::RequestDecompressionLayer;

use super::{Door, body, credentials};
use crate::analytics::event::parse::{self, Form};
use crate::analytics::event::service::{Ingested, ingest};
use crate::analytics::event::{Outcome, Status};
use crate::app::App;
use crate::ctx::Origin;
use crate::error::http::Problem;
use crate::error::{Code, say};
use crate::limits;

pub(super) fn answers() -> MethodRouter<Door> {
    post(handle).layer(RequestDecompressionLayer::new())
}

async fn handle(
    State(app): State<Arc<App>>,
    Extension(origin): Extension<Origin>,
    headers: HeaderMap,
    packed: Body,
) -> Result<Response, Problem> {
    let (language, request_id) = (origin.language, origin.request_id.clone());
    let refuse = |error| Problem::of(&error, language, &request_id);
    let form = form(&headers, &origin)?;
    let ctx = credentials::ctx(&app, &headers, origin.clone()).await.map_err(refuse)?;
    let unpacked = body::read(&headers, packed, limits::EVENTS_BODY_BYTES_MAX, &origin).await?;
    let events = parse::events(&unpacked, form).map_err(refuse)?;
    let ingested = ingest(&ctx, events).await.map_err(refuse)?;
    Ok((StatusCode::ACCEPTED, Json(shown(&ingested))).into_response())
}

fn form(headers: &HeaderMap, origin: &Origin) -> Result<Form, Problem> {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match kind.as_str() {
        "application/json" => Ok(Form::Json),
        "application/x-ndjson" | "application/ndjson" | "application/jsonl" => Ok(Form::Lines),
        _ => {
            let message = say(
                "send events as application/json or application/x-ndjson",
                "envie eventos como application/json ou application/x-ndjson",
            );
            let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
            Err(body::refused(status, Code::Unsupported, &message, origin))
        }
    }
}

fn shown(ingested: &Ingested) -> serde_json::Value {
    let result = |outcome: &Outcome| {
        let mut result = json!({ "id": outcome.id, "status": outcome.status.as_str() });
        if let (Some(result), Some((reason, detail))) = (result.as_object_mut(), &outcome.reason) {
            result.insert("reason".to_owned(), reason.as_str().into());
            result.insert("detail".to_owned(), detail.as_str().into());
        }
        result
    };
    json!({
        "accepted": ingested.count(Status::Accepted),
        "duplicates": ingested.count(Status::Duplicate),
        "quarantined": ingested.count(Status::Quarantined),
        "results": ingested.outcomes.iter().map(result).collect::<Vec<_>>(),
    })
}
