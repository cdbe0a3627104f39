//! `pipelineSummary`: open deals by stage and currency, with count, sum and the sum weighted by the
//! stage's probability.

use std::sync::LazyLock;

use async_graphql_value::ConstValue;
use entity::value::Money;

use super::{argument, store};
use crate::access::Resource;
use crate::crm::{deal, pipeline_stage};
use crate::ctx::Ctx;
use crate::db::{Conn, Value};
use crate::record::declare::{ComputedRows, computed_field, declare_computed};
use crate::record::plan::Planner;
use crate::record::{Kind, Record};

pub(super) fn record() -> &'static Record {
    static RECORD: LazyLock<Record> = LazyLock::new(declaration);
    &RECORD
}

fn declaration() -> Record {
    let money = Kind::Money { currency: "currency" };
    declare_computed("PipelineSummary", "pipelineSummary", Resource::Deals, compute)
        .about(
            "Open deals by stage and currency. Every open stage has a row, also without deals; \
             amounts of different currencies are never added.",
        )
        .arguments(&[("filter", "DealFilter", "Only these of the open deals.")])
        .reads(&["stageId", "status", "currency", "value"])
        .field(computed_field("stage_id", Kind::Id, false))
        .field(computed_field("currency", Kind::Code, false))
        .field(computed_field("count", Kind::Int, false))
        .field(computed_field("value", money, false))
        .field(computed_field("value_as_float", Kind::Float, false))
        .field(computed_field("weighted_value", money, false))
        .field(computed_field("weighted_value_as_float", Kind::Float, false))
        .one_by("stage", "stage_id", pipeline_stage::record)
}

fn compute<'a>(
    ctx: &'a Ctx,
    conn: &'a Conn,
    arguments: &'a [(String, ConstValue)],
) -> ComputedRows<'a> {
    Box::pin(async move {
        let deals = deal::record::record();
        let reader = ctx.reader(Resource::Deals)?;
        let stages = ctx.reader(Resource::PipelineStages)?;
        let condition = Planner::new(ctx).condition(deals, argument(arguments, "filter"))?;
        let mut sums = store::open_by_stage(conn, &reader, condition.as_ref()).await?;
        let mut rows = Vec::new();
        for stage_id in store::open_stages(conn, &stages).await? {
            let (mut own, others): (Vec<_>, Vec<_>) =
                sums.into_iter().partition(|sum| sum.stage_id == stage_id);
            sums = others;
            if own.is_empty() {
                own.push(store::StageSum {
                    stage_id,
                    currency: ctx.actor.tenant.currency.clone(),
                    count: 0,
                    value: 0,
                    weighted_value: 0,
                });
            }
            rows.extend(own.into_iter().map(row));
        }
        // Open deals in stages that are deleted, or that should have closed them (imports).
        rows.extend(sums.into_iter().map(row));
        Ok(rows.into())
    })
}

fn row(sum: store::StageSum) -> Vec<Value> {
    vec![
        Value::Id(sum.stage_id),
        Value::Text(sum.currency),
        Value::Int(sum.count),
        Value::Int(sum.value),
        Value::Float(Money::from_hundredths(sum.value).as_float()),
        Value::Int(sum.weighted_value),
        Value::Float(Money::from_hundredths(sum.weighted_value).as_float()),
    ]
}
