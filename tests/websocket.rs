//! graphql-transport-ws as a client sees it, over a real connection: the only tests besides the
//! shutdown's that bind a port. The client is a few lines of RFC 6455, so that we judge our server
//! and not a library that would smooth over its mistakes.

use std::net::SocketAddr;
use std::sync::Arc;

use pulso::ctx::Origin;
use pulso::identity::session::service::login;
use serde_json::{Value as Json, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::support::seed::PASSWORD;
use crate::support::{TestApp, both_databases};

const TEXT: u8 = 1;
const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const PING: u8 = 9;

/// What the server sent.
#[derive(Debug, PartialEq)]
enum Heard {
    Message(Json),
    Closed(u16, String),
}

struct Client {
    stream: TcpStream,
}

impl Client {
    async fn connect(address: SocketAddr, headers: &str) -> Self {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!(
            "GET /graphql/ws HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
             sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n{headers}\r\n"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        let head = String::from_utf8(head).unwrap();
        assert!(head.starts_with("HTTP/1.1 101"), "{head}");
        Self { stream }
    }

    async fn send_frame(&mut self, kind: u8, payload: &[u8]) {
        let mut frame = vec![0x80 | kind];
        match u8::try_from(payload.len()) {
            Ok(length) if length < 126 => frame.push(0x80 | length),
            Ok(_) | Err(_) => {
                frame.push(0x80 | 126);
                frame.extend(u16::try_from(payload.len()).unwrap().to_be_bytes());
            }
        }
        // A mask of zeros is a mask.
        frame.extend([0; 4]);
        frame.extend(payload);
        self.stream.write_all(&frame).await.unwrap();
    }

    async fn say(&mut self, message: Json) {
        self.send_frame(TEXT, message.to_string().as_bytes()).await;
    }

    async fn hear(&mut self) -> Heard {
        loop {
            let kind = self.stream.read_u8().await.unwrap() & 0x0F;
            let length = match self.stream.read_u8().await.unwrap() {
                126 => usize::from(self.stream.read_u16().await.unwrap()),
                127 => usize::try_from(self.stream.read_u64().await.unwrap()).unwrap(),
                length => usize::from(length),
            };
            let mut payload = vec![0; length];
            self.stream.read_exact(&mut payload).await.unwrap();
            match kind {
                TEXT => return Heard::Message(serde_json::from_slice(&payload).unwrap()),
                CLOSE => {
                    let code = u16::from_be_bytes([payload[0], payload[1]]);
                    return Heard::Closed(code, String::from_utf8(payload[2..].to_vec()).unwrap());
                }
                PING => {}
                other => panic!("frame of kind {other}"),
            }
        }
    }

    async fn initialised(address: SocketAddr, payload: Json) -> Self {
        let mut client = Self::connect(address, PROTOCOL).await;
        client.say(json!({ "type": "connection_init", "payload": payload })).await;
        assert_eq!(client.hear().await, Heard::Message(json!({ "type": "connection_ack" })));
        client
    }
}

const PROTOCOL: &str = "sec-websocket-protocol: graphql-transport-ws\r\n";

/// Binds the application to a port; the server goes with the returned guard.
#[expect(clippy::disallowed_methods, reason = "the server of a test ends with the test")]
async fn serve(app: &TestApp) -> (SocketAddr, tokio::sync::oneshot::Sender<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let router = pulso::http::router(Arc::clone(&app.app));
    tokio::spawn(async move {
        let ends = async move {
            stopped.await.ok();
        };
        axum::serve(listener, router).with_graceful_shutdown(ends).await.unwrap();
    });
    (address, stop)
}

fn subscribe(id: &str, query: &str) -> Json {
    json!({ "id": id, "type": "subscribe", "payload": { "query": query } })
}

fn closed(code: u16, reason: &str) -> Heard {
    Heard::Closed(code, reason.to_owned())
}

both_databases! {
    async fn operations_answer_next_and_complete_or_error(app: TestApp) {
        let (address, _serving) = serve(&app).await;
        let mut client = Client::initialised(address, Json::Null).await;
        client.say(subscribe("a", "{ __typename }")).await;
        let Heard::Message(next) = client.hear().await else { panic!("closed") };
        assert_eq!((&next["id"], &next["type"]), (&json!("a"), &json!("next")));
        assert_eq!(next["payload"]["data"], json!({ "__typename": "Query" }));
        assert_eq!(client.hear().await, Heard::Message(json!({ "id": "a", "type": "complete" })));

        client.say(subscribe("b", "{")).await;
        let Heard::Message(error) = client.hear().await else { panic!("closed") };
        assert_eq!((&error["id"], &error["type"]), (&json!("b"), &json!("error")));
        assert!(error["payload"][0]["message"].is_string(), "{error}");

        // An id may be used again once its operation has ended.
        client.say(subscribe("a", "{ __typename }")).await;
        let Heard::Message(next) = client.hear().await else { panic!("closed") };
        assert_eq!(next["type"], "next");
    }

    async fn pings_are_answered_with_their_payload(app: TestApp) {
        let (address, _serving) = serve(&app).await;
        let mut client = Client::connect(address, PROTOCOL).await;
        client.say(json!({ "type": "ping", "payload": { "n": 1 } })).await;
        assert_eq!(client.hear().await, Heard::Message(json!({ "type": "pong", "payload": { "n": 1 } })));
        client.say(json!({ "type": "ping" })).await;
        assert_eq!(client.hear().await, Heard::Message(json!({ "type": "pong" })));
    }

    async fn a_client_that_breaks_the_protocol_is_told_how(app: TestApp) {
        let (address, _serving) = serve(&app).await;
        let mut client = Client::connect(address, PROTOCOL).await;
        client.say(subscribe("a", "{ __typename }")).await;
        assert_eq!(client.hear().await, closed(4401, "Unauthorized"));

        let mut client = Client::initialised(address, json!({})).await;
        client.say(json!({ "type": "connection_init" })).await;
        assert_eq!(client.hear().await, closed(4429, "Too many initialisation requests"));

        let mut client = Client::connect(address, "").await;
        assert_eq!(client.hear().await, closed(4406, "Subprotocol not acceptable"));
        let mut client = Client::connect(address, "sec-websocket-protocol: graphql-ws\r\n").await;
        assert_eq!(client.hear().await, closed(4406, "Subprotocol not acceptable"));

        let long = "é".repeat(200);
        for wrong in ["{", "[]", "7", r#"{"type":"nothing"}"#, r#"{"id":"","type":"complete"}"#,
            r#"{"id":"a","type":"subscribe","payload":{}}"#,
            r#"{"id":"a","type":"subscribe","payload":{"query":"{a}","variables":"\u0000"}}"#,
            r#"{"type":"connection_init","payload":"x"}"#, &long]
        {
            let mut client = Client::connect(address, PROTOCOL).await;
            client.send_frame(TEXT, wrong.as_bytes()).await;
            let Heard::Closed(code, reason) = client.hear().await else { panic!("{wrong}") };
            assert_eq!(code, 4400, "{wrong}: {reason}");
        }
        let mut client = Client::connect(address, PROTOCOL).await;
        client.send_frame(BINARY, b"{}").await;
        assert!(matches!(client.hear().await, Heard::Closed(4400, _)));
    }

    async fn a_wrong_credential_is_forbidden(app: TestApp) {
        let (address, _serving) = serve(&app).await;
        for payload in [
            json!({ "authorization": "Bearer nonsense" }),
            json!({ "Authorization": "nonsense" }),
            json!({ "token": "nonsense" }),
            json!({ "headers": { "Authorization": "Bearer nonsense" } }),
        ] {
            let mut client = Client::connect(address, PROTOCOL).await;
            client.say(json!({ "type": "connection_init", "payload": payload })).await;
            assert_eq!(client.hear().await, closed(4403, "Forbidden"));
        }
        let mut client =
            Client::connect(address, &format!("{PROTOCOL}authorization: Bearer nonsense\r\n")).await;
        client.say(json!({ "type": "connection_init" })).await;
        assert_eq!(client.hear().await, closed(4403, "Forbidden"));
    }

    async fn a_cookie_counts_for_pages_of_ours_alone(app: TestApp) {
        let (address, _serving) = serve(&app).await;
        let person = &app.alpha.admin;
        let origin = Origin::internal("test");
        let session = login(&app.app, "alpha", &person.email, PASSWORD, &origin).await.unwrap();
        let cookie = format!("cookie: __Host-pulso_access={}\r\n", session.access_token);
        let connected = async |page: &str| {
            let mut client = Client::connect(address, &format!("{PROTOCOL}{cookie}{page}")).await;
            client.say(json!({ "type": "connection_init" })).await;
            assert_eq!(client.hear().await, Heard::Message(json!({ "type": "connection_ack" })));
            client
        };
        let who = async |client: &mut Client, id: &str| {
            client.say(subscribe(id, "{ me { user { id } } }")).await;
            let Heard::Message(next) = client.hear().await else { return json!("closed") };
            client.hear().await;
            next["payload"]["data"]["me"]["user"]["id"].clone()
        };
        let mut ours = connected("origin: https://x\r\n").await;
        assert_eq!(who(&mut ours, "a").await, json!(person.id));
        for foreign in ["", "origin: https://evil.example\r\n", "origin: http://x\r\n",
            "origin: https://x.evil.example\r\n", "origin: null\r\n"]
        {
            assert_eq!(who(&mut connected(foreign).await, "a").await, Json::Null, "{foreign}");
        }
        // The session ends, and with it the connection at its next operation.
        app.data(&session.access_token, "mutation { logout }", json!({})).await;
        assert_eq!(who(&mut ours, "b").await, json!("closed"));
    }

    async fn open_connections_are_let_go_when_the_server_stops(app: TestApp) {
        let (address, _serving) = serve(&app).await;
        let mut client = Client::initialised(address, json!({})).await;
        app.app.begin_stop();
        assert_eq!(client.hear().await, closed(1001, "going away"));
    }

    async fn a_plain_get_is_told_to_upgrade(app: TestApp) {
        let answer = app.get("/graphql/ws").await;
        assert_eq!(answer.status.as_u16(), 426);
        assert_eq!(answer.headers["upgrade"], "websocket");
        assert_eq!(answer.json()["code"], "UNSUPPORTED");
    }
}
