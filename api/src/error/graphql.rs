//! `Error` -> GraphQL error with `extensions { code field retryable }`.

use async_graphql::{ErrorExtensionValues, Pos, ServerError};

use super::{Error, Language};

/// `path` is the response path of the field that failed.
pub fn to_server_error(
    error: &Error,
    language: Language,
    position: Pos,
    path: Vec<async_graphql::PathSegment>,
) -> ServerError {
    let mut extensions = ErrorExtensionValues::default();
    extensions.set("code", error.code().as_str());
    extensions.set("retryable", error.retryable());
    if let Some(field) = error.field() {
        extensions.set("field", field);
    }
    if let Error::RateLimited { retry_after_s, .. } = error {
        extensions.set("retryAfterSeconds", *retry_after_s);
    }
    let mut server_error = ServerError::new(error.message(language), Some(position));
    server_error.path = path;
    server_error.extensions = Some(extensions);
    server_error
}
