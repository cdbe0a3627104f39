//! `Error` -> GraphQL error with `extensions { code field retryable }`.

use async_graphql::{ErrorExtensionValues, PathSegment, Pos, ServerError};

use super::{Error, Language};

/// How long an error tells its caller to wait.
pub(crate) const RETRY_AFTER_SECONDS: &str = "retryAfterSeconds";

/// `path` is the response path of the field that failed.
pub fn to_server_error(
    error: &Error,
    language: Language,
    position: Pos,
    path: Vec<PathSegment>,
) -> ServerError {
    let mut server_error = ServerError::new(error.message(language), Some(position));
    server_error.path = path;
    server_error.extensions = Some(extensions(error));
    server_error
}

/// For hand-written resolvers, which know their path by themselves.
pub fn to_field_error(error: &Error, language: Language) -> async_graphql::Error {
    let mut field_error = async_graphql::Error::new(error.message(language));
    field_error.extensions = Some(extensions(error));
    field_error
}

fn extensions(error: &Error) -> ErrorExtensionValues {
    let mut extensions = ErrorExtensionValues::default();
    extensions.set("code", error.code().as_str());
    extensions.set("retryable", error.retryable());
    if let Some(field) = error.field() {
        extensions.set("field", field);
    }
    if let Error::RateLimited { retry_after_s, .. } = error {
        extensions.set(RETRY_AFTER_SECONDS, *retry_after_s);
    }
    if let Error::Conflict { current: Some(current), .. } = error
        && let Ok(current) = async_graphql::Value::from_json((**current).clone())
    {
        extensions.set("current", current);
    }
    extensions
}
