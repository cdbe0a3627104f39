//! Declaration of `metricSeries`.

use std::sync::LazyLock;

use async_graphql_value::ConstValue;

use super::answer::{self, Answered};
use super::ask::Ask;
use crate::access::Resource;
use crate::ctx::Ctx;
use crate::db::{Conn, NullOf, Value};
use crate::error::{Error, Language};
use crate::record::declare::{Computation, ComputedRows, computed_field, declare_computed};
use crate::record::kind::{EnumType, EnumValue};
use crate::record::{Kind, Record};

macro_rules! size {
    ($stored:literal $shown:literal $label_en:literal $label_pt:literal) => {
        EnumValue { stored: $stored, shown: $shown, label_en: $label_en, label_pt: $label_pt }
    };
}

pub(super) static GRANULARITY: EnumType = EnumType {
    name: "Granularity",
    about: "The size of buckets of time.",
    values: &[
        size!("realtime" "REALTIME" "Minutes of the last 48 hours" "Minutos das últimas 48 horas"),
        size!("hourly" "HOURLY" "Hours" "Horas"),
        size!("daily" "DAILY" "Days" "Dias"),
        size!("weekly" "WEEKLY" "ISO weeks" "Semanas ISO"),
        size!("monthly" "MONTHLY" "Months" "Meses"),
    ],
};

pub(in crate::analytics) fn record() -> &'static Record {
    static RECORD: LazyLock<Record> = LazyLock::new(|| {
        declare_computed("MetricPoint", "metricSeries", Resource::Analytics, compute)
            .about(
                "Metrics over time, as flat rows for charts: one for each bucket of each series. \
                 Buckets are whole, in the tenant's zone unless another is named. All rows come, or \
                 LIMIT_EXCEEDED.",
            )
            .arguments(&[
                (
                    "metrics",
                    "[String!]!",
                    "Names of `metrics`; .count, .sum, .avg and .p95 after a name read another \
                     number of it.",
                ),
                ("from", "DateTime!", ""),
                ("to", "DateTime", "Now by default; not included."),
                ("granularity", "Granularity", "DAILY by default."),
                ("timeZone", "String", "IANA name; the tenant's by default."),
                ("by", "[String!]", "Dimensions that make a series each."),
                ("only", "JSON", "Values that count, by dimension: {channel: [\"whatsapp\"]}."),
                ("fill", "Boolean", "Rows for empty buckets too; so by default."),
                ("limit", "Int", "Series of each metric; the rest comes as one, \"other\"."),
            ])
            .field(computed_field("time", Kind::Instant, false).about("When the bucket begins."))
            .field(computed_field("metric", Kind::Code, false).about("As it was asked for."))
            .field(computed_field("series", Kind::Code, false).about("Its values of `by`."))
            .field(computed_field("labels", Kind::Json, false).about("The same by dimension."))
            .field(computed_field("value", Kind::Float, true).about(
                "Null where nothing happened that a value could be made of; counts and sums are 0.",
            ))
            .field(computed_field("events", Kind::Int, false).about("How many are behind it."))
            .field(computed_field("unit", Kind::Code, false))
            .field(computed_field("granularity", Kind::Enum(&GRANULARITY), false))
    });
    &RECORD
}

fn compute<'a>(
    ctx: &'a Ctx,
    conn: &'a Conn,
    arguments: &'a [(String, ConstValue)],
) -> ComputedRows<'a> {
    Box::pin(async move {
        let ask = Ask::read(ctx, conn, arguments).await?;
        let answer = answer::answer(ctx, conn, &ask).await?;
        let mut rows = Vec::new();
        for (bucket, start) in answer.frame.starts.iter().enumerate() {
            for series in &answer.series {
                let Some((value, events)) = series.points.get(bucket) else { continue };
                if *events > 0 || ask.fill {
                    let time = Value::Instant(*start);
                    rows.push(row(ctx, &ask, series, (time, *value, *events))?);
                }
            }
        }
        Ok(Computation::from(rows))
    })
}

fn row(
    ctx: &Ctx,
    ask: &Ask,
    series: &Answered,
    (time, value, events): (Value, Option<f64>, i64),
) -> crate::error::Result<Vec<Value>> {
    let wanted = ask.wanted.get(series.wanted);
    let wanted = wanted.ok_or_else(|| Error::internal("a series that nobody asked for"))?;
    let other = match ctx.origin.language {
        Language::En => "other",
        Language::PtBr => "outros",
    };
    let (label, labels) = answer::label(ask, series.key.as_ref(), other);
    Ok(vec![
        time,
        Value::Text(wanted.name.clone()),
        Value::Text(label),
        Value::Json(labels),
        value.map_or(Value::Null(NullOf::Float), Value::Float),
        Value::Int(events),
        Value::from(wanted.metric.unit.as_str()),
        Value::from(ask.granularity.as_str()),
    ])
}
