//! What becomes of events: how far they are folded, what they add up to, and those that could not be
//! taken in.

use crate::dialect::Dialect;
use crate::table::Kind::{BigInt, Id, Instant, Int, Json, LongText, Text};
use crate::table::{
    Table, add_columns, add_indexes, create_all, drop_all, drop_columns, drop_indexes, optional,
    required,
};

pub(crate) fn up(dialect: Dialect) -> Vec<String> {
    let mut statements = add_columns(dialect, &batches());
    statements.extend(drop_indexes(&events_before()));
    statements.extend(add_indexes(dialect, &events()));
    statements.extend(create_all(dialect, &tables()));
    statements
}

pub(crate) fn down(dialect: Dialect) -> Vec<String> {
    let mut statements = drop_all(dialect, &tables());
    statements.extend(drop_indexes(&events()));
    statements.extend(add_indexes(dialect, &events_before()));
    statements.extend(drop_columns(dialect, &batches()));
    statements
}

/// The range of a batch's ids, so that only the months are looked at in which it has events; when it
/// was processed, how long that took, and when it may be tried again.
fn batches() -> Table {
    Table::existing("event_batches", false).columns([
        optional("first_id", Id),
        optional("last_id", Id),
        optional("processed_at", Instant),
        optional("processing_ms", Int),
        optional("next_attempt_at", Instant),
    ])
}

/// Events are folded by the batch, and listed by the time at which they happened.
fn events() -> Table {
    Table::existing("events", false).index(&["batch_id", "id"]).index(&["occurred_at", "id"])
}

fn events_before() -> Table {
    Table::existing("events", false).index(&["occurred_at"])
}

fn tables() -> Vec<Table> {
    vec![fold_heads(), metric_series(), snapshots(), event_failures(), quarantined_events()]
}

/// One row per tenant: locked by whoever folds its events, so that one does at a time. Its days are
/// those of `time_zone`.
fn fold_heads() -> Table {
    Table::owned("fold_heads", Text(20)).columns([
        required("time_zone", Text(64)),
        required("events", BigInt).default("0").at_least(0),
        required("updated_at", Instant),
    ])
}

/// A metric for one set of dimension values; the id is a digest of both.
fn metric_series() -> Table {
    Table::owned("metric_series", Id)
        .columns([
            required("metric", Text(100)),
            required("dimensions", Json),
            required("created_at", Instant),
        ])
        .index(&["metric", "id"])
}

/// What a series came to in a minute, a quarter of an hour, an hour or a day: state that merges. The
/// id is a digest of series, grain and start. Written by the thousand, in the transaction that writes
/// their series: a foreign key would look each of them up.
fn snapshots() -> Table {
    Table::owned("snapshots", Id)
        .columns([
            required("series_id", Id),
            required("grain", Text(10)).one_of(&["minute", "quarter", "hour", "day"]),
            required("starts_at", Instant),
            required("events", BigInt).at_least(0),
            required("state", LongText),
            required("revision", BigInt).at_least(1),
            required("updated_at", Instant),
        ])
        .index(&["series_id", "grain", "starts_at"])
        .index_where(&["starts_at"], "grain = 'minute'")
}

/// Events that could not be folded, each by its id, while the rest of their batch was.
fn event_failures() -> Table {
    Table::owned("event_failures", Id)
        .columns([
            required("state", Text(20)).one_of(&["failed", "discarded"]),
            required("attempts", Int).at_least(1),
            required("error", LongText),
            required("created_at", Instant),
            required("updated_at", Instant),
        ])
        .index(&["state", "id"])
}

/// Events that were not let in, with the reason, without personal data; nothing of them is lost.
fn quarantined_events() -> Table {
    Table::owned("quarantined_events", Id)
        .columns([
            optional("source_id", Text(200)),
            optional("module", Text(50)),
            optional("event_type", Text(100)),
            required("reason", Text(50)),
            required("detail", LongText),
            required("body", Json),
            required("state", Text(20)).one_of(&["waiting", "replayed", "discarded"]),
            optional("event_id", Id),
            required("received_at", Instant),
            required("updated_at", Instant),
        ])
        .index(&["state", "received_at", "id"])
        .index(&["event_type", "state", "id"])
}
