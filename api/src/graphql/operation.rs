//! One operation under way: all its engine fields are planned before anything runs and read in one
//! snapshot, whichever resolver is asked first.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_graphql::extensions::{Extension, ExtensionContext, ExtensionFactory, NextExecute};
use async_graphql::{Context, Response, ServerError, ServerResult};
use async_trait::async_trait;
use tokio::sync::OnceCell;

use super::catalogue::catalogue;
use super::{Caller, errors};
use crate::ctx::Ctx;
use crate::db::Conn;
use crate::error::{Code, Error, Result};
use crate::record::operation::{self, PlannedRoot};
use crate::record::plan::Planner;
use crate::record::selection::{self, Selected};

/// What the operation leaves behind for the response.
pub(crate) struct OperationState {
    /// The engine's fields are read once.
    reads: OnceCell<std::result::Result<(), ServerError>>,
    /// Finished JSON of engine fields, by response key.
    texts: Mutex<HashMap<String, Vec<u8>>>,
    pub(super) executed: AtomicBool,
    pub(super) statements: AtomicU32,
    pub(super) rows_estimated: AtomicU64,
    pub(super) worst: Mutex<Option<Code>>,
}

impl OperationState {
    pub(super) fn new(_caller: &Caller) -> Self {
        Self {
            reads: OnceCell::new(),
            texts: Mutex::new(HashMap::new()),
            executed: AtomicBool::new(false),
            statements: AtomicU32::new(0),
            rows_estimated: AtomicU64::new(0),
            worst: Mutex::new(None),
        }
    }

    /// The finished texts, taken.
    pub(super) fn take_texts(&self) -> HashMap<String, Vec<u8>> {
        std::mem::take(&mut *self.texts.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn put_text(&self, key: &str, text: Vec<u8>) {
        self.texts
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(key.to_owned(), text);
    }

    fn note(&self, error: &Error) {
        *self.worst.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.code());
    }

    /// Makes sure that the engine's fields are read; the error belongs to one of them and fails the
    /// operation.
    pub(super) async fn read(self: &Arc<Self>, context: &Context<'_>) -> ServerResult<()> {
        let outcome = self.reads.get_or_init(|| self.read_all(context)).await;
        outcome.clone()
    }

    async fn read_all(&self, context: &Context<'_>) -> std::result::Result<(), ServerError> {
        let caller = context.data::<Caller>().map_err(|error| {
            error.into_server_error(async_graphql::Pos::default())
        })?;
        let origin = caller.origin();
        let fail_at = |selected: &Selected, error: &Error| {
            self.note(error);
            let root = (selected.key.as_str(), selected.position);
            errors::of_root(error, origin.language, &origin.request_id, root)
        };
        let environment = context.query_env;
        let scope = selection::Scope {
            fragments: &environment.fragments,
            variables: &environment.variables,
            operation: &environment.operation.node,
        };
        let set = &environment.operation.node.selection_set.node;
        let selected = selection::resolve(&scope, set).map_err(|error| {
            self.note(&error);
            errors::of_root(&error, origin.language, &origin.request_id, ("", Default::default()))
        })?;
        let roots: Vec<(&Selected, super::Entry)> = selected
            .iter()
            .filter_map(|each| catalogue().read(&each.name).map(|entry| (each, entry)))
            .collect();
        let Caller::Somebody(ctx) = caller else {
            return match roots.first() {
                Some((selected, _)) => Err(fail_at(selected, &Error::unauthenticated())),
                None => Ok(()),
            };
        };
        let mut planner = Planner::new(ctx);
        let mut plans = Vec::with_capacity(roots.len());
        for (selected, entry) in &roots {
            let planned = operation::plan(&mut planner, entry.record, entry.kind, selected);
            plans.push(planned.map_err(|refused| {
                self.note(&refused.error);
                errors::of_refused(&refused, origin.language, &origin.request_id)
            })?);
        }
        self.rows_estimated.store(planner.rows_estimated(), Ordering::Relaxed);
        self.run_all(ctx, &plans)
            .await
            .map_err(|(number, error)| match roots.get(number).or_else(|| roots.first()) {
                Some((selected, _)) => fail_at(selected, &error),
                None => ServerError::new("no field", None),
            })
    }

    /// Runs the plans one after the other: in one read transaction, unless there is a single
    /// statement, which is its own snapshot.
    async fn run_all(
        &self,
        ctx: &Ctx,
        plans: &[PlannedRoot],
    ) -> std::result::Result<(), (usize, Error)> {
        if plans.is_empty() {
            return Ok(());
        }
        let statements: u32 = plans.iter().map(|planned| planned.plan.statements()).sum();
        let conn = connect(ctx, statements).await.map_err(|error| (0, error))?;
        for (number, planned) in plans.iter().enumerate() {
            let mut text = Vec::with_capacity(4096);
            let ran = operation::run(ctx, &conn, &planned.plan, &mut text).await;
            ran.map_err(|error| (number, error))?;
            self.put_text(&planned.key, text);
        }
        self.statements.fetch_add(conn.statements(), Ordering::Relaxed);
        conn.commit().await.map_err(|error| (0, error))
    }
}

async fn connect(ctx: &Ctx, statements: u32) -> Result<Conn> {
    if statements > 1 { ctx.snapshot().await } else { ctx.single_read().await }
}

/// Notes that an operation passed validation and ran.
pub(super) struct MarkExecuted;

impl ExtensionFactory for MarkExecuted {
    fn create(&self) -> Arc<dyn Extension> {
        Arc::new(Self)
    }
}

#[async_trait]
impl Extension for MarkExecuted {
    async fn execute(
        &self,
        context: &ExtensionContext<'_>,
        operation_name: Option<&str>,
        next: NextExecute<'_>,
    ) -> Response {
        if let Ok(state) = context.data::<Arc<OperationState>>() {
            state.executed.store(true, Ordering::Relaxed);
        }
        next.run(context, operation_name).await
    }
}
