//! The answer of a batch: `[LeadResult!]!`, each with a record or an error.

use super::level::Place;
use super::{Level, Planner, Shape, json_key, json_text};
use crate::db::NullOf;
use crate::error::Result;
use crate::record::declare::Record;
use crate::record::selection::Selected;

pub struct ManyResult {
    pub record: ById,
    pub keys: Vec<(Box<str>, ResultNode)>,
}

/// Rows fetched by their ids.
pub struct ById {
    pub level: Level,
    /// The column that holds the id.
    pub id: usize,
}

pub enum ResultNode {
    Record(Shape),
    /// Response keys and the names of the error's fields.
    Error(Vec<(Box<str>, String)>),
    Literal(Box<str>),
}

impl Planner<'_> {
    /// Plans what a batch answers for each row.
    pub fn many_result(
        &mut self,
        record: &'static Record,
        selected: &Selected,
    ) -> Result<ManyResult> {
        let mut level = self.level(record)?;
        let id = level.column(0, "id", NullOf::Id);
        let rows = crate::limits::PAGE_ROWS_MAX;
        self.spend_rows(1, rows)?;
        let mut keys = Vec::with_capacity(selected.children.len());
        for child in &selected.children {
            self.enter(child);
            let node = match child.name.as_str() {
                "record" => {
                    let place = Place { table: 0, rows, single: None };
                    ResultNode::Record(self.shape(&mut level, place, &child.children)?)
                }
                "error" => ResultNode::Error(
                    child
                        .children
                        .iter()
                        .map(|field| (json_key(&field.key), field.name.clone()))
                        .collect(),
                ),
                _ => ResultNode::Literal(json_text(&format!("{}Result", record.name))),
            };
            keys.push((json_key(&child.key), node));
            self.leave();
        }
        Ok(ManyResult { record: ById { level, id }, keys })
    }
}
