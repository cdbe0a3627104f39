//! Numbers out of events (análise): let in, folded into snapshots, and asked for by metric.
//!
//! Invariants: an accepted event is durable and counted once; snapshots hold state that merges and
//! can be thrown away, because folding the log again gives the same; a day is a day of some zone, and
//! every zone's numbers are exact; what a caller may not see is in no sum of theirs.
//!
//! Not here: the event log itself (`events.rs`, which the CRM writes too), alerts and dashboards.

pub mod dimension;
pub mod event;
pub mod grafana;
pub mod log;
pub mod metric;
pub mod rollup;
pub mod series;

use crate::record::Record;

/// The records of this room, in the order of the schema's documentation.
pub fn records() -> Vec<&'static Record> {
    vec![
        log::record::record(),
        dimension::record::record(),
        metric::record::record(),
        metric::custom::record::record(),
        series::record::record(),
        series::snapshots::record(),
        series::table::record(),
        series::lineage::record(),
        series::values::record(),
        event::quarantine::record::record(),
        event::schema::record::record(),
    ]
}
