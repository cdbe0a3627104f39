//! Browsers keep their session in cookies, and other sites cannot use them.

use super::{REVOKE_ALL, code, is_refused, later};
use crate::support::TestApp;
use crate::support::app::Answer;
use crate::support::both_databases;
use crate::support::seed::PASSWORD;
use crate::support::seed::Person;
use crate::support::seed::Tenant;
use axum::body::Body;
use axum::http::Method;
use axum::http::Request;
use axum::http::StatusCode;
use axum::http::header;
use chrono::TimeDelta;
use pulso::config::OriginPattern;
use serde_json::Value as Json;
use serde_json::json;

/// A browser on a page of `origin`: it sends what browsers send, and keeps what it is told.
struct Page<'a> {
    app: &'a TestApp,
    origin: Option<&'a str>,
    host: &'a str,
    /// As `Cookie` is written.
    cookies: Vec<(String, String)>,
    /// Headers that a script adds.
    adds: Vec<(&'static str, &'a str)>,
}

const HOST: &str = "crm.example.com";

const OWN: &str = "https://crm.example.com";

const COOKIE_MODE: (&str, &str) = ("x-session-mode", "cookie");

const SIGN_IN: &str = "mutation($tenant: String!, $email: String!, $password: String!) { \
                       login(tenant: $tenant, email: $email, password: $password) { \
                       accessToken refreshToken expiresAt refreshExpiresAt } }";

const RENEW: &str = "mutation { sessionRefresh { accessToken refreshToken expiresAt } }";

const ME: &str = "{ me { user { id } } }";

impl<'a> Page<'a> {
    fn new(app: &'a TestApp, origin: &'a str, host: &'a str) -> Self {
        Self { app, origin: Some(origin), host, cookies: Vec::new(), adds: vec![COOKIE_MODE] }
    }

    fn own(app: &'a TestApp) -> Self {
        Self::new(app, OWN, HOST)
    }

    /// The same browser, on another site's page.
    fn visits(&self, origin: Option<&'a str>, adds: &[(&'static str, &'a str)]) -> Self {
        let (app, host) = (self.app, self.host);
        Self { app, origin, host, cookies: self.cookies.clone(), adds: adds.to_vec() }
    }

    async fn send(&mut self, method: Method, uri: &str, body: Option<String>) -> Answer {
        let mut request =
            Request::builder().method(method).uri(uri).header(header::HOST, self.host);
        if let Some(origin) = self.origin {
            request = request.header(header::ORIGIN, origin);
        }
        for (name, value) in &self.adds {
            request = request.header(*name, *value);
        }
        if !self.cookies.is_empty() {
            let pairs: Vec<String> =
                self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
            request = request.header(header::COOKIE, pairs.join("; "));
        }
        let is_json = self.adds.iter().all(|(name, _)| *name != "content-type");
        if body.is_some() && is_json {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        let body = body.map_or_else(Body::empty, Body::from);
        let answer = self.app.request(request.body(body).unwrap()).await;
        for line in answer.headers.get_all(header::SET_COOKIE) {
            let line = line.to_str().unwrap();
            let (name, rest) = line.split_once('=').unwrap();
            let value = rest.split(';').next().unwrap();
            self.cookies.retain(|(known, _)| known != name);
            if !value.is_empty() {
                self.cookies.push((name.to_owned(), value.to_owned()));
            }
        }
        answer
    }

    async fn post(&mut self, query: &str, variables: Json) -> Answer {
        let body = json!({ "query": query, "variables": variables }).to_string();
        self.send(Method::POST, "/graphql", Some(body)).await
    }

    async fn get(&mut self, query: &str) -> Answer {
        let query = query.replace(' ', "%20").replace('{', "%7B").replace('}', "%7D");
        self.send(Method::GET, &format!("/graphql?query={query}"), None).await
    }

    async fn sign_in(&mut self, tenant: &Tenant, person: &Person) -> Json {
        let variables =
            json!({ "tenant": tenant.slug, "email": person.email, "password": PASSWORD });
        let answer = self.post(SIGN_IN, variables).await.json();
        assert!(answer.get("errors").is_none(), "{answer:#}");
        answer["data"]["login"].clone()
    }

    /// Whom the server takes this page's reader for.
    async fn me(&mut self) -> Json {
        self.post(ME, json!({})).await.json()["data"]["me"]["user"]["id"].clone()
    }

    fn cookie(&self, name: &str) -> &str {
        let found = self.cookies.iter().find(|(known, _)| known == name);
        &found.unwrap_or_else(|| panic!("no {name}: {:?}", self.cookies)).1
    }
}

fn set_cookies(answer: &Answer) -> Vec<String> {
    let lines = answer.headers.get_all(header::SET_COOKIE).iter();
    lines.map(|line| line.to_str().unwrap().to_owned()).collect()
}

both_databases! {
    async fn a_browser_keeps_its_session_in_cookies(app: TestApp) {
        let person = &app.alpha.comercial;
        let mut page = Page::own(&app);
        let session = page.sign_in(&app.alpha, person).await;
        assert_eq!((&session["accessToken"], &session["refreshToken"]), (&Json::Null, &Json::Null));
        assert_eq!(session["expiresAt"], "2026-03-10T12:15:00Z");
        assert_eq!(page.me().await, json!(person.id));
        assert!(page.get(ME).await.text().contains(&person.id.to_string()));

        // An access token that ended is no obstacle, as it would be in a header.
        let first = page.cookie("__Host-pulso_refresh").to_owned();
        later(&app, TimeDelta::minutes(16));
        assert_eq!(page.me().await, Json::Null);
        let renewed = page.post(RENEW, json!({})).await.json();
        assert_eq!(renewed["data"]["sessionRefresh"]["refreshToken"], Json::Null, "{renewed}");
        assert_ne!(page.cookie("__Host-pulso_refresh"), first);
        assert_eq!(page.me().await, json!(person.id));

        // The header wins over the cookie.
        page.adds.push(("authorization", "Bearer nonsense"));
        assert_eq!(page.post(ME, json!({})).await.status, StatusCode::UNAUTHORIZED);
        let bearer = format!("Bearer {}", app.alpha.admin.key);
        let mut both = page.visits(Some(OWN), &[COOKIE_MODE, ("authorization", &bearer)]);
        assert_eq!(both.me().await, json!(app.alpha.admin.id));
        page.adds.pop();

        // Signing out after the access token has ended, too.
        later(&app, TimeDelta::minutes(16));
        let refresh = page.cookie("__Host-pulso_refresh").to_owned();
        let out = page.post("mutation { logout }", json!({})).await;
        assert_eq!(out.json()["data"]["logout"], true);
        assert_eq!(page.cookies, []);
        assert!(is_refused(&app.app, &refresh).await);
        assert_eq!(page.me().await, Json::Null);
        let again = page.post("mutation { logout }", json!({})).await;
        assert_eq!(again.json()["data"]["logout"], true, "nothing is left to do");
        assert_eq!(code(&page.post(RENEW, json!({})).await.json()), "INVALID");
    }

    async fn a_session_ended_elsewhere_leaves_no_cookies(app: TestApp) {
        let person = &app.alpha.admin;
        let mut page = Page::own(&app);
        page.sign_in(&app.alpha, person).await;
        app.data(&person.key, REVOKE_ALL, json!({ "of": person.id })).await;
        assert_eq!(page.me().await, Json::Null);
        assert_eq!(code(&page.post(RENEW, json!({})).await.json()), "UNAUTHENTICATED");
        assert_eq!(page.cookies, []);
        page.sign_in(&app.alpha, person).await;
        assert_eq!(page.me().await, json!(person.id));
    }

    async fn cookies_are_bound_as_tightly_as_browsers_can(app: TestApp) {
        let variables = json!({
            "tenant": "alpha", "email": app.alpha.admin.email, "password": PASSWORD,
        });
        let tight = set_cookies(&Page::own(&app).post(SIGN_IN, variables.clone()).await);
        let [access, refresh] = &tight[..] else { panic!("{tight:?}") };
        assert!(access.starts_with("__Host-pulso_access=ey"), "{access}");
        assert!(access.ends_with("; Path=/; Max-Age=900; HttpOnly; SameSite=Strict; Secure"));
        assert!(refresh.starts_with("__Host-pulso_refresh=pulsor_"), "{refresh}");
        assert!(refresh.ends_with("; Path=/; Max-Age=1209600; HttpOnly; SameSite=Strict; Secure"));

        // A developer's machine has no TLS.
        let mut local = Page::new(&app, "http://localhost:5173", "localhost:8000");
        let loose = set_cookies(&local.post(SIGN_IN, variables.clone()).await);
        assert!(loose[0].starts_with("pulso_access=ey"), "{loose:?}");
        assert!(loose[0].ends_with("; Path=/; Max-Age=900; HttpOnly; SameSite=Strict"));
        assert_eq!(local.me().await, json!(app.alpha.admin.id));
        // Over TLS nobody looks at cookies that another host of the domain could have set.
        let mut tossed = Page::own(&app);
        tossed.cookies = local.cookies.clone();
        assert_eq!(tossed.me().await, Json::Null);

        // Nor is anything else than a session believed there.
        tossed.cookies = vec![("__Host-pulso_access".to_owned(), app.alpha.admin.key.clone())];
        assert_eq!(tossed.me().await, Json::Null);

        // Without the mode there are no cookies, and the tokens are in the answer.
        for adds in [&[][..], &[("x-session-mode", "header")]] {
            let mut plain = Page::own(&app).visits(Some(OWN), adds);
            let answer = plain.post(SIGN_IN, variables.clone()).await;
            assert_eq!(set_cookies(&answer), [""; 0]);
            assert!(answer.json()["data"]["login"]["accessToken"].is_string());
        }
        let mut odd = Page::own(&app).visits(Some(OWN), &[("x-session-mode", "cookies")]);
        let answer = odd.post(SIGN_IN, variables).await;
        assert_eq!((answer.status, code(&answer.json())), (StatusCode::BAD_REQUEST, "INVALID"));
    }

    async fn other_sites_cannot_use_the_cookies(app: TestApp) {
        let person = &app.alpha.admin;
        let mut page = Page::own(&app);
        page.sign_in(&app.alpha, person).await;
        let company = "mutation { companyCreate(input: { name: \"Forjada\" }) { id } }";
        let before = app.count(&app.alpha, "companies").await;

        // Even where the browser sent them along: as it stands, and as the attacker would wish.
        for origin in [
            Some("https://evil.example"),
            Some("https://crm.example.com.evil.example"),
            Some("https://evil-crm.example.com"),
            Some("http://crm.example.com"),
            Some("https://crm.example.com:8443"),
            Some("null"),
            None,
        ] {
            let mut forged = page.visits(origin, &[COOKIE_MODE]);
            for query in [company, ME, RENEW, "mutation { logout }"] {
                let answer = forged.post(query, json!({})).await;
                assert_eq!(answer.status, StatusCode::FORBIDDEN, "{origin:?}");
                assert_eq!(code(&answer.json()), "FORBIDDEN");
                assert_eq!(set_cookies(&answer), [""; 0]);
            }
            // Nor can a visitor be signed in as somebody else.
            let variables = json!({
                "tenant": "beta", "email": app.beta.admin.email, "password": PASSWORD,
            });
            let answer = forged.post(SIGN_IN, variables).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN);
            assert_eq!(set_cookies(&answer), [""; 0]);

            // What needs no permission of ours to be sent: nobody is asking.
            let mut simple = page.visits(origin, &[]);
            let answer = simple.post(company, json!({})).await;
            assert_eq!(code(&answer.json()), "UNAUTHENTICATED", "{origin:?}");
            assert_eq!(simple.me().await, Json::Null);
            let form = Some("query=mutation{logout}".to_owned());
            simple.adds = vec![("content-type", "application/x-www-form-urlencoded")];
            let answer = simple.send(Method::POST, "/graphql", form).await;
            assert_eq!(answer.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
        }
        // A page of another site says so itself.
        let mut cross = page.visits(Some(OWN), &[COOKIE_MODE, ("sec-fetch-site", "cross-site")]);
        assert_eq!(cross.post(ME, json!({})).await.status, StatusCode::FORBIDDEN);

        assert_eq!(app.count(&app.alpha, "companies").await, before);
        assert_eq!(page.me().await, json!(person.id), "the session is untouched");
    }

    async fn a_get_changes_nothing(app: TestApp) {
        let mut page = Page::own(&app);
        page.sign_in(&app.alpha, &app.alpha.admin).await;
        for origin in [Some(OWN), None] {
            let mut reading = page.visits(origin, &[COOKIE_MODE]);
            assert!(reading.get(ME).await.text().contains(&app.alpha.admin.id.to_string()));
            for mutation in ["mutation { logout }", RENEW] {
                let answer = reading.get(mutation).await;
                assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{}", answer.text());
                assert_eq!(set_cookies(&answer), [""; 0]);
            }
        }
        // Without the header a link reads nothing either.
        let mut link = page.visits(None, &[]);
        assert_eq!(link.get(ME).await.json()["data"]["me"], Json::Null);
        assert_eq!(page.me().await, json!(app.alpha.admin.id));
    }

    /// A stream's headers are gone before its operation runs.
    async fn a_stream_sets_no_cookies_and_shows_no_tokens(app: TestApp) {
        let mut page = Page::own(&app);
        page.adds.push(("accept", "text/event-stream"));
        let variables = json!({
            "tenant": "alpha", "email": app.alpha.admin.email, "password": PASSWORD,
        });
        let answer = page.post(SIGN_IN, variables).await;
        assert!(answer.text().contains("\"UNSUPPORTED\""), "{}", answer.text());
        assert!(!answer.text().contains("pulsor_"));
        assert_eq!(app.count(&app.alpha, "sessions").await, 0);
    }

    async fn only_named_origins_are_told_that_cookies_may_travel(app: TestApp) {
        let preflight = async |origin: &str| {
            let request = Request::options("/graphql")
                .header(header::ORIGIN, origin)
                .header(header::ACCESS_CONTROL_REQUEST_METHOD, "POST")
                .header(header::ACCESS_CONTROL_REQUEST_HEADERS, "x-session-mode,content-type")
                .body(Body::empty())
                .unwrap();
            let headers = app.request(request).await.headers;
            let text = |name| headers.get(name).map(|value| value.to_str().unwrap().to_owned());
            (
                text(header::ACCESS_CONTROL_ALLOW_ORIGIN),
                text(header::ACCESS_CONTROL_ALLOW_CREDENTIALS),
            )
        };
        let named = "http://localhost:5173";
        assert_eq!(preflight(named).await, (Some(named.to_owned()), Some("true".to_owned())));
        assert_eq!(preflight("https://evil.example").await, (None, None));
    }
}

/// `*` lets every page call, and none of them use cookies.
#[tokio::test]
async fn a_star_trusts_nobody_with_cookies() {
    let star = OriginPattern::new("*");
    assert!(star.allows("https://evil.example") && !star.names("https://evil.example"));
    let local = OriginPattern::new("http://localhost:*");
    assert!(local.allows("http://localhost:3000") && local.names("http://localhost:3000"));
    assert!(!local.names("http://localhost.evil.example:3000"));
}
