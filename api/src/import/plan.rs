//! What a mapping means: steps, and how each field's value is made from a row. Pure.

use std::collections::HashMap;
use std::sync::Arc;

use chrono_tz::Tz;

use super::time::Format;
use crate::record::Record;
use crate::record::declare::Field;

/// A mapping, understood.
pub(super) struct Plan {
    /// The mapping's file name, for messages and audit entries.
    pub(super) name: String,
    pub(super) delimiter: u8,
    /// Zone of times without one; the tenant's when absent.
    pub(super) zone: Option<Tz>,
    pub(super) tables: Vec<Table>,
    pub(super) steps: Vec<Step>,
}

/// A file that rows of other files are completed from, by a key.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) name: String,
    pub(super) file: String,
    pub(super) key: String,
}

/// One file becomes rows of one record.
pub(super) struct Step {
    pub(super) name: String,
    pub(super) file: String,
    pub(super) record: &'static Record,
    pub(super) mode: Mode,
    pub(super) repeated: Repeated,
    /// One row for each distinct value of these columns.
    pub(super) distinct: Vec<String>,
    /// Columns (of the database) that name a row.
    pub(super) key: Vec<&'static str>,
    /// Columns made from others, before joins and fields.
    pub(super) made: Vec<(String, Expr)>,
    /// Tables whose columns the rows get, and the text that finds the row there.
    pub(super) joins: Vec<(String, Expr)>,
    pub(super) skip: Vec<Condition>,
    pub(super) counts: Vec<(String, Condition)>,
    pub(super) targets: Vec<Target>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// Unknown rows are created, known ones updated.
    Upsert,
    /// Only known rows are updated; the others are refused, or skipped.
    Update { skip_missing: bool },
}

/// What happens to a row whose key an earlier row of the file had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Repeated {
    Refuse,
    /// The first row counts, the others are left out.
    First,
}

/// A field and where its value comes from.
pub(super) struct Target {
    pub(super) field: &'static Field,
    pub(super) value: Expr,
    pub(super) on_create: bool,
}

/// How a value is made from a row.
#[derive(Clone)]
pub(super) struct Expr {
    pub(super) source: Source,
    pub(super) trim: bool,
    /// Texts that mean nothing, beside the empty one.
    pub(super) empty: Arc<[String]>,
    pub(super) case: Option<Case>,
    pub(super) chars: Option<usize>,
    pub(super) map: Option<(Arc<HashMap<String, String>>, Unmapped)>,
    pub(super) number: Number,
    pub(super) format: Option<Format>,
    pub(super) zone: Option<Tz>,
    /// The type of a value inside a JSON object.
    pub(super) leaf: Leaf,
    pub(super) required: bool,
    pub(super) default: Option<String>,
    pub(super) when: Option<Box<Condition>>,
    pub(super) lookup: Option<Arc<Lookup>>,
}

#[derive(Clone)]
pub(super) enum Source {
    Column(String),
    Constant(String),
    Template(Vec<Part>),
    /// The first that gives something.
    First(Vec<Expr>),
    Object(Vec<(String, Expr)>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    Text(String),
    /// A column, or its first so many characters.
    Column {
        name: String,
        chars: Option<usize>,
    },
}

/// The id of another record, by a value that names it.
pub(super) struct Lookup {
    pub(super) record: &'static Record,
    pub(super) column: &'static str,
    /// The system of an outside id.
    pub(super) system: Option<String>,
    /// The field stays empty when there is no such record; otherwise the row is refused.
    pub(super) may_miss: bool,
    /// May be a later row of the same file: looked up again at the end of the step.
    pub(super) deferred: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Case {
    Upper,
    Lower,
    Title,
}

/// What a value map does with what it does not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unmapped {
    Keep,
    Refuse,
    Null,
}

/// How numbers are written, and how often they are multiplied by ten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Number {
    pub(super) decimal: char,
    pub(super) grouping: Option<char>,
    pub(super) scale: i32,
}

impl Default for Number {
    fn default() -> Self {
        Self { decimal: '.', grouping: None, scale: 0 }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Leaf {
    Text,
    Int,
    Decimal,
    Bool,
    Date,
    Instant,
}

/// A question about a row.
#[derive(Clone)]
pub(super) enum Condition {
    Empty(Expr, bool),
    /// The value is one of these, or is none of them.
    OneOf(Expr, Vec<String>, bool),
    InMap(Expr, Arc<HashMap<String, String>>),
    /// The first instant is earlier than the second; false where one is missing.
    Before(Expr, Expr),
    All(Vec<Self>),
    Any(Vec<Self>),
}

impl Expr {
    /// A value straight from `source`, nothing done to it but trimming.
    pub(super) fn plain(source: Source, empty: Arc<[String]>) -> Self {
        Self {
            source,
            trim: true,
            empty,
            case: None,
            chars: None,
            map: None,
            number: Number::default(),
            format: None,
            zone: None,
            leaf: Leaf::Text,
            required: false,
            default: None,
            when: None,
            lookup: None,
        }
    }

    /// Every column that the value may be made from.
    pub(super) fn columns<'e>(&'e self, into: &mut Vec<&'e str>) {
        match &self.source {
            Source::Column(name) => into.push(name),
            Source::Constant(_) => {}
            Source::Template(parts) => into.extend(parts.iter().filter_map(|part| match part {
                Part::Column { name, .. } => Some(name.as_str()),
                Part::Text(_) => None,
            })),
            Source::First(all) => all.iter().for_each(|each| each.columns(into)),
            Source::Object(entries) => entries.iter().for_each(|(_, each)| each.columns(into)),
        }
        if let Some(when) = &self.when {
            when.columns(into);
        }
    }
}

impl Condition {
    pub(super) fn columns<'e>(&'e self, into: &mut Vec<&'e str>) {
        match self {
            Self::Empty(expr, _) | Self::OneOf(expr, _, _) | Self::InMap(expr, _) => {
                expr.columns(into);
            }
            Self::Before(first, second) => {
                first.columns(into);
                second.columns(into);
            }
            Self::All(all) | Self::Any(all) => all.iter().for_each(|each| each.columns(into)),
        }
    }
}

impl Step {
    /// Every column that the step asks of its file, its joins and its own made columns, with the key
    /// of the mapping that asks.
    pub(super) fn columns(&self) -> Vec<(String, &str)> {
        let mut found: Vec<(String, Vec<&str>)> = Vec::new();
        found.push(("distinct".to_owned(), self.distinct.iter().map(String::as_str).collect()));
        let made = self.made.iter().map(|(name, expr)| (format!("make.{name}"), expr));
        let joins = self.joins.iter().map(|(name, expr)| (format!("join.{name}"), expr));
        let targets = self.targets.iter().map(|target| (target.place(), &target.value));
        for (place, expr) in made.chain(joins).chain(targets) {
            let mut names = Vec::new();
            expr.columns(&mut names);
            found.push((place, names));
        }
        let skips = self.skip.iter().map(|condition| ("skip".to_owned(), condition));
        let counts = self.counts.iter().map(|(name, each)| (format!("count.{name}"), each));
        for (place, condition) in skips.chain(counts) {
            let mut names = Vec::new();
            condition.columns(&mut names);
            found.push((place, names));
        }
        found
            .into_iter()
            .flat_map(|(place, names)| names.into_iter().map(move |name| (place.clone(), name)))
            .collect()
    }
}

impl Target {
    fn place(&self) -> String {
        let table = if self.on_create { "on_create" } else { "fields" };
        format!("{table}.{}", self.field.name)
    }
}
