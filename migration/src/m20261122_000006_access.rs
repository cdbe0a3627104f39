//! What access asks of tables that are there: the company of somebody from outside, how far an API key
//! is narrowed, and until when a deleted tenant can come back.

use crate::dialect::Dialect;
use crate::table::Kind::{Id, Instant, Json};
use crate::table::{Table, add_columns, drop_columns, optional, required};

pub(crate) fn up(dialect: Dialect) -> Vec<String> {
    tables().iter().flat_map(|table| add_columns(dialect, table)).collect()
}

pub(crate) fn down(dialect: Dialect) -> Vec<String> {
    tables().iter().rev().flat_map(|table| drop_columns(dialect, table)).collect()
}

fn tables() -> Vec<Table> {
    vec![users(), api_keys(), tenants()]
}

fn users() -> Table {
    Table::existing("users", true).columns([optional("company_id", Id).references("companies")])
}

/// Lists of text: fields that may be read (`leads.name`), and networks (`10.0.0.0/8`); empty for no
/// such limit.
fn api_keys() -> Table {
    Table::existing("api_keys", false).columns([
        required("fields", Json).default("'[]'"),
        required("allowed_addresses", Json).default("'[]'"),
    ])
}

fn tenants() -> Table {
    Table::existing("tenants", false).columns([optional("purge_at", Instant)])
}
