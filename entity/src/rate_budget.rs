//! `rate_budgets`: what nodes that count together have taken of a rate limit.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "rate_budgets")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: Uuid,
    /// `key:…`, `user:…` or `tenant:…`
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    /// When all points are back, in nanoseconds since 1970.
    pub owed_until_ns: i64,
    pub updated_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
