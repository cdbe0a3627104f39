//! Results as server-sent events (graphql-sse, "distinct connections" mode): one `next` event per
//! result and a `complete` at the end. Comments in between keep proxies from closing the connection.

use std::convert::Infallible;
use std::future::ready;
use std::time::Duration;

use axum::body::Body;
use axum::http::HeaderValue;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, VARY};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::{BoxStream, once, unfold};
use tokio::time::{MissedTickBehavior, interval};

use crate::graphql::{Caller, Request, Told};
use crate::http::operation::Begun;
use crate::http::reply::{Answer, ResultMedia};
use crate::http::{Door, operation};

const KEEP_ALIVE_EVERY: Duration = Duration::from_secs(15);
/// With a `data:` line, because browsers drop events that have none.
const COMPLETE: &str = "event: complete\ndata:\n\n";

pub(super) async fn respond(
    door: &Door,
    caller: Caller,
    request: Request,
    read_only: bool,
) -> Response {
    if read_only {
        // EventSource can only GET: a query is fine, a mutation is refused as anywhere else.
        return match operation::open(door, caller, request, true).await {
            Begun::Once(answer) if answer.is_mutation => {
                answer.refused_by_method().into_response(ResultMedia::Json)
            }
            Begun::Once(answer) => events(operation::only(*answer)),
            Begun::Many(answers) => events(answers),
        };
    }
    events(operation::stream(door, caller, request))
}

fn events(answers: BoxStream<'static, Told<Answer>>) -> Response {
    let next =
        |answer: Answer| format!("event: next\ndata: {}\n\n", operation::one_line(&answer.body));
    let frames = answers
        .map(move |told| match told {
            Told::Next(answer) | Told::Over(answer) => Some(next(answer)),
            Told::Cut => None,
        })
        .chain(once(async { Some(COMPLETE.to_owned()) }))
        // What is cut off is not complete: the client connects again.
        .take_while(|frame| ready(frame.is_some()))
        .filter_map(ready)
        .boxed();
    let mut ticks = interval(KEEP_ALIVE_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks.reset();
    let kept_alive = unfold((frames, ticks), |(mut frames, mut ticks)| async move {
        let frame = tokio::select! {
            frame = frames.next() => frame?,
            _ = ticks.tick() => ":\n\n".to_owned(),
        };
        Some((Ok::<Bytes, Infallible>(Bytes::from(frame)), (frames, ticks)))
    });
    let mut response = Body::from_stream(kept_alive).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.append(VARY, HeaderValue::from_static("Accept"));
    response
}
