//! Selection -> plan. Pure: permissions, columns, joins, cost in rows and the number of statements
//! are all known before anything runs.

mod level;
mod list;
mod result;
mod written;

pub(in crate::record) use list::page_info_keys;

use std::sync::Arc;

use async_graphql::{Pos, Value as Input};

use super::cursor::Fingerprint;
use super::declare::{Computed, Record, Relation};
use super::filter::Condition;
use super::order::OrderKey;
use super::page::PageRequest;
use super::search::SearchPlan;
use super::selection::Selected;
use crate::access::{Reader, RowRule};
use crate::ctx::Ctx;
use crate::db::{NullOf, Value};
use crate::error::{Error, Result, say};
use crate::limits;

pub use result::{ById, ManyResult, ResultNode};
pub use written::{PerParent, Written};

/// Rows of one record with their to-one relations: one statement.
pub struct Level {
    pub record: &'static Record,
    /// Number 0 is the record's own table, the others are joined.
    pub tables: Vec<Table>,
    pub columns: Vec<Column>,
    pub children: Vec<Child>,
    /// Related rows fetched by their ids (only under rows that were computed, which cannot be
    /// joined).
    pub lookups: Vec<Lookup>,
    pub computed: Vec<ComputedUse>,
}

pub struct Table {
    pub record: &'static Record,
    pub reader: Arc<Reader>,
    pub joined: Option<Join>,
}

pub struct Join {
    pub from: usize,
    pub column: &'static str,
}

/// A column of the select list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    pub table: usize,
    pub name: String,
    pub bind: NullOf,
}

pub struct ComputedUse {
    pub computed: &'static Computed,
    /// Columns of the select list that it needs, in its order.
    pub inputs: Vec<(usize, NullOf)>,
    /// The column that says whether there is a row at all, where it is joined and may be absent.
    pub presence: Option<usize>,
}

/// A to-many relation below a level.
pub struct Child {
    pub list: List,
    /// The column of the child's select list that holds the parent's id.
    pub key: usize,
    /// The name of that column.
    pub key_column: &'static str,
    /// The column of the parent's select list that holds its id.
    pub parent: usize,
    pub written: Written<PerParent>,
}

/// A to-one relation below computed rows.
pub struct Lookup {
    pub level: Level,
    pub shape: Shape,
    pub id: usize,
    pub key: usize,
}

/// A connection: which rows, in which order, how they are shown.
pub struct List {
    pub level: Level,
    pub condition: Option<Condition>,
    pub search: Option<SearchPlan>,
    pub deleted: Deleted,
    pub order: Vec<OrderKey>,
    pub page: PageRequest,
    pub cursor: Option<Vec<Value>>,
    /// Rows of this parent only, by column and id (a list below one record).
    pub parent: Option<(&'static str, uuid::Uuid)>,
    /// Of the list without its parent: cursors add that, see [`Fingerprint::below`].
    pub fingerprint: Fingerprint,
    pub shape: ConnectionShape,
    /// Where the sort values stand in the select list; empty when no cursor is selected.
    pub sort_values: Vec<usize>,
    pub wants_rows: bool,
    pub wants_total: bool,
    /// Limits of the `countUpTo` selected.
    pub counts_up_to: Vec<u64>,
    /// Arguments of a computed record.
    pub arguments: Vec<(String, Input)>,
    /// What of a computed record's summary is shown.
    pub summary: Option<(Level, Shape)>,
    /// Of a list that is not searched: what a search means is for the data to say.
    pub written: Written,
}

/// One record by its id.
pub struct One {
    pub level: Level,
    pub shape: Shape,
    pub id: uuid::Uuid,
    pub deleted: Deleted,
    pub written: Written,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deleted {
    Exclude,
    Include,
    Only,
}

/// How an object is written: keys in response order.
#[derive(Default)]
pub struct Shape {
    pub items: Vec<Item>,
}

pub struct Item {
    /// `"name":`, ready to be copied.
    pub key: Box<str>,
    pub node: Node,
}

pub enum Node {
    Column {
        index: usize,
        kind: super::Kind,
        mask: bool,
        currency: Option<usize>,
    },
    Literal(Box<str>),
    /// A to-one relation; absent when the column `presence` is null.
    One {
        presence: usize,
        shape: Shape,
    },
    Many(usize),
    Lookup(usize),
    Computed(usize),
    /// With the columns of the row's owner and company, where a rule asks for them.
    ViewerCan {
        owner: Option<usize>,
        company: Option<usize>,
        keys: Vec<(Box<str>, Allowed)>,
    },
}

/// Whether the caller may do something to a row.
#[derive(Clone)]
pub enum Allowed {
    Never,
    Rows(RowRule),
    Typename,
}

#[derive(Default)]
pub struct ConnectionShape {
    pub items: Vec<ConnectionItem>,
}

pub struct ConnectionItem {
    pub key: Box<str>,
    pub node: ConnectionNode,
}

pub enum ConnectionNode {
    Nodes(Shape),
    Edges(Vec<EdgeItem>),
    PageInfo(Vec<(Box<str>, PageInfoField)>),
    TotalCount,
    Summary,
    CountUpTo { number: usize, keys: Vec<(Box<str>, CountField)> },
    Literal(Box<str>),
}

pub struct EdgeItem {
    pub key: Box<str>,
    pub node: EdgeNode,
}

pub enum EdgeNode {
    Cursor,
    Node(Shape),
    Literal(Box<str>),
}

#[derive(Clone, Copy)]
pub enum PageInfoField {
    HasNextPage,
    HasPreviousPage,
    StartCursor,
    EndCursor,
    Typename,
}

#[derive(Clone, Copy)]
pub enum CountField {
    Count,
    IsExact,
    Typename,
}

/// Why planning failed, and at which response path.
#[derive(Debug)]
pub struct Refused {
    pub error: Error,
    pub path: Vec<String>,
    pub position: Pos,
}

/// Plans one operation for one caller.
pub struct Planner<'a> {
    ctx: &'a Ctx,
    readers: Vec<(&'static Record, Arc<Reader>)>,
    /// The response path being planned; where planning stops, it tells where.
    path: Vec<String>,
    position: Pos,
    /// Rows that the operation may return at most.
    rows: u64,
}

impl<'a> Planner<'a> {
    pub fn new(ctx: &'a Ctx) -> Self {
        Self { ctx, readers: Vec::new(), path: Vec::new(), position: Pos::default(), rows: 0 }
    }

    pub fn ctx(&self) -> &'a Ctx {
        self.ctx
    }

    pub fn rows_estimated(&self) -> u64 {
        self.rows
    }

    /// Runs one step of planning under a root field and says where it failed.
    pub fn at<T>(
        &mut self,
        selected: &Selected,
        step: impl FnOnce(&mut Self) -> Result<T>,
    ) -> std::result::Result<T, Refused> {
        self.path.clear();
        self.enter(selected);
        step(self).map_err(|error| Refused {
            error,
            path: std::mem::take(&mut self.path),
            position: self.position,
        })
    }

    pub(in crate::record) fn enter(&mut self, selected: &Selected) {
        self.path.push(selected.key.clone());
        self.position = selected.position;
    }

    pub(in crate::record) fn leave(&mut self) {
        self.path.pop();
    }

    /// The right to read a record; asked once per operation.
    pub fn reader(&mut self, record: &'static Record) -> Result<Arc<Reader>> {
        if let Some((_, reader)) =
            self.readers.iter().find(|(known, _)| std::ptr::eq(*known, record))
        {
            return Ok(Arc::clone(reader));
        }
        let reader = Arc::new(self.ctx.reader(record.resource)?);
        self.readers.push((record, Arc::clone(&reader)));
        Ok(reader)
    }

    /// Counts rows that a level may return; too many are refused before anything runs.
    pub fn spend_rows(&mut self, parents: u64, each: u64) -> Result<u64> {
        let rows = parents.saturating_mul(each);
        self.rows = self.rows.saturating_add(rows);
        if self.rows > limits::OPERATION_ROWS_MAX {
            let max = limits::OPERATION_ROWS_MAX;
            return Err(Error::limit(say(
                format!("the operation may return more than {max} rows: ask for smaller pages"),
                format!("a operação pode retornar mais de {max} linhas: peça páginas menores"),
            )));
        }
        Ok(rows)
    }
}

/// `"name":`
pub(in crate::record) fn json_key(name: &str) -> Box<str> {
    ["\"", name, "\":"].concat().into_boxed_str()
}

pub(in crate::record) fn json_text(text: &str) -> Box<str> {
    ["\"", text, "\""].concat().into_boxed_str()
}

impl Level {
    /// The place of a column in the select list, added if it is not there yet.
    pub fn column(&mut self, table: usize, name: &str, bind: NullOf) -> usize {
        if let Some(index) =
            self.columns.iter().position(|known| known.table == table && known.name == name)
        {
            return index;
        }
        self.columns.push(Column { table, name: name.to_owned(), bind });
        self.columns.len() - 1
    }

    /// The table of a to-one relation, joined once however often it is selected.
    pub fn joined(
        &mut self,
        from: usize,
        column: &'static str,
        record: &'static Record,
        reader: &Arc<Reader>,
    ) -> Result<usize> {
        if let Some(index) = self.tables.iter().position(|table| {
            table.joined.as_ref().is_some_and(|join| join.from == from && join.column == column)
        }) {
            return Ok(index);
        }
        if self.tables.len() >= limits::LEVEL_TABLES_MAX {
            let max = limits::LEVEL_TABLES_MAX;
            return Err(Error::limit(say(
                format!("more than {max} to-one relations hang together: ask for fewer at once"),
                format!("mais de {max} relações encadeadas: peça menos de uma vez"),
            )));
        }
        self.tables.push(Table {
            record,
            reader: Arc::clone(reader),
            joined: Some(Join { from, column }),
        });
        Ok(self.tables.len() - 1)
    }

    /// Statements that this level and everything below it take at most.
    pub fn statements(&self) -> u32 {
        let children: u32 = self.children.iter().map(|child| child.list.statements()).sum();
        let lookups: u32 = self.lookups.iter().map(|lookup| 1 + lookup.level.statements()).sum();
        // What a function asks is its own affair; most ask once.
        let computed = u32::try_from(self.computed.len()).unwrap_or(u32::MAX);
        children.saturating_add(lookups).saturating_add(computed)
    }
}

impl List {
    /// Statements of the list and everything below it, at most (a level below no rows asks nothing).
    pub fn statements(&self) -> u32 {
        if self.level.record.is_virtual() {
            // A function may ask as often as it likes: two stand for "more than one".
            return 2 + self.level.statements();
        }
        let rows = u32::from(self.wants_rows);
        let totals = u32::from(self.wants_total) + if self.counts_up_to.is_empty() { 0 } else { 1 };
        // What contains the words is looked for first, then whether anything does, then what
        // resembles them.
        let probe = u32::from(self.search.as_ref().is_some_and(SearchPlan::needs_probe));
        rows + totals + probe * (1 + rows) + self.level.statements()
    }
}

impl One {
    pub fn statements(&self) -> u32 {
        1 + self.level.statements()
    }
}

pub(in crate::record) fn unknown_selection(record: &Record, name: &str) -> Error {
    Error::internal(format!("{} has no {name}, though validation passed", record.name))
}

/// The relation, by its GraphQL name, as the planner needs it.
pub(super) fn relation_of(record: &'static Record, name: &str) -> Option<&'static Relation> {
    record.relations.iter().find(|relation| relation.name == name)
}
