//! One operation under way: all its engine fields are planned before anything runs and read in one
//! snapshot, whichever resolver is asked first.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_graphql::{Context, Name, Pos, Response, ServerError, ServerResult, Value};
use tokio::sync::OnceCell;

use super::account::Account;
use super::catalogue::catalogue;
use super::plans::PlannedReads;
use super::{Caller, errors};
use crate::access::Resource;
use crate::ctx::Ctx;
use crate::db::{EngineRead, Tally};
use crate::error::{Code, Error, Result, say};
use crate::record::change::idempotency::{Claim, Key};
use crate::record::change::mutation::{self, PlannedWrite};
use crate::record::change::verb::{self, Verb};
use crate::record::declare::{Freshness, Tier};
use crate::record::operation::{self, PlannedRoot, ReadKind, RootPlan};
use crate::record::plan::{One, Planner};
use crate::record::selection::{self, Selected};
use crate::telemetry::OperationCost;

/// What the operation leaves behind for the response.
pub(crate) struct OperationState {
    /// The engine's fields are read once.
    reads: OnceCell<std::result::Result<(), ServerError>>,
    /// Finished JSON of engine fields, by response key.
    texts: Mutex<HashMap<String, Vec<u8>>>,
    /// The first mutation that failed: those after it are not begun.
    failed: Mutex<Option<ServerError>>,
    pub(super) executed: AtomicBool,
    /// Whether somebody may try what it asks for: how much of it there was to look at is told to
    /// nobody.
    pub(super) is_guarded: AtomicBool,
    pub(super) tally: Tally,
    pub(super) rows_estimated: AtomicU64,
    pub(super) rows_read: AtomicU64,
    pub(super) worst: Mutex<Option<Code>>,
    pub(super) account: Account,
    freshness: Mutex<Vec<Freshness>>,
}

impl OperationState {
    pub(super) fn new(account: Account) -> Self {
        Self {
            reads: OnceCell::new(),
            texts: Mutex::new(HashMap::new()),
            failed: Mutex::new(None),
            executed: AtomicBool::new(false),
            is_guarded: AtomicBool::new(false),
            tally: Tally::default(),
            rows_estimated: AtomicU64::new(0),
            rows_read: AtomicU64::new(0),
            worst: Mutex::new(None),
            account,
            freshness: Mutex::new(Vec::new()),
        }
    }

    /// The finished texts, taken.
    pub(super) fn take_texts(&self) -> HashMap<String, Vec<u8>> {
        std::mem::take(&mut *self.texts.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// How long the finished texts are together.
    pub(super) fn texts_bytes(&self) -> usize {
        let texts = self.texts.lock().unwrap_or_else(PoisonError::into_inner);
        texts.values().map(Vec::len).sum()
    }

    fn put_text(&self, key: &str, text: Vec<u8>) {
        self.texts.lock().unwrap_or_else(PoisonError::into_inner).insert(key.to_owned(), text);
    }

    fn note_freshness(&self, freshness: Vec<Freshness>) {
        if !freshness.is_empty() {
            let mut all = self.freshness.lock().unwrap_or_else(PoisonError::into_inner);
            all.extend(freshness);
        }
    }

    /// How fresh the kept parts of the answer are: of each tier the oldest.
    pub(super) fn freshness(&self) -> Vec<Freshness> {
        let all = self.freshness.lock().unwrap_or_else(PoisonError::into_inner);
        let of = |tier| all.iter().filter(move |each| each.tier == tier);
        let oldest = |tier| of(tier).copied().max_by_key(|each| each.age_s);
        Tier::ALL.into_iter().filter_map(oldest).collect()
    }

    /// What the operation took, for measurements.
    pub(super) fn cost(&self, took: Duration) -> OperationCost {
        OperationCost {
            took,
            statements: self.tally.statements(),
            rows_read: self.rows_read.load(Ordering::Relaxed),
        }
    }

    fn note(&self, error: &Error) {
        self.account.note(error);
        *self.worst.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.code());
    }

    /// Makes sure that the engine's fields are read; the error belongs to one of them and fails the
    /// operation.
    pub(super) async fn read(self: &Arc<Self>, context: &Context<'_>) -> ServerResult<()> {
        let outcome = self.reads.get_or_init(|| async {
            let caller = context
                .data::<Caller>()
                .map_err(|error| error.into_server_error(Pos::default()))?;
            let planned = self.plan(caller, &scope_of(context))?;
            self.read_planned(caller, &planned).await
        });
        outcome.await.clone()
    }

    /// Answers an operation that passed validation and whose root fields are all the engine's: there
    /// is nothing left for async-graphql to do then.
    pub(super) async fn read_alone(
        &self,
        caller: &Caller,
        planned: &ServerResult<Arc<PlannedReads>>,
    ) -> Response {
        self.executed.store(true, Ordering::Relaxed);
        let read = match planned {
            Ok(planned) => self.read_planned(caller, planned).await.map(|()| &planned.roots),
            Err(error) => Err(error.clone()),
        };
        match read {
            Ok(roots) => {
                let keys = roots.iter().map(|root| Name::new(&root.key));
                Response::new(Value::Object(keys.map(|key| (key, Value::Null)).collect()))
            }
            Err(error) => Response::from_errors(vec![error]),
        }
    }

    /// Plans the engine's fields of an operation.
    pub(super) fn plan(
        &self,
        caller: &Caller,
        scope: &selection::Scope<'_>,
    ) -> ServerResult<PlannedReads> {
        let origin = caller.origin();
        let fail_at = |selected: &Selected, error: &Error| {
            self.note(error);
            let root = (selected.key.as_str(), selected.position);
            errors::of_root(error, origin.language, &origin.request_id, root)
        };
        let set = &scope.operation.selection_set.node;
        let selected = selection::resolve(scope, set).map_err(|error| {
            self.note(&error);
            errors::of_root(&error, origin.language, &origin.request_id, ("", Default::default()))
        })?;
        let roots: Vec<(&Selected, super::Entry<ReadKind>)> = selected
            .iter()
            .filter_map(|each| catalogue().read(&each.name).map(|entry| (each, entry)))
            .collect();
        let Caller::Somebody(ctx) = caller else {
            return match roots.first() {
                Some((selected, _)) => Err(fail_at(selected, &Error::unauthenticated())),
                None => Ok(PlannedReads { roots: Vec::new(), rows: 0 }),
            };
        };
        let mut planner = Planner::new(ctx);
        let mut planned = Vec::with_capacity(roots.len());
        for (selected, entry) in &roots {
            let root = operation::plan(&mut planner, entry.record, entry.kind, selected);
            planned.push(root.map_err(|refused| {
                self.note(&refused.error);
                errors::of_refused(&refused, origin.language, &origin.request_id)
            })?);
        }
        Ok(PlannedReads { roots: planned, rows: planner.rows_estimated() })
    }

    /// Reads what is planned. The error belongs to one of the fields.
    async fn read_planned(&self, caller: &Caller, planned: &PlannedReads) -> ServerResult<()> {
        let origin = caller.origin();
        let Caller::Somebody(ctx) = caller else { return Ok(()) };
        let fail_at = |number: usize, error: &Error| {
            self.note(error);
            let root = planned.roots.get(number).or_else(|| planned.roots.first());
            let root = root.map_or(("", Pos::default()), |root| (root.key.as_str(), root.position));
            errors::of_root(error, origin.language, &origin.request_id, root)
        };
        self.rows_estimated.store(planned.rows, Ordering::Relaxed);
        let charged = self.account.charge_rows(caller, planned.rows).await;
        charged.map_err(|error| fail_at(0, &error))?;
        let ran = Box::pin(self.run_all(ctx, &planned.roots)).await;
        ran.map_err(|(number, error)| fail_at(number, &error))
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
        let turn = ctx.app.rate.turns.take(&ctx.app.clock, ctx.tenant_id()).await;
        let _turn = turn.map_err(|error| (0, error))?;
        let conn = ctx.engine_read(kind_of_read(plans)).await.map_err(|error| (0, error))?;
        let mut told = Vec::new();
        for (number, planned) in plans.iter().enumerate() {
            let mut text = Vec::new();
            let ran = operation::run(ctx, &conn, &planned.plan, &mut text).await;
            let known = ran.map_err(|error| (number, error))?;
            told.extend(known.told);
            self.note_freshness(known.freshness);
            self.put_text(&planned.key, text);
        }
        self.rows_read.fetch_add(conn.rows_read(), Ordering::Relaxed);
        conn.commit().await.map_err(|error| (0, error))?;
        ctx.app.reads.note(ctx, told);
        Ok(())
    }
}

impl OperationState {
    /// Runs one mutation of the engine, in its own transaction. Root fields of one response key are
    /// one mutation, however often the document names it. After one that failed there is no data to
    /// answer with, so no other is begun.
    pub(super) async fn write(
        &self,
        context: &Context<'_>,
        write: super::Write,
    ) -> ServerResult<()> {
        let earlier = self.failed.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(error) = earlier {
            return Err(error);
        }
        let outcome = self.write_one(context, write).await;
        if let Err(error) = &outcome {
            let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
            *failed = Some(error.clone());
        }
        outcome
    }

    async fn write_one(&self, context: &Context<'_>, write: super::Write) -> ServerResult<()> {
        let field = &context.item.node;
        let key = field.response_key().node.as_str();
        let done = self.texts.lock().unwrap_or_else(PoisonError::into_inner).contains_key(key);
        if done {
            return Ok(());
        }
        let caller =
            context.data::<Caller>().map_err(|error| error.into_server_error(context.item.pos))?;
        let origin = caller.origin();
        let scope = scope_of(context);
        let fail = |error: &Error| {
            self.note(error);
            let root = (key, context.item.pos);
            errors::of_root(error, origin.language, &origin.request_id, root)
        };
        let Caller::Somebody(ctx) = caller else { return Err(fail(&Error::unauthenticated())) };
        let set = &scope.operation.selection_set.node;
        let selected = selection::resolve(&scope, set).map_err(|error| fail(&error))?;
        let selected = selected.iter().find(|selected| selected.key == key);
        let selected = selected.ok_or_else(|| fail(&Error::internal("a mutation was lost")))?;
        let idempotency = idempotency_key(context, ctx).map_err(|error| fail(&error))?;
        let mut planner = Planner::new(ctx);
        let planned = planner.at(selected, |planner| {
            Ok(match write {
                super::Write::Engine(entry) => {
                    Planned::Engine(mutation::plan(planner, entry.record, entry.kind, selected)?)
                }
                super::Write::Verb(verb) => {
                    Planned::Verb(verb, Box::new(verb::plan(planner, verb, selected)?))
                }
            })
        });
        let mut planned = planned.map_err(|refused| {
            self.note(&refused.error);
            errors::of_refused(&refused, origin.language, &origin.request_id)
        })?;
        let rows = planner.rows_estimated();
        self.rows_estimated.fetch_add(rows, Ordering::Relaxed);
        let charged = self.account.charge_write(caller, rows, selected).await;
        charged.map_err(|error| fail(&error))?;
        let text = self.transact(ctx, &mut planned, selected, idempotency).await;
        self.put_text(key, text.map_err(|error| fail(&error))?);
        Ok(())
    }

    async fn transact(
        &self,
        ctx: &Ctx,
        planned: &mut Planned,
        selected: &Selected,
        idempotency: Option<String>,
    ) -> Result<Vec<u8>> {
        let key = idempotency.map(|text| Key::new(ctx, &text, selected)).transpose()?;
        let _turn = ctx.app.rate.turns.take(&ctx.app.clock, ctx.tenant_id()).await?;
        let conn = ctx.transaction().await?;
        if let Some(key) = &key
            && let Claim::Done(answer) = key.claim(ctx, &conn).await?
        {
            return Ok(answer.into_bytes());
        }
        let mut text = Vec::with_capacity(1024);
        match planned {
            Planned::Engine(planned) => {
                mutation::run(ctx, &conn, planned, selected, &mut text).await?;
            }
            Planned::Verb(verb, plan) => {
                verb::run(ctx, &conn, (verb, plan), selected, &mut text).await?;
            }
        }
        if let Some(key) = &key {
            key.keep(ctx, &conn, &text).await?;
        }
        self.rows_read.fetch_add(conn.rows_read(), Ordering::Relaxed);
        let has_news = conn.has_news();
        conn.commit().await?;
        if planned.is_about_people() {
            // Who may do what has changed: felt at once here, and within a second elsewhere.
            ctx.app.identity.forget(&ctx.app, ctx.tenant_id()).await;
        }
        if has_news {
            ctx.app.feeds.wake();
        }
        Ok(text)
    }
}

/// What async-graphql knows of the operation under way.
fn scope_of<'a>(context: &Context<'a>) -> selection::Scope<'a> {
    let environment = context.query_env;
    selection::Scope {
        fragments: &environment.fragments,
        variables: &environment.variables,
        operation: &environment.operation.node,
    }
}

/// A mutation whose answer is planned.
enum Planned {
    Engine(PlannedWrite),
    Verb(&'static Verb, Box<One>),
}

impl Planned {
    /// Whether it writes what a caller's rights follow from.
    fn is_about_people(&self) -> bool {
        let resource = match self {
            Self::Engine(planned) => planned.record().resource,
            Self::Verb(verb, _) => (verb.answer)().resource,
        };
        [Resource::Users, Resource::OrgUnits].contains(&resource)
    }
}

/// `@idempotent(key:)` on the field, else the request's `Idempotency-Key`.
fn idempotency_key(context: &Context<'_>, ctx: &Ctx) -> Result<Option<String>> {
    let directive = context
        .item
        .node
        .directives
        .iter()
        .find(|directive| directive.node.name.node == "idempotent");
    let Some(directive) = directive else {
        return Ok(ctx.origin.idempotency_key.clone());
    };
    let argument = directive.node.arguments.iter().find(|(name, _)| name.node == "key");
    let value = argument.and_then(|(_, value)| {
        let variables = &context.query_env.variables;
        value.node.clone().into_const_with(|name| variables.get(&name).cloned().ok_or(())).ok()
    });
    match value {
        Some(Value::String(key)) => Ok(Some(key)),
        _ => Err(Error::invalid_field("key", say("key is a text", "key é um texto"))),
    }
}

/// One statement is its own snapshot.
fn kind_of_read(plans: &[PlannedRoot]) -> EngineRead {
    let statements: u32 = plans.iter().map(|planned| planned.plan.statements()).sum();
    match plans {
        _ if statements > 1 => EngineRead::Snapshot,
        [PlannedRoot { plan: RootPlan::One(..), .. }] => EngineRead::LookUp,
        _ => EngineRead::Statement,
    }
}
