//! `server_secrets`: what signs for an installation that was not given a secret, and what tenants hash with.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "server_secrets")]
pub struct Model {
    /// The nil UUID for what is no tenant's.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: Uuid,
    /// What it is for: `jwt`, `event_pii` (sealed by the vault).
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    pub value: String,
    pub created_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
