//! What was sold to whom, and what each customer is to buy in a year.

use crate::dialect::Dialect;
use crate::table::Kind::{BigInt, Date, Id, Instant, Int, Json, LongText, Text};
use crate::table::{Table, create_all, drop_all, optional, required};

pub(crate) fn up(dialect: Dialect) -> Vec<String> {
    create_all(dialect, &tables())
}

pub(crate) fn down(dialect: Dialect) -> Vec<String> {
    drop_all(dialect, &tables())
}

fn tables() -> Vec<Table> {
    vec![sales(), customer_goals()]
}

/// The page of goals reads a seller's sales by day: its index is the first one.
fn sales() -> Table {
    Table::record("sales")
        .external()
        .columns([
            required("source", Text(50)).sorted(),
            required("order_id", Text(200)).sorted(),
            required("seller_id", Id).references("users"),
            required("customer_id", Id).references("companies"),
            optional("deal_id", Id).references("deals"),
            required("amount", BigInt).sorted(),
            required("currency", Text(3)).sorted(),
            required("sold_at", Instant).sorted(),
            required("sold_on", Date).sorted(),
            optional("cancelled_at", Instant).sorted(),
            optional("notes", LongText),
            required("metadata", Json).default("'{}'"),
        ])
        .index(&["seller_id", "sold_on", "customer_id"])
        .unique(&["source", "order_id"])
        .times_sorted()
}

fn customer_goals() -> Table {
    Table::record("customer_goals")
        .external()
        .columns([
            required("year", Int).sorted(),
            required("seller_id", Id).references("users"),
            required("customer_id", Id).references("companies"),
            required("amount", BigInt).default("0").sorted(),
            required("currency", Text(3)).sorted(),
            optional("classification", Text(1)).one_of(&["A", "B", "C"]).sorted(),
            optional("last_year_sales", BigInt).sorted(),
        ])
        .check("year", "year BETWEEN 1900 AND 9999")
        .unique(&["year", "seller_id", "customer_id"])
        .times_sorted()
}
