//! `sign_in_flows`: one way through an identity provider and back, known by digests only.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "sign_in_flows")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub provider_id: Uuid,
    /// SHA-256 of what the browser keeps in a cookie.
    pub browser_hash: String,
    /// Where the browser goes in the end.
    #[sea_orm(column_type = "Text")]
    pub return_to: String,
    /// Of an app: the digest of what it must show with its code.
    pub challenge: Option<String>,
    pub created_at: DateTimeUtc,
    pub expires_at: DateTimeUtc,
    /// When the browser came back.
    pub used_at: Option<DateTimeUtc>,
    /// Who it was.
    pub user_id: Option<Uuid>,
    /// SHA-256 of the code's secret, for an app.
    pub code_hash: Option<String>,
    pub redeemed_at: Option<DateTimeUtc>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
