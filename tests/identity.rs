//! Signing in, tokens, API keys, and how fast what was taken away is gone.

use std::collections::BTreeSet;
use std::sync::Arc;

use argon2::password_hash::PasswordHasher as _;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::TimeDelta;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use pulso::access::{Action, Actor, FieldRule, Resource, ScopeKind, SystemHandle};
use pulso::app::App;
use pulso::cli::admin::Admin;
use pulso::ctx::{Ctx, Origin};
use pulso::db::{NullOf, Row, Statement, Value};
use pulso::demo;
use pulso::error::{Code, Error, Language, Result};
use pulso::identity::session::service::{Session, login};
use pulso::identity::session::token::key_id as kid_of;
use pulso::identity::tenant::service::{self as tenant, TenantOptions};
use pulso::identity::user::service::{self as user, UserInput};
use pulso::identity::{api_key, role};
use pulso::limits;
use serde_json::{Value as Json, json};
use uuid::Uuid;

use crate::support::app::{build, config, now};
use crate::support::seed::{PASSWORD, Person, Tenant};
use crate::support::{Backend, Fixture, TestApp, TestDb, both_databases};

impl TestApp {
    async fn sign_in(&self, tenant: &str, email: &str, password: &str) -> Result<Session> {
        login(&self.app, tenant, email, password, &Origin::internal("test")).await
    }

    async fn who(&self, credential: &str) -> Result<Actor> {
        self.app.identity.authenticate(&self.app, credential).await
    }

    async fn refused(&self, credential: &str) -> bool {
        match self.who(credential).await {
            Ok(_) => false,
            Err(error) => {
                assert_eq!(error.code(), Code::Unauthenticated, "{error}");
                true
            }
        }
    }

    /// What is kept in memory has been forgotten.
    fn a_second_later(&self) {
        self.app.clock.advance(TimeDelta::seconds(1));
    }

    /// Runs a statement on a tenant's rows; `?` stands for the values in turn.
    async fn change(&self, tenant: &Tenant, sql: &str, values: Vec<Value>) {
        let conn = self.app.db.transaction().await.unwrap();
        let sql = numbered(&self.app, sql);
        let system = SystemHandle::for_tenant(tenant.id);
        let changed = conn.execute(&system, &Statement::new(&sql, values)).await.unwrap();
        assert!(changed > 0, "nothing to change: {sql}");
        conn.commit().await.unwrap();
    }

    async fn rows(&self, tenant: &Tenant, sql: &str, values: Vec<Value>) -> Vec<Row> {
        let conn = self.app.db.single_read().await.unwrap();
        let statement = Statement::new(numbered(&self.app, sql), values);
        conn.rows(&SystemHandle::for_tenant(tenant.id), &statement).await.unwrap()
    }

    async fn key(&self, tenant: &Tenant, role: &str, scopes: &[&str]) -> Result<String> {
        let scopes: Vec<String> = scopes.iter().map(|scope| (*scope).to_owned()).collect();
        api_key::service::create(&self.app, tenant.slug, role, "a key", &scopes, None).await
    }

    async fn person(&self, tenant: &Tenant, name: &str, manager_id: Option<Uuid>) -> Uuid {
        let input = UserInput { full_name: name.to_owned(), manager_id, ..UserInput::default() };
        user::create(&self.app, tenant.id, input).await.unwrap()
    }
}

fn numbered(app: &App, sql: &str) -> String {
    let mut parts = sql.split('?');
    let mut text = parts.next().unwrap().to_owned();
    for (part, number) in parts.zip(1..) {
        text.push_str(&app.db.dialect().placeholder(number));
        text.push_str(part);
    }
    text
}

fn ids(tenant: &Tenant, person: &Person) -> Vec<Value> {
    vec![Value::Id(tenant.id), Value::Id(person.id)]
}

/// What a token of `person` says, as the server would have signed it now, for a session of its own.
async fn claims(app: &TestApp, tenant: &Tenant, person: &Person) -> Json {
    let (session_id, now) = (app.app.clock.new_id(), app.app.clock.now());
    let sql = "INSERT INTO sessions (tenant_id, id, user_id, generation, refresh_hash, created_at, \
               last_used_at, expires_at) VALUES (?, ?, ?, 1, '', ?, ?, ?)";
    let days = Value::Instant(now + TimeDelta::days(90));
    let mut values: Vec<Value> = [tenant.id, session_id, person.id].map(Value::Id).to_vec();
    values.extend([Value::Instant(now), Value::Instant(now), days]);
    app.change(tenant, sql, values).await;
    let now = now.timestamp();
    json!({
        "iss": "pulso", "aud": "pulso", "sub": person.id, "tid": tenant.id,
        "sid": session_id, "iat": now, "exp": now + limits::ACCESS_TOKEN_SECONDS,
    })
}

fn header(algorithm: Algorithm, kind: Option<&str>) -> Header {
    let mut header = Header::new(algorithm);
    header.typ = kind.map(str::to_owned);
    header.kid = Some(kid_of(&secret()));
    header
}

fn signed_with(header: &Header, claims: &Json, secret: &[u8]) -> String {
    jsonwebtoken::encode(header, claims, &EncodingKey::from_secret(secret)).unwrap()
}

fn secret() -> Vec<u8> {
    config("sqlite::memory:").signing_secret().unwrap().reveal().as_bytes().to_vec()
}

fn token(claims: &Json) -> String {
    signed_with(&header(Algorithm::HS256, Some("at+jwt")), claims, &secret())
}

fn without(mut claims: Json, name: &str) -> Json {
    claims.as_object_mut().unwrap().remove(name);
    claims
}

fn with(mut claims: Json, name: &str, value: impl Into<Json>) -> Json {
    claims[name] = value.into();
    claims
}

both_databases! {
    async fn signing_in(app: TestApp) {
        let person = &app.alpha.comercial;
        // People write their address as they like.
        let shouted = person.email.to_uppercase();
        let session = app.sign_in("alpha", &format!(" {shouted} "), PASSWORD).await.unwrap();
        assert_eq!((session.tenant_id, session.user_id), (app.alpha.id, person.id));
        assert_eq!(session.expires_at, now() + TimeDelta::minutes(15));

        let actor = app.who(&session.access_token).await.unwrap();
        assert_eq!((actor.tenant_id, actor.user_id), (app.alpha.id, person.id));
        assert_eq!(&*actor.role_names, ["comercial".to_owned()]);
        assert_eq!(actor.api_key_id, None);

        let sql = "SELECT last_login_at FROM users WHERE tenant_id = ? AND id = ?";
        let rows = app.rows(&app.alpha, sql, ids(&app.alpha, person)).await;
        assert_eq!(rows[0].instant(0).unwrap(), Some(now()));
    }

    async fn whatever_was_wrong_the_answer_is_the_same(app: TestApp) {
        let alpha = &app.alpha;
        app.change(
            alpha,
            "UPDATE users SET is_active = FALSE WHERE tenant_id = ? AND id = ?",
            ids(alpha, &alpha.diretor),
        )
        .await;
        app.change(
            alpha,
            "UPDATE users SET password_hash = NULL WHERE tenant_id = ? AND id = ?",
            ids(alpha, &alpha.manager),
        )
        .await;
        app.change(
            alpha,
            "UPDATE users SET deleted_at = created_at WHERE tenant_id = ? AND id = ?",
            ids(alpha, &alpha.agente_ia),
        )
        .await;
        app.change(
            &app.beta,
            "UPDATE tenants SET suspended_at = created_at WHERE id = ?",
            vec![Value::Id(app.beta.id)],
        )
        .await;
        let long = PASSWORD.repeat(1_000);
        let mut answers = BTreeSet::new();
        for (tenant, email, password) in [
            ("alpha", alpha.admin.email.as_str(), "wrong password"),
            ("alpha", alpha.admin.email.as_str(), ""),
            ("alpha", alpha.admin.email.as_str(), long.as_str()),
            ("alpha", "nobody@alpha.example", PASSWORD),
            ("alpha", app.beta.admin.email.as_str(), PASSWORD),
            ("alpha", "", PASSWORD),
            ("gamma", alpha.admin.email.as_str(), PASSWORD),
            ("", alpha.admin.email.as_str(), PASSWORD),
            ("alpha", alpha.diretor.email.as_str(), PASSWORD),
            ("alpha", alpha.manager.email.as_str(), PASSWORD),
            ("alpha", alpha.agente_ia.email.as_str(), PASSWORD),
            ("beta", app.beta.admin.email.as_str(), PASSWORD),
        ] {
            let error = app.sign_in(tenant, email, password).await.unwrap_err();
            let (en, pt) = (error.message(Language::En), error.message(Language::PtBr));
            answers.insert(format!("{} {en} {pt} {:?}", error.code().as_str(), error.field()));
        }
        assert_eq!(answers.len(), 1, "{answers:?}");
        assert!(answers.first().unwrap().starts_with("UNAUTHENTICATED "));
    }

    async fn a_weak_hash_is_replaced_when_its_owner_signs_in(app: TestApp) {
        let weak = argon2::Argon2::from(argon2::Params::new(64, 1, 1, None).unwrap())
            .hash_password(PASSWORD.as_bytes())
            .unwrap()
            .to_string();
        let person = &app.alpha.comercial;
        app.change(
            &app.alpha,
            "UPDATE users SET password_hash = ? WHERE tenant_id = ? AND id = ?",
            vec![Value::from(weak), Value::Id(app.alpha.id), Value::Id(person.id)],
        )
        .await;
        for _again in 0..2 {
            app.sign_in("alpha", &person.email, PASSWORD).await.unwrap();
            let sql = "SELECT password_hash FROM users WHERE tenant_id = ? AND id = ?";
            let rows = app.rows(&app.alpha, sql, ids(&app.alpha, person)).await;
            let stored = rows[0].text(0).unwrap().unwrap();
            assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{stored}");
        }
    }

    async fn tokens_end(app: TestApp) {
        let token = token(&claims(&app, &app.alpha, &app.alpha.admin).await);
        assert!(!app.refused(&token).await);
        // The clocks of two nodes may differ.
        app.app.clock.advance(TimeDelta::seconds(limits::ACCESS_TOKEN_SECONDS + 29));
        assert!(!app.refused(&token).await);
        // Remembered a moment ago, and yet it ends on time.
        app.app.clock.advance(TimeDelta::milliseconds(990));
        assert!(!app.refused(&token).await);
        app.app.clock.advance(TimeDelta::milliseconds(10));
        assert!(app.refused(&token).await);
    }

    async fn only_tokens_that_we_signed_for_this(app: TestApp) {
        let good = claims(&app, &app.alpha, &app.alpha.admin).await;
        let ours = header(Algorithm::HS256, Some("at+jwt"));
        let now = app.app.clock.now().timestamp();
        assert!(!app.refused(&token(&good)).await);

        let text = token(&good);
        let (start, signature) = text.rsplit_once('.').unwrap();
        let (head, _) = start.split_once('.').unwrap();
        let encode = |json: &Json| URL_SAFE_NO_PAD.encode(json.to_string());
        let other_user = with(good.clone(), "sub", json!(app.alpha.diretor.id));
        let kid = kid_of(&secret());
        let none = encode(&json!({ "alg": "none", "typ": "at+jwt", "kid": kid }));
        let public = encode(&json!({ "alg": "RS256", "typ": "at+jwt", "kid": kid }));
        let named = |kid: Option<&str>| Header { kid: kid.map(str::to_owned), ..ours.clone() };
        let theirs = claims(&app, &app.alpha, &app.alpha.diretor).await;
        let mut critical = ours.clone();
        critical.crit = Some(vec!["b64".to_owned()]);

        let bad = [
            ("no algorithm", format!("{none}.{}.", encode(&good))),
            ("no algorithm, old signature", format!("{none}.{}.{signature}", encode(&good))),
            ("another algorithm", signed_with(&header(Algorithm::HS512, Some("at+jwt")), &good, &secret())),
            ("a public key's algorithm", format!("{public}.{}.{signature}", encode(&good))),
            ("an unknown key", signed_with(&named(Some("AAAAAAAAAAAA")), &good, &secret())),
            ("the key of another secret", signed_with(&named(Some(&kid_of(b"another"))), &good, b"another")),
            ("no key", signed_with(&named(None), &good, &secret())),
            ("another secret", signed_with(&ours, &good, b"another secret of 32 bytes or more")),
            ("an empty secret", signed_with(&ours, &good, b"")),
            ("changed claims", format!("{head}.{}.{signature}", encode(&other_user))),
            ("changed header", format!("{}.{}", encode(&json!({ "alg": "HS256" })), start)),
            ("no signature", format!("{start}.")),
            ("shortened", text[..text.len() - 1].to_owned()),
            ("an ID token's type", signed_with(&header(Algorithm::HS256, Some("JWT")), &good, &secret())),
            ("no type", signed_with(&header(Algorithm::HS256, None), &good, &secret())),
            ("a critical extension", signed_with(&critical, &good, &secret())),
            ("another issuer", token(&with(good.clone(), "iss", "pulsar"))),
            ("another audience", token(&with(good.clone(), "aud", "grafana"))),
            ("several audiences", token(&with(good.clone(), "aud", json!(["pulso", "grafana"])))),
            ("no issuer", token(&without(good.clone(), "iss"))),
            ("no audience", token(&without(good.clone(), "aud"))),
            ("no end", token(&without(good.clone(), "exp"))),
            ("no tenant", token(&without(good.clone(), "tid"))),
            ("no session", token(&without(good.clone(), "sid"))),
            ("an end in words", token(&with(good.clone(), "exp", "tomorrow"))),
            ("an end beyond time", token(&with(good.clone(), "exp", i64::MAX))),
            ("a life too long", token(&with(good.clone(), "exp", now + limits::ACCESS_TOKEN_SECONDS + 1))),
            ("a life of nothing", token(&with(good.clone(), "iat", now + limits::ACCESS_TOKEN_SECONDS))),
            ("another's session", token(&with(good.clone(), "sid", theirs["sid"].clone()))),
            ("no such session", token(&with(good.clone(), "sid", json!(Uuid::from_u128(7))))),
            ("ended", token(&with(good.clone(), "exp", now - 30))),
            ("not begun", token(&with(good.clone(), "nbf", now + 31))),
            ("from the future", token(&with(good.clone(), "iat", now + 31))),
            ("nobody", token(&with(good.clone(), "sub", json!(Uuid::from_u128(1))))),
            ("nowhere", token(&with(good.clone(), "tid", json!(Uuid::from_u128(1))))),
            ("another tenant", token(&with(good.clone(), "tid", json!(app.beta.id)))),
            ("nothing", String::new()),
            ("words", "let me in".to_owned()),
            ("dots", "..".to_owned()),
            ("too long", "x".repeat(1_000_000)),
        ];
        for (why, credential) in bad {
            assert!(app.refused(&credential).await, "{why}: accepted");
            assert!(app.refused(&credential).await, "{why}: accepted the second time");
        }
    }

    async fn a_key_opens_its_own_tenant_only(app: TestApp) {
        let (alpha, beta) = (&app.alpha.admin, &app.beta.admin);
        let actor = app.who(&alpha.key).await.unwrap();
        assert_eq!((actor.tenant_id, actor.user_id), (app.alpha.id, alpha.id));
        assert!(actor.api_key_id.is_some());

        let (tenant, rest) = alpha.key.split_at(6 + 22);
        let (other_tenant, other_rest) = beta.key.split_at(6 + 22);
        let (key, secret) = rest.split_at(1 + 22);
        let (other_key, other_secret) = other_rest.split_at(1 + 22);
        for wrong in [
            format!("{other_tenant}{key}{secret}"),
            format!("{tenant}{other_key}{secret}"),
            format!("{tenant}{key}{other_secret}"),
            format!("{tenant}{other_key}{other_secret}"),
            format!("{tenant}{key}_{}", "A".repeat(43)),
            format!("{tenant}{key}"),
            format!("{}x", alpha.key),
            alpha.key.to_uppercase(),
            alpha.key.replacen("pulso_", "pulso-", 1),
        ] {
            assert!(app.refused(&wrong).await, "{wrong} was accepted");
        }
    }

    async fn nothing_of_a_key_is_stored_that_opens_it(app: TestApp) {
        let key = app.key(&app.alpha, "diretor", &[]).await.unwrap();
        let sql = "SELECT prefix, secret_hash, name FROM api_keys WHERE tenant_id = ?";
        let rows = app.rows(&app.alpha, sql, vec![Value::Id(app.alpha.id)]).await;
        let newest = rows.iter().find(|row| row.text(2).unwrap().unwrap() == "a key").unwrap();
        let (prefix, hash) = (newest.text(0).unwrap().unwrap(), newest.text(1).unwrap().unwrap());
        assert!(key.starts_with(&prefix));
        assert_eq!((prefix.len(), hash.len(), key.len()), (40, 64, 95));
        assert!(!key.contains(&hash));
    }

    async fn what_was_taken_away_is_gone_within_a_second(app: TestApp) {
        let alpha = &app.alpha;
        let admin = token(&claims(&app, alpha, &alpha.admin).await);
        let seller = token(&claims(&app, alpha, &alpha.comercial).await);
        let director = token(&claims(&app, alpha, &alpha.diretor).await);
        for credential in [&admin, &seller, &director, &alpha.agente_ia.key, &alpha.manager.key] {
            assert!(!app.refused(credential).await);
        }

        app.change(
            alpha,
            "DELETE FROM user_roles WHERE tenant_id = ? AND user_id = ?",
            ids(alpha, &alpha.comercial),
        )
        .await;
        app.change(
            alpha,
            "UPDATE users SET is_active = FALSE WHERE tenant_id = ? AND id = ?",
            ids(alpha, &alpha.diretor),
        )
        .await;
        app.change(
            alpha,
            "UPDATE users SET deleted_at = updated_at WHERE tenant_id = ? AND id = ?",
            ids(alpha, &alpha.agente_ia),
        )
        .await;
        let manager_key = key_id(&app, &alpha.manager.key).await;
        api_key::service::revoke(&app.app, alpha.slug, &manager_key.to_string()).await.unwrap();
        app.a_second_later();

        let actor = app.who(&seller).await.unwrap();
        assert_eq!(actor.role_names.len(), 0);
        assert_eq!(actor.permissions.grants().count(), 0);
        let ctx = Ctx::new(Arc::clone(&app.app), actor, Origin::internal("test"));
        assert_eq!(ctx.reader(Resource::Leads).unwrap_err().code(), Code::Forbidden);
        assert!(app.refused(&director).await);
        assert!(app.refused(&alpha.agente_ia.key).await);
        assert!(app.refused(&alpha.manager.key).await);

        app.change(
            alpha,
            "UPDATE roles SET permissions = ? WHERE tenant_id = ? AND name = 'admin'",
            vec![Value::Json(json!({ "leads": { "read": "own" } })), Value::Id(alpha.id)],
        )
        .await;
        app.a_second_later();
        let actor = app.who(&admin).await.unwrap();
        let granted: Vec<_> = actor.permissions.grants().collect();
        assert_eq!(granted, [(Resource::Leads, Action::Read, ScopeKind::Own)]);

        app.change(
            alpha,
            "UPDATE tenants SET suspended_at = created_at WHERE id = ?",
            vec![Value::Id(alpha.id)],
        )
        .await;
        app.a_second_later();
        assert!(app.refused(&admin).await);
        assert!(app.refused(&alpha.admin.key).await);
        assert!(!app.refused(&app.beta.admin.key).await);
    }

    async fn scopes_narrow_a_key(app: TestApp) {
        let key = app.key(&app.alpha, "comercial", &["leads:read", "users:read", "roles:read"]);
        let actor = app.who(&key.await.unwrap()).await.unwrap();
        let granted: Vec<_> = actor.permissions.grants().collect();
        assert_eq!(
            granted,
            [
                (Resource::Leads, Action::Read, ScopeKind::All),
                (Resource::Users, Action::Read, ScopeKind::All),
            ],
            "a scope gives nothing that the role does not have"
        );
        assert_eq!(actor.permissions.field(Resource::Users, "email"), FieldRule::Hidden);

        for wrong in ["leads", "leads:own", "unknown:read", ""] {
            let error = app.key(&app.alpha, "comercial", &[wrong]).await.unwrap_err();
            assert_eq!((error.code(), error.field()), (Code::Invalid, Some("scopes")), "{wrong}");
        }
        let error = app.key(&app.alpha, "emperor", &[]).await.unwrap_err();
        assert_eq!((error.code(), error.field()), (Code::Invalid, Some("role")));

        // A scope that another version wrote allows nothing, and above all not everything.
        app.change(
            &app.alpha,
            "UPDATE api_keys SET scopes = ? WHERE tenant_id = ? AND user_id = ?",
            vec![
                Value::Json(json!(["spaceships:fly"])),
                Value::Id(app.alpha.id),
                Value::Id(app.alpha.admin.id),
            ],
        )
        .await;
        let actor = app.who(&app.alpha.admin.key).await.unwrap();
        assert_eq!(actor.permissions.grants().count(), 0);
    }

    async fn two_secrets_open_a_key_while_it_is_rotated(app: TestApp) {
        let old = app.alpha.admin.key.clone();
        let id = key_id(&app, &old).await.to_string();
        let overlap = TimeDelta::hours(2);
        let new = api_key::service::rotate(&app.app, "alpha", &id, overlap).await.unwrap();
        assert_ne!(old, new);
        assert!(!app.refused(&old).await && !app.refused(&new).await);
        app.app.clock.advance(overlap - TimeDelta::milliseconds(1));
        assert!(!app.refused(&old).await && !app.refused(&new).await);
        app.app.clock.advance(TimeDelta::milliseconds(1));
        assert!(app.refused(&old).await && !app.refused(&new).await);

        api_key::service::revoke(&app.app, "alpha", &id).await.unwrap();
        app.a_second_later();
        assert!(app.refused(&new).await);
        let again = api_key::service::rotate(&app.app, "alpha", &id, overlap).await;
        assert_eq!(again.unwrap_err().code(), Code::Conflict);
        // Another tenant's key does not exist here.
        let elsewhere = api_key::service::revoke(&app.app, "beta", &id).await;
        assert_eq!(elsewhere.unwrap_err().code(), Code::NotFound);
    }

    async fn a_key_ends_by_itself(app: TestApp) {
        let ends = app.app.clock.now() + TimeDelta::days(1);
        let make = |at| api_key::service::create(&app.app, "alpha", "diretor", "k", &[], Some(at));
        let key = make(ends).await.unwrap();
        app.app.clock.advance(TimeDelta::days(1) - TimeDelta::milliseconds(1));
        assert!(!app.refused(&key).await);
        app.app.clock.advance(TimeDelta::milliseconds(1));
        assert!(app.refused(&key).await);
        assert_eq!(make(ends).await.unwrap_err().field(), Some("expiresAt"));
    }

    async fn the_last_use_of_a_key_is_noted(app: TestApp) {
        let id = key_id(&app, &app.alpha.admin.key).await;
        let mut noted = Vec::new();
        for pause_s in [0, 59, 60] {
            app.app.clock.advance(TimeDelta::seconds(pause_s));
            app.who(&app.alpha.admin.key).await.unwrap();
            let used_at = if pause_s == 59 { noted[0] } else { app.app.clock.now() };
            last_use(&app, id, used_at).await;
            noted.push(used_at);
        }
        assert_eq!(noted[0], noted[1]);
        assert!(noted[2] > noted[1]);
    }

    async fn the_team_is_everybody_below(app: TestApp) {
        let alpha = &app.alpha;
        let (manager, seller) = (alpha.manager.id, alpha.comercial.id);
        let junior = app.person(alpha, "Júnior", Some(seller)).await;
        app.person(alpha, "Somebody else", None).await;
        app.person(&app.beta, "Stranger", Some(app.beta.manager.id)).await;

        let manager_token = token(&claims(&app, alpha, &alpha.manager).await);
        let actor = app.who(&manager_token).await.unwrap();
        assert_eq!(set(&actor.team), BTreeSet::from([manager, seller, junior]));
        assert_eq!(set(&actor.org_unit_members), BTreeSet::from([manager]));

        // A circle: everybody is below everybody, once.
        app.change(
            alpha,
            "UPDATE users SET manager_id = ? WHERE tenant_id = ? AND id = ?",
            vec![Value::Id(junior), Value::Id(alpha.id), Value::Id(manager)],
        )
        .await;
        app.a_second_later();
        for credential in [&manager_token, &token(&claims(&app, alpha, &alpha.comercial).await)] {
            let actor = app.who(credential).await.unwrap();
            assert_eq!(actor.team.len(), 3);
            assert_eq!(set(&actor.team), BTreeSet::from([manager, seller, junior]));
        }
        // Nobody asks for the team of an administrator.
        let admin = app.who(&alpha.admin.key).await.unwrap();
        assert_eq!(set(&admin.team), BTreeSet::from([alpha.admin.id]));
    }

    async fn org_units_hold_the_units_below(app: TestApp) {
        let alpha = &app.alpha;
        let root = org_unit(&app, alpha, "Brasil", None).await;
        let south = org_unit(&app, alpha, "Sul", Some(root)).await;
        let city = org_unit(&app, alpha, "Curitiba", Some(south)).await;
        let north = org_unit(&app, alpha, "Norte", Some(root)).await;
        app.change(
            alpha,
            "UPDATE org_units SET parent_id = ? WHERE tenant_id = ? AND id = ?",
            vec![Value::Id(city), Value::Id(alpha.id), Value::Id(south)],
        )
        .await;
        for (person, unit) in
            [(&alpha.comercial, south), (&alpha.manager, city), (&alpha.diretor, north)]
        {
            app.change(
                alpha,
                "UPDATE users SET org_unit_id = ? WHERE tenant_id = ? AND id = ?",
                vec![Value::Id(unit), Value::Id(alpha.id), Value::Id(person.id)],
            )
            .await;
        }
        app.change(
            alpha,
            "UPDATE roles SET permissions = ? WHERE tenant_id = ? AND name = 'comercial'",
            vec![Value::Json(json!({ "leads": { "read": "org_unit" } })), Value::Id(alpha.id)],
        )
        .await;
        let actor = app.who(&alpha.comercial.key).await.unwrap();
        assert_eq!(
            set(&actor.org_unit_members),
            BTreeSet::from([alpha.comercial.id, alpha.manager.id])
        );
        let ctx = Ctx::new(Arc::clone(&app.app), actor, Origin::internal("test"));
        let reader = ctx.reader(Resource::Leads).unwrap();
        assert!(format!("{:?}", reader.rows()).starts_with("Owners"));
    }

    async fn an_address_belongs_to_one_person_of_a_tenant(app: TestApp) {
        let make = |tenant: Uuid, email: &str| {
            let input = UserInput {
                email: Some(email.to_owned()),
                full_name: "Ana".to_owned(),
                ..UserInput::default()
            };
            user::create(&app.app, tenant, input)
        };
        make(app.alpha.id, "Ana.Souza@Exemplo.com.br").await.unwrap();
        let error = make(app.alpha.id, " ana.souza@exemplo.COM.BR").await.unwrap_err();
        assert_eq!((error.code(), error.field()), (Code::Conflict, Some("email")));
        make(app.beta.id, "ana.souza@exemplo.com.br").await.unwrap();
        let error = make(app.alpha.id, "ana").await.unwrap_err();
        assert_eq!((error.code(), error.field()), (Code::Invalid, Some("email")));
        // A deleted person frees the address.
        app.change(
            &app.alpha,
            "UPDATE users SET deleted_at = created_at WHERE tenant_id = ? AND email = ?",
            vec![Value::Id(app.alpha.id), Value::from("ana.souza@exemplo.com.br")],
        )
        .await;
        make(app.alpha.id, "ana.souza@exemplo.com.br").await.unwrap();
    }

    async fn people_stand_in_their_own_tenant(app: TestApp) {
        let stranger = UserInput {
            full_name: "Ana".to_owned(),
            manager_id: Some(app.beta.manager.id),
            ..UserInput::default()
        };
        let error = user::create(&app.app, app.alpha.id, stranger).await.unwrap_err();
        assert_eq!(error.code(), Code::NotFound);
        let nameless = UserInput { full_name: "  ".to_owned(), ..UserInput::default() };
        let error = user::create(&app.app, app.alpha.id, nameless).await.unwrap_err();
        assert_eq!((error.code(), error.field()), (Code::Invalid, Some("fullName")));
    }

    async fn a_tenant_is_born_complete(app: TestApp) {
        let options = TenantOptions {
            time_zone: Some("Europe/Lisbon".to_owned()),
            currency: Some("EUR".to_owned()),
            language: Some("en".to_owned()),
        };
        let id = tenant::create(&app.app, "gama-2", " Gama Ltda ", options).await.unwrap();
        let found = tenant::find_by_slug(&app.app, "gama-2").await.unwrap().unwrap();
        assert_eq!(
            (found.id, found.name.as_str(), found.time_zone.as_str()),
            (id, "Gama Ltda", "Europe/Lisbon")
        );
        assert_eq!((found.currency.as_str(), found.language.as_str()), ("EUR", "en"));

        let roles = role::service::list(&app.app, "gama-2").await.unwrap();
        let names: Vec<&str> = roles.iter().map(|role| role.name.as_str()).collect();
        assert_eq!(names, ["admin", "agente_ia", "cliente", "comercial", "diretor"]);

        let gama = Tenant { id, ..app.alpha.clone() };
        let sql = "SELECT name, slug, probability, is_won, is_lost, name_folded \
                   FROM pipeline_stages WHERE tenant_id = ? ORDER BY sort_order";
        let stages: Vec<String> = app
            .rows(&gama, sql, vec![Value::Id(id)])
            .await
            .iter()
            .map(|row| {
                let text = |index| row.text(index).unwrap().unwrap();
                let flag = |index| row.bool(index).unwrap().unwrap();
                let outcome = if flag(3) { " won" } else if flag(4) { " lost" } else { "" };
                assert_eq!(text(1), text(5));
                format!("{} {}{outcome}", text(0), row.int(2).unwrap().unwrap())
            })
            .collect();
        assert_eq!(
            stages,
            [
                "Prospecção 10", "Qualificação 20", "Proposta 50", "Negociação 70",
                "Fechamento 90", "Ganho 100 won", "Perdido 0 lost",
            ]
        );
    }

    async fn a_tenant_that_cannot_be(app: TestApp) {
        let make = |slug: &str, name: &str, options: TenantOptions| {
            let (slug, name, app) = (slug.to_owned(), name.to_owned(), Arc::clone(&app.app));
            async move { tenant::create(&app, &slug, &name, options).await.unwrap_err() }
        };
        let usual = TenantOptions::default;
        let is = |error: &Error| (error.code(), error.field().unwrap_or_default().to_owned());
        let taken = make("alpha", "Alpha", usual()).await;
        assert_eq!(is(&taken), (Code::Conflict, "slug".to_owned()));
        let long = "a".repeat(64);
        for slug in ["", "a", "Gama", "ga ma", "gamá", "ga_ma", long.as_str()] {
            let error = make(slug, "Gama", usual()).await;
            assert_eq!(is(&error), (Code::Invalid, "slug".to_owned()), "{slug}");
        }
        let error = make("gama", " ", usual()).await;
        assert_eq!(is(&error), (Code::Invalid, "name".to_owned()));
        let zone = TenantOptions { time_zone: Some("Brasilia".to_owned()), ..usual() };
        assert_eq!(is(&make("gama", "G", zone).await), (Code::Invalid, "timeZone".to_owned()));
        let money = TenantOptions { currency: Some("REAL".to_owned()), ..usual() };
        assert_eq!(is(&make("gama", "G", money).await), (Code::Invalid, "currency".to_owned()));
        let tongue = TenantOptions { language: Some("fr".to_owned()), ..usual() };
        assert_eq!(is(&make("gama", "G", tongue).await), (Code::Invalid, "language".to_owned()));
        assert!(tenant::find_by_slug(&app.app, "gama").await.unwrap().is_none());
        assert_eq!(tenant::list(&app.app).await.unwrap().len(), 2);
    }

    async fn the_demo_is_made_once_and_only_where_nothing_is(empty: Empty) {
        let made = demo::create_if_empty(&empty.app).await.unwrap().unwrap();
        assert!(demo::create_if_empty(&empty.app).await.unwrap().is_none());
        let origin = Origin::internal("test");
        let session =
            login(&empty.app, &made.tenant, &made.email, &made.password, &origin).await.unwrap();
        for credential in [&session.access_token, &made.api_key] {
            let actor = empty.app.identity.authenticate(&empty.app, credential).await.unwrap();
            assert_eq!(&*actor.role_names, ["admin".to_owned()]);
            let scope = actor.permissions.scope(Resource::Leads, Action::Destroy);
            assert_eq!(scope, Some(ScopeKind::All));
        }
        assert_eq!(tenant::list(&empty.app).await.unwrap()[0].name, "Demonstração");
    }

    async fn the_command_line_makes_what_it_takes_to_begin(empty: Empty) {
        let created = admin(&empty.app, "tenant create acme --name Acme").await.unwrap();
        let found = tenant::find_by_slug(&empty.app, "acme").await.unwrap().unwrap();
        assert_eq!(created, [found.id.to_string()]);

        let user = "user create --tenant acme --email ana@acme.example --name Ana --role comercial";
        let [password] = &admin(&empty.app, user).await.unwrap()[..] else { panic!() };
        let origin = Origin::internal("test");
        login(&empty.app, "acme", "ana@acme.example", password, &origin).await.unwrap();

        let make = "key create --tenant acme --role diretor --scope leads:read --scope deals:read \
                    --name grafana --expires-in-days 30";
        let [key] = &admin(&empty.app, make).await.unwrap()[..] else { panic!() };
        let actor = empty.app.identity.authenticate(&empty.app, key).await.unwrap();
        assert_eq!(actor.permissions.grants().count(), 2);

        let listed = admin(&empty.app, "key list --tenant acme").await.unwrap();
        let [_, line] = &listed[..] else { panic!("{listed:?}") };
        let cells: Vec<&str> = line.split('\t').collect();
        assert!(key.starts_with(cells[0]));
        assert_eq!(cells[1..4], ["grafana", "diretor", "leads:read,deals:read"]);
        assert!(cells[4].starts_with("until 2026-04-09"));
        assert!(!line.contains(&key[52..]), "a list shows no secret");

        let rotate = format!("key rotate --tenant acme --overlap-hours 0 {}", cells[0]);
        let [new_key] = &admin(&empty.app, &rotate).await.unwrap()[..] else { panic!() };
        let revoke = format!("key revoke --tenant acme {}", cells[6]);
        assert!(admin(&empty.app, &revoke).await.unwrap().is_empty());
        empty.app.clock.advance(TimeDelta::seconds(1));
        for credential in [key, new_key] {
            assert!(empty.app.identity.authenticate(&empty.app, credential).await.is_err());
        }

        assert_eq!(admin(&empty.app, "role list --tenant acme").await.unwrap().len(), 6);
        assert_eq!(admin(&empty.app, "tenant list").await.unwrap().len(), 2);
        let nowhere = admin(&empty.app, "key list --tenant nowhere").await.unwrap_err();
        assert_eq!(nowhere.code(), Code::NotFound);
    }

    async fn no_demo_beside_real_tenants(app: TestApp) {
        assert!(demo::create_if_empty(&app.app).await.unwrap().is_none());
    }

    async fn many_at_once_are_one_look_up(app: TestApp) {
        let credential = token(&claims(&app, &app.alpha, &app.alpha.manager).await);
        let asks = (0..200).map(|_| app.who(&credential));
        for actor in futures::future::join_all(asks).await {
            assert_eq!(actor.unwrap().user_id, app.alpha.manager.id);
        }
        let wrong = format!("{}_{}", &app.alpha.admin.key[..51], "A".repeat(43));
        for refusal in futures::future::join_all((0..50).map(|_| app.refused(&wrong))).await {
            assert!(refusal);
        }
    }
}

/// An application on a database without a single tenant.
struct Empty {
    app: Arc<App>,
    _database: TestDb,
}

impl Fixture for Empty {
    async fn on(backend: Backend) -> Self {
        let database = TestDb::new(backend).await;
        let app = build(&database.db, database.url(), pulso::clock::Clock::fixed(now()));
        Self { app, _database: database }
    }
}

/// What `pulso admin …` writes to standard output.
async fn admin(app: &Arc<App>, words: &str) -> Result<Vec<String>> {
    #[derive(clap::Parser)]
    struct CommandLine {
        #[command(subcommand)]
        command: Admin,
    }
    let words = std::iter::once("pulso").chain(words.split_whitespace());
    let command = <CommandLine as clap::Parser>::try_parse_from(words).unwrap().command;
    Ok(pulso::cli::admin::execute(app, command).await?.lines)
}

async fn key_id(app: &TestApp, key: &str) -> Uuid {
    app.who(key).await.unwrap().api_key_id.unwrap()
}

fn set(ids: &[Uuid]) -> BTreeSet<Uuid> {
    ids.iter().copied().collect()
}

async fn org_unit(app: &TestApp, tenant: &Tenant, name: &str, parent: Option<Uuid>) -> Uuid {
    let parent = parent.map_or(Value::Null(NullOf::Id), Value::Id);
    let fields = [
        ("name", Value::from(name)),
        ("name_folded", Value::from(name.to_lowercase())),
        ("parent_id", parent),
    ];
    app.insert(tenant, "org_units", &fields).await
}

/// Waits until the note that is written beside the requests says `expected`.
async fn last_use(app: &TestApp, key: Uuid, expected: chrono::DateTime<chrono::Utc>) {
    let sql = "SELECT last_used_at FROM api_keys WHERE tenant_id = ? AND id = ?";
    let written = async {
        loop {
            let values = vec![Value::Id(app.alpha.id), Value::Id(key)];
            let rows = app.rows(&app.alpha, sql, values).await;
            if rows[0].instant(0).unwrap() == Some(expected) {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(10), written).await.unwrap();
}
