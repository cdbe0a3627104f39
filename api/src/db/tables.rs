//! Every table that holds rows of tenants, read off the entities: what is exported with a tenant and
//! removed with it. A table of the database that is not listed here fails `tests/tenant_tables.rs`.

use std::sync::LazyLock;

use sea_orm::sea_query::ColumnType;
use sea_orm::{ColumnTrait, EntityTrait, Iterable};

use super::NullOf;

/// A table of tenants' rows, keyed by `(tenant_id, id)`.
#[derive(Debug)]
pub struct Table {
    pub name: &'static str,
    pub columns: Vec<Column>,
    /// Columns that refer to the table itself, or to one further down the list: emptied before rows
    /// are removed. They can all be null.
    pub loops: &'static [&'static str],
}

#[derive(Debug)]
pub struct Column {
    pub name: &'static str,
    pub kind: NullOf,
    pub holds: Holds,
}

/// What a column is to whoever takes the data elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holds {
    Data,
    /// Proves who somebody is, or helps to: it never leaves.
    Secret,
    /// Written by the server from other columns of the row.
    Derived,
}

/// Digests and hashes of credentials, and what repeats one.
const SECRETS: [(&str, &str); 11] = [
    ("users", "password_hash"),
    ("api_keys", "secret_hash"),
    ("api_keys", "previous_secret_hash"),
    ("sessions", "refresh_hash"),
    ("sessions", "previous_hash"),
    ("account_tokens", "secret_hash"),
    ("sign_in_flows", "browser_hash"),
    ("sign_in_flows", "code_hash"),
    // Sealed, and of no use elsewhere.
    ("identity_providers", "client_secret"),
    ("server_secrets", "value"),
    // May repeat what was shown once, as the secret of a new API key.
    ("idempotency_keys", "response"),
];

/// All of them: whoever refers to a table comes after it, but for what [`Table::loops`] names.
pub fn all() -> &'static [Table] {
    static TABLES: LazyLock<Vec<Table>> = LazyLock::new(listed);
    &TABLES
}

/// The table that all others hang on, keyed by `id` alone.
pub fn root() -> &'static Table {
    static ROOT: LazyLock<Table> = LazyLock::new(|| table::<entity::tenant::Entity>(&[]));
    &ROOT
}

fn listed() -> Vec<Table> {
    vec![
        table::<entity::org_unit::Entity>(&["parent_id"]),
        table::<entity::user::Entity>(&["manager_id", "created_by", "company_id"]),
        table::<entity::role::Entity>(&[]),
        table::<entity::user_role::Entity>(&[]),
        table::<entity::api_key::Entity>(&[]),
        table::<entity::persisted_operation::Entity>(&[]),
        table::<entity::session::Entity>(&[]),
        table::<entity::account_token::Entity>(&[]),
        table::<entity::identity_provider::Entity>(&[]),
        table::<entity::user_identity::Entity>(&[]),
        table::<entity::sign_in_flow::Entity>(&[]),
        table::<entity::mail::Entity>(&[]),
        table::<entity::pipeline_stage::Entity>(&[]),
        table::<entity::company::Entity>(&["parent_id"]),
        table::<entity::contact::Entity>(&[]),
        table::<entity::lead::Entity>(&[]),
        table::<entity::lead_interaction::Entity>(&[]),
        table::<entity::deal::Entity>(&[]),
        table::<entity::deal_activity::Entity>(&[]),
        table::<entity::deal_stage_change::Entity>(&[]),
        table::<entity::notification::Entity>(&[]),
        table::<entity::notification_feed::Entity>(&[]),
        table::<entity::sale::Entity>(&[]),
        table::<entity::customer_goal::Entity>(&[]),
        table::<entity::event_batch::Entity>(&[]),
        table::<entity::event::Entity>(&[]),
        table::<entity::event_id::Entity>(&[]),
        table::<entity::event_failure::Entity>(&[]),
        table::<entity::quarantined_event::Entity>(&[]),
        table::<entity::event_schema::Entity>(&[]),
        table::<entity::fold_head::Entity>(&[]),
        table::<entity::job::Entity>(&[]),
        table::<entity::custom_metric::Entity>(&[]),
        table::<entity::metric_series::Entity>(&[]),
        table::<entity::analytics_dimension::Entity>(&[]),
        table::<entity::snapshot::Entity>(&[]),
        table::<entity::outbox::Entity>(&[]),
        table::<entity::epoch::Entity>(&[]),
        table::<entity::idempotency_key::Entity>(&[]),
        table::<entity::rate_budget::Entity>(&[]),
        table::<entity::sign_in_guard::Entity>(&[]),
        table::<entity::server_secret::Entity>(&[]),
        // Removed from the end: sealed entries must not be left without the head of their chain.
        table::<entity::audit_chain::Entity>(&[]),
        table::<entity::audit_seal::Entity>(&[]),
        table::<entity::audit_log::Entity>(&[]),
        table::<entity::read_log::Entity>(&[]),
    ]
}

fn table<E: EntityTrait>(loops: &'static [&'static str]) -> Table {
    let name = E::default().table_name();
    let columns = E::Column::iter().map(|column| column_of(name, column)).collect();
    Table { name, columns, loops }
}

fn column_of(table: &str, column: impl ColumnTrait) -> Column {
    let name = column.as_str();
    let holds = if SECRETS.contains(&(table, name)) {
        Holds::Secret
    } else if name.ends_with("_folded") || name == "search_text" {
        Holds::Derived
    } else {
        Holds::Data
    };
    Column { name, kind: kind_of(column.def().get_column_type()), holds }
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "SeaORM knows many types of columns; ours are these, and the rest is text"
)]
fn kind_of(kind: &ColumnType) -> NullOf {
    match kind {
        ColumnType::Uuid => NullOf::Id,
        ColumnType::Boolean => NullOf::Bool,
        ColumnType::SmallInteger | ColumnType::Integer | ColumnType::BigInteger => NullOf::Int,
        ColumnType::Date => NullOf::Date,
        ColumnType::Timestamp | ColumnType::TimestampWithTimeZone => NullOf::Instant,
        ColumnType::Json | ColumnType::JsonBinary => NullOf::Json,
        _ => NullOf::Text,
    }
}
