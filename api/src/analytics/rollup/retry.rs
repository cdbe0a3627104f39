//! Events that could not be folded, tried again (reprocessamento).
//!
//! An event is folded, and no longer one that failed, in one transaction: it counts once.

use std::collections::HashMap;

use serde_json::json;
use uuid::Uuid;

use super::fold::Cut;
use super::folder::{MINUTES_KEPT, feeds_of, fold_by_halves};
use super::store::{self, Failed};
use crate::access::{Action, Resource, Writer};
use crate::audit::{self, Entry};
use crate::ctx::{Caller, Ctx};
use crate::error::{Error, Result, say};
use crate::{limits, rate};

/// Which events are meant.
pub(super) enum Chosen {
    Ids(Vec<Uuid>),
    Failed(Failed),
}

/// What became of them.
pub(super) struct Retried {
    /// Each with its error, where it failed again.
    pub(super) events: Vec<(Uuid, Option<String>)>,
    /// Those that the filter finds beside them.
    pub(super) remaining: i64,
}

/// Folds events again that failed.
///
/// # Errors
///
/// `FORBIDDEN` without the right to update all events, `LIMIT_EXCEEDED` for too many ids, `NOT_FOUND`
/// for an id that is no failed event of the tenant's. Nothing was done then.
pub(super) async fn retry(ctx: &Ctx, chosen: Chosen) -> Result<Retried> {
    let writer = ctx.whole_writer(Action::Update, Resource::Events)?;
    let (ids, remaining) = found(ctx, &writer, chosen).await?;
    let conn = ctx.transaction().await?;
    // Nobody else folds, or tries one of them, until this is done.
    let Some(head) = store::hold_head(&conn, &writer).await? else {
        return Ok(Retried { events: Vec::new(), remaining });
    };
    // Somebody may have tried them meanwhile.
    let ids = store::failed_of(&conn, &writer, ids).await?;
    let now = ctx.now();
    let events = store::events_named(&conn, &writer, ids).await?;
    let feeds = feeds_of(&conn, &writer).await?;
    let cut = Cut { zone: head.zone, minutes_from: now - MINUTES_KEPT };
    let (_, failed) = fold_by_halves(&conn, &writer, (&events, &feeds, cut), now).await?;
    store::put_failures(&conn, &writer, &failed, now).await?;
    let mut failed: HashMap<Uuid, String> = failed.into_iter().collect();
    let events: Vec<(Uuid, Option<String>)> =
        events.iter().map(|event| (event.id, failed.remove(&event.id))).collect();
    let folded = events.iter().filter(|(_, error)| error.is_none()).map(|(id, _)| *id);
    let folded: Vec<Uuid> = folded.collect();
    store::forgive(&conn, &writer, folded.clone()).await?;
    store::note_change(&conn, &writer, 0, now).await?;
    let entries = folded.into_iter().map(|id| Entry {
        action: "event.retry".to_owned(),
        resource: Resource::Events.as_str(),
        resource_id: id,
        old: Some(json!({ "status": "failed" })),
        new: Some(json!({ "status": "processed" })),
    });
    audit::append(ctx, &conn, &writer, entries.collect()).await?;
    conn.commit().await?;
    Ok(Retried { events, remaining })
}

/// The events that are meant, and how many more there are.
async fn found(ctx: &Ctx, writer: &Writer, chosen: Chosen) -> Result<(Vec<Uuid>, i64)> {
    let most = limits::RETRIED_AT_ONCE_MAX;
    let conn = ctx.snapshot().await?;
    let (ids, remaining) = match chosen {
        Chosen::Ids(mut ids) => {
            ids.sort_unstable();
            ids.dedup();
            if ids.len() > most {
                return Err(too_many(ids.len()));
            }
            let failed = store::failed_of(&conn, writer, ids.clone()).await?;
            if failed.len() < ids.len() {
                return Err(Error::not_found("failed event"));
            }
            (failed, 0)
        }
        Chosen::Failed(filter) => {
            let limit = i64::try_from(most).map_err(Error::internal)?;
            let (ids, all) = store::failed_like(&conn, writer, &filter, limit).await?;
            let taken = i64::try_from(ids.len()).map_err(Error::internal)?;
            (ids, all - taken)
        }
    };
    drop(conn);
    let count = u64::try_from(ids.len()).map_err(Error::internal)?;
    let charge = rate::charge(&Caller::Somebody(ctx.clone()), rate::cost_of_rows(count)).await;
    charge.refused.map_or(Ok((ids, remaining)), Err)
}

fn too_many(events: usize) -> Error {
    let max = limits::RETRIED_AT_ONCE_MAX;
    Error::limit(say(
        format!("{events} events are more than the {max} of one request"),
        format!("{events} eventos passam dos {max} de uma requisição"),
    ))
}
