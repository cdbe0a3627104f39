//! The mutations of a record: plan what is to be answered, write, answer, commit; all in one
//! transaction, so that a row that its author may not see is never left behind.

use async_graphql::Value as Input;
use uuid::Uuid;

use super::input::{self, Draft, Purpose, prefix};
use super::{Session, store};
use crate::access::Reader;
use crate::ctx::Ctx;
use crate::db::Conn;
use crate::error::{Error, Language, Result, say};
use crate::limits;
use crate::record::declare::Record;
use crate::record::fetch;
use crate::record::input as scalar;
use crate::record::json;
use crate::record::plan::{Deleted, ManyResult, One, Planner, ResultNode};
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

    /// Whether the record offers it.
    pub fn fits(self, record: &Record) -> bool {
        record.changes.enabled
            && (self != Self::Upsert || !record.changes.natural_keys.is_empty())
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

/// Plans the answer: a caller that may not read it is refused before anything is written.
pub fn plan(
    planner: &mut Planner<'_>,
    record: &'static Record,
    kind: WriteKind,
    selected: &Selected,
) -> Result<PlannedWrite> {
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
            let results = run_many(ctx, conn, (record, planned.kind), selected).await?;
            answer_many(ctx, conn, plan, results, out).await
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

fn version_argument(input: Option<&Input>) -> Result<Option<i64>> {
    input
        .filter(|input| !matches!(input, Input::Null))
        .map(scalar::read_int)
        .transpose()
        .map_err(|error| error.at("expectedVersion"))
}

fn draft(ctx: &Ctx, record: &'static Record, given: &Input, purpose: Purpose) -> Result<Draft> {
    let grant = |other: &'static Record| -> Result<Reader> { ctx.reader(other.resource) };
    input::read(&grant, record, given, purpose)
}

async fn run_one(
    session: &mut Session<'_>,
    record: &'static Record,
    kind: WriteKind,
    selected: &Selected,
) -> Result<Uuid> {
    let given = || {
        selected
            .argument("input")
            .ok_or_else(|| Error::invalid_field("input", say("input is needed", "falta o input")))
    };
    let version = version_argument(selected.argument("expectedVersion"))?;
    let in_input = |error| prefix(error, "input");
    match kind {
        WriteKind::Update => {
            let id = id_argument(selected)?;
            let draft =
                draft(session.ctx(), record, given()?, Purpose::Update).map_err(in_input)?;
            draft.update(session, id, version).await.map_err(|error| match error.field() {
                Some("expectedVersion") | None => error,
                Some(_) => in_input(error),
            })?;
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
            let draft =
                draft(session.ctx(), record, given()?, Purpose::Create).map_err(in_input)?;
            upsert(session, record, draft).await.map_err(in_input)
        }
        WriteKind::Create
        | WriteKind::Destroy
        | WriteKind::CreateMany
        | WriteKind::UpdateMany
        | WriteKind::DeleteMany => {
            let draft =
                draft(session.ctx(), record, given()?, Purpose::Create).map_err(in_input)?;
            draft.create(session).await.map_err(in_input)
        }
    }
}

async fn upsert(session: &mut Session<'_>, record: &'static Record, draft: Draft) -> Result<Uuid> {
    let key = draft.natural_key().ok_or_else(|| {
        let keys: Vec<String> =
            record.changes.natural_keys.iter().map(|key| key.join(" + ")).collect();
        let keys = keys.join(", ");
        Error::invalid(say(
            format!("an upsert needs one of its natural keys: {keys}"),
            format!("um upsert precisa de uma de suas chaves naturais: {keys}"),
        ))
    })?;
    let writer = session.ctx().writer(crate::access::Action::Create, record.resource)?;
    match store::by_key(session.conn(), record, &writer, &key).await? {
        Some(id) => {
            draft.update(session, id, None).await?;
            Ok(id)
        }
        None => draft.create(session).await,
    }
}

/// What became of one row of a batch.
type RowResult = Result<Uuid>;

pub(super) fn too_many() -> Error {
    let max = limits::BATCH_ROWS_MAX;
    Error::limit(say(
        format!("a batch holds at most {max} records"),
        format!("um lote tem no máximo {max} registros"),
    ))
}

async fn run_many(
    ctx: &Ctx,
    conn: &Conn,
    (record, kind): (&'static Record, WriteKind),
    selected: &Selected,
) -> Result<Vec<RowResult>> {
    let name = if kind == WriteKind::DeleteMany { "ids" } else { "inputs" };
    let items = selected.argument(name).map(scalar::read_list).unwrap_or_default();
    if items.len() > limits::BATCH_ROWS_MAX {
        return Err(too_many());
    }
    let per_row = matches!(
        selected.argument("mode"),
        Some(Input::Enum(mode)) if mode == "PER_ROW"
    ) || matches!(selected.argument("mode"), Some(Input::String(mode)) if mode == "PER_ROW");
    let mut results = Vec::with_capacity(items.len());
    let mut whole = Session::new(ctx, conn);
    for (number, item) in items.iter().enumerate() {
        let blame = |error| prefix(error, &format!("{name}.{number}"));
        if !per_row {
            let id = many_item(&mut whole, record, kind, item).await.map_err(blame)?;
            results.push(Ok(id));
            continue;
        }
        let writer = ctx.writer(crate::access::Action::Create, record.resource);
        let permit = writer.or_else(|_| ctx.writer(crate::access::Action::Update, record.resource));
        let permit = permit.or_else(|_| ctx.writer(crate::access::Action::Delete, record.resource))?;
        conn.savepoint(&permit).await?;
        let mut single = Session::new(ctx, conn);
        match many_item(&mut single, record, kind, item).await {
            Ok(id) => {
                conn.keep_savepoint(&permit).await?;
                whole.absorb(single);
                results.push(Ok(id));
            }
            Err(error) if error.retryable() || error.internal_cause().is_some() => {
                return Err(error);
            }
            Err(error) => {
                conn.undo_savepoint(&permit).await?;
                results.push(Err(blame(error)));
            }
        }
    }
    whole.finish().await?;
    Ok(results)
}

async fn many_item(
    session: &mut Session<'_>,
    record: &'static Record,
    kind: WriteKind,
    item: &Input,
) -> Result<Uuid> {
    match kind {
        WriteKind::DeleteMany => {
            let id = scalar::read_id(item)?;
            session.delete(record, id, None).await?;
            Ok(id)
        }
        WriteKind::UpdateMany => {
            let Input::Object(entries) = item else {
                return Err(Error::invalid(say("expected an object", "esperava um objeto")));
            };
            let missing = |name| Error::invalid_field(name, say("it is needed", "é necessário"));
            let id = scalar::read_id(entries.get("id").ok_or_else(|| missing("id"))?)?;
            let given = entries.get("input").ok_or_else(|| missing("input"))?;
            let version = version_argument(entries.get("expectedVersion"))?;
            let draft = draft(session.ctx(), record, given, Purpose::Update)?;
            draft.update(session, id, version).await?;
            Ok(id)
        }
        WriteKind::CreateMany
        | WriteKind::Create
        | WriteKind::Update
        | WriteKind::Delete
        | WriteKind::Restore
        | WriteKind::Destroy
        | WriteKind::Upsert => {
            draft(session.ctx(), record, item, Purpose::Create)?.create(session).await
        }
    }
}

async fn answer_many(
    ctx: &Ctx,
    conn: &Conn,
    plan: &ManyResult,
    results: Vec<RowResult>,
    out: &mut Vec<u8>,
) -> Result<()> {
    let ids: Vec<Uuid> = results.iter().filter_map(|result| result.as_ref().ok().copied()).collect();
    let deleted = Deleted::Include;
    let rows = fetch::by_ids(ctx, conn, (&plan.record.level, plan.record.id), ids, deleted).await?;
    out.push(b'[');
    for (number, result) in results.iter().enumerate() {
        if number > 0 {
            out.push(b',');
        }
        out.push(b'{');
        for (number, (key, node)) in plan.keys.iter().enumerate() {
            if number > 0 {
                out.push(b',');
            }
            out.extend_from_slice(key.as_bytes());
            match (node, result) {
                (ResultNode::Literal(text), _) => out.extend_from_slice(text.as_bytes()),
                (ResultNode::Record(shape), Ok(id)) => {
                    let place = rows.by_id.get(id).copied().ok_or_else(out_of_reach)?;
                    json::write_row(out, &plan.record.level, &rows.level, (shape, place))?;
                }
                (ResultNode::Error(keys), Err(error)) => {
                    write_error(out, error, ctx.origin.language, keys);
                }
                (ResultNode::Record(_) | ResultNode::Error(_), _) => {
                    out.extend_from_slice(b"null");
                }
            }
        }
        out.push(b'}');
    }
    out.push(b']');
    Ok(())
}

fn write_error(out: &mut Vec<u8>, error: &Error, language: Language, keys: &[(Box<str>, String)]) {
    let mut opening = b'{';
    for (key, name) in keys {
        out.push(opening);
        opening = b',';
        out.extend_from_slice(key.as_bytes());
        match name.as_str() {
            "code" => json::push_text(out, error.code().as_str()),
            "message" => json::push_text(out, error.message(language)),
            "field" => match error.field() {
                Some(field) => json::push_text(out, field),
                None => out.extend_from_slice(b"null"),
            },
            _ => json::push_text(out, "MutationError"),
        }
    }
    out.push(b'}');
}
