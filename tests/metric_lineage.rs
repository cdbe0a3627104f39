//! From a point to the events behind it.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value as Json, json};

use crate::support::data::Random;
use crate::support::ingesting::event;
use crate::support::{TestApp, both_databases};

/// Events of a month around the beginning of summer time, some of which cannot be folded.
async fn random_events(app: &TestApp, random: &mut Random) {
    let start: DateTime<Utc> = "2018-10-20T00:00:00Z".parse().unwrap();
    let kinds = [
        "ticket.created",
        "ticket.resolved",
        "ticket.first_reply",
        "sla.breached",
        "automation.ran",
        "csat.answered",
    ];
    let events: Vec<Json> = (0..400)
        .map(|number| {
            let at = start + TimeDelta::seconds(i64::try_from(random.below(30 * 86_400)).unwrap());
            let kind = kinds[random.below(6)];
            let seconds = match random.below(8) {
                0 => json!(1e30),
                1 => Json::Null,
                _ => json!(random.below(5_000)),
            };
            let outcome = if random.below(2) == 0 { "resolved" } else { "failed" };
            let mut dimensions = json!({ "org_unit": if random.below(2) == 0 { "support" } else { "sales" } });
            if random.below(4) > 0 {
                dimensions["channel"] = json!(["web", "email"][random.below(2)]);
            }
            event(&number.to_string(), kind, &at.to_rfc3339(), json!({ "dimensions": dimensions,
                "payload": { "handleSec": seconds, "responseSec": 5, "outcome": outcome, "score": 4, "agentId": "a" } }))
        })
        .collect();
    let answer = app.ingest(&app.alpha.admin.key, &json!(events)).await;
    assert_eq!(answer["accepted"], 400);
    app.fold().await;
}

async fn lineage(app: &TestApp, key: &str, arguments: &str) -> Json {
    let query = format!(
        "{{ metricLineage(first: 1000, {arguments}) {{ totalCount nodes {{ eventId metric value \
        occurredAt eventType dimensions event {{ id status payload }} }} }} }}"
    );
    app.data(key, &query, json!({})).await["metricLineage"].take()
}

fn sum(rows: &Json, metric: &str) -> f64 {
    let rows = rows["nodes"].as_array().unwrap().iter();
    rows.filter(|row| row["metric"] == metric).map(|row| row["value"].as_f64().unwrap()).sum()
}

const POINT: &str = r#"metric: "tickets_created", time: "2018-11-04T12:00:00Z""#;

async fn tickets(app: &TestApp) {
    let of = |id: &str, kind: &str, unit: &str, channel: &str| {
        event(
            id,
            kind,
            "2018-11-04T15:00:00Z",
            json!({ "payload": { "handleSec": 10 }, "dimensions": { "channel": channel, "org_unit": unit } }),
        )
    };
    let sent = json!([
        of("1", "ticket.created", "support", "web"),
        of("2", "ticket.created", "sales", "web"),
        of("3", "ticket.created", "support", "email"),
        of("4", "ticket.resolved", "support", "web")
    ]);
    assert_eq!(app.ingest(&app.alpha.admin.key, &sent).await["accepted"], 4);
    app.fold().await;
}

both_databases! {
    async fn any_point_is_the_sum_of_its_events(app: TestApp) {
        let mut random = Random::new(4_711);
        random_events(&app, &mut random).await;
        let key = &app.alpha.admin.key;
        let mut checked = 0;
        for (metric, part) in [("tickets_created", "tickets_created"), ("handle_time.sum", "handle_time"),
            ("backlog", "backlog"), ("automation_failures", "automation_failures"), ("csat.sum", "csat"),
            ("sla_breach_rate", "sla_breaches")] {
            for (granularity, zone) in [("DAILY", "America/Sao_Paulo"), ("HOURLY", "Asia/Kathmandu"), ("WEEKLY", "UTC")] {
                let asked = format!(r#"granularity: {granularity}, timeZone: "{zone}", only: {{ channel: ["web", "email"] }}"#);
                let rows = app.series(key, &format!(r#"metrics: ["{metric}"], {asked}, by: ["channel"], fill: false,
                    from: "2018-10-22T00:00:00Z", to: "2018-11-18T00:00:00Z""#)).await;
                let rows = rows.as_array().unwrap();
                let point = &rows[random.below(rows.len())];
                let name = metric.split('.').next().unwrap();
                let labels = format!(r#"{{ channel: {} }}"#, point["labels"]["channel"]);
                let found = lineage(&app, key, &format!("metric: \"{name}\", time: {}, labels: {labels}, {asked}", point["time"])).await;
                match metric {
                    // Both parts, and what it comes to.
                    "sla_breach_rate" => {
                        let rate = 100.0 * sum(&found, part) / sum(&found, "tickets_created");
                        let value = point["value"].as_f64();
                        assert!(value.is_none_or(|value| (value - rate).abs() < 1e-9), "{point} {found}");
                    }
                    _ => assert_eq!(sum(&found, part), point["value"].as_f64().unwrap(), "{metric} {point} {found}"),
                }
                let of_part = found["nodes"].as_array().unwrap().iter().filter(|row| row["metric"] == part).count();
                if metric != "backlog" {
                    assert_eq!(json!(of_part), point["events"], "{metric} {point}");
                    assert!(found["nodes"].as_array().unwrap().iter().all(|row| row["event"]["status"] == "processed"));
                }
                checked += of_part;
            }
        }
        assert!(checked > 100, "{checked}");
    }

    async fn a_point_is_named_by_its_labels(app: TestApp) {
        tickets(&app).await;
        let key = &app.alpha.admin.key;
        let count = async |more: &str| lineage(&app, key, &format!("{POINT}{more}")).await["totalCount"].take();
        assert_eq!(count("").await, 3);
        assert_eq!(count(r#", labels: { channel: "web" }"#).await, 2);
        assert_eq!(count(r#", labels: { channel: "web", org_unit: "sales" }"#).await, 1);
        assert_eq!(count(r#", labels: { channel: null }"#).await, 0);
        assert_eq!(count(r#", only: { org_unit: "support" }"#).await, 2);
        let rows = lineage(&app, key, &format!(r#"{POINT}, labels: {{ channel: "email" }}"#)).await;
        assert_eq!(rows["nodes"][0]["dimensions"], json!({ "channel": "email", "org_unit": "support" }));
        // A page at a time, and filtered.
        let page = format!(r#"{{ metricLineage({POINT}, first: 2) {{ nodes {{ eventId }} pageInfo {{ hasNextPage endCursor }} }} }}"#);
        let page = app.data(key, &page, json!({})).await["metricLineage"].take();
        assert_eq!(page["pageInfo"]["hasNextPage"], true);
        let rest = format!(r#"{{ metricLineage({POINT}, first: 2, after: {}) {{ nodes {{ eventId }} pageInfo {{ hasNextPage }} }} }}"#,
            page["pageInfo"]["endCursor"]);
        let rest = app.data(key, &rest, json!({})).await["metricLineage"].take();
        assert_eq!(rest["nodes"].as_array().unwrap().len(), 1);
        assert_eq!(rest["pageInfo"]["hasNextPage"], false);
        let odd = format!(r#"{{ metricLineage({POINT}, labels: {{ colour: "red" }}) {{ totalCount }} }}"#);
        assert_eq!(app.refusal_of(key, &odd, json!({})).await, ("INVALID".to_owned(), Some("labels".to_owned())));
    }

    /// Rows follow from the numbers that one may see, and what events say from the right to events.
    async fn events_are_of_whom_a_role_reaches(app: TestApp) {
        tickets(&app).await;
        let seller = &app.alpha.comercial;
        let unit = app.create(&app.alpha.admin.key, "OrgUnit", json!({ "name": "Suporte", "code": "support" })).await;
        let update = json!({ "id": seller.id, "input": { "orgUnitId": unit } });
        app.done(&app.alpha.admin.key, "userUpdate", update, "{ id }").await;
        let with = async |rights: Json| app.key_with(&app.alpha, seller.id, rights).await;
        let of_unit = with(json!({ "analytics": { "read": "org_unit" }, "events": { "read": "own" } })).await;
        let rows = lineage(&app, &of_unit, POINT).await;
        assert_eq!(rows["totalCount"], 2, "{rows}");
        let rows = rows["nodes"].as_array().unwrap();
        // What came from outside was done by nobody here, so it is not one of the caller's own events.
        assert!(rows.iter().all(|row| row["event"].is_null() && row["dimensions"]["org_unit"] == "support"), "{rows:?}");
        let query = format!("{{ metricLineage({POINT}) {{ totalCount }} }}");
        for rights in [json!({ "analytics": { "read": "all" } }), json!({ "events": { "read": "all" } }),
            json!({ "analytics": { "read": "all" }, "events": { "read": "all", "fields": { "payload": "hidden" } } })] {
            let key = with(rights.clone()).await;
            assert_eq!(app.error_code(&key, &query, json!({})).await, "FORBIDDEN", "{rights}");
        }
        let crm = r#"{ metricLineage(metric: "leads_created", time: 0) { totalCount } }"#;
        assert_eq!(app.error_code(&of_unit, crm, json!({})).await, "FORBIDDEN");
        assert_eq!(lineage(&app, &app.beta.admin.key, POINT).await["totalCount"], 0);
    }

    async fn more_than_is_listed_is_said(app: TestApp) {
        let key = &app.alpha.admin.key;
        for part in 0..11 {
            let events: Json = (0..if part < 10 { 1_000 } else { 1 }).map(|number| event(&format!("{part} {number}"),
                "ticket.created", "2018-11-04T15:00:00Z", json!({}))).collect();
            app.ingest(key, &events).await;
        }
        app.fold().await;
        let query = format!("{{ metricLineage({POINT}) {{ totalCount }} }}");
        assert_eq!(app.error_code(key, &query, json!({})).await, "LIMIT_EXCEEDED");
    }
}
