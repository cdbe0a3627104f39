//! Events that cannot be folded: found among all others of their batch, told apart with what is wrong,
//! and tried again when it is mended.

use pulso::db::Dialect;
use sea_orm::ConnectionTrait as _;
use serde_json::{Value as Json, json};

use crate::support::ingesting::event;
use crate::support::{TestApp, both_databases};

/// The database refuses series of this channel, until it is told to take them.
async fn refuse_poison(app: &TestApp, refuses: bool) {
    let sql = match (app.database.db.dialect(), refuses) {
        (Dialect::Postgres, true) => {
            "ALTER TABLE metric_series ADD CONSTRAINT no_poison \
            CHECK (dimensions ->> 'channel' IS DISTINCT FROM 'poison')"
        }
        (Dialect::Postgres, false) => "ALTER TABLE metric_series DROP CONSTRAINT no_poison",
        (Dialect::Sqlite, true) => {
            "CREATE TRIGGER no_poison BEFORE INSERT ON metric_series \
            WHEN new.dimensions ->> 'channel' = 'poison' BEGIN SELECT RAISE(ABORT, 'poison'); END"
        }
        (Dialect::Sqlite, false) => "DROP TRIGGER no_poison",
    };
    app.database.db.migration_connection().execute_unprepared(sql).await.unwrap();
}

fn created(id: &str, channel: &str) -> Json {
    event(
        id,
        "ticket.created",
        "2026-03-10T11:00:00Z",
        json!({ "dimensions": { "channel": channel } }),
    )
}

async fn counted(app: &TestApp) -> Json {
    let asked = r#"metrics: ["tickets_created"], from: "2026-03-10T03:00:00Z""#;
    app.series(&app.alpha.admin.key, asked).await[0]["value"].take()
}

/// Source id, status and error of the events of a status.
async fn events(app: &TestApp, status: &str) -> Vec<Json> {
    let query = "{ analyticsEvents(first: 100) { nodes { id sourceId status error } } }";
    let mut found = app.data(&app.alpha.admin.key, query, json!({})).await;
    let Json::Array(nodes) = found["analyticsEvents"]["nodes"].take() else { panic!("{found}") };
    nodes
        .into_iter()
        .filter(|node| node["status"] == status && node["sourceId"].is_string())
        .collect()
}

async fn retry(app: &TestApp, arguments: &str) -> Json {
    let query = format!(
        "mutation {{ eventsRetry({arguments}) {{ processed failed remaining results {{ id status error }} }} }}"
    );
    app.data(&app.alpha.admin.key, &query, json!({})).await["eventsRetry"].take()
}

both_databases! {
    async fn what_the_database_refuses_is_found_and_stops_nothing_else(app: TestApp) {
        app.fold().await;
        refuse_poison(&app, true).await;
        let all: Vec<Json> = (0..41).map(|number| {
            created(&number.to_string(), if [3, 17, 40].contains(&number) { "poison" } else { "mail" })
        }).collect();
        app.ingest(&app.alpha.admin.key, &json!(all)).await;
        assert_eq!(app.fold().await, 38);
        assert_eq!(counted(&app).await, 38.0);
        let failed = events(&app, "failed").await;
        let mut sources: Vec<&str> = failed.iter().map(|node| node["sourceId"].as_str().unwrap()).collect();
        sources.sort_unstable();
        assert_eq!(sources, ["17", "3", "40"]);
        assert!(failed.iter().all(|node| !node["error"].as_str().unwrap().is_empty()));
        assert_eq!(events(&app, "processed").await.len(), 38);
        app.snapshots_agree().await;

        // Tried again while nothing is mended, they stand as they stood.
        let again = retry(&app, r#"filter: { eventType: "ticket.created" }"#).await;
        assert_eq!((&again["processed"], &again["failed"], &again["remaining"]), (&json!(0), &json!(3), &json!(0)), "{again:#}");
        assert_eq!(events(&app, "failed").await.len(), 3);
        refuse_poison(&app, false).await;
        let one = &failed[0]["id"];
        let first = retry(&app, &format!("ids: [{one}]")).await;
        assert_eq!(first["results"], json!([{ "id": one, "status": "processed", "error": null }]));
        assert_eq!(counted(&app).await, 39.0);
        assert_eq!(retry(&app, "filter: {}").await["processed"], 2);
        assert_eq!(counted(&app).await, 41.0);
        assert_eq!(events(&app, "failed").await.len(), 0);
        app.snapshots_agree().await;
        // Once is enough.
        assert_eq!(retry(&app, "filter: {}").await["processed"], 0);
        let again = format!("mutation {{ eventsRetry(ids: [{one}]) {{ processed }} }}");
        assert_eq!(app.error_code(&app.alpha.admin.key, &again, json!({})).await, "NOT_FOUND");
        let trail = "{ auditLogs(filter: { action: { eq: \"event.retry\" } }) { nodes { action } } }";
        let trail = app.data(&app.alpha.admin.key, trail, json!({})).await;
        assert_eq!(trail["auditLogs"]["nodes"].as_array().unwrap().len(), 3);
    }

    async fn what_failed_is_the_tenants_own(app: TestApp) {
        let bad = event("1", "ticket.resolved", "2026-03-10T11:00:00Z", json!({ "payload": { "handleSec": 1e30 } }));
        app.ingest(&app.alpha.admin.key, &json!([bad])).await;
        app.fold().await;
        let failed = events(&app, "failed").await;
        let retry = format!("mutation {{ eventsRetry(ids: [{}]) {{ failed }} }}", failed[0]["id"]);
        assert_eq!(app.error_code(&app.beta.admin.key, &retry, json!({})).await, "NOT_FOUND");
        assert_eq!(app.error_code(&app.alpha.diretor.key, &retry, json!({})).await, "FORBIDDEN");
        assert_eq!(app.data(&app.alpha.admin.key, &retry, json!({})).await["eventsRetry"]["failed"], 1);
        for arguments in ["ids: []", "", "ids: [\"1\"], filter: {}"] {
            let arguments = if arguments.is_empty() { String::new() } else { format!("({arguments})") };
            let wrong = format!("mutation {{ eventsRetry{arguments} {{ failed }} }}");
            assert_eq!(app.error_code(&app.alpha.admin.key, &wrong, json!({})).await, "INVALID", "{arguments}");
        }
    }
}
