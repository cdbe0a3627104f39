//! `pipelineStageStats`: how many deals came to a stage, how long they stayed, how many went on.

use std::sync::LazyLock;

use async_graphql_value::ConstValue;

use super::{share, store, window};
use crate::access::Resource;
use crate::crm::pipeline_stage;
use crate::ctx::Ctx;
use crate::db::{Conn, NullOf, Value};
use crate::record::declare::{ComputedRows, computed_field, declare_computed};
use crate::record::{Kind, Record};

const SECONDS_PER_DAY: i64 = 86_400;

pub(super) fn record() -> &'static Record {
    static RECORD: LazyLock<Record> = LazyLock::new(declaration);
    &RECORD
}

fn declaration() -> Record {
    let about = |field: crate::record::declare::FieldBuilder, text| field.about(text);
    declare_computed("PipelineStageStats", "pipelineStageStats", Resource::Deals, compute)
        .about(
            "Movements between stages: of the deals that came to a stage within the window, how \
             many left it, how long that took on average, and how many went on to a later stage. \
             Every stage of the pipeline has a row.",
        )
        .arguments(&[
            ("from", "DateTime", "Deals that came to the stage from then on."),
            ("to", "DateTime", "Deals that came to the stage before then."),
        ])
        .reads(&["stageId", "stageChangedAt"])
        .field(computed_field("stage_id", Kind::Id, false))
        .field(computed_field("entered", Kind::Int, false))
        .field(computed_field("left", Kind::Int, false))
        .field(about(
            computed_field("average_days", Kind::Float, true),
            "Days from coming to leaving, of those that left.",
        ))
        .field(about(
            computed_field("advanced", Kind::Int, false),
            "Went on to a stage further along that does not lose them.",
        ))
        .field(about(
            computed_field("conversion", Kind::Float, true),
            "Share of those that came which went on, 0 to 1; null for stages that win or lose.",
        ))
        .field(computed_field("lost", Kind::Int, false))
        .one_by("stage", "stage_id", pipeline_stage::record)
}

fn compute<'a>(
    ctx: &'a Ctx,
    conn: &'a Conn,
    arguments: &'a [(String, ConstValue)],
) -> ComputedRows<'a> {
    Box::pin(async move {
        let reader = ctx.reader(Resource::Deals)?;
        ctx.reader(Resource::PipelineStages)?;
        let rows = store::stage_movements(conn, &reader, window(arguments)?).await?;
        Ok(rows.iter().map(row).collect::<Vec<_>>().into())
    })
}

#[expect(clippy::cast_precision_loss, reason = "chart values are floats by contract")]
fn row(stage: &store::StageMovements) -> Vec<Value> {
    let days =
        (stage.left > 0).then(|| stage.seconds as f64 / stage.left as f64 / SECONDS_PER_DAY as f64);
    let float = |value: Option<f64>| value.map_or(Value::Null(NullOf::Float), Value::Float);
    vec![
        Value::Id(stage.stage_id),
        Value::Int(stage.entered),
        Value::Int(stage.left),
        float(days),
        Value::Int(stage.advanced),
        float(share(stage.advanced, stage.entered).filter(|_| stage.is_open)),
        Value::Int(stage.lost),
    ]
}
