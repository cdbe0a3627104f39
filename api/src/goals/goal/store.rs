//! SQL of goals beyond the engine.

use chrono::NaiveDate;
use entity::customer_goal;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use uuid::Uuid;

use super::record;
use crate::access::{Permit, Reader, RowRule};
use crate::db::{Conn, Value};
use crate::error::Result;
use crate::goals::sale;
use crate::record::sql::{all_of, for_tenant, row_rule};

/// Whoever has a goal with, or has sold to, one of these customers.
pub(in crate::goals) async fn sellers_of_customers(
    conn: &Conn,
    permit: &impl Permit,
    customers: Vec<Uuid>,
) -> Result<Vec<Uuid>> {
    let mut sql = for_tenant(conn.dialect(), permit.tenant_id());
    let list = sql.bind(Value::Ids(customers));
    let inside = sql.dialect.in_ids("t0.customer_id", &list);
    let tenant = sql.tenant_is("t0");
    sql.push(&format!(
        "SELECT t0.seller_id FROM customer_goals t0 WHERE {tenant} AND {inside} \
         UNION SELECT t0.seller_id FROM sales t0 WHERE {tenant} AND {inside}"
    ));
    conn.rows(permit, &sql.finish()).await?.iter().map(|row| row.required_id(0)).collect()
}

/// What a seller sold to a customer, in hundredths of a currency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sold {
    pub(super) seller: Uuid,
    pub(super) customer: Uuid,
    pub(super) currency: String,
    pub(super) amount: i64,
}

/// What was sold from a day (inclusive) to a day (exclusive), by seller, customer and currency: of
/// the reader's sales, those whose sellers `rule` reaches.
pub(super) async fn sold_between(
    conn: &Conn,
    reader: &Reader,
    rule: &RowRule,
    (from, to): (NaiveDate, NaiveDate),
) -> Result<Vec<Sold>> {
    let sales = sale::record::record();
    let mut sql = for_tenant(conn.dialect(), reader.tenant_id());
    let mut conditions = vec![
        sql.tenant_is("t0"),
        "t0.deleted_at IS NULL".to_owned(),
        "t0.cancelled_at IS NULL".to_owned(),
    ];
    conditions.push(format!("t0.sold_on >= {}", sql.bind(Value::Date(from))));
    conditions.push(format!("t0.sold_on < {}", sql.bind(Value::Date(to))));
    conditions.extend(row_rule(&mut sql, sales, "t0", reader.rows()));
    conditions.extend(row_rule(&mut sql, record::record(), "t0", rule));
    let sum = sql.dialect.sum_int("t0.amount");
    sql.push(&format!(
        "SELECT t0.seller_id, t0.customer_id, t0.currency, {sum} FROM sales t0 WHERE {} \
         GROUP BY t0.seller_id, t0.customer_id, t0.currency ORDER BY 1, 2, 3",
        all_of(&conditions)
    ));
    let rows = conn.rows(reader, &sql.finish()).await?;
    let read = |row: &crate::db::Row| {
        Ok(Sold {
            seller: row.required_id(0)?,
            customer: row.required_id(1)?,
            currency: row.text(2)?.unwrap_or_default(),
            amount: row.int(3)?.unwrap_or_default(),
        })
    };
    rows.iter().map(read).collect()
}

/// The living goals of a year, those of all sellers.
pub(super) async fn of_year(
    conn: &Conn,
    permit: &impl Permit,
    year: i32,
) -> Result<Vec<customer_goal::Model>> {
    Ok(customer_goal::Entity::find()
        .filter(customer_goal::Column::TenantId.eq(permit.tenant_id()))
        .filter(customer_goal::Column::Year.eq(year))
        .filter(customer_goal::Column::DeletedAt.is_null())
        .all(&conn.orm(permit))
        .await?)
}
