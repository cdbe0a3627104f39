//! Declaration of custom metrics.

use std::sync::LazyLock;

use entity::custom_metric::{Column, Entity};

use super::rules;
use crate::access::Resource;
use crate::identity::user;
use crate::record::declare::{Changes, Default, field};
use crate::record::kind::{EnumType, EnumValue};
use crate::record::{Kind, Record, declare};

pub static AGGREGATION: EnumType = EnumType {
    name: "MetricAggregation",
    about: "How events become a number.",
    values: &[
        EnumValue::of("count", "COUNT", "Number of events", "Número de eventos"),
        EnumValue::of("sum", "SUM", "Sum", "Soma"),
        EnumValue::of("average", "AVERAGE", "Average", "Média"),
        EnumValue::of("minimum", "MINIMUM", "Smallest", "Menor"),
        EnumValue::of("maximum", "MAXIMUM", "Largest", "Maior"),
        EnumValue::of("last", "LAST", "Latest", "Último"),
        EnumValue::of("distinct", "DISTINCT", "Different values", "Valores diferentes"),
        EnumValue::of("percentile", "PERCENTILE", "Median and percentiles", "Mediana e percentis"),
        EnumValue::of("balance", "BALANCE", "What came and did not go", "Saldo"),
        EnumValue::of("ratio", "RATIO", "One metric by another", "Uma métrica por outra"),
    ],
};

pub static STATE: EnumType = EnumType {
    name: "CustomMetricState",
    about: "How far a metric's history is counted.",
    values: &[
        EnumValue::of("counting", "COUNTING", "History is being counted", "Contando o histórico"),
        EnumValue::of("ready", "READY", "Ready", "Pronta"),
    ],
};

pub fn record() -> &'static Record {
    static RECORD: LazyLock<Record> = LazyLock::new(declaration);
    &RECORD
}

fn declaration() -> Record {
    let record = declare::<Entity>(
        "CustomMetric",
        "customMetric",
        "customMetrics",
        Resource::Analytics,
    )
    .about(
        "A metric of the tenant's own (métrica própria), asked for by its name like those of \
             `metrics`. How it comes about is given once; label, unit and scope can change.",
    )
    .stamped(Column::Id, [Column::CreatedAt, Column::UpdatedAt, Column::DeletedAt], Column::Version)
    .ordered_by("name", false)
    .changes(Changes {
        enabled: true,
        natural_keys: vec![&["name"]],
        emits: Some(("core", "custom_metric")),
        before: Some(rules::check),
        follows: Some(rules::count_or_forget),
        ..Changes::default()
    })
    .field(
        field(Column::Name, Kind::Code)
            .filter()
            .sort()
            .on_create()
            .about("Small letters, digits and _: refunds_by_store."),
    )
    .field(field(Column::Label, Kind::Text).about("What charts call it."))
    .field(
        field(Column::Unit, Kind::Code)
            .chars(20)
            .default(Default::Value("1".into()))
            .about("1, s, %, pt, BRL, …"),
    )
    .field(
        field(Column::Scope, Kind::Code)
            .filter()
            .chars(50)
            .default(Default::Value("custom".into()))
            .about("What it is about; `analyticsSnapshots` asks by it."),
    );
    defined(record)
        .field(
            field(Column::State, Kind::Enum(&STATE))
                .filter()
                .read_only()
                .default(Default::Value("counting".into()))
                .about("It can be asked for when its history is counted."),
        )
        .field(
            field(Column::JobId, Kind::Id)
                .read_only()
                .about("The job that counts its history; null when that is done."),
        )
        .field(field(Column::CreatedBy, Kind::Id).filter().read_only())
        .one("creator", Column::CreatedBy, user::record::record, "")
}

/// How it comes about: given once.
fn defined(record: Record) -> Record {
    record
        .field(field(Column::Aggregation, Kind::Enum(&AGGREGATION)).filter().on_create())
        .field(field(Column::Sources, Kind::Json).on_create().default(Default::EmptyObject).about(
            "Of which events: [{eventType: \"order.refunded\", only: {field: \"kind\", is: \"full\"}}]; \
             sign: -1 where they take away from a balance. None for a ratio.",
        ))
        .field(
            field(Column::ValueField, Kind::Code)
                .on_create()
                .about("Field of the payload; counts and balances have none."),
        )
        .field(
            field(Column::Scale, Kind::Int)
                .on_create()
                .default(Default::Value(0_i64.into()))
                .about("Decimals of the value that are kept."),
        )
        .field(
            field(Column::Dimensions, Kind::Json)
                .on_create()
                .default(Default::EmptyObject)
                .about("What it can be divided by: [\"channel\", \"org_unit\"]."),
        )
        .field(field(Column::Numerator, Kind::Code).on_create().about("Of a ratio: a metric."))
        .field(field(Column::Denominator, Kind::Code).on_create().about("Of a ratio: a metric."))
        .field(
            field(Column::Times, Kind::Int)
                .on_create()
                .default(Default::Value(1_i64.into()))
                .about("What a ratio of one is: 100 for per cent."),
        )
}
