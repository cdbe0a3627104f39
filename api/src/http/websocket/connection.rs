//! One connection: a loop over what the client says, what its operations answer, and the clock.
//! Operations run inside the loop and not as tasks, so that they end with the connection.

use std::collections::HashMap;
use std::time::Duration;

use axum::extract::ws::{Message, WebSocket};
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::{AbortHandle, Abortable, BoxStream, SelectAll};
use serde_json::{Map, Value};
use tokio::time::{Interval, MissedTickBehavior, interval, sleep};

use super::message::{self, Close, FromClient};
use crate::ctx::Origin;
use crate::error::{Error, say};
use crate::graphql::{Caller, Request, Told};
use crate::http::reply::Answer;
use crate::http::{Door, credentials, operation};
use crate::limits;

const PING_EVERY: Duration = Duration::from_millis(limits::WS_PING_EVERY_MS);
const INIT_TIMEOUT: Duration = Duration::from_millis(limits::WS_INIT_TIMEOUT_MS);
/// A client that does not read what it asked for is let go.
const SEND_TIMEOUT: Duration = Duration::from_secs(30);
const SILENT_PINGS_MAX: u32 = 3;
/// How long a client has to close its side.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// What an operation has to say.
enum Said {
    Next(Bytes),
    /// Did not run; nothing follows.
    Failed(Bytes),
    Complete,
    /// The connection's credential no longer holds.
    Forbidden,
    /// The server stops, and closes the connection: the client subscribes again on another.
    Cut,
}

struct Connection {
    door: Door,
    origin: Origin,
    /// From the upgrade request, used when `connection_init` has none.
    header_bearer: Option<String>,
    initialised: bool,
    bearer: Option<String>,
    operations: SelectAll<Abortable<BoxStream<'static, (String, Said)>>>,
    running: HashMap<String, AbortHandle>,
    pings_unanswered: u32,
    /// The server stops: what runs may finish, nothing new begins.
    ending: bool,
}

/// Serves a connection until it is closed.
pub(super) async fn run(
    door: Door,
    origin: Origin,
    header_bearer: Option<String>,
    mut socket: WebSocket,
) {
    let mut connection = Connection {
        door,
        origin,
        header_bearer,
        initialised: false,
        bearer: None,
        operations: SelectAll::new(),
        running: HashMap::new(),
        pings_unanswered: 0,
        ending: false,
    };
    let ended = connection.serve(&mut socket).await;
    // What still runs ends here, however long the client takes to go.
    drop(connection);
    close(&mut socket, ended.err().flatten()).await;
}

/// Both sides say that they close before the connection goes: a client that hears nothing takes it
/// for a failure, and what it has not read yet is lost.
pub(super) async fn close(socket: &mut WebSocket, reason: Option<Close>) {
    if let Some(close) = reason
        && let Err(error) = send(socket, close.message()).await
    {
        tracing::debug!(?error, ?close, "the client left before it was told");
    }
    let heard = async { while let Some(Ok(_ignored)) = socket.recv().await {} };
    if tokio::time::timeout(CLOSE_TIMEOUT, heard).await.is_err() {
        tracing::debug!("the client did not close its side");
    }
}

/// `Err(Some(_))` closes with a reason, `Err(None)` means that the client is gone.
type Step = Result<(), Option<Close>>;

impl Connection {
    async fn serve(&mut self, socket: &mut WebSocket) -> Step {
        let init_deadline = sleep(INIT_TIMEOUT);
        tokio::pin!(init_deadline);
        let stopped = self.door.app.stopped();
        tokio::pin!(stopped);
        let mut pings = ping_clock();
        loop {
            if self.ending && self.running.is_empty() {
                return Err(Some(Close::GoingAway));
            }
            tokio::select! {
                () = &mut stopped, if !self.ending => self.ending = true,
                () = &mut init_deadline, if !self.initialised => {
                    return Err(Some(Close::InitTimeout));
                }
                _ = pings.tick() => {
                    if self.pings_unanswered >= SILENT_PINGS_MAX {
                        return Err(None);
                    }
                    self.pings_unanswered += 1;
                    send(socket, Message::Ping(Bytes::new())).await?;
                }
                received = socket.recv() => match received {
                    Some(Ok(frame)) => self.receive(socket, frame).await?,
                    Some(Err(error)) => return Err(unreadable(&error)),
                    None => return Err(None),
                },
                Some((id, said)) = self.operations.next(), if !self.operations.is_empty() => {
                    self.tell(socket, &id, said).await?;
                }
            }
        }
    }

    async fn receive(&mut self, socket: &mut WebSocket, frame: Message) -> Step {
        self.pings_unanswered = 0;
        let text = match frame {
            Message::Text(text) => text,
            Message::Binary(_) => {
                return Err(Some(Close::Invalid("Invalid message: not a text".to_owned())));
            }
            // Pings of the transport are answered by the library.
            Message::Ping(_) | Message::Pong(_) => return Ok(()),
            Message::Close(_) => return Err(None),
        };
        match message::read(&text).map_err(Some)? {
            FromClient::Init { payload } => self.initialise(socket, &payload).await,
            FromClient::Ping { payload } => send(socket, message::pong(payload)).await,
            FromClient::Pong => Ok(()),
            FromClient::Subscribe { id, request } => self.subscribe(socket, id, *request).await,
            FromClient::Impossible { id, error } => self.refuse(socket, &id, &error).await,
            FromClient::Complete { id } => {
                self.end(&id);
                Ok(())
            }
        }
    }

    async fn initialise(&mut self, socket: &mut WebSocket, payload: &Map<String, Value>) -> Step {
        if self.initialised {
            return Err(Some(Close::TooManyInits));
        }
        self.bearer = message::credential(payload).or_else(|| self.header_bearer.take());
        if let Err(close) = caller(&self.door, self.bearer.as_deref(), &self.origin).await {
            return Err(Some(close));
        }
        self.initialised = true;
        send(socket, message::ack()).await
    }

    async fn subscribe(&mut self, socket: &mut WebSocket, id: String, request: Request) -> Step {
        if self.running.len() >= limits::WS_OPERATIONS_MAX {
            return self.refuse(socket, &id, &too_many()).await;
        }
        self.admit(&id)?;
        if self.ending {
            // An error would be the last word: the client is to ask again after the close.
            return Ok(());
        }
        let (handle, registration) = AbortHandle::new_pair();
        let said =
            operation_of(self.door.clone(), self.bearer.clone(), self.origin.clone(), request);
        let tagged = {
            let id = id.clone();
            said.map(move |said| (id.clone(), said)).boxed()
        };
        self.operations.push(Abortable::new(tagged, registration));
        self.running.insert(id, handle);
        Ok(())
    }

    /// Whether the protocol lets an operation begin under this id.
    fn admit(&self, id: &str) -> Step {
        if !self.initialised {
            Err(Some(Close::NotInitialised))
        } else if self.running.contains_key(id) {
            Err(Some(Close::AlreadyExists(id.to_owned())))
        } else {
            Ok(())
        }
    }

    async fn refuse(&mut self, socket: &mut WebSocket, id: &str, error: &Error) -> Step {
        self.admit(id)?;
        let answer = Answer::of_error(error, &self.origin);
        send(socket, message::error(id, &answer.body)).await
    }

    /// Nothing more is heard of an operation, also when its id is used again at once.
    fn end(&mut self, id: &str) {
        if let Some(handle) = self.running.remove(id) {
            handle.abort();
        }
    }

    async fn tell(&mut self, socket: &mut WebSocket, id: &str, said: Said) -> Step {
        if !self.running.contains_key(id) {
            return Ok(());
        }
        match said {
            Said::Next(body) => send(socket, message::next(id, &body)).await,
            Said::Failed(body) => {
                self.end(id);
                send(socket, message::error(id, &body)).await
            }
            Said::Complete => {
                self.running.remove(id);
                send(socket, message::complete(id)).await
            }
            Said::Forbidden => Err(Some(Close::Forbidden)),
            Said::Cut => {
                self.running.remove(id);
                Ok(())
            }
        }
    }
}

/// Everything that one operation will say, its caller resolved anew.
fn operation_of(
    door: Door,
    bearer: Option<String>,
    origin: Origin,
    request: Request,
) -> BoxStream<'static, Said> {
    let started = async move {
        let caller = match caller(&door, bearer.as_deref(), &origin).await {
            Ok(caller) => caller,
            Err(Close::Forbidden) => {
                return futures::stream::iter([Said::Forbidden]).boxed();
            }
            Err(_other) => {
                let error = Error::unavailable("credentials could not be checked");
                let body = Answer::of_error(&error, &origin).body;
                return futures::stream::iter([Said::Failed(body)]).boxed();
            }
        };
        operation::stream(&door, caller, request)
            .map(|told| match told {
                Told::Next(answer) if answer.executed => Said::Next(answer.body),
                Told::Over(answer) if answer.executed => Said::Forbidden,
                Told::Next(answer) | Told::Over(answer) => Said::Failed(answer.body),
                Told::Cut => Said::Cut,
            })
            .chain(futures::stream::iter([Said::Complete]))
            .boxed()
    };
    futures::stream::once(started).flatten().boxed()
}

async fn caller(door: &Door, bearer: Option<&str>, origin: &Origin) -> Result<Caller, Close> {
    let Some(bearer) = bearer else {
        return Ok(Caller::Nobody { app: door.app.clone(), origin: origin.clone() });
    };
    match credentials::authenticate(&door.app, bearer, origin.clone()).await {
        Ok(ctx) => Ok(Caller::Somebody(ctx)),
        Err(Error::Unauthenticated { .. } | Error::Forbidden { .. }) => Err(Close::Forbidden),
        Err(error) => {
            crate::error::http::log_cause(&error, &origin.request_id);
            Err(if error.retryable() { Close::TryAgainLater } else { Close::Internal })
        }
    }
}

async fn send(socket: &mut WebSocket, message: Message) -> Step {
    match tokio::time::timeout(SEND_TIMEOUT, socket.send(message)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) | Err(_) => Err(None),
    }
}

/// What to say to a frame that cannot be read; nothing where the connection itself failed.
fn unreadable(error: &axum::Error) -> Option<Close> {
    // axum does not say which: these are the words of its WebSocket library.
    let words = error.to_string();
    if words.contains("too long") {
        Some(Close::TooLong)
    } else if words.contains("UTF-8") {
        Some(Close::NotText)
    } else {
        None
    }
}

fn too_many() -> Error {
    let max = limits::WS_OPERATIONS_MAX;
    Error::limit(say(
        format!("a connection runs at most {max} operations at the same time"),
        format!("uma conexão executa no máximo {max} operações ao mesmo tempo"),
    ))
}

fn ping_clock() -> Interval {
    let mut pings = interval(PING_EVERY);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    pings.reset();
    pings
}
