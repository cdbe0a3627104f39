//! `custom_metrics`: metrics of a tenant's own.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "custom_metrics")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub name: String,
    pub label: String,
    pub unit: String,
    pub scope: String,
    /// `count`, `sum`, …, `ratio`
    pub aggregation: String,
    /// Of which events.
    pub sources: Json,
    pub value_field: Option<String>,
    pub scale: i32,
    pub dimensions: Json,
    pub numerator: Option<String>,
    pub denominator: Option<String>,
    pub times: i32,
    /// `counting` or `ready`
    pub state: String,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
    pub deleted_at: Option<DateTimeUtc>,
    pub created_by: Option<Uuid>,
    pub version: i32,
    /// The job that counts its history.
    pub job_id: Option<Uuid>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
