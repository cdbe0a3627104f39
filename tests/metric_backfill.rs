//! The history of a tenant's own metric is counted by a job, some days at a time, while events go on
//! being folded: whatever happens meanwhile, each event counts once.

use pulso::analytics::rollup::auditor;
use pulso::jobs::worker::{self, Left};
use serde_json::{Value as Json, json};

use crate::support::ingesting::event;
use crate::support::writing::code;
use crate::support::{TestApp, both_databases};

fn order(id: &str, at: &str, amount: i64) -> Json {
    let at = format!("{at}T12:00:00Z");
    event(id, "order.paid", &at, json!({ "module": "growth", "payload": { "amount": amount } }))
}

async fn send(app: &TestApp, orders: Json) {
    app.ingest(&app.alpha.admin.key, &orders).await;
    app.fold().await;
}

/// Makes the metric: its id.
async fn create(app: &TestApp) -> String {
    let metric = json!({ "name": "paid", "label": "Paid", "aggregation": "SUM", "valueField": "amount",
        "sources": [{ "eventType": "order.paid" }] });
    app.create(&app.alpha.admin.key, "CustomMetric", metric).await.to_string()
}

/// Its state, and the job that counts its history.
async fn state(app: &TestApp, id: &str) -> (String, Option<String>) {
    let query = format!("{{ customMetric(id: \"{id}\") {{ state jobId }} }}");
    let mut metric = app.data(&app.alpha.admin.key, &query, json!({})).await["customMetric"].take();
    let text = |value: &Json| value.as_str().map(str::to_owned);
    (text(&metric["state"].take()).unwrap(), text(&metric["jobId"].take()))
}

async fn job(app: &TestApp, id: &str) -> Json {
    let query = format!("{{ job(id: \"{id}\") {{ kind state done total arguments error }} }}");
    app.data(&app.alpha.admin.key, &query, json!({})).await["job"].take()
}

async fn mutate(app: &TestApp, field: &str, id: &str) -> Json {
    let selection = if field == "jobCancel" { "" } else { " { id }" };
    let query = format!("mutation {{ {field}(id: \"{id}\"){selection} }}");
    app.graphql(&app.alpha.admin.key, &query, json!({})).await
}

/// The months' numbers, from November to March.
async fn months(app: &TestApp) -> Vec<Json> {
    let asked = r#"metrics: ["paid"], from: "2025-11-01T03:00:00Z", to: "2026-04-01T03:00:00Z", granularity: MONTHLY"#;
    let rows = app.series(&app.alpha.admin.key, asked).await;
    rows.as_array().unwrap().iter().map(|row| row["value"].clone()).collect()
}

const ASKED: &str =
    r#"{ metricSeries(metrics: ["paid"], from: "2026-03-01T03:00:00Z") { nodes { value } } }"#;

both_databases! {
    async fn events_that_come_while_it_counts_count_once(app: TestApp) {
        let key = &app.alpha.admin.key;
        send(&app, json!([order("1", "2025-11-05", 1), order("2", "2025-12-20", 20),
            order("3", "2026-02-10", 300), order("4", "2026-03-10", 4_000)])).await;
        let id = create(&app).await;
        let (counting, job_id) = state(&app, &id).await;
        let job_id = job_id.expect("a job counts");
        assert_eq!(counting, "COUNTING");
        let mut taken = worker::take(&app.app, app.app.clock.new_id()).await.unwrap().expect("a job");
        assert_eq!(taken.id.to_string(), job_id);
        for _ in 0..2 {
            assert_eq!(worker::advance(&app.app, &mut taken).await.unwrap(), None);
        }
        let half = job(&app, &job_id).await;
        assert_eq!((&half["kind"], &half["state"], &half["done"]), (&json!("metric_backfill"), &json!("RUNNING"), &json!(64)));
        assert_eq!(half["arguments"], json!({ "metrics": ["paid"] }));
        // In days that are counted, in days that are not, and in one that nothing was in.
        send(&app, json!([order("5", "2025-11-05", 5), order("6", "2026-02-10", 600), order("7", "2026-01-31", 70_000)])).await;
        assert_eq!(code(&app.graphql(key, ASKED, json!({})).await), "CONFLICT");
        // Nothing would ever count it then.
        assert_eq!(code(&mutate(&app, "jobCancel", &job_id).await), "CONFLICT");
        assert_eq!(worker::run(&app.app, taken).await.unwrap(), Left::Done);
        assert_eq!(state(&app, &id).await, ("READY".to_owned(), None));
        assert_eq!(months(&app).await, [6.0, 20.0, 70_000.0, 900.0, 4_000.0].map(|value| json!(value)));
        app.snapshots_agree().await;
    }

    /// The job that was half done must not call ready what was forgotten meanwhile.
    async fn one_that_went_and_came_back_is_counted_anew(app: TestApp) {
        send(&app, json!([order("1", "2025-11-05", 1), order("2", "2026-03-10", 2)])).await;
        let id = create(&app).await;
        let (_, first) = state(&app, &id).await;
        let mut taken = worker::take(&app.app, app.app.clock.new_id()).await.unwrap().expect("a job");
        for _ in 0..3 {
            assert_eq!(worker::advance(&app.app, &mut taken).await.unwrap(), None);
        }
        for field in ["customMetricDelete", "customMetricRestore"] {
            let answer = mutate(&app, field, &id).await;
            assert!(answer.get("errors").is_none(), "{answer:#}");
        }
        assert_eq!(worker::run(&app.app, taken).await.unwrap(), Left::Done);
        let (counting, second) = state(&app, &id).await;
        assert_eq!(counting, "COUNTING");
        assert_ne!(first, second);
        app.work().await;
        assert_eq!(state(&app, &id).await, ("READY".to_owned(), None));
        assert_eq!(months(&app).await, [1.0, 0.0, 0.0, 0.0, 2.0].map(|value| json!(value)));
        app.snapshots_agree().await;
    }

    /// Where no event was ever folded, and where the first ones are folded while the job runs.
    async fn a_log_without_events_is_counted_at_once(app: TestApp) {
        let id = create(&app).await;
        app.work().await;
        assert_eq!(state(&app, &id).await, ("READY".to_owned(), None));
        send(&app, json!([order("1", "2026-03-10", 9)])).await;
        assert_eq!(months(&app).await[4], 9.0);
        app.snapshots_agree().await;
    }

    /// The auditor that always runs finds nothing wrong with days that the count has not reached.
    async fn what_is_half_counted_is_nobodys_mistake(app: TestApp) {
        send(&app, json!([order("1", "2026-03-09", 1), order("2", "2026-03-10", 2)])).await;
        create(&app).await;
        send(&app, json!([order("3", "2026-03-09", 1)])).await;
        for _ in 0..20 {
            let audited = auditor::audit_some(&app.app).await.unwrap();
            assert_eq!(audited.differ, 0, "{audited:?}");
        }
        app.snapshots_agree().await;
    }
}
