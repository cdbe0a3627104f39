//! Declaration of `metricSeries`.

use std::sync::LazyLock;

use async_graphql_value::ConstValue;
use chrono::{DateTime, Utc};

use super::answer::{self, Answered, Point};
use super::arguments as argument;
use super::ask::Ask;
use super::compare::COMPARISON;
use crate::access::Resource;
use crate::analytics::dimension::names::NAMING;
use crate::ctx::Ctx;
use crate::db::{Conn, NullOf, Value};
use crate::error::{Error, Language};
use crate::record::declare::{Computation, ComputedRows, computed_field, declare_computed};
use crate::record::kind::{EnumType, EnumValue};
use crate::record::{Arguments, Kind, Record};

pub(super) static GRANULARITY: EnumType = EnumType {
    name: "Granularity",
    about: "The size of buckets of time.",
    values: &[
        EnumValue::of(
            "realtime",
            "REALTIME",
            "Minutes of the last 48 hours",
            "Minutos das últimas 48 horas",
        ),
        EnumValue::of("hourly", "HOURLY", "Hours", "Horas"),
        EnumValue::of("daily", "DAILY", "Days", "Dias"),
        EnumValue::of("weekly", "WEEKLY", "ISO weeks", "Semanas ISO"),
        EnumValue::of("monthly", "MONTHLY", "Months", "Meses"),
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
                argument::FROM,
                argument::TO,
                argument::GRANULARITY,
                argument::TIME_ZONE,
                ("by", "[String!]", "Dimensions that make a series each."),
                argument::ONLY,
                ("fill", "Boolean", "Rows for empty buckets too; so by default."),
                ("limit", "Int", "Series of each metric; the rest comes as one, \"other\"."),
                ("compareTo", "Comparison", "Fills comparedTime, comparedValue and the changes."),
                (
                    "dimensionsAs",
                    "DimensionNaming",
                    "Names instead of values; values of one name are one series.",
                ),
            ])
            .enums(&[&COMPARISON, &NAMING])
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
            .field(
                computed_field("compared_time", Kind::Instant, true)
                    .about("When the bucket of compareTo begins; null where there is none."),
            )
            .field(computed_field("compared_value", Kind::Float, true).about("What it was then."))
            .field(computed_field("change", Kind::Float, true).about("Value less comparedValue."))
            .field(
                computed_field("change_percent", Kind::Float, true)
                    .about("The same, per cent of comparedValue; null of 0."),
            )
    });
    &RECORD
}

fn compute<'a>(
    ctx: &'a Ctx,
    conn: &'a Conn,
    arguments: &'a [(String, ConstValue)],
) -> ComputedRows<'a> {
    Box::pin(async move {
        let ask = Ask::read(ctx, conn, Arguments(arguments)).await?;
        let material = answer::gather(ctx, conn, &ask, false).await?;
        let series = material.series(&ask)?;
        let mut rows = Vec::new();
        for (bucket, start) in material.lines.frame.starts.iter().enumerate() {
            for series in &series {
                let Some(point) = series.points.get(bucket) else { continue };
                if ask.fill || point.has_events() {
                    rows.push(row(ctx, &ask, series, (*start, point))?);
                }
            }
        }
        Ok(Computation::from(rows))
    })
}

/// What stands for all series beyond the limit.
pub(super) fn other(ctx: &Ctx) -> &'static str {
    match ctx.origin.language {
        Language::En => "other",
        Language::PtBr => "outros",
    }
}

fn float(value: Option<f64>) -> Value {
    value.map_or(Value::Null(NullOf::Float), Value::Float)
}

fn row(
    ctx: &Ctx,
    ask: &Ask,
    series: &Answered,
    (start, point): (DateTime<Utc>, &Point),
) -> crate::error::Result<Vec<Value>> {
    let wanted = ask.wanted.get(series.wanted);
    let wanted = wanted.ok_or_else(|| Error::internal("a series that nobody asked for"))?;
    let (label, labels) = answer::label(ask, series.key.as_ref(), other(ctx));
    let then = point.then.as_ref();
    Ok(vec![
        Value::Instant(start),
        Value::Text(wanted.name.clone()),
        Value::Text(label),
        Value::Json(labels),
        float(point.value),
        Value::Int(point.events),
        Value::from(wanted.metric.unit.as_str()),
        Value::from(ask.granularity.as_str()),
        then.map_or(Value::Null(NullOf::Instant), |then| Value::Instant(then.time)),
        float(then.and_then(|then| then.value)),
        float(point.change()),
        float(point.change_percent()),
    ])
}
