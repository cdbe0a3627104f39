//! What the nodes of one database must know alike, and nobody has to set.

use crate::dialect::Dialect;
use crate::table::Kind::{Instant, Text};
use crate::table::{Table, create_all, drop_all, required};

pub(crate) fn up(dialect: Dialect) -> Vec<String> {
    create_all(dialect, &tables())
}

pub(crate) fn down(dialect: Dialect) -> Vec<String> {
    drop_all(dialect, &tables())
}

fn tables() -> Vec<Table> {
    vec![server_secrets()]
}

/// By name (`jwt`). They are the installation's: so the tenant is the nil UUID, and not looked up.
fn server_secrets() -> Table {
    Table::owned("server_secrets", Text(50))
        .tenant_unchecked()
        .columns([required("value", Text(255)), required("created_at", Instant)])
}
