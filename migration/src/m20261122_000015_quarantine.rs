//! Events that were kept apart, in the order in which they came.

use crate::dialect::Dialect;
use crate::table::{Table, add_indexes, drop_indexes};

pub(crate) fn up(dialect: Dialect) -> Vec<String> {
    add_indexes(dialect, &quarantined_events())
}

pub(crate) fn down(_dialect: Dialect) -> Vec<String> {
    drop_indexes(&quarantined_events())
}

fn quarantined_events() -> Table {
    Table::existing("quarantined_events", false).index(&["received_at", "id"])
}
