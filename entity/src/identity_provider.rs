//! `identity_providers`: a provider of OpenID Connect through which a tenant's people sign in.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "identity_providers")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// Its part of addresses; unique in the tenant.
    pub slug: String,
    pub name: String,
    pub issuer: String,
    pub client_id: String,
    /// Sealed; none for a public client.
    #[sea_orm(column_type = "Text")]
    pub client_secret: Option<String>,
    /// Array of text.
    #[sea_orm(column_type = "JsonBinary")]
    pub scopes: Json,
    /// Array of text: domains of e-mail addresses that may sign in; empty for all.
    #[sea_orm(column_type = "JsonBinary")]
    pub email_domains: Json,
    /// Whether somebody who is not there yet becomes a user.
    pub creates_users: bool,
    /// The role of users who are made so.
    pub role_id: Option<Uuid>,
    pub is_enabled: bool,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
    pub created_by: Option<Uuid>,
    pub version: i32,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
