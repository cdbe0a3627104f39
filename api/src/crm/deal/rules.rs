//! What holds for every deal, however it is written: its state follows from its stage, and each
//! change of stage is kept. An import may say either of them, or both as it likes.

use std::future::Future;
use std::pin::Pin;

use chrono::{DateTime, NaiveDate, Utc};
use entity::pipeline_stage;
use uuid::Uuid;

use super::store;
use crate::access::{Action, Resource};
use crate::ctx::Ctx;
use crate::db::{Conn, NullOf, Value};
use crate::error::{Error, Result, say};
use crate::record::aggregate::first_instant_of;
use crate::record::change::{RowChange, Session};

type Boxed<'a> = Pin<Box<dyn Future<Output = Result<()>> + Send + 'a>>;

/// Before deals are written: state, closing day and the time of the stage change follow from the
/// stage. An import's own state, day and reason stay as given.
pub(super) fn follow_stage<'a>(
    ctx: &'a Ctx,
    conn: &'a Conn,
    changes: &'a mut [RowChange],
) -> Boxed<'a> {
    Box::pin(async move {
        let moved = || |change: &&mut RowChange| change.changes("stage_id");
        for change in changes.iter_mut().filter(moved()) {
            if change.old.is_some() {
                change.new.entry("stage_changed_at").or_insert(Value::Instant(ctx.now()));
            }
        }
        infer(ctx, conn, changes).await?;
        let bound = |change: &&mut RowChange| !change.imported && moved()(change);
        let mut bound: Vec<&mut RowChange> = changes.iter_mut().filter(bound).collect();
        let mut ids: Vec<Uuid> =
            bound.iter().filter_map(|change| id_of(change.new.get("stage_id"))).collect();
        ids.sort_unstable();
        ids.dedup();
        if ids.is_empty() {
            return Ok(());
        }
        let reader = ctx.reader(Resource::PipelineStages).map_err(|error| error.at("stageId"))?;
        let stages = store::find_stages(conn, &reader, ids).await?;
        for change in &mut bound {
            let id = id_of(change.new.get("stage_id"));
            let stage = stages.iter().find(|stage| Some(stage.id) == id);
            let stage = stage.ok_or_else(|| Error::not_found("PipelineStage").at("stageId"))?;
            enter(change, stage, today(ctx))?;
        }
        Ok(())
    })
}

/// What an import left out of stage and state.
async fn infer(ctx: &Ctx, conn: &Conn, changes: &mut [RowChange]) -> Result<()> {
    let has_no_stage =
        |change: &RowChange| change.old.is_none() && id_of(change.new.get("stage_id")).is_none();
    let has_no_status = |change: &RowChange| change.changes("stage_id") && !change.gives("status");
    let lacks =
        |change: &RowChange| change.imported && (has_no_stage(change) || has_no_status(change));
    if !changes.iter().any(lacks) {
        return Ok(());
    }
    let reader = ctx.reader(Resource::PipelineStages)?;
    let stages = store::stages(conn, &reader).await?;
    for change in changes.iter_mut().filter(|change| lacks(change)) {
        if has_no_stage(change) {
            if let Some(Value::Text(status)) = change.new.get("status") {
                let stage = only_stage(&stages, status)?;
                change.new.insert("stage_id", Value::Id(stage));
            }
            continue;
        }
        let id = id_of(change.new.get("stage_id"));
        let Some(stage) = stages.iter().find(|stage| Some(stage.id) == id) else { continue };
        let status = status_in(stage);
        change.new.insert("status", status.into());
        if status == "open" && change.old.is_some() && !change.gives("actual_close_date") {
            change.new.insert("actual_close_date", Value::Null(NullOf::Date));
        }
    }
    Ok(())
}

/// The one stage whose deals are in this state.
fn only_stage(stages: &[pipeline_stage::Model], status: &str) -> Result<Uuid> {
    let fitting: Vec<Uuid> =
        stages.iter().filter(|stage| status_in(stage) == status).map(|stage| stage.id).collect();
    match fitting.as_slice() {
        [stage] => Ok(*stage),
        _ => {
            let count = fitting.len();
            Err(Error::invalid_field(
                "stageId",
                say(
                    format!("{count} stages have deals that are {status}: name the stage"),
                    format!("{count} etapas têm negócios {status}: informe a etapa"),
                ),
            ))
        }
    }
}

/// The state of a deal in a stage.
fn status_in(stage: &pipeline_stage::Model) -> &'static str {
    if stage.is_won {
        "won"
    } else if stage.is_lost {
        "lost"
    } else {
        "open"
    }
}

/// What a deal is in a stage.
fn enter(change: &mut RowChange, stage: &pipeline_stage::Model, today: NaiveDate) -> Result<()> {
    let status = status_in(stage);
    change.new.insert("status", status.into());
    let closed = status != "open";
    let given_day = matches!(change.new.get("actual_close_date"), Some(Value::Date(_)));
    if closed && !given_day {
        change.new.insert("actual_close_date", Value::Date(today));
    }
    if !closed {
        change.new.insert("actual_close_date", Value::Null(NullOf::Date));
    }
    let has_reason = matches!(
        change.after("lost_reason"),
        Some(Value::Text(reason)) if !reason.trim().is_empty()
    );
    if status == "lost" && !has_reason {
        return Err(Error::invalid_field(
            "lostReason",
            say("a lost deal needs a reason", "um negócio perdido precisa de um motivo"),
        ));
    }
    if status != "lost" {
        change.new.insert("lost_reason", Value::Null(NullOf::Text));
    }
    Ok(())
}

fn id_of(value: Option<&Value>) -> Option<Uuid> {
    match value {
        Some(Value::Id(id)) => Some(*id),
        _ => None,
    }
}

/// After deals are written: their way through the stages is kept in a table of its own, which does
/// not expire with the events.
pub(super) fn keep_stage_change<'a>(
    ctx: &'a Ctx,
    conn: &'a Conn,
    changes: &'a mut [RowChange],
) -> Boxed<'a> {
    Box::pin(async move {
        let mut moves = Vec::new();
        let mut action = Action::Create;
        for change in changes.iter().filter(|change| change.changes("stage_id")) {
            let old = change.old.as_ref();
            if old.is_some() {
                action = Action::Update;
            }
            let Some(to) = id_of(change.new.get("stage_id")) else { continue };
            let changed_at = match change.new.get("stage_changed_at") {
                Some(Value::Instant(at)) => *at,
                _ => ctx.now(),
            };
            let from = id_of(old.and_then(|old| old.get("stage_id")));
            moves.push(store::StageChange { deal_id: change.id, from, to, changed_at });
        }
        if moves.is_empty() {
            return Ok(());
        }
        let writer = ctx.writer(action, Resource::Deals)?;
        store::insert_stage_changes(ctx, conn, &writer, moves).await
    })
}

/// Whoever waits for the outcome of a deal is told, however the deal came to it: `deal.won`,
/// `deal.lost` or `deal.reopened`.
pub(super) fn tell_outcome<'a>(
    session: &'a mut Session<'_>,
    changes: &'a [RowChange],
) -> Boxed<'a> {
    Box::pin(async move {
        for change in changes.iter().filter(|change| !change.is_removal()) {
            let text = |value: Option<&'a Value>| match value {
                Some(Value::Text(text)) => text.as_str(),
                _ => "open",
            };
            let was = text(change.old.as_ref().and_then(|old| old.get("status")));
            let past = match text(change.after("status")) {
                now if now == was => continue,
                "won" => "won",
                "lost" => "lost",
                _ => "reopened",
            };
            let stage_id = id_of(change.after("stage_id"));
            let payload = serde_json::json!({ "id": change.id, "stageId": stage_id });
            let at = decided_at(session.ctx(), change);
            session.tell_at(at, (change.record, change.id), past, payload);
        }
        Ok(())
    })
}

/// When the outcome was known: now, but an import tells of what happened earlier. Its closing day
/// counts, and on that day the moment of the change of stage or of the creation, where it is known.
fn decided_at(ctx: &Ctx, change: &RowChange) -> DateTime<Utc> {
    let now = ctx.now();
    if !change.imported {
        return now;
    }
    let instant = |column: &str| match change.after(column) {
        Some(Value::Instant(at)) => Some(*at),
        _ => None,
    };
    let zone = ctx.actor.tenant.time_zone;
    let at = match change.after("actual_close_date") {
        Some(Value::Date(day)) => {
            let on_that_day = |at: &DateTime<Utc>| at.with_timezone(&zone).date_naive() == *day;
            let known = ["stage_changed_at", "created_at"].into_iter().filter_map(instant);
            known.filter(on_that_day).max().unwrap_or_else(|| first_instant_of(*day, zone))
        }
        _ if change.gives("stage_changed_at") => instant("stage_changed_at").unwrap_or(now),
        _ if change.old.is_none() => instant("created_at").unwrap_or(now),
        _ => now,
    };
    at.min(now)
}

/// Today, by the tenant's calendar.
pub(super) fn today(ctx: &Ctx) -> NaiveDate {
    ctx.now().with_timezone(&ctx.actor.tenant.time_zone).date_naive()
}
