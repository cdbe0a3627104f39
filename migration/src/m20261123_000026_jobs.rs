//! Work that is done later: queue and history in one table.

use crate::dialect::Dialect;
use crate::table::Kind::{Bool, Id, Instant, Int, Json, LongText, Text};
use crate::table::{Table, optional, required};

pub(crate) fn up(dialect: Dialect) -> Vec<String> {
    jobs().create(dialect)
}

pub(crate) fn down(dialect: Dialect) -> Vec<String> {
    jobs().drop(dialect)
}

/// A job is written in the transaction of its cause. Whoever runs it has a lease, which names the
/// runner and when the job is anybody's again; what is done is kept as the history.
fn jobs() -> Table {
    Table::owned("jobs", Id)
        .columns([
            required("kind", Text(50)),
            required("state", Text(20)).one_of(&[
                "queued",
                "running",
                "done",
                "failed",
                "cancelled",
            ]),
            required("arguments", Json),
            required("off_hours", Bool).default("FALSE"),
            required("done", Int).default("0").at_least(0),
            optional("total", Int),
            optional("cursor", Json),
            optional("result", Json),
            optional("error", LongText),
            required("attempts", Int).default("0").at_least(0),
            required("attempts_max", Int).at_least(1),
            required("due_at", Instant),
            optional("lease_owner", Id),
            optional("lease_until", Instant),
            optional("requested_by", Id).references("users"),
            required("created_at", Instant),
            required("updated_at", Instant),
            optional("started_at", Instant),
            optional("finished_at", Instant),
        ])
        .index(&["created_at", "id"])
        .index(&["state", "id"])
        .index_where(&["due_at", "id"], "state IN ('queued', 'running')")
}
