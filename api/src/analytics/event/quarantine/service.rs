//! Trying events again that were kept apart, and letting them go.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde_json::{Value as Json, json};
use uuid::Uuid;

use super::store::{self, Filter, Kept};
use crate::access::{Action, Resource, Writer};
use crate::analytics::event::intake::{Arrivals, Judged};
use crate::analytics::event::parse::Raw;
use crate::analytics::event::schema::{self, Types};
use crate::analytics::event::{Reason, Refused, Status, decide};
use crate::audit::{self, Entry};
use crate::ctx::{Caller, Ctx};
use crate::db::Conn;
use crate::error::{Error, Result, say};
use crate::{limits, rate};

pub(super) const WAITING: &str = "waiting";
pub(super) const REPLAYED: &str = "replayed";
pub(super) const DISCARDED: &str = "discarded";

/// Which events are meant.
pub(super) enum Chosen {
    Ids(Vec<Uuid>),
    Waiting(Filter),
}

/// What became of them.
pub(super) struct Decided {
    pub(super) events: Vec<Verdict>,
    /// Those that the filter finds beside them.
    pub(super) remaining: i64,
}

pub(super) struct Verdict {
    pub(super) row: Kept,
    /// None where it was decided before.
    pub(super) status: Option<Status>,
}

/// Looks at events again, with the body `corrected` in place of what came where there is one: what is
/// good enters the log, what is still wrong goes on waiting.
///
/// # Errors
///
/// `FORBIDDEN` without the right to update all events, `LIMIT_EXCEEDED` for too many ids,
/// `NOT_FOUND` for an id that is not the tenant's, `CONFLICT` where somebody else decides one of
/// them at the same time. Nothing was done then.
pub(super) async fn replay(ctx: &Ctx, chosen: Chosen, corrected: Option<Json>) -> Result<Decided> {
    let writer = ctx.whole_writer(Action::Update, Resource::Events)?;
    check_corrected(&chosen, corrected.as_ref())?;
    let (rows, remaining) = found(ctx, &writer, chosen).await?;
    let now = ctx.now();
    let (waiting, decided): (Vec<Kept>, Vec<Kept>) =
        rows.into_iter().partition(|row| row.state == WAITING);
    let types = schema::kept::types(&ctx.app, &writer).await?;
    let judged: Vec<Judged> =
        waiting.iter().map(|row| again(row, corrected.as_ref(), now, &types)).collect();
    let arrivals = Arrivals::of(&ctx.app.clock, judged.iter());
    arrivals.make_room(&ctx.app).await?;
    let conn = ctx.transaction().await?;
    hold(&conn, &writer, &waiting).await?;
    let mut fresh = arrivals.enter(&conn, &writer, &ctx.app.clock).await?;
    let outcomes = arrivals.outcomes(&judged, &mut fresh);
    let events = arrivals.known(&conn, &writer).await?;
    let mut entries = Vec::new();
    let mut verdicts = Vec::new();
    for ((old, judged), outcome) in waiting.into_iter().zip(judged).zip(outcomes) {
        let mut row = Kept { updated_at: now.max(old.updated_at), ..old.clone() };
        match judged {
            Ok(incoming) => {
                row.event_id = events.get(&incoming.id).copied();
                REPLAYED.clone_into(&mut row.state);
            }
            Err(refused) => keep_apart(&mut row, *refused),
        }
        entries.extend(entry("quarantined_event.replay", &old, &row));
        verdicts.push(Verdict { row, status: Some(outcome.status) });
    }
    let changed: Vec<Kept> = verdicts.iter().map(|verdict| verdict.row.clone()).collect();
    store::put(&conn, &writer, &changed).await?;
    audit::append(ctx, &conn, &writer, entries).await?;
    conn.commit().await?;
    verdicts.extend(decided.into_iter().map(|row| Verdict { row, status: None }));
    Ok(Decided { events: verdicts, remaining })
}

/// Lets events go that wait. Those that were let in meanwhile stay as they are.
///
/// # Errors
///
/// As [`replay`], for the right to delete all events.
pub(super) async fn discard(ctx: &Ctx, chosen: Chosen) -> Result<Decided> {
    let writer = ctx.whole_writer(Action::Delete, Resource::Events)?;
    let (rows, remaining) = found(ctx, &writer, chosen).await?;
    let now = ctx.now();
    let (waiting, decided): (Vec<Kept>, Vec<Kept>) =
        rows.into_iter().partition(|row| row.state == WAITING);
    let conn = ctx.transaction().await?;
    hold(&conn, &writer, &waiting).await?;
    let (mut entries, mut changed) = (Vec::new(), Vec::new());
    for old in waiting {
        let updated_at = now.max(old.updated_at);
        let row = Kept { state: DISCARDED.to_owned(), updated_at, ..old.clone() };
        entries.extend(entry("quarantined_event.discard", &old, &row));
        changed.push(row);
    }
    store::put(&conn, &writer, &changed).await?;
    audit::append(ctx, &conn, &writer, entries).await?;
    conn.commit().await?;
    let events = changed.into_iter().chain(decided);
    Ok(Decided { events: events.map(|row| Verdict { row, status: None }).collect(), remaining })
}

fn check_corrected(chosen: &Chosen, corrected: Option<&Json>) -> Result<()> {
    let one = matches!(chosen, Chosen::Ids(ids) if ids.len() == 1);
    if corrected.is_some() && !one {
        return Err(Error::invalid_field(
            "body",
            say("corrects one event: give one id", "corrige um evento: informe um id"),
        ));
    }
    Ok(())
}

/// The rows that are meant, and how many more there are.
async fn found(ctx: &Ctx, writer: &Writer, chosen: Chosen) -> Result<(Vec<Kept>, i64)> {
    let most = limits::QUARANTINED_AT_ONCE_MAX;
    let conn = ctx.snapshot().await?;
    let (rows, remaining) = match chosen {
        Chosen::Ids(mut ids) => {
            ids.sort_unstable();
            ids.dedup();
            if ids.len() > most {
                return Err(too_many(ids.len()));
            }
            let rows = store::named(&conn, writer, ids.clone()).await?;
            if rows.len() < ids.len() {
                return Err(Error::not_found("quarantined event"));
            }
            (rows, 0)
        }
        Chosen::Waiting(filter) => {
            let limit = i64::try_from(most).map_err(Error::internal)?;
            let (rows, all) = store::waiting(&conn, writer, &filter, limit).await?;
            let taken = i64::try_from(rows.len()).map_err(Error::internal)?;
            (rows, all - taken)
        }
    };
    drop(conn);
    let count = u64::try_from(rows.len()).map_err(Error::internal)?;
    let charge = rate::charge(&Caller::Somebody(ctx.clone()), rate::cost_of_rows(count)).await;
    charge.refused.map_or(Ok((rows, remaining)), Err)
}

fn too_many(events: usize) -> Error {
    let max = limits::QUARANTINED_AT_ONCE_MAX;
    Error::limit(say(
        format!("{events} events at once; at most {max}"),
        format!("{events} eventos de uma vez; no máximo {max}"),
    ))
}

/// Holds the rows until the transaction ends; they must be as they were read.
async fn hold(conn: &Conn, writer: &Writer, rows: &[Kept]) -> Result<()> {
    let held = store::hold(conn, writer, rows.iter().map(|row| row.id).collect()).await?;
    let held: HashMap<Uuid, (String, DateTime<Utc>)> =
        held.into_iter().map(|row| (row.id, (row.state, row.updated_at))).collect();
    let same = |row: &Kept| {
        held.get(&row.id).is_some_and(|now| (&now.0, now.1) == (&row.state, row.updated_at))
    };
    if rows.iter().all(same) {
        return Ok(());
    }
    Err(Error::conflict(say(
        "somebody else decided one of these events meanwhile: ask again",
        "alguém decidiu um destes eventos nesse meio-tempo: peça de novo",
    )))
}

fn again(row: &Kept, corrected: Option<&Json>, now: DateTime<Utc>, types: &Types) -> Judged {
    match corrected {
        Some(body) => decide::decide(Raw::Json(body.clone()), now, types),
        // What is kept of it is not the whole event.
        None if row.reason == Reason::TooLarge.as_str() => Err(Box::new(Refused {
            id: row.source_id.clone(),
            module: row.module.clone(),
            event_type: row.event_type.clone(),
            reason: Reason::TooLarge,
            detail: row.detail.clone(),
            body: row.body.clone(),
        })),
        None => decide::decide(Raw::Json(row.body.clone()), now, types),
    }
}

fn keep_apart(row: &mut Kept, refused: Refused) {
    row.source_id = refused.id;
    row.module = refused.module;
    row.event_type = refused.event_type;
    refused.reason.as_str().clone_into(&mut row.reason);
    row.detail = refused.detail;
    row.body = refused.body;
}

/// What the trail says of a decision; nothing where nothing changed.
fn entry(action: &str, old: &Kept, new: &Kept) -> Option<Entry> {
    let image =
        |row: &Kept| json!({ "state": row.state, "reason": row.reason, "eventId": row.event_id });
    let same = image(old) == image(new) && old.body == new.body && old.detail == new.detail;
    (!same).then(|| Entry {
        action: action.to_owned(),
        resource: Resource::Events.as_str(),
        resource_id: old.id,
        old: Some(image(old)),
        new: Some(image(new)),
    })
}
