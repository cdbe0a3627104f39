//! `notifications`: one thing that somebody is told.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "notifications")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// Who is told.
    pub user_id: Uuid,
    /// Counts a user's notifications without a gap, in the order in which they became visible.
    pub number: i64,
    /// `deal_won`, …
    pub kind: String,
    /// Who caused it; null where nobody knows.
    pub actor_id: Option<Uuid>,
    /// What it is about, as permissions name it: `deals`.
    pub resource: Option<String>,
    pub record_id: Option<Uuid>,
    /// How many things it tells of at once.
    pub item_count: i32,
    pub read_at: Option<DateTimeUtc>,
    pub created_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
