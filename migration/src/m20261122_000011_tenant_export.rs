//! What is left of a tenant that was removed for good.

use crate::dialect::Dialect;
use crate::table::Kind::{Instant, Json, Text};
use crate::table::{Table, create_all, drop_all, optional, required};

pub(crate) fn up(dialect: Dialect) -> Vec<String> {
    create_all(dialect, &tables())
}

pub(crate) fn down(dialect: Dialect) -> Vec<String> {
    drop_all(dialect, &tables())
}

fn tables() -> Vec<Table> {
    vec![tenant_tombstones()]
}

/// Under the id that the tenant had, which is in no other table any more: so it stands beside
/// `tenants`, not below. Its row is the lock of whoever removes. A slug may come again.
fn tenant_tombstones() -> Table {
    Table::root("tenant_tombstones")
        .columns([
            required("slug", Text(63)),
            required("purge_at", Instant),
            required("started_by", Text(10)).one_of(&["schedule", "command"]),
            required("started_at", Instant),
            optional("purged_at", Instant),
            required("removed", Json).default("'{}'"),
        ])
        .index(&["slug"])
}
