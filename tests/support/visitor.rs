//! A browser between Pulso and an identity provider: it keeps cookies, follows where it is led, and
//! fills in forms. Requests for Pulso go through the router, the others over the network.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode, header};
use reqwest::redirect::Policy;
use serde_json::{Value as Json, json};

use super::TestApp;

/// Where tests have Pulso: the default of `public_url`.
pub const OWN: &str = "http://localhost:8000";
const STEPS_MAX: usize = 20;

pub struct Browser<'a> {
    app: &'a TestApp,
    client: reqwest::Client,
    /// By site.
    cookies: BTreeMap<String, BTreeMap<String, String>>,
    /// Where it has been led, oldest first.
    pub trail: Vec<String>,
}

/// A page, or the way to another.
pub struct Page {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub location: Option<String>,
    pub text: String,
}

impl<'a> Browser<'a> {
    pub fn new(app: &'a TestApp) -> Self {
        let client = reqwest::Client::builder().redirect(Policy::none()).no_proxy();
        let client = client.build().unwrap();
        Self { app, client, cookies: BTreeMap::new(), trail: Vec::new() }
    }

    /// One step.
    pub async fn open(&mut self, url: &str) -> Page {
        self.send(url, None).await
    }

    async fn send(&mut self, url: &str, form: Option<&[(&str, &str)]>) -> Page {
        self.trail.push(url.to_owned());
        let site = site(url);
        let kept = self.cookies.entry(site.clone()).or_default();
        let kept: Vec<String> =
            kept.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let cookie = kept.join("; ");
        let page = if let Some(path) = url.strip_prefix(OWN) {
            let path = if path.is_empty() { "/" } else { path };
            let request = Request::get(path)
                .header(header::COOKIE, cookie)
                .header(header::HOST, "localhost:8000");
            let answer = self.app.request(request.body(Body::empty()).unwrap()).await;
            Page::of(answer.status, answer.headers.clone(), answer.text())
        } else {
            let request = match form {
                Some(form) => self.client.post(url).form(form),
                None => self.client.get(url),
            };
            let answer = request.header(header::COOKIE, cookie).send().await.unwrap();
            let (status, headers) = (answer.status(), answer.headers().clone());
            Page::of(status, headers, answer.text().await.unwrap())
        };
        self.keep(&site, &page.headers);
        page
    }

    fn keep(&mut self, site: &str, headers: &HeaderMap) {
        let kept = self.cookies.entry(site.to_owned()).or_default();
        for line in headers.get_all(header::SET_COOKIE) {
            let line = line.to_str().unwrap();
            let (name, value) = line.split(';').next().unwrap().split_once('=').unwrap();
            if value.is_empty() || line.contains("Max-Age=0") {
                kept.remove(name);
            } else {
                kept.insert(name.to_owned(), value.to_owned());
            }
        }
    }

    /// Follows to the first page that leads nowhere, or to the first address that begins so.
    pub async fn follow(&mut self, from: &str, until: &str) -> (String, Page) {
        let page = self.open(from).await;
        self.follow_on((from.to_owned(), page), until).await
    }

    async fn follow_on(&mut self, mut at: (String, Page), until: &str) -> (String, Page) {
        for _step in 0..STEPS_MAX {
            let Some(location) = at.1.location.clone() else { return at };
            let base = reqwest::Url::parse(&at.0).unwrap();
            let next = String::from(base.join(&location).unwrap());
            let is_way = next.starts_with(&format!("{OWN}/auth/"));
            if next.starts_with(until) && (!is_way || until.contains("/callback")) {
                return (next, at.1);
            }
            let page = self.open(&next).await;
            at = (next, page);
        }
        panic!("led around in circles: {:?}", self.trail);
    }

    /// Signs in at the provider's form as `name` and agrees to what is asked, as far as the address
    /// that begins with `until`.
    pub async fn sign_in(&mut self, from: &str, name: &str, until: &str) -> (String, Page) {
        let at = self.follow(from, until).await;
        self.fill_in(at, name, until).await
    }

    /// As [`Browser::sign_in`], from the provider's form as far as the address that leads back.
    pub async fn come_back_as(&mut self, name: &str, from: &str) -> String {
        let until = format!("{from}/callback");
        let at = self.follow(from, &until).await;
        self.fill_in(at, name, &until).await.0
    }

    async fn fill_in(&mut self, mut at: (String, Page), name: &str, until: &str) -> (String, Page) {
        for _form in 0..3 {
            let Some(action) = between(&at.1.text, "action=\"", "\"") else { return at };
            let prompt = between(&at.1.text, "name=\"prompt\" value=\"", "\"").unwrap();
            let form = [("prompt", prompt.as_str()), ("login", name), ("password", "any")];
            let page = self.send(&action, Some(&form)).await;
            at = self.follow_on((action, page), until).await;
        }
        at
    }

    /// Agrees at the provider's page to be signed out there, as far as the address that begins so.
    pub async fn sign_out(&mut self, url: &str, until: &str) -> String {
        let page = self.open(url).await;
        let action = between(&page.text, "action=\"", "\"").unwrap();
        let proof = between(&page.text, "name=\"xsrf\" value=\"", "\"").unwrap();
        let form = [("xsrf", proof.as_str()), ("logout", "yes")];
        let page = self.send(&action, Some(&form)).await;
        self.follow_on((action, page), until).await.0
    }

    /// What a page of Pulso asks, by its cookies alone.
    pub async fn ask(&self, query: &str) -> Json {
        let kept = &self.cookies[&site(OWN)];
        let kept: Vec<String> =
            kept.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let request = Request::post("/graphql")
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::HOST, "localhost:8000")
            .header(header::ORIGIN, OWN)
            .header("x-session-mode", "cookie")
            .header(header::COOKIE, kept.join("; "))
            .body(Body::from(json!({ "query": query }).to_string()))
            .unwrap();
        self.app.request(request).await.json()
    }

    /// The names of what it keeps of Pulso.
    pub fn own_cookies(&self) -> Vec<&str> {
        self.cookies.get(&site(OWN)).into_iter().flatten().map(|(name, _)| name.as_str()).collect()
    }
}

impl Page {
    fn of(status: StatusCode, headers: HeaderMap, text: String) -> Self {
        let location = headers.get(header::LOCATION);
        let location = location.map(|value| value.to_str().unwrap().to_owned());
        Self { status, headers, location, text }
    }
}

fn site(url: &str) -> String {
    reqwest::Url::parse(url).unwrap().origin().ascii_serialization()
}

/// A parameter of an address.
pub fn parameter(url: &str, name: &str) -> Option<String> {
    let url = reqwest::Url::parse(url).unwrap();
    url.query_pairs().find(|(known, _)| known == name).map(|(_, value)| value.into_owned())
}

fn between(text: &str, before: &str, after: &str) -> Option<String> {
    let (_, rest) = text.split_once(before)?;
    Some(rest.split_once(after)?.0.to_owned())
}
