//! What seals the audit trail, and the log of reads.

use crate::dialect::Dialect;
use crate::table::Kind::{BigInt, Id, Instant, Json, Text};
use crate::table::Partitioning::ByMonth;
use crate::table::{Table, create_all, drop_all, optional, required};

pub(crate) fn up(dialect: Dialect) -> Vec<String> {
    create_all(dialect, &tables())
}

pub(crate) fn down(dialect: Dialect) -> Vec<String> {
    drop_all(dialect, &tables())
}

fn tables() -> Vec<Table> {
    vec![audit_chains(), audit_seals(), read_logs()]
}

/// Where a tenant's chain ends. Its row is the lock of whoever seals.
fn audit_chains() -> Table {
    Table::owned("audit_chains", Text(20)).columns([
        required("last_seq", BigInt).at_least(0),
        optional("hash", Text(64)),
        optional("month", Text(7)),
        required("month_first_seq", BigInt),
        optional("month_hash", Text(64)),
        required("updated_at", Instant),
    ])
}

/// The months of a tenant's chain that are closed, by their name (`2026-03`).
fn audit_seals() -> Table {
    Table::owned("audit_seals", Text(7)).columns([
        required("first_seq", BigInt),
        required("last_seq", BigInt),
        required("last_hash", Text(64)),
        optional("previous_hash", Text(64)),
        required("hash", Text(64)),
        required("sealed_at", Instant),
    ])
}

/// Who read personal data or analytics. Written by the thousand, some time after the reading, for
/// tenants that may be gone by then.
fn read_logs() -> Table {
    Table::owned("read_logs", Id)
        .tenant_unchecked()
        .partitioned(ByMonth)
        .columns([
            optional("user_id", Id),
            optional("api_key_id", Id),
            required("kind", Text(20)).one_of(&["personal", "analytics"]),
            required("resource", Text(50)),
            required("fields", Json).default("'[]'"),
            required("row_count", BigInt).at_least(0),
            optional("ip_address", Text(45)),
            optional("user_agent", Text(500)),
            optional("request_id", Text(100)),
            required("created_at", Instant),
        ])
        .index(&["user_id", "id"])
        .index(&["resource", "id"])
        .index(&["created_at", "id"])
}
