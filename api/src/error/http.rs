//! `Error` -> problem+json (RFC 9457) with our `code` and the `requestId`.

use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::{Code, Error, Language, Message};

const PROBLEM_JSON: HeaderValue = HeaderValue::from_static("application/problem+json");
/// Seconds after which a request that met an unavailable server may be sent again.
pub const RETRY_AFTER_UNAVAILABLE_S: u64 = 1;

/// A failure that is not a GraphQL response.
#[derive(Debug)]
pub struct Problem(Box<Parts>);

#[derive(Debug)]
struct Parts {
    status: StatusCode,
    headers: HeaderMap,
    body: Body,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Body {
    /// `about:blank`: the status says what kind of problem it is, the code says more.
    r#type: &'static str,
    title: &'static str,
    status: u16,
    detail: String,
    code: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<String>,
    retryable: bool,
    request_id: String,
}

impl Problem {
    /// Translates an error, and logs what the caller may not see.
    pub fn of(error: &Error, language: Language, request_id: &str) -> Self {
        log_cause(error, request_id);
        let mut problem = Self::build(error.code(), error.message(language).to_owned(), request_id);
        problem.0.body.field = error.field().map(str::to_owned);
        problem.0.body.retryable = error.retryable();
        match error {
            Error::RateLimited { retry_after_s, .. } => {
                problem.retry_after(*retry_after_s);
            }
            Error::Unavailable { .. } => problem.retry_after(RETRY_AFTER_UNAVAILABLE_S),
            Error::Unauthenticated { .. } => {
                problem.0.headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            Error::NotFound { .. }
            | Error::Conflict { .. }
            | Error::Invalid { .. }
            | Error::Forbidden { .. }
            | Error::LimitExceeded { .. }
            | Error::Unsupported { .. }
            | Error::Internal { .. } => {}
        }
        problem
    }

    /// A failure of the door itself, before any room was asked.
    pub fn new(code: Code, message: &Message, language: Language, request_id: &str) -> Self {
        Self::build(code, message.in_language(language).to_owned(), request_id)
    }

    /// The same problem under a status that says more than its code does (405, 413, 415, …).
    #[must_use]
    pub fn with_status(mut self, status: StatusCode) -> Self {
        self.0.status = status;
        self.0.body.status = status.as_u16();
        self.0.body.title = status.canonical_reason().unwrap_or("Error");
        self
    }

    /// Names the input that is wrong.
    #[must_use]
    pub fn with_field(mut self, field: Option<String>) -> Self {
        self.0.body.field = field;
        self
    }

    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers.insert(name, value);
        self
    }

    fn build(code: Code, detail: String, request_id: &str) -> Self {
        let status = status_of(code);
        Self(Box::new(Parts {
            status,
            headers: HeaderMap::new(),
            body: Body {
                r#type: "about:blank",
                title: status.canonical_reason().unwrap_or("Error"),
                status: status.as_u16(),
                detail,
                code: code.as_str(),
                field: None,
                retryable: false,
                request_id: request_id.to_owned(),
            },
        }))
    }

    fn retry_after(&mut self, seconds: u64) {
        self.0.headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let parts = *self.0;
        let bytes = serde_json::to_vec(&parts.body).unwrap_or_default();
        let mut response = (parts.status, bytes).into_response();
        response.headers_mut().extend(parts.headers);
        response.headers_mut().insert(CONTENT_TYPE, PROBLEM_JSON);
        response
    }
}

/// The status of a code where nothing more precise is known.
pub fn status_of(code: Code) -> StatusCode {
    match code {
        Code::NotFound => StatusCode::NOT_FOUND,
        Code::Conflict => StatusCode::CONFLICT,
        Code::Invalid | Code::LimitExceeded => StatusCode::BAD_REQUEST,
        Code::Unauthenticated => StatusCode::UNAUTHORIZED,
        Code::Forbidden => StatusCode::FORBIDDEN,
        Code::RateLimited => StatusCode::TOO_MANY_REQUESTS,
        Code::Unsupported => StatusCode::NOT_IMPLEMENTED,
        Code::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Code::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

pub(crate) fn log_cause(error: &Error, request_id: &str) {
    match error {
        Error::Internal { internal } => tracing::error!(request_id, cause = internal, "internal"),
        Error::Unavailable { internal, .. } => {
            tracing::warn!(request_id, cause = internal, "unavailable");
        }
        Error::NotFound { .. }
        | Error::Conflict { .. }
        | Error::Invalid { .. }
        | Error::Unauthenticated { .. }
        | Error::Forbidden { .. }
        | Error::LimitExceeded { .. }
        | Error::RateLimited { .. }
        | Error::Unsupported { .. } => {}
    }
}
