//! GraphQL over HTTP (the specification's draft as judged by the audits of npm `graphql-http`): POST
//! with JSON, GET with parameters, batches, results as JSON or as server-sent events, and the
//! explorer page for browsers. Requests that are not well-formed get problem+json.

mod negotiate;
pub(super) mod parse;
mod stream;

use axum::Extension;
use axum::extract::{Request, State};
use axum::http::header::ACCEPT_ENCODING;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};

use self::negotiate::Media;
use self::parse::Incoming;
use super::body::{self, refused};
use super::observe::Who;
use super::reply::{Answer, ResultMedia, method_not_allowed};
use super::{Door, credentials, explorer, operation};
use crate::ctx::Origin;
use crate::error::http::Problem;
use crate::error::{Code, Error, say};
use crate::graphql::Caller;
use crate::limits;

pub(super) async fn handle(
    State(door): State<Door>,
    Extension(origin): Extension<Origin>,
    request: Request,
) -> Response {
    match answer(&door, &origin, request).await {
        Ok(response) => response,
        Err(problem) => problem.into_response(),
    }
}

async fn answer(door: &Door, origin: &Origin, request: Request) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let read_only = match parts.method {
        Method::GET | Method::HEAD => true,
        Method::POST => false,
        _ => return Err(method_not_allowed(origin, Some("GET, HEAD, POST"))),
    };
    let media = negotiated(door, origin, &parts.headers, read_only)?;
    if media == Media::Html {
        return Ok(explorer::page(&door.app));
    }
    if !read_only && !negotiate::is_json(&parts.headers) {
        return Err(content_type_refused(origin));
    }
    let caller = match credentials::caller(&door.app, &parts.headers, origin.clone()).await {
        Ok(caller) => caller,
        Err(error) => return Ok(Answer::of_error(&error, origin).into_response(result(media))),
    };
    let incoming = if read_only {
        parse::parameters(parts.uri.query().unwrap_or_default()).map(Incoming::One)
    } else {
        parse::body(&body::read(&parts.headers, body, limits::HTTP_BODY_BYTES_MAX, origin).await?)
    };
    let incoming = incoming.map_err(|error| problem(&error, origin))?;
    if media == Media::EventStream && matches!(incoming, Incoming::Batch(_)) {
        return Err(batch_of_events(origin));
    }
    let who = who(&caller);
    let mut response = run(door, caller, incoming, media, read_only).await;
    if let Some(who) = who {
        response.extensions_mut().insert(who);
    }
    Ok(response)
}

async fn run(
    door: &Door,
    caller: Caller,
    incoming: Incoming,
    media: Media,
    read_only: bool,
) -> Response {
    let errors_as_status = matches!(&caller, Caller::Somebody(ctx) if ctx.actor.errors_as_status);
    let told = |answer: Answer| if errors_as_status { answer.errors_as_status() } else { answer };
    match incoming {
        Incoming::One(request) if media == Media::EventStream => {
            stream::respond(door, caller, request, read_only).await
        }
        Incoming::One(request) => {
            let answer = operation::run(door, caller, request, read_only).await;
            let refused = read_only && answer.is_mutation;
            let answer = if refused { answer.refused_by_method() } else { answer };
            told(answer).into_response(result(media))
        }
        Incoming::Batch(requests) => {
            let mut answers = Vec::with_capacity(requests.len());
            for request in requests {
                let caller = operation::again(&caller);
                answers.push(operation::run(door, caller, request, read_only).await);
            }
            told(Answer::of_batch(&answers)).into_response(result(media))
        }
    }
}

fn negotiated(
    door: &Door,
    origin: &Origin,
    headers: &HeaderMap,
    read_only: bool,
) -> Result<Media, Problem> {
    let mut offers = vec![Media::Json, Media::GraphqlResponse, Media::EventStream];
    if read_only && door.app.config.graphql.graphiql {
        offers.push(Media::Html);
    }
    negotiate::choose(headers, &offers).ok_or_else(|| {
        let message = say(
            "this address answers with application/json, application/graphql-response+json or \
             text/event-stream",
            "este endereço responde com application/json, application/graphql-response+json ou \
             text/event-stream",
        );
        refused(StatusCode::NOT_ACCEPTABLE, Code::Unsupported, &message, origin)
    })
}

fn content_type_refused(origin: &Origin) -> Problem {
    let message = say(
        "send the request as Content-Type: application/json, in UTF-8 and not compressed",
        "envie a requisição como Content-Type: application/json, em UTF-8 e sem compressão",
    );
    refused(StatusCode::UNSUPPORTED_MEDIA_TYPE, Code::Unsupported, &message, origin)
        .with_header(ACCEPT_ENCODING, HeaderValue::from_static("identity"))
}

fn batch_of_events(origin: &Origin) -> Problem {
    let message = say(
        "a stream of events is of one operation: send it alone, or accept application/json",
        "um fluxo de eventos é de uma só operação: envie-a sozinha, ou aceite application/json",
    );
    refused(StatusCode::NOT_ACCEPTABLE, Code::Unsupported, &message, origin)
}

fn problem(error: &Error, origin: &Origin) -> Problem {
    Problem::of(error, origin.language, &origin.request_id)
}

fn result(media: Media) -> ResultMedia {
    match media {
        Media::GraphqlResponse => ResultMedia::GraphqlResponse,
        Media::Json | Media::EventStream | Media::Html => ResultMedia::Json,
    }
}

fn who(caller: &Caller) -> Option<Who> {
    match caller {
        Caller::Nobody { .. } => None,
        Caller::Somebody(ctx) => {
            Some(Who { tenant_id: ctx.actor.tenant_id, user_id: ctx.actor.user_id })
        }
    }
}
