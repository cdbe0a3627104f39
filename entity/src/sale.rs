//! `sales`: what a customer bought; what came back is a line of its own with a negative amount.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "sales")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The system that keeps the orders; with `order_id` unique among the living.
    pub source: String,
    pub order_id: String,
    pub seller_id: Uuid,
    pub customer_id: Uuid,
    pub deal_id: Option<Uuid>,
    /// Hundredths of `currency`; negative for what came back.
    pub amount: i64,
    pub currency: String,
    pub sold_at: DateTimeUtc,
    /// The day of `sold_at` by the tenant's calendar.
    pub sold_on: Date,
    pub cancelled_at: Option<DateTimeUtc>,
    #[sea_orm(column_type = "Text")]
    pub notes: Option<String>,
    #[sea_orm(column_type = "JsonBinary")]
    pub metadata: Json,
    pub external_system: Option<String>,
    pub external_id: Option<String>,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
    pub deleted_at: Option<DateTimeUtc>,
    pub created_by: Option<Uuid>,
    pub version: i32,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
