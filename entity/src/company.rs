//! `companies`: a customer or prospect that is an organisation.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "companies")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub name: String,
    #[sea_orm(column_type = "Text")]
    pub name_folded: String,
    pub trade_name: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub trade_name_folded: Option<String>,
    /// Normal form: 14 characters without punctuation.
    pub cnpj: Option<String>,
    pub segment: Option<String>,
    pub size: Option<String>,
    pub website: Option<String>,
    pub linkedin_url: Option<String>,
    pub instagram_url: Option<String>,
    pub address_street: Option<String>,
    pub address_city: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub address_city_folded: Option<String>,
    pub address_state: Option<String>,
    pub address_zip: Option<String>,
    pub country: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub notes: Option<String>,
    pub source: Option<String>,
    pub employees: Option<i32>,
    /// Hundredths of `currency`.
    pub annual_revenue: Option<i64>,
    pub currency: String,
    pub founded_year: Option<i32>,
    pub parent_id: Option<Uuid>,
    pub owner_id: Option<Uuid>,
    #[sea_orm(column_type = "JsonBinary")]
    pub metadata: Json,
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
