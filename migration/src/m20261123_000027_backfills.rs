//! Which job counts the history of a metric of a tenant's own.

use crate::dialect::Dialect;
use crate::table::Kind::Id;
use crate::table::{Table, add_columns, drop_columns, optional};

pub(crate) fn up(dialect: Dialect) -> Vec<String> {
    add_columns(dialect, &custom_metrics())
}

pub(crate) fn down(dialect: Dialect) -> Vec<String> {
    drop_columns(dialect, &custom_metrics())
}

/// None once it is counted.
fn custom_metrics() -> Table {
    Table::existing("custom_metrics", true).columns([optional("job_id", Id).references("jobs")])
}
