//! `filter` -> condition. Reading it is pure; writing it into SQL needs a dialect.
//!
//! Logic is two-valued: `ne` is the complement of `eq`, `not` of what it holds, also for nulls, so
//! that a filter and its negation always split the rows in two.

mod read;
mod write;

pub use read::{Scope, allow_field, allow_link, allow_relation, read};
pub use write::write;

use std::sync::Arc;

use super::declare::{Field, Record, Relation};
use crate::access::Reader;
use crate::db::Value;

/// A condition over the rows of one record.
pub enum Condition {
    All(Vec<Condition>),
    Any(Vec<Condition>),
    Not(Box<Condition>),
    Compare {
        field: &'static Field,
        operator: Operator,
    },
    /// `$.path` of a JSON field.
    JsonPath {
        field: &'static Field,
        path: Vec<String>,
        operator: Operator,
    },
    Related {
        relation: &'static Relation,
        quantifier: Quantifier,
        inner: Inner,
    },
}

/// The condition on the other side of a relation, with the caller's right to read it.
pub struct Inner {
    pub record: &'static Record,
    pub reader: Arc<Reader>,
    pub condition: Box<Condition>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quantifier {
    /// To-one: the related row exists and matches. To-many: at least one does.
    Some,
    Every,
    None,
}

pub enum Operator {
    Equals(Value),
    NotEquals(Value),
    /// A list value.
    In(Value),
    NotIn(Value),
    Less(Value),
    LessOrEqual(Value),
    Greater(Value),
    GreaterOrEqual(Value),
    IsNull(bool),
    /// Folded where the field has a folded twin.
    Contains(String),
    StartsWith(String),
    EndsWith(String),
    /// Every word is contained.
    Words(Vec<String>),
    /// A JSON array at the path holds this text.
    ArrayContains(String),
}
