//! `dimensionValues`: what numbers can be divided into, for whoever offers a choice.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use async_graphql_value::ConstValue;
use serde_json::Value as Json;

use super::reach::Reach;
use crate::access::Resource;
use crate::analytics::dimension::names::{Names, Naming};
use crate::analytics::metric::custom;
use crate::analytics::rollup;
use crate::ctx::Ctx;
use crate::db::{Conn, Value};
use crate::error::{Error, Result, say};
use crate::record::declare::{Computation, ComputedRows, computed_field, declare_computed};
use crate::record::{Arguments, Kind, Record, input};

pub(in crate::analytics) fn record() -> &'static Record {
    static RECORD: LazyLock<Record> = LazyLock::new(|| {
        declare_computed("DimensionValue", "dimensionValues", Resource::Analytics, compute)
            .about("The values that events gave a dimension, in their order.")
            .arguments(&[("dimension", "String!", "As `metrics` names it: channel, agent, …")])
            .field(computed_field("value", Kind::Code, false))
            .field(
                computed_field("label", Kind::Text, false)
                    .about("What it is called now; the value itself where nobody said."),
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
        let dimension = Arguments(arguments).required("dimension", input::read_text)?;
        let values = values(ctx, conn, dimension).await?;
        let asked = [(dimension.to_owned(), values.clone())];
        let names = Names::of(ctx, conn, Naming::Is, &asked).await?;
        let row = |value: String| {
            let label =
                names.at(&vec![Some(value.clone())], ctx.now()).into_iter().flatten().next();
            vec![Value::Text(value.clone()), Value::Text(label.unwrap_or(value))]
        };
        let rows: Vec<_> = values.into_iter().map(row).collect();
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
