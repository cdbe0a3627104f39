//! What callers may ask for: budgets that nodes count together, and the operations that a key is
//! held to.

use crate::dialect::Dialect;
use crate::table::Kind::{BigInt, Id, Instant, LongText, Text};
use crate::table::{Table, create_all, drop_all, optional, required};

pub(crate) fn up(dialect: Dialect) -> Vec<String> {
    let mut statements = create_all(dialect, &tables());
    statements.push(
        "ALTER TABLE api_keys ADD COLUMN persisted_only boolean NOT NULL DEFAULT FALSE".to_owned(),
    );
    statements
}

pub(crate) fn down(dialect: Dialect) -> Vec<String> {
    let mut statements = vec!["ALTER TABLE api_keys DROP COLUMN persisted_only".to_owned()];
    statements.extend(drop_all(dialect, &tables()));
    statements
}

fn tables() -> Vec<Table> {
    vec![rate_budgets(), persisted_operations()]
}

/// By what is counted (`tenant:…`, `user:…`, `key:…`): the instant at which all points are back, in
/// nanoseconds since 1970. Rows that lie in the past mean nothing and are removed.
fn rate_budgets() -> Table {
    Table::owned("rate_budgets", Text(100))
        .columns([required("owed_until_ns", BigInt), required("updated_at", Instant)])
        .index(&["owed_until_ns"])
}

/// Documents that keys marked `persisted_only` may run, by the SHA-256 of their text.
fn persisted_operations() -> Table {
    Table::owned("persisted_operations", Id)
        .columns([
            required("name", Text(255)),
            required("sha256_hash", Text(64)),
            required("document", LongText),
            required("created_at", Instant),
            optional("created_by", Id).references("users"),
        ])
        .unique(&["sha256_hash"])
}
