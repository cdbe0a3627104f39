//! Metrics of a tenant's own.

use crate::dialect::Dialect;
use crate::table::Kind::{Int, Json, Text};
use crate::table::{Table, optional, required};

pub(crate) fn up(dialect: Dialect) -> Vec<String> {
    custom_metrics().create(dialect)
}

pub(crate) fn down(dialect: Dialect) -> Vec<String> {
    custom_metrics().drop(dialect)
}

/// The lists are checked by the server: they are read whole, and never searched.
fn custom_metrics() -> Table {
    Table::record("custom_metrics")
        .columns([
            required("name", Text(100)).sorted(),
            required("label", Text(255)),
            required("unit", Text(20)).default("'1'"),
            required("scope", Text(50)).default("'custom'"),
            required("aggregation", Text(20)).one_of(&[
                "count",
                "sum",
                "average",
                "minimum",
                "maximum",
                "last",
                "distinct",
                "percentile",
                "balance",
                "ratio",
            ]),
            required("sources", Json).default("'{}'"),
            optional("value_field", Text(100)),
            required("scale", Int).default("0"),
            required("dimensions", Json).default("'{}'"),
            optional("numerator", Text(100)),
            optional("denominator", Text(100)),
            required("times", Int).default("1"),
            required("state", Text(20)).one_of(&["counting", "ready"]),
        ])
        .unique(&["name"])
        .times_sorted()
}
