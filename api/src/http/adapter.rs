//! Addresses that are other names for one operation: what they share.

use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::http::HeaderValue;
use axum::http::header::RETRY_AFTER;
use serde_json::{Map, Value as Json};

use crate::app::App;
use crate::ctx::{Caller, Origin};
use crate::error::http::Problem;
use crate::error::{Code, Error, Message, say};
use crate::graphql::{Reply, Request};

/// Runs an operation that reads; its whole answer, or its first error as this door tells failures.
pub(super) async fn run(
    app: &Arc<App>,
    (caller, origin): (Caller, &Origin),
    (operation, variables): (&str, Map<String, Json>),
) -> Result<(Json, Reply), Problem> {
    let query = Some(operation.to_owned());
    let request = Request { query, variables, ..Request::default() };
    let reply = app.graphql.execute(caller, request, true).await;
    let body: Json = serde_json::from_slice(&reply.body).unwrap_or_default();
    match body.pointer("/errors/0") {
        Some(error) => Err(problem_of(error, &reply, origin)),
        None => Ok((body, reply)),
    }
}

/// Parameters that are no parameters of this address.
pub(super) fn unreadable(refused: &QueryRejection) -> Error {
    let why = refused.body_text();
    Error::invalid(say(why.clone(), why))
}

fn problem_of(error: &Json, reply: &Reply, origin: &Origin) -> Problem {
    let text = |pointer: &str| error.pointer(pointer).and_then(Json::as_str).unwrap_or_default();
    let code = Code::ALL.into_iter().find(|code| code.as_str() == text("/extensions/code"));
    let message: Message = say(text("/message").to_owned(), text("/message").to_owned());
    let problem =
        Problem::new(code.unwrap_or(Code::Internal), &message, origin.language, &origin.request_id);
    let field = error.pointer("/extensions/field").and_then(Json::as_str);
    let problem = problem.with_field(field.map(str::to_owned));
    match reply.outcome.retry_after_s() {
        Some(seconds) => problem.with_header(RETRY_AFTER, HeaderValue::from(seconds)),
        None => problem,
    }
}
