//! `rateLimit`: what a caller has left, the operation that asks included.

use std::sync::Arc;

use async_graphql::{Context, Object, Result, SimpleObject};
use chrono::TimeDelta;

use super::Caller;
use super::operation::OperationState;
use crate::identity::graphql::Instant;

#[derive(Default)]
pub(crate) struct RateLimitQuery;

#[Object]
impl RateLimitQuery {
    /// What the caller may still ask for, the cost of this operation included; of several limits
    /// the one that is reached first. Null where no limit is set.
    async fn rate_limit(&self, context: &Context<'_>) -> Result<Option<RateLimit>> {
        let state = context.data::<Arc<OperationState>>()?;
        // The cost is known when the rows are; a failure is told by the field whose it is.
        if state.read(context).await.is_err() {
            return Ok(None);
        }
        let Some(standing) = state.account.standings().tightest() else { return Ok(None) };
        let now = context.data::<Caller>()?.app().clock.now();
        let full_in = TimeDelta::from_std(standing.full_in).unwrap_or_default();
        Ok(Some(RateLimit {
            limit: number(standing.limit),
            remaining: number(standing.remaining),
            reset_at: Instant(now + full_in),
            cost: number(state.account.points()),
            policy: standing.bucket.as_str(),
        }))
    }
}

/// What a caller may still ask for. An operation costs one point, and one for every 100 rows that it
/// may return.
#[derive(SimpleObject)]
struct RateLimit {
    /// Points that there are at most.
    limit: i32,
    /// Points that are left.
    remaining: i32,
    /// When all points are there again; they come back steadily.
    reset_at: Instant,
    /// Points that this operation cost.
    cost: i32,
    /// Whose limit it is: key, user, tenant or address.
    policy: &'static str,
}

fn number(points: u64) -> i32 {
    i32::try_from(points).unwrap_or(i32::MAX)
}
