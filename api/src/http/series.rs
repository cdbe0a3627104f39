//! `GET /api/v1/analytics/series.json` and `…/series.csv`: numbers for programs that take a plain address
//! (Grafana's Infinity, a spreadsheet, a script). A thin adapter: the operation behind it is
//! `metricSeries`, with its rights, its cost and its limits; all rows come, or an error.

use std::sync::Arc;

use axum::Extension;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE, VARY};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Map, Value as Json, json};

use super::{adapter, credentials};
use crate::app::App;
use crate::ctx::{Caller, Origin};
use crate::error::http::Problem;
use crate::error::{Error, Result, say};

const OPERATION: &str = "query($metrics: [String!]!, $from: DateTime!, $to: DateTime, \
    $granularity: Granularity, $timeZone: String, $by: [String!], $only: JSON, $fill: Boolean, \
    $limit: Int, $compareTo: Comparison, $dimensionsAs: DimensionNaming) { rows: metricSeries(metrics: \
    $metrics, from: $from, to: $to, granularity: $granularity, timeZone: $timeZone, by: $by, only: \
    $only, fill: $fill, limit: $limit, compareTo: $compareTo, dimensionsAs: $dimensionsAs) { nodes { \
    time metric series labels value events unit comparedTime comparedValue change changePercent } } }";

/// Columns of the CSV file before and after those of `by`.
const FIRST: [&str; 3] = ["time", "metric", "series"];
const LAST: [&str; 3] = ["value", "events", "unit"];
/// Where something is compared.
const COMPARED: [&str; 4] = ["comparedTime", "comparedValue", "change", "changePercent"];

/// The arguments of `metricSeries` by their names; lists between commas.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Asked {
    metrics: String,
    from: String,
    to: Option<String>,
    granularity: Option<String>,
    time_zone: Option<String>,
    by: Option<String>,
    /// JSON: `{"channel": ["whatsapp"]}`.
    only: Option<String>,
    fill: Option<bool>,
    limit: Option<i64>,
    compare_to: Option<String>,
    dimensions_as: Option<String>,
}

type Read = std::result::Result<Query<Asked>, QueryRejection>;
type Answered = std::result::Result<Response, Problem>;

pub(super) async fn json(
    State(app): State<Arc<App>>,
    Extension(origin): Extension<Origin>,
    headers: HeaderMap,
    asked: Read,
) -> Answered {
    let (rows, asked) = rows(&app, &origin, &headers, asked).await?;
    let rows = rows.into_iter().map(|row| without_empty(row, &asked)).collect();
    let body = Json::Array(rows).to_string();
    Ok((about("application/json; charset=utf-8"), body).into_response())
}

pub(super) async fn csv(
    State(app): State<Arc<App>>,
    Extension(origin): Extension<Origin>,
    headers: HeaderMap,
    asked: Read,
) -> Answered {
    let (rows, asked) = rows(&app, &origin, &headers, asked).await?;
    let body = as_csv(&rows, &asked).map_err(|error| {
        let error = Error::internal(error);
        Problem::of(&error, origin.language, &origin.request_id)
    })?;
    let name = [(CONTENT_DISPOSITION, "attachment; filename=\"series.csv\"")];
    Ok((about("text/csv; charset=utf-8; header=present"), name, body).into_response())
}

fn about(media: &'static str) -> [(axum::http::HeaderName, &'static str); 3] {
    [
        (CONTENT_TYPE, media),
        (CACHE_CONTROL, "private, no-store"),
        (VARY, "Authorization, Cookie, Accept-Encoding"),
    ]
}

async fn rows(
    app: &Arc<App>,
    origin: &Origin,
    headers: &HeaderMap,
    asked: Read,
) -> std::result::Result<(Vec<Json>, Asked), Problem> {
    let refuse = |error: Error| Problem::of(&error, origin.language, &origin.request_id);
    let ctx = credentials::ctx(app, headers, origin.clone()).await.map_err(refuse)?;
    let caller = Caller::Somebody(ctx);
    let Query(asked) = asked.map_err(|refused| refuse(adapter::unreadable(&refused)))?;
    let variables = variables(&asked).map_err(refuse)?;
    let (mut body, _reply) = adapter::run(app, (caller, origin), (OPERATION, variables)).await?;
    match body.pointer_mut("/data/rows/nodes").map(Json::take) {
        Some(Json::Array(rows)) => Ok((rows, asked)),
        _ => Err(refuse(Error::internal("a chart without rows"))),
    }
}

fn variables(asked: &Asked) -> Result<Map<String, Json>> {
    let mut variables = Map::new();
    let mut set = |name: &str, value: Option<Json>| {
        if let Some(value) = value {
            variables.insert(name.to_owned(), value);
        }
    };
    let shown = |name: &Option<String>| name.as_ref().map(|name| json!(name.to_uppercase()));
    set("metrics", Some(json!(listed(&asked.metrics))));
    set("from", Some(instant(&asked.from)));
    set("to", asked.to.as_deref().map(instant));
    set("granularity", shown(&asked.granularity));
    set("timeZone", asked.time_zone.as_ref().map(|zone| json!(zone)));
    set("by", asked.by.as_deref().map(|by| json!(listed(by))));
    set("only", asked.only.as_deref().map(filter).transpose()?);
    set("fill", asked.fill.map(|fill| json!(fill)));
    set("limit", asked.limit.map(|limit| json!(limit)));
    set("compareTo", shown(&asked.compare_to));
    set("dimensionsAs", shown(&asked.dimensions_as));
    Ok(variables)
}

fn listed(text: &str) -> Vec<&str> {
    text.split(',').map(str::trim).filter(|name| !name.is_empty()).collect()
}

/// Programs say epoch milliseconds as often as RFC 3339.
fn instant(text: &str) -> Json {
    text.parse::<i64>().map_or_else(|_| json!(text), |milliseconds| json!(milliseconds))
}

fn filter(text: &str) -> Result<Json> {
    serde_json::from_str(text).map_err(|error| {
        let message = say(format!("is no JSON: {error}"), format!("não é JSON: {error}"));
        Error::invalid_field("only", message)
    })
}

/// Without the fields of a comparison that nobody asked for.
fn without_empty(mut row: Json, asked: &Asked) -> Json {
    if asked.compare_to.is_none()
        && let Json::Object(fields) = &mut row
    {
        fields.retain(|name, _| !COMPARED.contains(&name.as_str()));
    }
    row
}

/// RFC 4180, a heading first.
fn as_csv(rows: &[Json], asked: &Asked) -> csv::Result<Vec<u8>> {
    let by = listed(asked.by.as_deref().unwrap_or_default());
    let compared: &[&str] = if asked.compare_to.is_some() { &COMPARED } else { &[] };
    let mut file =
        csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    let labels = by.iter().map(|name| format!("labels.{name}"));
    let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let heading: Vec<String> = owned(&FIRST)
        .into_iter()
        .chain(labels)
        .chain(owned(&LAST))
        .chain(owned(compared))
        .collect();
    file.write_record(heading)?;
    for row in rows {
        let label = |name: &&str| row.get("labels").and_then(|labels| labels.get(*name));
        let plain = |name: &&str| row.get(*name);
        let values = FIRST.iter().map(plain).chain(by.iter().map(label));
        let values = values.chain(LAST.iter().map(plain)).chain(compared.iter().map(plain));
        file.write_record(values.map(cell))?;
    }
    file.into_inner().map_err(|error| error.into_error().into())
}

fn cell(value: Option<&Json>) -> String {
    match value {
        None | Some(Json::Null) => String::new(),
        Some(Json::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}
