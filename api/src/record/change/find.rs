//! Rows by what names them outside: natural keys of many rows, and ids for references.

use std::collections::HashMap;

use uuid::Uuid;

use super::bulk::BulkRow;
use super::session::Session;
use super::{Values, store};
use crate::access::{Action, Permit, Reader};
use crate::db::{Conn, Value};
use crate::error::{Error, Result};
use crate::record::declare::Record;
use crate::record::sql::{Sql, all_of, for_tenant, row_rule};

/// Between the parts of a key; no value holds it, because it is no text that anybody types.
const BETWEEN: char = '\u{1f}';

/// A row that has the key asked for.
pub(super) enum Known {
    /// Locked, with all its columns.
    Living(Uuid, Values),
    Deleted(Uuid),
}

/// The key of a row as one text.
pub(super) fn name_of(key: &[&'static str], values: &Values) -> Result<String> {
    let mut name = String::new();
    for column in key {
        match values.get(column) {
            Some(Value::Text(text)) => {
                name.push_str(text);
                name.push(BETWEEN);
            }
            _ => return Err(Error::internal(format!("a row without {column}"))),
        }
    }
    Ok(name)
}

/// Rows by their key, in one statement, and one more for those that may have been deleted. A living
/// row wins over deleted ones of the same key.
pub(super) async fn lock_by_key(
    session: &mut Session<'_>,
    record: &'static Record,
    key: &[&'static str],
    rows: &[BulkRow],
) -> Result<HashMap<String, Known>> {
    let writer = session.writer(Action::Update, record)?;
    let mut known = HashMap::with_capacity(rows.len());
    let mut sql = for_tenant(session.conn.dialect(), writer.tenant_id());
    let mut conditions = vec![sql.tenant_is("t0"), "t0.deleted_at IS NULL".to_owned()];
    conditions.extend(key_is_one_of(&mut sql, key, rows.iter())?);
    conditions.extend(row_rule(&mut sql, record, "t0", writer.rows()));
    let columns = store::columns(record);
    let names: Vec<String> = columns.iter().map(|(column, _)| format!("t0.{column}")).collect();
    let lock = sql.dialect.for_update();
    sql.push(&format!(
        "SELECT {} FROM {} t0 WHERE {} ORDER BY t0.id{lock}",
        names.join(", "),
        record.table,
        all_of(&conditions)
    ));
    for row in session.conn.rows(&writer, &sql.finish()).await? {
        let values = store::read_row(&columns, &row)?;
        if let Some(Value::Id(id)) = values.get("id") {
            known.insert(name_of(key, &values)?, Known::Living(*id, values));
        }
    }
    let mut unknown = Vec::new();
    for row in rows {
        if !known.contains_key(&name_of(key, &row.values)?) {
            unknown.push(row);
        }
    }
    if record.soft_delete && !unknown.is_empty() {
        find_deleted(session.conn, record, &writer, (key, unknown), &mut known).await?;
    }
    Ok(known)
}

async fn find_deleted(
    conn: &Conn,
    record: &Record,
    permit: &impl Permit,
    (key, rows): (&[&'static str], Vec<&BulkRow>),
    known: &mut HashMap<String, Known>,
) -> Result<()> {
    let mut sql = for_tenant(conn.dialect(), permit.tenant_id());
    let mut conditions = vec![sql.tenant_is("t0"), "t0.deleted_at IS NOT NULL".to_owned()];
    conditions.extend(key_is_one_of(&mut sql, key, rows.into_iter())?);
    let columns: Vec<String> = key.iter().map(|column| format!("t0.{column}")).collect();
    sql.push(&format!(
        "SELECT t0.id, {} FROM {} t0 WHERE {}",
        columns.join(", "),
        record.table,
        all_of(&conditions)
    ));
    for row in conn.rows(permit, &sql.finish()).await? {
        let mut name = String::new();
        for index in 0..key.len() {
            name.push_str(&row.text(1 + index)?.unwrap_or_default());
            name.push(BETWEEN);
        }
        known.entry(name).or_insert(Known::Deleted(row.required_id(0)?));
    }
    Ok(())
}

/// Conditions that every row with one of the keys meets: equality where all rows agree, a list where
/// they do not. Others may meet them too; whoever asks compares names.
fn key_is_one_of<'r>(
    sql: &mut Sql,
    key: &[&'static str],
    rows: impl Iterator<Item = &'r BulkRow>,
) -> Result<Vec<String>> {
    let rows: Vec<&BulkRow> = rows.collect();
    let mut conditions = Vec::new();
    for column in key {
        let mut texts = Vec::with_capacity(rows.len());
        for row in &rows {
            let Some(Value::Text(text)) = row.values.get(column) else {
                return Err(Error::internal(format!("a row without {column}")));
            };
            texts.push(text.clone());
        }
        let first = texts.first().cloned().unwrap_or_default();
        // Said aloud, because the unique indexes hold only rows that have the key.
        conditions.push(format!("t0.{column} IS NOT NULL"));
        if rows.len() > 1 && texts.iter().all(|text| *text == first) {
            let placeholder = sql.bind(Value::Text(first));
            conditions.push(format!("t0.{column} = {placeholder}"));
        } else {
            let list = sql.bind(Value::Texts(texts));
            conditions.push(sql.dialect.in_list(&format!("t0.{column}"), &list));
        }
    }
    Ok(conditions)
}

/// Ids of living rows whose `column` is one of `names`, within what the reader may see. `fixed` is
/// another column that must have a value.
pub async fn ids_by(
    conn: &Conn,
    reader: &Reader,
    record: &'static Record,
    (column, names): (&'static str, Vec<String>),
    fixed: Option<(&'static str, &str)>,
) -> Result<HashMap<String, Vec<Uuid>>> {
    let mut sql = for_tenant(conn.dialect(), reader.tenant_id());
    let mut conditions = vec![sql.tenant_is("t0")];
    if record.soft_delete {
        conditions.push("t0.deleted_at IS NULL".to_owned());
    }
    if let Some((column, value)) = fixed {
        let placeholder = sql.bind(value.into());
        conditions.push(format!("t0.{column} = {placeholder}"));
    }
    conditions.push(format!("t0.{column} IS NOT NULL"));
    let list = sql.bind(Value::Texts(names));
    conditions.push(sql.dialect.in_list(&format!("t0.{column}"), &list));
    conditions.extend(row_rule(&mut sql, record, "t0", reader.rows()));
    sql.push(&format!(
        "SELECT t0.id, t0.{column} FROM {} t0 WHERE {} ORDER BY t0.id",
        record.table,
        all_of(&conditions)
    ));
    let mut found: HashMap<String, Vec<Uuid>> = HashMap::new();
    for row in conn.rows(reader, &sql.finish()).await? {
        let name = row.text(1)?.unwrap_or_default();
        found.entry(name).or_default().push(row.required_id(0)?);
    }
    Ok(found)
}
