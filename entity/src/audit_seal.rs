//! `audit_seals`: the closed months of an audit chain.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "audit_seals")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: Uuid,
    /// The month, as `2026-03`.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    pub first_seq: i64,
    pub last_seq: i64,
    pub last_hash: String,
    /// The hash of the month before.
    pub previous_hash: Option<String>,
    pub hash: String,
    pub sealed_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
