//! `GET /api/v1/analytics/series.json` and `.csv`: what Grafana's Infinity, spreadsheets and scripts ask
//! for; `metricSeries` by another name.

use axum::body::Body;
use axum::http::{Request, header};
use serde_json::{Value as Json, json};

use crate::http::assert_problem;
use crate::support::app::Answer;
use crate::support::ingesting::event;
use crate::support::{TestApp, both_databases};

const JSON: &str = "/api/v1/analytics/series.json";
const CSV: &str = "/api/v1/analytics/series.csv";
/// 10 March of São Paulo.
const DAY: &str = "from=2026-03-10T03:00:00Z&to=2026-03-11T03:00:00Z";

async fn get(app: &TestApp, key: &str, address: &str, query: &str) -> Answer {
    let request = Request::get(format!("{address}?{query}"))
        .header(header::AUTHORIZATION, format!("Bearer {key}"));
    app.request(request.body(Body::empty()).unwrap()).await
}

async fn tickets(app: &TestApp, key: &str, channels: &[&str]) {
    let events: Vec<Json> = channels
        .iter()
        .zip(1..)
        .map(|(channel, number)| {
            let more = json!({ "dimensions": { "channel": channel } });
            event(&format!("{channel}{number}"), "ticket.created", "2026-03-10T11:00:00Z", more)
        })
        .collect();
    assert_eq!(app.ingest(key, &json!(events)).await["accepted"], channels.len());
    app.fold().await;
}

/// A file as spreadsheets read it.
fn table(text: &str) -> Vec<Vec<String>> {
    let mut file = csv::ReaderBuilder::new().has_headers(false).from_reader(text.as_bytes());
    let row = |row: Result<csv::StringRecord, csv::Error>| {
        row.unwrap().iter().map(str::to_owned).collect()
    };
    file.records().map(row).collect()
}

both_databases! {
    async fn rows_are_flat_objects(app: TestApp) {
        let key = &app.alpha.diretor.key;
        tickets(&app, &app.alpha.admin.key, &["web", "web", "mail"]).await;
        let answer = get(&app, key, JSON, &format!("metrics=tickets_created&{DAY}&by=channel")).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.headers[header::CONTENT_TYPE], "application/json; charset=utf-8");
        assert_eq!(answer.headers[header::CACHE_CONTROL], "private, no-store");
        let row = |series: &str, value: f64, events: i64| json!({ "time": "2026-03-10T03:00:00Z",
            "metric": "tickets_created", "series": series, "labels": { "channel": series },
            "value": value, "events": events, "unit": "1" });
        assert_eq!(answer.json(), json!([row("web", 2.0, 2), row("mail", 1.0, 1)]));
        // Grafana's macros say milliseconds; names of the schema in small letters are understood.
        let (from, to) = (1_773_111_600_000_i64, 1_773_198_000_000_i64);
        let query = format!("metrics=tickets_created,%20csat.avg&from={from}&to={to}&granularity=daily\
            &timeZone=America/Sao_Paulo&only=%7B%22channel%22:%5B%22web%22%5D%7D&fill=false&limit=5");
        let answer = get(&app, key, JSON, &query).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.json().as_array().unwrap().len(), 1, "{}", answer.text());
        assert_eq!(answer.json()[0]["value"], 2.0);
        // No rows are an empty list.
        let answer = get(&app, key, JSON, &format!("metrics=csat&{DAY}&fill=false")).await;
        assert_eq!(answer.json(), json!([]));
    }

    async fn a_file_has_a_column_for_each_dimension(app: TestApp) {
        let key = &app.alpha.diretor.key;
        let odd = "a \"b\", c\nd";
        tickets(&app, &app.alpha.admin.key, &["web", odd]).await;
        let query = format!("metrics=tickets_created&{DAY}&by=channel&compareTo=previous_day");
        let answer = get(&app, key, CSV, &query).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.headers[header::CONTENT_TYPE], "text/csv; charset=utf-8; header=present");
        assert_eq!(answer.headers[header::CONTENT_DISPOSITION], "attachment; filename=\"series.csv\"");
        let text = answer.text();
        assert!(text.starts_with("time,metric,series,labels.channel,value,events,unit,comparedTime,comparedValue,change,changePercent\r\n"), "{text}");
        let table = table(&text);
        assert_eq!(table.len(), 3);
        assert_eq!(table[1][2..5], [odd, odd, "1.0"]);
        assert_eq!(table[2][7..], ["2026-03-09T03:00:00Z", "0.0", "1.0", ""]);
        // Without a comparison there are no columns of one; of no rows there is a heading.
        let answer = get(&app, key, CSV, &format!("metrics=csat&{DAY}&fill=false")).await;
        assert_eq!(answer.text(), "time,metric,series,value,events,unit\r\n");
    }

    async fn what_is_wrong_is_told(app: TestApp) {
        let key = &app.alpha.diretor.key;
        for address in [JSON, CSV] {
            let asked = async |query: &str| get(&app, key, address, query).await;
            assert_problem(&asked(DAY).await, 400, "INVALID");
            assert_problem(&asked(&format!("metrics=tickets_created&{DAY}&colour=red")).await, 400, "INVALID");
            let only = asked(&format!("metrics=tickets_created&{DAY}&only=channel")).await;
            assert_eq!(assert_problem(&only, 400, "INVALID")["field"], "only");
            assert_problem(&asked(&format!("metrics=nothing&{DAY}")).await, 404, "NOT_FOUND");
            assert_problem(&asked("metrics=tickets_created&from=yesterday").await, 400, "INVALID");
            // All rows, or none.
            let minutes = "metrics=tickets_created&from=2026-03-08T12:00:00Z&granularity=realtime&by=channel,org_unit&limit=50";
            assert_eq!(asked(minutes).await.status, 200);
            let years = "metrics=tickets_created&from=2000-01-01T00:00:00Z&granularity=hourly";
            assert_problem(&asked(years).await, 400, "LIMIT_EXCEEDED");
        }
    }

    /// Nobody, another tenant, a role without the right, one that reaches its own rows.
    async fn everybody_gets_what_metric_series_gives_them(app: TestApp) {
        let seller = &app.alpha.comercial;
        let own = app.key_with(&app.alpha, seller.id, json!({ "analytics": { "read": "own" } })).await;
        let mine = json!({ "dimensions": { "agent": seller.id } });
        app.ingest(&app.alpha.admin.key, &json!([event("1", "ticket.created", "2026-03-10T11:00:00Z", mine),
            event("2", "ticket.created", "2026-03-10T11:00:00Z", json!({}))])).await;
        app.fold().await;
        for address in [JSON, CSV] {
            let query = format!("metrics=tickets_created&{DAY}");
            let nobody = app.get(&format!("{address}?{query}")).await;
            assert_problem(&nobody, 401, "UNAUTHENTICATED");
            assert_problem(&app.get(address).await, 401, "UNAUTHENTICATED");
            assert_problem(&get(&app, &seller.key, address, &query).await, 403, "FORBIDDEN");
        }
        let query = format!("metrics=tickets_created&{DAY}");
        for (key, seen) in [(&app.alpha.admin.key, 2.0), (&own, 1.0), (&app.beta.admin.key, 0.0)] {
            assert_eq!(get(&app, key, JSON, &query).await.json()[0]["value"], seen);
            let shown = format!("{seen:?}");
            assert_eq!(table(&get(&app, key, CSV, &query).await.text())[1][3], shown);
        }
    }
}
