//! Work that is done later (tarefas): the register of its kinds, one line each, and who runs it.
//!
//! Invariants: a kind does its work in steps, each a transaction of its own with how far the job is
//! after it; between two steps a job can be cancelled, and another node can take it over.
//!
//! Not here: the queue's rows (`queue/`), and what a step does (the rooms').

pub mod graphql;
pub mod record;
pub mod worker;

use crate::analytics::rollup;
use crate::queue::Runner;
use crate::record::Record;

/// Every kind of job, and what does a step of it.
const KINDS: [(&str, Runner); 4] = [
    (rollup::job::RECALC, rollup::job::recalc),
    (rollup::job::REBUILD, rollup::job::rebuild),
    (rollup::job::VERIFY, rollup::job::verify),
    (rollup::job::BACKFILL, rollup::job::backfill),
];

/// Kinds that something waits for: they end with it.
const WAITED_FOR: [&str; 1] = [rollup::job::BACKFILL];

/// What does a step of a kind.
fn runner_of(kind: &str) -> Option<Runner> {
    KINDS.iter().find(|(known, _)| *known == kind).map(|(_, runner)| *runner)
}

pub fn records() -> Vec<&'static Record> {
    vec![record::record()]
}
