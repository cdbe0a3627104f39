//! `users`: a person or service account of a tenant. Without email and password: someone who only owns records.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "users")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// Normal form, lower case; unique among the living of a tenant.
    pub email: Option<String>,
    pub password_hash: Option<String>,
    pub full_name: String,
    #[sea_orm(column_type = "Text")]
    pub full_name_folded: String,
    pub phone: Option<String>,
    pub avatar_url: Option<String>,
    pub is_active: bool,
    pub is_verified: bool,
    pub is_service: bool,
    pub last_login_at: Option<DateTimeUtc>,
    pub manager_id: Option<Uuid>,
    pub org_unit_id: Option<Uuid>,
    /// The company of somebody from outside.
    pub company_id: Option<Uuid>,
    pub external_system: Option<String>,
    pub external_id: Option<String>,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
    pub deleted_at: Option<DateTimeUtc>,
    pub created_by: Option<Uuid>,
    pub version: i32,
    #[sea_orm(column_type = "Text")]
    pub search_text: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
