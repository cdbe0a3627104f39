//! What values of dimensions are called, now and earlier.

use crate::dialect::Dialect;
use crate::table::Kind::{Instant, Json, Text};
use crate::table::{Table, create_all, drop_all, required};

pub(crate) fn up(dialect: Dialect) -> Vec<String> {
    create_all(dialect, &[dimensions()])
}

pub(crate) fn down(dialect: Dialect) -> Vec<String> {
    drop_all(dialect, &[dimensions()])
}

/// A label counts until the next one of its value begins. Of one value, no two begin at the same time:
/// so none overlap, without an exclusion constraint (which needs an extension, and spans no shards).
fn dimensions() -> Table {
    Table::record("analytics_dimensions")
        .columns([
            required("dimension", Text(50)).sorted(),
            required("value", Text(200)).sorted(),
            required("label", Text(200)).folded().sorted(),
            required("attributes", Json).default("'{}'"),
            required("valid_from", Instant).sorted(),
        ])
        .unique(&["dimension", "value", "valid_from"])
        .times_sorted()
}
