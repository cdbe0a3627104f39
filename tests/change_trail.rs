//! What every change leaves behind in the transaction of its row: audit, event, outbox, epochs.

use std::net::SocketAddr;

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Request, header};
use pulso::graphql::catalogue;
use serde_json::{Value as Json, json};
use uuid::Uuid;

use crate::support::writing::Trail;
use crate::support::{TestApp, both_databases};

/// A change as it comes from outside, with an address and a request id.
async fn from_outside(app: &TestApp, key: &str, query: &str) -> Json {
    let body = json!({ "query": query }).to_string();
    let mut request = Request::post("/graphql")
        .header(header::AUTHORIZATION, format!("Bearer {key}"))
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::USER_AGENT, "test/1.0")
        .header("x-request-id", "request-77")
        .body(Body::from(body))
        .unwrap();
    let peer: SocketAddr = "203.0.113.9:4711".parse().unwrap();
    request.extensions_mut().insert(ConnectInfo(peer));
    app.request(request).await.json()
}

/// The one thing that happened, told in every place where it must be told.
#[track_caller]
fn one_change(trail: &Trail, (resource, noun): (&str, &str), (verb, past): (&str, &str), id: Uuid) {
    assert_eq!(trail.actions(), [format!("{noun}.{verb}")]);
    assert_eq!(trail.kinds(), [format!("{noun}.{past}")]);
    let (audit, event) = (&trail.audits[0], &trail.events[0]);
    assert_eq!((audit.resource.as_str(), audit.resource_id), (resource, Some(id)));
    assert_eq!((event.resource.as_deref(), event.resource_id), (Some(resource), Some(id)));
    assert_eq!(audit.user_id, event.actor_id);
    assert!(["growth", "core"].contains(&event.module.as_str()));
    assert_eq!(event.payload["id"], json!(id));
    let batch = (event.batch_id, "normal".to_owned(), 1, "queued".to_owned());
    assert_eq!(trail.batches, [batch]);
    let told = json!({ "eventId": event.id, "resource": resource, "id": id });
    assert_eq!(trail.outbox, [(format!("{noun}.{past}"), told)]);
    assert_eq!(trail.epochs.values().collect::<Vec<_>>(), [&1]);
    assert!(trail.epochs.keys().all(|name| name.starts_with(&format!("{resource}/"))));
}

both_databases! {
    async fn every_change_leaves_its_trail(app: TestApp) {
        let key = &app.alpha.admin.key;
        let row = "query($id: ID!) { lead(id: $id) { version createdAt updatedAt } }";
        let mut seen = app.trail(&app.alpha).await;
        let created = from_outside(&app, key, "mutation { leadCreate(input: { name: \"Maria\", \
            source: \"site\", score: 5, notes: \"liga às 9h\", metadata: { cpf: \"123\" } }) { id } }");
        let created = created.await;
        let id: Uuid = created["data"]["leadCreate"]["id"].as_str().unwrap().parse().unwrap();
        let trail = app.trail(&app.alpha).await.since(&seen);
        one_change(&trail, ("leads", "lead"), ("create", "created"), id);
        let audit = &trail.audits[0];
        assert_eq!(audit.user_id, Some(app.alpha.admin.id));
        assert!(audit.api_key_id.is_some());
        assert_eq!(audit.ip.as_deref(), Some("203.0.113.9"));
        assert_eq!(audit.agent.as_deref(), Some("test/1.0"));
        assert_eq!(audit.request_id.as_deref(), Some("request-77"));
        assert_eq!(audit.old, None);
        let new = audit.new.as_ref().unwrap();
        assert_eq!((&new["name"], &new["notes"]), (&json!("Maria"), &json!("liga às 9h")));
        assert!(new.get("companyId").is_none(), "what was left empty goes without saying: {new}");
        let payload = &trail.events[0].payload;
        assert_eq!((&payload["after"]["source"], &payload["after"]["score"]),
            (&json!("site"), &json!(5)));
        for private in ["name", "notes", "metadata", "sourceDetail"] {
            assert!(payload["after"].get(private).is_none(), "{private}: {payload}");
        }

        app.app.clock.advance(chrono::TimeDelta::minutes(5));
        seen = app.trail(&app.alpha).await;
        let input = json!({ "score": 50, "notes": "outra coisa", "source": "site" });
        let arguments = json!({ "id": id, "input": input });
        app.done(key, "leadUpdate", arguments.clone(), "{ id }").await;
        let trail = app.trail(&app.alpha).await.since(&seen);
        one_change(&trail, ("leads", "lead"), ("update", "updated"), id);
        let audit = &trail.audits[0];
        assert_eq!(audit.old, Some(json!({ "score": 5, "notes": "liga às 9h" })));
        assert_eq!(audit.new, Some(json!({ "score": 50, "notes": "outra coisa" })));
        let payload = json!({ "id": id, "before": { "score": 5 }, "after": { "score": 50 } });
        assert_eq!(trail.events[0].payload, payload);
        let now = app.data(key, row, json!({ "id": id })).await;
        assert_eq!(now["lead"], json!({ "version": 2, "createdAt": "2026-03-10T12:00:00Z",
            "updatedAt": "2026-03-10T12:05:00Z" }));

        // The same again changes nothing, so nothing is written.
        seen = app.trail(&app.alpha).await;
        app.app.clock.advance(chrono::TimeDelta::minutes(5));
        let same = app.done(key, "leadUpdate", arguments, "{ version updatedAt }").await;
        assert_eq!(same, json!({ "version": 2, "updatedAt": "2026-03-10T12:05:00Z" }));
        assert!(app.trail(&app.alpha).await.since(&seen).is_empty());

        for (field, (verb, past)) in [
            ("leadDelete", ("delete", "deleted")),
            ("leadRestore", ("restore", "restored")),
            ("leadDestroy", ("destroy", "destroyed")),
        ] {
            seen = app.trail(&app.alpha).await;
            let selection = if field == "leadDestroy" { "" } else { "{ id deletedAt }" };
            app.done(key, field, json!({ "id": id }), selection).await;
            let trail = app.trail(&app.alpha).await.since(&seen);
            one_change(&trail, ("leads", "lead"), (verb, past), id);
            let audit = &trail.audits[0];
            let name = |image: &Option<Json>| image.as_ref().map(|image| image.get("name").cloned());
            if field == "leadDestroy" {
                assert_eq!((name(&audit.old), &audit.new), (Some(Some(json!("Maria"))), &None));
                assert!(trail.events[0].payload["before"].get("name").is_none());
            } else {
                let keys: Vec<&String> =
                    audit.new.as_ref().unwrap().as_object().unwrap().keys().collect();
                assert_eq!(keys, ["deletedAt"]);
            }
        }
        assert_eq!(app.count(&app.alpha, "leads").await, 0);
        // All of it is the tenant's own.
        assert!(app.trail(&app.beta).await.audits.iter().all(|audit| audit.resource != "leads"));
    }

    /// Events outlive people's wish to be forgotten: no personal data and no free text in them.
    async fn events_carry_no_personal_data(app: TestApp) {
        let key = &app.alpha.admin.key;
        for record in &catalogue().records {
            if !record.changes.enabled {
                continue;
            }
            let input = app.least(&app.alpha, record.name).await;
            let seen = app.trail(&app.alpha).await;
            app.create(key, record.name, input).await;
            let trail = app.trail(&app.alpha).await.since(&seen);
            assert_eq!(trail.events.len(), 1, "{}", record.name);
            let after = trail.events[0].payload["after"].as_object().unwrap().clone();
            assert!(!after.is_empty());
            for field in &record.fields {
                let free = field.pii || ["String", "JSON"].contains(&field.kind.graphql_type());
                let code = matches!(field.kind, pulso::record::Kind::Code) && !field.pii;
                let told = after.contains_key(&field.name);
                assert!(!told || !free || code, "{}.{} is in its event", record.name, field.name);
            }
        }
    }

    /// The last tables of a transaction are broken: nothing of it stays.
    async fn a_change_that_fails_late_leaves_nothing(app: TestApp) {
        let key = &app.alpha.admin.key;
        let lead = app.create(key, "Lead", json!({ "name": "antes", "source": "site" })).await;
        let lead = json!(lead);
        let seen = app.trail(&app.alpha).await;
        for table in ["outbox", "epochs"] {
            app.write_sql(&format!("ALTER TABLE {table} RENAME TO {table}_away"), Vec::new()).await;
            let new = json!({ "input": { "name": "novo", "source": "site" } });
            let nested = json!({ "input": { "name": "novo", "contacts": {
                "create": [{ "fullName": "J" }] } } });
            let changed = json!({ "id": lead, "input": { "name": "depois" } });
            let many = json!({ "inputs": [{ "name": "a", "source": "s" }], "mode": "PER_ROW" });
            for (field, arguments) in [
                ("leadCreate", new),
                ("leadUpdate", changed),
                ("leadDelete", json!({ "id": lead })),
                ("leadDestroy", json!({ "id": lead })),
                ("companyCreate", nested),
                ("leadCreateMany", many),
            ] {
                assert_eq!(app.refusal(key, field, arguments).await.0, "INTERNAL", "{field}");
            }
            app.write_sql(&format!("ALTER TABLE {table}_away RENAME TO {table}"), Vec::new()).await;
        }
        assert!(app.trail(&app.alpha).await.since(&seen).is_empty());
        let left = "{ leads(deleted: INCLUDE) { nodes { name version deletedAt } } \
                      companies { nodes { id } } contacts { nodes { id } } }";
        let left = app.data(key, left, json!({})).await;
        let leads = json!([{ "name": "antes", "version": 1, "deletedAt": null }]);
        assert_eq!(left["leads"]["nodes"], leads);
        assert_eq!((&left["companies"]["nodes"], &left["contacts"]["nodes"]), (&json!([]), &json!([])));
    }
}
