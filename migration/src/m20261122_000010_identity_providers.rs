//! Signing in through providers outside: which ones a tenant trusts, who is whom there, and sign-ins
//! that are under way.

use crate::dialect::Dialect;
use crate::table::Kind::{Bool, Id, Instant, Int, Json, LongText, Text};
use crate::table::{Table, create_all, drop_all, optional, required};

pub(crate) fn up(dialect: Dialect) -> Vec<String> {
    create_all(dialect, &tables())
}

pub(crate) fn down(dialect: Dialect) -> Vec<String> {
    drop_all(dialect, &tables())
}

fn tables() -> Vec<Table> {
    vec![identity_providers(), user_identities(), sign_in_flows()]
}

/// A provider of OpenID Connect. The secret is sealed (see `vault`).
fn identity_providers() -> Table {
    Table::owned("identity_providers", Id)
        .columns([
            required("slug", Text(63)),
            required("name", Text(255)),
            required("issuer", Text(500)),
            required("client_id", Text(500)),
            optional("client_secret", LongText),
            required("scopes", Json),
            required("email_domains", Json),
            required("creates_users", Bool),
            optional("role_id", Id).references("roles"),
            required("is_enabled", Bool),
            required("created_at", Instant),
            required("updated_at", Instant),
            optional("created_by", Id).references("users"),
            required("version", Int).default("1"),
        ])
        .unique(&["slug"])
}

/// Who somebody is at an issuer.
fn user_identities() -> Table {
    Table::owned("user_identities", Id)
        .columns([
            required("user_id", Id).references("users"),
            required("provider_id", Id).references("identity_providers"),
            required("issuer", Text(500)),
            required("subject", Text(255)),
            required("created_at", Instant),
            required("last_used_at", Instant),
        ])
        .unique(&["issuer", "subject"])
}

/// One way through a provider and back, known by digests only. In an app it ends with a code that is
/// good once.
fn sign_in_flows() -> Table {
    Table::owned("sign_in_flows", Id)
        .columns([
            required("provider_id", Id).references("identity_providers"),
            required("browser_hash", Text(64)),
            required("return_to", LongText),
            optional("challenge", Text(43)),
            required("created_at", Instant),
            required("expires_at", Instant),
            optional("used_at", Instant),
            optional("user_id", Id).references("users"),
            optional("code_hash", Text(64)),
            optional("redeemed_at", Instant),
        ])
        .index(&["expires_at"])
}
