//! The GraphQL door: one schema out of all rooms, one operation at a time. The document is parsed
//! (and remembered), checked against the limits, validated by async-graphql, then all engine fields
//! of the operation are planned together and read in one snapshot; their text goes into the response
//! without another copy. An operation of engine fields alone that was valid before with the same
//! variables is read without async-graphql, and while its caller's rights are the same, by the plan
//! that was made for them.
//!
//! Not here: transport (that is `http/`), rules (those are in the rooms).

mod account;
pub(crate) mod catalogue;
mod document;
mod enums;
mod errors;
mod introspection;
mod limits;
mod nul;
mod operation;
mod order;
mod plans;
mod rate_limit;
mod registered;
mod respond;
mod roots;
mod steps;
mod subscription;
mod validated;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use async_graphql::{SDLExportOptions, Schema};
use bytes::Bytes;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::ctx::Ctx;
use crate::error::{Code, Error, Result};
use crate::rate::Standings;
use crate::record::declare::Freshness;
use crate::telemetry::OperationKind;
use account::Account;
use document::{Documents, Operation};
use operation::OperationState;
use plans::Plans;
use registered::Registered;
use roots::{Mutation, Query, Subscription};
use validated::Asked;

pub use crate::ctx::Caller;
pub use crate::error::graphql::to_field_error as field_error;
pub use catalogue::{Entry, Write, catalogue};
pub use subscription::{Opened, Told};

/// One operation as it was sent.
#[derive(Debug, Clone, Default)]
pub struct Request {
    pub query: Option<String>,
    pub operation_name: Option<String>,
    pub variables: Map<String, Value>,
    pub extensions: Map<String, Value>,
}

/// What became of an operation, for the transport's status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It ran; data may be null, with errors.
    Executed,
    ParseFailed,
    /// It did not run: validation, limits, the choice of the operation.
    Refused,
    Unauthenticated,
    RateLimited {
        retry_after_s: u64,
    },
    Unavailable,
}

impl Outcome {
    /// Seconds after which the same may be asked again, where that is known.
    pub fn retry_after_s(self) -> Option<u64> {
        match self {
            Self::RateLimited { retry_after_s } => Some(retry_after_s),
            Self::Executed
            | Self::ParseFailed
            | Self::Refused
            | Self::Unauthenticated
            | Self::Unavailable => None,
        }
    }

    /// Its name in measurements.
    fn as_str(self) -> &'static str {
        match self {
            Self::Executed => "executed",
            Self::ParseFailed => "parse_failed",
            Self::Refused => "refused",
            Self::Unauthenticated => "unauthenticated",
            Self::RateLimited { .. } => "rate_limited",
            Self::Unavailable => "unavailable",
        }
    }
}

#[derive(Debug, Clone)]
pub struct Reply {
    /// The complete response.
    pub body: Bytes,
    pub outcome: Outcome,
    pub is_mutation: bool,
    /// The code of the first error, where there is one.
    pub failed: Option<Code>,
    /// What the caller has left.
    pub standings: Standings,
    /// How fresh the parts of the answer are that were kept.
    pub freshness: Vec<Freshness>,
    pub took: Duration,
}

/// The schema and what is remembered of documents.
pub struct Graphql {
    schema: Schema<Query, Mutation, Subscription>,
    documents: Documents,
    plans: Plans,
    registered: Registered,
    sdl: String,
    sdl_etag: String,
}

impl Graphql {
    pub fn build() -> Result<Self> {
        let schema = Schema::build(Query::default(), Mutation::default(), Subscription::default())
            .extension(steps::Steps)
            .directive(roots::idempotent)
            .finish();
        let sdl = schema.sdl_with_options(SDLExportOptions::new().include_specified_by());
        let digest = Sha256::digest(sdl.as_bytes());
        let mark: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        let sdl_etag = format!("\"{mark}\"");
        let (documents, registered) = (Documents::new(), Registered::new());
        Ok(Self { schema, documents, plans: Plans::new(), registered, sdl, sdl_etag })
    }

    pub fn sdl(&self) -> &str {
        &self.sdl
    }

    /// A strong validator of [`Graphql::sdl`].
    pub fn sdl_etag(&self) -> &str {
        &self.sdl_etag
    }

    /// The document that the caller's tenant has registered under a digest.
    pub async fn registered(&self, ctx: &Ctx, sha256_hash: &str) -> Result<Option<String>> {
        self.registered.document(ctx, sha256_hash).await
    }

    /// Runs one operation. With `read_only`, a mutation is not run.
    pub async fn execute(&self, caller: Caller, request: Request, read_only: bool) -> Reply {
        let app = Arc::clone(caller.app());
        let started = app.clock.stopwatch();
        let (account, charged) = Account::open(&caller).await;
        let state = Arc::new(OperationState::new(account));
        let mut reply = match charged {
            Ok(()) => Box::pin(self.run(caller, request, read_only, (&state, started))).await,
            Err(error) => respond::refuse(&Refusal::of(error), caller.origin(), false),
        };
        reply.standings = state.account.standings();
        let kind = if reply.is_mutation { "mutation" } else { "query" };
        app.metrics.operation_finished(
            OperationKind { kind, outcome: reply.outcome.as_str() },
            state.cost(started.elapsed()),
        );
        reply
    }

    async fn run(
        &self,
        caller: Caller,
        request: Request,
        read_only: bool,
        (state, started): (&Arc<OperationState>, Instant),
    ) -> Reply {
        let origin = caller.origin().clone();
        let query = request.query.as_deref().unwrap_or_default();
        if let Err(refusal) = self.registered.admit(&caller, query).await {
            return respond::refuse(&refusal, &origin, false);
        }
        let document = match self.documents.parse(query).await {
            Ok(document) => document,
            Err(refusal) => return respond::refuse(&refusal, &origin, false),
        };
        let operation = match document.operation(request.operation_name.as_deref()) {
            Ok(operation) => operation,
            Err(refusal) => return respond::refuse(&refusal, &origin, false),
        };
        let name = request.operation_name.as_deref();
        let asked = Asked::of(&document, &operation, name, &request.variables);
        if let Caller::Somebody(ctx) = &caller
            && let Some(planned) = self.plans.find(&asked, &ctx.actor).await
        {
            let planned = Ok(planned);
            let reading = state.read_alone(&caller, &planned);
            let response = Box::pin(state.tally.over(reading)).await;
            return respond::finish(response, state, &origin, false, started.elapsed());
        }
        let is_mutation = operation.is_mutation;
        let fields = operation.root_fields();
        state.is_guarded.store(account::is_guarded(&fields), Ordering::Relaxed);
        if let Err(refusal) = admit(&caller, &operation, read_only).await {
            return respond::refuse(&refusal, &origin, is_mutation);
        }
        let sees_schema = introspection::is_open(&caller);
        let variables = match operation.variables(request.variables) {
            Ok(variables) => variables,
            Err(refusal) => return respond::refuse(&refusal, &origin, is_mutation),
        };
        let is_engines = |field: &String| catalogue().read(field).is_some();
        if !is_mutation && asked.found().is_some() && fields.iter().all(is_engines) {
            let scope = operation.scope(&variables);
            let planned = state.plan(&caller, &scope).map(Arc::new);
            let reading = state.read_alone(&caller, &planned);
            let response = Box::pin(state.tally.over(reading)).await;
            if let (Caller::Somebody(ctx), Ok(planned)) = (&caller, planned) {
                self.plans.note(asked, &ctx.actor, planned).await;
            }
            return respond::finish(response, state, &origin, is_mutation, started.elapsed());
        }
        let mut engine_request = async_graphql::Request::new(query)
            .variables(variables)
            .data(Arc::clone(state))
            .data(asked)
            .data(caller);
        if let Some(name) = request.operation_name {
            engine_request = engine_request.operation_name(name);
        }
        engine_request.set_parsed_query(document.parsed());
        let mut response = Box::pin(state.tally.over(self.schema.execute(engine_request))).await;
        if !sees_schema {
            introspection::forget_suggestions(&mut response);
        }
        response.data = operation.in_order(response.data);
        respond::finish(response, state, &origin, is_mutation, started.elapsed())
    }
}

/// Whether an operation that was read may run at all.
async fn admit(caller: &Caller, operation: &Operation<'_>, read_only: bool) -> Result<(), Refusal> {
    let app = caller.app();
    let somebody = matches!(caller, Caller::Somebody(_));
    operation.check(app.config.graphql.introspection, somebody)?;
    if operation.is_subscription {
        return Err(document::needs_a_stream());
    }
    if !operation.is_mutation {
        return Ok(());
    }
    if read_only {
        return Err(document::by_get());
    }
    let fields = operation.root_fields();
    account::guard(app, caller.origin(), fields.iter().map(String::as_str)).await
}

/// Why an operation was not run, before anything looked at its data.
pub(crate) struct Refusal {
    pub(crate) outcome: Outcome,
    pub(crate) error: Box<Error>,
    /// A protocol code that stands instead of the error's own.
    pub(crate) protocol_code: Option<&'static str>,
    pub(crate) position: Option<async_graphql::Pos>,
}

impl Refusal {
    pub(crate) fn of(error: Error) -> Self {
        let outcome = match &error {
            Error::RateLimited { retry_after_s, .. } => {
                Outcome::RateLimited { retry_after_s: *retry_after_s }
            }
            Error::Unavailable { .. } => Outcome::Unavailable,
            Error::NotFound { .. }
            | Error::Conflict { .. }
            | Error::Invalid { .. }
            | Error::Unauthenticated { .. }
            | Error::Forbidden { .. }
            | Error::LimitExceeded { .. }
            | Error::Unsupported { .. }
            | Error::Internal { .. } => Outcome::Refused,
        };
        Self { outcome, error: Box::new(error), protocol_code: None, position: None }
    }
}
