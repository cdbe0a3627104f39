//! `leadGroups(by: [{ field: SOURCE }, { field: CREATED_AT, bucket: MONTH }])`: groups with their
//! measures, filtered by `having`, ordered and paged like any list.

mod compare;
mod fetch;
mod keys;
mod plan;
mod write;

use chrono_tz::Tz;

use super::Base;
use super::plan::Measures;
use super::write::AggregateShape;
use crate::db::Value;
use crate::db::dialect::Bucket;
use crate::record::cursor::Fingerprint;
use crate::record::declare::Field;
use crate::record::order::OrderKey;
use crate::record::page::PageRequest;
use crate::record::plan::PageInfoField;
use crate::record::search::SearchPlan;

use compare::{Having, OneCurrency};

pub use fetch::fetch_groups;
pub use keys::first_instant_of;
pub use write::write_groups;

/// `leadGroups`.
pub struct Groups {
    pub base: Base,
    pub keys: Vec<GroupKey>,
    pub measures: Measures,
    having: Vec<Having>,
    order: Vec<OrderKey>,
    /// Money that groups are compared by: all of it must be of one currency.
    one_currency: Vec<OneCurrency>,
    page: PageRequest,
    cursor: Option<Vec<Value>>,
    fingerprint: Fingerprint,
    items: Vec<(Box<str>, ConnectionItem)>,
    wants_rows: bool,
    wants_total: bool,
}

pub struct GroupKey {
    pub field: &'static Field,
    /// Periods of a date or an instant; instants in a zone.
    pub bucket: Option<(Bucket, Tz)>,
}

enum ConnectionItem {
    Nodes(Vec<(Box<str>, NodeItem)>),
    PageInfo(Vec<(Box<str>, PageInfoField)>),
    TotalCount,
    Literal(Box<str>),
}

enum NodeItem {
    Key(Vec<(Box<str>, KeyItem)>),
    Measures(AggregateShape),
    Literal(Box<str>),
}

enum KeyItem {
    Key(usize),
    Literal(Box<str>),
}

impl Groups {
    /// Statements that this takes at most.
    pub fn statements(&self) -> u32 {
        let probe = self.base.search.as_ref().is_some_and(SearchPlan::needs_probe);
        let asked = [probe, self.wants_rows, self.wants_total, !self.one_currency.is_empty()];
        asked.into_iter().map(u32::from).sum()
    }
}
