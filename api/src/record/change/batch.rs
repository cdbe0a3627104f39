//! The mutations of many rows: all or nothing, or a result per row.

use std::collections::HashSet;

use async_graphql::Value as Input;
use uuid::Uuid;

use super::input::{Draft, Purpose};
use super::mutation::{WriteKind, draft, in_input, out_of_reach, version_argument};
use super::{RowChange, Session, Values, store};
use crate::access::Action;
use crate::ctx::Ctx;
use crate::db::Conn;
use crate::error::{Error, Language, Result, say};
use crate::limits;
use crate::record::declare::Record;
use crate::record::fetch;
use crate::record::input as scalar;
use crate::record::json;
use crate::record::plan::{Deleted, ManyResult, ResultNode};
use crate::record::selection::Selected;

/// What became of one row of a batch.
type RowResult = Result<Uuid>;

/// An item of an update.
struct Update {
    id: Uuid,
    version: Option<i64>,
    draft: Draft,
}

/// What an item changes.
enum Drafted {
    /// Nothing at all, where the row is so already.
    Update(Uuid, Option<RowChange>),
    Delete(Uuid, Values),
    /// It creates or connects other rows on its way.
    Nested,
}

/// Rows that are written together.
enum Together {
    Created(Vec<RowChange>),
    Updated(Vec<RowChange>),
    Deleted(Vec<(Uuid, Values)>),
}

/// One batch under way.
struct Batch<'a> {
    record: &'static Record,
    kind: WriteKind,
    /// The argument that holds the items.
    name: &'static str,
    items: &'a [Input],
    per_row: bool,
}

pub(super) fn too_many() -> Error {
    let max = limits::BATCH_ROWS_MAX;
    Error::limit(say(
        format!("a batch holds at most {max} records"),
        format!("um lote tem no máximo {max} registros"),
    ))
}

/// Writes all rows of a batch. An error is the whole batch's.
pub(super) async fn run(
    ctx: &Ctx,
    conn: &Conn,
    (record, kind): (&'static Record, WriteKind),
    selected: &Selected,
) -> Result<Vec<RowResult>> {
    let name = if kind == WriteKind::DeleteMany { "ids" } else { "inputs" };
    let items = selected.argument(name).map(scalar::read_list).unwrap_or_default();
    if items.len() > limits::BATCH_ROWS_MAX {
        return Err(too_many().at(name));
    }
    let mode = selected.argument("mode");
    let per_row = matches!(mode, Some(Input::Enum(mode)) if mode == "PER_ROW")
        || matches!(mode, Some(Input::String(mode)) if mode == "PER_ROW");
    let batch = Batch { record, kind, name, items, per_row };
    let mut session = Session::new(ctx, conn);
    let together = if kind == WriteKind::CreateMany {
        batch.create_together(&mut session).await?
    } else {
        batch.change_together(&mut session).await?
    };
    let results = match together {
        Some(results) => results,
        None => batch.one_by_one(&mut session).await?,
    };
    session.finish().await?;
    Ok(results)
}

impl Batch<'_> {
    fn blame(&self, number: usize, error: Error) -> Error {
        error.within(&format!("{}.{number}", self.name))
    }

    /// Rows in the order of their ids, so that batches never wait for each other in a circle. An item
    /// without a readable id is refused when its turn comes.
    async fn lock_together(&self, session: &mut Session<'_>) -> Result<Vec<Uuid>> {
        let id_of = |item: &Input| {
            let Input::Object(entries) = item else { return Some(scalar::read_id(item)) };
            entries.get("id").map(scalar::read_id)
        };
        let ids: Vec<Uuid> = self.items.iter().filter_map(id_of).filter_map(Result::ok).collect();
        if ids.len() > 1 {
            session.lock_ahead(self.record, self.kind.action(), &ids).await?;
        }
        Ok(ids)
    }

    /// All rows with one statement for those that change the same columns, where each comes once and
    /// nothing is nested. `None` when that cannot be, as in [`Batch::create_together`].
    async fn change_together(&self, session: &mut Session<'_>) -> Result<Option<Vec<RowResult>>> {
        let ids = self.lock_together(session).await?;
        let distinct: HashSet<Uuid> = ids.iter().copied().collect();
        if ids.len() < 2 || distinct.len() < ids.len() {
            return Ok(None);
        }
        let mut attempt = session.fork();
        attempt.locked.clone_from(&session.locked);
        let mut results = Vec::with_capacity(self.items.len());
        let (mut changed, mut deleted) = (Vec::new(), Vec::new());
        for (number, item) in self.items.iter().enumerate() {
            match self.draft_change(&mut attempt, item).await {
                Ok(Drafted::Nested) => return Ok(None),
                Ok(Drafted::Update(id, change)) => {
                    results.push(Ok(id));
                    changed.extend(change);
                }
                Ok(Drafted::Delete(id, row)) => {
                    results.push(Ok(id));
                    deleted.push((id, row));
                }
                Err(error) if self.per_row && !is_fatal(&error) => {
                    results.push(Err(self.blame(number, error)));
                }
                Err(error) => return Err(self.blame(number, error)),
            }
        }
        let rows = match self.kind == WriteKind::DeleteMany {
            true => Together::Deleted(deleted),
            false => Together::Updated(changed),
        };
        Ok(self.keep_together(session, attempt, rows).await?.then_some(results))
    }

    /// Writes rows together and keeps them, or nothing of it: false when one of them stands in the
    /// way.
    async fn keep_together<'a>(
        &self,
        session: &mut Session<'a>,
        mut attempt: Session<'a>,
        rows: Together,
    ) -> Result<bool> {
        let (conn, record) = (session.conn(), self.record);
        let writer = session.writer(self.kind.action(), record)?;
        conn.savepoint(&writer).await?;
        let written = match rows {
            Together::Created(changes) => attempt.create_drafted(record, changes).await,
            Together::Updated(changes) => attempt.update_drafted(record, changes).await,
            Together::Deleted(rows) => attempt.delete_locked(record, rows).await,
        };
        match written {
            Ok(()) => {
                conn.keep_savepoint(&writer).await?;
                session.absorb(attempt);
                Ok(true)
            }
            Err(error) if is_fatal(&error) => Err(error),
            Err(_one_of_them) => {
                conn.undo_savepoint(&writer).await?;
                Ok(false)
            }
        }
    }

    /// What an item of an update or deletion changes, its row locked and read.
    async fn draft_change(&self, session: &mut Session<'_>, item: &Input) -> Result<Drafted> {
        let record = self.record;
        if self.kind == WriteKind::DeleteMany {
            let id = scalar::read_id(item)?;
            let row = session.lock(record, Action::Delete, id, None).await?;
            return Ok(Drafted::Delete(id, row));
        }
        let update = self.read_update(session.ctx(), item)?;
        if !update.draft.is_flat() {
            return Ok(Drafted::Nested);
        }
        let (id, version) = (update.id, update.version);
        let row = session.lock(record, Action::Update, id, version).await.map_err(in_input)?;
        let change = session.redraft(record, id, row, update.draft.values).map_err(in_input)?;
        Ok(Drafted::Update(id, change))
    }

    fn read_update(&self, ctx: &Ctx, item: &Input) -> Result<Update> {
        let Input::Object(entries) = item else {
            return Err(Error::invalid(say("expected an object", "esperava um objeto")));
        };
        let missing = |name| Error::invalid_field(name, say("it is needed", "é necessário"));
        let id = entries.get("id").ok_or_else(|| missing("id"))?;
        let id = scalar::read_id(id).map_err(|error| error.at("id"))?;
        let given = entries.get("input").ok_or_else(|| missing("input"))?;
        let version = version_argument(entries.get("expectedVersion"))?;
        let draft = draft(ctx, self.record, given, Purpose::Update);
        Ok(Update { id, version, draft: draft.map_err(|error| error.within("input"))? })
    }

    /// All rows with one insert, where nothing is nested. `None` when that cannot be: row by row
    /// then does it, or tells which row is to blame.
    async fn create_together(&self, session: &mut Session<'_>) -> Result<Option<Vec<RowResult>>> {
        let mut results = Vec::with_capacity(self.items.len());
        let mut changes = Vec::with_capacity(self.items.len());
        for (number, item) in self.items.iter().enumerate() {
            let drafted = match draft(session.ctx(), self.record, item, Purpose::Create) {
                Ok(draft) if !draft.is_flat() => return Ok(None),
                Ok(draft) => session.draft(self.record, draft.values),
                Err(error) => Err(error),
            };
            match drafted.map_err(|error| self.blame(number, error)) {
                Ok(change) => {
                    results.push(Ok(change.id));
                    changes.push(change);
                }
                Err(error) if self.per_row => results.push(Err(error)),
                Err(error) => return Err(error),
            }
        }
        let attempt = session.fork();
        let kept = self.keep_together(session, attempt, Together::Created(changes)).await?;
        Ok(kept.then_some(results))
    }

    async fn one_by_one(&self, session: &mut Session<'_>) -> Result<Vec<RowResult>> {
        let mut results = Vec::with_capacity(self.items.len());
        let conn = session.conn();
        let writer = session.writer(self.kind.action(), self.record)?;
        for (number, item) in self.in_key_order(session.ctx()) {
            if !self.per_row {
                let written = self.item(session, item).await;
                results.push((number, Ok(written.map_err(|error| self.blame(number, error))?)));
                continue;
            }
            conn.savepoint(&writer).await?;
            let mut attempt = session.fork();
            attempt.locked = std::mem::take(&mut session.locked);
            let written = self.item(&mut attempt, item).await;
            session.locked = std::mem::take(&mut attempt.locked);
            match written {
                Ok(id) => {
                    conn.keep_savepoint(&writer).await?;
                    session.absorb(attempt);
                    results.push((number, Ok(id)));
                }
                Err(error) if is_fatal(&error) => return Err(error),
                Err(error) => {
                    conn.undo_savepoint(&writer).await?;
                    results.push((number, Err(self.blame(number, error))));
                }
            }
        }
        results.sort_by_key(|(number, _)| *number);
        Ok(results.into_iter().map(|(_, result)| result).collect())
    }

    /// Items with their numbers. New rows come in the order of what names them, so that two batches
    /// of the same rows never wait for each other's unique keys in a circle.
    fn in_key_order(&self, ctx: &Ctx) -> Vec<(usize, &Input)> {
        let mut items: Vec<(usize, &Input)> = self.items.iter().enumerate().collect();
        if self.kind == WriteKind::CreateMany {
            items.sort_by_cached_key(|(_, item)| {
                let draft = draft(ctx, self.record, item, Purpose::Create).ok();
                draft.map(|draft| store::key_of(self.record, &draft.values)).unwrap_or_default()
            });
        }
        items
    }

    async fn item(&self, session: &mut Session<'_>, item: &Input) -> RowResult {
        let record = self.record;
        match self.kind {
            WriteKind::DeleteMany => {
                let id = scalar::read_id(item)?;
                session.delete(record, id, None).await?;
                Ok(id)
            }
            WriteKind::UpdateMany => {
                let Update { id, version, draft } = self.read_update(session.ctx(), item)?;
                draft.update(session, id, version).await.map_err(in_input)?;
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
}

/// Whether an error is the database's and not a row's.
fn is_fatal(error: &Error) -> bool {
    error.retryable() || error.internal_cause().is_some()
}

/// Writes the answer of a batch.
pub(super) async fn answer(
    ctx: &Ctx,
    conn: &Conn,
    plan: &ManyResult,
    results: Vec<RowResult>,
    out: &mut Vec<u8>,
) -> Result<()> {
    let ids: Vec<Uuid> =
        results.iter().filter_map(|result| result.as_ref().ok().copied()).collect();
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
