//! The log of events and the snapshots as callers read them: what happened, what became of it, and
//! only what they may see.

use pulso::analytics::rollup::folder;
use serde_json::{Value as Json, json};

use crate::support::ingesting::event;
use crate::support::{TestApp, both_databases};

const AT: &str = "2026-03-10T11:00:00Z";

async fn events(app: &TestApp, key: &str, arguments: &str) -> Vec<Json> {
    let query = format!(
        "{{ analyticsEvents({arguments}) {{ nodes {{ eventType sourceId status error attempts \
         processingMs payload dimensions occurredAt }} }} }}"
    );
    let mut answer = app.data(key, &query, json!({})).await;
    answer["analyticsEvents"]["nodes"].as_array_mut().unwrap().drain(..).collect()
}

both_databases! {
    async fn an_event_says_what_became_of_it(app: TestApp) {
        let key = &app.alpha.admin.key;
        app.fold().await;
        let sent = json!([
            event("good", "ticket.created", AT, json!({ "dimensions": { "channel": "web" }, "payload": { "a": 1 } })),
            event("bad", "ticket.resolved", "2026-03-10T10:00:00Z", json!({ "payload": { "handleSec": 1e30 } })),
        ]);
        assert_eq!(app.ingest(key, &sent).await["accepted"], 2);
        let list = r#"filter: { module: { eq: "tickets" } }"#;
        let waiting = events(&app, key, list).await;
        assert_eq!(waiting.len(), 2);
        assert!(waiting.iter().all(|event| event["status"] == "queued"), "{waiting:?}");
        assert_eq!((&waiting[0]["sourceId"], &waiting[0]["attempts"]), (&json!("good"), &json!(0)));

        app.fold().await;
        let done = events(&app, key, list).await;
        assert_eq!((&done[0]["status"], &done[0]["error"]), (&json!("processed"), &Json::Null));
        assert_eq!(done[0]["payload"], json!({ "a": 1 }));
        assert!(done[0]["processingMs"].is_i64(), "{done:?}");
        assert_eq!((&done[1]["status"], &done[1]["attempts"]), (&json!("failed"), &json!(1)));
        assert_eq!(done[1]["error"], "payload.handleSec is no number in range");
        let web = r#"filter: { dimensions: { path: ["channel"], eq: "web" } }"#;
        assert_eq!(events(&app, key, web).await.len(), 1);
        let oldest = r#"filter: { module: { eq: "tickets" } }, orderBy: [{ field: OCCURRED_AT, direction: ASC }]"#;
        assert_eq!(events(&app, key, oldest).await[0]["sourceId"], "bad");
        assert!(events(&app, &app.beta.admin.key, list).await.is_empty());
    }

    async fn what_happened_to_a_record_shows_what_one_may_read_of_it(app: TestApp) {
        let key = &app.alpha.admin.key;
        let mut deal = app.least(&app.alpha, "Deal").await;
        deal["value"] = json!("10.00");
        app.create(key, "Deal", deal).await;
        let list = r#"filter: { eventType: { eq: "deal.created" } }"#;
        let whole = events(&app, key, list).await;
        assert_eq!(whole[0]["payload"]["after"]["value"], "10.00", "{whole:?}");
        let user = app.alpha.agente_ia.id;
        let sees = async |deals: Json| {
            let rights = json!({ "events": { "read": "all" }, "deals": deals });
            let key = app.key_with(&app.alpha, user, rights).await;
            events(&app, &key, list).await.remove(0)["payload"].take()
        };
        let masked = sees(json!({ "read": "all", "fields": { "value": "hidden" } })).await;
        assert_eq!(masked["after"].get("value"), None, "{masked}");
        assert!(masked["after"].get("status").is_some(), "{masked}");
        for less in [json!({ "read": "own" }), json!({})] {
            let payload = sees(less).await;
            assert_eq!(payload.as_object().unwrap().keys().collect::<Vec<_>>(), ["id"]);
        }
        // Of one's own deeds only.
        let own = app.key_with(&app.alpha, user, json!({ "events": { "read": "own" } })).await;
        assert!(events(&app, &own, list).await.is_empty());
    }

    async fn snapshots_show_a_scope_together(app: TestApp) {
        let key = &app.alpha.admin.key;
        let of = |id: &str, kind: &str, at: &str, channel: &str| {
            event(id, kind, at, json!({ "dimensions": { "channel": channel },
                "payload": { "handleSec": 30, "agentId": "a" } }))
        };
        let sent = json!([
            of("1", "ticket.created", "2026-03-09T12:00:00Z", "web"),
            of("2", "ticket.created", "2026-03-10T11:00:00Z", "web"),
            of("3", "ticket.created", "2026-03-10T11:00:00Z", "email"),
            of("4", "ticket.resolved", "2026-03-10T11:30:00Z", "web"),
        ]);
        app.ingest(key, &sent).await;
        folder::fold_all(&app.app).await.unwrap();
        let ask = |more: &str| format!(
            r#"{{ analyticsSnapshots(scope: "ticket", from: "2026-03-09T03:00:00Z", by: ["channel"]{more}) {{
            totalCount nodes {{ id scope granularity periodStartAt periodEndAt dimensionKeys metrics events }} }} }}"#);
        let answer = app.data(key, &ask(""), json!({})).await;
        let list = &answer["analyticsSnapshots"];
        assert_eq!(list["totalCount"], 3);
        let web = list["nodes"].as_array().unwrap().iter()
            .find(|row| row["periodStartAt"] == "2026-03-10T03:00:00Z" && row["dimensionKeys"]["channel"] == "web");
        let web = web.unwrap_or_else(|| panic!("{list:#}"));
        assert_eq!(web["periodEndAt"], "2026-03-11T03:00:00Z");
        assert_eq!((&web["metrics"]["tickets_created"], &web["metrics"]["tickets_resolved"]),
            (&json!(1.0), &json!(1.0)));
        assert!((web["metrics"]["handle_time"].as_f64().unwrap() - 30.0).abs() < 0.31);
        assert_eq!(web["metrics"]["backlog"], 1.0);
        // Pages and orders as every list has them, and the same ids again.
        let first = app.data(key, &ask(", first: 1, orderBy: [{ field: PERIOD_START_AT, direction: ASC }]"), json!({})).await;
        assert_eq!(first["analyticsSnapshots"]["nodes"][0]["periodStartAt"], "2026-03-09T03:00:00Z");
        let again = app.data(key, &ask(""), json!({})).await;
        assert_eq!(again["analyticsSnapshots"], *list);
        let none = r#"{ analyticsSnapshots(scope: "weather", from: 0) { totalCount } }"#;
        assert_eq!(app.refusal_of(key, none, json!({})).await, ("NOT_FOUND".to_owned(), Some("scope".to_owned())));
        let odd = r#"{ analyticsSnapshots(scope: "crm", from: 0, by: ["channel"]) { totalCount } }"#;
        assert_eq!(app.refusal_of(key, odd, json!({})).await, ("INVALID".to_owned(), Some("by".to_owned())));
    }
}
