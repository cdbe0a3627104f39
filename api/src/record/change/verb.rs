//! Verbs: mutations of a room beyond create, update and delete (`dealMoveStage`). The room says what
//! is done; planning the answer, the transaction, idempotency and the schema are the engine's.

use std::future::Future;
use std::pin::Pin;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::Session;
use crate::ctx::Ctx;
use crate::db::{Conn, Value};
use crate::error::{Error, Result, say};
use crate::record::declare::Record;
use crate::record::fetch;
use crate::record::input;
use crate::record::json;
use crate::record::plan::{Deleted, One, Planner};
use crate::record::selection::Selected;

/// A mutation of a room.
pub struct Verb {
    /// `dealMoveStage`
    pub name: &'static str,
    pub about: &'static str,
    /// Name, GraphQL type, description.
    pub arguments: &'static [(&'static str, &'static str, &'static str)],
    /// Input types that the arguments name, with their fields.
    pub inputs: &'static [InputType],
    /// What it answers: a record by its id, or a row of a virtual record.
    pub answer: fn() -> &'static Record,
    pub run: Run,
}

/// An input type of a verb: its name, and its fields' name, GraphQL type, description.
pub struct InputType {
    pub name: &'static str,
    pub fields: &'static [(&'static str, &'static str, &'static str)],
}

/// What a verb does, in a transaction.
pub type Run = for<'a> fn(
    &'a mut Session<'_>,
    &'a Selected,
) -> Pin<Box<dyn Future<Output = Result<Answer>> + Send + 'a>>;

/// What a verb answers.
pub enum Answer {
    Record(Uuid),
    /// Values of a virtual record, in the order of its fields.
    Row(Vec<Value>),
}

/// Plans the answer of a verb.
pub fn plan(planner: &mut Planner<'_>, verb: &Verb, selected: &Selected) -> Result<One> {
    planner.one_by_id((verb.answer)(), Uuid::nil(), selected, Deleted::Exclude)
}

/// Runs a verb and writes its answer.
pub async fn run(
    ctx: &Ctx,
    conn: &Conn,
    (verb, plan): (&Verb, &mut One),
    selected: &Selected,
    out: &mut Vec<u8>,
) -> Result<()> {
    let mut session = Session::new(ctx, conn);
    let answer = (verb.run)(&mut session, selected).await?;
    session.finish().await?;
    let fetched = match answer {
        Answer::Record(id) => {
            plan.id = id;
            fetch::one(ctx, conn, plan).await?
        }
        Answer::Row(values) => {
            Some(fetch::computed_rows(ctx, conn, &plan.level, vec![values]).await?)
        }
    };
    let fetched = fetched.ok_or_else(super::mutation::out_of_reach)?;
    json::write_one(out, plan, &fetched)
}

/// An id argument.
pub fn id(selected: &Selected, name: &'static str) -> Result<Uuid> {
    optional_id(selected, name)?.ok_or_else(|| missing(name))
}

pub fn optional_id(selected: &Selected, name: &'static str) -> Result<Option<Uuid>> {
    selected.argument(name).map(input::read_id).transpose().map_err(|error| error.at(name))
}

pub fn optional_text(selected: &Selected, name: &'static str) -> Result<Option<String>> {
    selected
        .argument(name)
        .map(|given| input::read_text(given).map(str::to_owned))
        .transpose()
        .map_err(|error| error.at(name))
}

pub fn optional_int(selected: &Selected, name: &'static str) -> Result<Option<i64>> {
    selected.argument(name).map(input::read_int).transpose().map_err(|error| error.at(name))
}

pub fn optional_instant(selected: &Selected, name: &'static str) -> Result<Option<DateTime<Utc>>> {
    selected.argument(name).map(input::read_instant).transpose().map_err(|error| error.at(name))
}

pub fn missing(name: &'static str) -> Error {
    Error::invalid_field(name, say(format!("{name} is needed"), format!("falta {name}")))
}
