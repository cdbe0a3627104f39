//! Accounts: invitations, passwords and their reset, roles and who may give them, guessing, and the
//! mails that all of it sends.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::ConnectInfo;
use axum::http::{Request, header};
use chrono::TimeDelta;
use pulso::app::App;
use pulso::config::{Config, DatabaseUrl, Secret, SmtpTls, Sources};
use pulso::db::Value;
use pulso::identity::account;
use pulso::limits;
use pulso::mail::{self, Delivered};
use serde_json::{Value as Json, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tower::ServiceExt as _;
use uuid::Uuid;

use crate::support::app::config;
use crate::support::seed::{PASSWORD, Person};
use crate::support::{Backend, Fixture, TestApp, both_databases};

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
const RESEND: &str = "mutation($id: ID!) { invitationResend(userId: $id) { id } }";
const REVOKE: &str = "mutation($id: ID!) { invitationRevoke(userId: $id) { id } }";
const ROLES: &str = "mutation($id: ID!, $roles: [String!]!) { \
                     userRolesSet(userId: $id, roles: $roles) { id } }";
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

both_databases! {
    // ---- Invitations -----------------------------------------------------------------------------

    async fn an_invitation_goes_out_by_mail(office: Office) {
        let alpha = &office.test.alpha;
        let seen = office.test.trail(alpha).await;
        let input = json!({ "email": " Bia@Example.COM", "name": " Bia Lima ",
            "roles": ["comercial", "comercial"], "managerId": alpha.manager.id, "language": "pt-BR" });
        let answer = office.ask(Some(&alpha.admin.key), INVITE, json!({ "input": input })).await;
        let user = &answer["data"]["userInvite"];
        assert_eq!(user["email"], "bia@example.com", "{answer:#}");
        assert_eq!(user["isVerified"], false);
        let trail = office.test.trail(alpha).await.since(&seen);
        let actions = BTreeSet::from_iter(trail.actions());
        assert_eq!(actions, BTreeSet::from(["user.create", "user.invite"]));
        assert_eq!(trail.kinds(), ["user.created", "user.invited"]);
        let invited = trail.audits.iter().find(|audit| audit.action == "user.invite").unwrap();
        assert_eq!(invited.user_id, Some(alpha.admin.id));
        assert_eq!(invited.new.as_ref().unwrap()["roles"], json!(["comercial"]));

        // No secret waits in the database, and nobody signs in without a password.
        let sql = "SELECT secret_hash FROM account_tokens WHERE tenant_id = ?";
        assert_eq!(office.text(sql, vec![]).await, None);
        let before = office.sign_in_from(HOME, "bia@example.com", NEW_PASSWORD).await;
        assert_eq!(code(&before), "UNAUTHENTICATED");

        let letter = office.mail().await;
        for header in ["To: \"Bia Lima\" <bia@example.com>", "From: Pulso <no-reply@localhost>",
            "Content-Language: pt-BR", "Auto-Submitted: auto-generated", "Subject: Tenant alpha: seu",
            "Date: Tue, 10 Mar 2026 12:00:00 +0000"] {
            assert!(letter.headers.contains(header), "{header}\n{}", letter.headers);
        }
        assert!(letter.text.contains("Olá Bia Lima"), "{}", letter.text);
        assert!(letter.text.contains("\r\nhttps://crm.example/app/invitation#token="), "{}", letter.text);
        let token = letter.token();
        let hash = office.text(sql, vec![]).await.unwrap();
        assert_eq!(hash.len(), 64);
        assert!(!token.contains(&hash));
        assert_eq!(office.deliver().await, Delivered::default(), "once");
    }

    async fn an_invitation_opens_an_account_once(office: Office) {
        let alpha = &office.test.alpha;
        let id = office.invite("bia@example.com", &["comercial"]).await;
        let token = office.mail().await.token();
        let seen = office.test.trail(alpha).await;
        let answer = office.ask(None, ACCEPT,
            json!({ "token": token, "password": NEW_PASSWORD, "name": "Beatriz Lima" })).await;
        let account = json!({ "tenant": "alpha", "email": "bia@example.com" });
        assert_eq!(answer["data"]["invitationAccept"], account, "{answer:#}");
        let trail = office.test.trail(alpha).await.since(&seen);
        assert_eq!(trail.actions(), ["user.accept_invitation"]);
        assert_eq!(trail.kinds(), ["user.invitation_accepted"]);
        assert_eq!(trail.audits[0].user_id, Some(id));
        assert_eq!(trail.audits[0].ip.as_deref(), Some(HOME));
        let told = "{ notifications { nodes { kind resource recordId actorId } } }";
        let told = office.test.data(&alpha.admin.key, told, json!({})).await;
        assert_eq!(told["notifications"]["nodes"], json!([{
            "kind": "INVITATION_ACCEPTED", "resource": "users", "recordId": id, "actorId": id
        }]));

        let bearer = office.sign_in("bia@example.com", NEW_PASSWORD).await;
        let me = office.ask(Some(&bearer), ME, json!({})).await;
        assert_eq!(me["data"]["me"]["user"]["fullName"], "Beatriz Lima");
        assert_eq!(me["data"]["me"]["roles"], json!(["comercial"]));
        let found = "{ users(search: \"beatriz\") { nodes { id isVerified } } }";
        let found = office.ask(Some(&alpha.admin.key), found, json!({})).await;
        assert_eq!(found["data"]["users"]["nodes"], json!([{ "id": id, "isVerified": true }]));

        let again = office.ask(None, ACCEPT, accept(&token)).await;
        assert_eq!(field(&again), ("INVALID", "token"));
        let again = office.ask(Some(&alpha.admin.key), RESEND, json!({ "id": id })).await;
        assert_eq!(code(&again), "CONFLICT");
    }

    async fn an_invitation_ends(office: Office) {
        let key = Some(office.test.alpha.admin.key.as_str());
        let id = office.invite("bia@example.com", &["comercial"]).await;
        let first = office.mail().await.token();

        // Resent: not at once, and then the one before ends.
        let hasty = office.ask(key, RESEND, json!({ "id": id })).await;
        assert_eq!(wait(&hasty), 60);
        office.later(TimeDelta::minutes(1));
        let answer = office.ask(key, RESEND, json!({ "id": id })).await;
        assert_eq!(answer["data"]["invitationResend"]["id"], json!(id), "{answer:#}");
        let second = office.mail().await.token();
        let gone = office.ask(None, ACCEPT, accept(&first)).await;
        assert_eq!(field(&gone), ("INVALID", "token"));

        // Revoked: before it was sent it is not sent any more.
        let answer = office.ask(key, REVOKE, json!({ "id": id })).await;
        assert_eq!(answer["data"]["invitationRevoke"]["id"], json!(id), "{answer:#}");
        assert_eq!(field(&office.ask(None, ACCEPT, accept(&second)).await), ("INVALID", "token"));
        assert_eq!(code(&office.ask(key, REVOKE, json!({ "id": id })).await), "CONFLICT");
        office.later(TimeDelta::minutes(1));
        office.ask(key, RESEND, json!({ "id": id })).await;
        office.ask(key, REVOKE, json!({ "id": id })).await;
        assert_eq!(office.deliver().await, Delivered { dropped: 1, ..Delivered::default() });

        // Expired.
        office.later(TimeDelta::minutes(1));
        office.ask(key, RESEND, json!({ "id": id })).await;
        let third = office.mail().await.token();
        office.later(TimeDelta::days(limits::INVITATION_DAYS));
        assert_eq!(field(&office.ask(None, ACCEPT, accept(&third)).await), ("INVALID", "token"));

        // Of somebody who was deactivated, or whose address is another now.
        for input in [json!({ "isActive": false }), json!({ "email": "bia@other.example" })] {
            let active = json!({ "id": id, "input": { "isActive": true } });
            office.ask(key, UPDATE, active).await;
            office.ask(key, RESEND, json!({ "id": id })).await;
            let token = office.mail().await.token();
            let answer = office.ask(key, UPDATE, json!({ "id": id, "input": input })).await;
            assert!(answer.get("errors").is_none(), "{answer:#}");
            let answer = office.ask(None, ACCEPT, accept(&token)).await;
            assert_eq!(field(&answer), ("INVALID", "token"), "{input}");
            office.later(TimeDelta::minutes(1));
        }
    }

    async fn who_is_invited_is_checked(office: Office) {
        let alpha = &office.test.alpha;
        let users = office.test.count(alpha, "users").await;
        let good = json!({ "email": "bia@example.com", "name": "Bia", "roles": ["comercial"] });
        for (name, value, expected) in [
            ("email", json!("bia"), ("INVALID", "input.email")),
            ("email", json!(alpha.comercial.email), ("CONFLICT", "input.email")),
            ("name", json!("  "), ("INVALID", "input.name")),
            ("roles", json!(["chefe"]), ("INVALID", "input.roles")),
            ("language", json!("fr"), ("INVALID", "input.language")),
            ("managerId", json!(office.test.beta.admin.id), ("NOT_FOUND", "input.managerId")),
            ("orgUnitId", json!(Uuid::nil()), ("NOT_FOUND", "input.orgUnitId")),
        ] {
            let mut input = good.clone();
            input[name] = value;
            let input = json!({ "input": input });
            let answer = office.ask(Some(&alpha.admin.key), INVITE, input).await;
            assert_eq!(field(&answer), expected, "{answer:#}");
        }
        assert_eq!(office.test.count(alpha, "users").await, users);
        assert_eq!(office.deliver().await, Delivered::default());
        // Somebody made without an invitation gets one later.
        let input = json!({ "fullName": "Caio", "email": "caio@example.com" });
        let caio = office.test.create(&alpha.admin.key, "User", input).await;
        office.ask(Some(&alpha.admin.key), RESEND, json!({ "id": caio })).await;
        let answer = office.ask(None, ACCEPT, accept(&office.mail().await.token())).await;
        assert!(answer.get("errors").is_none(), "{answer:#}");
    }

    // ---- Roles -----------------------------------------------------------------------------------

    async fn nobody_hands_out_more_than_they_have(office: Office) {
        let alpha = &office.test.alpha;
        let everything = json!({ "read": "all", "create": "all", "update": "all", "delete": "all" });
        let rights = json!({ "users": everything, "companies": { "read": "all", "create": "all" },
            "contacts": { "read": "all", "create": "all" }, "leads": { "read": "all", "create": "all" },
            "lead_interactions": { "read": "all", "create": "all" } });
        let key = office.test.key_with(alpha, alpha.diretor.id, rights.clone()).await;
        let key = Some(key.as_str());
        let seen = office.test.trail(alpha).await;
        let invite = |roles: Json| {
            json!({ "input": { "email": "bia@example.com", "name": "Bia", "roles": roles } })
        };
        for roles in [json!(["admin"]), json!(["agente_ia", "comercial"])] {
            let answer = office.ask(key, INVITE, invite(roles)).await;
            assert_eq!(field(&answer), ("FORBIDDEN", "input.roles"), "{answer:#}");
        }
        let set = |id: Uuid, roles: Json| json!({ "id": id, "roles": roles });
        let agent = alpha.agente_ia.id;
        let answer = office.ask(key, ROLES, set(agent, json!(["admin"]))).await;
        assert_eq!(field(&answer), ("FORBIDDEN", "roles"));
        let answer = office.ask(key, ROLES, set(alpha.admin.id, json!([]))).await;
        assert_eq!(field(&answer), ("FORBIDDEN", "userId"));
        let answer = office.ask(key, ROLES, set(alpha.diretor.id, json!([]))).await;
        assert_eq!(code(&answer), "FORBIDDEN", "one's own");
        // The account of somebody who may do more is not got at through its address, nor shut.
        for (input, blamed) in [
            (json!({ "email": "me@evil.example" }), "input.email"),
            (json!({ "isActive": false }), "input.isActive"),
        ] {
            let arguments = json!({ "id": alpha.admin.id, "input": input });
            assert_eq!(field(&office.ask(key, UPDATE, arguments).await), ("FORBIDDEN", blamed));
        }
        let own = json!({ "id": alpha.diretor.id, "input": { "isActive": false } });
        assert_eq!(field(&office.ask(key, UPDATE, own).await), ("FORBIDDEN", "input.isActive"));
        assert!(office.test.trail(alpha).await.since(&seen).is_empty());

        // What they have themselves they may give.
        let answer = office.ask(key, INVITE, invite(json!(["agente_ia"]))).await;
        assert!(answer.get("errors").is_none(), "{answer:#}");
        let answer = office.ask(key, ROLES, set(agent, json!([]))).await;
        assert!(answer.get("errors").is_none(), "{answer:#}");
        // A key has no more than its scopes leave, whatever its role allows.
        let scoped = pulso::identity::api_key::service::create(&office.app, "alpha", "admin",
            "narrow", &["users:read".to_owned(), "users:update".to_owned()], None).await.unwrap();
        let answer = office.ask(Some(&scoped), ROLES, set(agent, json!(["comercial"]))).await;
        assert_eq!(field(&answer), ("FORBIDDEN", "roles"));
    }

    async fn roles_are_given_and_taken(office: Office) {
        let alpha = &office.test.alpha;
        let (key, id) = (Some(alpha.admin.key.as_str()), alpha.comercial.id);
        let bearer = office.sign_in(&alpha.comercial.email, PASSWORD).await;
        let seen = office.test.trail(alpha).await;
        let set = |roles: Json| json!({ "id": id, "roles": roles });
        let answer = office.ask(key, ROLES, set(json!(["diretor", "agente_ia", "diretor"]))).await;
        assert!(answer.get("errors").is_none(), "{answer:#}");
        let trail = office.test.trail(alpha).await.since(&seen);
        assert_eq!(trail.actions(), ["user.set_roles"]);
        assert_eq!(trail.kinds(), ["user.roles_changed"]);
        assert_eq!(trail.audits[0].old, Some(json!({ "roles": ["comercial"] })));
        assert_eq!(trail.audits[0].new, Some(json!({ "roles": ["diretor", "agente_ia"] })));
        office.later(TimeDelta::seconds(1));
        let me = office.ask(Some(&bearer), ME, json!({})).await;
        assert_eq!(me["data"]["me"]["roles"], json!(["agente_ia", "diretor"]));

        // The same again leaves nothing behind.
        let seen = office.test.trail(alpha).await;
        office.ask(key, ROLES, set(json!(["agente_ia", "diretor"]))).await;
        assert!(office.test.trail(alpha).await.since(&seen).is_empty());
        let answer = office.ask(key, ROLES, set(json!(["chefe"]))).await;
        assert_eq!(field(&answer), ("INVALID", "roles"));
        assert_eq!(code(&office.ask(Some(&alpha.comercial.key), ROLES, set(json!([]))).await), "FORBIDDEN");
        assert_eq!(code(&office.ask(Some(&office.test.beta.admin.key), ROLES, set(json!([]))).await),
            "NOT_FOUND");
        office.ask(key, ROLES, set(json!([]))).await;
        office.later(TimeDelta::seconds(1));
        let me = office.ask(Some(&bearer), ME, json!({})).await;
        assert_eq!(me["data"]["me"]["roles"], json!([]));
    }

    /// Whose right to change users does not reach everybody does not move themselves to see more.
    async fn nobody_chooses_their_own_place(office: Office) {
        let alpha = &office.test.alpha;
        let unit = office.test.create(&alpha.admin.key, "OrgUnit", json!({ "name": "Sul" })).await;
        let rights = json!({ "users": { "read": "all", "update": "own" }, "org_units": { "read": "all" } });
        let key = office.test.key_with(alpha, alpha.comercial.id, rights).await;
        for (name, value) in [("orgUnitId", json!(unit)), ("managerId", Json::Null)] {
            let arguments = json!({ "id": alpha.comercial.id, "input": { name: value } });
            let answer = office.ask(Some(&key), UPDATE, arguments).await;
            assert_eq!(field(&answer), ("FORBIDDEN", format!("input.{name}").as_str()));
        }
    }

    // ---- Passwords -------------------------------------------------------------------------------

    async fn changing_ones_password_ends_the_other_sessions(office: Office) {
        let alpha = &office.test.alpha;
        let email = &alpha.comercial.email;
        let other = office.sign_in(email, PASSWORD).await;
        let mine = office.sign_in(email, PASSWORD).await;
        let link = office.reset_link(email).await;
        let seen = office.test.trail(alpha).await;
        let change = |current: &str, new: &str| json!({ "current": current, "new": new });
        let wrong = office.ask(Some(&mine), CHANGE, change("wrong password", NEW_PASSWORD)).await;
        assert_eq!(field(&wrong), ("INVALID", "current"));
        for weak in ["short", "senha123", "12345678", email.as_str()] {
            let answer = office.ask(Some(&mine), CHANGE, change(PASSWORD, weak)).await;
            assert_eq!(field(&answer), ("INVALID", "new"), "{weak}");
        }
        assert!(office.test.trail(alpha).await.since(&seen).is_empty());

        let answer = office.ask(Some(&mine), CHANGE, change(PASSWORD, NEW_PASSWORD)).await;
        assert!(answer.get("errors").is_some(), "five guesses were free: {answer:#}");
        office.later(TimeDelta::seconds(1));
        let answer = office.ask(Some(&mine), CHANGE, change(PASSWORD, NEW_PASSWORD)).await;
        assert_eq!(answer["data"]["passwordChange"], true, "{answer:#}");
        let trail = office.test.trail(alpha).await.since(&seen);
        assert!(trail.actions().contains(&"user.change_password"), "{:?}", trail.actions());
        assert!(trail.kinds().contains(&"user.password_changed"));
        assert_eq!(office.ask(Some(&mine), ME, json!({})).await["data"]["me"]["roles"],
            json!(["comercial"]), "one's own session stays");
        assert_eq!(code(&office.ask(Some(&other), ME, json!({})).await), "UNAUTHENTICATED");
        assert_eq!(code(&office.sign_in_from(HOME, email, PASSWORD).await), "UNAUTHENTICATED");
        office.sign_in(email, NEW_PASSWORD).await;
        let letter = office.mail().await;
        assert!(letter.headers.contains("Subject: Tenant alpha: your password was changed"));
        // A link asked for before does not undo it.
        assert_eq!(field(&office.ask(None, RESET, reset(&link)).await), ("INVALID", "token"));

        let by_key = office.ask(Some(&alpha.comercial.key), CHANGE, change("a", "b")).await;
        assert_eq!(code(&by_key), "FORBIDDEN");
        assert_eq!(code(&office.ask(None, CHANGE, change("a", "b")).await), "UNAUTHENTICATED");
    }

    async fn a_forgotten_password_is_reset_by_mail(office: Office) {
        let alpha = &office.test.alpha;
        let email = &alpha.comercial.email;
        let session = office.sign_in(email, PASSWORD).await;
        let seen = office.test.trail(alpha).await;
        let first = office.reset_link(&email.to_uppercase()).await;
        let token = office.reset_link(email).await;
        assert_eq!(field(&office.ask(None, RESET, reset(&first)).await), ("INVALID", "token"),
            "the latest link works");
        let weak = json!({ "token": token, "password": "comercial" });
        assert_eq!(field(&office.ask(None, RESET, weak).await), ("INVALID", "newPassword"));

        let answer = office.ask(None, RESET, reset(&token)).await;
        let account = json!({ "tenant": "alpha", "email": email });
        assert_eq!(answer["data"]["passwordReset"], account, "{answer:#}");
        let trail = office.test.trail(alpha).await.since(&seen);
        assert_eq!(trail.kinds(), ["user.password_reset_requested", "user.password_reset_requested",
            "user.password_reset"]);
        assert_eq!(trail.audits.last().unwrap().action, "user.reset_password");
        assert_eq!(trail.audits.last().unwrap().user_id, Some(alpha.comercial.id));
        assert_eq!(code(&office.ask(Some(&session), ME, json!({})).await), "UNAUTHENTICATED");
        assert_eq!(code(&office.sign_in_from(HOME, email, PASSWORD).await), "UNAUTHENTICATED");
        office.sign_in(email, NEW_PASSWORD).await;
        assert!(office.mail().await.text.contains("senha da sua conta"));
        assert_eq!(field(&office.ask(None, RESET, reset(&token)).await), ("INVALID", "token"));

        office.later(TimeDelta::hours(2));
        let token = office.reset_link(email).await;
        office.later(TimeDelta::minutes(limits::PASSWORD_RESET_MINUTES));
        assert_eq!(field(&office.ask(None, RESET, reset(&token)).await), ("INVALID", "token"));
    }

    /// Neither the answer nor its time tells whether there is such an account.
    async fn asking_for_a_reset_tells_nothing(office: Office) {
        let alpha = &office.test.alpha;
        office.invite("bia@example.com", &["comercial"]).await;
        office.mail().await;
        let sql = "UPDATE users SET is_active = FALSE WHERE tenant_id = ? AND id = ?";
        office.test.write_sql(sql, vec![Value::Id(alpha.id), Value::Id(alpha.manager.id)]).await;
        let mut answers = BTreeSet::new();
        for (tenant, email) in [
            ("alpha", alpha.comercial.email.as_str()),
            ("alpha", "nobody@alpha.example"),
            ("alpha", office.test.beta.admin.email.as_str()),
            ("alpha", alpha.manager.email.as_str()),
            ("alpha", "bia@example.com"),
            ("gamma", "ana@gamma.example"),
            ("", ""),
        ] {
            let begun = tokio::time::Instant::now();
            let who = json!({ "tenant": tenant, "email": email });
            let answer = office.ask(None, ASK_RESET, who).await;
            assert!(begun.elapsed() >= Duration::from_millis(limits::PASSWORD_RESET_ANSWER_MS));
            answers.insert(answer["data"].to_string());
        }
        assert_eq!(answers, BTreeSet::from(["{\"passwordResetRequest\":true}".to_owned()]));
        let letter = office.mail().await;
        assert!(letter.headers.contains(&alpha.comercial.email), "{}", letter.headers);
    }

    async fn resets_have_their_own_rate(office: Office) {
        let alpha = &office.test.alpha;
        let ask = async |address: &str, email: &str| {
            let who = json!({ "tenant": "alpha", "email": email });
            office.from(address, None, ASK_RESET, who).await
        };
        // One account gets a few mails, and whoever asks for more is not told.
        for _ in 0..limits::PASSWORD_RESETS_PER_ACCOUNT + 2 {
            let answer = ask(HOME, &alpha.comercial.email).await;
            assert_eq!(answer["data"]["passwordResetRequest"], true, "{answer:#}");
        }
        office.deliver().await;
        assert_eq!(office.mails().len(), 1, "links that a later one replaced are not sent");
        let sql = "SELECT state FROM mails WHERE tenant_id = ? ORDER BY id";
        let states = office.test.read_sql(alpha, sql, vec![]).await;
        assert_eq!(states.len(), 3, "no mail beyond the free ones");
        // One address asks a few times, whomever for.
        for number in 0..5 {
            ask(HOME, &format!("person{number}@alpha.example")).await;
        }
        let answer = ask(HOME, "another@alpha.example").await;
        assert_eq!(wait(&answer), 1);
        assert_eq!(ask(ELSEWHERE, &alpha.diretor.email).await["data"]["passwordResetRequest"], true);
        office.later(TimeDelta::seconds(1));
        assert_eq!(ask(HOME, "another@alpha.example").await["data"]["passwordResetRequest"], true);
        assert_eq!(wait(&ask(HOME, "another@alpha.example").await), 2);
    }

    // ---- Links -----------------------------------------------------------------------------------

    async fn a_link_opens_its_own_account_alone(office: Office) {
        let (alpha, beta) = (&office.test.alpha, &office.test.beta);
        let token = office.reset_link(&alpha.comercial.email).await;
        office.invite("bia@example.com", &[]).await;
        let invitation = office.mail().await.token();
        // Each for its purpose.
        assert_eq!(field(&office.ask(None, ACCEPT, accept(&token)).await), ("INVALID", "token"));
        assert_eq!(field(&office.ask(None, RESET, reset(&invitation)).await), ("INVALID", "token"));
        // Another tenant's number in front, another secret behind, nonsense.
        let mut words = BTreeSet::new();
        let turned = |at: usize| {
            let mut text: Vec<char> = token.chars().collect();
            text[at] = if text[at] == 'A' { 'B' } else { 'A' };
            text.into_iter().collect::<String>()
        };
        let foreign = {
            use base64::Engine as _;
            let engine = base64::engine::general_purpose::URL_SAFE_NO_PAD;
            let mut bytes = engine.decode(&token).unwrap();
            bytes[..16].copy_from_slice(beta.id.as_bytes());
            engine.encode(bytes)
        };
        for token in [foreign, turned(2), turned(30), turned(70), String::new(), "x".repeat(5_000)] {
            let answer = office.ask(None, RESET, reset(&token)).await;
            assert_eq!(field(&answer), ("INVALID", "token"), "{token}");
            words.insert(answer["errors"][0]["message"].to_string());
        }
        assert_eq!(words.len(), 1, "{words:?}");
        let answer = office.ask(None, RESET, reset(&token)).await;
        assert!(answer.get("errors").is_none(), "the right one still works: {answer:#}");
    }

    async fn a_link_that_two_use_at_once_works_once(office: Office) {
        let token = office.reset_link(&office.test.alpha.comercial.email).await;
        let attempts = (0..4).map(|_| office.ask(None, RESET, reset(&token)));
        let answers = futures::future::join_all(attempts).await;
        let good = answers.iter().filter(|answer| answer.get("errors").is_none()).count();
        assert_eq!(good, 1, "{answers:#?}");
    }

    async fn a_suspended_tenant_lets_nobody_in(office: Office) {
        let alpha = &office.test.alpha;
        let token = office.reset_link(&alpha.comercial.email).await;
        office.invite("bia@example.com", &[]).await;
        let sql = "UPDATE tenants SET suspended_at = created_at WHERE id = ?";
        office.test.write_sql(sql, vec![Value::Id(alpha.id)]).await;
        assert_eq!(field(&office.ask(None, RESET, reset(&token)).await), ("INVALID", "token"));
        assert_eq!(office.deliver().await, Delivered { dropped: 1, ..Delivered::default() });
    }

    // ---- Guessing --------------------------------------------------------------------------------

    /// The same for an account that exists, one that does not, and a tenant that does not.
    async fn guessing_has_to_wait(office: Office) {
        let alpha = &office.test.alpha;
        let mut told = BTreeSet::new();
        for (number, email) in [alpha.comercial.email.as_str(), "nobody@alpha.example"]
            .into_iter().enumerate()
        {
            let mut answers = Vec::new();
            let address = format!("198.51.100.{number}");
            for _ in 0..limits::GUESSES_PER_ACCOUNT {
                let answer = office.sign_in_from(&address, email, "wrong password").await;
                answers.push(code(&answer).to_owned());
            }
            // From another address too, and with the right password.
            let answer = office.sign_in_from("198.51.100.77", email, PASSWORD).await;
            answers.push(format!("{} {}", wait(&answer), answer["errors"][0]["message"]));
            told.insert(answers);
        }
        assert_eq!(told.len(), 1, "{told:#?}");
        assert_eq!(told.first().unwrap()[4], "UNAUTHENTICATED");

        // Each further guess makes the next wait longer.
        for expected in [2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900] {
            let email = &alpha.comercial.email;
            let answer = office.sign_in_from(ELSEWHERE, email, "wrong").await;
            let before = wait(&answer);
            office.later(TimeDelta::seconds(before.try_into().unwrap()));
            let answer = office.sign_in_from(ELSEWHERE, email, "wrong").await;
            assert_eq!(code(&answer), "UNAUTHENTICATED", "{before}");
            assert_eq!(wait(&office.sign_in_from(ELSEWHERE, email, "wrong").await), expected);
        }
        // Then the right one is taken, and what was counted forgotten.
        office.later(TimeDelta::minutes(15));
        office.sign_in(&alpha.comercial.email, PASSWORD).await;
        let answer = office.sign_in_from("192.0.2.33", &alpha.comercial.email, "wrong").await;
        assert_eq!(code(&answer), "UNAUTHENTICATED");
        office.sign_in(&alpha.comercial.email, PASSWORD).await;
    }

    async fn who_has_to_wait_is_told_so_in_the_head_of_the_answer(office: Office) {
        let who = json!({ "tenant": "alpha", "email": "nobody@alpha.example", "password": "x" });
        let body = json!({ "query": LOGIN, "variables": who }).to_string();
        let guess = || {
            let request = Request::post("/graphql").header(header::CONTENT_TYPE, "application/json");
            office.test.request(request.body(Body::from(body.clone())).unwrap())
        };
        for _ in 0..limits::GUESSES_PER_ACCOUNT {
            let answer = guess().await;
            assert_eq!(answer.headers.get(header::RETRY_AFTER), None, "{}", answer.text());
        }
        let answer = guess().await;
        assert_eq!(answer.status.as_u16(), 429, "{}", answer.text());
        assert_eq!(answer.headers[header::RETRY_AFTER], "1");
        assert_eq!(wait(&answer.json()), 1);
    }

    async fn guessing_is_noticed(office: Office) {
        let alpha = &office.test.alpha;
        let seen = office.test.trail(alpha).await;
        for _ in 0..limits::GUESSES_PER_ACCOUNT {
            office.sign_in_from(ELSEWHERE, &alpha.comercial.email, "wrong").await;
        }
        // Beside the answer, so that its time tells nothing.
        let mut trail = office.test.trail(alpha).await.since(&seen);
        for _ in 0..100 {
            if !trail.audits.is_empty() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
            trail = office.test.trail(alpha).await.since(&seen);
        }
        assert_eq!(trail.actions(), ["user.guessing"]);
        assert_eq!(trail.audits[0].resource_id, Some(alpha.comercial.id));
        assert_eq!(trail.audits[0].ip.as_deref(), Some(ELSEWHERE));
    }

    /// Whoever tries somebody's account from elsewhere does not keep them out of it.
    async fn nobody_is_locked_out_by_others(office: Office) {
        let email = &office.test.alpha.comercial.email;
        office.sign_in(email, PASSWORD).await;
        for _ in 0..limits::GUESSES_PER_ACCOUNT {
            office.sign_in_from(ELSEWHERE, email, "wrong").await;
        }
        assert_eq!(wait(&office.sign_in_from(ELSEWHERE, email, "wrong").await), 1);
        office.sign_in(email, PASSWORD).await;
        // The known address has a count of its own.
        for _ in 0..limits::GUESSES_PER_ACCOUNT {
            let answer = office.sign_in_from(HOME, email, "wrong").await;
            assert_eq!(code(&answer), "UNAUTHENTICATED");
        }
        assert_eq!(wait(&office.sign_in_from(HOME, email, PASSWORD).await), 1);
        office.later(TimeDelta::seconds(1));
        office.sign_in(email, PASSWORD).await;

        // On the way, where no address is known, a mail opens the door.
        for _ in 0..limits::GUESSES_PER_ACCOUNT {
            office.sign_in_from(ELSEWHERE, email, "wrong").await;
        }
        assert_eq!(wait(&office.sign_in_from("192.0.2.80", email, PASSWORD).await), 1);
        let token = office.reset_link(email).await;
        office.from("192.0.2.80", None, RESET, reset(&token)).await;
        let answer = office.sign_in_from("192.0.2.80", email, NEW_PASSWORD).await;
        assert!(answer.get("errors").is_none(), "{answer:#}");
    }

    async fn one_address_guesses_at_few_accounts(office: Office) {
        let alpha = &office.test.alpha;
        office.sign_in(&alpha.comercial.email, PASSWORD).await;
        for number in 0..limits::GUESSES_PER_ADDRESS {
            let email = format!("person{number}@alpha.example");
            let answer = office.sign_in_from(ELSEWHERE, &email, "wrong").await;
            assert_eq!(code(&answer), "UNAUTHENTICATED", "{number}");
        }
        let email = &alpha.diretor.email;
        assert_eq!(wait(&office.sign_in_from(ELSEWHERE, email, PASSWORD).await), 1);
        // Others at other addresses do not notice, and who signed in from there before neither.
        assert!(office.sign_in_from(HOME, email, PASSWORD).await.get("errors").is_none());
        office.later(TimeDelta::seconds(1));
        assert!(office.sign_in_from(ELSEWHERE, email, PASSWORD).await.get("errors").is_none());
        // Signing in to one's own account does not clear the count of an address.
        let answer = office.sign_in_from(ELSEWHERE, &alpha.manager.email, PASSWORD).await;
        assert_eq!(wait(&answer), 2);
        assert!(office.sign_in_from(ELSEWHERE, email, PASSWORD).await.get("errors").is_none());
    }

    /// Many at the same time are not more than one after the other.
    async fn guesses_at_once_are_counted(office: Office) {
        let email = &office.test.alpha.comercial.email;
        let guesses = (0..12).map(|_| office.sign_in_from(ELSEWHERE, email, "wrong"));
        let answers = futures::future::join_all(guesses).await;
        let tried = answers.iter().filter(|answer| code(answer) == "UNAUTHENTICATED").count();
        assert_eq!(i64::try_from(tried).unwrap(), limits::GUESSES_PER_ACCOUNT, "{answers:#?}");
    }

    async fn guessing_at_the_present_password_has_to_wait(office: Office) {
        let alpha = &office.test.alpha;
        let bearer = office.sign_in(&alpha.comercial.email, PASSWORD).await;
        let guess = json!({ "current": "wrong", "new": NEW_PASSWORD });
        for _ in 0..limits::GUESSES_PER_ACCOUNT {
            let answer = office.ask(Some(&bearer), CHANGE, guess.clone()).await;
            assert_eq!(field(&answer), ("INVALID", "current"));
        }
        assert_eq!(wait(&office.ask(Some(&bearer), CHANGE, guess).await), 1);
    }

    // ---- Users and units -------------------------------------------------------------------------

    async fn deactivating_somebody_ends_everything(office: Office) {
        let alpha = &office.test.alpha;
        let Person { id, email, .. } = &alpha.comercial;
        let bearer = office.sign_in(email, PASSWORD).await;
        let token = office.reset_link(email).await;
        let set = |active: bool| json!({ "id": id, "input": { "isActive": active } });
        let answer = office.ask(Some(&alpha.admin.key), UPDATE, set(false)).await;
        assert_eq!(answer["data"]["userUpdate"]["isActive"], false, "{answer:#}");
        office.later(TimeDelta::seconds(1));
        assert_eq!(code(&office.ask(Some(&bearer), ME, json!({})).await), "UNAUTHENTICATED");
        assert_eq!(code(&office.sign_in_from(HOME, email, PASSWORD).await), "UNAUTHENTICATED");
        assert_eq!(field(&office.ask(None, RESET, reset(&token)).await), ("INVALID", "token"));
        // Active again, they sign in anew: nothing from before works.
        office.ask(Some(&alpha.admin.key), UPDATE, set(true)).await;
        office.later(TimeDelta::seconds(1));
        assert_eq!(code(&office.ask(Some(&bearer), ME, json!({})).await), "UNAUTHENTICATED");
        office.sign_in(email, PASSWORD).await;
    }

    async fn another_address_is_not_verified_and_ends_links(office: Office) {
        let alpha = &office.test.alpha;
        office.invite("bia@example.com", &[]).await;
        office.ask(None, ACCEPT, accept(&office.mail().await.token())).await;
        let token = office.reset_link("bia@example.com").await;
        let found = "{ users(filter: { email: { eq: \"bia@example.com\" } }) { nodes { id isVerified } } }";
        let found = office.ask(Some(&alpha.admin.key), found, json!({})).await;
        let user = &found["data"]["users"]["nodes"][0];
        assert_eq!(user["isVerified"], true);
        let input = json!({ "id": user["id"], "input": { "email": "bia@other.example" } });
        let answer = office.ask(Some(&alpha.admin.key), UPDATE, input).await;
        assert_eq!(answer["data"]["userUpdate"]["isVerified"], false, "{answer:#}");
        assert_eq!(field(&office.ask(None, RESET, reset(&token)).await), ("INVALID", "token"));
    }

    async fn org_units_stay_a_tree(office: Office) {
        let key = &office.test.alpha.admin.key;
        let mut ids = Vec::new();
        for name in ["Brasil", "Sul", "Curitiba"] {
            let input = json!({ "name": name, "parentId": ids.last() });
            ids.push(office.test.create(key, "OrgUnit", input).await);
        }
        let below = |id: Uuid, parent: Option<Uuid>| {
            json!({ "id": id, "input": { "parentId": parent } })
        };
        for (id, parent) in [(ids[0], ids[0]), (ids[0], ids[2]), (ids[1], ids[2])] {
            let refusal = office.test.refusal(key, "orgUnitUpdate", below(id, Some(parent))).await;
            assert_eq!(refusal, ("INVALID".to_owned(), Some("input.parentId".to_owned())));
        }
        for (id, parent) in [(ids[2], Some(ids[0])), (ids[1], Some(ids[2])), (ids[1], None)] {
            office.test.done(key, "orgUnitUpdate", below(id, parent), "{ id }").await;
        }
    }

    // ---- Mail ------------------------------------------------------------------------------------

    async fn a_mail_that_fails_is_tried_again_with_a_new_link(office: Office) {
        let alpha = &office.test.alpha;
        // Where the folder should be there is a file.
        let folder = office.folder.path().join("mail");
        std::fs::write(&folder, "in the way").unwrap();
        office.invite("bia@example.com", &["comercial"]).await;
        assert_eq!(office.deliver().await, Delivered { failed: 1, ..Delivered::default() });
        let hash = "SELECT secret_hash FROM account_tokens WHERE tenant_id = ?";
        let first = office.text(hash, vec![]).await;
        let error = office.text("SELECT error FROM mails WHERE tenant_id = ?", vec![]).await;
        assert!(error.unwrap().contains("mail folder"));
        assert_eq!(office.deliver().await, Delivered::default(), "not before its time");
        for (seconds, attempts) in [(60, 2), (240, 3), (960, 4), (3_600, 5), (3_600, 6)] {
            office.later(TimeDelta::seconds(seconds - 1));
            assert_eq!(office.deliver().await, Delivered::default());
            office.later(TimeDelta::seconds(1));
            assert_eq!(office.deliver().await.failed, 1, "attempt {attempts}");
        }
        std::fs::remove_file(&folder).unwrap();
        office.later(TimeDelta::hours(1));
        let letter = office.mail().await;
        assert_ne!(office.text(hash, vec![]).await, first, "a link of its own");
        let answer = office.ask(None, ACCEPT, accept(&letter.token())).await;
        assert!(answer.get("errors").is_none(), "{answer:#}");

        // At last it is given up.
        std::fs::remove_dir(&folder).unwrap();
        std::fs::write(&folder, "in the way").unwrap();
        office.ask(None, ASK_RESET, json!({ "tenant": "alpha", "email": "bia@example.com" })).await;
        office.ask(Some(&alpha.admin.key), INVITE, json!({ "input":
            { "email": "caio@example.com", "name": "Caio", "roles": [] } })).await;
        let mut failed = 0;
        for _ in 0..20 {
            failed += office.deliver().await.failed;
            office.later(TimeDelta::hours(1));
        }
        // The reset's link ends after an hour; the invitation's after a week.
        assert_eq!(i64::try_from(failed).unwrap(), limits::MAIL_ATTEMPTS_MAX + 1);
        let sql = "SELECT state FROM mails WHERE tenant_id = ? AND state <> 'sent' ORDER BY id";
        let states = office.test.read_sql(alpha, sql, vec![]).await;
        let states: Vec<_> = states.iter().map(|row| row.text(0).unwrap().unwrap()).collect();
        assert_eq!(states, ["dropped", "failed"]);
    }

    async fn mails_wait_for_no_transaction_and_are_sent_once(office: Office) {
        for number in 0..4 {
            office.invite(&format!("p{number}@example.com"), &[]).await;
        }
        // Several nodes look at the same queue.
        let looks = (0..4).map(|_| office.deliver());
        let looks = futures::future::join_all(looks).await;
        assert_eq!(looks.iter().map(|look| look.sent).sum::<usize>(), 4, "{looks:?}");
        assert_eq!(office.mails().len(), 4);
    }

    async fn what_is_done_with_is_forgotten(office: Office) {
        let alpha = &office.test.alpha;
        office.invite("bia@example.com", &[]).await;
        office.mail().await;
        office.sign_in(&alpha.comercial.email, PASSWORD).await;
        office.later(TimeDelta::days(limits::MAIL_KEPT_DAYS));
        account::upkeep::forget(&office.app).await.unwrap();
        let guards = "SELECT count(*) FROM sign_in_guards WHERE tenant_id <> ?";
        let guards = async || {
            office.test.read_sql(alpha, guards, vec![]).await[0].int(0).unwrap().unwrap()
        };
        assert_eq!(office.test.count(alpha, "account_tokens").await, 1, "ended 23 days ago");
        assert!(guards().await > 0, "the address is still known");
        office.later(TimeDelta::days(limits::KNOWN_ADDRESS_DAYS));
        account::upkeep::forget(&office.app).await.unwrap();
        for table in ["account_tokens", "mails"] {
            assert_eq!(office.test.count(alpha, table).await, 0, "{table}");
        }
        assert_eq!(guards().await, 0);
    }

    async fn a_user_is_destroyed_with_their_mails(office: Office) {
        let alpha = &office.test.alpha;
        let id = office.invite("bia@example.com", &[]).await;
        office.mail().await;
        office.test.done(&alpha.admin.key, "userDestroy", json!({ "id": id }), "").await;
        assert_eq!(office.test.count(alpha, "mails").await, 0);
    }

    async fn mails_go_over_smtp(test: TestApp) {
        let server = SmtpServer::start(&["451 4.3.2 not now\r\n"]).await;
        let port = server.port;
        let office = Office::with(test, |config| {
            config.mail.smtp_host = Some("127.0.0.1".to_owned());
            config.mail.smtp_port = Some(port);
            config.mail.smtp_tls = SmtpTls::Plain;
            config.mail.smtp_user = Some("pulso".to_owned());
            config.mail.smtp_password = Some(Secret::new("segredo"));
            config.mail.from = "Padaria <pao@padaria.example>".to_owned();
        });
        office.invite("bia@example.com", &["comercial"]).await;
        assert_eq!(office.deliver().await, Delivered { failed: 1, ..Delivered::default() });
        let error = office.text("SELECT error FROM mails WHERE tenant_id = ?", vec![]).await;
        assert!(error.unwrap().contains("not now"));
        office.later(TimeDelta::minutes(1));
        assert_eq!(office.deliver().await, Delivered { sent: 1, ..Delivered::default() });
        assert!(office.mails().is_empty(), "not into the folder");
        let taken = server.taken().await;
        assert_eq!(taken.from, "MAIL FROM:<pao@padaria.example>");
        assert_eq!(taken.to, "RCPT TO:<bia@example.com>");
        assert!(taken.signed_in_as.contains("pulso\0segredo"), "{:?}", taken.signed_in_as);
        let letter = Letter::read(&taken.data);
        assert!(letter.headers.contains("From: Padaria <pao@padaria.example>"), "{}", letter.headers);
        let answer = office.ask(None, ACCEPT, accept(&letter.token())).await;
        assert!(answer.get("errors").is_none(), "{answer:#}");
    }

    async fn a_server_without_tls_is_refused_when_tls_is_asked_for(test: TestApp) {
        let server = SmtpServer::start(&[]).await;
        let port = server.port;
        let office = Office::with(test, |config| {
            config.mail.smtp_host = Some("127.0.0.1".to_owned());
            config.mail.smtp_port = Some(port);
        });
        office.invite("bia@example.com", &[]).await;
        assert_eq!(office.deliver().await, Delivered { failed: 1, ..Delivered::default() });
    }
}

/// As much of an SMTP server as a client needs to hand one mail over (RFC 5321, AUTH PLAIN).
struct SmtpServer {
    port: u16,
    taken: tokio::sync::Mutex<tokio::sync::mpsc::UnboundedReceiver<Taken>>,
}

#[derive(Debug, Default)]
struct Taken {
    from: String,
    to: String,
    signed_in_as: String,
    data: String,
}

impl SmtpServer {
    /// `refusals` answer the first recipients.
    async fn start(refusals: &[&'static str]) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (sender, taken) = tokio::sync::mpsc::unbounded_channel();
        let mut refusals = refusals.to_vec();
        #[expect(clippy::disallowed_methods, reason = "the other side of the wire")]
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (reader, mut writer) = stream.into_split();
                let mut lines = BufReader::new(reader).lines();
                writer.write_all(b"220 test ESMTP\r\n").await.ok();
                let mut mail = Taken::default();
                while let Ok(Some(line)) = lines.next_line().await {
                    let word = line.split([' ', ':']).next().unwrap().to_ascii_uppercase();
                    let reply = match word.as_str() {
                        "EHLO" => "250-test\r\n250-8BITMIME\r\n250 AUTH PLAIN\r\n",
                        "AUTH" => {
                            use base64::Engine as _;
                            let text = line.rsplit(' ').next().unwrap();
                            let engine = base64::engine::general_purpose::STANDARD;
                            let bytes = engine.decode(text).unwrap();
                            mail.signed_in_as = String::from_utf8(bytes).unwrap();
                            "235 ok\r\n"
                        }
                        "MAIL" => {
                            mail.from = line.split_inclusive('>').next().unwrap().to_owned();
                            "250 ok\r\n"
                        }
                        "RCPT" if !refusals.is_empty() => refusals.remove(0),
                        "RCPT" => {
                            mail.to = line;
                            "250 ok\r\n"
                        }
                        "DATA" => {
                            writer.write_all(b"354 go on\r\n").await.ok();
                            while let Ok(Some(line)) = lines.next_line().await {
                                if line == "." {
                                    break;
                                }
                                mail.data.push_str(line.strip_prefix('.').unwrap_or(&line));
                                mail.data.push_str("\r\n");
                            }
                            sender.send(std::mem::take(&mut mail)).ok();
                            "250 taken\r\n"
                        }
                        "QUIT" => "221 bye\r\n",
                        _ => "250 ok\r\n",
                    };
                    if writer.write_all(reply.as_bytes()).await.is_err() || word == "QUIT" {
                        break;
                    }
                }
            }
        });
        Self { port, taken: tokio::sync::Mutex::new(taken) }
    }

    async fn taken(&self) -> Taken {
        self.taken.lock().await.recv().await.unwrap()
    }
}

// ---- Settings ------------------------------------------------------------------------------------

fn settings(pairs: &[(&str, &str)]) -> Result<Config, String> {
    let environment =
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let sources = Sources { environment, ..Sources::default() };
    Config::load(&sources).map_err(|problems| problems.to_string())
}

#[test]
fn mail_settings_are_checked() {
    for (pairs, expected) in [
        (vec![("PULSO_PUBLIC_URL", "crm.example")], "must begin with http:// or https://"),
        (vec![("PULSO_MAIL_FROM", "nobody")], "is not a sender like"),
        (vec![("PULSO_SMTP_USER", "x")], "are given together"),
        (vec![("PULSO_SMTP_PASSWORD", "x")], "are given together"),
        (vec![("PULSO_SMTP_TLS", "maybe")], "none of: starttls, tls, none"),
    ] {
        let problems = settings(&pairs).unwrap_err();
        assert!(problems.contains(expected), "{problems}");
    }
    let config = settings(&[
        ("PULSO_MAIL_FROM", "Padaria do Zé <pao@padaria.example>"),
        ("PULSO_SMTP_HOST", "smtp.padaria.example"),
        ("PULSO_SMTP_TLS", "none"),
        ("PULSO_SMTP_USER", "zé"),
        ("PULSO_SMTP_PASSWORD", "swordfish"),
    ])
    .unwrap();
    assert_eq!(config.warnings.len(), 1, "{:?}", config.warnings);
    let shown: Vec<String> = config.shown().into_iter().map(|(_, value, _)| value).collect();
    assert!(!format!("{shown:?} {config:?}").contains("swordfish"));
    assert_eq!(config.mail.port(), 25);
}

#[test]
fn mails_lie_beside_the_database() {
    let folder = |url: &str, dir: Option<&str>| {
        let mut config = Config::default();
        config.database.url = DatabaseUrl::new(url);
        config.mail.dir = dir.map(str::to_owned);
        config.mail.folder(&config.database).display().to_string()
    };
    assert_eq!(folder("sqlite:///srv/pulso/pulso.db?mode=rwc", None), "/srv/pulso/mail");
    assert_eq!(folder("postgres://db/pulso", None), "data/mail");
    assert_eq!(folder("postgres://db/pulso", Some("/var/mail")), "/var/mail");
    let ports = [SmtpTls::Starttls, SmtpTls::Tls, SmtpTls::Plain].map(|smtp_tls| {
        let mut config = Config::default();
        config.mail.smtp_tls = smtp_tls;
        config.mail.port()
    });
    assert_eq!(ports, [587, 465, 25]);
}
