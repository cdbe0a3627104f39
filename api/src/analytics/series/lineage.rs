//! `metricLineage`: the events behind a point. They are found as they were folded, so that they are
//! those that made it and no others.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use async_graphql_value::ConstValue;
use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::answer;
use super::ask::{Ask, Reading, catalogue_for, granularity, naming, only, wanted, zone};
use super::frame::{Granularity, frame};
use super::lines::value;
use super::reach::Reach;
use crate::access::{FieldRule, Reader, Resource};
use crate::analytics::dimension::names::{Key, NAMING, Names};
use crate::analytics::log;
use crate::analytics::metric::{Aggregation, Folded};
use crate::analytics::rollup::fold::{Contribution, contributions};
use crate::analytics::rollup::{self, Behind, Stretch, folder};
use crate::clock::id_of;
use crate::ctx::Ctx;
use crate::db::{Conn, NullOf, Value};
use crate::error::{Error, Result, say};
use crate::limits;
use crate::record::declare::{Computation, ComputedRows, computed_field, declare_computed};
use crate::record::{Arguments, Kind, Record, input};

/// Fields of an event that this tells of.
const OF_EVENTS: [&str; 4] = ["occurredAt", "eventType", "dimensions", "payload"];

pub(in crate::analytics) fn record() -> &'static Record {
    static RECORD: LazyLock<Record> = LazyLock::new(|| {
        declare_computed("LineageEvent", "metricLineage", Resource::Analytics, compute)
            .about(
                "The events behind a point of metricSeries, each with what it added; of a ratio those \
                 of both of its parts, of a balance all up to the bucket's end. It needs the right to \
                 read events, too.",
            )
            .arguments(&[
                ("metric", "String!", "As metricSeries takes it."),
                ("time", "DateTime!", "The point's; any instant of the bucket will do."),
                ("granularity", "Granularity", "As the point was asked for; DAILY by default."),
                ("timeZone", "String", "As the point was asked for."),
                (
                    "labels",
                    "JSON",
                    "As the point has them: {channel: \"web\"}; null where events did not say.",
                ),
                ("only", "JSON", "As the point was asked for."),
                ("dimensionsAs", "DimensionNaming", "As the point was asked for."),
            ])
            .enums(&[&NAMING])
            .listed("occurredAt", false)
            .field(computed_field("id", Kind::Id, false).about("Names event and metric."))
            .field(computed_field("event_id", Kind::Id, false).filter())
            .field(
                computed_field("metric", Kind::Code, false)
                    .filter()
                    .sort()
                    .about("The part of a ratio that it belongs to."),
            )
            .field(computed_field("occurred_at", Kind::Instant, false).filter().sort())
            .field(computed_field("event_type", Kind::Code, false).filter().sort())
            .field(computed_field("dimensions", Kind::Json, false))
            .field(computed_field("value", Kind::Float, true).sort().about(
                "What it added: 1 where events are counted, -1 where one takes away. Null where \
                 different values are counted, and for amounts of the CRM's own records, which their \
                 payload shows to whom it may.",
            ))
            .one_by("event", "event_id", log::record::record)
    });
    &RECORD
}

fn compute<'a>(
    ctx: &'a Ctx,
    conn: &'a Conn,
    arguments: &'a [(String, ConstValue)],
) -> ComputedRows<'a> {
    Box::pin(async move {
        may_read_events(ctx)?;
        let point = Wanted::read(ctx, conn, Arguments(arguments)).await?;
        let reader = ctx.reader(Resource::Analytics)?;
        let day_zone = rollup::day_zone(conn, &reader).await?;
        let ask = &point.ask;
        let frame = frame(ask.granularity, ask.zone, ask.span, day_zone)?;
        let from = frame.starts.first().copied().filter(|_| !point.is_balance());
        let series = series(ctx, conn, (&reader, &point), frame.end).await?;
        let rows = walk(conn, &reader, (&point, &series), (from, frame.end)).await?;
        Ok(Computation::from(rows))
    })
}

/// The right to read events, and of them what is told here. Whose events follows from the numbers
/// that one may see.
fn may_read_events(ctx: &Ctx) -> Result<()> {
    let reader = ctx.reader(Resource::Events)?;
    match OF_EVENTS.iter().find(|name| reader.field(name) != FieldRule::Plain) {
        None => Ok(()),
        Some(hidden) => Err(Error::forbidden(say(
            format!("your role may not read {hidden} of events"),
            format!("seu papel não permite ler {hidden} dos eventos"),
        ))),
    }
}

/// The point that is traced.
struct Wanted {
    ask: Ask,
    key: Key,
}

impl Wanted {
    async fn read(ctx: &Ctx, conn: &Conn, given: Arguments<'_>) -> Result<Self> {
        let time = given.required("time", input::read_instant)?;
        let name = given.required("metric", input::read_text)?.to_owned();
        let catalogue = catalogue_for(ctx, conn, std::slice::from_ref(&name)).await?;
        let metric = wanted(&catalogue, &name).map_err(|error| error.at("metric"))?;
        let labels = given.read("labels", labels)?.unwrap_or_default();
        let (by, key) = labels.into_iter().unzip();
        let ask = Ask {
            wanted: vec![metric],
            span: (time, time + TimeDelta::milliseconds(1)),
            granularity: given.read("granularity", granularity)?.unwrap_or(Granularity::Daily),
            zone: given.read("timeZone", zone)?.unwrap_or(ctx.actor.tenant.time_zone),
            by,
            only: given.read("only", only)?.unwrap_or_default(),
            fill: true,
            limit: None,
            compare: None,
            naming: given.read("dimensionsAs", naming)?,
        };
        ask.check_dimensions("labels")?;
        Ok(Self { ask, key })
    }

    fn parts(&self) -> Vec<(&str, &Folded)> {
        self.ask.wanted.iter().flat_map(|wanted| wanted.metric.named_parts()).collect()
    }

    /// Whether what came before the bucket is in it too.
    fn is_balance(&self) -> bool {
        self.parts().iter().any(|(_, folded)| folded.aggregation == Aggregation::Balance)
    }
}

/// `{ channel: "web", org_unit: null }`
fn labels(value: &ConstValue) -> Result<Vec<(String, Option<String>)>> {
    let ConstValue::Object(fields) = value else {
        return Err(Error::invalid(say(
            "must be an object of dimensions and their values",
            "deve ser um objeto de dimensões e seus valores",
        )));
    };
    let label = |value: &ConstValue| {
        if matches!(value, ConstValue::Null) {
            return Ok(None);
        }
        input::read_text(value).map(|text| Some(text.to_owned()))
    };
    fields.iter().map(|(name, value)| Ok((name.to_string(), label(value)?))).collect()
}

/// The kept series that the point was read from, as far as the caller reaches.
async fn series(
    ctx: &Ctx,
    conn: &Conn,
    (reader, point): (&Reader, &Wanted),
    end: DateTime<Utc>,
) -> Result<BTreeSet<Uuid>> {
    let ask = &point.ask;
    let reach = Reach::of(ctx, conn).await?;
    for wanted in &ask.wanted {
        reach.check(&wanted.metric).map_err(|error| error.at("metric"))?;
    }
    let keys: Vec<&str> = point.parts().iter().map(|(_, folded)| folded.key.as_ref()).collect();
    let kept = rollup::series_of(conn, reader, &keys).await?.into_iter();
    let kept = kept
        .filter(|(_, _, dimensions)| reach.covers(dimensions) && answer::counts(ask, dimensions));
    let kept: Vec<(Uuid, Key)> =
        kept.map(|(id, _, dimensions)| (id, answer::key_of(ask, &dimensions))).collect();
    let names = match ask.naming {
        Some(naming) => {
            let keys: Vec<&Key> = kept.iter().map(|(_, key)| key).collect();
            let values = answer::values_of(&ask.by, &keys);
            Some(Names::of(ctx, conn, naming, &values).await?)
        }
        None => None,
    };
    let is_named = |key: &Key| match &names {
        Some(names) => names.at(key, end) == point.key,
        None => *key == point.key,
    };
    Ok(kept.into_iter().filter(|(_, key)| is_named(key)).map(|(id, _)| id).collect())
}

/// Goes through the log, some at a time, and keeps what was folded into one of the series.
async fn walk(
    conn: &Conn,
    reader: &Reader,
    (point, series): (&Wanted, &BTreeSet<Uuid>),
    (from, to): (Option<DateTime<Utc>>, DateTime<Utc>),
) -> Result<Vec<Vec<Value>>> {
    let parts = point.parts();
    let sources = parts.iter().flat_map(|(_, folded)| &folded.sources);
    let types: BTreeSet<&String> = sources.map(|source| &source.event_type).collect();
    let types = types.into_iter().cloned().collect();
    let mut log = Stretch::of(types).between(from, to);
    let feeds = folder::feeds_of(conn, reader).await?;
    let mut rows = Vec::new();
    let mut seen = 0;
    while !series.is_empty() {
        let events = log.next(conn, reader).await?;
        if events.is_empty() {
            break;
        }
        seen += events.len();
        for behind in &events {
            // What could not be folded is not among them.
            let shares = contributions(&behind.event, &feeds).unwrap_or_default();
            let shares = shares.iter().filter(|share| series.contains(&share.series_id));
            rows.extend(shares.filter_map(|share| row(behind, share, &parts)));
        }
        if rows.len() > limits::LINEAGE_EVENTS_MAX || seen > limits::LINEAGE_SCANNED_MAX {
            return Err(too_many());
        }
    }
    Ok(rows)
}

fn row(behind: &Behind, share: &Contribution, parts: &[(&str, &Folded)]) -> Option<Vec<Value>> {
    let event = &behind.event;
    let (metric, folded) = parts.iter().find(|(_, folded)| folded.key == share.series.metric)?;
    let added = added(behind, folded, share);
    Some(vec![
        Value::Id(id_of(&[event.id.as_bytes(), metric.as_bytes()])),
        Value::Id(event.id),
        Value::from(*metric),
        Value::Instant(event.occurred_at),
        Value::Text(event.event_type.clone()),
        Value::Json(event.dimensions.clone()),
        added.map_or(Value::Null(NullOf::Float), Value::Float),
    ])
}

fn added(behind: &Behind, folded: &Folded, share: &Contribution) -> Option<f64> {
    let state = Some(&share.state);
    match folded.aggregation {
        Aggregation::Count | Aggregation::Balance => value(folded, state, Reading::Usual),
        Aggregation::Distinct => None,
        Aggregation::Sum | Aggregation::Average | Aggregation::Percentile => {
            value(folded, state, Reading::Sum).filter(|_| behind.resource.is_none())
        }
        Aggregation::Minimum | Aggregation::Maximum | Aggregation::Last => {
            value(folded, state, Reading::Usual).filter(|_| behind.resource.is_none())
        }
    }
}

fn too_many() -> Error {
    let max = limits::LINEAGE_EVENTS_MAX;
    Error::limit(say(
        format!(
            "more than {max} events are behind this: ask for a smaller bucket, or with more labels"
        ),
        format!(
            "há mais de {max} eventos por trás disto: peça um intervalo menor, ou com mais rótulos"
        ),
    ))
}
