//! Tenants, and who acts in them: units, users, roles, keys.

use crate::dialect::Dialect;
use crate::table::Kind::{Bool, Id, Instant, Int, Json, Text};
use crate::table::{Table, create_all, drop_all, optional, required};

pub(crate) fn up(dialect: Dialect) -> Vec<String> {
    let mut statements = dialect.prepare();
    statements.extend(create_all(dialect, &tables()));
    statements
}

pub(crate) fn down(dialect: Dialect) -> Vec<String> {
    drop_all(dialect, &tables())
}

fn tables() -> Vec<Table> {
    vec![tenants(), org_units(), users(), roles(), user_roles(), api_keys()]
}

fn tenants() -> Table {
    Table::root("tenants")
        .columns([
            required("slug", Text(63)),
            required("name", Text(255)),
            required("time_zone", Text(64)).default("'America/Sao_Paulo'"),
            required("currency", Text(3)).default("'BRL'"),
            required("language", Text(16)).default("'pt-BR'"),
            required("settings", Json).default("'{}'"),
            required("created_at", Instant),
            required("updated_at", Instant),
            optional("suspended_at", Instant),
        ])
        .unique(&["slug"])
}

/// Older than `users`, who belong to units: so its `created_by` is not a foreign key.
fn org_units() -> Table {
    Table::record_before_users("org_units")
        .external()
        .searched()
        .columns([
            required("name", Text(255)).folded().sorted(),
            optional("code", Text(50)).sorted(),
            optional("parent_id", Id).references("org_units"),
        ])
        .times_sorted()
}

/// People and service accounts. Those who only own records have neither email nor password.
fn users() -> Table {
    Table::record("users")
        .external()
        .searched()
        .columns([
            optional("email", Text(255)).sorted(),
            optional("password_hash", Text(255)),
            required("full_name", Text(255)).folded().sorted(),
            optional("phone", Text(20)),
            optional("avatar_url", Text(500)),
            required("is_active", Bool).default("TRUE"),
            required("is_verified", Bool).default("FALSE"),
            required("is_service", Bool).default("FALSE"),
            optional("last_login_at", Instant).sorted(),
            optional("manager_id", Id).references("users"),
            optional("org_unit_id", Id).references("org_units"),
        ])
        .unique(&["email"])
        .times_sorted()
}

fn roles() -> Table {
    Table::owned("roles", Id)
        .columns([
            required("name", Text(50)),
            optional("description", Text(255)),
            optional("label_pt", Text(100)),
            required("permissions", Json).default("'{}'"),
            required("created_at", Instant),
            required("updated_at", Instant),
            required("version", Int).default("1"),
        ])
        .unique(&["name"])
}

fn user_roles() -> Table {
    Table::owned("user_roles", Id)
        .columns([
            required("user_id", Id).references("users"),
            required("role_id", Id).references("roles"),
            optional("granted_by", Id).references("users"),
            required("granted_at", Instant),
        ])
        .unique(&["user_id", "role_id"])
}

/// Secrets are kept as digests only; two live side by side while a key is rotated.
fn api_keys() -> Table {
    Table::owned("api_keys", Id).columns([
        required("user_id", Id).references("users"),
        required("role_id", Id).references("roles"),
        required("name", Text(255)),
        required("prefix", Text(40)).sorted(),
        required("secret_hash", Text(64)),
        optional("previous_secret_hash", Text(64)),
        optional("previous_expires_at", Instant),
        required("scopes", Json).default("'[]'"),
        optional("expires_at", Instant),
        optional("revoked_at", Instant),
        optional("last_used_at", Instant),
        optional("created_by", Id).references("users"),
        required("created_at", Instant),
        required("updated_at", Instant),
    ])
}
