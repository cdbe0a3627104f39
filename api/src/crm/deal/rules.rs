//! What holds for every deal, however it is written: its state follows from its stage, and each
//! change of stage is kept.

use std::future::Future;
use std::pin::Pin;

use chrono::NaiveDate;
use entity::pipeline_stage;
use uuid::Uuid;

use super::store;
use crate::access::{Action, Resource};
use crate::ctx::Ctx;
use crate::db::{Conn, NullOf, Value};
use crate::error::{Error, Result, say};
use crate::record::change::RowChange;

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

/// What a deal is in a stage.
fn enter(change: &mut RowChange, stage: &pipeline_stage::Model, today: NaiveDate) -> Result<()> {
    let status = if stage.is_won {
        "won"
    } else if stage.is_lost {
        "lost"
    } else {
        "open"
    };
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
/// not expire with the events, and whoever waits for the outcome of a deal is told.
pub(super) fn keep_stage_change<'a>(
    ctx: &'a Ctx,
    conn: &'a Conn,
    changes: &'a mut [RowChange],
) -> Boxed<'a> {
    Box::pin(async move {
        changes.iter_mut().filter(|change| !change.imported).for_each(tell_outcome);
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

/// `deal.won`, `deal.lost` or `deal.reopened`, however the deal came to it.
fn tell_outcome(change: &mut RowChange) {
    let text = |value: Option<&Value>| match value {
        Some(Value::Text(text)) => Some(text.clone()),
        _ => None,
    };
    let now = text(change.after("status"));
    let was = text(change.old.as_ref().and_then(|old| old.get("status")));
    let past = match (was.as_deref().unwrap_or("open"), now.as_deref()) {
        (was, Some(now)) if was == now => return,
        (_, Some("won")) => "won",
        (_, Some("lost")) => "lost",
        _ => "reopened",
    };
    let stage_id = id_of(change.after("stage_id"));
    change.told.push((past, serde_json::json!({ "id": change.id, "stageId": stage_id })));
}

/// Today, by the tenant's calendar.
pub(super) fn today(ctx: &Ctx) -> NaiveDate {
    ctx.now().with_timezone(&ctx.actor.tenant.time_zone).date_naive()
}
