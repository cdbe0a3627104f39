//! Declaration of `metricSeries`.

use std::sync::LazyLock;

use async_graphql_value::ConstValue;
use chrono::{DateTime, Utc};
use serde_json::Value as Json;

use super::answer::{self, Material, Point};
use super::arguments as argument;
use super::ask::Ask;
use super::compare::COMPARISON;
use crate::access::Resource;
use crate::analytics::dimension::names::NAMING;
use crate::ctx::Ctx;
use crate::db::{Conn, NullOf, Value};
use crate::error::{Error, Language, Result};
use crate::record::declare::{Computation, ComputedRows, Rows, computed_field, declare_computed};
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
        let points = Points::of(ctx, ask, &material)?;
        Ok(Computation { rows: Box::new(points), summary: None, freshness: Vec::new() })
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

/// The rows of an answer, bucket by bucket.
struct Points {
    ask: Ask,
    starts: Vec<DateTime<Utc>>,
    series: Vec<Line>,
    /// Bucket and series of each row.
    places: Vec<(usize, usize)>,
}

/// A series, and what is the same in all its rows.
struct Line {
    name: String,
    unit: String,
    label: String,
    labels: Json,
    points: Vec<Point>,
}

impl Points {
    fn of(ctx: &Ctx, ask: Ask, material: &Material) -> Result<Self> {
        let mut series = Vec::new();
        for each in material.series(&ask)? {
            let wanted = ask.wanted.get(each.wanted);
            let wanted = wanted.ok_or_else(|| Error::internal("a series that nobody asked for"))?;
            let (label, labels) = answer::label(&ask, each.key.as_ref(), other(ctx));
            let (name, unit) = (wanted.name.clone(), wanted.metric.unit.clone());
            series.push(Line { name, unit, label, labels, points: each.points });
        }
        let starts = material.lines.frame.starts.clone();
        let is_shown = |bucket: usize, line: &Line| {
            let point = line.points.get(bucket);
            point.is_some_and(|point| ask.fill || point.has_events())
        };
        let mut places = Vec::with_capacity(starts.len() * series.len());
        for bucket in 0..starts.len() {
            let shown = series.iter().enumerate().filter(|(_, line)| is_shown(bucket, line));
            places.extend(shown.map(|(number, _)| (bucket, number)));
        }
        Ok(Self { ask, starts, series, places })
    }
}

impl Rows for Points {
    fn count(&self) -> usize {
        self.places.len()
    }

    fn value(&self, row: usize, field: usize) -> Option<Value> {
        let (bucket, series) = *self.places.get(row)?;
        let line = self.series.get(series)?;
        let shown = Shown {
            ask: &self.ask,
            start: *self.starts.get(bucket)?,
            line,
            point: line.points.get(bucket)?,
        };
        VALUES.get(field).map(|value| value(&shown))
    }
}

/// What a row shows.
struct Shown<'a> {
    ask: &'a Ask,
    start: DateTime<Utc>,
    line: &'a Line,
    point: &'a Point,
}

/// What each field shows, in the order of the declaration.
const VALUES: [fn(&Shown<'_>) -> Value; 12] = [
    |shown| Value::Instant(shown.start),
    |shown| Value::from(shown.line.name.as_str()),
    |shown| Value::from(shown.line.label.as_str()),
    |shown| Value::Json(shown.line.labels.clone()),
    |shown| float(shown.point.value),
    |shown| Value::Int(shown.point.events),
    |shown| Value::from(shown.line.unit.as_str()),
    |shown| Value::from(shown.ask.granularity.as_str()),
    |shown| {
        let then = shown.point.then.as_ref();
        then.map_or(Value::Null(NullOf::Instant), |then| Value::Instant(then.time))
    },
    |shown| float(shown.point.then.as_ref().and_then(|then| then.value)),
    |shown| float(shown.point.change()),
    |shown| float(shown.point.change_percent()),
];
