//! `dimensionValues`: what numbers can be divided into, for whoever offers a choice.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use async_graphql_value::ConstValue;
use serde_json::Value as Json;

use super::reach::Reach;
use crate::access::Resource;
use crate::analytics::metric::custom;
use crate::analytics::rollup;
use crate::ctx::Ctx;
use crate::db::{Conn, Value};
use crate::error::{Error, Result, say};
use crate::record::declare::{Computation, ComputedRows, computed_field, declare_computed};
use crate::record::{Kind, Record, input};

pub(in crate::analytics) fn record() -> &'static Record {
    static RECORD: LazyLock<Record> = LazyLock::new(|| {
        declare_computed("DimensionValue", "dimensionValues", Resource::Analytics, compute)
            .about("The values that events gave a dimension, in their order.")
            .arguments(&[("dimension", "String!", "As `metrics` names it: channel, agent, …")])
            .field(computed_field("value", Kind::Code, false))
    });
    &RECORD
}

fn compute<'a>(
    ctx: &'a Ctx,
    conn: &'a Conn,
    arguments: &'a [(String, ConstValue)],
) -> ComputedRows<'a> {
    Box::pin(async move {
        let given = arguments.iter().find(|(name, _)| name == "dimension").map(|(_, value)| value);
        let given =
            given.ok_or_else(|| Error::internal("validation passed without a dimension"))?;
        let dimension = input::read_text(given).map_err(|error| error.at("dimension"))?;
        let values = values(ctx, conn, dimension).await?;
        let rows: Vec<_> = values.into_iter().map(|value| vec![Value::Text(value)]).collect();
        Ok(Computation::from(rows))
    })
}

async fn values(ctx: &Ctx, conn: &Conn, dimension: &str) -> Result<BTreeSet<String>> {
    let reader = ctx.reader(Resource::Analytics)?;
    let reach = Reach::of(ctx, conn).await?;
    let catalogue = custom::catalogue_of(conn, &reader).await?;
    let folded = catalogue.iter().filter_map(|metric| metric.folded());
    let divided = folded.filter(|folded| folded.dimensions.iter().any(|name| name == dimension));
    let metrics: Vec<&str> = divided.map(|folded| folded.key.as_ref()).collect();
    if metrics.is_empty() {
        return Err(Error::NotFound {
            message: say(
                format!("no metric is divided by {dimension:?}"),
                format!("nenhuma métrica se divide por {dimension:?}"),
            ),
            field: Some("dimension".into()),
        });
    }
    let series = rollup::series_of(conn, &reader, &metrics).await?;
    let of_caller = series.into_iter().filter(|(_, _, dimensions)| reach.covers(dimensions));
    let value =
        |(_, _, dimensions): (_, _, Json)| Some(dimensions.get(dimension)?.as_str()?.to_owned());
    Ok(of_caller.filter_map(value).collect())
}
