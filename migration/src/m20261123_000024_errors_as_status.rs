//! API keys of programs that look at nothing but the status of an answer.

use crate::dialect::Dialect;
use crate::table::Kind::Bool;
use crate::table::{Table, add_columns, drop_columns, required};

pub(crate) fn up(dialect: Dialect) -> Vec<String> {
    add_columns(dialect, &api_keys())
}

pub(crate) fn down(dialect: Dialect) -> Vec<String> {
    drop_columns(dialect, &api_keys())
}

fn api_keys() -> Table {
    Table::existing("api_keys", false)
        .columns([required("errors_as_status", Bool).default("FALSE")])
}
