//! `snapshotRecalc`, `snapshotRebuild`, `snapshotVerify` and `eventsRetry`.

use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};

use super::job::{Arguments, REBUILD, RECALC, VERIFY};
use super::retry::{self, Chosen, Retried};
use super::service;
use super::store::Failed;
use crate::error::{Error, say};
use crate::identity::graphql::{Instant, in_language, read_id, somebody};

#[derive(Default)]
pub struct SnapshotMutation;

async fn ask_for(
    context: &Context<'_>,
    kind: &'static str,
    asked: (Arguments, bool),
) -> Result<ID> {
    let ctx = somebody(context)?;
    let id = service::ask_for(ctx, kind, asked).await.map_err(in_language(&ctx.origin))?;
    Ok(id.to_string().into())
}

#[Object]
impl SnapshotMutation {
    /// Counts snapshots again from the log, in whole days, while events keep coming; the id of the job.
    /// Where they are what the log says nothing changes.
    #[expect(clippy::too_many_arguments, reason = "each is an argument of the field")]
    async fn snapshot_recalc(
        &self,
        context: &Context<'_>,
        from: Instant,
        #[graphql(desc = "Not included; the day in which it is counts whole.")] to: Instant,
        #[graphql(desc = "Names; all metrics where neither they nor a scope are given.")]
        metrics: Option<Vec<String>>,
        #[graphql(desc = "All metrics of a scope, as `metrics` names it: ticket, agent, …")]
        scope: Option<String>,
        #[graphql(default, desc = "Between 22:00 and 06:00 of the tenant's zone only.")]
        off_hours: bool,
    ) -> Result<ID> {
        let asked = Arguments { from: Some(from.0), to: Some(to.0), scope, metrics };
        ask_for(context, RECALC, (asked, off_hours)).await
    }

    /// Counts all snapshots again from the log; the id of the job.
    async fn snapshot_rebuild(
        &self,
        context: &Context<'_>,
        #[graphql(default, desc = "Between 22:00 and 06:00 of the tenant's zone only.")]
        off_hours: bool,
    ) -> Result<ID> {
        ask_for(context, REBUILD, (Arguments::default(), off_hours)).await
    }

    /// Compares snapshots with the log to the byte, those of whole days, or all; the id of the job, whose
    /// result says how many are wrong.
    async fn snapshot_verify(
        &self,
        context: &Context<'_>,
        from: Option<Instant>,
        #[graphql(desc = "Not included; the day in which it is counts whole.")] to: Option<Instant>,
    ) -> Result<ID> {
        let instant = |at: Option<Instant>| at.map(|at| at.0);
        let asked = Arguments { from: instant(from), to: instant(to), ..Arguments::default() };
        ask_for(context, VERIFY, (asked, false)).await
    }

    /// Folds events again that failed: those that can be now count, the others go on standing apart with
    /// their error. Give `ids` or `filter`.
    async fn events_retry(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "At most 1,000.")] ids: Option<Vec<ID>>,
        #[graphql(desc = "Of those that failed; at most 1,000, the longest untouched first.")]
        filter: Option<EventsRetryFilter>,
    ) -> Result<EventsRetried> {
        let ctx = somebody(context)?;
        let refuse = in_language(&ctx.origin);
        let chosen = chosen(ids, filter).map_err(&refuse)?;
        let retried = retry::retry(ctx, chosen).await.map_err(&refuse)?;
        Ok(EventsRetried::of(retried))
    }
}

fn chosen(ids: Option<Vec<ID>>, filter: Option<EventsRetryFilter>) -> crate::error::Result<Chosen> {
    match (ids, filter) {
        (Some(ids), None) if !ids.is_empty() => {
            let ids = ids.iter().map(|id| read_id(id, "ids"));
            ids.collect::<crate::error::Result<_>>().map(Chosen::Ids)
        }
        (None, Some(filter)) => Ok(Chosen::Failed(Failed {
            event_type: filter.event_type,
            occurred_after: filter.occurred_after.map(|at| at.0),
            occurred_before: filter.occurred_before.map(|at| at.0),
        })),
        (Some(_) | None, _) => {
            Err(Error::invalid(say("give ids or a filter", "informe ids ou um filtro")))
        }
    }
}

/// Which events that failed; what is absent is any.
#[derive(InputObject)]
struct EventsRetryFilter {
    event_type: Option<String>,
    occurred_after: Option<Instant>,
    occurred_before: Option<Instant>,
}

/// What became of events that failed.
#[derive(SimpleObject)]
struct EventsRetried {
    processed: usize,
    failed: usize,
    /// How many more the filter finds: ask again for them.
    remaining: i64,
    results: Vec<EventRetried>,
}

#[derive(SimpleObject)]
struct EventRetried {
    id: ID,
    /// processed or failed.
    status: String,
    /// Why it failed again.
    error: Option<String>,
}

impl EventsRetried {
    fn of(retried: Retried) -> Self {
        let failed = retried.events.iter().filter(|(_, error)| error.is_some()).count();
        let result = |(id, error): (_, Option<String>)| EventRetried {
            id: uuid::Uuid::to_string(&id).into(),
            status: if error.is_some() { "failed" } else { "processed" }.to_owned(),
            error,
        };
        Self {
            processed: retried.events.len() - failed,
            failed,
            remaining: retried.remaining,
            results: retried.events.into_iter().map(result).collect(),
        }
    }
}
