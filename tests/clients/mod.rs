//! The door as others judge it: the audits of the GraphQL-over-HTTP specification, and the clients
//! that people use, from npm and in a Node process of their own.

use std::net::SocketAddr;

use serde_json::{Value as Json, json};

use crate::subscriptions::node;
use crate::support::node::Node;
use crate::support::script::Script;
use crate::support::socket::serve;
use crate::support::{TestApp, both_databases};

const AUDITS: &str = include_str!("audits.mjs");
const APPS: &str = include_str!("apps.mjs");
const OPERATIONS: &str = include_str!("operations.mjs");
const SUBSCRIBER: &str = include_str!("subscriber.mjs");

/// A suite that has lost its audits would pass everything.
const AUDITS_MIN: usize = 61;
/// What these audits send is introspection (`__type`), which needs a credential unless a setting opens
/// it: they pass with one, and only with one.
const INTROSPECTING: [&str; 4] = ["2EA1", "28B9", "D6D5", "6A70"];

/// The audits that did not pass, whatever their weight: MUST, SHOULD and MAY.
async fn failed_audits(url: &str, credential: Option<&str>) -> Vec<Json> {
    let settings = json!({ "url": url, "credential": credential });
    let judged = Script::start(AUDITS, &settings).hear().await;
    let judged = judged.as_array().unwrap();
    assert!(judged.len() >= AUDITS_MIN, "{} audits", judged.len());
    judged.iter().filter(|audit| audit["status"] != "ok").cloned().collect()
}

/// What a script says about a server, having done all that it does.
async fn told(script: &str, address: SocketAddr, credential: &str) -> Json {
    let settings = json!({ "url": format!("http://{address}"), "credential": credential });
    Script::start(script, &settings).hear().await
}

/// Everything that was said before a cursor came, which must be this one.
async fn until_cursor(subscriber: &mut Script, expected: &str) -> Vec<Json> {
    let mut before = Vec::new();
    loop {
        let said = subscriber.hear().await;
        if let Some(cursor) = said.get("cursor") {
            assert_eq!(cursor, expected, "{before:?}");
            return before;
        }
        before.push(said);
    }
}

both_databases! {
    async fn every_audit_of_the_specification_passes(app: TestApp) {
        let (address, _serving) = serve(&app.app).await;
        let url = format!("http://{address}");
        let failed = failed_audits(&url, Some(&app.alpha.comercial.key)).await;
        assert_eq!(failed, Vec::<Json>::new());
        let failed = failed_audits(&url, None).await;
        let ids: Vec<&str> = failed.iter().map(|audit| audit["id"].as_str().unwrap()).collect();
        assert_eq!(ids, INTROSPECTING, "{failed:#?}");
    }

    /// Apollo Client and urql as they come: by POST and GET, persisted, batched, refused; urql's own
    /// reading of events.
    async fn apps_are_answered_as_they_expect(app: TestApp) {
        let (address, _serving) = node(&app.app).await;
        app.give(&app.alpha.comercial).await;
        let told = told(APPS, address, &app.alpha.comercial.key).await;
        let apollo = json!({ "__type": { "name": "Lead", "__typename": "__Type" } });
        let errors = |codes: &str| json!({ "kind": "CombinedGraphQLErrors", "codes": [codes] });
        assert_eq!(told["apollo"], json!({
            "posted": { "result": apollo, "seen": ["POST 200"] },
            "got": { "result": apollo, "seen": ["GET 200"] },
            "firstPersisted": { "result": apollo, "seen": ["GET 200", "POST 200"] },
            "persisted": { "result": apollo, "seen": ["GET 200"] },
            "batched": { "result": [apollo, { "__type": null }], "seen": ["POST 200"] },
            "invalid": { "result": errors("GRAPHQL_VALIDATION_FAILED"), "seen": ["POST 400"] },
            "refused": { "result": errors("NOT_FOUND"), "seen": ["POST 200"] },
            "stranger": { "result": errors("UNAUTHENTICATED"), "seen": ["POST 401"] },
        }), "{told:#}");
        let urql = json!({ "__type": { "name": "Lead" } });
        assert_eq!(told["urql"], json!({
            "posted": { "result": urql, "seen": ["POST 200"] },
            "got": { "result": urql, "seen": ["GET 200"] },
            "invalid": { "result": ["GRAPHQL_VALIDATION_FAILED"], "seen": ["POST 400"] },
            "refused": { "result": ["NOT_FOUND"], "seen": ["POST 200"] },
            "stranger": { "result": ["UNAUTHENTICATED"], "seen": ["POST 401"] },
            "listened": { "notificationAdded": { "cursor": "1" } },
        }), "{told:#}");
    }

    /// What the libraries of both transports make of our answers and of how we close.
    async fn operations_end_as_their_libraries_expect(app: TestApp) {
        let (address, _serving) = serve(&app.app).await;
        let told = told(OPERATIONS, address, &app.alpha.comercial.key).await;
        let typename = json!({ "answers": [{ "__typename": "Query" }] });
        let named = json!({ "answers": [{ "__type": { "name": "Query" } }] });
        let error = |error: Json| json!({ "answers": [], "error": error });
        let answered = |code: &str| json!({ "answers": [[code]] });
        assert_eq!(told["socket"], json!({
            "query": named,
            "atOnce": [typename, typename],
            "mutation": answered("INVALID"),
            "unreadable": error(json!(["GRAPHQL_PARSE_FAILED"])),
            "nul": error(json!(["INVALID"])),
            "afterwards": typename,
            "nobody": error(json!(["UNAUTHENTICATED"])),
            "wrong": error(json!(4403)),
        }), "{told:#}");
        // What was not run is said in events: with a status alone, a browser learns nothing.
        assert_eq!(told["events"], json!({
            "query": named,
            "atOnce": [typename, typename],
            "mutation": answered("INVALID"),
            "unreadable": answered("GRAPHQL_PARSE_FAILED"),
            "nul": error(json!(400)),
            "afterwards": typename,
            "nobody": answered("UNAUTHENTICATED"),
            "wrong": error(json!(401)),
        }), "{told:#}");
        assert_eq!(told["pong"], true);
    }

    /// A server that is killed, one that stops, and a key that is revoked: each notification comes
    /// once, and in order.
    async fn subscribers_go_on_where_they_were_cut(app: TestApp) {
        let me = &app.alpha.comercial;
        let mut killed = Node::start(app.database.url(), &[]);
        let listening = |transport: &str| {
            let settings =
                json!({ "transport": transport, "url": killed.url, "credential": me.key });
            Script::start(SUBSCRIBER, &settings)
        };
        let (mut socket, mut events) = (listening("socket"), listening("events"));
        app.give(me).await;
        assert_eq!(until_cursor(&mut socket, "1").await, Vec::<Json>::new());
        assert_eq!(until_cursor(&mut events, "1").await, Vec::<Json>::new());

        killed.kill();
        app.give(me).await;
        app.give(me).await;
        let (stopping, _serving) = node(&app.app).await;
        for subscriber in [&mut socket, &mut events] {
            subscriber.tell(&json!({ "url": format!("http://{stopping}") })).await;
            for cursor in ["2", "3"] {
                assert_eq!(until_cursor(subscriber, cursor).await, Vec::<Json>::new());
            }
        }

        app.app.begin_stop();
        let going_away = json!({ "closed": [1001, "going away"] });
        assert_eq!(socket.hear().await, going_away);
        app.give(me).await;
        let last = Node::start(app.database.url(), &[]);
        for subscriber in [&mut socket, &mut events] {
            subscriber.tell(&json!({ "url": last.url })).await;
            let before = until_cursor(subscriber, "4").await;
            assert!(before.iter().all(|said| *said == going_away), "{before:?}");
        }

        let another = app.key_with(&app.alpha, me.id, json!({})).await;
        let keys = last.data(&app.alpha.admin.key, "{ apiKeys { id name } }", json!({})).await;
        let mut keys = keys["apiKeys"].as_array().unwrap().iter();
        let id = &keys.find(|key| key["name"] == json!(me.email)).unwrap()["id"];
        let revoke = format!("mutation {{ apiKeyRevoke(id: {id}) {{ id }} }}");
        last.data(&app.alpha.admin.key, &revoke, json!({})).await;
        assert_eq!(events.hear().await, json!({ "errors": ["UNAUTHENTICATED"] }));
        assert_eq!(events.hear().await, json!({ "complete": true }));
        let forbidden = json!({ "closed": [4403, "Forbidden"] });
        assert_eq!(socket.hear().await, forbidden);
        socket.tell(&json!({ "credential": another })).await;
        app.give(me).await;
        let before = until_cursor(&mut socket, "5").await;
        assert!(before.iter().all(|said| *said == forbidden), "{before:?}");
    }
}
