//! Declaration of `metrics`, the catalogue.

use std::sync::LazyLock;

use serde_json::json;

use super::{Measure, Metric, custom};
use crate::access::Resource;
use crate::ctx::Ctx;
use crate::db::{NullOf, Value};
use crate::error::Language;
use crate::record::declare::{Computation, computed_field, declare_computed};
use crate::record::{Kind, Record};

pub(in crate::analytics) fn record() -> &'static Record {
    static RECORD: LazyLock<Record> = LazyLock::new(|| {
        declare_computed("Metric", "metrics", Resource::Analytics, |ctx, conn, _| {
            Box::pin(async move {
                let reader = ctx.reader(Resource::Analytics)?;
                let catalogue = custom::catalogue_of(conn, &reader).await?;
                let rows: Vec<_> = catalogue.iter().map(|metric| row(ctx, metric)).collect();
                Ok(Computation::from(rows))
            })
        })
        .about("What can be asked of metricSeries (catálogo de métricas).")
        .field(computed_field("name", Kind::Code, false))
        .field(computed_field("label", Kind::Text, false).about("In the caller's language."))
        .field(computed_field("unit", Kind::Code, false).about("1, s, %, pt."))
        .field(computed_field("scope", Kind::Code, false).about("What it is about."))
        .field(computed_field("aggregation", Kind::Code, false).about(
            "count, sum, average, minimum, maximum, last, distinct, percentile, balance or ratio.",
        ))
        .field(computed_field("event_types", Kind::Json, false).about("What it is made of."))
        .field(computed_field("value_field", Kind::Code, true).about("Of the payload."))
        .field(computed_field("dimensions", Kind::Json, false).about("What it can be divided by."))
        .field(computed_field("numerator", Kind::Code, true).about("Of a ratio: a metric."))
        .field(computed_field("denominator", Kind::Code, true).about("Of a ratio: a metric."))
    });
    &RECORD
}

fn row(ctx: &Ctx, metric: &Metric) -> Vec<Value> {
    let label = match ctx.origin.language {
        Language::En => &metric.label_en,
        Language::PtBr => &metric.label_pt,
    };
    let text = |text: Option<&str>| text.map_or(Value::Null(NullOf::Text), Value::from);
    let (aggregation, types, value, numerator, denominator) = match &metric.measure {
        Measure::Folded(folded) => {
            let types = folded.sources.iter().map(|source| source.event_type.as_str()).collect();
            (folded.aggregation.as_str(), types, folded.value.as_deref(), None, None)
        }
        Measure::Ratio { numerator, denominator, .. } => {
            let (above, below) = (numerator.name.as_str(), denominator.name.as_str());
            ("ratio", Vec::new(), None, Some(above), Some(below))
        }
    };
    vec![
        metric.name.as_str().into(),
        label.as_str().into(),
        metric.unit.as_str().into(),
        metric.scope.as_str().into(),
        aggregation.into(),
        Value::Json(json!(types)),
        text(value),
        Value::Json(json!(metric.dimensions())),
        text(numerator),
        text(denominator),
    ]
}
