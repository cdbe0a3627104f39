//! The page of goals is answered from an index alone.

use crate::dialect::Dialect;
use crate::table::{Table, add_indexes, drop_indexes};

pub(crate) fn up(dialect: Dialect) -> Vec<String> {
    let mut statements = add_indexes(dialect, &whole());
    statements.extend(drop_indexes(&by_day()));
    statements
}

pub(crate) fn down(dialect: Dialect) -> Vec<String> {
    let mut statements = add_indexes(dialect, &by_day());
    statements.extend(drop_indexes(&whole()));
    statements
}

/// A seller's sales that count, by day, with all that the page adds up.
fn whole() -> Table {
    let columns = ["seller_id", "sold_on", "customer_id", "currency", "amount", "sold_at"];
    Table::existing("sales", false)
        .index_where(&columns, "cancelled_at IS NULL AND deleted_at IS NULL")
}

/// What the page read a seller's sales by before: it had to look each of them up.
fn by_day() -> Table {
    let columns = ["seller_id", "sold_on", "customer_id"];
    Table::existing("sales", false).index_where(&columns, "deleted_at IS NULL")
}
