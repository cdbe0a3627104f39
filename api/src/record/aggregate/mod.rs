//! Aggregates and groups: `leadAggregate { count sum { … } }` and `leadGroups(by: …)`. One statement
//! each. Money of more than one currency is never added up: such a sum is INVALID, "group by
//! CURRENCY".

mod groups;
mod plan;
mod write;

use super::filter::Condition;
use super::plan::{Deleted, Level};
use super::search::SearchPlan;

pub use groups::{GroupKey, Groups, fetch_groups, first_instant_of, write_groups};
pub use plan::{Measures, Reference};
pub use write::{AggregateShape, fetch_aggregate, write_aggregate};

/// Which rows are added up.
pub struct Base {
    pub level: Level,
    pub condition: Option<Condition>,
    pub search: Option<SearchPlan>,
    pub deleted: Deleted,
}

/// `leadAggregate`.
pub struct Aggregate {
    pub base: Base,
    pub measures: Measures,
    pub shape: AggregateShape,
}

impl Aggregate {
    /// Statements that this takes at most.
    pub fn statements(&self) -> u32 {
        1 + u32::from(self.base.search.as_ref().is_some_and(SearchPlan::needs_probe))
    }
}
