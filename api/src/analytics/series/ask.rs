//! What is asked of metrics.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_graphql_value::ConstValue;
use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use super::compare::{COMPARISON, Comparison};
use super::frame::Granularity;
use super::record::GRANULARITY;
use crate::access::Resource;
use crate::analytics::dimension::names::{NAMING, Naming};
use crate::analytics::metric::{Aggregation, Catalogue, Metric, catalogue, custom};
use crate::ctx::Ctx;
use crate::db::Conn;
use crate::error::{Error, Result, say};
use crate::limits;
use crate::record::{Arguments, input};

/// One number that is asked for: `handle_time`, or `handle_time.p95`.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    /// As it was asked for.
    pub(super) name: String,
    pub(super) metric: Arc<Metric>,
    pub(super) reading: Reading,
}

/// What is read from a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reading {
    /// What the metric is declared as.
    Usual,
    Count,
    Sum,
    Average,
    /// In thousandths.
    Quantile(u16),
}

pub(super) struct Ask {
    pub(super) wanted: Vec<Wanted>,
    pub(super) span: (DateTime<Utc>, DateTime<Utc>),
    pub(super) granularity: Granularity,
    pub(super) zone: Tz,
    /// Dimensions that make a series each.
    pub(super) by: Vec<String>,
    /// Dimensions, and the values that count.
    pub(super) only: BTreeMap<String, BTreeSet<String>>,
    pub(super) fill: bool,
    /// Series of each metric; what is beyond them is "other".
    pub(super) limit: Option<usize>,
    /// What each bucket is compared with.
    pub(super) compare: Option<Comparison>,
    /// Which names are shown instead of values.
    pub(super) naming: Option<Naming>,
}

pub(super) fn texts(value: &ConstValue) -> Result<Vec<String>> {
    input::read_list(value).iter().map(|each| input::read_text(each).map(str::to_owned)).collect()
}

impl Ask {
    pub(super) async fn read(ctx: &Ctx, conn: &Conn, given: Arguments<'_>) -> Result<Self> {
        let names = given.read("metrics", texts)?.unwrap_or_default();
        let max = limits::SERIES_METRICS_MAX;
        if names.is_empty() || names.len() > max {
            let message =
                say(format!("name 1 to {max} metrics"), format!("peça de 1 a {max} métricas"));
            return Err(Error::invalid_field("metrics", message));
        }
        let catalogue = catalogue_for(ctx, conn, &names).await?;
        let wanted = names.iter().map(|name| wanted(&catalogue, name)).collect::<Result<Vec<_>>>();
        let ask = Self {
            wanted: wanted.map_err(|error| error.at("metrics"))?,
            span: span(ctx, given)?,
            granularity: given.read("granularity", granularity)?.unwrap_or(Granularity::Daily),
            zone: given.read("timeZone", zone)?.unwrap_or(ctx.actor.tenant.time_zone),
            by: given.read("by", texts)?.unwrap_or_default(),
            only: given.read("only", only)?.unwrap_or_default(),
            fill: given.read("fill", input::read_bool)?.unwrap_or(true),
            limit: given.read("limit", limit)?,
            compare: given.read("compareTo", comparison)?,
            naming: given.read("dimensionsAs", naming)?,
        };
        ask.check_dimensions("by")?;
        Ok(ask)
    }

    /// Every dimension that is asked for divides every metric that is asked for.
    pub(super) fn check_dimensions(&self, by: &'static str) -> Result<()> {
        let named = self.by.iter().map(|name| (by, name));
        let named: Vec<_> = named.chain(self.only.keys().map(|name| ("only", name))).collect();
        for wanted in &self.wanted {
            let known = wanted.metric.dimensions();
            for (argument, name) in &named {
                if !known.contains(&name.as_str()) {
                    let (metric, list) = (&wanted.metric.name, known.join(", "));
                    return Err(Error::invalid_field(
                        *argument,
                        say(
                            format!("{metric} is not divided by {name:?}; it is by: {list}"),
                            format!("{metric} não se divide por {name:?}; divide-se por: {list}"),
                        ),
                    ));
                }
            }
        }
        Ok(())
    }
}

/// The catalogue that has these metrics: a tenant's own are looked up only where one is asked for.
pub(super) async fn catalogue_for(ctx: &Ctx, conn: &Conn, names: &[String]) -> Result<Catalogue> {
    if names.iter().all(|name| catalogue::is_common(parted(name).0)) {
        return Ok(Catalogue::default());
    }
    custom::catalogue_of(conn, &ctx.reader(Resource::Analytics)?).await
}

/// `handle_time.p95`: the metric, and what is read of it.
fn parted(name: &str) -> (&str, &str) {
    name.split_once('.').unwrap_or((name, ""))
}

pub(super) fn wanted(catalogue: &Catalogue, name: &str) -> Result<Wanted> {
    let (metric, reading) = parted(name);
    if catalogue.is_counting(metric) {
        return Err(Error::conflict(say(
            format!("the history of {metric} is being counted: ask again later"),
            format!("o histórico de {metric} está sendo contado: peça de novo mais tarde"),
        )));
    }
    let Some(metric) = catalogue.find(metric) else {
        return Err(Error::NotFound {
            message: say(
                format!("there is no metric {metric:?}: `metrics` lists them"),
                format!("não há métrica {metric:?}: `metrics` mostra quais há"),
            ),
            field: Some("metrics".into()),
        });
    };
    let aggregation = metric.folded().map(|folded| folded.aggregation);
    let has_sum = matches!(
        aggregation,
        Some(Aggregation::Sum | Aggregation::Average | Aggregation::Percentile)
    );
    let reading = match reading {
        "" => Some(Reading::Usual),
        "count" if aggregation.is_some_and(|kind| kind != Aggregation::Balance) => {
            Some(Reading::Count)
        }
        "sum" if has_sum => Some(Reading::Sum),
        "avg" if has_sum => Some(Reading::Average),
        quantile if aggregation == Some(Aggregation::Percentile) => {
            quantile.strip_prefix('p').and_then(per_mille).map(Reading::Quantile)
        }
        _ => None,
    };
    let reading = reading.ok_or_else(|| {
        Error::invalid(say(
            format!("{name:?} cannot be read: .count, .sum, .avg or .p1 to .p99.9, where the metric has them"),
            format!("{name:?} não pode ser lido: .count, .sum, .avg ou .p1 a .p99.9, onde a métrica os tem"),
        ))
    })?;
    Ok(Wanted { name: name.to_owned(), metric: Arc::clone(metric), reading })
}

/// `95` or `99.9` as thousandths.
fn per_mille(text: &str) -> Option<u16> {
    let (whole, tenth) = text.split_once('.').unwrap_or((text, "0"));
    let (whole, tenth): (u16, u16) = (whole.parse().ok()?, tenth.parse().ok()?);
    (whole <= 100 && tenth <= 9)
        .then_some(whole * 10 + tenth)
        .filter(|rank| (1..=1000).contains(rank))
}

fn span(ctx: &Ctx, given: Arguments<'_>) -> Result<(DateTime<Utc>, DateTime<Utc>)> {
    let from = given.read("from", input::read_instant)?;
    let from =
        from.ok_or_else(|| Error::invalid_field("from", say("from is missing", "falta from")))?;
    Ok((from, given.read("to", input::read_instant)?.unwrap_or_else(|| ctx.now())))
}

fn comparison(value: &ConstValue) -> Result<Comparison> {
    let stored = input::read_enum(&COMPARISON, value)?;
    Comparison::parse(stored).ok_or_else(|| Error::internal("a comparison that is none"))
}

pub(super) fn naming(value: &ConstValue) -> Result<Naming> {
    Ok(if input::read_enum(&NAMING, value)? == "was" { Naming::Was } else { Naming::Is })
}

pub(super) fn granularity(value: &ConstValue) -> Result<Granularity> {
    let stored = input::read_enum(&GRANULARITY, value)?;
    let known = Granularity::ALL.into_iter().find(|each| each.as_str() == stored);
    known.ok_or_else(|| Error::internal("a granularity that is none"))
}

pub(super) fn zone(value: &ConstValue) -> Result<Tz> {
    let text = input::read_text(value)?;
    text.parse().map_err(|_unknown| {
        Error::invalid(say(
            format!("{text:?} is no time zone (IANA name, as America/Sao_Paulo)"),
            format!("{text:?} não é um fuso (nome IANA, como America/Sao_Paulo)"),
        ))
    })
}

fn limit(value: &ConstValue) -> Result<usize> {
    let max = limits::SERIES_MAX;
    let limit =
        usize::try_from(input::read_int(value)?).ok().filter(|limit| (1..=max).contains(limit));
    limit.ok_or_else(|| {
        Error::invalid(say(format!("must be 1 to {max}"), format!("deve ser de 1 a {max}")))
    })
}

/// `{ channel: ["whatsapp"], org_unit: "support" }`
pub(super) fn only(value: &ConstValue) -> Result<BTreeMap<String, BTreeSet<String>>> {
    let ConstValue::Object(fields) = value else {
        return Err(Error::invalid(say(
            "must be an object of dimensions and their values",
            "deve ser um objeto de dimensões e seus valores",
        )));
    };
    let pairs = fields.iter().map(|(name, values)| {
        Ok((name.to_string(), texts(values)?.into_iter().collect::<BTreeSet<String>>()))
    });
    pairs.collect()
}
