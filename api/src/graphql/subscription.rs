//! Subscriptions: the same door as for other operations (cost, registered documents, limits,
//! validation), and then as many answers as there are.

use std::sync::Arc;
use std::time::Duration;

use async_graphql::{Response, Value};
use futures::stream::{BoxStream, once, unfold};
use futures::{Stream, StreamExt};

use super::account::Account;
use super::document::Document;
use super::operation::OperationState;
use super::{Caller, Graphql, Refusal, Reply, Request, introspection, limits, respond};
use crate::db::Tally;
use crate::error::{Code, Result};
use crate::telemetry::OperationKind;

/// What became of an operation that may answer more than once.
pub enum Opened {
    Once(Box<Reply>),
    Many(BoxStream<'static, Told<Reply>>),
}

/// What a subscription has to say.
pub enum Told<T> {
    Next(T),
    /// The last answer: the caller's credential no longer holds.
    Over(T),
    /// The server stops. Not an end: the client is to subscribe again.
    Cut,
}

impl<T> Told<T> {
    pub fn map<U>(self, with: impl FnOnce(T) -> U) -> Told<U> {
        match self {
            Self::Next(said) => Told::Next(with(said)),
            Self::Over(said) => Told::Over(with(said)),
            Self::Cut => Told::Cut,
        }
    }
}

impl Graphql {
    /// Runs one operation, or begins it if it is a subscription. With `read_only`, a mutation is not
    /// run.
    pub async fn open(&self, caller: Caller, request: Request, read_only: bool) -> Opened {
        if !self.is_subscription(&request).await {
            return Opened::Once(Box::new(self.execute(caller, request, read_only).await));
        }
        let app = Arc::clone(caller.app());
        let started = app.clock.stopwatch();
        let (account, charged) = Account::open(&caller).await;
        let state = Arc::new(OperationState::new(account));
        let origin = caller.origin().clone();
        let opened = self.begin(caller, request, (&state, charged)).await;
        let (outcome, opened) = match opened {
            Ok(answers) => ("executed", Opened::Many(answers)),
            Err(refusal) => {
                let mut reply = respond::refuse(&refusal, &origin, false);
                reply.standings = state.account.standings();
                (reply.outcome.as_str(), Opened::Once(Box::new(reply)))
            }
        };
        let kind = OperationKind { kind: "subscription", outcome };
        app.metrics.operation_finished(kind, state.cost(started.elapsed()));
        opened
    }

    /// A document that cannot be read is refused on the way of all others.
    async fn is_subscription(&self, request: &Request) -> bool {
        let query = request.query.as_deref().unwrap_or_default();
        if !query.contains("subscription") {
            return false;
        }
        match self.documents.parse(query).await {
            Ok(document) => document
                .operation(request.operation_name.as_deref())
                .is_ok_and(|operation| operation.is_subscription),
            Err(_unreadable) => false,
        }
    }

    async fn begin(
        &self,
        caller: Caller,
        request: Request,
        (state, charged): (&Arc<OperationState>, Result<()>),
    ) -> std::result::Result<BoxStream<'static, Told<Reply>>, Refusal> {
        charged.map_err(Refusal::of)?;
        let charged = state.account.charge_subscription(&caller).await;
        charged.map_err(Refusal::of)?;
        let (app, origin) = (Arc::clone(caller.app()), caller.origin().clone());
        let query = request.query.unwrap_or_default();
        self.registered.admit(&caller, &query).await?;
        let document = self.documents.parse(&query).await?;
        let name = request.operation_name;
        let operation = document.operation(name.as_deref())?;
        let somebody = matches!(caller, Caller::Somebody(_));
        operation.check(app.config.graphql.introspection, somebody)?;
        if operation.root_fields().len() != 1 {
            return Err(limits::passed("root fields of a subscription", 1));
        }
        let variables = operation.variables(request.variables)?;
        let sees_schema = introspection::is_open(&caller);
        let mut asked = async_graphql::Request::new(query)
            .variables(variables)
            .data(Arc::clone(state))
            .data(caller);
        if let Some(name) = &name {
            asked = asked.operation_name(name);
        }
        asked.set_parsed_query(document.parsed());
        let state = Arc::clone(state);
        let answers = counted(self.schema.execute_stream(asked).boxed(), state.tally.clone());
        let answers = answers.map(move |mut response| {
            if !sees_schema {
                introspection::forget_suggestions(&mut response);
            }
            response.data = in_order(&document, name.as_deref(), response.data);
            let is_over = is_unauthenticated(&response);
            let reply = respond::finish(response, &state, &origin, false, Duration::ZERO);
            if is_over { Told::Over(reply) } else { Told::Next(reply) }
        });
        // A field ends without a word when the server stops.
        let last = once(async move { app.is_stopping().then_some(Told::Cut) });
        Ok(answers.chain(last.filter_map(std::future::ready)).boxed())
    }
}

/// Each answer with the statements that were run for it.
fn counted(
    answers: BoxStream<'static, Response>,
    tally: Tally,
) -> impl Stream<Item = Response> + Send + 'static {
    unfold((answers, tally), |(mut answers, tally)| async move {
        tally.restart();
        let answer = tally.over(answers.next()).await?;
        Some((answer, (answers, tally)))
    })
}

fn in_order(document: &Document, name: Option<&str>, data: Value) -> Value {
    match document.operation(name) {
        Ok(operation) => operation.in_order(data),
        Err(_refusal) => data,
    }
}

fn is_unauthenticated(response: &Response) -> bool {
    let code = Value::from(Code::Unauthenticated.as_str());
    response.errors.iter().any(|error| {
        error.extensions.as_ref().and_then(|extensions| extensions.get("code")) == Some(&code)
    })
}
