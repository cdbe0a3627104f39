//! What happened, for those who count, check and pass on: events, audit, outbox, and the small
//! tables that keep them honest.

use crate::dialect::Dialect;
use crate::table::Kind::{BigInt, Id, Instant, Int, Json, LongText, Text};
use crate::table::Partitioning::{ByHash, ByMonth};
use crate::table::{Table, create_all, drop_all, optional, required};

pub(crate) fn up(dialect: Dialect) -> Vec<String> {
    create_all(dialect, &tables())
}

pub(crate) fn down(dialect: Dialect) -> Vec<String> {
    drop_all(dialect, &tables())
}

fn tables() -> Vec<Table> {
    vec![
        event_batches(),
        events(),
        event_ids(),
        audit_logs(),
        outbox(),
        epochs(),
        idempotency_keys(),
    ]
}

/// One row per committed insert of events: the unit of processing.
fn event_batches() -> Table {
    Table::owned("event_batches", Id)
        .columns([
            required("lane", Text(20)).one_of(&["critical", "normal", "backfill"]),
            required("event_count", Int).at_least(0),
            required("state", Text(20)).one_of(&["queued", "processing", "processed", "failed"]),
            required("attempts", Int).default("0"),
            optional("error", LongText),
            required("created_at", Instant),
            required("updated_at", Instant),
        ])
        .index(&["state", "lane", "id"])
}

/// The log. Its rows refer to their batch, actor and resource without foreign keys: they are written
/// by the thousand and outlive what they speak of. Their tenant is checked on the batch's row (looking
/// it up for each event made inserts 1.8 times as slow).
fn events() -> Table {
    Table::owned("events", Id)
        .tenant_unchecked()
        .partitioned(ByMonth)
        .columns([
            required("module", Text(50)),
            required("event_type", Text(100)),
            required("schema_version", Int).default("1"),
            required("occurred_at", Instant),
            required("received_at", Instant),
            optional("actor_id", Id),
            optional("resource", Text(50)),
            optional("resource_id", Id),
            required("batch_id", Id),
            required("payload", Json),
            required("dimensions", Json).default("'{}'"),
        ])
        .index(&["event_type", "occurred_at"])
        .index(&["resource", "resource_id", "id"])
        .index(&["occurred_at"])
}

/// The ids that sources gave their events: a partitioned log cannot be unique on them itself.
/// Written with the events, so their tenant is checked where theirs is.
fn event_ids() -> Table {
    Table::owned("event_ids", Text(200)).partitioned(ByHash(8)).columns([required("event_id", Id)])
}

/// Who did what. Without foreign keys to users and keys, because it outlives them. Personal values
/// stand apart in `personal`, with the salt of their `digests`, and may be erased; the place in the
/// chain and the hash are empty until the entry is sealed.
fn audit_logs() -> Table {
    Table::owned("audit_logs", Id)
        .partitioned(ByMonth)
        .columns([
            optional("user_id", Id),
            optional("api_key_id", Id),
            required("action", Text(100)),
            required("resource_type", Text(50)),
            optional("resource_id", Id),
            optional("old_values", Json),
            optional("new_values", Json),
            optional("digests", Json),
            optional("personal", Json),
            optional("ip_address", Text(45)),
            optional("user_agent", Text(500)),
            optional("request_id", Text(100)),
            required("created_at", Instant),
            optional("chain_seq", BigInt).at_least(1),
            optional("chain_hash", Text(64)),
        ])
        .index(&["resource_type", "resource_id", "id"])
        .index(&["user_id", "id"])
        .index(&["created_at", "id"])
        .index_where(&["id"], "chain_seq IS NULL")
        .index_where(&["chain_seq", "id"], "chain_seq IS NOT NULL")
}

/// What others must be told, written in the transaction of its cause.
fn outbox() -> Table {
    Table::owned("outbox", Id)
        .columns([
            required("topic", Text(100)),
            required("payload", Json),
            required("created_at", Instant),
            optional("published_at", Instant),
        ])
        .index_where(&["id"], "published_at IS NULL")
}

/// Counters by name that nodes poll to learn that something they remember has changed.
fn epochs() -> Table {
    Table::owned("epochs", Text(200))
        .columns([required("value", BigInt), required("updated_at", Instant)])
}

/// Answers already given, so that a repeated request gets the same one.
fn idempotency_keys() -> Table {
    Table::owned("idempotency_keys", Text(200))
        .columns([
            required("argument_hash", Text(64)),
            required("response", LongText),
            required("created_at", Instant),
            required("expires_at", Instant),
        ])
        .index(&["expires_at"])
}
