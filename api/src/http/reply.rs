//! What every answer of the GraphQL endpoint is made of: a body and the two statuses it may go out
//! with. A client that asks for `application/json` gets 200 for any well-formed request; one that
//! asks for `application/graphql-response+json` gets the status codes of the specification.

use std::time::Duration;

use axum::http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, VARY, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::{BufMut, Bytes, BytesMut};
use serde_json::json;

use super::persisted::Refusal;
use crate::ctx::Origin;
use crate::error::http::{Problem, RETRY_AFTER_UNAVAILABLE_S, log_cause, status_of};
use crate::error::{Code, Error, say};
use crate::graphql::{Outcome, Reply};
use crate::rate::Standings;
use crate::record::declare::{Freshness, Tier};

/// What a caller may ask for, and what is left of it (IETF draft of September 2025).
pub(super) const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
pub(super) const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");

/// The media types that a GraphQL result travels in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ResultMedia {
    Json,
    GraphqlResponse,
}

/// One answered operation.
pub(super) struct Answer {
    pub(super) body: Bytes,
    /// For `application/graphql-response+json`.
    strict: StatusCode,
    /// For `application/json`.
    lenient: StatusCode,
    /// For callers who look at nothing else; none where there are no errors.
    of_errors: Option<StatusCode>,
    retry_after_s: Option<u64>,
    pub(super) is_mutation: bool,
    /// Whether the operation ran; otherwise the body has errors and no data.
    pub(super) executed: bool,
    standings: Standings,
    freshness: Vec<Freshness>,
    took: Duration,
}

impl Answer {
    fn failed(body: Bytes, status: StatusCode) -> Self {
        Self {
            body,
            strict: status,
            lenient: status,
            of_errors: (!status.is_success()).then_some(status),
            retry_after_s: None,
            is_mutation: false,
            executed: false,
            standings: Standings::default(),
            freshness: Vec::new(),
            took: Duration::ZERO,
        }
    }

    /// A failure before the operation was looked at (credentials, time-out).
    pub(super) fn of_error(error: &Error, origin: &Origin) -> Self {
        log_cause(error, &origin.request_id);
        let body = json!({ "errors": [{
            "message": error.message(origin.language),
            "extensions": {
                "code": error.code().as_str(),
                "retryable": error.retryable(),
            },
        }], "extensions": { "requestId": origin.request_id } });
        let mut answer = Self::failed(Bytes::from(body.to_string()), status_of(error.code()));
        answer.retry_after_s = match error {
            Error::RateLimited { retry_after_s, .. } => Some(*retry_after_s),
            Error::Unavailable { .. } => Some(RETRY_AFTER_UNAVAILABLE_S),
            Error::NotFound { .. }
            | Error::Conflict { .. }
            | Error::Invalid { .. }
            | Error::Unauthenticated { .. }
            | Error::Forbidden { .. }
            | Error::LimitExceeded { .. }
            | Error::Unsupported { .. }
            | Error::Internal { .. } => None,
        };
        answer
    }

    /// A persisted query that cannot be run.
    pub(super) fn of_refusal(refusal: Refusal) -> Self {
        let body = json!({ "errors": [{
            "message": refusal.message(),
            "extensions": { "code": refusal.code() },
        }] });
        let status =
            if refusal.is_client_error() { StatusCode::BAD_REQUEST } else { StatusCode::OK };
        let answer = Self::failed(Bytes::from(body.to_string()), status);
        Self { of_errors: Some(StatusCode::BAD_REQUEST), ..answer }
    }

    /// The one answer to a batch: each part keeps its own errors, so the whole is 200, unless every
    /// part failed alike (a missing credential, a server that cannot answer).
    pub(super) fn of_batch(parts: &[Self]) -> Self {
        let mut body = BytesMut::with_capacity(parts.iter().map(|part| part.body.len() + 1).sum());
        for (number, part) in parts.iter().enumerate() {
            body.put_u8(if number == 0 { b'[' } else { b',' });
            body.put_slice(&part.body);
        }
        body.put_u8(b']');
        let alike = parts
            .first()
            .map(|first| first.lenient)
            .filter(|status| parts.iter().all(|part| part.lenient == *status));
        let mut answer = Self::failed(body.freeze(), alike.unwrap_or(StatusCode::OK));
        answer.of_errors = parts.iter().find_map(|part| part.of_errors);
        answer.retry_after_s = parts.iter().filter_map(|part| part.retry_after_s).max();
        for part in parts {
            answer.standings.updated_by(&part.standings);
        }
        answer
    }

    pub(super) fn into_response(self, media: ResultMedia) -> Response {
        let (status, content_type) = match media {
            ResultMedia::Json => (self.lenient, "application/json; charset=utf-8"),
            ResultMedia::GraphqlResponse => {
                (self.strict, "application/graphql-response+json; charset=utf-8")
            }
        };
        let mut response = (status, self.body).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        headers.append(VARY, HeaderValue::from_static("Accept"));
        // A GET is answered for its caller alone, and a cookie does not keep caches from storing it.
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if self.standings.each().next().is_some() {
            let (policy, left) = (self.standings.policy_header(), self.standings.header());
            for (name, text) in [(RATE_LIMIT_POLICY, policy), (RATE_LIMIT, left)] {
                if let Ok(value) = HeaderValue::try_from(text) {
                    headers.insert(name, value);
                }
            }
        }
        write_freshness(headers, &self.freshness, self.took);
        if let Some(seconds) = self.retry_after_s {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if status == StatusCode::METHOD_NOT_ALLOWED {
            headers.insert(ALLOW, HeaderValue::from_static("POST"));
        }
        response
    }

    /// With errors, the status of the first of them: for callers that look at nothing else.
    #[must_use]
    pub(super) fn errors_as_status(mut self) -> Self {
        if let Some(status) = self.of_errors.filter(|_| self.lenient.is_success()) {
            self.strict = status;
            self.lenient = status;
        }
        self
    }

    /// A mutation that came by GET and was not run.
    #[must_use]
    pub(super) fn refused_by_method(mut self) -> Self {
        self.strict = StatusCode::METHOD_NOT_ALLOWED;
        self.lenient = StatusCode::METHOD_NOT_ALLOWED;
        self
    }
}

impl From<Reply> for Answer {
    fn from(reply: Reply) -> Self {
        let (strict, lenient, retry_after_s) = match reply.outcome {
            Outcome::Executed => (StatusCode::OK, StatusCode::OK, None),
            Outcome::ParseFailed | Outcome::Refused => {
                (StatusCode::BAD_REQUEST, StatusCode::OK, None)
            }
            Outcome::Unauthenticated => (StatusCode::UNAUTHORIZED, StatusCode::UNAUTHORIZED, None),
            Outcome::RateLimited { retry_after_s } => {
                (StatusCode::TOO_MANY_REQUESTS, StatusCode::TOO_MANY_REQUESTS, Some(retry_after_s))
            }
            Outcome::Unavailable => (
                StatusCode::SERVICE_UNAVAILABLE,
                StatusCode::SERVICE_UNAVAILABLE,
                Some(RETRY_AFTER_UNAVAILABLE_S),
            ),
        };
        Self {
            body: reply.body,
            strict,
            lenient,
            of_errors: reply.failed.map(status_of),
            retry_after_s,
            is_mutation: reply.is_mutation,
            executed: reply.outcome == Outcome::Executed,
            standings: reply.standings,
            freshness: reply.freshness,
            took: reply.took,
        }
    }
}

/// `X-Cache-Static: HIT`, `X-Cache-Annual: MISS` and how long it took, where parts of an answer are
/// kept.
pub(super) fn write_freshness(headers: &mut HeaderMap, freshness: &[Freshness], took: Duration) {
    for each in freshness {
        let name = match each.tier {
            Tier::Static => "x-cache-static",
            Tier::Annual => "x-cache-annual",
            Tier::Live => continue,
        };
        headers.insert(name, HeaderValue::from_static(each.found.as_str()));
    }
    if !freshness.is_empty() {
        let ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        headers.insert("x-query-time-ms", HeaderValue::from(ms));
    }
}

/// 405, with the methods that would do.
pub(super) fn method_not_allowed(origin: &Origin, allow: Option<&'static str>) -> Problem {
    let problem = Problem::new(
        Code::Unsupported,
        &say("this method is not allowed here", "este método não é permitido aqui"),
        origin.language,
        &origin.request_id,
    )
    .with_status(StatusCode::METHOD_NOT_ALLOWED);
    match allow {
        Some(methods) => problem.with_header(ALLOW, HeaderValue::from_static(methods)),
        None => problem,
    }
}
