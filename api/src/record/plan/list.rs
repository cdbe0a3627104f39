//! A connection: its rows, and how pages, edges and counts are shown.

use async_graphql::Value as Input;
use uuid::Uuid;

use super::level::Place;
use super::{
    ConnectionItem, ConnectionNode, ConnectionShape, CountField, EdgeItem, EdgeNode, Level, List,
    PageInfoField, Planner, Written, json_key, json_text, unknown_selection,
};
use crate::error::{Error, Result, say};
use crate::limits;
use crate::record::cursor::{self, Fingerprint};
use crate::record::declare::{Field, Record, Relation, RelationKind};
use crate::record::filter::{self, Condition};
use crate::record::input;
use crate::record::order::{self, Expression, OrderKey};
use crate::record::page::PageRequest;
use crate::record::search::SearchPlan;
use crate::record::selection::Selected;

impl Planner<'_> {
    /// Plans a connection. `parents` is how many parents it may hang below; `parent` is the column
    /// that points at them, and the one parent's id where there is only one.
    pub fn list(
        &mut self,
        record: &'static Record,
        selected: &Selected,
        parents: u64,
        parent: Option<(&'static str, Option<Uuid>)>,
    ) -> Result<List> {
        let mut level = self.level(record)?;
        let mut page = PageRequest::read(|name| selected.argument(name).cloned())?;
        if record.comes_whole() && selected.argument("first").is_none() {
            page.rows = limits::CHART_ROWS_MAX;
        }
        if page.cursor.is_some() && matches!(parent, Some((_, None))) {
            return Err(Error::invalid_field(
                "after",
                say(
                    "a cursor cannot be used below a list of parents: page under one record",
                    "um cursor não pode ser usado abaixo de uma lista: pagine sob um só registro",
                ),
            ));
        }
        let mut search = self.search(record, selected)?.filter(|_| !record.is_virtual());
        // Arguments of a computed record are its own: its filter may be about other records.
        let has_filter = !record.is_virtual() || record.listed;
        let filter = selected.argument("filter").filter(|_| has_filter);
        let condition = self.condition(record, filter)?;
        let order = self.order(&mut level, selected, search.as_ref())?;
        let single = parent.and_then(|(column, id)| id.map(|id| (column, id)));
        let fingerprint = fingerprint(self.ctx().tenant_id(), record, selected);
        let mut cursor = None;
        if let Some(text) = &page.cursor {
            let mark = match single {
                Some((column, id)) => fingerprint.below(column, id),
                None => fingerprint,
            };
            let (values, tier) = cursor::decode(mark, &order, text)
                .map_err(|error| error.at(if page.backward { "before" } else { "after" }))?;
            cursor = Some(values);
            if let Some(search) = &mut search {
                search.decided = Some(tier);
            }
        }
        let rows = self.spend_rows(parents, page.rows)?;
        let deleted = self.deleted(record, selected)?;
        let mut list = List {
            level,
            condition,
            search,
            deleted,
            order,
            page,
            cursor,
            parent: single,
            fingerprint,
            shape: ConnectionShape::default(),
            sort_values: Vec::new(),
            wants_rows: false,
            wants_total: false,
            counts_up_to: Vec::new(),
            arguments: selected.arguments.clone(),
            summary: None,
            written: Written::default(),
        };
        self.connection(&mut list, rows, &selected.children)?;
        Ok(list)
    }

    /// Reads a `search` argument; nothing to search for is no search.
    pub(in crate::record) fn search(
        &mut self,
        record: &'static Record,
        selected: &Selected,
    ) -> Result<Option<SearchPlan>> {
        let Some(text) = selected.argument("search") else { return Ok(None) };
        let text = input::read_text(text).map_err(|error| error.at("search"))?;
        let search = SearchPlan::read(record, text)?;
        if search.is_some() {
            // A search looks at all of its fields at once, so that all of them must be readable.
            let reader = self.reader(record)?;
            let searched = |field: &&Field| record.searched.contains(&field.column);
            let mut fields = record.fields.iter().filter(searched);
            fields.try_for_each(|field| filter::allow_field(&reader, field))?;
        }
        Ok(search)
    }

    fn order(
        &mut self,
        level: &mut Level,
        selected: &Selected,
        search: Option<&SearchPlan>,
    ) -> Result<Vec<OrderKey>> {
        let record = level.record;
        let reader = self.reader(record)?;
        let mut join = |from: usize, relation: &'static Relation| match relation.kind {
            RelationKind::One { column, .. } => self.join(level, from, relation, column),
            RelationKind::Many { .. } => Err(Error::internal("an order joins a to-many relation")),
        };
        let given = selected.argument("orderBy").filter(|_| !record.comes_whole());
        order::read(&mut join, record, &reader, given, search)
    }

    /// Reads a `filter` argument.
    pub fn condition(
        &mut self,
        record: &'static Record,
        input: Option<&Input>,
    ) -> Result<Option<Condition>> {
        let Some(input) = input else { return Ok(None) };
        let reader = self.reader(record)?;
        let ctx = self.ctx();
        let grant = |other: &'static Record| ctx.reader(other.resource).map(std::sync::Arc::new);
        let mut scope = filter::Scope::new(&grant);
        filter::read(&mut scope, record, &reader, input)
            .map(Some)
            .map_err(|error| error.at("filter"))
    }

    fn connection(&mut self, list: &mut List, rows: u64, selection: &[Selected]) -> Result<()> {
        let record = list.level.record;
        let place = Place { table: 0, rows, single: None };
        for selected in selection {
            self.enter(selected);
            let node = match selected.name.as_str() {
                "nodes" => {
                    list.wants_rows = true;
                    let shape = self.shape(&mut list.level, place, &selected.children)?;
                    ConnectionNode::Nodes(shape)
                }
                "edges" => {
                    list.wants_rows = true;
                    ConnectionNode::Edges(self.edges(list, place, &selected.children)?)
                }
                "pageInfo" => {
                    list.wants_rows = true;
                    page_info(list, selected)
                }
                "totalCount" => {
                    list.wants_total = true;
                    ConnectionNode::TotalCount
                }
                "countUpTo" => count_up_to(list, selected)?,
                "summary" => self.summary(list, selected)?,
                "__typename" => {
                    ConnectionNode::Literal(json_text(&format!("{}Connection", record.name)))
                }
                other => return Err(unknown_selection(record, other)),
            };
            list.shape.items.push(ConnectionItem { key: json_key(&selected.key), node });
            self.leave();
        }
        // A select list is never empty.
        list.level.column(0, "id", crate::db::NullOf::Id);
        Ok(())
    }

    /// What a computed list says beside its rows; under two keys it would be said twice.
    fn summary(&mut self, list: &mut List, selected: &Selected) -> Result<ConnectionNode> {
        let summary = list.level.record.summary;
        let record = summary.ok_or_else(|| unknown_selection(list.level.record, "summary"))?();
        if list.summary.is_some() {
            return Err(Error::invalid(say(
                "summary can be selected once",
                "summary só pode ser pedido uma vez",
            )));
        }
        let mut level = self.level(record)?;
        let place = Place { table: 0, rows: 1, single: None };
        let shape = self.shape(&mut level, place, &selected.children)?;
        list.summary = Some((level, shape));
        Ok(ConnectionNode::Summary)
    }

    fn edges(
        &mut self,
        list: &mut List,
        place: Place,
        selection: &[Selected],
    ) -> Result<Vec<EdgeItem>> {
        let mut items = Vec::with_capacity(selection.len());
        for selected in selection {
            self.enter(selected);
            let node = match selected.name.as_str() {
                "cursor" => {
                    want_cursors(&mut list.level, &list.order, &mut list.sort_values);
                    EdgeNode::Cursor
                }
                "node" => EdgeNode::Node(self.shape(&mut list.level, place, &selected.children)?),
                _ => EdgeNode::Literal(json_text(&format!("{}Edge", list.level.record.name))),
            };
            items.push(EdgeItem { key: json_key(&selected.key), node });
            self.leave();
        }
        Ok(items)
    }
}

/// Adds the sort values to the select list; cursors are made of them.
fn want_cursors(level: &mut Level, order: &[OrderKey], sort_values: &mut Vec<usize>) {
    if !sort_values.is_empty() {
        return;
    }
    for (number, key) in order.iter().enumerate() {
        sort_values.push(match &key.expression {
            Expression::Column { table, column } => level.column(*table, column, key.bind),
            // Computed sort values are selected under a name of their own.
            Expression::SearchRank { .. } | Expression::SearchLength | Expression::Written(_) => {
                level.column(usize::MAX, &format!("o{number}"), key.bind)
            }
        });
    }
}

fn page_info(list: &mut List, selected: &Selected) -> ConnectionNode {
    let keys = page_info_keys(selected);
    if keys
        .iter()
        .any(|(_, field)| matches!(field, PageInfoField::StartCursor | PageInfoField::EndCursor))
    {
        want_cursors(&mut list.level, &list.order, &mut list.sort_values);
    }
    ConnectionNode::PageInfo(keys)
}

/// What is selected of `pageInfo`.
pub(in crate::record) fn page_info_keys(selected: &Selected) -> Vec<(Box<str>, PageInfoField)> {
    selected
        .children
        .iter()
        .map(|child| {
            let field = match child.name.as_str() {
                "hasNextPage" => PageInfoField::HasNextPage,
                "hasPreviousPage" => PageInfoField::HasPreviousPage,
                "startCursor" => PageInfoField::StartCursor,
                "endCursor" => PageInfoField::EndCursor,
                _ => PageInfoField::Typename,
            };
            (json_key(&child.key), field)
        })
        .collect()
}

fn count_up_to(list: &mut List, selected: &Selected) -> Result<ConnectionNode> {
    let limit = selected
        .argument("limit")
        .map(input::read_int)
        .transpose()?
        .and_then(|limit| u64::try_from(limit).ok())
        .filter(|limit| (1..=limits::COUNT_UP_TO_MAX).contains(limit))
        .ok_or_else(|| {
            let max = limits::COUNT_UP_TO_MAX;
            Error::invalid_field(
                "limit",
                say(format!("limit must be 1 to {max}"), format!("limit deve ser de 1 a {max}")),
            )
        })?;
    let keys = selected
        .children
        .iter()
        .map(|child| {
            let field = match child.name.as_str() {
                "count" => CountField::Count,
                "isExact" => CountField::IsExact,
                _ => CountField::Typename,
            };
            (json_key(&child.key), field)
        })
        .collect();
    list.counts_up_to.push(limit);
    Ok(ConnectionNode::CountUpTo { number: list.counts_up_to.len() - 1, keys })
}

/// What makes this list itself, its parent aside: its cursors work in no other.
fn fingerprint(tenant_id: Uuid, record: &Record, selected: &Selected) -> Fingerprint {
    let text = |name: &str| selected.argument(name).map(ToString::to_string).unwrap_or_default();
    let arguments = if record.is_virtual() {
        selected
            .arguments
            .iter()
            .filter(|(name, _)| !matches!(name.as_str(), "first" | "after" | "last" | "before"))
            .map(|(name, value)| format!("{name}={value};"))
            .collect()
    } else {
        String::new()
    };
    Fingerprint::of(&[
        &tenant_id.to_string(),
        record.name,
        &text("orderBy"),
        &text("filter"),
        &text("search"),
        &text("deleted"),
        &arguments,
    ])
}
