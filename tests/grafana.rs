//! The dashboards in `deploy/grafana`: made of the catalogue, and every question in them asked as the
//! data source does and read by its rules.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::http::{Request, header};
use pulso::analytics::grafana::dashboards;
use serde_json::{Value as Json, json};

use crate::support::app::Answer;
use crate::support::ingesting::event;
use crate::support::sources::root;
use crate::support::{TestApp, both_databases};

#[test]
fn the_files_are_those_of_the_catalogue() {
    let folder = root().join("deploy/grafana/dashboards");
    let files = std::fs::read_dir(&folder).unwrap().map(|file| {
        let file = file.unwrap();
        let text = std::fs::read_to_string(file.path()).unwrap();
        (file.file_name().into_string().unwrap(), text)
    });
    let files: BTreeMap<String, String> = files.collect();
    let made: BTreeMap<String, String> =
        dashboards().into_iter().map(|(name, json)| (name, format!("{json:#}\n"))).collect();
    assert!(files == made, "run: pulso grafana --dir deploy/grafana/dashboards");
}

/// Every question of a dashboard, wherever it stands.
fn targets<'j>(json: &'j Json, found: &mut Vec<&'j Json>) {
    if json.get("url_options").is_some() {
        found.push(json);
    }
    match json {
        Json::Array(list) => list.iter().for_each(|each| targets(each, found)),
        Json::Object(map) => map.values().for_each(|each| targets(each, found)),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => {}
    }
}

/// The question with its macros and variables replaced by text, as the data source does it.
fn replaced(query: &str, dimension: Option<&str>) -> String {
    let mut query = query
        .replace("${__timeFrom:date:iso}", "2026-03-09T00:00:00.000Z")
        .replace("${__timeTo:date:iso}", "2026-03-10T12:00:00.000Z")
        .replace("${granularity}", "HOURLY");
    if let Some(dimension) = dimension {
        query = query.replace(&format!("${{{dimension}:doublequote}}"), r#""whatsapp","web""#);
    }
    assert!(!query.contains('$'), "{query}");
    query
}

async fn post(app: &TestApp, key: &str, accept: &str, body: &Json) -> Answer {
    let request = Request::post("/graphql")
        .header(header::AUTHORIZATION, format!("Bearer {key}"))
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::ACCEPT, accept)
        .body(Body::from(body.to_string()));
    app.request(request.unwrap()).await
}

/// The rows of an answer by the rules of the data source: status 200, no errors, a list at the root,
/// and each column of the kind that it is declared as.
async fn rows(app: &TestApp, target: &Json, dimension: Option<&str>) -> Vec<Json> {
    let options = &target["url_options"];
    let query = replaced(options["body_graphql_query"].as_str().unwrap(), dimension);
    let request = Request::post(target["url"].as_str().unwrap())
        .header(header::AUTHORIZATION, format!("Bearer {}", app.alpha.diretor.key))
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::ACCEPT, "application/json;q=0.9,text/plain")
        .header(header::ACCEPT_ENCODING, "gzip")
        .body(Body::from(json!({ "query": query, "variables": {} }).to_string()))
        .unwrap();
    let answer = app.request(request).await;
    assert_eq!(answer.status.as_u16(), 200, "{query}: {}", answer.text());
    let body = match answer.headers.get(header::CONTENT_ENCODING) {
        Some(_) => {
            let mut text = String::new();
            let mut unpacked = flate2::read::GzDecoder::new(answer.body.as_slice());
            std::io::Read::read_to_string(&mut unpacked, &mut text).unwrap();
            serde_json::from_str(&text).unwrap()
        }
        None => answer.json(),
    };
    assert_eq!(body.get("errors"), None, "{query}");
    let selected = target["root_selector"].as_str().unwrap().split('.');
    let rows = selected.fold(&body, |json, part| &json[part]);
    let rows = rows.as_array().unwrap_or_else(|| panic!("{query}: {body}")).clone();
    for row in &rows {
        for column in target["columns"].as_array().unwrap() {
            let value = &row[column["selector"].as_str().unwrap()];
            let fits = match column["type"].as_str().unwrap() {
                "timestamp" => value.as_str().is_some_and(|text| {
                    text.ends_with('Z') && chrono::DateTime::parse_from_rfc3339(text).is_ok()
                }),
                "number" => value.is_number() || value.is_null(),
                _ => value.is_string(),
            };
            assert!(fits, "{query}: {column} of {row}");
        }
    }
    rows
}

both_databases! {
    async fn every_question_is_answered_as_the_data_source_wants_it(app: TestApp) {
        let key = &app.alpha.admin.key;
        let of = |id: &str, kind: &str, channel: &str| event(id, kind, "2026-03-10T10:30:00Z", json!({
            "dimensions": { "channel": channel, "org_unit": "support", "agent": "a" },
            "payload": { "handleSec": 30, "responseSec": 5, "score": 5, "agentId": "a" } }));
        let sent = json!([
            of("1", "ticket.created", "whatsapp"), of("2", "ticket.created", "web"),
            of("3", "ticket.resolved", "web"), of("4", "sla.breached", "web"),
        ]);
        assert_eq!(app.ingest(key, &sent).await["accepted"], 4);
        app.fold().await;
        let mut filled = 0;
        for (name, dashboard) in dashboards() {
            let variables = dashboard["templating"]["list"].as_array().unwrap();
            let dimensions: Vec<&str> = variables.iter().filter(|each| each["type"] == "query")
                .map(|each| each["name"].as_str().unwrap()).collect();
            let mut found = Vec::new();
            targets(&dashboard, &mut found);
            assert!(found.len() > 1, "{name}");
            for target in found {
                let query = target["url_options"]["body_graphql_query"].as_str().unwrap();
                let dimension = dimensions.iter().find(|name| query.contains(&format!("{name}:doublequote")));
                let rows = rows(&app, target, dimension.copied()).await;
                filled += usize::from(rows.iter().any(|row| row["value"].as_f64().is_some_and(|value| value > 0.0)));
            }
        }
        // Tickets made, resolved, breached and open, in all and by channel, and what is made of them.
        assert!(filled >= 10, "{filled}");
    }

    async fn variables_and_marks_are_lists_of_their_columns(app: TestApp) {
        let key = &app.alpha.admin.key;
        let of = |id: &str, channel: &str| event(id, "sla.breached", "2026-03-10T10:30:00Z",
            json!({ "dimensions": { "channel": channel } }));
        app.ingest(key, &json!([of("1", "web"), of("2", "email"), of("3", "web")])).await;
        app.fold().await;
        let ticket = dashboards().remove("pulso-ticket.json").unwrap();
        let variable = ticket["templating"]["list"].as_array().unwrap().iter().find(|each| each["name"] == "channel");
        let values = rows(&app, &variable.unwrap()["query"]["infinityQuery"], None).await;
        assert_eq!(values, [json!({ "__text": "email", "__value": "email" }), json!({ "__text": "web", "__value": "web" })]);
        let marks = rows(&app, &ticket["annotations"]["list"][0]["target"], None).await;
        assert_eq!(marks.len(), 3);
        assert_eq!(marks[0], json!({ "time": "2026-03-10T10:30:00Z", "title": "sla.breached", "text": "tickets" }));
        // What a data source sends to find out whether anybody is there.
        let test = app.graphql(key, "{ __schema { queryType { name } } }", json!({})).await;
        assert!(test.pointer("/data/__schema/queryType/name").is_some(), "{test}");
        let unknown = r#"{ dimensionValues(dimension: "colour") { nodes { value } } }"#;
        assert_eq!(app.error_code(key, unknown, json!({})).await, "NOT_FOUND");
    }

    /// What the data source "Wild GraphQL" sends: its variables as they are, epoch milliseconds among
    /// them, more of them than the document declares; it takes 200 alone for an answer.
    async fn native_variables_are_taken_as_they_come(app: TestApp) {
        let key = &app.alpha.admin.key;
        let sent = json!([event("1", "ticket.created", "2026-03-10T10:30:00Z", json!({ "dimensions": { "channel": "web" } }))]);
        app.ingest(key, &sent).await;
        app.fold().await;
        let query = "query($from: DateTime!, $to: DateTime!) { metricSeries(metrics: [\"tickets_created\"], from: $from, \
            to: $to, granularity: HOURLY) { nodes { time value series labels } } }";
        let variables = json!({ "from": 1_773_136_800_000_i64, "to": 1_773_144_000_000_i64, "interval_ms": 60_000,
            "maxDataPoints": 800, "refId": "A" });
        let answer = post(&app, key, "application/json", &json!({ "query": query, "variables": variables })).await;
        assert_eq!(answer.status.as_u16(), 200, "{}", answer.text());
        let nodes = answer.json()["data"]["metricSeries"]["nodes"].take();
        assert_eq!(nodes, json!([
            { "time": "2026-03-10T10:00:00Z", "value": 1.0, "series": "", "labels": {} },
            { "time": "2026-03-10T11:00:00Z", "value": 0.0, "series": "", "labels": {} },
        ]));
        // Nothing is an empty list, never null.
        let none = "{ metricSeries(metrics: [\"tickets_created\"], from: 0, to: 1000, fill: false) { nodes { value } } }";
        let answer = post(&app, key, "*/*", &json!({ "query": none })).await;
        assert_eq!(answer.json()["data"], json!({ "metricSeries": { "nodes": [] } }));
    }

    /// What a table wants: columns by the names of metrics, and a time that epoch text names.
    async fn a_table_has_columns_by_metric(app: TestApp) {
        let key = &app.alpha.admin.key;
        let of = |id: &str, kind: &str| event(id, kind, "2026-03-10T10:30:00Z", json!({ "dimensions": { "channel": "web" } }));
        app.ingest(key, &json!([of("1", "ticket.created"), of("2", "sla.breached")])).await;
        app.fold().await;
        let query = "{ metricTable(metrics: [\"tickets_created\", \"sla_breach_rate\"], by: [\"channel\"], \
            from: \"2026-03-10T03:00:00.000Z\") { nodes { channel: series values } } }";
        let answer = post(&app, key, "*/*", &json!({ "query": query })).await;
        let row = answer.json()["data"]["metricTable"]["nodes"][0].take();
        // As the data source reads the selectors `channel` and `values.tickets_created`.
        assert_eq!((&row["channel"], &row["values"]["tickets_created"]), (&json!("web"), &json!(1.0)));
        assert_eq!(row["values"]["sla_breach_rate"], 100.0);
    }

    /// A data source that looks at nothing but the status sees that something is wrong, and what.
    async fn errors_are_a_status_for_keys_that_ask_for_it(app: TestApp) {
        let admin = &app.alpha.admin.key;
        let made = app.data(admin, "mutation { apiKeyCreate(input: { name: \"Grafana\", role: \"diretor\", errorsAsStatus: true }) \
            { secret apiKey { id errorsAsStatus } } }", json!({})).await["apiKeyCreate"].take();
        assert_eq!(made["apiKey"]["errorsAsStatus"], true);
        let key = made["secret"].as_str().unwrap();
        let cases = [
            (r#"{ metricSeries(metrics: ["nothing"], from: 0) { nodes { value } } }"#, 404),
            (r#"{ metricSeries(metrics: ["tickets_created"], from: 5, to: 5) { nodes { value } } }"#, 400),
            (r#"{ metricSeries(metrics: ["tickets_created"], from: 0, granularity: HOURLY) { nodes { value } } }"#, 400),
            ("{ nobodyKnowsThis }", 400),
            ("{ metricSeries(", 400),
            (r#"mutation { analyticsDimensionCreate(input: { dimension: "channel", value: "a", label: "A" }) { id } }"#, 403),
        ];
        for (query, status) in cases {
            let asked = json!({ "query": query });
            for accept in ["application/json;q=0.9,text/plain", "*/*"] {
                let told = post(&app, key, accept, &asked).await;
                assert_eq!(told.status.as_u16(), status, "{query}: {}", told.text());
                // The same body as anybody gets.
                let plain = post(&app, &app.alpha.diretor.key, accept, &asked).await;
                assert_eq!(plain.status.as_u16(), 200, "{query}");
                let code = |answer: &Json| answer["errors"][0]["extensions"]["code"].clone();
                assert_eq!(code(&told.json()), code(&plain.json()), "{query}");
            }
        }
        let good = json!({ "query": "{ __schema { queryType { name } } }" });
        assert_eq!(post(&app, key, "*/*", &good).await.status.as_u16(), 200);
        let batch = json!([{ "query": "{ me { roles } }" }, { "query": "{ nobodyKnowsThis }" }]);
        assert_eq!(post(&app, key, "*/*", &batch).await.status.as_u16(), 400);
        // It can be taken back, which leaves its trace.
        let id = &made["apiKey"]["id"];
        let back = format!("mutation {{ apiKeySetErrorsAsStatus(id: {id}, errorsAsStatus: false) {{ errorsAsStatus }} }}");
        assert_eq!(app.data(admin, &back, json!({})).await["apiKeySetErrorsAsStatus"]["errorsAsStatus"], false);
        assert_eq!(post(&app, key, "*/*", &json!({ "query": "{ nobodyKnowsThis }" })).await.status.as_u16(), 200);
        let trail = "{ auditLogs(filter: { action: { eq: \"api_key.update\" } }) { nodes { resourceId newValues } } }";
        let trail = app.data(admin, trail, json!({})).await["auditLogs"]["nodes"][0].take();
        assert_eq!((&trail["resourceId"], &trail["newValues"]["errorsAsStatus"]), (id, &json!(false)));
    }
}
