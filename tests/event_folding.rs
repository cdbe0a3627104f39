//! Events become snapshots: once each, whoever folds and however often, and what cannot be folded
//! stands apart.

use chrono::TimeDelta;
use pulso::access::SystemHandle;
use pulso::analytics::rollup::{folder, verify};
use pulso::db::{Statement, Value, migrate};
use serde_json::{Value as Json, json};

use crate::support::ingesting::event;
use crate::support::{TestApp, both_databases};

async fn one(app: &TestApp, sql: &str) -> Json {
    let conn = app.app.db.single_read().await.unwrap();
    let system = SystemHandle::for_tenant(app.alpha.id);
    let sql = sql.replace('?', &conn.dialect().placeholder(1));
    let statement = Statement::new(sql, vec![Value::Id(app.alpha.id)]);
    let row = conn.row(&system, &statement).await.unwrap().unwrap();
    row.text(0).unwrap().map_or(Json::Null, Json::String)
}

fn resolved(id: &str, at: &str, seconds: impl Into<Json>) -> Json {
    event(
        id,
        "ticket.resolved",
        at,
        json!({ "payload": { "handleSec": seconds.into(), "agentId": "a" },
        "dimensions": { "channel": "whatsapp" } }),
    )
}

both_databases! {
    async fn one_bad_event_stops_no_other(app: TestApp) {
        let key = &app.alpha.admin.key;
        let at = "2026-03-10T11:00:00Z";
        let events = json!([resolved("1", at, 10), resolved("2", at, 1e30),
            resolved("3", at, 30), event("4", "nobody.knows", at, json!({}))]);
        app.ingest(key, &events).await;
        app.fold().await;
        let count = r#"metrics: ["tickets_resolved", "handle_time.sum"], from: "2026-03-10T03:00:00Z""#;
        let rows = app.series(key, count).await;
        // In all of its metrics, or in none.
        assert_eq!((&rows[0]["value"], &rows[1]["value"]), (&json!(2.0), &json!(40.0)));
        let error = one(&app, "SELECT error FROM event_failures WHERE tenant_id = ?").await;
        assert_eq!(error, "payload.handleSec is no number in range");
        let state = one(&app, "SELECT min(state) FROM event_batches WHERE tenant_id = ?").await;
        assert_eq!(state, "processed");
        app.snapshots_agree().await;
    }

    async fn late_events_correct_their_buckets(app: TestApp) {
        let key = &app.alpha.admin.key;
        app.ingest(key, &json!([resolved("1", "2026-03-10T11:00:00Z", 1)])).await;
        app.fold().await;
        for (id, at) in [("2", "2026-03-10T11:00:30Z"), ("3", "2016-02-29T23:59:59Z")] {
            app.ingest(key, &json!([resolved(id, at, 1)])).await;
            app.fold().await;
        }
        let ask = |from: &str| format!(
            r#"metrics: ["tickets_resolved"], from: "{from}", to: "2026-03-10T12:00:00Z", granularity: MONTHLY, fill: false"#);
        let rows = app.series(key, &ask("2016-01-01T00:00:00Z")).await;
        let values: Vec<&Json> = rows.as_array().unwrap().iter().map(|row| &row["value"]).collect();
        assert_eq!(values, [&json!(1.0), &json!(2.0)]);
        let revision = one(&app, "SELECT CAST(max(revision) AS text) FROM snapshots WHERE tenant_id = ?").await;
        assert_eq!(revision, "2");
        app.snapshots_agree().await;
    }

    async fn more_batches_than_a_pass_takes_are_folded_in_several(app: TestApp) {
        let key = &app.alpha.admin.key;
        // A pass takes a hundred of a lane.
        for number in 0..103 {
            app.ingest(key, &json!([resolved(&number.to_string(), "2026-03-10T11:00:00Z", 1)])).await;
        }
        app.ingest(&app.beta.admin.key, &json!([resolved("1", "2026-03-10T11:00:00Z", 1)])).await;
        assert_eq!(app.fold().await, 104);
        app.snapshots_agree().await;
    }

    async fn measurements_say_how_far_folding_is_behind(app: TestApp) {
        let shown = async || {
            folder::measure(&app.app).await.unwrap();
            let text = app.get("/metrics").await.text();
            let of = |name: &str| {
                let line = text.lines().find(|line| line.starts_with(&format!("{name} ")));
                line.unwrap().rsplit(' ').next().unwrap().parse::<f64>().unwrap()
            };
            (of("pulso_events_unfolded"), of("pulso_events_unfolded_age_seconds"))
        };
        assert_eq!(shown().await, (0.0, 0.0));
        let at = "2026-03-10T11:00:00Z";
        app.ingest(&app.alpha.admin.key, &json!([resolved("1", at, 1), resolved("2", at, 1)])).await;
        app.ingest(&app.beta.admin.key, &json!([resolved("1", at, 1)])).await;
        app.app.clock.advance(TimeDelta::seconds(90));
        assert_eq!(shown().await, (3.0, 90.0));
        app.fold().await;
        assert_eq!(shown().await, (0.0, 0.0));
    }

    async fn two_who_fold_at_once_count_nothing_twice(app: TestApp) {
        let key = &app.alpha.admin.key;
        for request in 0..10 {
            let events: Json = (0..50).map(|number| resolved(&format!("{request}-{number}"),
                "2026-03-10T11:00:00Z", number)).collect();
            app.ingest(key, &events).await;
        }
        let other = crate::support::app::build(&app.database.db, app.database.url(), app.app.clock.clone());
        let (one, two, three) = futures::join!(
            folder::fold_all(&app.app), folder::fold_all(&other), folder::fold_all(&app.app));
        // Whoever finds the tenant taken goes on to the next.
        let folded = one.unwrap() + two.unwrap() + three.unwrap() + app.fold().await;
        let rows = app.series(key, r#"metrics: ["tickets_resolved"], from: "2026-03-10T03:00:00Z""#).await;
        assert_eq!(rows[0]["value"], 500.0);
        assert!(folded >= 500, "{folded}");
        let report = app.snapshots_agree().await;
        assert!(report.events >= 500, "{report:?}");
        assert_eq!(app.fold().await, 0);
    }

    async fn verification_finds_what_was_changed(app: TestApp) {
        let key = &app.alpha.admin.key;
        let events = json!([resolved("1", "2026-03-10T11:00:00Z", 10),
            resolved("2", "2026-03-09T11:00:00Z", 20)]);
        app.ingest(key, &events).await;
        app.fold().await;
        let whole = app.snapshots_agree().await;
        assert!(whole.buckets > 0, "{whole:?}");
        // Events that wait are no difference.
        app.ingest(key, &json!([resolved("3", "2026-03-10T11:00:00Z", 10)])).await;
        app.snapshots_agree().await;
        app.tamper_with("UPDATE snapshots SET buckets = replace(buckets, 'c|1', 'c|7') WHERE tenant_id = ? AND grain = 'hour' \
            AND buckets LIKE '% c|1' AND starts_at = (SELECT max(starts_at) FROM snapshots WHERE grain = 'hour')").await;
        let report = verify::verify(&app.app, app.alpha.id).await.unwrap();
        assert!(report.wrong > 0 && report.findings[0].starts_with("hour"), "{report:?}");
        // The number beside the buckets counts too.
        assert!(report.findings.iter().any(|finding| finding.contains("a row whose events")), "{report:?}");
    }

    async fn a_batch_without_all_of_its_events_waits_and_says_why(app: TestApp) {
        let key = &app.alpha.admin.key;
        app.fold().await;
        app.ingest(key, &json!([resolved("1", "2026-03-10T11:00:00Z", 10),
            resolved("2", "2026-03-10T11:00:00Z", 10)])).await;
        app.tamper_with("DELETE FROM events WHERE tenant_id = ? AND id = (SELECT event_id FROM event_ids WHERE id = '1')").await;
        assert!(folder::fold_all(&app.app).await.is_err());
        let error = one(&app, "SELECT max(error) FROM event_batches WHERE tenant_id = ?").await;
        assert!(error.as_str().unwrap().contains("batches say 2 events, and the log has 1"), "{error}");
        // It is put off, and does not stop what comes after it.
        app.ingest(key, &json!([resolved("3", "2026-03-10T11:00:00Z", 10)])).await;
        assert_eq!(app.fold().await, 1);
        app.app.clock.advance(TimeDelta::minutes(1));
        assert!(folder::fold_all(&app.app).await.is_err());
    }

    async fn a_change_of_how_rows_are_kept_makes_them_anew(app: TestApp) {
        let key = &app.alpha.admin.key;
        let events = json!([resolved("1", "2026-03-10T11:00:00Z", 10), resolved("2", "2026-03-09T11:00:00Z", 20),
            resolved("3", "2026-03-10T11:00:00Z", 1e30)]);
        app.ingest(key, &events).await;
        app.fold().await;
        let before = app.snapshots_agree().await;
        let db = app.database.db.migration_connection();
        let names: Vec<&str> = migration::steps().iter().map(|step| step.name).collect();
        let later = names.iter().skip_while(|name| !name.ends_with("snapshot_rows")).count();
        migrate::down(&db, u32::try_from(later).unwrap()).await.unwrap();
        migrate::up(&db).await.unwrap();
        assert_eq!(one(&app, "SELECT CAST(count(*) AS text) FROM snapshots WHERE tenant_id = ?").await, "0");
        app.fold().await;
        assert_eq!(app.snapshots_agree().await, before);
        let failed = one(&app, "SELECT CAST(count(*) AS text) FROM event_failures WHERE tenant_id = ?").await;
        assert_eq!(failed, "1");
    }

    async fn minutes_go_after_two_days_and_hours_stay(app: TestApp) {
        let key = &app.alpha.admin.key;
        app.ingest(key, &json!([resolved("1", "2026-03-10T11:00:00Z", 10)])).await;
        app.fold().await;
        let minutes = "SELECT CAST(count(*) AS text) FROM snapshots WHERE tenant_id = ? AND grain = 'minute'";
        assert_ne!(one(&app, minutes).await, "0");
        app.app.clock.advance(TimeDelta::hours(49));
        folder::sweep(&app.app).await.unwrap();
        assert_eq!(one(&app, minutes).await, "0");
        // An event that comes later still has no minutes.
        app.ingest(key, &json!([resolved("2", "2026-03-10T11:00:00Z", 10)])).await;
        app.fold().await;
        assert_eq!(one(&app, minutes).await, "0");
        let rows = app.series(key, r#"metrics: ["tickets_resolved"], from: "2026-03-10T03:00:00Z", to: "2026-03-11T03:00:00Z""#).await;
        assert_eq!(rows[0]["value"], 2.0);
        app.snapshots_agree().await;
    }
}
