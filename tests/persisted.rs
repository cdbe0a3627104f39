//! What the schema shows of itself and to whom, and keys that may run registered operations only.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, header};
use chrono::TimeDelta;
use pulso::app::App;
use pulso::clock::Clock;
use pulso::config::Introspection;
use pulso::identity::persisted_operation::service::hash_of;
use serde_json::{Value as Json, json};
use tower::ServiceExt as _;
use uuid::Uuid;

use crate::support::app::{config, now};
use crate::support::seed::Tenant;
use crate::support::{TestApp, both_databases};

const REGISTER: &str = "mutation($document: String!, $name: String!) { \
    persistedOperationRegister(document: $document, name: $name) { id name sha256Hash document } }";
const HOLD: &str = "mutation($id: ID!, $only: Boolean!) { \
    apiKeySetPersistedOnly(id: $id, persistedOnly: $only) }";
const REMOVE: &str = "mutation($id: ID!) { persistedOperationRemove(id: $id) }";
const LIST: &str = "{ persistedOperations { name sha256Hash } }";
const LEADS: &str = "{ leads { nodes { name } } }";

fn code(answer: &Json) -> &str {
    answer["errors"][0]["extensions"]["code"].as_str().unwrap_or_default()
}

async fn register(app: &TestApp, key: &str, document: &str) -> Json {
    let mut answer =
        app.data(key, REGISTER, json!({ "document": document, "name": "a page" })).await;
    answer["persistedOperationRegister"].take()
}

/// A key of the tenant's admin, held to registered operations.
async fn held_key(app: &TestApp, tenant: &Tenant) -> (Uuid, String) {
    let key = app.key_with(tenant, tenant.admin.id, json!({ "*": "all" })).await;
    let actor = app.app.identity.authenticate(&app.app, &key).await;
    let id = actor.unwrap().api_key_id.unwrap();
    hold(app, tenant, id, true).await;
    (id, key)
}

async fn hold(app: &TestApp, tenant: &Tenant, id: Uuid, only: bool) {
    let done = app.data(&tenant.admin.key, HOLD, json!({ "id": id, "only": only })).await;
    assert_eq!(done["apiKeySetPersistedOnly"], only);
    // Until every node has noticed.
    app.app.clock.advance(TimeDelta::seconds(2));
}

/// A request that names its document by digest, with or without its text.
async fn by_hash(app: &TestApp, key: &str, hash: &str, text: Option<&str>) -> Json {
    let mut body =
        json!({ "extensions": { "persistedQuery": { "version": 1, "sha256Hash": hash } } });
    if let Some(text) = text {
        body["query"] = json!(text);
    }
    let request = Request::post("/graphql")
        .header(header::AUTHORIZATION, format!("Bearer {key}"))
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::from(body.to_string()))
        .unwrap();
    app.request(request).await.json()
}

/// How an operation without a credential is refused.
async fn anonymous(app: &TestApp, query: &str, variables: &Json) -> String {
    let body = json!({ "query": query, "variables": variables }).to_string();
    let request = Request::post("/graphql")
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::from(body))
        .unwrap();
    code(&app.request(request).await.json()).to_owned()
}

both_databases! {
    async fn a_held_key_runs_what_its_tenant_registered_and_nothing_else(app: TestApp) {
        let (alpha, beta) = (&app.alpha, &app.beta);
        let (_, key) = held_key(&app, alpha).await;
        for refused in [LEADS, "{ __typename }", "{ me { roles } }", "{ __schema { types { name } } }", "{"] {
            assert_eq!(code(&app.graphql(&key, refused, json!({})).await), "FORBIDDEN", "{refused}");
        }
        // What another tenant registered is not registered.
        register(&app, &beta.admin.key, LEADS).await;
        assert_eq!(code(&app.graphql(&key, LEADS, json!({})).await), "FORBIDDEN");
        assert_eq!(code(&by_hash(&app, &key, &hash_of(LEADS), None).await), "PERSISTED_QUERY_NOT_FOUND");

        let registered = register(&app, &alpha.admin.key, LEADS).await;
        assert_eq!(registered["sha256Hash"], hash_of(LEADS));
        assert_eq!(registered["document"], LEADS);
        let answer = app.data(&key, LEADS, json!({})).await;
        assert_eq!(by_hash(&app, &key, &hash_of(LEADS), None).await["data"], answer);
        assert_eq!(by_hash(&app, &key, &hash_of(LEADS), Some(LEADS)).await["data"], answer);
        // To the letter, and no other operation under its digest.
        assert_eq!(code(&app.graphql(&key, &format!("{LEADS} "), json!({})).await), "FORBIDDEN");
        assert_eq!(code(&by_hash(&app, &key, &hash_of(LEADS), Some("{ me { roles } }")).await), "BAD_REQUEST");
        // What others taught the server by digest is not for this key.
        let me = "{ me { roles } }";
        by_hash(&app, &alpha.admin.key, &hash_of(me), Some(me)).await;
        assert_eq!(code(&by_hash(&app, &key, &hash_of(me), None).await), "FORBIDDEN");

        let removed = app.data(&alpha.admin.key, REMOVE, json!({ "id": registered["id"] })).await;
        assert_eq!(removed["persistedOperationRemove"], registered["id"]);
        assert_eq!(code(&app.graphql(&key, LEADS, json!({})).await), "FORBIDDEN");
    }

    async fn a_key_is_held_and_let_go_by_who_may_change_keys(app: TestApp) {
        let (alpha, beta) = (&app.alpha, &app.beta);
        let (id, key) = held_key(&app, alpha).await;
        assert_eq!(code(&app.graphql(&key, LEADS, json!({})).await), "FORBIDDEN");
        let let_go = json!({ "id": id, "only": false });
        assert_eq!(code(&app.graphql(&beta.admin.key, HOLD, let_go.clone()).await), "NOT_FOUND");
        assert_eq!(code(&app.graphql(&alpha.comercial.key, HOLD, let_go.clone()).await), "FORBIDDEN");
        assert_eq!(code(&app.graphql(&key, HOLD, let_go.clone()).await), "FORBIDDEN", "nor itself");
        assert_eq!(anonymous(&app, HOLD, &let_go).await, "UNAUTHENTICATED");
        hold(&app, alpha, id, false).await;
        app.data(&key, LEADS, json!({})).await;
    }

    async fn registering_is_for_who_may_make_keys(app: TestApp) {
        let (alpha, beta) = (&app.alpha, &app.beta);
        let seen = app.trail(alpha).await;
        let document = json!({ "document": LEADS, "name": "a page" });
        let registered = register(&app, &alpha.admin.key, LEADS).await;
        let id = json!({ "id": registered["id"] });
        for (query, variables) in [(REGISTER, &document), (REMOVE, &id), (LIST, &json!({}))] {
            let refused = app.graphql(&alpha.comercial.key, query, variables.clone()).await;
            assert_eq!(code(&refused), "FORBIDDEN", "{query}");
            let nobody = anonymous(&app, query, variables).await;
            assert_eq!(nobody, "UNAUTHENTICATED", "{query}");
        }
        assert_eq!(code(&app.graphql(&beta.admin.key, REMOVE, id).await), "NOT_FOUND");
        assert_eq!(app.data(&beta.admin.key, LIST, json!({})).await["persistedOperations"], json!([]));
        // Registered twice is registered once.
        assert_eq!(register(&app, &alpha.admin.key, LEADS).await["id"], registered["id"]);
        let list = app.data(&alpha.admin.key, LIST, json!({})).await;
        assert_eq!(list["persistedOperations"], json!([{ "name": "a page", "sha256Hash": hash_of(LEADS) }]));
        for (document, name, field) in [("{", "a", "document"), (LEADS, " ", "name")] {
            let variables = json!({ "document": document, "name": name });
            let answer = app.graphql(&alpha.admin.key, REGISTER, variables).await;
            assert_eq!(code(&answer), "INVALID");
            assert_eq!(answer["errors"][0]["extensions"]["field"], field);
        }
        let trail = app.trail(alpha).await.since(&seen);
        assert_eq!(trail.actions(), ["persisted_operation.register"]);
    }

    async fn introspection_is_for_whom_the_setting_says(app: TestApp) {
        const WHOLE: &str = "{ __schema { queryType { name } types { name } } }";
        let always = [
            "{ __typename }",
            "{ __schema { queryType { name } } }",
            "{ __schema { ...S } } fragment S on __Schema { queryType { ... { name __typename } } }",
        ];
        let closed = [
            WHOLE,
            "{ __schema { mutationType { name } } }",
            "{ __schema { queryType { fields { name } } } }",
            "{ __type(name: \"Lead\") { name } }",
            "{ a: __schema { ...S } } fragment S on __Schema { directives { name } }",
        ];
        for (setting, nobody, somebody) in [
            (Introspection::Authenticated, "UNAUTHENTICATED", ""),
            (Introspection::Public, "", ""),
            (Introspection::Off, "FORBIDDEN", "FORBIDDEN"),
        ] {
            let router = router_with(&app, setting);
            for query in always {
                for credential in [None, Some(app.alpha.comercial.key.as_str())] {
                    let answer = ask(&router, credential, query).await;
                    assert!(answer.get("errors").is_none(), "{setting:?} {query} {answer:#}");
                }
            }
            for query in closed {
                let key = Some(app.alpha.comercial.key.as_str());
                for (credential, refused) in [(None, nobody), (key, somebody)] {
                    let answer = ask(&router, credential, query).await;
                    let protocol = if refused.is_empty() { "" } else { "INTROSPECTION_DISABLED" };
                    assert_eq!(code(&answer), protocol, "{setting:?} {query} {answer:#}");
                    let says = answer["errors"][0]["message"].as_str().unwrap_or_default();
                    assert_eq!(says.contains("credential"), refused == "UNAUTHENTICATED", "{says}");
                }
            }
        }
    }
}

fn router_with(app: &TestApp, introspection: Introspection) -> Router {
    let mut config = config(app.database.url());
    config.graphql.introspection = introspection;
    let app = App::build(config, app.database.db.clone(), Clock::fixed(now())).unwrap();
    pulso::http::router(Arc::clone(&app))
}

async fn ask(router: &Router, credential: Option<&str>, query: &str) -> Json {
    let mut request = Request::post("/graphql").header(header::CONTENT_TYPE, "application/json");
    if let Some(credential) = credential {
        request = request.header(header::AUTHORIZATION, format!("Bearer {credential}"));
    }
    let body = Body::from(json!({ "query": query }).to_string());
    let response = router.clone().oneshot(request.body(body).unwrap()).await.unwrap();
    let body = to_bytes(response.into_body(), 10_000_000).await.unwrap();
    serde_json::from_slice(&body).unwrap()
}

both_databases! {
    /// Registered operations are every key's: a right over one's own keys is none over them.
    async fn who_reaches_own_keys_only_registers_nothing(app: TestApp) {
        let alpha = &app.alpha;
        let permissions = json!({ "api_keys": { "read": "own", "create": "own", "update": "own", "delete": "own" } });
        let own = app.key_with(alpha, alpha.comercial.id, permissions).await;
        let given = json!({ "document": "{ __typename }", "name": "n" });
        assert_eq!(app.error_code(&own, REGISTER, given.clone()).await, "FORBIDDEN");
        let made = app.data(&alpha.admin.key, REGISTER, given).await;
        let id = json!({ "id": made["persistedOperationRegister"]["id"] });
        assert_eq!(app.error_code(&own, REMOVE, id.clone()).await, "FORBIDDEN");
        app.data(&alpha.admin.key, REMOVE, id).await;
    }
}
