//! Who is signed in, and from where.

use crate::dialect::Dialect;
use crate::table::Kind::{Id, Instant, Int, Text};
use crate::table::{Table, create_all, drop_all, optional, required};

pub(crate) fn up(dialect: Dialect) -> Vec<String> {
    create_all(dialect, &tables())
}

pub(crate) fn down(dialect: Dialect) -> Vec<String> {
    drop_all(dialect, &tables())
}

fn tables() -> Vec<Table> {
    vec![sessions()]
}

/// One row per sign-in. Of its refresh tokens only the present one and the one before are known, as
/// digests: older ones prove by themselves that they were ours.
fn sessions() -> Table {
    Table::owned("sessions", Id).columns([
        required("user_id", Id).references("users"),
        required("generation", Int).at_least(1),
        required("refresh_hash", Text(64)),
        optional("previous_hash", Text(64)),
        required("created_at", Instant),
        required("last_used_at", Instant),
        required("expires_at", Instant),
        optional("revoked_at", Instant),
        optional("revoked_reason", Text(20)).one_of(&["logout", "revoked", "reuse", "replaced"]),
        optional("ip_address", Text(45)),
        optional("user_agent", Text(500)),
    ])
}
