//! How much callers may ask for: what is counted for whom, what is told, and that nodes may count
//! together.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::ConnectInfo;
use axum::http::{HeaderMap, Request, StatusCode, header};
use chrono::{DateTime, TimeDelta, Utc};
use pulso::app::App;
use pulso::clock::Clock;
use pulso::config::Limits;
use pulso::rate::{self, Bucket, Subject};
use serde_json::{Value as Json, json};
use tower::ServiceExt as _;

use crate::support::app::{config, now};
use crate::support::seed::PASSWORD;
use crate::support::{TestApp, both_databases};

const NOTHING: &str = "{ __typename }";
const HERE: &str = "192.0.2.1:999";

/// A server on a test's database, with limits of its own.
struct Node {
    app: Arc<App>,
    router: Router,
    clock: Clock,
}

struct Said {
    status: StatusCode,
    headers: HeaderMap,
    body: Json,
}

impl Node {
    fn new(app: &TestApp, limits: Limits) -> Self {
        Self::at(app, limits, Clock::fixed(now()))
    }

    fn at(app: &TestApp, limits: Limits, clock: Clock) -> Self {
        let mut config = config(app.database.url());
        config.limits = limits;
        let app = App::build(config, app.database.db.clone(), clock.clone()).unwrap();
        Self { router: pulso::http::router(Arc::clone(&app)), app, clock }
    }

    async fn send(&self, credential: Option<&str>, from: &str, body: Json) -> Said {
        self.send_for(credential, from, body, "application/json").await
    }

    async fn send_for(
        &self,
        credential: Option<&str>,
        from: &str,
        body: Json,
        accept: &str,
    ) -> Said {
        let mut request = Request::post("/graphql")
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::ACCEPT, accept);
        if let Some(credential) = credential {
            request = request.header(header::AUTHORIZATION, format!("Bearer {credential}"));
        }
        let mut request = request.body(Body::from(body.to_string())).unwrap();
        request.extensions_mut().insert(ConnectInfo::<SocketAddr>(from.parse().unwrap()));
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, 10_000_000).await.unwrap();
        let body = serde_json::from_slice(&body).unwrap_or_default();
        Said { status: parts.status, headers: parts.headers, body }
    }

    async fn ask(&self, credential: &str, query: &str) -> Said {
        self.send(Some(credential), HERE, json!({ "query": query })).await
    }

    /// How many of so many attempts were answered.
    async fn answered(&self, credential: &str, attempts: usize) -> usize {
        let mut answered = 0;
        for _ in 0..attempts {
            answered += usize::from(self.ask(credential, NOTHING).await.status == StatusCode::OK);
        }
        answered
    }
}

impl Said {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    #[track_caller]
    fn is_refused(&self, setting: &str, seconds: u64) {
        assert_eq!(self.status, StatusCode::TOO_MANY_REQUESTS, "{:#}", self.body);
        assert_eq!(self.header("retry-after"), seconds.to_string());
        let error = &self.body["errors"][0];
        assert_eq!(error["extensions"]["code"], "RATE_LIMITED");
        assert_eq!(error["extensions"]["retryable"], true);
        assert_eq!(error["extensions"]["retryAfterSeconds"], seconds);
        assert!(error["message"].as_str().unwrap().contains(setting), "{error:#}");
    }
}

/// No limit but those that a test sets.
fn unlimited() -> Limits {
    Limits {
        rate_key_per_minute: 0,
        rate_user_per_minute: 0,
        rate_tenant_per_minute: 0,
        rate_address_per_minute: 0,
        rate_login_per_minute: 0,
        rate_password_reset_per_hour: 0,
        ..Limits::default()
    }
}

both_databases! {
    async fn a_key_that_asks_too_often_is_told_when_to_come_back(app: TestApp) {
        let node = Node::new(&app, Limits { rate_key_per_minute: 10, ..unlimited() });
        let (key, other) = (&app.alpha.admin.key, &app.alpha.comercial.key);
        let first = node.ask(key, NOTHING).await;
        assert_eq!(first.header("ratelimit-policy"), "\"key\";q=10;w=60");
        assert_eq!(first.header("ratelimit"), "\"key\";r=9;t=6");
        assert_eq!(node.answered(key, 8).await, 8);
        assert_eq!(node.ask(key, NOTHING).await.header("ratelimit"), "\"key\";r=0;t=60");

        let refused = node.ask(key, NOTHING).await;
        refused.is_refused("rate_key_per_minute", 6);
        assert_eq!(refused.header("ratelimit"), "\"key\";r=0;t=60");
        assert!(refused.body.get("data").is_none());
        let metrics = node.app.metrics.render();
        assert!(metrics.contains("pulso_rate_limited_total{bucket=\"key\"} 1"), "{metrics}");

        assert_eq!(node.answered(other, 1).await, 1, "another key has its own");
        node.clock.advance(TimeDelta::seconds(6));
        assert_eq!(node.answered(key, 3).await, 1, "points come back steadily");
    }

    async fn the_cost_follows_the_rows_and_the_schema_tells_it(app: TestApp) {
        let limits = Limits { rate_key_per_minute: 100, rate_tenant_per_minute: 1_000, ..unlimited() };
        let node = Node::new(&app, limits);
        let key = &app.alpha.admin.key;
        let about = "rateLimit { limit remaining resetAt cost policy }";
        let said = node.ask(key, &format!("{{ {about} }}")).await;
        let told = &said.body["data"]["rateLimit"];
        let numbers = [&told["limit"], &told["remaining"], &told["cost"], &told["policy"]];
        assert_eq!(numbers, [&json!(100), &json!(99), &json!(1), &json!("key")], "{told:#}");
        let reset_at: DateTime<Utc> = told["resetAt"].as_str().unwrap().parse().unwrap();
        assert_eq!(reset_at - now(), TimeDelta::milliseconds(600));
        // One for the operation, and one for every hundred rows; the cost is that of the whole
        // operation, wherever the field stands.
        let said = node.ask(key, &format!("{{ {about} leads(first: 1000) {{ nodes {{ id }} }} }}")).await;
        let (cost, left) = (said.body["data"]["rateLimit"]["cost"].as_i64().unwrap(), &said.body["data"]["rateLimit"]["remaining"]);
        assert_eq!((cost, left), (11, &json!(88)), "{:#}", said.body);
        assert_eq!(said.header("ratelimit"), "\"key\";r=88;t=8, \"tenant\";r=988;t=1");
        // A mutation costs more, and a batch by its size.
        let create = "mutation { leadCreate(input: { name: \"a\", source: \"s\" }) { id } }";
        let said = node.ask(key, create).await;
        assert_eq!(said.header("ratelimit").split(';').nth(1), Some("r=82"));
        let inputs = vec![json!({ "name": "a", "source": "s" }); 100];
        let many = json!({
            "query": "mutation($inputs: [LeadCreateInput!]!) { leadCreateMany(inputs: $inputs) { record { id } } }",
            "variables": { "inputs": inputs },
        });
        let said = node.send(Some(key), HERE, many).await;
        assert!(said.body.get("errors").is_none(), "{:#}", said.body);
        let left: u64 = said.header("ratelimit").split(['=', ';']).nth(2).unwrap().parse().unwrap();
        // Its answer counts as the longest that a batch may have.
        assert_eq!(left, 82 - (1 + 5 + (1_000 + 1_000) / 100));
    }

    async fn users_and_tenants_are_counted_beside_their_keys(app: TestApp) {
        let limits = Limits { rate_user_per_minute: 5, rate_tenant_per_minute: 8, ..unlimited() };
        let node = Node::new(&app, limits);
        let (alpha, beta) = (&app.alpha, &app.beta);
        let second = app.key_with(alpha, alpha.admin.id, json!({ "leads": { "read": "all" } })).await;
        assert_eq!(node.answered(&alpha.admin.key, 3).await, 3);
        assert_eq!(node.answered(&second, 3).await, 2, "both keys act as one user");
        node.ask(&second, NOTHING).await.is_refused("rate_user_per_minute", 12);
        assert_eq!(node.answered(&alpha.comercial.key, 4).await, 3, "the tenant has 8");
        node.ask(&alpha.manager.key, NOTHING).await.is_refused("rate_tenant_per_minute", 8);
        assert_eq!(node.answered(&beta.admin.key, 5).await, 5, "another tenant notices nothing");
    }

    async fn who_shows_no_credential_is_counted_by_address(app: TestApp) {
        let node = Node::new(&app, Limits { rate_address_per_minute: 3, ..unlimited() });
        let ask = |from: &'static str| node.send(None, from, json!({ "query": NOTHING }));
        for _ in 0..3 {
            assert_eq!(ask(HERE).await.status, StatusCode::OK);
        }
        ask(HERE).await.is_refused("rate_address_per_minute", 20);
        assert_eq!(ask("192.0.2.2:999").await.status, StatusCode::OK);
        // An IPv6 customer has a whole network.
        for last in ["[2001:db8::1]:9", "[2001:db8::2]:9", "[2001:db8::3]:9"] {
            assert_eq!(ask(last).await.status, StatusCode::OK);
        }
        ask("[2001:db8::4]:9").await.is_refused("rate_address_per_minute", 20);
        assert_eq!(node.answered(&app.alpha.admin.key, 5).await, 5, "from the same address");
        // Documents that cannot be read cost as well.
        node.clock.advance(TimeDelta::seconds(20));
        assert_eq!(node.send(None, HERE, json!({ "query": "{" })).await.status, StatusCode::OK);
        ask(HERE).await.is_refused("rate_address_per_minute", 20);
    }

    async fn an_operation_dearer_than_the_limit_is_refused_for_good(app: TestApp) {
        let node = Node::new(&app, Limits { rate_key_per_minute: 5, ..unlimited() });
        let said = node.ask(&app.alpha.admin.key, "{ leads(first: 1000) { nodes { id } } }").await;
        let error = &said.body["errors"][0];
        assert_eq!(error["extensions"]["code"], "LIMIT_EXCEEDED", "{error:#}");
        assert_eq!(error["extensions"]["retryable"], false);
        assert_eq!(said.body["extensions"]["cost"]["statements"], 0, "nothing was read");
        assert_eq!(node.answered(&app.alpha.admin.key, 9).await, 4, "only the operation was charged");
    }

    async fn rows_that_are_too_many_now_are_not_read(app: TestApp) {
        let node = Node::new(&app, Limits { rate_key_per_minute: 12, ..unlimited() });
        let list = "{ leads(first: 1000) { nodes { id } } }";
        assert_eq!(node.ask(&app.alpha.admin.key, list).await.status, StatusCode::OK);
        node.clock.advance(TimeDelta::seconds(10));
        let said = node.ask(&app.alpha.admin.key, list).await;
        said.is_refused("rate_key_per_minute", 40);
        assert_eq!(said.body["extensions"]["cost"]["statements"], 0);
        assert_eq!(said.header("ratelimit"), "\"key\";r=2;t=50");
    }

    async fn every_way_in_is_counted(app: TestApp) {
        let node = Node::new(&app, Limits { rate_key_per_minute: 5, ..unlimited() });
        let key = Some(app.alpha.admin.key.as_str());
        let one = json!({ "query": NOTHING });
        let events = node.send_for(key, HERE, one.clone(), "text/event-stream").await;
        assert_eq!(events.status, StatusCode::OK);
        let batch = node.send(key, HERE, json!([one, one])).await;
        assert_eq!(batch.header("ratelimit"), "\"key\";r=2;t=36");
        // Of a batch that is too long the last ones are refused.
        let batch = node.send(key, HERE, json!([one, one, one])).await;
        assert_eq!(batch.body[1]["data"]["__typename"], "Query");
        assert_eq!(batch.body[2]["errors"][0]["extensions"]["code"], "RATE_LIMITED");
        assert_eq!(batch.header("retry-after"), "12");
    }

    async fn signing_in_has_a_limit_of_its_own(app: TestApp) {
        let node = Node::new(&app, Limits { rate_login_per_minute: 3, ..unlimited() });
        let login = |from: &'static str, password: &str, name: &str| {
            let query = format!(
                "mutation {{ {name}: login(tenant: \"alpha\", email: \"{}\", password: \"{password}\") \
                 {{ accessToken }} }}",
                app.alpha.admin.email
            );
            node.send(None, from, json!({ "query": query }))
        };
        for _ in 0..3 {
            assert_eq!(login(HERE, PASSWORD, "a").await.body["errors"], Json::Null);
        }
        login(HERE, PASSWORD, "b").await.is_refused("rate_login_per_minute", 20);
        assert_eq!(login("192.0.2.9:1", PASSWORD, "a").await.body["errors"], Json::Null);
        // Several at once are several.
        let field = "login(tenant: \"alpha\", email: \"x\", password: \"y\") { accessToken }";
        let query = format!("mutation {{ a: {field} ...More }} fragment More on Mutation {{ b: {field} c: {field} d: {field} }}");
        let said = node.send(None, "192.0.2.10:1", json!({ "query": query })).await;
        said.is_refused("rate_login_per_minute", 20);
        assert_eq!(node.answered(&app.alpha.admin.key, 5).await, 5);
    }

    async fn signing_in_through_a_provider_counts_as_signing_in(app: TestApp) {
        let node = Node::new(&app, Limits { rate_login_per_minute: 3, ..unlimited() });
        let open = async |path: &str, from: &str| {
            let mut request = Request::get(path).body(Body::empty()).unwrap();
            request.extensions_mut().insert(ConnectInfo::<SocketAddr>(from.parse().unwrap()));
            let answer = node.router.clone().oneshot(request).await.unwrap();
            (answer.status(), answer.headers().get(header::RETRY_AFTER).cloned())
        };
        let (begin, back) = ("/auth/oidc/alpha/none", "/auth/oidc/alpha/none/callback?state=x");
        for path in [begin, back, begin] {
            assert_eq!(open(path, HERE).await, (StatusCode::NOT_FOUND, None));
        }
        for path in [begin, back] {
            let (status, wait) = open(path, HERE).await;
            assert_eq!((status, wait.unwrap()), (StatusCode::TOO_MANY_REQUESTS, "20".parse().unwrap()));
        }
        let redeem = "mutation { signInRedeem(code: \"x\", verifier: \"y\") { accessToken } }";
        let said = node.send(None, HERE, json!({ "query": redeem })).await;
        said.is_refused("rate_login_per_minute", 20);
        assert_eq!(open(begin, "192.0.2.9:1").await.0, StatusCode::NOT_FOUND);
    }

    async fn rooms_may_bound_something_of_their_own(app: TestApp) {
        let node = Node::new(&app, Limits { rate_password_reset_per_hour: 2, ..unlimited() });
        let reset = |who: &str| {
            let subject = Subject::text(who);
            let node = &node;
            async move { rate::check(&node.app, Bucket::PasswordReset, subject, 1).await }
        };
        assert!(reset("alpha/a").await.is_ok() && reset("alpha/a").await.is_ok());
        let error = reset("alpha/a").await.unwrap_err();
        assert_eq!(error.code().as_str(), "RATE_LIMITED");
        assert!(reset("alpha/b").await.is_ok());
        node.clock.advance(TimeDelta::minutes(30));
        assert!(reset("alpha/a").await.is_ok());
    }

    async fn zero_takes_a_limit_away(app: TestApp) {
        let node = Node::new(&app, unlimited());
        let said = node.ask(&app.alpha.admin.key, "{ rateLimit { limit } }").await;
        assert_eq!(said.body["data"], json!({ "rateLimit": null }));
        assert!(!said.headers.contains_key("ratelimit"));
        assert!(!said.headers.contains_key("ratelimit-policy"));
    }

    async fn the_defaults_do_not_bite(app: TestApp) {
        // A whole page of a thousand, a thousand times, within one moment.
        let node = Node::new(&app, Limits::default());
        let admin = &app.alpha.admin;
        for _ in 0..1_000 {
            let subject = Subject::Member { tenant_id: app.alpha.id, id: admin.id };
            let cost = 1 + rate::cost_of_rows(1_000);
            assert!(rate::check(&node.app, Bucket::Key, subject, cost).await.is_ok());
        }
        assert_eq!(node.answered(&admin.key, 3).await, 3);
    }

    async fn nodes_that_count_together_share_one_limit(app: TestApp) {
        let limits = || Limits { rate_tenant_per_minute: 100, rate_shared: true, ..unlimited() };
        let clock = Clock::fixed(now());
        let nodes = [
            Node::at(&app, limits(), clock.clone()),
            Node::at(&app, limits(), clock.clone()),
        ];
        let key = &app.alpha.admin.key;
        let mut answered = 0;
        for _ in 0..70 {
            for node in &nodes {
                answered += node.answered(key, 1).await;
            }
        }
        assert_eq!(answered, 100);
        for node in &nodes {
            node.ask(key, NOTHING).await.is_refused("rate_tenant_per_minute", 1);
        }
        assert_eq!(nodes[0].answered(&app.beta.admin.key, 1).await, 1);
        clock.advance(TimeDelta::seconds(6));
        assert_eq!(nodes[0].answered(key, 8).await + nodes[1].answered(key, 8).await, 10);
        // One row per subject, which goes when it says nothing any more.
        assert_eq!(app.count(&app.alpha, "rate_budgets").await, 1);
    }

    async fn nodes_that_count_alone_write_nothing(app: TestApp) {
        let node = Node::new(&app, Limits { rate_tenant_per_minute: 100, ..unlimited() });
        assert_eq!(node.answered(&app.alpha.admin.key, 3).await, 3);
        assert_eq!(app.count(&app.alpha, "rate_budgets").await, 0);
    }

    async fn the_usual_request_runs_no_statement_to_be_counted(app: TestApp) {
        let limits = Limits { rate_tenant_per_minute: 1_000, rate_shared: true, ..unlimited() };
        let node = Node::new(&app, limits);
        let key = &app.alpha.admin.key;
        let owed = async || {
            let sql = "SELECT owed_until_ns FROM rate_budgets WHERE tenant_id = ?";
            let rows = app.read_sql(&app.alpha, sql, Vec::new()).await;
            rows[0].int(0).unwrap().unwrap()
        };
        node.ask(key, NOTHING).await;
        let before = owed().await;
        assert_eq!(node.answered(key, 19).await, 19);
        assert_eq!(owed().await, before, "a portion is twenty");
        node.ask(key, NOTHING).await;
        assert_ne!(owed().await, before);
    }
}
