//! The response text: engine fields are copied in as they are, everything else is serialised.

use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_graphql::indexmap::IndexMap;
use async_graphql::{PathSegment, Response, ServerError, Value};
use bytes::Bytes;
use serde_json::{Map, Value as Json, json};

use super::operation::OperationState;
use super::{Outcome, Refusal, Reply};
use crate::ctx::Origin;
use crate::error::graphql::RETRY_AFTER_SECONDS;
use crate::error::http::log_cause;
use crate::error::{Code, Error};
use crate::rate::Standings;
use crate::record::declare::Freshness;
use crate::record::json::push_text;

/// An operation that was not run: errors, and no data.
pub(super) fn refuse(refusal: &Refusal, origin: &Origin, is_mutation: bool) -> Reply {
    log_cause(&refusal.error, &origin.request_id);
    let mut error = json!({
        "message": refusal.error.message(origin.language),
        "extensions": {
            "code": refusal.protocol_code.unwrap_or_else(|| refusal.error.code().as_str()),
            "retryable": refusal.error.retryable(),
        },
    });
    if let (Error::RateLimited { retry_after_s, .. }, Some(extensions)) =
        (&*refusal.error, error.get_mut("extensions").and_then(Json::as_object_mut))
    {
        extensions.insert(RETRY_AFTER_SECONDS.to_owned(), Json::from(*retry_after_s));
    }
    if let (Some(position), Some(error)) = (refusal.position, error.as_object_mut()) {
        let place = json!([{ "line": position.line, "column": position.column }]);
        error.insert("locations".to_owned(), place);
    }
    let body = json!({ "errors": [error], "extensions": { "requestId": origin.request_id } });
    let (body, outcome) = (Bytes::from(body.to_string()), refusal.outcome);
    Reply {
        body,
        outcome,
        is_mutation,
        failed: Some(refusal.error.code()),
        standings: Standings::default(),
        freshness: Vec::new(),
        took: Duration::ZERO,
    }
}

/// The response of an operation that async-graphql saw.
pub(super) fn finish(
    response: Response,
    state: &OperationState,
    origin: &Origin,
    is_mutation: bool,
    took: Duration,
) -> Reply {
    let executed = state.executed.load(Ordering::Relaxed);
    let mut out = Vec::with_capacity(state.texts_bytes() + 1024);
    out.push(b'{');
    let mut errors: Vec<Json> = Vec::with_capacity(response.errors.len());
    for error in &response.errors {
        let error = error_json(error, executed);
        // Two fields of one response key fail alike.
        if !errors.contains(&error) {
            errors.push(error);
        }
    }
    if !errors.is_empty() {
        out.extend_from_slice(b"\"errors\":");
        out.extend_from_slice(Json::Array(errors).to_string().as_bytes());
        out.push(b',');
    }
    let failed = response.errors.first().map(code_of);
    let wait_s = response.errors.iter().filter_map(told_to_wait).max();
    if executed {
        let is_whole = is_whole(&response);
        out.extend_from_slice(b"\"data\":");
        let data = if !is_whole {
            Value::Null
        } else if response.errors.is_empty() && response.data == Value::Null {
            // Everything was skipped: nothing was asked for, and nothing failed.
            Value::Object(IndexMap::new())
        } else {
            response.data
        };
        write_data(&mut out, data, state);
        out.push(b',');
    }
    out.extend_from_slice(b"\"extensions\":");
    let freshness = state.freshness();
    let tells_statements = tells_statements(state, failed.is_some());
    write_extensions(&mut out, state, (origin, tells_statements), executed, took);
    if !freshness.is_empty() {
        // Before the brace that closes the extensions.
        out.pop();
        write_freshness(&mut out, &freshness);
        out.push(b'}');
    }
    out.push(b'}');
    let outcome = outcome_of(state, executed, wait_s);
    let standings = state.account.standings();
    Reply { body: Bytes::from(out), outcome, is_mutation, failed, standings, freshness, took }
}

/// The code of an error; what the protocol refuses before it runs is the caller's fault.
fn code_of(error: &ServerError) -> Code {
    let told = error.extensions.as_ref().and_then(|extensions| extensions.get("code"));
    let known = |code: &Code| told == Some(&Value::from(code.as_str()));
    Code::ALL.into_iter().find(known).unwrap_or(Code::Invalid)
}

/// Seconds that an error of a field written by hand tells its caller to wait.
fn told_to_wait(error: &ServerError) -> Option<u64> {
    match error.extensions.as_ref()?.get(RETRY_AFTER_SECONDS)? {
        Value::Number(seconds) => seconds.as_u64(),
        Value::Null
        | Value::String(_)
        | Value::Boolean(_)
        | Value::Binary(_)
        | Value::Enum(_)
        | Value::List(_)
        | Value::Object(_) => None,
    }
}

fn outcome_of(state: &OperationState, executed: bool, wait_s: Option<u64>) -> Outcome {
    if !executed {
        return Outcome::Refused;
    }
    match *state.worst.lock().unwrap_or_else(PoisonError::into_inner) {
        Some(Code::Unauthenticated) => Outcome::Unauthenticated,
        Some(Code::Unavailable) => Outcome::Unavailable,
        Some(Code::RateLimited) => {
            Outcome::RateLimited { retry_after_s: state.account.retry_after_s() }
        }
        _ => match wait_s {
            Some(retry_after_s) => Outcome::RateLimited { retry_after_s },
            None => Outcome::Executed,
        },
    }
}

/// async-graphql leaves a root field that failed and cannot be null out of the data; by the
/// specification there is no data then.
fn is_whole(response: &Response) -> bool {
    let Value::Object(fields) = &response.data else { return true };
    response.errors.iter().all(|error| match error.path.first() {
        Some(PathSegment::Field(key)) => fields.contains_key(key.as_str()),
        Some(PathSegment::Index(_)) | None => true,
    })
}

fn write_data(out: &mut Vec<u8>, data: Value, state: &OperationState) {
    let Value::Object(fields) = data else {
        out.extend_from_slice(b"null");
        return;
    };
    let texts = state.take_texts();
    out.push(b'{');
    for (number, (key, value)) in fields.into_iter().enumerate() {
        if number > 0 {
            out.push(b',');
        }
        push_text(out, key.as_str());
        out.push(b':');
        match texts.get(key.as_str()) {
            Some(text) => out.extend_from_slice(text),
            None => match serde_json::to_vec(&value) {
                Ok(text) => out.extend_from_slice(&text),
                Err(_not_json) => out.extend_from_slice(b"null"),
            },
        }
    }
    out.push(b'}');
}

/// Whether the answer says how many statements there were. After a refusal, and where anybody may
/// try, the number would tell how far it came: whether there is such an account, or such a row.
fn tells_statements(state: &OperationState, is_refused: bool) -> bool {
    let tells = !is_refused && !state.is_guarded.load(Ordering::Relaxed);
    tells || state.tally.statements() == 0
}

fn write_extensions(
    out: &mut Vec<u8>,
    state: &OperationState,
    (origin, tells_statements): (&Origin, bool),
    executed: bool,
    took: Duration,
) {
    out.push(b'{');
    if executed {
        out.extend_from_slice(b"\"cost\":{\"rowsEstimated\":");
        let mut number = itoa::Buffer::new();
        let rows = state.rows_estimated.load(Ordering::Relaxed);
        out.extend_from_slice(number.format(rows).as_bytes());
        out.extend_from_slice(b",\"rowsRead\":");
        let read = state.rows_read.load(Ordering::Relaxed);
        out.extend_from_slice(number.format(read).as_bytes());
        if tells_statements {
            out.extend_from_slice(b",\"statements\":");
            out.extend_from_slice(number.format(state.tally.statements()).as_bytes());
        }
        out.extend_from_slice(b",\"ms\":");
        let tenths = took.as_micros() / 100;
        out.extend_from_slice(format!("{}.{}", tenths / 10, tenths % 10).as_bytes());
        out.extend_from_slice(b"},");
    }
    out.extend_from_slice(b"\"requestId\":");
    push_text(out, &origin.request_id);
    out.push(b'}');
}

/// `,"cache":{"static":{"found":"HIT","ageSeconds":12,"ttlSeconds":1800},…}`
fn write_freshness(out: &mut Vec<u8>, freshness: &[Freshness]) {
    let tiers = freshness.iter().map(|each| {
        let name = each.tier.graphql_name().to_lowercase();
        let facts = json!({
            "found": each.found.as_str(),
            "ageSeconds": each.age_s,
            "ttlSeconds": each.tier.seconds(),
        });
        (name, facts)
    });
    out.extend_from_slice(b",\"cache\":");
    out.extend_from_slice(Json::Object(tiers.collect()).to_string().as_bytes());
}

fn error_json(error: &ServerError, executed: bool) -> Json {
    let mut object = Map::new();
    object.insert("message".to_owned(), Json::from(error.message.clone()));
    if !error.locations.is_empty() {
        let places: Vec<Json> = error
            .locations
            .iter()
            .filter(|place| place.line > 0)
            .map(|place| json!({ "line": place.line, "column": place.column }))
            .collect();
        if !places.is_empty() {
            object.insert("locations".to_owned(), Json::Array(places));
        }
    }
    if !error.path.is_empty()
        && let Ok(path) = serde_json::to_value(&error.path)
    {
        object.insert("path".to_owned(), path);
    }
    let mut extensions = error
        .extensions
        .as_ref()
        .and_then(|extensions| serde_json::to_value(extensions).ok())
        .and_then(
            |extensions| if let Json::Object(entries) = extensions { Some(entries) } else { None },
        )
        .unwrap_or_default();
    if !extensions.contains_key("code") {
        let code = if executed { "BAD_USER_INPUT" } else { "GRAPHQL_VALIDATION_FAILED" };
        extensions.insert("code".to_owned(), Json::from(code));
    }
    object.insert("extensions".to_owned(), Json::Object(extensions));
    Json::Object(object)
}
