//! Stages of the pipeline (etapas do funil). Every tenant begins with seven.

use std::sync::LazyLock;

use entity::pipeline_stage::{Column, Entity};

use super::deal;
use crate::access::Resource;
use crate::record::declare::{Changes, Default, OnDestroy, field};
use crate::record::{Kind, Record, checks, declare};

pub fn record() -> &'static Record {
    static RECORD: LazyLock<Record> = LazyLock::new(declaration);
    &RECORD
}

fn declaration() -> Record {
    let declared = declare::<Entity>(
        "PipelineStage",
        "pipelineStage",
        "pipelineStages",
        Resource::PipelineStages,
    )
    .about("A stage of the sales pipeline (etapa do funil).")
    .stamped(Column::Id, [Column::CreatedAt, Column::UpdatedAt, Column::DeletedAt], Column::Version)
    .ordered_by("sortOrder", false)
    .changes(Changes {
        enabled: true,
        natural_keys: vec![&["slug"]],
        emits: Some(("growth", "pipeline_stage")),
        ..Changes::default()
    });
    declared
        .field(field(Column::Name, Kind::Text).filter().sort().folded().chars(100))
        .field(field(Column::Slug, Kind::Code).filter().sort().chars(100).check(checks::slug))
        .field(field(Column::Description, Kind::Text))
        .field(
            field(Column::Color, Kind::Code)
                .chars(7)
                .check(checks::color)
                .default(Default::Value("#6B7280".into())),
        )
        .field(field(Column::SortOrder, Kind::Int).filter().sort())
        .field(field(Column::IsWon, Kind::Bool).filter().default(Default::Value(false.into())))
        .field(field(Column::IsLost, Kind::Bool).filter().default(Default::Value(false.into())))
        .field(
            field(Column::Probability, Kind::Int)
                .filter()
                .sort()
                .range(0, 100)
                .default(Default::Value(0_i64.into()))
                .about("Chance of winning a deal in this stage, per cent."),
        )
        .many("deals", entity::deal::Column::StageId, deal::record::record, OnDestroy::Restrict)
}
