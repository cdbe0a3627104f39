//! The bodies of requests, read up to their limit.

use axum::body::{Body, Bytes};
use axum::http::header::CONTENT_LENGTH;
use axum::http::{HeaderMap, StatusCode};

use crate::ctx::Origin;
use crate::error::http::Problem;
use crate::error::{Code, Message, say};

/// Reads the body up to its limit. One that says beforehand that it is too long is not read at all.
pub(super) async fn read(
    headers: &HeaderMap,
    body: Body,
    max: usize,
    origin: &Origin,
) -> Result<Bytes, Problem> {
    let too_large = || {
        let message = say(
            format!("the body has more than {max} bytes"),
            format!("o corpo tem mais de {max} bytes"),
        );
        refused(StatusCode::PAYLOAD_TOO_LARGE, Code::LimitExceeded, &message, origin)
    };
    let announced = headers
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.parse::<usize>().ok());
    if announced.is_some_and(|bytes| bytes > max) {
        return Err(too_large());
    }
    axum::body::to_bytes(body, max).await.map_err(|error| {
        // axum says neither which: a body that ended early has no length limit as its source.
        let cut = std::error::Error::source(&error)
            .is_none_or(|source| !source.to_string().contains("length limit"));
        if cut {
            let message = say("the body could not be read", "o corpo não pôde ser lido");
            refused(StatusCode::BAD_REQUEST, Code::Invalid, &message, origin)
        } else {
            too_large()
        }
    })
}

/// A request that is wrong before any room was asked.
pub(super) fn refused(
    status: StatusCode,
    code: Code,
    message: &Message,
    origin: &Origin,
) -> Problem {
    Problem::new(code, message, origin.language, &origin.request_id).with_status(status)
}
