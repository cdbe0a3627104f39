//! Many rows by one statement whose text does not depend on how many there are: columns travel as
//! lists on PostgreSQL (`unnest`) and as one JSON text on SQLite (`json_each`). A text for every
//! number of rows would be parsed and kept for every number of rows.

use chrono::{DateTime, Utc};
use serde_json::Value as Json;
use uuid::Uuid;

use super::value::sqlite_instant;
use super::{Conn, Dialect, Row, Statement, Value};
use crate::access::Permit;
use crate::error::{Error, Result};

/// The values of one column for all rows.
#[derive(Debug, Clone)]
pub enum List {
    /// One value for every row.
    Same(Value),
    Ids(Vec<Uuid>),
    OptionalIds(Vec<Option<Uuid>>),
    Texts(Vec<String>),
    OptionalTexts(Vec<Option<String>>),
    Ints(Vec<i64>),
    Instants(Vec<DateTime<Utc>>),
    Jsons(Vec<Json>),
}

impl List {
    /// How many rows it is for, where it says.
    fn len(&self) -> Option<usize> {
        Some(match self {
            Self::Same(_) => return None,
            Self::Ids(list) => list.len(),
            Self::OptionalIds(list) => list.len(),
            Self::Texts(list) => list.len(),
            Self::OptionalTexts(list) => list.len(),
            Self::Ints(list) => list.len(),
            Self::Instants(list) => list.len(),
            Self::Jsons(list) => list.len(),
        })
    }
}

/// Rows of a table, column by column; at least one column is a list, and all lists are as long.
pub struct Lists<'a> {
    pub table: &'a str,
    pub columns: Vec<(&'a str, List)>,
    /// What follows the rows: `ON CONFLICT …`, `RETURNING …`.
    pub then: &'a str,
}

impl Conn {
    /// Inserts the rows; what `RETURNING` gives.
    pub async fn insert_lists(&self, permit: &impl Permit, lists: Lists<'_>) -> Result<Vec<Row>> {
        let mut lengths = lists.columns.iter().filter_map(|(_, list)| list.len());
        let rows = lengths.next().ok_or_else(|| Error::internal("rows without a list"))?;
        if lengths.any(|other| other != rows) {
            return Err(Error::internal(format!("columns of {} differ in length", lists.table)));
        }
        if rows == 0 {
            return Ok(Vec::new());
        }
        let statement = match self.dialect() {
            Dialect::Postgres => of_unnest(lists),
            Dialect::Sqlite => of_json(lists, rows),
        };
        self.rows(permit, &statement).await
    }
}

/// Everything of the statement but where the rows come from.
struct Insert<'a> {
    table: &'a str,
    names: Vec<&'a str>,
    then: &'a str,
}

impl<'a> Insert<'a> {
    fn of(lists: &Lists<'a>) -> Self {
        let names = lists.columns.iter().map(|(name, _)| *name).collect();
        Self { table: lists.table, names, then: lists.then }
    }

    fn sql(&self, shown: &[String], from: &str) -> String {
        // SQLite would take the conflict clause for a part of the join without a WHERE.
        format!(
            "INSERT INTO {} ({}) SELECT {} FROM {from} WHERE true {}",
            self.table,
            self.names.join(", "),
            shown.join(", "),
            self.then
        )
    }
}

fn of_unnest(lists: Lists<'_>) -> Statement {
    let (mut shown, mut arrays, mut aliases) = (Vec::new(), Vec::new(), Vec::new());
    let mut values = Vec::with_capacity(lists.columns.len());
    let insert = Insert::of(&lists);
    let columns = lists.columns.into_iter().map(|(_, list)| list);
    for (number, list) in (1..).zip(columns) {
        let alias = format!("c{number}");
        let (value, array, expression) = match list {
            List::Same(value) => {
                shown.push(format!("${number}"));
                values.push(value);
                continue;
            }
            List::Ids(list) => (Value::Ids(list), "uuid", alias.clone()),
            // The empty text stands for null: an id is never empty.
            List::OptionalIds(list) => {
                let texts =
                    list.into_iter().map(|id| id.map_or_else(String::new, |id| id.to_string()));
                (
                    Value::Texts(texts.collect()),
                    "text",
                    format!("CAST(NULLIF({alias}, '') AS uuid)"),
                )
            }
            List::Texts(list) => (Value::Texts(list), "text", alias.clone()),
            // A text that is there is marked, so that an empty one is not taken for null.
            List::OptionalTexts(list) => {
                let marked = list
                    .into_iter()
                    .map(|text| text.map_or_else(String::new, |text| format!("={text}")));
                (Value::Texts(marked.collect()), "text", format!("substr(NULLIF({alias}, ''), 2)"))
            }
            List::Ints(list) => (Value::Ints(list), "bigint", alias.clone()),
            List::Instants(list) => (Value::Instants(list), "timestamptz", alias.clone()),
            List::Jsons(list) => {
                let texts = list.into_iter().map(|json| json.to_string());
                (Value::Texts(texts.collect()), "text", format!("CAST({alias} AS jsonb)"))
            }
        };
        arrays.push(format!("${number}::{array}[]"));
        aliases.push(alias);
        shown.push(expression);
        values.push(value);
    }
    let from = format!("unnest({}) AS u({})", arrays.join(", "), aliases.join(", "));
    Statement::new(insert.sql(&shown, &from), values)
}

fn of_json(lists: Lists<'_>, rows: usize) -> Statement {
    let insert = Insert::of(&lists);
    let mut shown = Vec::new();
    let mut values = Vec::new();
    let mut cells: Vec<Vec<Json>> = (0..rows).map(|_| Vec::new()).collect();
    let mut place = 0_usize;
    for (_, list) in lists.columns {
        let cell = format!("u.value ->> {place}");
        let (column, expression): (Vec<Json>, String) = match list {
            List::Same(value) => {
                values.push(value);
                shown.push(format!("?{}", values.len()));
                continue;
            }
            List::Ids(list) => {
                let hex = list.iter().map(|id| Json::String(id.simple().to_string()));
                (hex.collect(), format!("unhex({cell})"))
            }
            List::OptionalIds(list) => {
                let hex = list
                    .iter()
                    .map(|id| id.map_or(Json::Null, |id| id.simple().to_string().into()));
                (hex.collect(), format!("unhex({cell})"))
            }
            List::Texts(list) => (list.into_iter().map(Json::String).collect(), cell),
            List::OptionalTexts(list) => {
                (list.into_iter().map(|text| text.map_or(Json::Null, Json::String)).collect(), cell)
            }
            List::Ints(list) => (list.into_iter().map(Json::from).collect(), cell),
            List::Instants(list) => {
                (list.iter().map(|at| Json::String(sqlite_instant(at))).collect(), cell)
            }
            List::Jsons(list) => {
                (list.iter().map(|json| Json::String(json.to_string())).collect(), cell)
            }
        };
        for (row, value) in cells.iter_mut().zip(column) {
            row.push(value);
        }
        shown.push(expression);
        place += 1;
    }
    values.push(Value::Json(Json::Array(cells.into_iter().map(Json::Array).collect())));
    let from = format!("json_each(?{}) AS u", values.len());
    Statement::new(insert.sql(&shown, &from), values)
}
