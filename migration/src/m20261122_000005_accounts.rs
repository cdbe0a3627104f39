//! Ways into an account: invitations and password resets, the mails that carry them, and the counters
//! that slow guessing down.

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
    vec![account_tokens(), mails(), sign_in_guards()]
}

/// One link in a mail. Its secret is made when the mail goes out, and only its digest is kept.
fn account_tokens() -> Table {
    Table::owned("account_tokens", Id).columns([
        required("purpose", Text(20)).one_of(&["invitation", "password_reset"]),
        required("user_id", Id).references("users"),
        optional("secret_hash", Text(64)),
        required("expires_at", Instant),
        optional("used_at", Instant),
        optional("revoked_at", Instant),
        optional("created_by", Id).references("users"),
        required("created_at", Instant),
    ])
}

/// Mails to be sent, written in the transaction of their cause. What one says is made when it is
/// sent: no address and no secret waits here.
fn mails() -> Table {
    Table::owned("mails", Id)
        .columns([
            required("kind", Text(50)),
            required("user_id", Id).references("users"),
            optional("subject_id", Id),
            required("language", Text(16)),
            required("state", Text(10)).one_of(&["pending", "sent", "dropped", "failed"]),
            required("attempts", Int).at_least(0),
            required("next_attempt_at", Instant),
            optional("error", Text(500)),
            required("created_at", Instant),
            required("updated_at", Instant),
        ])
        .index_where(&["next_attempt_at", "id"], "state = 'pending'")
}

/// How often something was guessed, by digests of account and address. Guesses come before any tenant
/// is known, also for tenants that do not exist: so the tenant is the nil UUID, and not looked up.
fn sign_in_guards() -> Table {
    Table::owned("sign_in_guards", Text(64))
        .tenant_unchecked()
        .columns([required("failures", Int).at_least(0), required("last_at", Instant)])
        .index(&["last_at"])
}
