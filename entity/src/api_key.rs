//! `api_keys`: a long-lived credential of a service account; of its secrets only digests are kept.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "api_keys")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub user_id: Uuid,
    pub role_id: Uuid,
    pub name: String,
    /// The part of the key that is shown.
    pub prefix: String,
    pub secret_hash: String,
    /// Valid until `previous_expires_at`, so that a key can be rotated.
    pub previous_secret_hash: Option<String>,
    pub previous_expires_at: Option<DateTimeUtc>,
    /// Array of text.
    #[sea_orm(column_type = "JsonBinary")]
    pub scopes: Json,
    /// Array of text: fields that may be read; empty for all of the role's.
    #[sea_orm(column_type = "JsonBinary")]
    pub fields: Json,
    /// Array of text, CIDR: where the key may be used from; empty for everywhere.
    #[sea_orm(column_type = "JsonBinary")]
    pub allowed_addresses: Json,
    pub expires_at: Option<DateTimeUtc>,
    pub revoked_at: Option<DateTimeUtc>,
    pub last_used_at: Option<DateTimeUtc>,
    /// Runs registered operations only.
    pub persisted_only: bool,
    /// An answer with errors has the status of an error.
    pub errors_as_status: bool,
    /// How many of the notices that it ends soon were written.
    pub expiry_notices: i32,
    pub created_by: Option<Uuid>,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
