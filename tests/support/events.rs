//! A client of server-sent events over a real connection, as far as tests need one.

use std::net::SocketAddr;

use serde_json::{Value as Json, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

/// What the server sent.
#[derive(Debug, PartialEq)]
pub enum Event {
    Next(Json),
    Complete,
    /// The answer ended.
    End,
}

pub struct Events {
    stream: BufReader<TcpStream>,
}

impl Events {
    /// Sends an operation and reads the head of the answer.
    pub async fn open(address: SocketAddr, credential: Option<&str>, query: &str) -> Self {
        let body = json!({ "query": query }).to_string();
        let bearer = credential.map(|key| format!("authorization: Bearer {key}\r\n"));
        let request = format!(
            "POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
             accept: text/event-stream\r\n{}content-length: {}\r\n\r\n{body}",
            bearer.unwrap_or_default(),
            body.len()
        );
        Self::send(address, &request).await
    }

    /// As a browser's `EventSource` does: a GET.
    pub async fn get(address: SocketAddr, credential: &str, query: &str) -> Self {
        let query = query.replace(' ', "%20").replace('{', "%7B").replace('}', "%7D");
        let request = format!(
            "GET /graphql?query={query} HTTP/1.1\r\nhost: x\r\naccept: text/event-stream\r\n\
             authorization: Bearer {credential}\r\n\r\n"
        );
        Self::send(address, &request).await
    }

    async fn send(address: SocketAddr, request: &str) -> Self {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut events = Self { stream: BufReader::new(stream) };
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert!(events.stream.read_line(&mut head).await.unwrap() > 0, "{head}");
        }
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        assert!(head.contains("content-type: text/event-stream"), "{head}");
        events
    }

    /// Waits for a line that only says that the stream is alive.
    pub async fn hear_comment(&mut self) {
        let mut line = String::new();
        while line.trim_end() != ":" {
            line.clear();
            assert!(self.stream.read_line(&mut line).await.unwrap() > 0);
        }
    }

    pub async fn hear(&mut self) -> Event {
        let mut kind = String::new();
        loop {
            let mut line = String::new();
            let read = self.stream.read_line(&mut line).await.unwrap();
            let line = line.trim_end();
            // The last chunk of the answer is empty.
            if read == 0 || line == "0" {
                return Event::End;
            }
            if let Some(name) = line.strip_prefix("event: ") {
                name.clone_into(&mut kind);
            } else if let Some(data) = line.strip_prefix("data:") {
                return match kind.as_str() {
                    "complete" => Event::Complete,
                    "next" => Event::Next(serde_json::from_str(data).unwrap()),
                    other => panic!("{other}"),
                };
            }
        }
    }
}
