//! Letting events in.

use super::intake::{self, Judged};
use super::parse::{self, Raw};
use super::{Outcome, Status, decide, schema};
use crate::access::{Action, Resource};
use crate::ctx::{Caller, Ctx};
use crate::error::{Error, Result};
use crate::{limits, rate};

/// What became of the events of a request, in their order.
#[derive(Debug)]
pub struct Ingested {
    pub outcomes: Vec<Outcome>,
}

impl Ingested {
    pub fn count(&self, status: Status) -> usize {
        self.outcomes.iter().filter(|outcome| outcome.status == status).count()
    }
}

/// Lets events in; when it answers, what it says is committed.
///
/// # Errors
///
/// `FORBIDDEN` without the right to create events, `LIMIT_EXCEEDED` for too many at once,
/// `RATE_LIMITED` when the caller asks for too much or too many wait already. Nothing was taken then.
pub async fn ingest(ctx: &Ctx, events: Vec<Raw>) -> Result<Ingested> {
    let writer = ctx.writer(Action::Create, Resource::Events)?;
    parse::check_count(events.len())?;
    let rows = u64::try_from(events.len()).map_err(Error::internal)?;
    let charge = rate::charge(&Caller::Somebody(ctx.clone()), rate::cost_of_rows(rows)).await;
    if let Some(refused) = charge.refused {
        return Err(refused);
    }
    let now = ctx.now();
    let types = schema::kept::types(&ctx.app, &writer).await?;
    let mut judged: Vec<Judged> = Vec::with_capacity(events.len());
    for raw in events {
        judged.push(decide::decide(raw, now, &types));
        // Schemas of tenants can be as much work as they like.
        if types.has_own() && judged.len().is_multiple_of(limits::EVENTS_PER_TURN) {
            tokio::task::yield_now().await;
        }
    }
    let outcomes = intake::put(&ctx.app, writer, judged).await?;
    Ok(Ingested { outcomes })
}
