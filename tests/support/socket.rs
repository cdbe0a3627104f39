//! A client of graphql-transport-ws over a real connection: a few lines of RFC 6455, so that we judge
//! our server and not a library that would smooth over its mistakes.

use std::net::SocketAddr;
use std::sync::Arc;

use pulso::app::App;
use serde_json::{Value as Json, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

pub const TEXT: u8 = 1;
pub const BINARY: u8 = 2;
pub const CLOSE: u8 = 8;
const PING: u8 = 9;

/// What the server sent.
#[derive(Debug, PartialEq)]
pub enum Heard {
    Message(Json),
    Closed(u16, String),
}

pub struct Client {
    stream: TcpStream,
}

impl Client {
    pub async fn connect(address: SocketAddr, headers: &str) -> Self {
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

    pub async fn send_frame(&mut self, kind: u8, payload: &[u8]) {
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

    /// The head of a text of this length, and nothing of the text.
    pub async fn announce(&mut self, length: usize) {
        let mut head = vec![0x80 | TEXT, 0x80 | 127];
        head.extend(u64::try_from(length).unwrap().to_be_bytes());
        head.extend([0; 4]);
        self.stream.write_all(&head).await.unwrap();
    }

    pub async fn say(&mut self, message: Json) {
        self.send_frame(TEXT, message.to_string().as_bytes()).await;
    }

    pub async fn hear(&mut self) -> Heard {
        loop {
            let (kind, payload) = self.frame().await;
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

    /// Waits for a frame that only asks whether somebody is there.
    pub async fn hear_ping(&mut self) {
        assert_eq!(self.frame().await.0, PING);
    }

    async fn frame(&mut self) -> (u8, Vec<u8>) {
        let kind = self.stream.read_u8().await.unwrap() & 0x0F;
        let length = match self.stream.read_u8().await.unwrap() {
            126 => usize::from(self.stream.read_u16().await.unwrap()),
            127 => usize::try_from(self.stream.read_u64().await.unwrap()).unwrap(),
            length => usize::from(length),
        };
        let mut payload = vec![0; length];
        self.stream.read_exact(&mut payload).await.unwrap();
        (kind, payload)
    }

    pub async fn initialised(address: SocketAddr, payload: Json) -> Self {
        let mut client = Self::connect(address, PROTOCOL).await;
        client.say(json!({ "type": "connection_init", "payload": payload })).await;
        assert_eq!(client.hear().await, Heard::Message(json!({ "type": "connection_ack" })));
        client
    }
}

pub const PROTOCOL: &str = "sec-websocket-protocol: graphql-transport-ws\r\n";

/// Binds the application to a port; the server goes with the returned guard.
#[expect(clippy::disallowed_methods, reason = "the server of a test ends with the test")]
pub async fn serve(app: &Arc<App>) -> (SocketAddr, tokio::sync::oneshot::Sender<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let router = pulso::http::router(Arc::clone(app));
    tokio::spawn(async move {
        let ends = async move {
            stopped.await.ok();
        };
        axum::serve(listener, router).with_graceful_shutdown(ends).await.unwrap();
    });
    (address, stop)
}

pub fn subscribe(id: &str, query: &str) -> Json {
    json!({ "id": id, "type": "subscribe", "payload": { "query": query } })
}

pub fn closed(code: u16, reason: &str) -> Heard {
    Heard::Closed(code, reason.to_owned())
}
