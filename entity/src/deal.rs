//! `deals`: a piece of business on its way through the stages.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "deals")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub title: String,
    #[sea_orm(column_type = "Text")]
    pub title_folded: String,
    pub lead_id: Option<Uuid>,
    pub company_id: Option<Uuid>,
    pub contact_id: Option<Uuid>,
    pub stage_id: Uuid,
    pub status: String,
    /// Hundredths of `currency`.
    pub value: i64,
    pub currency: String,
    pub expected_close_date: Option<Date>,
    pub actual_close_date: Option<Date>,
    pub lost_reason: Option<String>,
    pub owned_by: Uuid,
    #[sea_orm(column_type = "Text")]
    pub notes: Option<String>,
    #[sea_orm(column_type = "JsonBinary")]
    pub metadata: Json,
    /// When the deal came to its present stage.
    pub stage_changed_at: DateTimeUtc,
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
