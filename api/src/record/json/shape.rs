//! Objects and connections -> JSON text, keys in response order.

use std::ops::Range;

use uuid::Uuid;

use super::value::{mask, push_bool, push_int, push_text, write_column};
use crate::db::{Row, Value};
use crate::error::{Error, Result};
use crate::record::cursor::{self, Fingerprint};
use crate::record::fetch::{Fetched, FetchedChild, FetchedList};
use crate::record::plan::{
    Allowed, Child, ConnectionNode, CountField, EdgeItem, EdgeNode, Level, List, Node, One,
    PageInfoField, Shape,
};

/// Writes one record.
pub fn write_one(out: &mut Vec<u8>, plan: &One, fetched: &Fetched) -> Result<()> {
    write_row(out, &plan.level, fetched, (&plan.shape, 0))
}

/// Writes one of several rows fetched together.
pub fn write_row(
    out: &mut Vec<u8>,
    level: &Level,
    fetched: &Fetched,
    (shape, number): (&Shape, usize),
) -> Result<()> {
    in_utf8(out, |out| Writer { level, fetched }.object(out, shape, number))
}

/// Writes a connection.
pub fn write_list(out: &mut Vec<u8>, plan: &List, fetched: &FetchedList) -> Result<()> {
    let page = Page {
        plan,
        fetched: &fetched.level,
        rows: 0..fetched.level.rows.len(),
        more: fetched.more,
        total: fetched.total.unwrap_or_default(),
        counts: &fetched.counts,
        mark: plan.fingerprint.searched(fetched.tier),
        summary: fetched.summary.as_ref(),
    };
    out.reserve(fetched.level.bytes_expected(plan.level.columns.len()));
    in_utf8(out, |out| page.write(out))
}

/// Texts are written as the database sent them; whether they are UTF-8 is looked at once for all.
fn in_utf8(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>) -> Result<()>) -> Result<()> {
    let start = out.len();
    write(out)?;
    std::str::from_utf8(out.get(start..).unwrap_or_default()).map(drop).map_err(Error::internal)
}

fn lost(what: &str) -> Error {
    Error::internal(format!("the plan and its rows disagree about {what}"))
}

struct Writer<'a> {
    level: &'a Level,
    fetched: &'a Fetched,
}

impl<'a> Writer<'a> {
    fn row(&self, number: usize) -> Result<&'a Row> {
        self.fetched.rows.get(number).ok_or_else(|| lost("a row"))
    }

    fn object(&self, out: &mut Vec<u8>, shape: &Shape, number: usize) -> Result<()> {
        let row = self.row(number)?;
        let mut opening = b'{';
        for item in &shape.items {
            out.push(opening);
            opening = b',';
            out.extend_from_slice(item.key.as_bytes());
            self.node(out, &item.node, row, number)?;
        }
        if opening == b'{' {
            out.push(b'{');
        }
        out.push(b'}');
        Ok(())
    }

    fn node(&self, out: &mut Vec<u8>, node: &Node, row: &Row, number: usize) -> Result<()> {
        match node {
            Node::Column { index, kind, mask: false, currency } => {
                write_column(out, row, *index, *kind, *currency)
            }
            Node::Column { index, mask: true, .. } => {
                match row.text(*index)? {
                    Some(text) => push_text(out, &mask(&text)),
                    None => out.extend_from_slice(b"null"),
                }
                Ok(())
            }
            Node::Literal(text) => {
                out.extend_from_slice(text.as_bytes());
                Ok(())
            }
            Node::One { presence, shape } => {
                if row.is_null(*presence)? {
                    out.extend_from_slice(b"null");
                    return Ok(());
                }
                self.object(out, shape, number)
            }
            Node::Many(child) => self.children(out, *child, row),
            Node::Lookup(lookup) => self.looked_up(out, *lookup, row),
            Node::Computed(index) => {
                let texts = self.fetched.computed.get(*index);
                let text = texts.and_then(|texts| texts.get(number));
                out.extend_from_slice(text.ok_or_else(|| lost("a computed field"))?.as_bytes());
                Ok(())
            }
            Node::ViewerCan { owner, company, keys } => {
                let id = |index: &Option<usize>| -> Result<Option<Uuid>> {
                    Ok(index.map(|index| row.id(index)).transpose()?.flatten())
                };
                write_viewer_can(out, (id(owner)?, id(company)?), keys);
                Ok(())
            }
        }
    }

    fn children(&self, out: &mut Vec<u8>, number: usize, row: &Row) -> Result<()> {
        let child: &Child = self.level.children.get(number).ok_or_else(|| lost("a list below"))?;
        let fetched: &FetchedChild =
            self.fetched.children.get(number).ok_or_else(|| lost("a list below"))?;
        let parent = row.required_id(child.parent)?;
        let (rows, more) = match fetched.by_parent.get(&parent) {
            Some((rows, more)) => (rows.clone(), *more),
            None => (0..0, false),
        };
        let counts: Vec<i64> = fetched
            .counts
            .iter()
            .map(|counts| counts.get(&parent).copied().unwrap_or_default())
            .collect();
        let list = &child.list;
        let mut mark = list.fingerprint;
        if !list.sort_values.is_empty() {
            mark = mark.below(child.key_column, parent).searched(fetched.tier);
        }
        let page = Page {
            plan: list,
            fetched: &fetched.level,
            rows,
            more,
            total: fetched.totals.get(&parent).copied().unwrap_or_default(),
            counts: &counts,
            mark,
            summary: None,
        };
        page.write(out)
    }

    fn looked_up(&self, out: &mut Vec<u8>, number: usize, row: &Row) -> Result<()> {
        let lookup = self.level.lookups.get(number).ok_or_else(|| lost("a related row"))?;
        let fetched = self.fetched.lookups.get(number).ok_or_else(|| lost("a related row"))?;
        let place = row.id(lookup.key)?.and_then(|id| fetched.by_id.get(&id).copied());
        match place {
            Some(place) => Writer { level: &lookup.level, fetched: &fetched.level }.object(
                out,
                &lookup.shape,
                place,
            ),
            None => {
                out.extend_from_slice(b"null");
                Ok(())
            }
        }
    }
}

/// By the owner and the company that the row belongs to.
fn write_viewer_can(
    out: &mut Vec<u8>,
    (owner, company): (Option<Uuid>, Option<Uuid>),
    keys: &[(Box<str>, Allowed)],
) {
    let mut opening = b'{';
    for (key, allowed) in keys {
        out.push(opening);
        opening = b',';
        out.extend_from_slice(key.as_bytes());
        match allowed {
            Allowed::Never => push_bool(out, false),
            Allowed::Rows(rule) => push_bool(out, rule.reaches(owner, company)),
            Allowed::Typename => push_text(out, "ViewerCan"),
        }
    }
    out.push(b'}');
}

/// One connection's page, among all rows of its level.
struct Page<'a> {
    plan: &'a List,
    fetched: &'a Fetched,
    rows: Range<usize>,
    more: bool,
    total: i64,
    counts: &'a [i64],
    /// Of its cursors.
    mark: Fingerprint,
    summary: Option<&'a Fetched>,
}

impl Page<'_> {
    fn write(&self, out: &mut Vec<u8>) -> Result<()> {
        let mut opening = b'{';
        for item in &self.plan.shape.items {
            out.push(opening);
            opening = b',';
            out.extend_from_slice(item.key.as_bytes());
            match &item.node {
                ConnectionNode::Nodes(shape) => self.nodes(out, shape)?,
                ConnectionNode::Edges(items) => self.edges(out, items)?,
                ConnectionNode::PageInfo(keys) => self.page_info(out, keys)?,
                ConnectionNode::TotalCount => push_int(out, self.total),
                ConnectionNode::Summary => self.summary(out)?,
                ConnectionNode::CountUpTo { number, keys } => {
                    self.count_up_to(out, *number, keys)?;
                }
                ConnectionNode::Literal(text) => out.extend_from_slice(text.as_bytes()),
            }
        }
        if opening == b'{' {
            out.push(b'{');
        }
        out.push(b'}');
        Ok(())
    }

    fn writer(&self) -> Writer<'_> {
        Writer { level: &self.plan.level, fetched: self.fetched }
    }

    fn nodes(&self, out: &mut Vec<u8>, shape: &Shape) -> Result<()> {
        let writer = self.writer();
        out.push(b'[');
        for number in self.rows.clone() {
            if number > self.rows.start {
                out.push(b',');
            }
            writer.object(out, shape, number)?;
        }
        out.push(b']');
        Ok(())
    }

    fn summary(&self, out: &mut Vec<u8>) -> Result<()> {
        let planned = self.plan.summary.as_ref().zip(self.summary);
        let ((level, shape), fetched) = planned.ok_or_else(|| lost("a summary"))?;
        Writer { level, fetched }.object(out, shape, 0)
    }

    fn edges(&self, out: &mut Vec<u8>, items: &[EdgeItem]) -> Result<()> {
        let writer = self.writer();
        out.push(b'[');
        for number in self.rows.clone() {
            if number > self.rows.start {
                out.push(b',');
            }
            let mut opening = b'{';
            for item in items {
                out.push(opening);
                opening = b',';
                out.extend_from_slice(item.key.as_bytes());
                match &item.node {
                    EdgeNode::Cursor => push_text(out, &self.cursor(number)?),
                    EdgeNode::Node(shape) => writer.object(out, shape, number)?,
                    EdgeNode::Literal(text) => out.extend_from_slice(text.as_bytes()),
                }
            }
            out.push(b'}');
        }
        out.push(b']');
        Ok(())
    }

    fn cursor(&self, number: usize) -> Result<String> {
        let row = self.writer().row(number)?;
        let values = self
            .plan
            .sort_values
            .iter()
            .zip(&self.plan.order)
            .map(|(index, key)| row.value(*index, key.bind))
            .collect::<Result<Vec<Value>>>()?;
        Ok(cursor::encode(self.mark, &values))
    }

    fn page_info(&self, out: &mut Vec<u8>, keys: &[(Box<str>, PageInfoField)]) -> Result<()> {
        let page = &self.plan.page;
        let beyond_start = page.cursor.is_some();
        let mut opening = b'{';
        for (key, field) in keys {
            out.push(opening);
            opening = b',';
            out.extend_from_slice(key.as_bytes());
            match field {
                PageInfoField::HasNextPage => {
                    push_bool(out, if page.backward { beyond_start } else { self.more });
                }
                PageInfoField::HasPreviousPage => {
                    push_bool(out, if page.backward { self.more } else { beyond_start });
                }
                PageInfoField::StartCursor if !self.rows.is_empty() => {
                    push_text(out, &self.cursor(self.rows.start)?);
                }
                PageInfoField::EndCursor if !self.rows.is_empty() => {
                    push_text(out, &self.cursor(self.rows.end - 1)?);
                }
                PageInfoField::StartCursor | PageInfoField::EndCursor => {
                    out.extend_from_slice(b"null");
                }
                PageInfoField::Typename => push_text(out, "PageInfo"),
            }
        }
        out.push(b'}');
        Ok(())
    }

    fn count_up_to(
        &self,
        out: &mut Vec<u8>,
        number: usize,
        keys: &[(Box<str>, CountField)],
    ) -> Result<()> {
        let limit = self.plan.counts_up_to.get(number).copied().ok_or_else(|| lost("a count"))?;
        let limit = i64::try_from(limit).map_err(Error::internal)?;
        let count = self.counts.get(number).copied().unwrap_or_default();
        let mut opening = b'{';
        for (key, field) in keys {
            out.push(opening);
            opening = b',';
            out.extend_from_slice(key.as_bytes());
            match field {
                CountField::Count => push_int(out, count.min(limit)),
                CountField::IsExact => push_bool(out, count <= limit),
                CountField::Typename => push_text(out, "CountUpTo"),
            }
        }
        out.push(b'}');
        Ok(())
    }
}
