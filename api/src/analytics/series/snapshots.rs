//! `analyticsSnapshots`: all metrics of a scope together, one row for each bucket and each set of
//! dimension values.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use async_graphql_value::ConstValue;
use chrono::{DateTime, Utc};
use serde_json::{Map, Value as Json};

use super::answer;
use super::arguments as argument;
use super::ask::{Ask, texts};
use super::record::GRANULARITY;
use crate::access::Resource;
use crate::analytics::metric::{Catalogue, custom};
use crate::clock::id_of;
use crate::ctx::Ctx;
use crate::db::{Conn, Value};
use crate::error::{Error, Result, say};
use crate::record::declare::{Computation, ComputedRows, computed_field, declare_computed};
use crate::record::{Arguments, Kind, Record, input};

pub(in crate::analytics) fn record() -> &'static Record {
    static RECORD: LazyLock<Record> = LazyLock::new(|| {
        declare_computed("AnalyticsSnapshot", "analyticsSnapshots", Resource::Analytics, compute)
            .about("What a scope came to (instantâneos): its metrics together, bucket by bucket.")
            .arguments(&[
                ("scope", "String!", "As `metrics` names it: ticket, conversation, agent, …"),
                argument::FROM,
                argument::TO,
                argument::GRANULARITY,
                argument::TIME_ZONE,
                argument::BY,
                argument::ONLY,
            ])
            .listed("periodStartAt", true)
            .field(computed_field("id", Kind::Id, false).about("Names scope, bucket and values."))
            .field(computed_field("scope", Kind::Code, false))
            .field(computed_field("granularity", Kind::Enum(&GRANULARITY), false))
            .field(computed_field("period_start_at", Kind::Instant, false).filter().sort())
            .field(computed_field("period_end_at", Kind::Instant, false).about("Not included."))
            .field(computed_field("dimension_keys", Kind::Json, false))
            .field(computed_field("metrics", Kind::Json, false).about("Values by metric."))
            .field(
                computed_field("events", Kind::Int, false)
                    .filter()
                    .sort()
                    .about("How many are behind the metric that has most."),
            )
    });
    &RECORD
}

/// A row under way: values by metric, and the events behind the one that has most.
type Part = (Map<String, Json>, i64);

fn compute<'a>(
    ctx: &'a Ctx,
    conn: &'a Conn,
    arguments: &'a [(String, ConstValue)],
) -> ComputedRows<'a> {
    Box::pin(async move {
        let given = Arguments(arguments);
        let scope = given.required("scope", input::read_text)?;
        let catalogue = custom::catalogue_of(conn, &ctx.reader(Resource::Analytics)?).await?;
        let metrics = metrics_of(&catalogue, scope, &given.read("by", texts)?.unwrap_or_default())?;
        let mut asked = arguments.to_vec();
        asked.push(("metrics".to_owned(), ConstValue::List(metrics)));
        let ask = Ask::read(ctx, conn, Arguments(&asked)).await?;
        let material = answer::gather(ctx, conn, &ask, false).await?;
        let frame = &material.lines.frame;
        let mut rows: BTreeMap<(DateTime<Utc>, String), Part> = BTreeMap::new();
        for series in material.series(&ask)? {
            let name = ask.wanted.get(series.wanted).map(|wanted| wanted.name.clone());
            let name = name.ok_or_else(|| Error::internal("a series that nobody asked for"))?;
            let (_, keys) = answer::label(&ask, series.key.as_ref(), "");
            for (start, point) in frame.starts.iter().zip(&series.points) {
                if point.events == 0 {
                    continue;
                }
                let (metrics, most) = rows.entry((*start, keys.to_string())).or_default();
                metrics.insert(name.clone(), point.value.map_or(Json::Null, Json::from));
                *most = (*most).max(point.events);
            }
        }
        let rows = rows.into_iter().map(|((start, keys), part)| {
            let next = frame.starts.iter().find(|other| **other > start);
            let end = next.copied().unwrap_or(frame.end);
            row(scope, &ask, (start, end), (keys, part))
        });
        Ok(Computation::from(rows.collect::<Result<Vec<_>>>()?))
    })
}

/// The metrics of a scope that all of these dimensions divide.
fn metrics_of(catalogue: &Catalogue, scope: &str, by: &[String]) -> Result<Vec<ConstValue>> {
    let of_scope = catalogue.iter().filter(|metric| metric.scope == scope);
    let known: Vec<_> = of_scope.collect();
    if known.is_empty() {
        let message = say(
            format!("there is no scope {scope:?}: `metrics` names them"),
            format!("não há escopo {scope:?}: `metrics` mostra quais há"),
        );
        return Err(Error::NotFound { message, field: Some("scope".into()) });
    }
    let divided = |dimensions: &[&str]| by.iter().all(|name| dimensions.contains(&name.as_str()));
    let fit: Vec<_> = known.iter().filter(|metric| divided(&metric.dimensions())).collect();
    if fit.is_empty() {
        let message = say(
            format!("no metric of {scope} is divided by {}", by.join(", ")),
            format!("nenhuma métrica de {scope} se divide por {}", by.join(", ")),
        );
        return Err(Error::invalid_field("by", message));
    }
    Ok(fit.into_iter().map(|metric| ConstValue::String(metric.name.clone())).collect())
}

fn row(
    scope: &str,
    ask: &Ask,
    (start, end): (DateTime<Utc>, DateTime<Utc>),
    (keys, (metrics, events)): (String, Part),
) -> Result<Vec<Value>> {
    let granularity = ask.granularity.as_str();
    let seconds = start.timestamp().to_be_bytes();
    let named = [scope, granularity, ask.zone.name(), keys.as_str()].map(str::as_bytes);
    let [scope_name, size, zone, keys_text] = named;
    let id = id_of(&[scope_name, size, zone, keys_text, &seconds]);
    Ok(vec![
        Value::Id(id),
        Value::from(scope),
        Value::from(granularity),
        Value::Instant(start),
        Value::Instant(end),
        Value::Json(serde_json::from_str(&keys).map_err(Error::internal)?),
        Value::Json(Json::Object(metrics)),
        Value::Int(events),
    ])
}
