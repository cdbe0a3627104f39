//! The statements of writes.

use std::collections::{BTreeMap, HashMap, HashSet};

use uuid::Uuid;

use super::checked::with_derived;
use super::{Columns, RowChange, Values};
use crate::access::{Permit, Reader, Resource, RowRule};
use crate::db::{Conn, NullOf, Row, Statement, Value};
use crate::error::{Error, Result, say};
use crate::record::declare::Record;
use crate::record::sql::{all_of, for_tenant, row_rule};

/// Of one update: SQLite takes 32,766 parameters to a statement.
const PARAMETERS_MAX: usize = 30_000;
const UPDATE_ROWS_MAX: usize = 500;

/// The columns of a record's fields, with their types, each once.
pub(super) fn columns(record: &Record) -> Vec<(&'static str, NullOf)> {
    let mut columns: Vec<(&'static str, NullOf)> = Vec::with_capacity(record.fields.len());
    for field in &record.fields {
        if !columns.iter().any(|(known, _)| *known == field.column) {
            columns.push((field.column, field.kind.bind()));
        }
    }
    columns
}

pub(super) fn read_row(columns: &[(&'static str, NullOf)], row: &Row) -> Result<Values> {
    columns
        .iter()
        .enumerate()
        .map(|(index, (column, bind))| Ok((*column, row.value(index, *bind)?)))
        .collect()
}

/// A row found for a change.
#[derive(Clone)]
pub(super) struct Found {
    pub(super) values: Values,
    /// The row is among those that the caller may change.
    pub(super) allowed: bool,
}

/// Locks and reads rows by id, deleted ones too; those that `reader` may not see are absent.
pub(super) async fn lock(
    conn: &Conn,
    record: &Record,
    reader: &Reader,
    writable: &RowRule,
    ids: &[Uuid],
) -> Result<HashMap<Uuid, Found>> {
    let mut sql = for_tenant(conn.dialect(), reader.tenant_id());
    let columns = columns(record);
    let names: Vec<String> = columns.iter().map(|(column, _)| format!("t0.{column}")).collect();
    let allowed = row_rule(&mut sql, record, "t0", writable).unwrap_or_else(|| "TRUE".to_owned());
    let mut conditions = vec![sql.tenant_is("t0")];
    if let [id] = ids {
        let id = sql.bind(Value::Id(*id));
        conditions.push(format!("t0.id = {id}"));
    } else {
        let list = sql.bind(Value::Ids(ids.to_vec()));
        conditions.push(sql.dialect.in_ids("t0.id", &list));
    }
    conditions.extend(row_rule(&mut sql, record, "t0", reader.rows()));
    let lock = sql.dialect.for_update();
    sql.push(&format!(
        "SELECT {}, ({allowed}) FROM {} t0 WHERE {} ORDER BY t0.id{lock}",
        names.join(", "),
        record.table,
        all_of(&conditions)
    ));
    let rows = conn.rows(reader, &sql.finish()).await?;
    let mut found = HashMap::with_capacity(rows.len());
    for row in &rows {
        let values = read_row(&columns, row)?;
        let allowed = row.bool(columns.len())?.unwrap_or_default();
        if let Some(Value::Id(id)) = values.get("id") {
            found.insert(*id, Found { values, allowed });
        }
    }
    Ok(found)
}

/// Living rows whose columns equal the given values, by a natural key.
pub(super) async fn by_key(
    conn: &Conn,
    record: &Record,
    permit: &impl Permit,
    key: &[(&'static str, Value)],
) -> Result<Option<Uuid>> {
    let mut sql = for_tenant(conn.dialect(), permit.tenant_id());
    let mut conditions = vec![sql.tenant_is("t0")];
    if record.soft_delete {
        conditions.push("t0.deleted_at IS NULL".to_owned());
    }
    for (column, value) in key {
        let placeholder = sql.bind(value.clone());
        conditions.push(format!("t0.{column} = {placeholder}"));
    }
    sql.push(&format!("SELECT t0.id FROM {} t0 WHERE {}", record.table, all_of(&conditions)));
    match conn.row(permit, &sql.finish()).await? {
        Some(row) => row.id(0),
        None => Ok(None),
    }
}

/// Rows asked for: of a record, within a rule.
pub(super) struct Wanted<'a> {
    pub(super) record: &'a Record,
    pub(super) rule: RowRule,
    pub(super) ids: Vec<Uuid>,
}

/// Those of the rows asked for that are alive and within their rule, in one statement.
pub(super) async fn living(
    conn: &Conn,
    permit: &impl Permit,
    wanted: Vec<Wanted<'_>>,
) -> Result<HashSet<(Resource, Uuid)>> {
    let mut sql = for_tenant(conn.dialect(), permit.tenant_id());
    let mut selects = Vec::with_capacity(wanted.len());
    let resources: Vec<Resource> = wanted.iter().map(|each| each.record.resource).collect();
    for (number, Wanted { record, rule, ids }) in wanted.into_iter().enumerate() {
        let mut conditions = vec![sql.tenant_is("t0")];
        if record.soft_delete {
            conditions.push("t0.deleted_at IS NULL".to_owned());
        }
        let list = sql.bind(Value::Ids(ids));
        conditions.push(sql.dialect.in_ids("t0.id", &list));
        conditions.extend(row_rule(&mut sql, record, "t0", &rule));
        let (table, conditions) = (record.table, all_of(&conditions));
        selects.push(format!("SELECT {number}, t0.id FROM {table} t0 WHERE {conditions}"));
    }
    if selects.is_empty() {
        return Ok(HashSet::new());
    }
    sql.push(&selects.join(" UNION ALL "));
    let mut found = HashSet::new();
    for row in conn.rows(permit, &sql.finish()).await? {
        let number = row.int(0)?.and_then(|number| usize::try_from(number).ok());
        let resource = number.and_then(|number| resources.get(number));
        let resource = resource.ok_or_else(|| Error::internal("a row of no record"))?;
        found.insert((*resource, row.required_id(1)?));
    }
    Ok(found)
}

/// Inserts new rows, in the order of what names them, so that two batches of the same rows never wait
/// for each other's unique keys in a circle.
pub(super) async fn insert(
    conn: &Conn,
    record: &Record,
    permit: &impl Permit,
    changes: &[RowChange],
) -> Result<()> {
    let mut sorted: Vec<&RowChange> = changes.iter().collect();
    sorted.sort_by_cached_key(|change| key_of(record, &change.new));
    let rows: Vec<Columns> = sorted.into_iter().map(with_derived).collect();
    let Some(first) = rows.first() else { return Ok(()) };
    let mut columns: Vec<String> = vec!["tenant_id".to_owned()];
    columns.extend(first.keys().map(ToString::to_string));
    let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
    let rows = rows
        .into_iter()
        .map(|row| {
            let mut values = vec![Value::Id(permit.tenant_id())];
            values.extend(row.into_values());
            values
        })
        .collect();
    let inserted = conn.insert(permit, record.table, &columns, rows).await;
    inserted.map_err(|error| name_field(record, error))
}

/// What names a row: the texts of its natural keys.
pub(super) fn key_of(record: &Record, values: &Values) -> Vec<String> {
    let names = record.changes.natural_keys.iter().flat_map(|key| key.iter());
    let fields = names.filter_map(|name| record.find_field(name));
    let texts = fields.map(|field| match values.get(field.column) {
        Some(Value::Text(text)) => text.clone(),
        _ => String::new(),
    });
    texts.collect()
}

/// Writes changed rows: one statement for all that change the same columns.
pub(super) async fn update(
    conn: &Conn,
    record: &Record,
    permit: &impl Permit,
    changes: &[RowChange],
) -> Result<()> {
    let mut alike: BTreeMap<Vec<String>, Vec<(Uuid, Columns)>> = BTreeMap::new();
    for change in changes {
        let columns = with_derived(change);
        let names = columns.keys().map(ToString::to_string).collect();
        alike.entry(names).or_default().push((change.id, columns));
    }
    for (names, rows) in alike {
        let mut rows = rows.into_iter().peekable();
        while rows.peek().is_some() {
            let at_once = (PARAMETERS_MAX / (names.len() + 1)).clamp(1, UPDATE_ROWS_MAX);
            let part: Vec<(Uuid, Columns)> = rows.by_ref().take(at_once).collect();
            let count = u64::try_from(part.len()).map_err(Error::internal)?;
            let changed = match part.as_slice() {
                [(id, columns)] => update_one(conn, record, permit, *id, columns).await,
                _ => update_alike(conn, record, permit, &names, part).await,
            };
            if changed.map_err(|error| name_field(record, error))? != count {
                return Err(Error::internal("a locked row was not there"));
            }
        }
    }
    Ok(())
}

/// Writes the same columns of many rows, each with its own values: both databases join a list of
/// rows, and call its columns `column1`, `column2`, ….
async fn update_alike(
    conn: &Conn,
    record: &Record,
    permit: &impl Permit,
    names: &[String],
    rows: Vec<(Uuid, Columns)>,
) -> Result<u64> {
    let mut values = Vec::with_capacity(rows.len() * (names.len() + 1) + 1);
    let mut tuples = Vec::with_capacity(rows.len());
    for (id, columns) in rows {
        let first = values.len();
        values.push(Value::Id(id));
        values.extend(columns.into_values());
        let places: Vec<String> = (first + 1..=values.len())
            .map(|place| conn.dialect().next_placeholder(place))
            .collect();
        tuples.push(format!("({})", places.join(", ")));
    }
    values.push(Value::Id(permit.tenant_id()));
    let tenant = conn.dialect().next_placeholder(values.len());
    let assignments: Vec<String> =
        names.iter().zip(2..).map(|(name, place)| format!("{name} = v.column{place}")).collect();
    let (table, assignments, tuples) = (record.table, assignments.join(", "), tuples.join(", "));
    let sql = format!(
        "UPDATE {table} SET {assignments} FROM (VALUES {tuples}) v \
         WHERE {table}.tenant_id = {tenant} AND {table}.id = v.column1"
    );
    conn.execute(permit, &Statement::new(sql, values)).await
}

/// Writes the given columns of one row.
async fn update_one(
    conn: &Conn,
    record: &Record,
    permit: &impl Permit,
    id: Uuid,
    columns: &Columns,
) -> Result<u64> {
    let mut sql = for_tenant(conn.dialect(), permit.tenant_id());
    let assignments: Vec<String> = columns
        .iter()
        .map(|(column, value)| format!("{column} = {}", sql.bind(value.clone())))
        .collect();
    let id = sql.bind(Value::Id(id));
    let tenant = sql.dialect.placeholder(1);
    sql.push(&format!(
        "UPDATE {} SET {} WHERE tenant_id = {tenant} AND id = {id}",
        record.table,
        assignments.join(", ")
    ));
    conn.execute(permit, &sql.finish()).await
}

/// Ids of rows of `record` whose `column` is one of `ids`.
pub(super) async fn referring(
    conn: &Conn,
    record: &Record,
    permit: &impl Permit,
    (column, ids): (&'static str, Vec<Uuid>),
) -> Result<Vec<Uuid>> {
    let mut sql = for_tenant(conn.dialect(), permit.tenant_id());
    let tenant = sql.tenant_is("t0");
    let list = sql.bind(Value::Ids(ids));
    let inside = sql.dialect.in_ids(&format!("t0.{column}"), &list);
    sql.push(&format!("SELECT t0.id FROM {} t0 WHERE {tenant} AND {inside}", record.table));
    conn.rows(permit, &sql.finish()).await?.iter().map(|row| row.required_id(0)).collect()
}

/// Removes rows for good, and first those of tables without a record that belong to them.
pub(super) async fn remove(
    conn: &Conn,
    record: &Record,
    permit: &impl Permit,
    ids: &[Uuid],
) -> Result<()> {
    let dependents = record.changes.dependents.iter().copied();
    for (table, column) in dependents.chain([(record.table, "id")]) {
        let mut sql = for_tenant(conn.dialect(), permit.tenant_id());
        let tenant = sql.dialect.placeholder(1);
        let list = sql.bind(Value::Ids(ids.to_vec()));
        let inside = sql.dialect.in_ids(column, &list);
        sql.push(&format!("DELETE FROM {table} WHERE tenant_id = {tenant} AND {inside}"));
        conn.execute(permit, &sql.finish()).await.map_err(still_referred_to)?;
    }
    Ok(())
}

fn still_referred_to(error: Error) -> Error {
    if !matches!(error, Error::Conflict { .. }) {
        return error;
    }
    Error::conflict(say(
        "other records still refer to it",
        "outros registros ainda se referem a ele",
    ))
}

/// Which field a violated constraint is about.
fn name_field(record: &Record, mut error: Error) -> Error {
    let (Error::Conflict { field, .. } | Error::Invalid { field, .. }) = &mut error else {
        return error;
    };
    let Some(constraint) = field.take() else { return error };
    // PostgreSQL names the constraint (uq_companies_cnpj), SQLite its columns (companies.cnpj).
    let ends = |column: &str| {
        constraint.ends_with(&format!("_{column}")) || constraint.ends_with(&format!(".{column}"))
    };
    let holds = |column: &str| constraint.contains(&format!("_{column}_"));
    let longest = |fits: &dyn Fn(&str) -> bool| {
        let fitting = record.fields.iter().filter(|field| fits(field.column));
        fitting.max_by_key(|field| field.column.len())
    };
    let named = longest(&ends).or_else(|| longest(&holds));
    *field = named.map(|field| field.name.clone().into());
    error
}
