//! Buckets of a series that are next to each other in time share a row of `snapshots`.
//!
//! Snapshots follow from the log, so they are not converted: the rows go, and the batches wait to be
//! folded again, in the lane that leaves what is new alone.

use crate::dialect::Dialect;
use crate::table::Kind::{BigInt, Id, Instant, LongText, Text};
use crate::table::{Table, required};

pub(crate) fn up(dialect: Dialect) -> Vec<String> {
    replaced(dialect, &snapshots("state"), &snapshots("buckets"))
}

pub(crate) fn down(dialect: Dialect) -> Vec<String> {
    replaced(dialect, &snapshots("buckets"), &snapshots("state"))
}

fn replaced(dialect: Dialect, before: &Table, after: &Table) -> Vec<String> {
    let mut statements = before.drop(dialect);
    statements.extend(after.create(dialect));
    statements.push("DELETE FROM event_failures".to_owned());
    statements.push("UPDATE fold_heads SET events = 0".to_owned());
    statements.push(
        "UPDATE event_batches SET state = 'queued', lane = 'backfill' WHERE state = 'processed'"
            .to_owned(),
    );
    statements
}

/// `state` is one bucket's, `buckets` are several.
fn snapshots(kept: &'static str) -> Table {
    Table::owned("snapshots", Id)
        .columns([
            required("series_id", Id),
            required("grain", Text(10)).one_of(&["minute", "quarter", "hour", "day"]),
            required("starts_at", Instant),
            required("events", BigInt).at_least(0),
            required(kept, LongText),
            required("revision", BigInt).at_least(1),
            required("updated_at", Instant),
        ])
        .index(&["series_id", "grain", "starts_at"])
        .index_where(&["starts_at"], "grain = 'minute'")
}
