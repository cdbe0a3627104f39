//! `audit_chains`: where a tenant's audit chain ends.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "audit_chains")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    /// The place of the last entry; 0 before the first.
    pub last_seq: i64,
    pub hash: Option<String>,
    /// The month that is being sealed, as `2026-03`.
    pub month: Option<String>,
    pub month_first_seq: i64,
    /// The hash of the last month that was closed.
    pub month_hash: Option<String>,
    pub updated_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
