//! `graphql-transport-ws` at `/graphql/ws`: several operations at once over one connection, each
//! answered with `next` … `complete`, or with `error` if it could not run. The credential comes in
//! `connection_init` (or, from a page of ours, in its cookie) and is asked again at every operation,
//! so that a revoked or expired one ends the connection (4403) and the client fetches a new one.

mod connection;
mod message;

use axum::Extension;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::{State, WebSocketUpgrade};
use axum::http::header::{AUTHORIZATION, UPGRADE};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};

use self::message::{Close, SUBPROTOCOL};
use super::reply::method_not_allowed;
use super::{Door, credentials, session};
use crate::ctx::Origin;
use crate::error::http::Problem;
use crate::error::{Code, say};
use crate::limits;

pub(super) async fn handle(
    State(door): State<Door>,
    Extension(origin): Extension<Origin>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    // HTTP/2 opens WebSockets with CONNECT.
    if method != Method::GET && method != Method::CONNECT {
        return method_not_allowed(&origin, Some("GET")).into_response();
    }
    let Ok(upgrade) = upgrade else {
        return not_an_upgrade(&origin).into_response();
    };
    // Clients outside browsers can send the header itself.
    let bearer = headers
        .get(AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(credentials::bearer)
        .map(str::to_owned)
        .or_else(|| session::of_upgrade(&headers, &uri, &door.app.config.server.cors_origins));
    let app = door.app.clone();
    upgrade
        .protocols([SUBPROTOCOL])
        .max_message_size(limits::HTTP_BODY_BYTES_MAX)
        .max_frame_size(limits::HTTP_BODY_BYTES_MAX)
        .on_upgrade(move |mut socket| {
            app.clone().track(async move {
                let _open = app.metrics.websocket_opened();
                if socket.protocol().is_none() {
                    connection::close(&mut socket, Some(Close::WrongSubprotocol)).await;
                    return;
                }
                connection::run(door, origin, bearer, socket).await;
            })
        })
}

fn not_an_upgrade(origin: &Origin) -> Problem {
    let message = say(
        "this address speaks WebSocket with the subprotocol graphql-transport-ws",
        "este endereço fala WebSocket com o subprotocolo graphql-transport-ws",
    );
    Problem::new(Code::Unsupported, &message, origin.language, &origin.request_id)
        .with_status(StatusCode::UPGRADE_REQUIRED)
        .with_header(UPGRADE, HeaderValue::from_static("websocket"))
}
