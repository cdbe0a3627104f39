//! Sessions: refresh and its misuse, the list and ending what is on it, several nodes, change of
//! secrets, and cookies with everything that keeps other sites from using them.

mod cookies;
mod ending;
mod renewal;

use crate::support::TestApp;
use crate::support::app::config;
use crate::support::seed::PASSWORD;
use crate::support::seed::Person;
use crate::support::seed::Tenant;
use axum::body::Body;
use axum::http::Request;
use axum::http::header;
use chrono::TimeDelta;
use pulso::app::App;
use pulso::ctx::Origin;
use pulso::db::Value;
use pulso::error::Code;
use pulso::identity::session::service::Session;
use pulso::identity::session::service::login;
use pulso::identity::session::service::refresh;
use serde_json::Value as Json;
use serde_json::json;
use std::sync::Arc;
use uuid::Uuid;

const REVOKE_ALL: &str = "mutation($of: ID, $keep: Boolean! = true) { \
                          sessionRevokeAll(userId: $of, exceptCurrent: $keep) }";

fn from_somewhere() -> Origin {
    Origin {
        ip: Some("203.0.113.7".parse().unwrap()),
        user_agent: Some("Mozilla/5.0 (Windows NT 10.0) Chrome/130.0 Safari/537.36".to_owned()),
        ..Origin::internal("test")
    }
}

async fn sign_in(app: &TestApp, tenant: &Tenant, person: &Person) -> Session {
    login(&app.app, tenant.slug, &person.email, PASSWORD, &from_somewhere()).await.unwrap()
}

async fn renewed(app: &Arc<App>, token: &str) -> Session {
    refresh(app, token, &from_somewhere()).await.unwrap()
}

async fn is_refused(app: &Arc<App>, token: &str) -> bool {
    match refresh(app, token, &from_somewhere()).await {
        Ok(_) => false,
        Err(error) => {
            assert_eq!(error.code(), Code::Unauthenticated, "{error}");
            true
        }
    }
}

async fn is_good(app: &Arc<App>, access_token: &str) -> bool {
    match app.identity.authenticate(app, access_token).await {
        Ok(_) => true,
        Err(error) => {
            assert_eq!(error.code(), Code::Unauthenticated, "{error}");
            false
        }
    }
}

/// Actions on sessions in the audit trail, with who did them.
async fn trail(app: &TestApp, tenant: &Tenant) -> Vec<(String, Option<Uuid>)> {
    let sql = "SELECT action, user_id FROM audit_logs WHERE tenant_id = ? \
               AND action LIKE 'session.%' ORDER BY created_at, id";
    let rows = app.read_sql(tenant, sql, Vec::new()).await;
    rows.iter().map(|row| (row.text(0).unwrap().unwrap(), row.id(1).unwrap())).collect()
}

async fn change(app: &TestApp, sql: &str, values: Vec<Value>) {
    assert!(app.write_sql(sql, values).await > 0, "nothing to change: {sql}");
}

fn later(app: &TestApp, by: TimeDelta) {
    app.app.clock.advance(by);
}

/// Another node on the same database, with the same time.
fn other_node(app: &TestApp) -> Arc<App> {
    node_with(app, |_| ())
}

fn node_with(app: &TestApp, change: impl FnOnce(&mut pulso::config::Config)) -> Arc<App> {
    let mut config = config(app.database.url());
    change(&mut config);
    App::build(config, app.database.db.clone(), app.app.clock.clone()).unwrap()
}

/// What a person's browser or app holds, asked for over GraphQL without a credential.
async fn ask(app: &TestApp, query: &str, variables: Json) -> Json {
    let body = json!({ "query": query, "variables": variables }).to_string();
    let request = Request::post("/graphql")
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::from(body))
        .unwrap();
    app.request(request).await.json()
}

fn code(answer: &Json) -> &str {
    answer["errors"][0]["extensions"]["code"].as_str().unwrap_or("no error")
}
