//! Our errors, as async-graphql wants them.

use async_graphql::{PathSegment, Pos, ServerError};

use crate::error::graphql::to_server_error;
use crate::error::http::log_cause;
use crate::error::{Error, Language};
use crate::record::plan::Refused;

/// A plan that was refused, at its response path.
pub(super) fn of_refused(refused: &Refused, language: Language, request_id: &str) -> ServerError {
    log_cause(&refused.error, request_id);
    let path = refused.path.iter().map(|key| PathSegment::Field(key.clone())).collect();
    to_server_error(&refused.error, language, refused.position, path)
}

/// A failure of one root field.
pub(super) fn of_root(
    error: &Error,
    language: Language,
    request_id: &str,
    root: (&str, Pos),
) -> ServerError {
    log_cause(error, request_id);
    let path = vec![PathSegment::Field(root.0.to_owned())];
    to_server_error(error, language, root.1, path)
}
