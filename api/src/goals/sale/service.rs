//! What one does with sales beyond writing their fields.

use async_graphql_value::ConstValue;
use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{record, store};
use crate::access::{Action, Reader};
use crate::db::Value;
use crate::error::{Error, Result, say};
use crate::record::Record;
use crate::record::change::input::{self as draft, Purpose};
use crate::record::change::{Session, Values, verb};

/// What must agree for an order that is sent twice to be the same sale.
const SAME: [&str; 4] = ["seller_id", "customer_id", "amount", "currency"];

/// Registers a sale, or finds it: orders are often sent twice.
pub async fn register(session: &mut Session<'_>, given: &ConstValue) -> Result<Uuid> {
    let sale = record::record();
    let ctx = session.ctx();
    let grant = |other: &'static Record| -> Result<Reader> { ctx.reader(other.resource) };
    let mut values = draft::read(&grant, sale, given, Purpose::Upsert)?.values;
    let order_id = match values.get("order_id") {
        Some(Value::Text(order_id)) => order_id.clone(),
        _ => return Err(verb::missing("orderId")),
    };
    let Value::Text(source) = values.entry("source").or_insert_with(|| "api".into()).clone() else {
        return Err(verb::missing("source"));
    };
    values.entry("seller_id").or_insert(Value::Id(ctx.actor.user_id));
    let currency = || Value::Text(ctx.actor.tenant.currency.clone());
    values.entry("currency").or_insert_with(currency);
    let writer = ctx.writer(Action::Create, sale.resource)?;
    let conn = session.conn();
    let known = match store::by_order(conn, &writer, &source, &order_id).await? {
        Some(known) => known,
        None => match session.create_unless_taken(sale, values.clone()).await? {
            Ok(made) => return Ok(made),
            // Somebody registered it at the same time.
            Err(conflict) => {
                let theirs = store::by_order(conn, &writer, &source, &order_id).await?;
                theirs.ok_or(conflict)?
            }
        },
    };
    // One that the caller may not see is as good as another order's.
    let old = session.lock(sale, Action::Update, known, None).await.map_err(|_hidden| taken())?;
    let same = SAME.iter().all(|column| values.get(column) == old.get(column));
    if same { Ok(known) } else { Err(taken()) }
}

fn taken() -> Error {
    Error::conflict_field(
        "orderId",
        say("this order is registered with other values", "este pedido já existe com outros dados"),
    )
}

/// Takes a sale out of all numbers.
pub async fn cancel(session: &mut Session<'_>, id: Uuid, at: Option<DateTime<Utc>>) -> Result<()> {
    let sale = record::record();
    let old = session.lock(sale, Action::Update, id, None).await?;
    if matches!(old.get("cancelled_at"), Some(Value::Instant(_))) {
        return Ok(());
    }
    let at = at.unwrap_or_else(|| session.ctx().now());
    session.update(sale, id, Values::from([("cancelled_at", Value::Instant(at))]), None).await
}
