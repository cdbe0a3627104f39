//! Signing in through a real identity provider, the whole way: to it, through its forms, back, and
//! into a session. What an honest provider cannot play is in `sign_in_attacks.rs`.

use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use pulso::clock::Clock;
use pulso::db::Value;
use serde_json::{Value as Json, json};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::support::provider::{CLIENT_ID, CLIENT_SECRET, Provider};
use crate::support::seed::{Person, Tenant};
use crate::support::visitor::{Browser, OWN, parameter};
use crate::support::{Backend, Fixture, TestApp, both_databases};

pub const BEGIN: &str = "http://localhost:8000/auth/oidc/alpha/work";
/// Where everything ends that ends well.
pub const HOME: &str = "http://localhost:8000/";
const APP: &str = "com.example.crm://signed-in";
pub const ME: &str = "{ me { user { id email } roles } }";

/// An application that may ask a provider on this machine, at the time that the provider has.
pub struct Office {
    pub app: TestApp,
}

impl Fixture for Office {
    async fn on(backend: Backend) -> Self {
        let app = TestApp::with(backend, Clock::system(), |config| {
            config.identity.sign_in_private_providers = true;
            config.identity.sign_in_returns = vec![APP.to_owned()];
        });
        let app = app.await;
        app.app.db.ensure_partitions(app.app.clock.now()).await.unwrap();
        Self { app }
    }
}

impl Office {
    /// Lets people of a tenant in through a provider; its id.
    pub async fn trust(&self, tenant: &Tenant, provider: &Provider, more: Json) -> String {
        let mut input = json!({
            "slug": "work",
            "name": "Work",
            "issuer": provider.issuer,
            "clientId": CLIENT_ID,
            "clientSecret": CLIENT_SECRET,
        });
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let query = "mutation($input: IdentityProviderCreateInput!) { \
                     identityProviderCreate(input: $input) { id } }";
        let made = self.app.data(&tenant.admin.key, query, json!({ "input": input })).await;
        made["identityProviderCreate"]["id"].as_str().unwrap().to_owned()
    }

    pub async fn change(&self, id: &str, input: Json) {
        let query = "mutation($id: ID!, $input: IdentityProviderUpdateInput!) { \
                     identityProviderUpdate(id: $id, input: $input) { id } }";
        let variables = json!({ "id": id, "input": input });
        self.app.data(&self.app.alpha.admin.key, query, variables).await;
    }

    /// Who is signed in after having been at the provider as `name`; the error where nobody is.
    async fn result_of(&self, name: &str) -> Result<Json, String> {
        let mut browser = Browser::new(&self.app);
        let (address, _) = browser.sign_in(BEGIN, name, HOME).await;
        match parameter(&address, "error") {
            Some(error) => {
                assert!(!browser.own_cookies().contains(&"pulso_access"));
                Err(error)
            }
            None => Ok(browser.ask(ME).await["data"]["me"].take()),
        }
    }

    async fn refusals(&self) -> Vec<String> {
        let sql = "SELECT new_values FROM audit_logs WHERE tenant_id = ? \
                   AND action = 'identity_provider.refuse_sign_in' ORDER BY created_at, id";
        let rows = self.app.read_sql(&self.app.alpha, sql, Vec::new()).await;
        let reason = |row: &pulso::db::Row| row.json(0).unwrap().unwrap()["reason"].clone();
        rows.iter().map(|row| reason(row).as_str().unwrap().to_owned()).collect()
    }

    async fn actions(&self) -> Vec<String> {
        let sql = "SELECT action FROM audit_logs WHERE tenant_id = ? \
                   AND resource_type <> 'identity_providers' ORDER BY created_at, id";
        let rows = self.app.read_sql(&self.app.alpha, sql, Vec::new()).await;
        rows.iter().map(|row| row.text(0).unwrap().unwrap()).collect()
    }
}

fn id_of(me: &Json) -> Uuid {
    me["user"]["id"].as_str().unwrap().parse().unwrap()
}

async fn redeem(app: &TestApp, code: &str, verifier: &str) -> Json {
    let query = "mutation($code: String!, $verifier: String!) { \
                 signInRedeem(code: $code, verifier: $verifier) { accessToken refreshToken } }";
    let variables = json!({ "code": code, "verifier": verifier });
    let body = json!({ "query": query, "variables": variables }).to_string();
    let request = Request::post("/graphql")
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::from(body))
        .unwrap();
    app.request(request).await.json()
}

async fn set(app: &TestApp, person: &Person, column: &str, value: Value) {
    let sql = format!("UPDATE users SET {column} = ? WHERE id = ?");
    assert_eq!(app.write_sql(&sql, vec![value, Value::Id(person.id)]).await, 1);
}

both_databases! {
    async fn people_sign_in_with_their_account_at_work(office: Office) {
        let app = &office.app;
        let person = &app.alpha.comercial;
        let provider = Provider::start(&json!({}), false);
        office.trust(&app.alpha, &provider, json!({})).await;
        let before = office.actions().await.len();

        let mut browser = Browser::new(app);
        let begin = format!("{BEGIN}?return_to=%2Fleads%3Fopen%3D1%23top");
        let (address, last) = browser.sign_in(&begin, &person.email, HOME).await;
        assert_eq!(address, "http://localhost:8000/leads?open=1#top");
        assert_eq!(last.status, StatusCode::SEE_OTHER);
        assert_eq!(last.headers[header::CACHE_CONTROL], "no-store");
        // The cookie of the way is gone, those of the session are there.
        assert_eq!(browser.own_cookies(), ["pulso_access", "pulso_refresh"]);
        let me = browser.ask(ME).await;
        assert_eq!(me["data"]["me"]["user"]["id"], json!(person.id), "{me}");
        let actions = office.actions().await.split_off(before);
        assert_eq!(actions, ["user.link_identity", "session.login"]);
        let sql = "SELECT new_values FROM audit_logs WHERE tenant_id = ? AND action = ?";
        let login = app.read_sql(&app.alpha, sql, vec!["session.login".into()]).await;
        assert_eq!(login[0].json(0).unwrap().unwrap()["identityProvider"], "work");
        let sql = "SELECT is_verified, last_login_at FROM users WHERE tenant_id = ? AND id = ?";
        let user = app.read_sql(&app.alpha, sql, vec![Value::Id(person.id)]).await;
        assert_eq!(user[0].bool(0).unwrap(), Some(true));
        assert!(user[0].instant(1).unwrap().is_some());

        // Who they are follows from the provider's name for them, and not from an address.
        set(app, person, "email", "moved@alpha.example".into()).await;
        let me = office.result_of(&person.email).await.unwrap();
        assert_eq!(id_of(&me), person.id);
        assert_eq!(app.count(&app.alpha, "user_identities").await, 1);
    }

    async fn an_app_gets_a_code_that_is_good_once(office: Office) {
        let app = &office.app;
        let provider = Provider::start(&json!({}), true);
        office.trust(&app.alpha, &provider, json!({})).await;
        let verifier = "a verifier of the app's own, 43 characters or more";
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier));
        let begin = format!("{BEGIN}?return_to={APP}&challenge={challenge}");
        let code = || async {
            let mut browser = Browser::new(app);
            let (address, _) = browser.sign_in(&begin, &app.alpha.diretor.email, APP).await;
            assert!(browser.own_cookies().is_empty());
            parameter(&address, "code").unwrap()
        };

        let first = code().await;
        let session = redeem(app, &first, verifier).await["data"]["signInRedeem"].take();
        let me = app.data(session["accessToken"].as_str().unwrap(), ME, json!({})).await;
        assert_eq!(id_of(&me["me"]), app.alpha.diretor.id);
        assert!(session["refreshToken"].is_string());

        let refused = |answer: Json| {
            assert_eq!(answer["errors"][0]["extensions"]["code"], "UNAUTHENTICATED", "{answer}");
        };
        refused(redeem(app, &first, verifier).await);
        // Whoever has the code alone has nothing, and it is used up by trying.
        let second = code().await;
        refused(redeem(app, &second, "another verifier").await);
        refused(redeem(app, &second, verifier).await);
        let third = code().await;
        set(app, &app.alpha.diretor, "is_active", Value::Bool(false)).await;
        refused(redeem(app, &third, verifier).await);
        refused(redeem(app, "nonsense", verifier).await);
    }

    async fn strangers_become_users_where_the_provider_may_make_them(office: Office) {
        let app = &office.app;
        let people = json!({
            "new": { "email": "New.Person@Work.example", "email_verified": true, "name": "Nova Pessoa" },
            "other": { "email": "other@elsewhere.example", "email_verified": true },
        });
        let provider = Provider::start(&people, false);
        let id = office.trust(&app.alpha, &provider, json!({})).await;
        assert_eq!(office.result_of("new").await, Err("access_denied".to_owned()));

        let domains = json!({
            "createsUsers": true, "role": "comercial", "emailDomains": ["Work.example"],
        });
        office.change(&id, domains).await;
        let me = office.result_of("new").await.unwrap();
        assert_eq!(me["user"]["email"], "new.person@work.example");
        assert_eq!(me["roles"], json!(["comercial"]));
        assert_eq!(id_of(&office.result_of("new").await.unwrap()), id_of(&me));
        assert_eq!(office.result_of("other").await, Err("access_denied".to_owned()));
        assert_eq!(office.refusals().await, ["no such user", "e-mail of another domain"]);
        let actions = office.actions().await;
        let made = actions.iter().filter(|action| *action == "user.create").count();
        assert_eq!(made, 1, "{actions:?}");
    }

    async fn only_verified_addresses_of_the_living_find_accounts(office: Office) {
        let app = &office.app;
        let alpha = &app.alpha;
        let people = json!({
            "unverified": { "email": alpha.admin.email, "email_verified": false },
            "unsaid": { "email": alpha.admin.email },
            "none": { "name": "Nobody" },
        });
        let provider = Provider::start(&people, true);
        office.trust(alpha, &provider, json!({ "createsUsers": true, "role": "admin" })).await;
        let denied = Err("access_denied".to_owned());
        for name in ["unverified", "unsaid", "none"] {
            assert_eq!(office.result_of(name).await, denied, "{name}");
        }
        set(app, &alpha.manager, "is_active", Value::Bool(false)).await;
        assert_eq!(office.result_of(&alpha.manager.email).await, denied);
        // Linked while they might come in, and then no longer.
        office.result_of(&alpha.comercial.email).await.unwrap();
        set(app, &alpha.comercial, "is_active", Value::Bool(false)).await;
        assert_eq!(office.result_of(&alpha.comercial.email).await, denied);
        office.result_of(&alpha.diretor.email).await.unwrap();
        set(app, &alpha.diretor, "deleted_at", Value::Instant(app.app.clock.now())).await;
        assert_eq!(office.result_of(&alpha.diretor.email).await, denied);
        let (not, inactive) = ("e-mail not verified", "user may not act");
        assert_eq!(office.refusals().await, [not, not, not, inactive, inactive, inactive]);
        // Another tenant's people are strangers here.
        let me = office.result_of(&app.beta.diretor.email).await.unwrap();
        assert_ne!(id_of(&me), app.beta.diretor.id);
        assert_eq!(app.count(&app.beta, "user_identities").await, 0);
    }

    async fn a_providers_new_keys_are_found(office: Office) {
        let app = &office.app;
        let provider = Provider::start(&json!({}), false);
        office.trust(&app.alpha, &provider, json!({})).await;
        let person = &app.alpha.comercial;
        assert_eq!(id_of(&office.result_of(&person.email).await.unwrap()), person.id);
        provider.rotate_keys().await;
        assert_eq!(id_of(&office.result_of(&person.email).await.unwrap()), person.id);
    }

    async fn a_way_is_used_once_in_the_browser_that_began_it(office: Office) {
        let app = &office.app;
        let provider = Provider::start(&json!({}), false);
        office.trust(&app.alpha, &provider, json!({})).await;
        office.trust(&app.beta, &provider, json!({})).await;
        office.trust(&app.alpha, &provider, json!({ "slug": "other" })).await;
        let person = &app.alpha.comercial;
        let callback = format!("{BEGIN}/callback");
        // As far as the way back.
        let mut browser = Browser::new(app);
        let (address, _) = browser.sign_in(BEGIN, &person.email, HOME).await;
        assert_eq!(address, HOME);
        let used = browser.trail.iter().find(|url| url.starts_with(&callback)).unwrap().clone();
        let sessions = app.count(&app.alpha, "sessions").await;

        // Once more, without its cookie and with that of another way.
        assert_eq!(browser.open(&used).await.status, StatusCode::BAD_REQUEST);
        browser.open(BEGIN).await;
        assert_eq!(browser.own_cookies().len(), 3);
        assert_eq!(browser.open(&used).await.status, StatusCode::BAD_REQUEST);

        // Another browser has the address, but not the cookie.
        let mut browser = Browser::new(app);
        let stolen = browser.come_back_as(&person.email, BEGIN).await;
        let mut thief = Browser::new(app);
        assert_eq!(thief.open(&stolen).await.status, StatusCode::BAD_REQUEST);
        thief.open(BEGIN).await;
        assert_eq!(thief.open(&stolen).await.status, StatusCode::BAD_REQUEST);
        // At the address of another tenant or provider, or with another state, it opens nothing.
        let elsewhere = [
            stolen.replace("/alpha/work/", "/beta/work/"),
            stolen.replace("/alpha/work/", "/alpha/other/"),
            stolen.replace("state=", "state=0"),
            stolen.replace("state=", "states="),
            format!("{stolen}&state=x"),
        ];
        for url in elsewhere {
            assert_eq!(browser.open(&url).await.status, StatusCode::BAD_REQUEST, "{url}");
        }
        assert_eq!(app.count(&app.alpha, "sessions").await, sessions);
        // It was good all the same.
        assert_eq!(browser.open(&stolen).await.location.as_deref(), Some(HOME));
        assert_eq!(browser.own_cookies(), ["pulso_access", "pulso_refresh"]);
    }

    async fn a_provider_that_is_off_lets_nobody_in(office: Office) {
        let app = &office.app;
        let provider = Provider::start(&json!({}), false);
        let id = office.trust(&app.alpha, &provider, json!({})).await;
        let offered = format!("{{ signInProviders(tenant: \"{}\") {{ slug name url }} }}", "alpha");
        let shown = json!([{ "slug": "work", "name": "Work", "url": BEGIN }]);
        assert_eq!(app.data(&app.alpha.admin.key, &offered, json!({})).await["signInProviders"], shown);

        let mut browser = Browser::new(app);
        let back = browser.come_back_as(&app.alpha.admin.email, BEGIN).await;
        office.change(&id, json!({ "isEnabled": false })).await;
        assert_eq!(browser.open(&back).await.status, StatusCode::NOT_FOUND);
        assert_eq!(browser.open(BEGIN).await.status, StatusCode::NOT_FOUND);
        let hidden = app.data(&app.alpha.admin.key, &offered, json!({})).await;
        assert_eq!(hidden["signInProviders"], json!([]));
        // Nor has a tenant that is suspended one.
        office.change(&id, json!({ "isEnabled": true })).await;
        assert_eq!(browser.open(BEGIN).await.status, StatusCode::SEE_OTHER);
        let values = vec![Value::Instant(app.app.clock.now()), Value::Id(app.alpha.id)];
        app.write_sql("UPDATE tenants SET suspended_at = ? WHERE id = ?", values).await;
        assert_eq!(browser.open(BEGIN).await.status, StatusCode::NOT_FOUND);
        // As if there had never been one.
        let never = browser.open(&format!("{OWN}/auth/oidc/nobody/work")).await;
        assert_eq!(never.status, StatusCode::NOT_FOUND);
    }

    async fn who_does_not_agree_is_led_back_without_a_session(office: Office) {
        let app = &office.app;
        let provider = Provider::start(&json!({}), false);
        office.trust(&app.alpha, &provider, json!({})).await;
        let mut browser = Browser::new(app);
        let (at, _) = browser.follow(BEGIN, HOME).await;
        let (address, _) = browser.follow(&format!("{at}/abort"), HOME).await;
        assert_eq!(parameter(&address, "error").as_deref(), Some("access_denied"));
        assert!(browser.own_cookies().is_empty());
        assert_eq!(office.refusals().await, ["refused by the provider"]);
    }
}
