//! What holds for every deal, however it is written: its state follows from its stage, and each
//! change of stage is kept.

use std::future::Future;
use std::pin::Pin;

use chrono::NaiveDate;

use super::store;
use crate::access::Action;
use crate::ctx::Ctx;
use crate::db::{Conn, NullOf, Value};
use crate::error::{Error, Result, say};
use crate::record::change::RowChange;

type Boxed<'a> = Pin<Box<dyn Future<Output = Result<()>> + Send + 'a>>;

/// Before a deal is written: state, closing day and the time of the stage change follow from the
/// stage. An import's own state, day and reason stay as given.
pub(super) fn follow_stage<'a>(ctx: &'a Ctx, conn: &'a Conn, change: &'a mut RowChange) -> Boxed<'a> {
    Box::pin(async move {
        if !change.changes("stage_id") {
            return Ok(());
        }
        if change.old.is_some() {
            change.new.entry("stage_changed_at").or_insert(Value::Instant(ctx.now()));
        }
        if change.imported {
            return Ok(());
        }
        let Some(Value::Id(stage_id)) = change.new.get("stage_id") else { return Ok(()) };
        let reader = ctx.reader(crate::access::Resource::PipelineStages)?;
        let stage = store::find_stage(conn, &reader, *stage_id).await?;
        let stage = stage.ok_or_else(|| Error::not_found("PipelineStage"))?;
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
            change.new.insert("actual_close_date", Value::Date(today(ctx)));
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
    })
}

/// After a deal is written: its way through the stages is kept in a table of its own, which does not
/// expire with the events.
pub(super) fn keep_stage_change<'a>(
    ctx: &'a Ctx,
    conn: &'a Conn,
    change: &'a mut RowChange,
) -> Boxed<'a> {
    Box::pin(async move {
        if !change.changes("stage_id") {
            return Ok(());
        }
        let old = change.old.as_ref();
        let action = if old.is_some() { Action::Update } else { Action::Create };
        let writer = ctx.writer(action, change.record.resource)?;
        let id_of = |value: Option<&Value>| match value {
            Some(Value::Id(id)) => Some(*id),
            _ => None,
        };
        let from = id_of(old.and_then(|old| old.get("stage_id")));
        let Some(to) = id_of(change.new.get("stage_id")) else { return Ok(()) };
        let changed_at = match change.new.get("stage_changed_at") {
            Some(Value::Instant(at)) => *at,
            _ => ctx.now(),
        };
        let moved = store::StageChange { deal_id: change.id, from, to, changed_at };
        store::insert_stage_change(ctx, conn, &writer, moved).await
    })
}

/// Today, by the tenant's calendar.
pub(super) fn today(ctx: &Ctx) -> NaiveDate {
    ctx.now().with_timezone(&ctx.actor.tenant.time_zone).date_naive()
}
