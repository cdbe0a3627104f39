//! `sessions`: one sign-in of one person; of its refresh tokens only digests are kept.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "sessions")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub user_id: Uuid,
    /// Which refresh token, counted from 1, is the good one.
    pub generation: i32,
    pub refresh_hash: String,
    /// Of the token before, for a client that asks twice.
    pub previous_hash: Option<String>,
    pub created_at: DateTimeUtc,
    /// The sign-in or the last refresh.
    pub last_used_at: DateTimeUtc,
    /// However much it is used, it ends here.
    pub expires_at: DateTimeUtc,
    pub revoked_at: Option<DateTimeUtc>,
    pub revoked_reason: Option<String>,
    pub ip_address: Option<String>,
    pub user_agent: Option<String>,
    /// The identity provider that it came through.
    pub provider_id: Option<Uuid>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
