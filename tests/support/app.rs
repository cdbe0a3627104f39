//! The whole application on a test database: real parts, a hand-made configuration, a clock that
//! stands still, and requests through the router.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode, header};
use chrono::{DateTime, Utc};
use pulso::app::App;
use pulso::clock::Clock;
use pulso::config::{Config, DatabaseUrl, MasterKeys, Secret};
use pulso::db::Db;
use serde_json::{Value as Json, json};
use tower::ServiceExt as _;

use super::seed::{self, Seed, Tenant};
use super::{Backend, Fixture, TestDb};

const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;

/// When every test happens, unless it moves the clock.
pub fn now() -> DateTime<Utc> {
    "2026-03-10T12:00:00Z".parse().unwrap()
}

/// Settings as an operator would make them for this database, with a signing secret of the tests.
pub fn config(url: &str) -> Config {
    let mut config = Config::default();
    config.mail.dir = Some(concat!(env!("CARGO_TARGET_TMPDIR"), "/mail").to_owned());
    config.database.url = DatabaseUrl::new(url);
    config.identity.jwt_secret = Some(Secret::new("only for tests: 32 bytes at the very least"));
    let master_key = Secret::new("a master key for tests: 32 bytes at least");
    config.identity.master_keys = MasterKeys::new(vec![master_key]);
    config
}

pub fn build(db: &Db, url: &str, clock: Clock) -> Arc<App> {
    App::build(config(url), db.clone(), clock).unwrap()
}

/// A running application with two tenants that must never see each other.
pub struct TestApp {
    pub app: Arc<App>,
    pub alpha: Tenant,
    pub beta: Tenant,
    router: Router,
    // Last: the database goes when nothing uses it any more.
    pub database: TestDb,
}

/// What came back, read to its end.
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl TestApp {
    pub async fn new(backend: Backend) -> Self {
        Self::with(backend, Clock::fixed(now()), |_config| ()).await
    }

    /// As [`TestApp::new`], at another time and with other settings.
    pub async fn with(backend: Backend, clock: Clock, change: impl FnOnce(&mut Config)) -> Self {
        let (database, Seed { alpha, beta }) = seed::seeded(backend).await;
        let mut config = config(database.url());
        change(&mut config);
        let app = App::build(config, database.db.clone(), clock).unwrap();
        let router = pulso::http::router(Arc::clone(&app));
        Self { app, alpha, beta, router, database }
    }

    /// A request as a client would send it.
    pub async fn request(&self, request: Request<Body>) -> Answer {
        answer_of(&self.router, request).await
    }

    /// Another [`App`] on the same database, with the same clock and nothing kept.
    pub fn other_app(&self) -> OtherApp {
        let app = build(&self.database.db, self.database.url(), self.app.clock.clone());
        OtherApp::of(app)
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.request(Request::get(path).body(Body::empty()).unwrap()).await
    }

    /// One GraphQL operation with an API key or an access token; the whole answer, `errors` and all.
    pub async fn graphql(&self, credential: &str, query: &str, variables: Json) -> Json {
        self.request(graphql_request(credential, query, &variables)).await.json()
    }

    /// As [`TestApp::graphql`], for an operation that must succeed: its `data`.
    #[track_caller]
    pub fn data(
        &self,
        credential: &str,
        query: &str,
        variables: Json,
    ) -> impl Future<Output = Json> {
        let caller = std::panic::Location::caller();
        async move {
            let mut answer = self.graphql(credential, query, variables).await;
            assert!(answer.get("errors").is_none(), "{caller}: {query}\n{answer:#}");
            answer["data"].take()
        }
    }

    /// As [`TestApp::graphql`], for an operation that must fail, or be refused with its credential:
    /// the code of its first error, and the field that is to blame.
    pub async fn refusal_of(
        &self,
        credential: &str,
        query: &str,
        variables: Json,
    ) -> (String, Option<String>) {
        let answer = self.graphql(credential, query, variables).await;
        let extensions = &answer["errors"][0]["extensions"];
        let code = extensions["code"].as_str().or(answer["code"].as_str());
        let code = code.unwrap_or_else(|| panic!("{query}\n{answer:#}"));
        (code.to_owned(), extensions["field"].as_str().map(str::to_owned))
    }

    /// As [`TestApp::graphql`], for an operation that must fail: the code of its first error.
    #[track_caller]
    pub fn error_code(
        &self,
        credential: &str,
        query: &str,
        variables: Json,
    ) -> impl Future<Output = String> {
        let caller = std::panic::Location::caller();
        async move {
            let answer = self.graphql(credential, query, variables).await;
            let code = answer["errors"][0]["extensions"]["code"].as_str();
            code.unwrap_or_else(|| panic!("{caller}: no error: {query}\n{answer:#}")).to_owned()
        }
    }
}

/// A server beside the [`TestApp`], on its database.
pub struct OtherApp {
    router: Router,
}

impl OtherApp {
    pub fn of(app: Arc<App>) -> Self {
        Self { router: pulso::http::router(app) }
    }

    pub async fn graphql(&self, credential: &str, query: &str, variables: Json) -> Json {
        answer_of(&self.router, graphql_request(credential, query, &variables)).await.json()
    }
}

fn graphql_request(credential: &str, query: &str, variables: &Json) -> Request<Body> {
    let body = json!({ "query": query, "variables": variables }).to_string();
    Request::post("/graphql")
        .header(header::AUTHORIZATION, format!("Bearer {credential}"))
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::ACCEPT, "application/json")
        .body(Body::from(body))
        .unwrap()
}

async fn answer_of(router: &Router, request: Request<Body>) -> Answer {
    let response = router.clone().oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = to_bytes(body, ANSWER_BYTES_MAX).await.unwrap().to_vec();
    Answer { status: parts.status, headers: parts.headers, body }
}

impl Fixture for TestApp {
    async fn on(backend: Backend) -> Self {
        Self::new(backend).await
    }
}

impl Answer {
    #[track_caller]
    pub fn json(&self) -> Json {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {} {}", self.status, self.text()))
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}
