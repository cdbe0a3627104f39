//! Running one operation for any of the three ways it can come in (HTTP, SSE, WebSocket): persisted
//! queries, the time limit, and the door to the schema.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;

use super::Door;
use super::persisted::{self, Resolved};
use super::reply::Answer;
use crate::ctx::Origin;
use crate::error::{Error, Result};
use crate::graphql::{Caller, Opened, Outcome, Request, Told};

/// What became of an operation that may answer more than once.
pub(super) enum Begun {
    Once(Box<Answer>),
    Many(BoxStream<'static, Told<Answer>>),
}

/// Runs a query or a mutation. `read_only` refuses mutations.
pub(super) async fn run(
    door: &Door,
    caller: Caller,
    mut request: Request,
    read_only: bool,
) -> Answer {
    let resolved = match resolve(door, &caller, &mut request).await {
        Ok(resolved) => resolved,
        Err(refused) => return refused,
    };
    let reply = door.app.graphql.execute(caller, request, read_only).await;
    let has_parsed = reply.outcome != Outcome::ParseFailed;
    remember(door, resolved, has_parsed).await;
    Answer::from(reply)
}

/// Runs a query or a mutation, or begins a subscription. `read_only` refuses mutations.
pub(super) async fn open(
    door: &Door,
    caller: Caller,
    mut request: Request,
    read_only: bool,
) -> Begun {
    let resolved = match resolve(door, &caller, &mut request).await {
        Ok(resolved) => resolved,
        Err(refused) => return Begun::Once(Box::new(refused)),
    };
    match Box::pin(door.app.graphql.open(caller, request, read_only)).await {
        Opened::Once(reply) => {
            let has_parsed = reply.outcome != Outcome::ParseFailed;
            remember(door, resolved, has_parsed).await;
            Begun::Once(Box::new(Answer::from(*reply)))
        }
        Opened::Many(replies) => {
            remember(door, resolved, true).await;
            Begun::Many(replies.map(|told| told.map(Answer::from)).boxed())
        }
    }
}

/// Puts the document into a request that has only its hash.
async fn resolve(
    door: &Door,
    caller: &Caller,
    request: &mut Request,
) -> std::result::Result<Resolved, Answer> {
    let registered = registered(door, caller, request).await;
    registered.map_err(|error| Answer::of_error(&error, origin_of(caller)))?;
    door.persisted.resolve(request).await.map_err(Answer::of_refusal)
}

async fn remember(door: &Door, resolved: Resolved, has_parsed: bool) {
    if let Resolved::Remember(known) = resolved
        && has_parsed
    {
        door.persisted.remember(known).await;
    }
}

/// Puts the registered document into a request that has only a hash, for a key that may run no
/// other.
async fn registered(door: &Door, caller: &Caller, request: &mut Request) -> Result<()> {
    let Caller::Somebody(ctx) = caller else { return Ok(()) };
    if ctx.actor.persisted_only
        && request.query.is_none()
        && let Some(hash) = persisted::hash_of(request)
    {
        request.query = Box::pin(door.app.graphql.registered(ctx, hash)).await?;
    }
    Ok(())
}

/// What an operation answers, one after the other. A query or a mutation answers once.
pub(super) fn stream(
    door: &Door,
    caller: Caller,
    request: Request,
) -> BoxStream<'static, Told<Answer>> {
    let door = door.clone();
    let origin = origin_of(&caller).clone();
    let limit = Duration::from_millis(door.app.config.server.request_timeout_ms);
    futures::stream::once(async move {
        match tokio::time::timeout(limit, open(&door, caller, request, false)).await {
            Ok(Begun::Once(answer)) => only(*answer),
            Ok(Begun::Many(answers)) => answers,
            Err(_elapsed) => {
                let error = Error::unavailable(format!("operation given up after {limit:?}"));
                only(Answer::of_error(&error, &origin))
            }
        }
    })
    .flatten()
    .boxed()
}

/// One answer as a stream of them.
pub(super) fn only(answer: Answer) -> BoxStream<'static, Told<Answer>> {
    futures::stream::once(async { Told::Next(answer) }).boxed()
}

pub(super) fn origin_of(caller: &Caller) -> &Origin {
    match caller {
        Caller::Nobody { origin, .. } => origin,
        Caller::Somebody(ctx) => &ctx.origin,
    }
}

/// The same caller for the next operation of a batch or a connection.
pub(super) fn again(caller: &Caller) -> Caller {
    match caller {
        Caller::Nobody { app, origin } => {
            Caller::Nobody { app: Arc::clone(app), origin: origin.clone() }
        }
        Caller::Somebody(ctx) => Caller::Somebody(ctx.clone()),
    }
}

/// A result as one line: SSE ends a datum at a line break, and JSON has them only as white space.
pub(super) fn one_line(body: &Bytes) -> String {
    String::from_utf8_lossy(body).replace(['\n', '\r'], " ")
}
