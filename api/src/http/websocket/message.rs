//! The messages of graphql-transport-ws and the codes with which a connection is closed.

use axum::extract::ws::{CloseFrame, Message, Utf8Bytes};
use bytes::Bytes;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::error::{Error, Language};
use crate::graphql::Request;
use crate::http::graphql::parse;

pub(super) const SUBPROTOCOL: &str = "graphql-transport-ws";

/// What a client may say.
#[derive(Debug)]
pub(super) enum FromClient {
    Init {
        payload: Map<String, Value>,
    },
    Ping {
        payload: Option<Value>,
    },
    Pong,
    Subscribe {
        id: String,
        request: Box<Request>,
    },
    /// An operation that is well-formed and cannot be run.
    Impossible {
        id: String,
        error: Error,
    },
    Complete {
        id: String,
    },
}

/// Why a connection is closed, in the protocol's own numbers and those of WebSocket itself. Clients
/// connect again after 1001, 1013, 4403 and 4408, and give up after the others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Close {
    GoingAway,
    NotText,
    TooLong,
    TryAgainLater,
    Invalid(String),
    NotInitialised,
    Forbidden,
    WrongSubprotocol,
    InitTimeout,
    AlreadyExists(String),
    TooManyInits,
    Internal,
}

/// A close frame's reason must fit a control frame.
const REASON_BYTES_MAX: usize = 120;

impl Close {
    pub(super) fn message(&self) -> Message {
        let (code, reason) = match self {
            Self::GoingAway => (1001, "going away".to_owned()),
            Self::NotText => (1007, "not UTF-8".to_owned()),
            Self::TooLong => (1009, "Message too long".to_owned()),
            Self::TryAgainLater => (1013, "Try again later".to_owned()),
            Self::Invalid(why) => (4400, why.clone()),
            Self::NotInitialised => (4401, "Unauthorized".to_owned()),
            Self::Forbidden => (4403, "Forbidden".to_owned()),
            Self::WrongSubprotocol => (4406, "Subprotocol not acceptable".to_owned()),
            Self::InitTimeout => (4408, "Connection initialisation timeout".to_owned()),
            Self::AlreadyExists(id) => (4409, format!("Subscriber for {id} already exists")),
            Self::TooManyInits => (4429, "Too many initialisation requests".to_owned()),
            Self::Internal => (4500, "Internal server error".to_owned()),
        };
        let mut end = reason.len().min(REASON_BYTES_MAX);
        while !reason.is_char_boundary(end) {
            end -= 1;
        }
        let reason = reason.get(..end).unwrap_or_default().to_owned();
        Message::Close(Some(CloseFrame { code, reason: Utf8Bytes::from(reason) }))
    }
}

/// Reads a text frame.
pub(super) fn read(text: &str) -> Result<FromClient, Close> {
    let invalid = |why: &str| Close::Invalid(why.to_owned());
    let Ok(Value::Object(mut object)) = serde_json::from_str::<Value>(text) else {
        return Err(invalid("Invalid message: not a JSON object"));
    };
    let payload = object.remove("payload").filter(|payload| !payload.is_null());
    let id = match object.remove("id") {
        Some(Value::String(id)) if !id.is_empty() => Some(id),
        Some(_) | None => None,
    };
    let kind = object.get("type").and_then(Value::as_str).unwrap_or_default();
    match kind {
        "connection_init" => match payload {
            None => Ok(FromClient::Init { payload: Map::new() }),
            Some(Value::Object(payload)) => Ok(FromClient::Init { payload }),
            Some(_) => Err(invalid("Invalid message: payload must be an object")),
        },
        "ping" => Ok(FromClient::Ping { payload }),
        "pong" => Ok(FromClient::Pong),
        "complete" => {
            let id = id.ok_or_else(|| invalid("Invalid message: id is missing"))?;
            Ok(FromClient::Complete { id })
        }
        "subscribe" => {
            let id = id.ok_or_else(|| invalid("Invalid message: id is missing"))?;
            let payload = payload.unwrap_or_default();
            let nul =
                if text.contains("\\u0000") { parse::without_nul(&payload).err() } else { None };
            let request = parse::request(payload, false).map_err(|error| {
                Close::Invalid(format!("Invalid message: {}", error.message(Language::En)))
            })?;
            Ok(match nul {
                // A matter of this operation: the others on the connection go on.
                Some(error) => FromClient::Impossible { id, error },
                None => FromClient::Subscribe { id, request: Box::new(request) },
            })
        }
        _ => Err(invalid("Invalid message: unknown type")),
    }
}

pub(super) fn ack() -> Message {
    Message::Text(Utf8Bytes::from_static(r#"{"type":"connection_ack"}"#))
}

pub(super) fn pong(payload: Option<Value>) -> Message {
    let text = match payload {
        Some(payload) => format!(r#"{{"type":"pong","payload":{payload}}}"#),
        None => r#"{"type":"pong"}"#.to_owned(),
    };
    Message::Text(text.into())
}

pub(super) fn next(id: &str, body: &Bytes) -> Message {
    with_payload(id, "next", &String::from_utf8_lossy(body))
}

/// Ends an operation that did not run: the payload is the list of errors of its response.
pub(super) fn error(id: &str, body: &Bytes) -> Message {
    #[derive(serde::Deserialize)]
    struct Errors<'a> {
        #[serde(borrow)]
        errors: &'a RawValue,
    }
    let errors = serde_json::from_slice::<Errors<'_>>(body).map_or("[]", |body| body.errors.get());
    with_payload(id, "error", errors)
}

pub(super) fn complete(id: &str) -> Message {
    let id = Value::from(id);
    Message::Text(format!(r#"{{"id":{id},"type":"complete"}}"#).into())
}

fn with_payload(id: &str, kind: &str, payload: &str) -> Message {
    let id = Value::from(id);
    Message::Text(format!(r#"{{"id":{id},"type":"{kind}","payload":{payload}}}"#).into())
}

/// The credential of a `connection_init`: `authorization` or `Authorization` (with or without
/// `Bearer`), `token`, or the same inside `headers`, as several clients send it.
pub(super) fn credential(payload: &Map<String, Value>) -> Option<String> {
    let nested = payload.get("headers").and_then(Value::as_object);
    let text = [Some(payload), nested].into_iter().flatten().find_map(|map| {
        ["authorization", "Authorization", "token"]
            .iter()
            .find_map(|name| map.get(*name).and_then(Value::as_str))
    })?;
    let credential = crate::http::credentials::bearer(text).unwrap_or_else(|| text.trim());
    (!credential.is_empty()).then(|| credential.to_owned())
}
