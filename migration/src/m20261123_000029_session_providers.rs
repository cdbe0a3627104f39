//! Which identity provider a session came through, so that one may be signed out there too.

use crate::dialect::Dialect;
use crate::table::Kind::Id;
use crate::table::{Table, add_columns, drop_columns, optional};

pub(crate) fn up(dialect: Dialect) -> Vec<String> {
    add_columns(dialect, &sessions())
}

pub(crate) fn down(dialect: Dialect) -> Vec<String> {
    drop_columns(dialect, &sessions())
}

/// Without a foreign key: a session outlives its provider, and SQLite adds none to a table that is
/// there. It is looked up within the tenant; what is not found there has no page to sign out at.
fn sessions() -> Table {
    Table::existing("sessions", false).columns([optional("provider_id", Id)])
}
