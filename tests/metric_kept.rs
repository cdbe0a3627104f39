//! Charts are made of buckets that a process keeps. Whatever is written, on whichever node: the next
//! chart is the one that a node shows which has never kept anything.

use serde_json::{Value as Json, json};

use crate::support::app::OtherApp;
use crate::support::data::Random;
use crate::support::ingesting::event;
use crate::support::{TestApp, both_databases};

const STEPS: usize = 24;
const DAYS: &str = r#"from: "2026-02-20T00:00:00Z", to: "2026-03-11T00:00:00Z""#;

/// Questions that read hours, quarters of an hour, days, several metrics, and parts of them.
fn questions() -> Vec<String> {
    let ask = |metrics: &str, more: &str| format!("metrics: [{metrics}], {DAYS}, {more}");
    vec![
        ask(r#""tickets_created""#, r#"granularity: HOURLY, by: ["channel"], limit: 1"#),
        ask(r#""tickets_created", "sla_breach_rate""#, r#"granularity: DAILY, timeZone: "UTC""#),
        ask(
            r#""handle_time.p95""#,
            r#"granularity: HOURLY, timeZone: "Asia/Kathmandu", fill: false"#,
        ),
        ask(r#""backlog""#, r#"granularity: DAILY, by: ["channel"]"#),
        ask(r#""tickets_created""#, r#"granularity: MONTHLY, only: {channel: ["c1"]}"#),
        ask(r#""tickets_created""#, r#"granularity: WEEKLY, compareTo: PREVIOUS_PERIOD"#),
    ]
}

/// What a node answers to every question.
async fn charts(node: &OtherApp, key: &str) -> Vec<Json> {
    let mut charts = Vec::new();
    for question in questions() {
        let query = format!(
            "{{ metricSeries({question}) {{ nodes {{ time metric series value events comparedValue }} }} }}"
        );
        let answer = node.graphql(key, &query, json!({})).await;
        assert!(answer.get("errors").is_none(), "{question}: {answer:#}");
        charts.push(answer["data"]["metricSeries"]["nodes"].clone());
    }
    charts
}

/// Some events on some of the days, more often than not of days gone by.
fn some_events(random: &mut Random, number: &mut usize) -> Vec<Json> {
    let count = 1 + random.below(12);
    let mut events = Vec::with_capacity(count);
    for _ in 0..count {
        *number += 1;
        let kind = *random.pick(&["ticket.created", "ticket.resolved", "sla.breached"]);
        let day =
            *random.pick(&["2026-02-21", "2026-02-28", "2026-03-01", "2026-03-09", "2026-03-10"]);
        let at = format!("{day}T{:02}:{:02}:00Z", random.below(12), random.below(60));
        let channel = format!("c{}", random.below(3));
        events.push(event(
            &number.to_string(),
            kind,
            &at,
            json!({
            "payload": { "handleSec": random.below(900) }, "dimensions": { "channel": channel } }),
        ));
    }
    events
}

both_databases! {
    async fn charts_of_two_nodes_are_those_of_a_fresh_one(app: TestApp) {
        let key = &app.alpha.admin.key;
        let nodes = [app.other_app(), app.other_app()];
        let mut random = Random::new(2_026);
        let mut number = 0;
        let mut seen = Vec::new();
        for step in 0..STEPS {
            match random.below(6) {
                0 if step > 4 => {
                    // What is in the snapshots and not in the log goes with a recount.
                    app.tamper_with("UPDATE snapshots SET events = events + 1, buckets = '0 c|9' \
                        WHERE tenant_id = ? AND id IN (SELECT s.id FROM snapshots s JOIN metric_series m \
                        ON m.tenant_id = s.tenant_id AND m.id = s.series_id \
                        WHERE m.metric = 'tickets_created' AND s.grain = 'hour')").await;
                    let mutation = "mutation { snapshotRecalc(from: \"2026-02-01T00:00:00Z\", to: \"2026-03-20T00:00:00Z\") }";
                    let asked = app.graphql(key, mutation, json!({})).await;
                    assert!(asked.get("errors").is_none(), "{asked:#}");
                    app.work().await;
                }
                _ => {
                    let events = some_events(&mut random, &mut number);
                    app.ingest(key, &json!(events)).await;
                    app.fold().await;
                }
            }
            let fresh = charts(&app.other_app(), key).await;
            for (place, node) in nodes.iter().enumerate() {
                // One of them misses some steps.
                if place == 0 || step % 3 == 0 {
                    assert_eq!(charts(node, key).await, fresh, "step {step}, node {place}");
                }
            }
            seen.push(fresh);
        }
        seen.dedup();
        assert!(seen.len() > STEPS / 2, "the charts hardly changed");
    }

    async fn what_is_kept_is_read_once(app: TestApp) {
        let key = &app.alpha.admin.key;
        app.ingest(key, &json!(some_events(&mut Random::new(7), &mut 0))).await;
        app.fold().await;
        let query = format!(
            "{{ metricSeries(metrics: [\"tickets_created\"], {DAYS}, granularity: HOURLY) {{ nodes {{ value }} }} }}"
        );
        let mut statements = Vec::new();
        for _ in 0..2 {
            let answer = app.graphql(key, &query, json!({})).await;
            statements.push(answer["extensions"]["cost"]["statements"].as_i64().unwrap());
        }
        assert_eq!(statements[0] - statements[1], 1, "the buckets are not read again: {statements:?}");
        app.ingest(key, &json!([event("late", "ticket.created", "2026-03-01T05:00:00Z", json!({}))])).await;
        app.fold().await;
        let answer = app.graphql(key, &query, json!({})).await;
        assert_eq!(answer["extensions"]["cost"]["statements"], statements[0], "a day changed");
    }

    async fn what_others_may_see_is_kept_and_not_shown(app: TestApp) {
        let key = &app.alpha.admin.key;
        let unit = app.create(key, "OrgUnit", json!({ "name": "Suporte", "code": "support" })).await;
        let seller = &app.alpha.comercial;
        app.done(key, "userUpdate", json!({ "id": seller.id, "input": { "orgUnitId": unit } }), "{ id }").await;
        let sees = app.key_with(&app.alpha, seller.id, json!({ "analytics": { "read": "org_unit" } })).await;
        let of = |id: &str, unit: &str| {
            let dimensions = json!({ "dimensions": { "org_unit": unit } });
            event(id, "ticket.created", "2026-03-01T05:00:00Z", dimensions)
        };
        app.ingest(key, &json!([of("1", "support"), of("2", "sales"), of("3", "sales")])).await;
        app.fold().await;
        let ask = format!(r#"metrics: ["tickets_created"], {DAYS}, granularity: MONTHLY"#);
        for _ in 0..2 {
            let value = async |key: &str| {
                let rows = app.series(key, &ask).await;
                let values = rows.as_array().unwrap().iter();
                values.map(|row| row["value"].as_f64().unwrap()).sum::<f64>()
            };
            assert_eq!(value(key).await, 3.0);
            assert_eq!(value(&sees).await, 1.0);
            assert_eq!(value(&app.beta.admin.key).await, 0.0);
        }
    }
}
