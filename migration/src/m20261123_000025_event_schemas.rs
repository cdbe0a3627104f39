//! The event types that tenants declare.

use crate::dialect::Dialect;
use crate::table::Kind::{Id, Instant, Int, Json, Text};
use crate::table::{Table, create_all, drop_all, optional, required};

pub(crate) fn up(dialect: Dialect) -> Vec<String> {
    create_all(dialect, &tables())
}

pub(crate) fn down(dialect: Dialect) -> Vec<String> {
    drop_all(dialect, &tables())
}

/// One row per version of a type; a version is never changed.
fn tables() -> Vec<Table> {
    vec![
        Table::owned("event_schemas", Id)
            .columns([
                required("module", Text(50)),
                required("event_type", Text(100)),
                required("schema_version", Int).at_least(1),
                required("schema", Json),
                optional("created_by", Id).references("users"),
                required("created_at", Instant),
            ])
            .unique(&["module", "event_type", "schema_version"])
            .index(&["created_at", "id"]),
    ]
}
