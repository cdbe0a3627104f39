//! `analytics_dimensions`: what a value of a dimension is called, from a time on.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "analytics_dimensions")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// `channel`, `org_unit`, …, as events and metrics name it.
    pub dimension: String,
    /// As events say it.
    pub value: String,
    pub label: String,
    #[sea_orm(column_type = "Text")]
    pub label_folded: String,
    #[sea_orm(column_type = "JsonBinary")]
    pub attributes: Json,
    /// Until the next one of the same value: there is no end to disagree with it.
    pub valid_from: DateTimeUtc,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
    pub deleted_at: Option<DateTimeUtc>,
    pub created_by: Option<Uuid>,
    pub version: i32,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
