//! Accounts: invitations, passwords and their reset, roles and who may give them, guessing, and the
//! mails that all of it sends.

mod guessing;
mod invitations;
mod letters;
mod letters_over_tls;
mod passwords;
mod people;

use crate::support::Backend;
use crate::support::Fixture;
use crate::support::TestApp;
use crate::support::app::config;
use axum::Router;
use axum::body::Body;
use axum::body::to_bytes;
use axum::extract::ConnectInfo;
use axum::http::Request;
use axum::http::header;
use chrono::TimeDelta;
use pulso::app::App;
use pulso::config::Config;
use pulso::db::Value;
use pulso::identity::account;
use pulso::mail;
use pulso::mail::Delivered;
use serde_json::Value as Json;
use serde_json::json;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use tempfile::TempDir;
use tower::ServiceExt as _;
use uuid::Uuid;

const HOME: &str = "203.0.113.7";

const ELSEWHERE: &str = "198.51.100.9";

const NEW_PASSWORD: &str = "um cavalo de bateria";

const LOGIN: &str = "mutation($tenant: String!, $email: String!, $password: String!) { \
                     login(tenant: $tenant, email: $email, password: $password) { accessToken } }";

const INVITE: &str = "mutation($input: UserInviteInput!) { userInvite(input: $input) { \
                      id fullName email isVerified isActive } }";

const ACCEPT: &str = "mutation($token: String!, $password: String!, $name: String) { \
                      invitationAccept(token: $token, password: $password, name: $name) { \
                      tenant email } }";

const CHANGE: &str = "mutation($current: String!, $new: String!) { \
                      passwordChange(current: $current, new: $new) }";

const ASK_RESET: &str = "mutation($tenant: String!, $email: String!) { \
                         passwordResetRequest(tenant: $tenant, email: $email) }";

const RESET: &str = "mutation($token: String!, $password: String!) { \
                     passwordReset(token: $token, newPassword: $password) { tenant email } }";

const UPDATE: &str = "mutation($id: ID!, $input: UserUpdateInput!) { \
                      userUpdate(id: $id, input: $input) { id isActive isVerified } }";

const ME: &str = "{ me { user { fullName } roles } }";

/// A server on a test's database whose mails lie in a folder.
struct Office {
    test: TestApp,
    app: Arc<App>,
    router: Router,
    folder: TempDir,
}

impl Fixture for Office {
    async fn on(backend: Backend) -> Self {
        Self::with(TestApp::new(backend).await, |_| {})
    }
}

/// A mail as somebody reads it.
#[derive(Debug, Clone)]
struct Letter {
    headers: String,
    text: String,
}

impl Letter {
    /// Quoted-printable undone, in the header as far as these tests look.
    fn read(raw: &str) -> Self {
        let (headers, body) = raw.split_once("\r\n\r\n").unwrap();
        let joined = body.replace("=\r\n", "");
        let mut bytes = Vec::new();
        let mut rest = joined.as_bytes();
        while let [first, tail @ ..] = rest {
            if *first == b'=' {
                let hex = std::str::from_utf8(&tail[..2]).unwrap();
                bytes.push(u8::from_str_radix(hex, 16).unwrap());
                rest = &tail[2..];
            } else {
                bytes.push(*first);
                rest = tail;
            }
        }
        Self { headers: headers.to_owned(), text: String::from_utf8(bytes).unwrap() }
    }

    #[track_caller]
    fn token(&self) -> String {
        let (_, rest) = self.text.split_once("#token=").expect("a link");
        rest.split_whitespace().next().unwrap().to_owned()
    }
}

impl Office {
    fn with(test: TestApp, change: impl FnOnce(&mut Config)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut config = config(test.database.url());
        config.mail.dir = Some(folder.path().join("mail").display().to_string());
        config.mail.public_url = "https://crm.example/app/".to_owned();
        // Their own tests are elsewhere.
        config.limits.rate_login_per_minute = 0;
        config.limits.rate_password_reset_per_hour = 0;
        config.limits.rate_address_per_minute = 0;
        change(&mut config);
        let clock = test.app.clock.clone();
        let app = App::build(config, test.database.db.clone(), clock).unwrap();
        let router = pulso::http::router(Arc::clone(&app));
        Self { test, app, router, folder }
    }

    async fn from(
        &self,
        address: &str,
        credential: Option<&str>,
        query: &str,
        variables: Json,
    ) -> Json {
        let body = json!({ "query": query, "variables": variables }).to_string();
        let mut request = Request::post("/graphql")
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::ACCEPT, "application/json");
        if let Some(credential) = credential {
            request = request.header(header::AUTHORIZATION, format!("Bearer {credential}"));
        }
        let mut request = request.body(Body::from(body)).unwrap();
        let peer = SocketAddr::new(address.parse().unwrap(), 40_000);
        request.extensions_mut().insert(ConnectInfo(peer));
        // On the heap: a test asks often, and all its questions are one future.
        let response = Box::pin(self.router.clone().oneshot(request)).await.unwrap();
        let bytes = to_bytes(response.into_body(), 1_000_000).await.unwrap();
        serde_json::from_slice(&bytes).unwrap()
    }

    async fn ask(&self, credential: Option<&str>, query: &str, variables: Json) -> Json {
        self.from(HOME, credential, query, variables).await
    }

    async fn sign_in_from(&self, address: &str, email: &str, password: &str) -> Json {
        let who = json!({ "tenant": "alpha", "email": email, "password": password });
        self.from(address, None, LOGIN, who).await
    }

    /// An access token.
    #[track_caller]
    fn sign_in(&self, email: &str, password: &str) -> impl Future<Output = String> {
        let caller = std::panic::Location::caller();
        async move {
            let answer = self.sign_in_from(HOME, email, password).await;
            let token = answer["data"]["login"]["accessToken"].as_str();
            token.unwrap_or_else(|| panic!("{caller}: {answer:#}")).to_owned()
        }
    }

    async fn deliver(&self) -> Delivered {
        Box::pin(mail::deliver_due(&self.app, account::letter::write)).await.unwrap()
    }

    /// What lies in the folder, oldest first, and is taken out of it.
    fn mails(&self) -> Vec<Letter> {
        let mut letters = BTreeMap::new();
        let folder = self.folder.path().join("mail");
        let Ok(entries) = std::fs::read_dir(&folder) else { return Vec::new() };
        for entry in entries {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            assert_eq!(Path::new(&name).extension().unwrap(), "eml");
            letters.insert(name, Letter::read(&std::fs::read_to_string(&path).unwrap()));
            std::fs::remove_file(path).unwrap();
        }
        letters.into_values().collect()
    }

    /// The one mail that goes out now.
    #[track_caller]
    fn mail(&self) -> impl Future<Output = Letter> {
        let caller = std::panic::Location::caller();
        async move {
            let delivered = self.deliver().await;
            let mut letters = self.mails();
            assert_eq!((letters.len(), delivered.sent), (1, 1), "{caller}: {letters:#?}");
            letters.remove(0)
        }
    }

    async fn invite(&self, email: &str, roles: &[&str]) -> Uuid {
        let input = json!({ "email": email, "name": "Bia Lima", "roles": roles });
        let key = &self.test.alpha.admin.key;
        let answer = self.ask(Some(key), INVITE, json!({ "input": input })).await;
        let id = answer["data"]["userInvite"]["id"].as_str();
        id.unwrap_or_else(|| panic!("{answer:#}")).parse().unwrap()
    }

    /// The link that a reset of somebody's password goes by.
    async fn reset_link(&self, email: &str) -> String {
        let who = json!({ "tenant": "alpha", "email": email });
        let answer = self.ask(None, ASK_RESET, who).await;
        assert_eq!(answer["data"]["passwordResetRequest"], true, "{answer:#}");
        self.mail().await.token()
    }

    fn later(&self, by: TimeDelta) {
        self.app.clock.advance(by);
    }

    async fn text(&self, sql: &str, values: Vec<Value>) -> Option<String> {
        self.test.read_sql(&self.test.alpha, sql, values).await[0].text(0).unwrap()
    }
}

fn code(answer: &Json) -> &str {
    let told = answer["errors"][0]["extensions"]["code"].as_str().or(answer["code"].as_str());
    told.unwrap_or_else(|| panic!("no error: {answer:#}"))
}

fn field(answer: &Json) -> (&str, &str) {
    (code(answer), answer["errors"][0]["extensions"]["field"].as_str().unwrap_or_default())
}

fn wait(answer: &Json) -> u64 {
    assert_eq!(code(answer), "RATE_LIMITED");
    answer["errors"][0]["extensions"]["retryAfterSeconds"].as_u64().unwrap()
}

fn accept(token: &str) -> Json {
    json!({ "token": token, "password": NEW_PASSWORD })
}

fn reset(token: &str) -> Json {
    json!({ "token": token, "password": NEW_PASSWORD })
}
