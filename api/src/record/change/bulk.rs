//! Many rows of one record at once, by their outside id: what imports and connectors use. A row that
//! is new is created, one that differs is updated, one that does not is left alone, one that was
//! deleted stays deleted.
//!
//! Invariants: rows are found and locked by one statement for all of them; a row that cannot be
//! written is refused alone, with its reason, and leaves nothing behind.

use std::collections::HashSet;
use std::ops::Range;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::find::{self, Known, name_of};
use super::session::Session;
use super::{RowChange, Values, checked};
use crate::access::Action;
use crate::db::Value;
use crate::error::{Code, Error, Result, say};
use crate::record::declare::Record;

/// A row as it comes from outside; it holds `external_system` and `external_id`, or the columns of
/// another natural key.
#[derive(Debug, Clone, Default)]
pub struct BulkRow {
    pub values: Values,
    /// Columns that are set on creation only (a status must not fall back).
    pub on_create: Values,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BulkOutcome {
    Created(Uuid),
    Updated(Uuid),
    Unchanged(Uuid),
    /// A row with this key was deleted: it is left so.
    Deleted(Uuid),
    /// There is no such row, and none was to be created.
    Missing,
}

/// What became of one row; an error is about that row alone.
pub type BulkResult = Result<BulkOutcome>;

/// Writes rows in the order given and tells what became of each. `key` are the columns that name a
/// row. With `create` false, unknown rows are skipped. JSON objects are merged into what is there:
/// several sources may each keep their own part of one row's metadata.
///
/// # Errors
///
/// What makes the whole transaction useless (the database is gone, a deadlock); everything that is
/// one row's fault stands in that row's result.
pub async fn bulk_upsert(
    session: &mut Session<'_>,
    record: &'static Record,
    key: &[&'static str],
    mut rows: Vec<BulkRow>,
    create: bool,
) -> Result<Vec<BulkResult>> {
    let writer = session.writer(Action::Update, record)?;
    let mut results: Vec<Option<BulkResult>> =
        rows.iter_mut().map(|row| normalise(record, row).err().map(Err)).collect();
    // The last part is worked on first: parts are put on the heap in reverse.
    let mut parts = distinct_parts(key, &rows, &results)?;
    parts.reverse();
    while let Some(part) = parts.pop() {
        let indexes: Vec<usize> =
            part.clone().filter(|index| results.get(*index).is_some_and(Option::is_none)).collect();
        let batch: Vec<BulkRow> =
            indexes.iter().filter_map(|index| rows.get(*index)).cloned().collect();
        if batch.is_empty() {
            continue;
        }
        session.conn.savepoint(&writer).await?;
        let mut attempt = session.fork();
        match write(&mut attempt, record, key, batch, create).await {
            Ok(done) => {
                session.conn.keep_savepoint(&writer).await?;
                session.absorb(attempt);
                for (index, result) in indexes.iter().zip(done) {
                    put(&mut results, *index, result);
                }
            }
            Err(error) if !is_about_a_row(&error) => return Err(error),
            Err(error) => {
                session.conn.undo_savepoint(&writer).await?;
                match indexes.as_slice() {
                    [alone] => put(&mut results, *alone, Err(error)),
                    _ => parts.extend(halves(part)),
                }
            }
        }
    }
    results
        .into_iter()
        .map(|result| result.ok_or_else(|| Error::internal("a row without a result")))
        .collect()
}

fn put(results: &mut [Option<BulkResult>], index: usize, result: BulkResult) {
    if let Some(place) = results.get_mut(index) {
        *place = Some(result);
    }
}

/// The second half first, because the last of a stack is taken next.
fn halves(part: Range<usize>) -> [Range<usize>; 2] {
    let middle = part.start + part.len() / 2;
    [middle..part.end, part.start..middle]
}

/// Runs of rows in which no key comes twice: the second of two equal keys must find the first. Rows
/// that have a result already are refused ones, of which no more may be known than that.
fn distinct_parts(
    key: &[&'static str],
    rows: &[BulkRow],
    results: &[Option<BulkResult>],
) -> Result<Vec<Range<usize>>> {
    let mut parts = Vec::new();
    let mut seen = HashSet::with_capacity(rows.len());
    let mut start = 0;
    for (index, (row, result)) in rows.iter().zip(results).enumerate() {
        if result.is_some() {
            continue;
        }
        let name = name_of(key, &row.values)?;
        if seen.contains(&name) {
            parts.push(start..index);
            start = index;
            seen.clear();
        }
        seen.insert(name);
    }
    parts.push(start..rows.len());
    Ok(parts)
}

/// Whether an error says that a row is wrong, and not that the database cannot work.
fn is_about_a_row(error: &Error) -> bool {
    match error.code() {
        Code::NotFound
        | Code::Conflict
        | Code::Invalid
        | Code::Forbidden
        | Code::LimitExceeded
        | Code::Unsupported => true,
        Code::Unauthenticated | Code::RateLimited | Code::Unavailable | Code::Internal => false,
    }
}

/// Values in the form in which they are stored. A null for a column that has none is a value left
/// out: its default holds on creation, and what is there stays.
fn normalise(record: &Record, row: &mut BulkRow) -> Result<()> {
    for values in [&mut row.values, &mut row.on_create] {
        let given = std::mem::take(values);
        for (column, value) in given {
            let field = record.fields.iter().find(|field| field.column == column);
            let field = field.ok_or_else(|| Error::internal(format!("no column {column}")))?;
            if value.is_null() && !field.nullable {
                continue;
            }
            values.insert(column, checked::normal(field, value)?);
        }
    }
    Ok(())
}

/// One attempt at all rows. An error may be any row's.
async fn write(
    session: &mut Session<'_>,
    record: &'static Record,
    key: &[&'static str],
    rows: Vec<BulkRow>,
    create: bool,
) -> Result<Vec<BulkResult>> {
    let names = rows.iter().map(|row| name_of(key, &row.values)).collect::<Result<Vec<_>>>()?;
    let mut known = find::lock_by_key(session, record, key, &rows).await?;
    let mut outcomes = Vec::with_capacity(rows.len());
    let (mut fresh, mut changed) = (Vec::new(), Vec::new());
    for (name, row) in names.iter().zip(rows) {
        outcomes.push(match known.remove(name) {
            Some(Known::Deleted(id)) => Ok(BulkOutcome::Deleted(id)),
            Some(Known::Living(id, old)) => {
                match redraft(session, record, (id, old), row.values)? {
                    Ok(Some(change)) => {
                        changed.push(change);
                        Ok(BulkOutcome::Updated(id))
                    }
                    Ok(None) => Ok(BulkOutcome::Unchanged(id)),
                    Err(error) => Err(error),
                }
            }
            None if create => match draft(session, record, row) {
                Ok(change) => {
                    let id = change.id;
                    fresh.push(change);
                    Ok(BulkOutcome::Created(id))
                }
                Err(error) => Err(error),
            },
            None => Ok(BulkOutcome::Missing),
        });
    }
    session.update_drafted(record, changed).await?;
    session.create_drafted(record, fresh).await?;
    Ok(outcomes)
}

/// What a row changes of the one that is there. The inner error is about this row alone.
fn redraft(
    session: &Session<'_>,
    record: &'static Record,
    (id, old): (Uuid, Values),
    mut values: Values,
) -> Result<Result<Option<RowChange>>> {
    for (column, value) in &mut values {
        if let (Value::Json(new), Some(Value::Json(old))) = (value, old.get(column)) {
            merge(old, new);
        }
    }
    let merged = session.change(record, id, old, values);
    if let Err(error) = checked::check_money(&merged) {
        return Ok(Err(error));
    }
    session.redraft(record, id, merged.old.unwrap_or_default(), merged.new).map(Ok)
}

/// Keys of `old` that `new` does not name stay.
fn merge(old: &serde_json::Value, new: &mut serde_json::Value) {
    if let (Some(old), Some(new)) = (old.as_object(), new.as_object_mut()) {
        for (key, value) in old {
            new.entry(key).or_insert_with(|| value.clone());
        }
    }
}

fn draft(session: &Session<'_>, record: &'static Record, row: BulkRow) -> Result<RowChange> {
    let mut values = row.values;
    values.extend(row.on_create);
    let change = session.draft(record, values)?;
    checked::check_money(&change)?;
    check_dates(&change, session.ctx.now())?;
    Ok(change)
}

/// A row tells when it was made elsewhere, and its id carries that time: not before ids can, not
/// after now, and not after its last change.
fn check_dates(change: &RowChange, now: DateTime<Utc>) -> Result<()> {
    let at = |column: &str| match change.new.get(column) {
        Some(Value::Instant(at)) => Some(*at),
        _ => None,
    };
    let (created_at, updated_at) = (at("created_at"), at("updated_at"));
    let refuse = |column: &'static str, message| {
        let field = change.record.fields.iter().find(|field| field.column == column);
        let name = field.map_or(column, |field| field.name.as_str()).to_owned();
        Err(Error::invalid_field(name, message))
    };
    for (column, at) in [("created_at", created_at), ("updated_at", updated_at)] {
        if at.is_some_and(|at| at > now || at < DateTime::UNIX_EPOCH) {
            return refuse(
                column,
                say("must be between 1970 and now", "deve estar entre 1970 e agora"),
            );
        }
    }
    if created_at > updated_at {
        return refuse(
            "updated_at",
            say("must not be before createdAt", "não pode ser antes de createdAt"),
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn row(id: &str) -> BulkRow {
        let values = Values::from([("external_system", "s".into()), ("external_id", id.into())]);
        BulkRow { values, on_create: Values::new() }
    }

    #[test]
    fn a_part_holds_no_key_twice() {
        let mut rows: Vec<BulkRow> = ["a", "b", "a", "c", "c", "d"].map(row).into();
        let mut results: Vec<Option<BulkResult>> = rows.iter().map(|_| None).collect();
        let key = ["external_system", "external_id"];
        assert_eq!(distinct_parts(&key, &rows, &results).unwrap(), [0..2, 2..4, 4..6]);
        // One that is refused has no say, whatever is left of it.
        rows[3].values.clear();
        results[3] = Some(Err(Error::not_found("Lead")));
        assert_eq!(distinct_parts(&key, &rows, &results).unwrap(), [0..2, 2..6]);
    }

    #[test]
    fn halves_lose_nothing() {
        assert_eq!(halves(0..5), [2..5, 0..2]);
        assert_eq!(halves(7..9), [8..9, 7..8]);
    }

    #[test]
    fn objects_are_merged_key_by_key() {
        let mut new = json!({ "a": 1 });
        merge(&json!({ "a": 0, "b": 2 }), &mut new);
        assert_eq!(new, json!({ "a": 1, "b": 2 }));
    }
}
