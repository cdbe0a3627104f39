//! What holds for every sale, however it is written: its day follows from its instant, and whoever
//! keeps numbers of its seller hears of it.

use std::future::Future;
use std::pin::Pin;

use uuid::Uuid;

use crate::ctx::Ctx;
use crate::db::{Conn, Value};
use crate::error::Result;
use crate::goals::epoch;
use crate::record::aggregate::first_instant_of;
use crate::record::change::{RowChange, Session};

type Boxed<'a> = Pin<Box<dyn Future<Output = Result<()>> + Send + 'a>>;

/// Before sales are written: the day of the sale by the tenant's calendar. An import may know the
/// day only, which then begins with its first instant.
pub(super) fn date<'a>(ctx: &'a Ctx, _conn: &'a Conn, changes: &'a mut [RowChange]) -> Boxed<'a> {
    Box::pin(async move {
        let zone = ctx.actor.tenant.time_zone;
        for change in changes {
            let knows_day = change.imported && change.gives("sold_on");
            if knows_day && change.gives("sold_at") {
                continue;
            }
            if knows_day {
                if let Some(Value::Date(day)) = change.new.get("sold_on") {
                    let first = first_instant_of(*day, zone);
                    change.new.insert("sold_at", Value::Instant(first));
                }
                continue;
            }
            if let Some(Value::Instant(at)) = change.new.get("sold_at") {
                let day = at.with_timezone(&zone).date_naive();
                change.new.insert("sold_on", Value::Date(day));
            }
        }
        Ok(())
    })
}

/// After sales are written: their sellers' numbers are out of date, those of the seller before too.
pub(super) fn raise_epochs<'a>(
    session: &'a mut Session<'_>,
    changes: &'a [RowChange],
) -> Boxed<'a> {
    Box::pin(async move {
        for seller in sellers_of(changes) {
            session.raise(epoch::of_sales(seller));
        }
        Ok(())
    })
}

/// The sellers of changed rows, before and after.
pub(in crate::goals) fn sellers_of(changes: &[RowChange]) -> Vec<Uuid> {
    let column = "seller_id";
    let both = |change: &RowChange| {
        let before = change.old.as_ref().and_then(|old| old.get(column)).cloned();
        [before, change.new.get(column).cloned()]
    };
    let ids = changes.iter().flat_map(both).filter_map(|value| match value {
        Some(Value::Id(id)) => Some(id),
        _ => None,
    });
    ids.collect()
}
