//! `quarantineReplay` and `quarantineDiscard`.

use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use serde_json::Value as Json;

use super::service::{self, Chosen, DISCARDED, Decided, REPLAYED, Verdict, WAITING};
use super::store::Filter;
use crate::analytics::event::graphql::EventResultStatus;
use crate::error::{Error, say};
use crate::identity::graphql::{Instant, in_language, read_id, somebody};

#[derive(Default)]
pub struct QuarantineMutation;

#[Object]
impl QuarantineMutation {
    /// Looks again at events that were kept apart, as at new ones: those that are good now enter the
    /// log, the others go on waiting with what is wrong with them now. Give `ids` or `filter`.
    async fn quarantine_replay(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "At most 1,000.")] ids: Option<Vec<ID>>,
        #[graphql(desc = "Of those that wait; at most 1,000, the longest untouched first.")]
        filter: Option<QuarantineFilter>,
        #[graphql(desc = "The corrected event, in place of what came; for one id.")] body: Option<
            Json,
        >,
    ) -> Result<QuarantineDecided> {
        let ctx = somebody(context)?;
        let refuse = in_language(&ctx.origin);
        let chosen = chosen(ids, filter).map_err(&refuse)?;
        let decided = service::replay(ctx, chosen, body).await.map_err(&refuse)?;
        Ok(QuarantineDecided::of(decided))
    }

    /// Lets events go that wait; they stay listed as discarded, and the same again is not kept twice.
    /// Give `ids` or `filter`.
    async fn quarantine_discard(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "At most 1,000.")] ids: Option<Vec<ID>>,
        #[graphql(desc = "Of those that wait; at most 1,000, the longest untouched first.")]
        filter: Option<QuarantineFilter>,
    ) -> Result<QuarantineDecided> {
        let ctx = somebody(context)?;
        let refuse = in_language(&ctx.origin);
        let chosen = chosen(ids, filter).map_err(&refuse)?;
        let decided = service::discard(ctx, chosen).await.map_err(&refuse)?;
        Ok(QuarantineDecided::of(decided))
    }
}

fn chosen(ids: Option<Vec<ID>>, filter: Option<QuarantineFilter>) -> crate::error::Result<Chosen> {
    match (ids, filter) {
        (Some(ids), None) if !ids.is_empty() => {
            let ids = ids.iter().map(|id| read_id(id, "ids"));
            ids.collect::<crate::error::Result<_>>().map(Chosen::Ids)
        }
        (None, Some(filter)) => Ok(Chosen::Waiting(filter.into_filter())),
        (Some(_) | None, _) => {
            Err(Error::invalid(say("give ids or a filter", "informe ids ou um filtro")))
        }
    }
}

/// Which events that wait; what is absent is any.
#[derive(InputObject)]
struct QuarantineFilter {
    reason: Option<String>,
    module: Option<String>,
    event_type: Option<String>,
    received_after: Option<Instant>,
    received_before: Option<Instant>,
}

impl QuarantineFilter {
    fn into_filter(self) -> Filter {
        Filter {
            reason: self.reason,
            module: self.module,
            event_type: self.event_type,
            received_after: self.received_after.map(|at| at.0),
            received_before: self.received_before.map(|at| at.0),
        }
    }
}

/// What became of events that were kept apart.
#[derive(SimpleObject)]
struct QuarantineDecided {
    /// How many of the results wait, were replayed, and were discarded.
    waiting: usize,
    replayed: usize,
    discarded: usize,
    /// How many more the filter finds: ask again for them.
    remaining: i64,
    results: Vec<QuarantineResult>,
}

#[derive(SimpleObject)]
struct QuarantineResult {
    id: ID,
    /// WAITING, REPLAYED or DISCARDED.
    state: String,
    /// What this replay made of it; null for a discarded event and for one that did not wait.
    status: Option<EventResultStatus>,
    /// The event that it is in the log.
    event_id: Option<ID>,
    /// Why it waits.
    reason: Option<String>,
    detail: Option<String>,
}

impl QuarantineDecided {
    fn of(decided: Decided) -> Self {
        let count = |state: &str| {
            decided.events.iter().filter(|verdict| verdict.row.state == state).count()
        };
        Self {
            waiting: count(WAITING),
            replayed: count(REPLAYED),
            discarded: count(DISCARDED),
            remaining: decided.remaining,
            results: decided.events.into_iter().map(QuarantineResult::of).collect(),
        }
    }
}

impl QuarantineResult {
    fn of(Verdict { row, status }: Verdict) -> Self {
        let waits = row.state == WAITING;
        Self {
            id: row.id.to_string().into(),
            state: row.state.to_uppercase(),
            status: status.map(EventResultStatus::of),
            event_id: row.event_id.map(|id| id.to_string().into()),
            reason: waits.then_some(row.reason),
            detail: waits.then_some(row.detail),
        }
    }
}
