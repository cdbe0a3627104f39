//! SQL of sales beyond the engine.

use entity::sale;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use uuid::Uuid;

use crate::access::Permit;
use crate::db::Conn;
use crate::error::Result;

/// The living sale of an order.
pub(super) async fn by_order(
    conn: &Conn,
    permit: &impl Permit,
    source: &str,
    order_id: &str,
) -> Result<Option<Uuid>> {
    let found = sale::Entity::find()
        .filter(sale::Column::TenantId.eq(permit.tenant_id()))
        .filter(sale::Column::Source.eq(source))
        .filter(sale::Column::OrderId.eq(order_id))
        .filter(sale::Column::DeletedAt.is_null())
        .one(&conn.orm(permit))
        .await?;
    Ok(found.map(|sale| sale.id))
}

/// The living sales that came from deals, by the deal.
pub(in crate::goals) async fn of_deals(
    conn: &Conn,
    permit: &impl Permit,
    deals: Vec<Uuid>,
) -> Result<Vec<sale::Model>> {
    Ok(sale::Entity::find()
        .filter(sale::Column::TenantId.eq(permit.tenant_id()))
        .filter(sale::Column::Source.eq(crate::goals::reaction::SOURCE))
        .filter(sale::Column::OrderId.is_in(deals.iter().map(Uuid::to_string)))
        .filter(sale::Column::DeletedAt.is_null())
        .all(&conn.orm(permit))
        .await?)
}
