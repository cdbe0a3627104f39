//! What an answer told its caller that somebody may ask about later: personal fields, by record and
//! number of rows, and analytics. Read off the plan and the rows fetched; it costs no statement.

use super::declare::{Field, Record};
use super::fetch::{Fetched, FetchedList};
use super::operation::RootPlan;
use super::plan::{Level, List, One};
use crate::access::Resource;

/// What was told of one resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disclosed {
    pub kind: DisclosedKind,
    /// As permissions name it: `contacts`.
    pub resource: &'static str,
    /// GraphQL names of the personal fields.
    pub fields: Vec<&'static str>,
    pub rows: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DisclosedKind {
    Personal,
    /// Sums, groups and computed records.
    Analytics,
}

impl DisclosedKind {
    /// As the log of reads names it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Personal => "personal",
            Self::Analytics => "analytics",
        }
    }
}

/// Adds up what several parts of an answer told: one entry for each resource and kind.
#[derive(Debug, Default)]
pub struct Disclosures(Vec<Disclosed>);

impl Disclosures {
    pub fn into_vec(self) -> Vec<Disclosed> {
        self.0
    }

    fn add(&mut self, kind: DisclosedKind, record: &Record, told: (Vec<&'static str>, usize)) {
        let (fields, rows) = (told.0, u64::try_from(told.1).unwrap_or(u64::MAX));
        let resource = record.resource.as_str();
        let known = self.0.iter_mut().find(|all| all.kind == kind && all.resource == resource);
        let Some(known) = known else {
            self.0.push(Disclosed { kind, resource, fields, rows });
            return;
        };
        known.rows = known.rows.saturating_add(rows);
        for field in fields {
            if !known.fields.contains(&field) {
                known.fields.push(field);
            }
        }
    }

    /// A page and everything below it.
    pub(super) fn list(&mut self, plan: &List, fetched: &FetchedList) {
        let record = plan.level.record;
        if record.is_virtual() {
            let rows = fetched.level.rows.len();
            self.add(DisclosedKind::Analytics, record, (Vec::new(), rows));
        }
        self.level(&plan.level, &fetched.level);
    }

    /// One record and everything below it.
    pub(super) fn one(&mut self, plan: &One, fetched: &Fetched) {
        self.level(&plan.level, fetched);
    }

    /// An aggregate or groups, of which `rows` were read.
    pub(super) fn analytics(&mut self, plan: &RootPlan, rows: u64) {
        let (base, keys) = match plan {
            RootPlan::Aggregate(plan) => (&plan.base, Vec::new()),
            RootPlan::Groups(plan) => {
                let keys = plan.keys.iter().map(|key| key.field);
                (&plan.base, keys.filter(|field| field.pii).map(name_of).collect())
            }
            RootPlan::List(_) | RootPlan::One(..) => return,
        };
        let rows = usize::try_from(rows).unwrap_or(usize::MAX);
        self.add(DisclosedKind::Analytics, base.level.record, (keys, rows));
    }

    fn level(&mut self, plan: &Level, fetched: &Fetched) {
        let rows = fetched.rows.len();
        if rows > 0 {
            for (number, table) in plan.tables.iter().enumerate() {
                let fields = personal_fields(plan, number, table.record);
                if !fields.is_empty() {
                    self.add(DisclosedKind::Personal, table.record, (fields, rows));
                }
            }
        }
        for (child, fetched) in plan.children.iter().zip(&fetched.children) {
            self.level(&child.list.level, &fetched.level);
        }
        for (lookup, fetched) in plan.lookups.iter().zip(&fetched.lookups) {
            self.level(&lookup.level, &fetched.level);
        }
    }
}

/// The personal fields that are selected of one table of a level. The audit trail's values are
/// personal as a whole: they are whatever was written.
fn personal_fields(plan: &Level, table: usize, record: &'static Record) -> Vec<&'static str> {
    let selected = |field: &Field| {
        plan.columns.iter().any(|column| column.table == table && column.name == field.column)
    };
    let fields = record.fields.iter().filter(|field| field.pii && selected(field));
    let mut names: Vec<&'static str> = fields.map(name_of).collect();
    if table == 0 && record.resource == Resource::AuditLogs {
        let values = plan.computed.iter().map(|used| used.computed.name);
        names.extend(values.filter(|name| name.ends_with("Values")));
    }
    names
}

fn name_of(field: &'static Field) -> &'static str {
    field.name.as_str()
}
