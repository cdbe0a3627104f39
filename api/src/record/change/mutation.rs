//! The mutations of a record: plan what is to be answered, write, answer, commit; all in one
//! transaction, so that a row that its author may not see is never left behind.

use async_graphql::Value as Input;
use uuid::Uuid;

use super::input::{self, Draft, Purpose};
use super::{Session, batch, store};
use crate::access::{Action, Reader};
use crate::ctx::Ctx;
use crate::db::Conn;
use crate::error::{Error, Result, say};
use crate::record::declare::Record;
use crate::record::fetch;
use crate::record::input as scalar;
use crate::record::json;
use crate::record::plan::{Deleted, ManyResult, One, Planner};
use crate::record::selection::Selected;

/// What a root field of the mutation type does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteKind {
    Create,
    Update,
    Delete,
    Restore,
    Destroy,
    Upsert,
    CreateMany,
    UpdateMany,
    DeleteMany,
}

impl WriteKind {
    pub const ALL: [Self; 9] = [
        Self::Create,
        Self::Update,
        Self::Delete,
        Self::Restore,
        Self::Destroy,
        Self::Upsert,
        Self::CreateMany,
        Self::UpdateMany,
        Self::DeleteMany,
    ];

    pub fn suffix(self) -> &'static str {
        match self {
            Self::Create => "Create",
            Self::Update => "Update",
            Self::Delete => "Delete",
            Self::Restore => "Restore",
            Self::Destroy => "Destroy",
            Self::Upsert => "Upsert",
            Self::CreateMany => "CreateMany",
            Self::UpdateMany => "UpdateMany",
            Self::DeleteMany => "DeleteMany",
        }
    }

    /// The permission that it needs before anything is looked at.
    pub fn action(self) -> Action {
        match self {
            Self::Create | Self::Upsert | Self::CreateMany => Action::Create,
            Self::Update | Self::UpdateMany => Action::Update,
            Self::Delete | Self::Restore | Self::DeleteMany => Action::Delete,
            Self::Destroy => Action::Destroy,
        }
    }

    /// Whether the record offers it.
    pub fn fits(self, record: &Record) -> bool {
        record.changes.enabled && (self != Self::Upsert || !record.changes.natural_keys.is_empty())
    }
}

/// A mutation with its answer planned.
pub struct PlannedWrite {
    record: &'static Record,
    kind: WriteKind,
    answer: Answer,
}

enum Answer {
    One(Box<One>),
    Many(Box<ManyResult>),
    Id,
}

impl PlannedWrite {
    /// What is written.
    pub fn record(&self) -> &'static Record {
        self.record
    }
}

/// Plans the answer: a caller that may not write, or not read what is answered, is refused before
/// anything is written.
pub fn plan(
    planner: &mut Planner<'_>,
    record: &'static Record,
    kind: WriteKind,
    selected: &Selected,
) -> Result<PlannedWrite> {
    planner.ctx().writer(kind.action(), record.resource)?;
    let answer = match kind {
        WriteKind::Create
        | WriteKind::Update
        | WriteKind::Upsert
        | WriteKind::Delete
        | WriteKind::Restore => Answer::One(Box::new(planner.one_by_id(
            record,
            Uuid::nil(),
            selected,
            if kind == WriteKind::Delete { Deleted::Include } else { Deleted::Exclude },
        )?)),
        WriteKind::CreateMany | WriteKind::UpdateMany | WriteKind::DeleteMany => {
            Answer::Many(Box::new(planner.many_result(record, selected)?))
        }
        WriteKind::Destroy => Answer::Id,
    };
    Ok(PlannedWrite { record, kind, answer })
}

/// Writes, and writes the answer's text.
pub async fn run(
    ctx: &Ctx,
    conn: &Conn,
    planned: &mut PlannedWrite,
    selected: &Selected,
    out: &mut Vec<u8>,
) -> Result<()> {
    let record = planned.record;
    match &mut planned.answer {
        Answer::Many(plan) => {
            let results = batch::run(ctx, conn, (record, planned.kind), selected).await?;
            batch::answer(ctx, conn, plan, results, out).await
        }
        Answer::Id => {
            let id = id_argument(selected)?;
            let mut session = Session::new(ctx, conn);
            session.destroy(record, id).await?;
            session.finish().await?;
            json::push_text(out, &id.to_string());
            Ok(())
        }
        Answer::One(plan) => {
            let mut session = Session::new(ctx, conn);
            let id = run_one(&mut session, record, planned.kind, selected).await?;
            session.finish().await?;
            plan.id = id;
            let fetched = fetch::one(ctx, conn, plan).await?;
            let fetched = fetched.ok_or_else(out_of_reach)?;
            json::write_one(out, plan, &fetched)
        }
    }
}

pub(super) fn out_of_reach() -> Error {
    Error::forbidden(say(
        "the change would put the record out of your reach",
        "a mudança deixaria o registro fora do seu alcance",
    ))
}

fn id_argument(selected: &Selected) -> Result<Uuid> {
    let id = selected.argument("id");
    let id = id.ok_or_else(|| Error::invalid_field("id", say("id is needed", "falta o id")))?;
    scalar::read_id(id).map_err(|error| error.at("id"))
}

pub(super) fn version_argument(input: Option<&Input>) -> Result<Option<i64>> {
    input
        .filter(|input| !matches!(input, Input::Null))
        .map(scalar::read_int)
        .transpose()
        .map_err(|error| error.at("expectedVersion"))
}

pub(super) fn draft(
    ctx: &Ctx,
    record: &'static Record,
    given: &Input,
    purpose: Purpose,
) -> Result<Draft> {
    let grant = |other: &'static Record| -> Result<Reader> { ctx.reader(other.resource) };
    input::read(&grant, record, given, purpose)
}

/// An update's errors are about its input, unless they are about the row.
pub(super) fn in_input(error: Error) -> Error {
    match error.field() {
        Some("expectedVersion") | None => error,
        Some(_) => error.within("input"),
    }
}

async fn run_one(
    session: &mut Session<'_>,
    record: &'static Record,
    kind: WriteKind,
    selected: &Selected,
) -> Result<Uuid> {
    let ctx = session.ctx();
    let given = || {
        selected
            .argument("input")
            .ok_or_else(|| Error::invalid_field("input", say("input is needed", "falta o input")))
    };
    let version = version_argument(selected.argument("expectedVersion"))?;
    let within_input = |error: Error| error.within("input");
    match kind {
        WriteKind::Update => {
            let id = id_argument(selected)?;
            let draft = draft(ctx, record, given()?, Purpose::Update).map_err(within_input)?;
            draft.update(session, id, version).await.map_err(in_input)?;
            Ok(id)
        }
        WriteKind::Delete => {
            let id = id_argument(selected)?;
            session.delete(record, id, version).await?;
            Ok(id)
        }
        WriteKind::Restore => {
            let id = id_argument(selected)?;
            session.restore(record, id).await?;
            Ok(id)
        }
        WriteKind::Upsert => {
            let draft = draft(ctx, record, given()?, Purpose::Upsert).map_err(within_input)?;
            upsert(session, record, draft).await.map_err(within_input)
        }
        WriteKind::Create
        | WriteKind::Destroy
        | WriteKind::CreateMany
        | WriteKind::UpdateMany
        | WriteKind::DeleteMany => {
            let draft = draft(ctx, record, given()?, Purpose::Create).map_err(within_input)?;
            draft.create(session).await.map_err(within_input)
        }
    }
}

async fn upsert(session: &mut Session<'_>, record: &'static Record, draft: Draft) -> Result<Uuid> {
    let key = draft.natural_key()?.ok_or_else(|| {
        let keys: Vec<String> =
            record.changes.natural_keys.iter().map(|key| key.join(" + ")).collect();
        let keys = keys.join(", ");
        Error::invalid(say(
            format!("an upsert needs one of its natural keys: {keys}"),
            format!("um upsert precisa de uma de suas chaves naturais: {keys}"),
        ))
    })?;
    let conn = session.conn();
    let writer = session.writer(Action::Create, record)?;
    if let Some(id) = store::by_key(conn, record, &writer, &key).await? {
        draft.for_existing().update(session, id, None).await?;
        return Ok(id);
    }
    // Somebody else may create it at the same time: then theirs is the one to update.
    let mut attempt = session.attempt(&writer).await?;
    let done = draft.clone().create(&mut attempt).await;
    match session.settle(&writer, attempt, done).await? {
        Ok(id) => Ok(id),
        Err(conflict) => {
            let id = store::by_key(conn, record, &writer, &key).await?.ok_or(conflict)?;
            draft.for_existing().update(session, id, None).await?;
            Ok(id)
        }
    }
}
