//! Dashboards for Grafana, made of the catalogue of metrics: one for each scope, a panel for each
//! metric. They ask through the data source Infinity, by literal arguments, and need nothing of ours
//! to be installed in Grafana. `deploy/grafana` holds what this makes.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value as Json, json};

use super::metric::catalogue::METRICS;
use super::metric::{Aggregation, Measure, Metric};

/// The data source's type, and the uid that provisioning gives it.
const SOURCE: (&str, &str) = ("yesoreyeram-infinity-datasource", "pulso");
const PANEL_WIDTH: usize = 12;
const PANEL_HEIGHT: usize = 8;
/// Series of a panel; the rest is one more.
const SERIES_SHOWN: usize = 10;

/// Dashboards by the name of their file.
pub fn dashboards() -> BTreeMap<String, Json> {
    let mut scopes: BTreeMap<&str, Vec<&Metric>> = BTreeMap::new();
    for metric in METRICS.iter() {
        scopes.entry(&metric.scope).or_default().push(metric);
    }
    scopes
        .into_iter()
        .map(|(scope, metrics)| {
            (format!("pulso-{}.json", scope.replace('_', "-")), dashboard(scope, &metrics))
        })
        .collect()
}

fn dashboard(scope: &str, metrics: &[&Metric]) -> Json {
    let mut panels = Vec::new();
    for metric in metrics {
        panels.push(panel(metric, &Split::None, panels.len()));
        if let Some(dimension) = metric.dimensions().first() {
            panels.push(panel(metric, &Split::By(dimension), panels.len()));
        }
    }
    let divided = metrics.iter().filter_map(|metric| metric.dimensions().first().copied());
    let divided: BTreeSet<&str> = divided.collect();
    let mut variables = vec![granularity()];
    variables.extend(divided.into_iter().map(values_of));
    json!({
        "uid": format!("pulso-{}", scope.replace('_', "-")),
        "title": format!("Pulso: {}", scope.replace('_', " ")),
        "tags": ["pulso"],
        "schemaVersion": 39,
        "timezone": "browser",
        "time": { "from": "now-30d", "to": "now" },
        "refresh": "1m",
        "templating": { "list": variables },
        "annotations": { "list": [annotation()] },
        "panels": panels,
    })
}

enum Split<'a> {
    None,
    /// By a dimension, of the values that the dashboard's variable has.
    By(&'a str),
}

fn panel(metric: &Metric, split: &Split<'_>, place: usize) -> Json {
    let (title, more) = match split {
        Split::None => (metric.label_en.clone(), String::new()),
        Split::By(dimension) => (
            format!("{} by {}", metric.label_en, dimension.replace('_', " ")),
            format!(
                ", by: [\"{dimension}\"], limit: {SERIES_SHOWN}, \
                 only: {{ {dimension}: [${{{dimension}:doublequote}}] }}"
            ),
        ),
    };
    let query = format!(
        "{{ metricSeries(metrics: [\"{}\"], from: \"${{__timeFrom:date:iso}}\", \
         to: \"${{__timeTo:date:iso}}\", granularity: ${{granularity}}{more}) \
         {{ nodes {{ time series value }} }} }}",
        metric.name
    );
    let columns = [("time", "timestamp"), ("series", "string"), ("value", "number")];
    json!({
        "id": place + 1,
        "type": "timeseries",
        "title": title,
        "datasource": { "type": SOURCE.0, "uid": SOURCE.1 },
        "gridPos": {
            "x": place % 2 * PANEL_WIDTH,
            "y": place / 2 * PANEL_HEIGHT,
            "w": PANEL_WIDTH,
            "h": PANEL_HEIGHT,
        },
        "fieldConfig": {
            "defaults": {
                "unit": unit(metric),
                "custom": { "drawStyle": style(metric), "fillOpacity": 20 },
            },
            "overrides": [],
        },
        "options": { "legend": { "displayMode": "list", "placement": "bottom" } },
        "targets": [target(&query, "metricSeries", &columns)],
        "transformations": [{ "id": "prepareTimeSeries", "options": { "format": "multi" } }],
    })
}

/// A question of the data source.
fn target(query: &str, field: &str, columns: &[(&str, &str)]) -> Json {
    let columns =
        columns.iter().map(|(name, kind)| json!({ "selector": name, "text": name, "type": kind }));
    json!({
        "refId": "A",
        "datasource": { "type": SOURCE.0, "uid": SOURCE.1 },
        "type": "graphql",
        "source": "url",
        "parser": "backend",
        "format": "dataframe",
        "url": "/graphql",
        "url_options": {
            "method": "POST",
            "body_type": "graphql",
            "body_graphql_query": query,
            "body_graphql_variables": "{}",
        },
        "root_selector": format!("data.{field}.nodes"),
        "columns": columns.collect::<Vec<_>>(),
        "filters": [],
    })
}

fn granularity() -> Json {
    let sizes = ["REALTIME", "HOURLY", "DAILY", "WEEKLY", "MONTHLY"];
    let option = |size: &&str| json!({ "text": size, "value": size, "selected": *size == "DAILY" });
    json!({
        "name": "granularity",
        "label": "Granularity",
        "type": "custom",
        "query": sizes.join(","),
        "current": { "text": "DAILY", "value": "DAILY" },
        "options": sizes.iter().map(option).collect::<Vec<_>>(),
    })
}

/// The values of a dimension, to choose from.
fn values_of(dimension: &str) -> Json {
    let query = format!(
        "{{ dimensionValues(dimension: \"{dimension}\") {{ nodes {{ __text: label __value: value }} }} }}"
    );
    let columns = [("__text", "string"), ("__value", "string")];
    json!({
        "name": dimension,
        "label": dimension.replace('_', " "),
        "type": "query",
        "datasource": { "type": SOURCE.0, "uid": SOURCE.1 },
        "query": {
            "queryType": "infinity",
            "infinityQuery": target(&query, "dimensionValues", &columns),
        },
        "multi": true,
        "includeAll": true,
        "current": { "text": ["All"], "value": ["$__all"] },
        "refresh": 2,
    })
}

/// What somebody has to act upon, as marks on every panel.
fn annotation() -> Json {
    let query = "{ analyticsEvents(first: 200, filter: { eventType: { in: [\"sla.breached\", \
                 \"automation.failed\", \"channel.disconnected\"] }, occurredAt: { \
                 gte: \"${__timeFrom:date:iso}\", lt: \"${__timeTo:date:iso}\" } }) \
                 { nodes { time: occurredAt title: eventType text: module } } }";
    let columns = [("time", "timestamp"), ("title", "string"), ("text", "string")];
    json!({
        "name": "Critical events",
        "enable": false,
        "iconColor": "red",
        "datasource": { "type": SOURCE.0, "uid": SOURCE.1 },
        "target": target(query, "analyticsEvents", &columns),
    })
}

/// As Grafana calls it.
fn unit(metric: &Metric) -> &'static str {
    match metric.unit.as_str() {
        "s" => "s",
        "%" => "percent",
        _ => "short",
    }
}

/// Counts stand for their bucket, everything else for its course.
fn style(metric: &Metric) -> &'static str {
    match &metric.measure {
        Measure::Folded(folded) if folded.aggregation == Aggregation::Count => "bars",
        Measure::Folded(_) | Measure::Ratio { .. } => "line",
    }
}
