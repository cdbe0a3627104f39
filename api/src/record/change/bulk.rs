//! Many rows of one record at once, by their outside id: what imports and connectors use. A row that
//! is new is created, one that differs is updated, one that does not is left alone, one that was
//! deleted stays deleted.

use std::collections::HashMap;

use uuid::Uuid;

use super::effects::Done;
use super::session::{Session, name_conflict};
use super::{Values, checked, store};
use crate::access::{Action, Permit};
use crate::db::{Row, Value};
use crate::error::{Error, Result};
use crate::record::declare::Record;
use crate::record::sql::{all_of, for_tenant};

/// A row as it comes from outside; it holds `external_system` and `external_id`, or the columns of
/// another natural key.
#[derive(Debug, Clone)]
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

/// Writes rows in the order given and tells what became of each. `key` are the columns that name a
/// row; the last of them differs from row to row. With `create` false, unknown rows are skipped.
pub async fn bulk_upsert(
    session: &mut Session<'_>,
    record: &'static Record,
    key: &[&'static str],
    rows: Vec<BulkRow>,
    create: bool,
) -> Result<Vec<BulkOutcome>> {
    let known = find(session, record, key, &rows).await?;
    let mut outcomes = Vec::with_capacity(rows.len());
    let mut fresh = Vec::new();
    for row in rows {
        let name = name_of(key, &row.values)?;
        match known.get(&name) {
            Some((id, true)) => outcomes.push(BulkOutcome::Deleted(*id)),
            Some((id, false)) => {
                let old = session.lock(record, Action::Update, *id, None).await?;
                let changed = session.update_row(record, *id, old, row.values).await?;
                outcomes.push(if changed {
                    BulkOutcome::Updated(*id)
                } else {
                    BulkOutcome::Unchanged(*id)
                });
            }
            None if create => {
                let mut values = row.values;
                values.extend(row.on_create);
                let mut change = session.draft(record, values)?;
                if let Some(rule) = record.changes.before {
                    rule(session.ctx, session.conn, &mut change).await?;
                }
                checked::check_money(&change)?;
                outcomes.push(BulkOutcome::Created(change.id));
                fresh.push(change);
            }
            None => outcomes.push(BulkOutcome::Missing),
        }
    }
    let writer = session.writer(Action::Create, record)?;
    let columns = fresh.iter().map(checked::with_derived).collect();
    store::insert(session.conn, record, &writer, columns)
        .await
        .map_err(|error| name_conflict(record, error))?;
    for mut change in fresh {
        session.written(&mut change, Done::Created).await?;
    }
    Ok(outcomes)
}

fn name_of(key: &[&'static str], values: &Values) -> Result<String> {
    let mut name = String::new();
    for column in key {
        match values.get(column) {
            Some(Value::Text(text)) => {
                name.push_str(text);
                name.push('\u{1f}');
            }
            _ => return Err(Error::internal(format!("a row without {column}"))),
        }
    }
    Ok(name)
}

/// Rows by their key: id, and whether deleted. A living row wins over deleted ones of the same key.
async fn find(
    session: &mut Session<'_>,
    record: &'static Record,
    key: &[&'static str],
    rows: &[BulkRow],
) -> Result<HashMap<String, (Uuid, bool)>> {
    let Some((last, fixed)) = key.split_last() else {
        return Err(Error::internal("an empty natural key"));
    };
    let Some(first) = rows.first() else { return Ok(HashMap::new()) };
    let writer = session.writer(Action::Update, record)?;
    let mut sql = for_tenant(session.conn.dialect(), writer.tenant_id());
    let mut conditions = vec![sql.tenant_is("t0")];
    for column in fixed {
        let value = first.values.get(column).cloned();
        let value = value.ok_or_else(|| Error::internal(format!("a row without {column}")))?;
        let placeholder = sql.bind(value);
        conditions.push(format!("t0.{column} = {placeholder}"));
    }
    let names = rows
        .iter()
        .filter_map(|row| match row.values.get(last) {
            Some(Value::Text(text)) => Some(text.clone()),
            _ => None,
        })
        .collect();
    let list = sql.bind(Value::Texts(names));
    conditions.push(sql.dialect.in_list(&format!("t0.{last}"), &list));
    let columns: Vec<String> = key.iter().map(|column| format!("t0.{column}")).collect();
    sql.push(&format!(
        "SELECT t0.id, t0.deleted_at IS NOT NULL, {} FROM {} t0 WHERE {}",
        columns.join(", "),
        record.table,
        all_of(&conditions)
    ));
    let mut known = HashMap::new();
    for row in session.conn.rows(&writer, &sql.finish()).await? {
        let (name, id, deleted) = read(key.len(), &row)?;
        let entry = known.entry(name).or_insert((id, deleted));
        if !deleted {
            *entry = (id, false);
        }
    }
    Ok(known)
}

fn read(keys: usize, row: &Row) -> Result<(String, Uuid, bool)> {
    let mut name = String::new();
    for index in 0..keys {
        name.push_str(&row.text(2 + index)?.unwrap_or_default());
        name.push('\u{1f}');
    }
    Ok((name, row.required_id(0)?, row.bool(1)?.unwrap_or_default()))
}
