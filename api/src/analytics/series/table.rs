//! `metricTable`: one row for each key, with all metrics beside each other, over a span as one.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use async_graphql_value::ConstValue;
use serde_json::{Map, Value as Json};

use super::answer::{self, Material, Point};
use super::arguments as argument;
use super::ask::{Ask, Wanted};
use super::compare::COMPARISON;
use super::record::other;
use crate::access::Resource;
use crate::analytics::dimension::names::{Key, NAMING};
use crate::ctx::Ctx;
use crate::db::{Conn, NullOf, Value};
use crate::error::{Error, Result, say};
use crate::record::declare::{Computation, ComputedRows, computed_field, declare_computed};
use crate::record::{Arguments, Kind, Record, input};

pub(in crate::analytics) fn record() -> &'static Record {
    static RECORD: LazyLock<Record> = LazyLock::new(|| {
        declare_computed("MetricRow", "metricTable", Resource::Analytics, compute)
            .about(
                "Metrics over a span, as a table: one row for each combination of values of by. What \
                 a row says is made of the same states as a chart, so that averages, percentiles and \
                 rates are those of the whole span. All rows come, or LIMIT_EXCEEDED.",
            )
            .arguments(&[
                ("metrics", "[String!]!", "As metricSeries takes them."),
                argument::FROM,
                argument::TO,
                (
                    "granularity",
                    "Granularity",
                    "The span is widened to whole ones, as a chart's is; DAILY by default.",
                ),
                argument::TIME_ZONE,
                argument::BY,
                argument::ONLY,
                (
                    "orderBy",
                    "String",
                    "One of the metrics, or of by; the first metric by default. Nulls come last.",
                ),
                ("direction", "OrderDirection", "DESC by default for a metric, else ASC."),
                ("limit", "Int", "Rows that are shown; the rest comes as one, \"other\"."),
                ("compareTo", "Comparison", "Fills comparedValues and changePercents."),
                (
                    "dimensionsAs",
                    "DimensionNaming",
                    "Names instead of values; values of one name are one row.",
                ),
            ])
            .enums(&[&COMPARISON, &NAMING])
            .summarised(total)
            .field(computed_field("series", Kind::Code, false).about("Its values of `by`."))
            .field(computed_field("labels", Kind::Json, false).about("The same by dimension."))
            .field(computed_field("is_other", Kind::Bool, false).about("All rows beyond the limit."))
            .field(computed_field("values", Kind::Json, false).about("Numbers by metric."))
            .field(
                computed_field("events", Kind::Int, false)
                    .about("How many are behind the metric that has most."),
            )
            .field(
                computed_field("compared_values", Kind::Json, true)
                    .about("What they were in the time of compareTo."),
            )
            .field(
                computed_field("change_percents", Kind::Json, true)
                    .about("How much more now, per cent; null of 0."),
            )
    });
    &RECORD
}

/// What the table says of all rows together.
fn total() -> &'static Record {
    static RECORD: LazyLock<Record> = LazyLock::new(|| {
        declare_computed("MetricTotal", "metricTotals", Resource::Analytics, |_, _, _| {
            Box::pin(async { Ok(Computation::default()) })
        })
        .about("All rows as one: not their sum, where a metric has none.")
        .field(computed_field("from", Kind::Instant, false).about("Where the span begins."))
        .field(computed_field("to", Kind::Instant, false).about("Not included."))
        .field(computed_field("values", Kind::Json, false))
        .field(computed_field("events", Kind::Int, false))
        .field(computed_field("compared_from", Kind::Instant, true))
        .field(computed_field("compared_to", Kind::Instant, true))
        .field(computed_field("compared_values", Kind::Json, true))
        .field(computed_field("change_percents", Kind::Json, true))
    });
    &RECORD
}

fn compute<'a>(
    ctx: &'a Ctx,
    conn: &'a Conn,
    arguments: &'a [(String, ConstValue)],
) -> ComputedRows<'a> {
    Box::pin(async move {
        let given = Arguments(arguments);
        let ask = Ask::read(ctx, conn, given).await?;
        let order = Order::read(&ask, given)?;
        let material = answer::gather(ctx, conn, &ask, true).await?;
        let mut keys: BTreeSet<&Key> = BTreeSet::new();
        for wanted in &ask.wanted {
            keys.extend(material.ranked(wanted)?);
        }
        let all: Vec<&Key> = keys.into_iter().collect();
        let mut sorted = Vec::with_capacity(all.len());
        for key in &all {
            sorted.push((*key, Cells::of(&material, &ask, &[*key])?));
        }
        order.sort(&mut sorted);
        let shown = ask.limit.unwrap_or(usize::MAX).min(sorted.len());
        let rest: Vec<&Key> = sorted.split_off(shown).into_iter().map(|(key, _)| key).collect();
        let mut rows = Vec::with_capacity(sorted.len() + 1);
        for (key, cells) in sorted {
            rows.push(row(ctx, &ask, Some(key), &cells));
        }
        if !rest.is_empty() {
            rows.push(row(ctx, &ask, None, &Cells::of(&material, &ask, &rest)?));
        }
        let summary = summary(&material, &Cells::of(&material, &ask, &all)?);
        let rows = Box::new(rows);
        Ok(Computation { rows, summary: Some(summary), freshness: Vec::new() })
    })
}

/// What a row says of each metric, in the order in which they are asked for.
struct Cells(Vec<(String, Point)>);

impl Cells {
    fn of(material: &Material, ask: &Ask, keys: &[&Key]) -> Result<Self> {
        let cell = |wanted: &Wanted| {
            let point = material.points(wanted, keys)?.into_iter().next();
            let point = point.ok_or_else(|| Error::internal("a span without a bucket"))?;
            Ok((wanted.name.clone(), point))
        };
        ask.wanted.iter().map(cell).collect::<Result<Vec<_>>>().map(Self)
    }

    fn events(&self) -> i64 {
        self.0.iter().map(|(_, point)| point.events).max().unwrap_or_default()
    }

    fn value(&self, place: usize) -> Option<f64> {
        self.0.get(place)?.1.value
    }

    /// By metric, what is read of each.
    fn by_metric(&self, read: impl Fn(&Point) -> Option<f64>) -> Json {
        let cell = |(name, point): &(String, Point)| {
            (name.clone(), read(point).map_or(Json::Null, Json::from))
        };
        Json::Object(self.0.iter().map(cell).collect::<Map<_, _>>())
    }

    /// The values, the number of events, the values then and the changes since.
    fn values(&self) -> [Value; 4] {
        let compared = self.0.iter().any(|(_, point)| point.then.is_some());
        let then = |point: &Point| point.then.as_ref()?.value;
        let null = Value::Null(NullOf::Json);
        let when = |json: Json| if compared { Value::Json(json) } else { null.clone() };
        [
            Value::Json(self.by_metric(|point| point.value)),
            Value::Int(self.events()),
            when(self.by_metric(then)),
            when(self.by_metric(Point::change_percent)),
        ]
    }
}

fn row(ctx: &Ctx, ask: &Ask, key: Option<&Key>, cells: &Cells) -> Vec<Value> {
    let (label, labels) = answer::label(ask, key, other(ctx));
    let [values, events, then, changes] = cells.values();
    let is_other = Value::Bool(key.is_none());
    vec![Value::Text(label), Value::Json(labels), is_other, values, events, then, changes]
}

fn summary(material: &Material, cells: &Cells) -> Vec<Value> {
    let frame = &material.lines.frame;
    let from = frame.starts.first().copied().unwrap_or(frame.end);
    let before = material.time_before();
    let instant = |at| Value::Instant(at);
    let [values, events, then, changes] = cells.values();
    let null = || Value::Null(NullOf::Instant);
    vec![
        Value::Instant(from),
        Value::Instant(frame.end),
        values,
        events,
        before.map_or_else(null, |(from, _)| instant(from)),
        before.map_or_else(null, |(_, to)| instant(to)),
        then,
        changes,
    ]
}

/// What rows are ordered by.
struct Order {
    column: Column,
    descending: bool,
}

enum Column {
    Metric(usize),
    Dimension(usize),
}

impl Order {
    fn read(ask: &Ask, given: Arguments<'_>) -> Result<Self> {
        let name = given.read("orderBy", input::read_text)?;
        let metric = |name| ask.wanted.iter().position(|wanted| wanted.name == name);
        let dimension = |name| ask.by.iter().position(|known| known == name);
        let column = match name {
            None => Column::Metric(0),
            Some(name) => match (metric(name), dimension(name)) {
                (Some(place), _) => Column::Metric(place),
                (None, Some(place)) => Column::Dimension(place),
                (None, None) => return Err(no_column(name)),
            },
        };
        let descending = match given.get("direction").and_then(input::read_name) {
            Some(direction) => direction == "DESC",
            None => matches!(column, Column::Metric(_)),
        };
        Ok(Self { column, descending })
    }

    /// Rows come with their keys in order, which decides between equals.
    fn sort(&self, rows: &mut [(&Key, Cells)]) {
        let turned =
            |order: std::cmp::Ordering| if self.descending { order.reverse() } else { order };
        rows.sort_by(|(one_key, one), (other_key, other)| match self.column {
            Column::Metric(place) => match (one.value(place), other.value(place)) {
                (Some(one), Some(other)) => turned(one.total_cmp(&other)),
                (one, other) => other.is_some().cmp(&one.is_some()),
            },
            Column::Dimension(place) => {
                match (
                    one_key.get(place).cloned().flatten(),
                    other_key.get(place).cloned().flatten(),
                ) {
                    (Some(one), Some(other)) => turned(one.cmp(&other)),
                    (one, other) => other.is_some().cmp(&one.is_some()),
                }
            }
        });
    }
}

fn no_column(name: &str) -> Error {
    let message = say(
        format!("{name:?} is neither one of the metrics nor of by"),
        format!("{name:?} não é uma das métricas nem está em by"),
    );
    Error::invalid_field("orderBy", message)
}
