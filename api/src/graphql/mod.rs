//! The GraphQL door: one schema out of all rooms, one operation at a time. The document is parsed
//! (and remembered), checked against the limits, validated by async-graphql, then all engine fields
//! of the operation are planned together and read in one snapshot; their text goes into the response
//! without another copy.
//!
//! Not here: transport (that is `http/`), rules (those are in the rooms).

pub(crate) mod catalogue;
mod document;
mod enums;
mod errors;
mod idempotency;
mod introspection;
mod limits;
mod nul;
mod operation;
mod order;
mod respond;
mod roots;

use std::sync::Arc;

use async_graphql::{EmptySubscription, SDLExportOptions, Schema};
use bytes::Bytes;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::config::Introspection;
use crate::error::{Error, Result};
use document::Documents;
use operation::OperationState;
use roots::{Mutation, Query};

pub use crate::ctx::Caller;
pub use crate::error::graphql::to_field_error as field_error;
pub use catalogue::{Entry, Write, catalogue};

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

#[derive(Debug, Clone)]
pub struct Reply {
    /// The complete response.
    pub body: Bytes,
    pub outcome: Outcome,
    pub is_mutation: bool,
}

/// The schema and what is remembered of documents.
pub struct Graphql {
    schema: Schema<Query, Mutation, EmptySubscription>,
    documents: Documents,
    sdl: String,
    sdl_etag: String,
}

impl Graphql {
    pub fn build() -> Result<Self> {
        let schema = Schema::build(Query::default(), Mutation::default(), EmptySubscription)
            .extension(operation::MarkExecuted)
            .directive(roots::idempotent)
            .finish();
        let sdl = schema.sdl_with_options(SDLExportOptions::new().include_specified_by());
        let digest = Sha256::digest(sdl.as_bytes());
        let mark: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        Ok(Self { schema, documents: Documents::new(), sdl, sdl_etag: format!("\"{mark}\"") })
    }

    pub fn sdl(&self) -> &str {
        &self.sdl
    }

    /// A strong validator of [`Graphql::sdl`].
    pub fn sdl_etag(&self) -> &str {
        &self.sdl_etag
    }

    /// Runs one operation. With `read_only`, a mutation is not run.
    pub async fn execute(&self, caller: Caller, request: Request, read_only: bool) -> Reply {
        let stopwatch = caller.app().clock.stopwatch();
        let origin = caller.origin().clone();
        let query = request.query.as_deref().unwrap_or_default();
        let document = match self.documents.parse(query).await {
            Ok(document) => document,
            Err(refusal) => return respond::refuse(&refusal, &origin, false),
        };
        let operation = match document.operation(request.operation_name.as_deref()) {
            Ok(operation) => operation,
            Err(refusal) => return respond::refuse(&refusal, &origin, false),
        };
        let is_mutation = operation.is_mutation;
        let open = match caller.app().config.graphql.introspection {
            Introspection::Public => true,
            Introspection::Authenticated => matches!(caller, Caller::Somebody(_)),
            Introspection::Off => false,
        };
        if let Err(refusal) = operation.check(open) {
            return respond::refuse(&refusal, &origin, is_mutation);
        }
        if read_only && is_mutation {
            return respond::refuse(&document::by_get(), &origin, true);
        }
        let state = Arc::new(OperationState::new(&caller));
        let variables = match operation.variables(request.variables) {
            Ok(variables) => variables,
            Err(refusal) => return respond::refuse(&refusal, &origin, is_mutation),
        };
        let mut engine_request = async_graphql::Request::new(query)
            .variables(variables)
            .data(Arc::clone(&state))
            .data(caller);
        if let Some(name) = request.operation_name {
            engine_request = engine_request.operation_name(name);
        }
        engine_request.set_parsed_query(document.parsed());
        let mut response = self.schema.execute(engine_request).await;
        response.data = operation.in_order(response.data);
        respond::finish(response, &state, &origin, is_mutation, stopwatch.elapsed())
    }
}

/// Why an operation was not run, before anything looked at its data.
pub(crate) struct Refusal {
    pub(crate) outcome: Outcome,
    pub(crate) error: Box<Error>,
    /// A protocol code that stands instead of the error's own.
    pub(crate) protocol_code: Option<&'static str>,
    pub(crate) position: Option<async_graphql::Pos>,
}
