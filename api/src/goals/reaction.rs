//! What follows here from changes of other rooms' records, in their transaction: a deal that is won
//! registers its sale where the tenant wants that, and a customer that is renamed or moves is new to
//! whoever keeps it for a page.

use std::collections::{BTreeMap, HashMap};
use std::future::Future;
use std::pin::Pin;

use entity::sale;
use uuid::Uuid;

use super::{epoch, goal, sale as sales};
use crate::db::{NullOf, Value};
use crate::error::Result;
use crate::identity::tenant;
use crate::record::change::{RowChange, Session, Values};

type Boxed<'a> = Pin<Box<dyn Future<Output = Result<()>> + Send + 'a>>;

/// The source of sales that came from deals; their order is the deal's id.
pub const SOURCE: &str = "deal";

/// What of a deal its sale has.
const OF_THE_DEAL: [&str; 7] =
    ["status", "value", "currency", "owned_by", "company_id", "actual_close_date", "deleted_at"];

/// What of a company the page shows.
const OF_THE_CUSTOMER: [&str; 4] = ["name", "address_city", "address_state", "deleted_at"];

/// After companies are written.
pub fn customer_changed<'a>(session: &'a mut Session<'_>, changes: &'a [RowChange]) -> Boxed<'a> {
    Box::pin(async move {
        let shows = |change: &&RowChange| {
            let known = change.old.is_some();
            known && OF_THE_CUSTOMER.iter().any(|column| change.changes(column))
        };
        let ids: Vec<Uuid> = changes.iter().filter(shows).map(|change| change.id).collect();
        if ids.is_empty() {
            return Ok(());
        }
        let permit = session.cause()?;
        for seller in goal::store::sellers_of_customers(session.conn(), &permit, ids).await? {
            session.raise(epoch::of_goals(seller));
        }
        Ok(())
    })
}

/// After deals are written. A sale that came from a deal follows it for good; new ones come only where
/// the tenant wants them now.
pub fn deal_changed<'a>(session: &'a mut Session<'_>, changes: &'a [RowChange]) -> Boxed<'a> {
    Box::pin(async move {
        let concerned: Vec<&RowChange> = changes.iter().filter(|change| concerns(change)).collect();
        if concerned.is_empty() {
            return Ok(());
        }
        let permit = session.cause()?;
        let ids = concerned.iter().map(|change| change.id).collect();
        let known = sales::store::of_deals(session.conn(), &permit, ids).await?;
        let mut known: HashMap<String, sale::Model> =
            known.into_iter().map(|sale| (sale.order_id.clone(), sale)).collect();
        let (mut fresh, mut changed) = (Vec::new(), Vec::new());
        for deal in concerned {
            let order = known.remove(&deal.id.to_string());
            match (wanted(deal), order) {
                (Some(values), None) => fresh.push(values),
                (Some(values), Some(sale)) => {
                    changed.push((sale.id, old_values(&sale), kept(values)));
                }
                (None, Some(sale)) if sale.cancelled_at.is_none() => {
                    let now = Value::Instant(session.ctx().now());
                    let cancelled = Values::from([("cancelled_at", now)]);
                    changed.push((sale.id, old_values(&sale), cancelled));
                }
                (None, _) => {}
            }
        }
        let record = sales::record::record();
        if !fresh.is_empty()
            && tenant::settings::of_tenant(session.conn(), &permit).await?.sales_from_won_deals
        {
            session.create_derived(record, fresh).await?;
        }
        session.derive(record, changed).await
    })
}

/// Whether a change of a deal can change its sale.
fn concerns(deal: &RowChange) -> bool {
    let won = Value::from("won");
    let was = deal.old.as_ref().and_then(|old| old.get("status")) == Some(&won);
    let is = deal.after("status") == Some(&won);
    (was || is) && (deal.is_removal() || OF_THE_DEAL.iter().any(|column| deal.changes(column)))
}

/// The sale of a deal that is won by a customer for an amount; none of any other.
fn wanted(deal: &RowChange) -> Option<Values> {
    let deleted = deal.after("deleted_at").is_some_and(|at| !at.is_null());
    if deal.is_removal() || deleted || deal.after("status") != Some(&Value::from("won")) {
        return None;
    }
    let value = |column: &str| deal.after(column).filter(|value| !value.is_null()).cloned();
    let (customer, amount) = (value("company_id")?, value("value")?);
    let mut sale = BTreeMap::from([
        ("source", Value::from(SOURCE)),
        ("order_id", Value::Text(deal.id.to_string())),
        ("deal_id", Value::Id(deal.id)),
        ("customer_id", customer),
        ("amount", amount),
        ("currency", value("currency")?),
        ("seller_id", value("owned_by")?),
    ]);
    // An import may tell of what was won long ago.
    if let Some(day) = value("actual_close_date").filter(|_| deal.imported) {
        sale.insert("sold_on", day);
    }
    Some(sale)
}

/// What a sale that is there takes from its deal: not the day, which stays that of the first time.
fn kept(mut values: Values) -> Values {
    values.retain(|column, _| !matches!(*column, "source" | "order_id" | "deal_id" | "sold_on"));
    values.insert("cancelled_at", Value::Null(NullOf::Instant));
    values
}

fn old_values(sale: &sale::Model) -> Values {
    let cancelled = sale.cancelled_at.map_or(Value::Null(NullOf::Instant), Value::Instant);
    Values::from([
        ("seller_id", Value::Id(sale.seller_id)),
        ("customer_id", Value::Id(sale.customer_id)),
        ("amount", Value::Int(sale.amount)),
        ("currency", Value::Text(sale.currency.clone())),
        ("cancelled_at", cancelled),
    ])
}
