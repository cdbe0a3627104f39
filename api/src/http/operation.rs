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
use crate::graphql::{Caller, Outcome, Request};

/// Runs a query or a mutation. `read_only` refuses mutations.
pub(super) async fn run(
    door: &Door,
    caller: Caller,
    mut request: Request,
    read_only: bool,
) -> Answer {
    if let Err(error) = registered(door, &caller, &mut request).await {
        return Answer::of_error(&error, origin_of(&caller));
    }
    let resolved = match door.persisted.resolve(&mut request).await {
        Ok(resolved) => resolved,
        Err(refusal) => return Answer::of_refusal(refusal),
    };
    let reply = door.app.graphql.execute(caller, request, read_only).await;
    if let Resolved::Remember(known) = resolved
        && reply.outcome != Outcome::ParseFailed
    {
        door.persisted.remember(known).await;
    }
    Answer::from(reply)
}

/// Puts the registered document into a request that has only a hash, for a key that may run no
/// other.
async fn registered(door: &Door, caller: &Caller, request: &mut Request) -> Result<()> {
    let Caller::Somebody(ctx) = caller else { return Ok(()) };
    if ctx.actor.persisted_only
        && request.query.is_none()
        && let Some(hash) = persisted::hash_of(request)
    {
        request.query = door.app.graphql.registered(ctx, hash).await?;
    }
    Ok(())
}

/// What an operation answers, one after the other. A query or a mutation answers once; subscriptions
/// will come in here.
pub(super) fn stream(door: &Door, caller: Caller, request: Request) -> BoxStream<'static, Answer> {
    let door = door.clone();
    let origin = origin_of(&caller).clone();
    let limit = Duration::from_millis(door.app.config.server.request_timeout_ms);
    futures::stream::once(async move {
        match tokio::time::timeout(limit, run(&door, caller, request, false)).await {
            Ok(answer) => answer,
            Err(_elapsed) => {
                let error = Error::unavailable(format!("operation given up after {limit:?}"));
                Answer::of_error(&error, &origin)
            }
        }
    })
    .boxed()
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
