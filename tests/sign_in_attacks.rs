//! Attacks on signing in through a provider that an honest one cannot play: an issuer of the tests
//! hands out whatever token it is told to.

use axum::http::{StatusCode, header};
use chrono::TimeDelta;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use pulso::clock::Clock;
use pulso::ctx::Origin;
use pulso::error::Code;
use pulso::identity::session::service::login;
use pulso::limits;
use serde_json::{Value as Json, json};

use crate::support::app::now;
use crate::support::issuer::{Issuer, Key};
use crate::support::seed::{PASSWORD, Person};
use crate::support::visitor::{Browser, Page, parameter};
use crate::support::{Backend, Fixture, TestApp, both_databases};

const BEGIN: &str = "http://localhost:8000/auth/oidc/alpha/liar";
const HOME: &str = "http://localhost:8000/";
const DENIED: &str = "http://localhost:8000/?error=access_denied";
const DOWN: &str = "http://localhost:8000/?error=temporarily_unavailable";
const CLIENT: &str = "pulso";

/// A tenant that trusts an issuer which lies.
struct Stage {
    app: TestApp,
    issuer: Issuer,
    key: Key,
}

/// A browser that has come from the provider, and what it was sent there with.
struct Way<'a> {
    browser: Browser<'a>,
    state: String,
    nonce: String,
}

impl Fixture for Stage {
    async fn on(backend: Backend) -> Self {
        let app = TestApp::with(backend, Clock::fixed(now()), |config| {
            config.identity.sign_in_private_providers = true;
        });
        let (app, key) = (app.await, Key::new("first"));
        let issuer = Issuer::start(&[&key]).await;
        let stage = Self { app, issuer, key };
        let url = stage.issuer.url.clone();
        stage.trust("liar", &url, "a secret").await;
        stage
    }
}

impl Stage {
    async fn trust(&self, slug: &str, issuer: &str, secret: &str) {
        let query = "mutation($input: IdentityProviderCreateInput!) { \
                     identityProviderCreate(input: $input) { id } }";
        let input = json!({
            "slug": slug, "name": slug, "issuer": issuer, "clientId": CLIENT,
            "clientSecret": secret,
        });
        self.app.data(&self.app.alpha.admin.key, query, json!({ "input": input })).await;
    }

    async fn begin(&self) -> Way<'_> {
        let mut browser = Browser::new(&self.app);
        let page = browser.open(BEGIN).await;
        let location = page.location.unwrap_or_else(|| panic!("{}", page.text));
        assert!(location.starts_with(&format!("{}/authorize?fixed=1&", self.issuer.url)));
        let told = |name| parameter(&location, name).unwrap();
        assert_eq!(told("code_challenge_method"), "S256");
        Way { browser, state: told("state"), nonce: told("nonce") }
    }

    /// The claims of a good token.
    fn claims(&self, way: &Way<'_>, person: &Person) -> Json {
        let at = self.app.app.clock.now().timestamp();
        json!({
            "iss": self.issuer.url, "aud": CLIENT, "sub": person.id, "nonce": way.nonce,
            "iat": at, "exp": at + 300, "email": person.email, "email_verified": true,
        })
    }

    /// Where a browser ends with this token.
    async fn ends(&self, mut way: Way<'_>, id_token: &str) -> String {
        self.issuer.hand_out(id_token);
        way.back("").await.location.unwrap()
    }

    /// Where a browser ends with a good token but for this change of its claims.
    async fn ends_with(&self, change: impl FnOnce(&mut Json)) -> String {
        let way = self.begin().await;
        let mut claims = self.claims(&way, &self.app.alpha.comercial);
        change(&mut claims);
        let token = self.key.sign(&claims);
        self.ends(way, &token).await
    }
}

impl Way<'_> {
    async fn back(&mut self, more: &str) -> Page {
        let url = format!("{BEGIN}/callback?code=c&state={}{more}", self.state);
        self.browser.open(&url).await
    }
}

both_databases! {
    async fn a_good_token_opens_a_session(stage: Stage) {
        assert_eq!(stage.ends_with(|_claims| ()).await, HOME);
        let script = stage.issuer.script.lock().unwrap();
        let (form, authorization) = &script.asked[0];
        assert_eq!(authorization.as_deref(), Some("Basic cHVsc286YStzZWNyZXQ="));
        let names: Vec<&str> = form.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["grant_type", "code", "redirect_uri", "code_verifier"]);
    }

    async fn tokens_for_others_are_refused(stage: Stage) {
        type Change = fn(&mut Json);
        let changes: [(&str, Change); 16] = [
            ("another nonce", |claims| claims["nonce"] = json!("x")),
            ("no nonce", |claims| claims["nonce"] = Json::Null),
            ("another issuer", |claims| claims["iss"] = json!("https://evil.example")),
            ("nearly the issuer", |claims| {
                claims["iss"] = json!(format!("{}/", claims["iss"].as_str().unwrap()));
            }),
            ("another audience", |claims| claims["aud"] = json!("other")),
            ("other audiences", |claims| claims["aud"] = json!(["other", "third"])),
            ("several audiences, no party", |claims| claims["aud"] = json!([CLIENT, "other"])),
            ("another party", |claims| claims["azp"] = json!("other")),
            ("expired", |claims| claims["exp"] = json!(claims["iat"].as_i64().unwrap() - 31)),
            ("of the future", |claims| claims["iat"] = json!(claims["exp"])),
            ("not yet", |claims| claims["nbf"] = json!(claims["exp"])),
            ("without an end", |claims| claims["exp"] = Json::Null),
            ("without a beginning", |claims| claims["iat"] = Json::Null),
            ("an end that is none", |claims| claims["exp"] = json!(1e300)),
            ("without a subject", |claims| claims["sub"] = json!("")),
            ("a subject too long", |claims| claims["sub"] = json!("s".repeat(256))),
        ];
        for (name, change) in changes {
            assert_eq!(stage.ends_with(change).await, DENIED, "{name}");
        }
        assert_eq!(stage.app.count(&stage.app.alpha, "sessions").await, 0);
        let party = |claims: &mut Json| {
            claims["aud"] = json!([CLIENT, "other"]);
            claims["azp"] = json!(CLIENT);
        };
        assert_eq!(stage.ends_with(party).await, HOME);
    }

    async fn signatures_of_others_are_refused(stage: Stage) {
        let person = &stage.app.alpha.comercial;
        let other = Key::new("first");
        let way = stage.begin().await;
        let token = other.sign(&stage.claims(&way, person));
        assert_eq!(stage.ends(way, &token).await, DENIED);

        // The public key taken for a shared secret.
        let public = stage.key.public.clone();
        for secret in [public["x"].as_str().unwrap().to_owned(), public.to_string()] {
            let way = stage.begin().await;
            let mut header = Header::new(Algorithm::HS256);
            header.kid = Some("first".to_owned());
            let key = EncodingKey::from_secret(secret.as_bytes());
            let token = jsonwebtoken::encode(&header, &stage.claims(&way, person), &key).unwrap();
            assert_eq!(stage.ends(way, &token).await, DENIED);
        }
        // A secret that the issuer publishes, and no signature at all.
        stage.issuer.set(|script| {
            script.keys = vec![json!({ "kty": "oct", "kid": "first", "k": "c2VjcmV0" })];
        });
        stage.app.app.clock.advance(TimeDelta::minutes(limits::PROVIDER_CACHE_MINUTES));
        let way = stage.begin().await;
        let mut header = Header::new(Algorithm::HS256);
        header.kid = Some("first".to_owned());
        let key = EncodingKey::from_secret(b"secret");
        let token = jsonwebtoken::encode(&header, &stage.claims(&way, person), &key).unwrap();
        assert_eq!(stage.ends(way, &token).await, DENIED);
        let way = stage.begin().await;
        let claims = stage.key.sign(&stage.claims(&way, person));
        let claims = claims.split('.').nth(1).unwrap();
        let none = format!("eyJhbGciOiJub25lIn0.{claims}.");
        assert_eq!(stage.ends(way, &none).await, DENIED);
        assert_eq!(stage.app.count(&stage.app.alpha, "sessions").await, 0);
    }

    async fn unknown_keys_are_asked_for_once_a_minute(stage: Stage) {
        let person = &stage.app.alpha.comercial;
        let asked = || stage.issuer.script.lock().unwrap().keys_asked;
        let unknown = Key::new("unknown");
        for _attempt in 0..5 {
            let way = stage.begin().await;
            let token = unknown.sign(&stage.claims(&way, person));
            assert_eq!(stage.ends(way, &token).await, DENIED);
        }
        // At the discovery, and once for the key.
        assert_eq!(asked(), 2);
        stage.issuer.set(|script| script.keys.push(unknown.public.clone()));
        stage.app.app.clock.advance(TimeDelta::seconds(limits::PROVIDER_KEYS_AGAIN_SECONDS));
        let way = stage.begin().await;
        let token = unknown.sign(&stage.claims(&way, person));
        assert_eq!(stage.ends(way, &token).await, HOME);
        assert_eq!(asked(), 3);
    }

    async fn answers_of_another_issuer_are_refused(stage: Stage) {
        let mut way = stage.begin().await;
        let page = way.back("&iss=https%3A%2F%2Fevil.example").await;
        assert_eq!(page.location.as_deref(), Some(DENIED));
        // Whoever says that it names itself has to.
        stage.issuer.set(|script| {
            script.metadata["authorization_response_iss_parameter_supported"] = json!(true);
        });
        stage.app.app.clock.advance(TimeDelta::minutes(limits::PROVIDER_CACHE_MINUTES));
        let mut way = stage.begin().await;
        assert_eq!(way.back("").await.location.as_deref(), Some(DENIED));
        assert!(stage.issuer.script.lock().unwrap().asked.is_empty());
        let mut way = stage.begin().await;
        let token = stage.key.sign(&stage.claims(&way, &stage.app.alpha.comercial));
        stage.issuer.hand_out(&token);
        let issuer = stage.issuer.url.replace(':', "%3A").replace('/', "%2F");
        assert_eq!(way.back(&format!("&iss={issuer}")).await.location.as_deref(), Some(HOME));
    }

    async fn an_address_that_was_given_on_does_not_open_the_account(stage: Stage) {
        assert_eq!(stage.ends_with(|_claims| ()).await, HOME);
        assert_eq!(stage.ends_with(|claims| claims["sub"] = json!("another")).await, DENIED);
        // Nor does userinfo of somebody else.
        let info = json!({
            "sub": "third", "email": stage.app.alpha.admin.email, "email_verified": true,
        });
        stage.issuer.set(|script| script.userinfo = info);
        let without_email = |claims: &mut Json| {
            claims["sub"] = json!("fourth");
            claims["email"] = Json::Null;
        };
        assert_eq!(stage.ends_with(without_email).await, DENIED);
        stage.issuer.set(|script| script.userinfo["sub"] = json!("fourth"));
        assert_eq!(stage.ends_with(without_email).await, HOME);
    }

    /// What hangs on somebody goes with them, and a role that a provider gives stays.
    async fn people_and_roles_can_go(stage: Stage) {
        let (app, key) = (&stage.app, &stage.app.alpha.admin.key);
        assert_eq!(stage.ends_with(|_claims| ()).await, HOME);
        let listed = app.data(key, "{ identityProviders { id } roles { id name } }", json!({})).await;
        let roles = listed["roles"].as_array().unwrap();
        let role = roles.iter().find(|role| role["name"] == "cliente").unwrap();
        let query = "mutation($id: ID!) { identityProviderUpdate(id: $id, \
                     input: { createsUsers: true, role: \"cliente\" }) { role } }";
        let provider = &listed["identityProviders"][0];
        app.data(key, query, json!({ "id": provider["id"] })).await;
        let delete = "mutation($id: ID!) { roleDelete(id: $id) }";
        assert_eq!(app.error_code(key, delete, json!({ "id": role["id"] })).await, "CONFLICT");

        let input = json!({ "email": "short@alpha.example", "fullName": "Short Stay" });
        let id = json!({ "id": app.create(key, "User", input).await });
        let as_them = |claims: &mut Json| {
            claims["sub"] = json!("short");
            claims["email"] = json!("short@alpha.example");
        };
        assert_eq!(stage.ends_with(as_them).await, HOME);
        assert_eq!(app.count(&app.alpha, "user_identities").await, 2);
        let theirs = "DELETE FROM sessions WHERE user_id = (SELECT id FROM users WHERE email = ?)";
        assert_eq!(app.write_sql(theirs, vec!["short@alpha.example".into()]).await, 1);
        app.data(key, "mutation($id: ID!) { userDelete(id: $id) { id } }", id.clone()).await;
        app.data(key, "mutation($id: ID!) { userDestroy(id: $id) }", id).await;
        assert_eq!(app.count(&app.alpha, "user_identities").await, 1);
    }

    /// Somebody may have taken an address and waited for its owner to come.
    async fn who_took_an_address_before_its_owner_came_is_shut_out(stage: Stage) {
        let (app, person) = (&stage.app, &stage.app.alpha.comercial);
        let origin = Origin::internal("test");
        let sign_in = || login(&app.app, "alpha", &person.email, PASSWORD, &origin);
        let waiting = sign_in().await.unwrap();
        assert!(app.app.identity.authenticate(&app.app, &waiting.access_token).await.is_ok());
        assert_eq!(stage.ends_with(|_claims| ()).await, HOME);
        assert!(app.app.identity.authenticate(&app.app, &waiting.access_token).await.is_err());
        assert_eq!(sign_in().await.unwrap_err().code(), Code::Unauthenticated);
        // Of whom it was proved that it is theirs, nothing is taken.
        let admin = &app.alpha.admin;
        let sql = "UPDATE users SET is_verified = ? WHERE id = ?";
        let values = vec![true.into(), pulso::db::Value::Id(admin.id)];
        assert_eq!(app.write_sql(sql, values).await, 1);
        let of_admin = |claims: &mut Json| {
            claims["sub"] = json!("admin");
            claims["email"] = json!(admin.email);
        };
        assert_eq!(stage.ends_with(of_admin).await, HOME);
        assert!(login(&app.app, "alpha", &admin.email, PASSWORD, &origin).await.is_ok());
    }

    async fn microsofts_word_for_verified_is_understood(stage: Stage) {
        let entra = |word: Json| {
            move |claims: &mut Json| {
                claims.as_object_mut().unwrap().remove("email_verified");
                claims["xms_edov"] = word;
            }
        };
        for word in [json!(false), json!(0), json!("0"), Json::Null, json!([true])] {
            assert_eq!(stage.ends_with(entra(word.clone())).await, DENIED, "{word}");
        }
        assert_eq!(stage.ends_with(entra(json!(1))).await, HOME);
        // Whoever says that it is not verified is believed.
        let both = |claims: &mut Json| {
            claims["sub"] = json!("another");
            claims["email_verified"] = json!(false);
            claims["xms_edov"] = json!(true);
        };
        assert_eq!(stage.ends_with(both).await, DENIED);
    }

    async fn a_program_does_not_sign_in(stage: Stage) {
        let app = &stage.app;
        let sql = "UPDATE users SET is_service = ? WHERE id = ?";
        let values = vec![true.into(), pulso::db::Value::Id(app.alpha.comercial.id)];
        assert_eq!(app.write_sql(sql, values).await, 1);
        assert_eq!(stage.ends_with(|_claims| ()).await, DENIED);
    }

    async fn providers_that_fail_let_nobody_in(stage: Stage) {
        // The token endpoint refuses the code, then falls over, then leads elsewhere, then talks
        // without end.
        let mut way = stage.begin().await;
        assert_eq!(way.back("").await.location.as_deref(), Some(DENIED));
        stage.issuer.set(|script| script.token.0 = StatusCode::INTERNAL_SERVER_ERROR);
        let mut way = stage.begin().await;
        assert_eq!(way.back("").await.location.as_deref(), Some(DOWN));
        let other = Issuer::start(&[&stage.key]).await;
        stage.issuer.set(|script| script.redirect = Some(format!("{}/token", other.url)));
        let mut way = stage.begin().await;
        assert_eq!(way.back("").await.location.as_deref(), Some(DOWN));
        assert!(other.script.lock().unwrap().asked.is_empty());
        let endless = "x".repeat(limits::PROVIDER_ANSWER_BYTES_MAX);
        stage.issuer.set(|script| {
            script.redirect = None;
            script.token = (StatusCode::OK, json!({ "id_token": endless }));
        });
        let mut way = stage.begin().await;
        assert_eq!(way.back("").await.location.as_deref(), Some(DOWN));
        assert_eq!(stage.app.count(&stage.app.alpha, "sessions").await, 0);
    }

    async fn who_describes_another_is_not_believed(stage: Stage) {
        stage.issuer.set(|script| script.metadata["issuer"] = json!("https://accounts.google.com"));
        let mut browser = Browser::new(&stage.app);
        let page = browser.open(BEGIN).await;
        assert_eq!(page.status, StatusCode::SERVICE_UNAVAILABLE, "{}", page.text);
        assert!(!page.text.contains("127.0.0.1"), "{}", page.text);
        assert_eq!(stage.app.count(&stage.app.alpha, "sign_in_flows").await, 0);
    }

    async fn what_an_issuer_said_is_not_believed_for_ever(stage: Stage) {
        stage.begin().await;
        stage.issuer.set(|script| script.metadata["issuer"] = json!("https://accounts.google.com"));
        stage.app.app.clock.advance(TimeDelta::minutes(limits::PROVIDER_CACHE_MINUTES));
        assert_eq!(stage.ends_with(|_claims| ()).await, HOME);
        stage.app.app.clock.advance(TimeDelta::hours(limits::PROVIDER_STALE_HOURS));
        let page = Browser::new(&stage.app).open(BEGIN).await;
        assert_eq!(page.status, StatusCode::SERVICE_UNAVAILABLE, "{}", page.text);
    }

    async fn nobody_is_led_to_a_place_of_a_strangers(stage: Stage) {
        let mut browser = Browser::new(&stage.app);
        for wish in ["https%3A%2F%2Fevil.example", "%2F%2Fevil.example", "javascript%3Aalert(1)"] {
            let page = browser.open(&format!("{BEGIN}?return_to={wish}")).await;
            assert_eq!(page.status, StatusCode::BAD_REQUEST, "{wish}");
            assert_eq!(page.location, None);
        }
        let page = browser.open(&format!("{BEGIN}?challenge=short")).await;
        assert_eq!(page.status, StatusCode::BAD_REQUEST);
        assert_eq!(stage.app.count(&stage.app.alpha, "sign_in_flows").await, 0);
    }

    async fn a_way_ends_by_itself_and_is_forgotten(stage: Stage) {
        let mut way = stage.begin().await;
        stage.app.app.clock.advance(TimeDelta::minutes(limits::SIGN_IN_MINUTES));
        assert_eq!(way.back("").await.status, StatusCode::BAD_REQUEST);
        assert_eq!(stage.app.count(&stage.app.alpha, "sign_in_flows").await, 1);
        stage.app.app.clock.advance(TimeDelta::minutes(limits::SIGN_IN_MINUTES + 1));
        pulso::identity::account::upkeep::forget(&stage.app.app).await.unwrap();
        assert_eq!(stage.app.count(&stage.app.alpha, "sign_in_flows").await, 0);
    }

    /// What is kept in the browser is out of reach of scripts, and over TLS bound to this host.
    async fn cookies_of_a_way_are_closed_in(stage: Stage) {
        let page = Browser::new(&stage.app).open(BEGIN).await;
        let line = page.headers[header::SET_COOKIE].to_str().unwrap();
        assert!(line.starts_with("pulso_sign_in=") && line.contains("; HttpOnly; SameSite=Lax"));
        assert!(line.contains("Max-Age=600") && !line.contains("Secure"), "{line}");
        let over_tls = TestApp::with(Backend::Sqlite, Clock::fixed(now()), |config| {
            config.identity.sign_in_private_providers = true;
            config.identity.sign_in_url = Some("https://crm.example.com/".to_owned());
        });
        let over_tls = over_tls.await;
        let url = stage.issuer.url.clone();
        let moved = Stage { app: over_tls, issuer: stage.issuer.clone(), key: Key::new("first") };
        moved.trust("liar", &url, "a secret").await;
        let page = Browser::new(&moved.app).open(BEGIN).await;
        let line = page.headers[header::SET_COOKIE].to_str().unwrap();
        assert!(line.starts_with("__Host-pulso_sign_in=") && line.ends_with("; Secure"), "{line}");
        let location = page.location.unwrap();
        let callback = parameter(&location, "redirect_uri").unwrap();
        assert_eq!(callback, "https://crm.example.com/auth/oidc/alpha/liar/callback");
    }
}
