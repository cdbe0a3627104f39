//! `customer_goals`: what a seller is to sell to a customer in a year.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "customer_goals")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub year: i32,
    pub seller_id: Uuid,
    pub customer_id: Uuid,
    /// Hundredths of `currency`.
    pub amount: i64,
    pub currency: String,
    /// `A`, `B` or `C`
    pub classification: Option<String>,
    /// What the year before brought, where no sales tell; hundredths of `currency`.
    pub last_year_sales: Option<i64>,
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
