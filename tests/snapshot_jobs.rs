//! Snapshots counted again from the log: the same bytes, whoever folds meanwhile, and whatever somebody
//! did to them behind the server's back.

use pulso::analytics::rollup::auditor::{self, Audited};
use pulso::db::Value;
use pulso::jobs::worker;
use serde_json::{Value as Json, json};
use uuid::Uuid;

use crate::support::ingesting::event;
use crate::support::{TestApp, both_databases};

/// Rows as they are, but for how often they were written.
async fn snapshots(app: &TestApp) -> Vec<String> {
    let sql = "SELECT grain, starts_at, events, buckets, id FROM snapshots WHERE tenant_id = ? ORDER BY id";
    let rows = app.read_sql(&app.alpha, sql, Vec::new()).await;
    let text = |row: &pulso::db::Row| {
        let (grain, at) = (row.text(0).unwrap().unwrap(), row.instant(1).unwrap().unwrap());
        let (events, buckets) = (row.int(2).unwrap().unwrap(), row.text(3).unwrap().unwrap());
        format!("{} {grain} {at} {events} {buckets}", row.required_id(4).unwrap())
    };
    rows.iter().map(text).collect()
}

#[track_caller]
fn same(now: &[String], before: &[String]) {
    let difference = now.iter().zip(before).find(|(now, before)| now != before);
    assert_eq!((difference, now.len()), (None, before.len()));
}

/// Asks for a job and has it done: its result.
async fn done(app: &TestApp, mutation: &str) -> Json {
    let key = &app.alpha.admin.key;
    let asked = app.data(key, &format!("mutation {{ id: {mutation} }}"), json!({})).await;
    app.work().await;
    let query = format!("{{ job(id: {}) {{ state result error }} }}", asked["id"]);
    let mut job = app.data(key, &query, json!({})).await["job"].take();
    assert_eq!(job["state"], "DONE", "{mutation}: {job:#}");
    job["result"].take()
}

fn resolved(id: &str, at: &str, channel: &str, seconds: i64) -> Json {
    event(
        id,
        "ticket.resolved",
        at,
        json!({
        "payload": { "handleSec": seconds, "agentId": format!("a{}", seconds % 7) },
        "dimensions": { "channel": channel } }),
    )
}

/// Events of many days and channels, some of them late, some that cannot be folded.
async fn some_history(app: &TestApp) {
    let key = &app.alpha.admin.key;
    for round in 0..4_i64 {
        let events: Vec<Json> = (0..40_i64)
            .map(|number| {
                let (day, hour, minute) =
                    (2 + (number * 7 + round) % 8, (number * 5) % 24, (number * 13) % 60);
                let at = format!("2026-03-{day:02}T{hour:02}:{minute:02}:07Z");
                resolved(
                    &format!("{round}-{number}"),
                    &at,
                    ["whatsapp", "mail", "voice"][usize::try_from(number % 3).unwrap()],
                    number * 11,
                )
            })
            .collect();
        app.ingest(key, &json!(events)).await;
        app.fold().await;
    }
    let at = "2026-03-10T11:07:00Z";
    let bad = event("bad", "ticket.resolved", at, json!({ "payload": { "handleSec": 1e30 } }));
    app.ingest(
        key,
        &json!([
            bad,
            resolved("old", "2019-02-16T23:59:59Z", "mail", 5),
            resolved("now", at, "mail", 5)
        ]),
    )
    .await;
    app.fold().await;
}

both_databases! {
    async fn a_rebuild_gives_the_bytes_that_folding_gave(app: TestApp) {
        some_history(&app).await;
        let before = snapshots(&app).await;
        assert!(before.len() > 50);
        // Nothing is wrong: nothing is written.
        let events = done(&app, "snapshotRebuild").await;
        assert_eq!(events, json!({ "events": 162, "rowsChanged": 0 }));
        same(&snapshots(&app).await, &before);
        // All kinds of wrong.
        app.tamper_with("DELETE FROM snapshots WHERE tenant_id = ? AND grain = 'quarter'").await;
        app.tamper_with("UPDATE snapshots SET buckets = replace(buckets, '|1', '|2') WHERE tenant_id = ? AND grain = 'day'").await;
        app.tamper_with("UPDATE snapshots SET events = events + 1 WHERE tenant_id = ? AND grain = 'hour'").await;
        // Minutes that are about to go are nobody's business.
        let minutes = "UPDATE snapshots SET buckets = 'nonsense' WHERE tenant_id = ? AND grain = 'minute' AND starts_at >= ?";
        let yesterday = Value::Instant("2026-03-09T00:00:00Z".parse().unwrap());
        assert!(app.write_sql(minutes, vec![Value::Id(app.alpha.id), yesterday]).await > 0);
        let stray = "INSERT INTO snapshots (tenant_id, id, series_id, grain, starts_at, events, buckets, revision, updated_at) \
            SELECT tenant_id, ?, ?, grain, starts_at, events, buckets, 1, updated_at FROM snapshots WHERE tenant_id = ? AND grain = 'hour' LIMIT 1";
        let (one, two) = (Value::Id(Uuid::from_u128(1)), Value::Id(Uuid::from_u128(2)));
        app.write_sql(stray, vec![one, two, Value::Id(app.alpha.id)]).await;
        let found = done(&app, "snapshotVerify").await;
        assert!(found["wrong"].as_i64().unwrap() > 100, "{found:#}");
        assert!(found["findings"].as_array().unwrap().len() <= 20);
        done(&app, "snapshotRebuild").await;
        same(&snapshots(&app).await, &before);
        app.snapshots_agree().await;
    }

    async fn a_recount_of_days_leaves_the_others_alone(app: TestApp) {
        some_history(&app).await;
        let before = snapshots(&app).await;
        app.tamper_with("UPDATE snapshots SET buckets = replace(buckets, ' s|', ' s|9'), events = events + 9 \
            WHERE tenant_id = ? AND grain <> 'minute'").await;
        app.tamper_with("UPDATE snapshots SET buckets = replace(buckets, ' c|', ' c|9'), events = events + 9 \
            WHERE tenant_id = ? AND grain <> 'minute'").await;
        // From the afternoon of the fourth to the morning of the fifth: two days of São Paulo.
        let window = r#"from: "2026-03-04T18:00:00Z", to: "2026-03-05T12:00:00Z""#;
        let wrong = |found: &Json| found["wrong"].as_i64().unwrap();
        let of_days = wrong(&done(&app, &format!("snapshotVerify({window})")).await);
        let of_all = wrong(&done(&app, "snapshotVerify").await);
        assert!(of_days > 0 && of_all > of_days, "{of_days} {of_all}");
        // First one metric, then those of a scope, then the others.
        done(&app, &format!("snapshotRecalc({window}, metrics: [\"tickets_resolved\"])")).await;
        let of_others = wrong(&done(&app, &format!("snapshotVerify({window})")).await);
        assert!(of_others > 0 && of_others < of_days, "{of_others} {of_days}");
        done(&app, &format!("snapshotRecalc({window}, scope: \"agent\")")).await;
        let but_agents = wrong(&done(&app, &format!("snapshotVerify({window})")).await);
        assert!(but_agents > 0 && but_agents < of_others, "{but_agents} {of_others}");
        done(&app, &format!("snapshotRecalc({window})")).await;
        let left = done(&app, &format!("snapshotVerify({window})")).await;
        assert_eq!(left["wrong"], 0, "{left:#}");
        let of_rest = wrong(&done(&app, "snapshotVerify").await);
        assert!(of_rest > 0 && of_rest < of_all, "{of_rest} {of_all}");
        done(&app, r#"snapshotRecalc(from: "2019-01-01T00:00:00Z", to: "2026-03-12T00:00:00Z")"#).await;
        same(&snapshots(&app).await, &before);
        app.snapshots_agree().await;
    }

    async fn events_that_come_during_a_recount_count_once(app: TestApp) {
        some_history(&app).await;
        let key = &app.alpha.admin.key;
        let ask = r#"mutation { one: snapshotRecalc(from: "2026-03-01T00:00:00Z", to: "2026-03-11T00:00:00Z") two: snapshotRebuild }"#;
        app.data(key, ask, json!({})).await;
        let coming = async {
            for request in 0..30_i64 {
                let events: Vec<Json> = (0..5_i64).map(|number| resolved(&format!("new-{request}-{number}"),
                    &format!("2026-03-{:02}T{:02}:30:00Z", 2 + (request + number) % 8, request % 24), "mail", number)).collect();
                app.ingest(key, &json!(events)).await;
                pulso::analytics::rollup::folder::fold_all(&app.app).await.unwrap();
            }
        };
        let (ran, ()) = futures::join!(worker::run_due(&app.app), coming);
        assert_eq!(ran.unwrap() + app.work().await, 2);
        app.fold().await;
        app.snapshots_agree().await;
        let rows = app.series(key, r#"metrics: ["tickets_resolved"], from: "2026-01-01T03:00:00Z", to: "2026-04-01T03:00:00Z", granularity: MONTHLY, fill: false"#).await;
        assert_eq!(rows[0]["value"], 160.0 + 1.0 + 150.0);
    }

    async fn the_auditor_finds_what_was_changed_and_what_is_missing(app: TestApp) {
        some_history(&app).await;
        let rounds = async |wanted: usize| {
            let mut sum = Audited::default();
            for _round in 0..wanted {
                let found = auditor::audit_some(&app.app).await.unwrap();
                sum.agree += found.agree;
                sum.differ += found.differ;
            }
            sum
        };
        let right = rounds(20).await;
        assert!(right.agree > 20 && right.differ == 0, "{right:?}");
        app.tamper_with("UPDATE snapshots SET buckets = replace(buckets, '|', '|1') WHERE tenant_id = ? AND grain = 'hour'").await;
        assert!(rounds(20).await.differ > 0);
        done(&app, "snapshotRebuild").await;
        assert_eq!(rounds(20).await.differ, 0);
        app.tamper_with("DELETE FROM snapshots WHERE tenant_id = ? AND grain <> 'minute'").await;
        assert!(rounds(20).await.differ > 0);
        let metrics = app.get("/metrics").await.text();
        assert!(metrics.contains("pulso_snapshot_audits_total{found=\"differs\"}"), "{metrics}");
    }

    async fn a_recount_is_of_one_tenant(app: TestApp) {
        some_history(&app).await;
        let before = snapshots(&app).await;
        let theirs = "mutation { snapshotRebuild }";
        app.data(&app.beta.admin.key, theirs, json!({})).await;
        app.work().await;
        same(&snapshots(&app).await, &before);
    }
}
