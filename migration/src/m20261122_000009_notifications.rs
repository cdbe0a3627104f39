//! What people are told of, and how far each of them has been told.

use crate::dialect::Dialect;
use crate::table::Kind::{BigInt, Id, Instant, Int, Text};
use crate::table::{Table, create_all, drop_all, optional, required};

pub(crate) fn up(dialect: Dialect) -> Vec<String> {
    create_all(dialect, &tables())
}

pub(crate) fn down(dialect: Dialect) -> Vec<String> {
    drop_all(dialect, &tables())
}

fn tables() -> Vec<Table> {
    vec![notification_feeds(), notifications()]
}

/// By user: the number of their latest notification. Its row is raised last in a transaction, so that
/// one person's notifications become visible in the order of their numbers.
fn notification_feeds() -> Table {
    Table::owned("notification_feeds", Id)
        .columns([required("last_number", BigInt).at_least(0), required("updated_at", Instant)])
}

/// One thing that somebody is told. What it says is made when it is read, out of its kind and of what
/// it is about: no text of a record waits here.
fn notifications() -> Table {
    Table::owned("notifications", Id)
        .columns([
            required("user_id", Id).references("users"),
            required("number", BigInt).at_least(1),
            required("kind", Text(40)),
            optional("actor_id", Id),
            optional("resource", Text(50)),
            optional("record_id", Id),
            required("item_count", Int).at_least(1),
            optional("read_at", Instant),
            required("created_at", Instant),
        ])
        .unique(&["user_id", "number"])
        .index_where(&["user_id", "number"], "read_at IS NULL")
        .index(&["created_at"])
}
