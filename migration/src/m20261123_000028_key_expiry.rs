//! How far people were told that an API key is about to end.

use crate::dialect::Dialect;
use crate::table::Kind::Int;
use crate::table::{Table, add_columns, drop_columns, required};

pub(crate) fn up(dialect: Dialect) -> Vec<String> {
    add_columns(dialect, &api_keys())
}

pub(crate) fn down(dialect: Dialect) -> Vec<String> {
    drop_columns(dialect, &api_keys())
}

/// 0 before the first notice, 1 after it, 2 after the last.
fn api_keys() -> Table {
    Table::existing("api_keys", false).columns([required("expiry_notices", Int).default("0")])
}
