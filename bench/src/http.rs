//! A small HTTP/1.1 client over one kept-open connection: it does what a load generator needs and
//! costs little, so that the processor is left to those who are measured.

use std::net::SocketAddr;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::outcome::{During as _, Outcome};

/// Where requests go, and as whom.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) address: SocketAddr,
    /// An API key, sent as a bearer token.
    pub(crate) key: Option<String>,
}

impl Target {
    /// The head of a POST of JSON to `/graphql`, up to and including the empty line.
    pub(crate) fn head(&self, length: usize) -> String {
        self.head_to("/graphql", "application/json", length)
    }

    /// The same for another path and type.
    pub(crate) fn head_to(&self, path: &str, content: &str, length: usize) -> String {
        let authorization = self.authorization();
        format!(
            "POST {path} HTTP/1.1\r\nHost: {}\r\nContent-Type: {content}\r\n\
             Accept: application/json\r\n{authorization}Content-Length: {length}\r\n\r\n",
            self.address
        )
    }
}

impl Target {
    /// A whole GET.
    pub(crate) fn get(&self, path: &str) -> String {
        format!(
            "GET {path} HTTP/1.1\r\nHost: {}\r\nAccept: application/json\r\n{}\r\n",
            self.address,
            self.authorization()
        )
    }

    fn authorization(&self) -> String {
        let header = |key| format!("Authorization: Bearer {key}\r\n");
        self.key.as_ref().map_or_else(String::new, header)
    }
}

/// One open connection.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
    /// The body of an answer that came in chunks.
    joined: Vec<u8>,
}

/// An answer, borrowed from its connection until the next request.
#[derive(Debug)]
pub(crate) struct Answer<'a> {
    pub(crate) status: u16,
    pub(crate) body: &'a [u8],
}

enum Body {
    Sized(usize),
    Chunked,
}

struct Head {
    status: u16,
    body: Body,
    /// Where the body begins.
    end: usize,
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> Outcome<Self> {
        let stream = TcpStream::connect(address).await.during(address)?;
        stream.set_nodelay(true).during(address)?;
        Ok(Self { stream, buffer: Vec::with_capacity(64 * 1024), joined: Vec::new() })
    }

    /// Sends one request and reads its answer to the end.
    pub(crate) async fn exchange(&mut self, request: &[u8]) -> Outcome<Answer<'_>> {
        self.buffer.clear();
        self.stream.write_all(request).await.during("sending a request")?;
        let head = loop {
            self.receive().await?;
            if let Some(head) = head_of(&self.buffer)? {
                break head;
            }
        };
        match head.body {
            Body::Sized(length) => {
                let end = head.end.saturating_add(length);
                while self.buffer.len() < end {
                    self.receive().await?;
                }
                let body = self.buffer.get(head.end..end).unwrap_or_default();
                Ok(Answer { status: head.status, body })
            }
            Body::Chunked => {
                while !self.join_chunks(head.end)? {
                    self.receive().await?;
                }
                Ok(Answer { status: head.status, body: &self.joined })
            }
        }
    }

    async fn receive(&mut self) -> Outcome {
        let count = self.stream.read_buf(&mut self.buffer).await.during("reading an answer")?;
        if count == 0 { Err("the server closed the connection".to_owned()) } else { Ok(()) }
    }

    /// Joins what came in chunks; `false` while the last chunk is missing.
    fn join_chunks(&mut self, start: usize) -> Outcome<bool> {
        self.joined.clear();
        let mut rest = self.buffer.get(start..).unwrap_or_default();
        loop {
            let Some(line_end) = rest.windows(2).position(|pair| pair == b"\r\n") else {
                return Ok(false);
            };
            let (line, after) = rest.split_at(line_end);
            let digits = str::from_utf8(line).during("size of a chunk")?;
            let digits = digits.split(';').next().unwrap_or_default().trim();
            let size = usize::from_str_radix(digits, 16).during("size of a chunk")?;
            let Some(chunk) = after.get(2..2_usize.saturating_add(size)) else {
                return Ok(false);
            };
            let Some(following) = after.get(size.saturating_add(4)..) else {
                return Ok(false);
            };
            if size == 0 {
                return Ok(true);
            }
            self.joined.extend_from_slice(chunk);
            rest = following;
        }
    }
}

/// The head of an answer, once all of it is there.
fn head_of(buffer: &[u8]) -> Outcome<Option<Head>> {
    let Some(length) = buffer.windows(4).position(|window| window == b"\r\n\r\n") else {
        return Ok(None);
    };
    let text = str::from_utf8(buffer.get(..length).unwrap_or_default()).during("head of answer")?;
    let mut lines = text.split("\r\n");
    let status = lines
        .next()
        .and_then(|line| line.split(' ').nth(1)?.parse().ok())
        .ok_or_else(|| format!("not HTTP: {text}"))?;
    let body = lines
        .find_map(|line| {
            let (name, value) = line.split_once(':')?;
            if name.eq_ignore_ascii_case("content-length") {
                value.trim().parse().ok().map(Body::Sized)
            } else if name.eq_ignore_ascii_case("transfer-encoding") {
                Some(Body::Chunked)
            } else {
                None
            }
        })
        .ok_or_else(|| format!("an answer without length: {text}"))?;
    Ok(Some(Head { status, body, end: length.saturating_add(4) }))
}

/// Whether `GET path` is answered with 200 right now. Blocking, for waiting at the start.
pub(crate) fn is_ready(address: SocketAddr, path: &str) -> bool {
    use std::io::{Read as _, Write as _};
    let Ok(mut stream) = std::net::TcpStream::connect(address) else {
        return false;
    };
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    let mut answer = String::new();
    stream.write_all(request.as_bytes()).is_ok()
        && stream.read_to_string(&mut answer).is_ok()
        && answer.split(' ').nth(1) == Some("200")
}

/// Asks one GraphQL question and returns its `data`; errors of any kind are errors here.
pub(crate) async fn ask(target: &Target, query: &str, variables: Value) -> Outcome<Value> {
    let body = serde_json::json!({ "query": query, "variables": variables }).to_string();
    let request = format!("{}{body}", target.head(body.len()));
    let mut connection = Connection::open(target.address).await?;
    let answer = connection.exchange(request.as_bytes()).await?;
    data_of(&answer)
}

/// The JSON that a path answers with.
pub(crate) async fn get(target: &Target, path: &str) -> Outcome<Value> {
    let mut connection = Connection::open(target.address).await?;
    let answer = connection.exchange(target.get(path).as_bytes()).await?;
    let text = String::from_utf8_lossy(answer.body);
    if answer.status != 200 {
        return Err(format!("{path}: status {}: {text}", answer.status));
    }
    serde_json::from_slice(answer.body).during(path)
}

/// The `data` of an answer without errors.
pub(crate) fn data_of(answer: &Answer<'_>) -> Outcome<Value> {
    let text = String::from_utf8_lossy(answer.body);
    let short: String = text.chars().take(600).collect();
    let mut value: Value = serde_json::from_slice(answer.body)
        .map_err(|error| format!("status {}, not JSON ({error}): {short}", answer.status))?;
    if answer.status != 200 || value.get("errors").is_some() {
        return Err(format!("status {}: {short}", answer.status));
    }
    value.get_mut("data").map(Value::take).ok_or_else(|| format!("no data: {short}"))
}
