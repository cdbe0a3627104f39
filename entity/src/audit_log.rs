//! `audit_logs`: who did what to which record.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "audit_logs")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: Uuid,
    /// UUID v7: its month is its partition.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub user_id: Option<Uuid>,
    pub api_key_id: Option<Uuid>,
    pub action: String,
    pub resource_type: String,
    pub resource_id: Option<Uuid>,
    #[sea_orm(column_type = "JsonBinary")]
    pub old_values: Option<Json>,
    #[sea_orm(column_type = "JsonBinary")]
    pub new_values: Option<Json>,
    /// Salted digests of the personal values, by side and field.
    #[sea_orm(column_type = "JsonBinary")]
    pub digests: Option<Json>,
    /// The salt and the personal values, until they are erased.
    #[sea_orm(column_type = "JsonBinary")]
    pub personal: Option<Json>,
    pub ip_address: Option<String>,
    pub user_agent: Option<String>,
    pub request_id: Option<String>,
    pub created_at: DateTimeUtc,
    /// The place in the tenant's chain; none until the entry is sealed.
    pub chain_seq: Option<i64>,
    pub chain_hash: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
