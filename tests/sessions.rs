//! Sessions: refresh and its misuse, the list and ending what is on it, several nodes, change of
//! secrets, and cookies with everything that keeps other sites from using them.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};
use chrono::TimeDelta;
use futures::future::join_all;
use pulso::app::App;
use pulso::config::{OriginPattern, PreviousSecrets, Secret};
use pulso::ctx::Origin;
use pulso::db::Value;
use pulso::error::Code;
use pulso::identity::session::service::{Session, login, refresh};
use pulso::identity::session::token::key_id;
use pulso::identity::signing_secret;
use pulso::limits;
use serde_json::{Value as Json, json};
use uuid::Uuid;

use crate::support::app::{Answer, config};
use crate::support::seed::{PASSWORD, Person, Tenant};
use crate::support::{TestApp, both_databases};

const REFRESH: &str = "mutation($token: String) { sessionRefresh(refreshToken: $token) { \
                       accessToken expiresAt refreshToken refreshExpiresAt } }";
const LIST: &str = "query($of: ID) { sessions(userId: $of) { \
                    id userId isCurrent label ipAddress userAgent lastUsedAt expiresAt } }";
const REVOKE: &str = "mutation($id: ID!) { sessionRevoke(id: $id) { id revokedAt isCurrent } }";
const REVOKE_ALL: &str = "mutation($of: ID, $keep: Boolean! = true) { \
                          sessionRevokeAll(userId: $of, exceptCurrent: $keep) }";
const OTHER_SECRET: &str = "the secret that comes next: 32 bytes or more";

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

async fn reason(app: &TestApp, tenant: &Tenant, session: Uuid) -> Option<String> {
    let sql = "SELECT revoked_reason FROM sessions WHERE tenant_id = ? AND id = ?";
    app.read_sql(tenant, sql, vec![Value::Id(session)]).await[0].text(0).unwrap()
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

fn kid(access_token: &str) -> String {
    jsonwebtoken::decode_header(access_token).unwrap().kid.unwrap()
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

both_databases! {
    async fn a_session_is_opened_renewed_and_ended(app: TestApp) {
        let person = &app.alpha.comercial;
        let login = "mutation($email: String!, $password: String!) { login(tenant: \"alpha\", \
                     email: $email, password: $password) { accessToken expiresAt refreshToken \
                     refreshExpiresAt } }";
        let variables = json!({ "email": person.email, "password": PASSWORD });
        let opened = ask(&app, login, variables).await;
        let opened = &opened["data"]["login"];
        assert_eq!(opened["expiresAt"], "2026-03-10T12:15:00Z", "{opened}");
        assert_eq!(opened["refreshExpiresAt"], "2026-03-24T12:00:00Z");
        let access = opened["accessToken"].as_str().unwrap().to_owned();
        let me = app.data(&access, "{ me { user { id } } }", json!({})).await;
        assert_eq!(me["me"]["user"]["id"], json!(person.id));

        later(&app, TimeDelta::minutes(20));
        assert!(!is_good(&app.app, &access).await);
        let answer = ask(&app, REFRESH, json!({ "token": opened["refreshToken"] })).await;
        let renewed = &answer["data"]["sessionRefresh"];
        assert_eq!(renewed["expiresAt"], "2026-03-10T12:35:00Z", "{answer}");
        assert_eq!(renewed["refreshExpiresAt"], "2026-03-24T12:20:00Z");
        assert_ne!(renewed["refreshToken"], opened["refreshToken"]);
        let access = renewed["accessToken"].as_str().unwrap().to_owned();

        let out = app.data(&access, "mutation { logout }", json!({})).await;
        assert_eq!(out["logout"], true);
        assert!(!is_good(&app.app, &access).await, "at once on this node");
        let refused = ask(&app, REFRESH, json!({ "token": renewed["refreshToken"] })).await;
        assert_eq!(code(&refused), "UNAUTHENTICATED");
        let author = Some(person.id);
        assert_eq!(
            trail(&app, &app.alpha).await,
            [("session.login".to_owned(), author), ("session.logout".to_owned(), author)]
        );
        assert_eq!(trail(&app, &app.beta).await, []);
    }

    async fn who_asks_twice_gets_the_same_answer(app: TestApp) {
        let session = sign_in(&app, &app.alpha, &app.alpha.admin).await;
        // Ten tabs at the same time.
        let asks = (0..10).map(|_| renewed(&app.app, &session.refresh_token));
        let answers = join_all(asks).await;
        for answer in &answers {
            assert_eq!(answer.refresh_token, answers[0].refresh_token);
            assert_eq!(answer.session_id, session.session_id);
            assert!(is_good(&app.app, &answer.access_token).await);
        }
        assert_ne!(answers[0].refresh_token, session.refresh_token);
        // An answer that got lost, asked for again on another node.
        later(&app, TimeDelta::seconds(limits::REFRESH_GRACE_SECONDS));
        let again = renewed(&other_node(&app), &session.refresh_token).await;
        assert_eq!(again.refresh_token, answers[0].refresh_token);
        assert_eq!(again.refresh_expires_at, answers[0].refresh_expires_at);
        let third = renewed(&app.app, &again.refresh_token).await;
        assert!(is_good(&app.app, &third.access_token).await);
        let sql = "SELECT generation FROM sessions WHERE tenant_id = ? AND id = ?";
        let rows = app.read_sql(&app.alpha, sql, vec![Value::Id(session.session_id)]).await;
        assert_eq!(rows[0].int(0).unwrap(), Some(3));
    }

    async fn a_used_token_ends_its_session(app: TestApp) {
        let person = &app.alpha.manager;
        let other = sign_in(&app, &app.alpha, person).await;

        // Too late for an honest repetition.
        let first = sign_in(&app, &app.alpha, person).await;
        let second = renewed(&app.app, &first.refresh_token).await;
        later(&app, TimeDelta::seconds(limits::REFRESH_GRACE_SECONDS + 1));
        assert!(is_good(&app.app, &second.access_token).await);
        assert!(is_refused(&app.app, &first.refresh_token).await);
        assert!(!is_good(&app.app, &second.access_token).await, "at once on this node");
        assert!(is_refused(&app.app, &second.refresh_token).await, "whoever holds the newest");
        assert_eq!(reason(&app, &app.alpha, first.session_id).await.unwrap(), "reuse");
        let told = trail(&app, &app.alpha).await;
        assert_eq!(told.last(), Some(&("session.reuse".to_owned(), None)));
        // Asked again, it is over: one entry tells of it.
        assert!(is_refused(&app.app, &first.refresh_token).await);
        assert_eq!(trail(&app, &app.alpha).await, told);

        // The one before the last, however quick.
        let first = sign_in(&app, &app.alpha, person).await;
        let second = renewed(&app.app, &first.refresh_token).await;
        let third = renewed(&app.app, &second.refresh_token).await;
        assert!(is_refused(&app.app, &first.refresh_token).await);
        assert!(is_refused(&app.app, &third.refresh_token).await);

        // The person's other sessions are not touched.
        assert!(is_good(&app.app, &other.access_token).await);
        assert!(!is_refused(&app.app, &other.refresh_token).await);
    }

    async fn what_we_never_issued_changes_nothing(app: TestApp) {
        let alpha = sign_in(&app, &app.alpha, &app.alpha.admin).await;
        let beta = sign_in(&app, &app.beta, &app.beta.admin).await;
        let good = &alpha.refresh_token;
        let of_others = {
            // The tenant of one, everything else of the other: 16 bytes are 21 characters and a bit.
            let at = "pulsor_".len() + 21;
            format!("{}{}", &beta.refresh_token[..at], &good[at..])
        };
        for wrong in [
            String::new(),
            "pulsor_".to_owned(),
            good[..good.len() - 1].to_owned(),
            format!("{good}A"),
            good.replacen("pulsor_", "pulso_", 1),
            good.to_uppercase(),
            format!("pulsor_{}", "A".repeat(112)),
            of_others,
            alpha.access_token.clone(),
            app.alpha.admin.key.clone(),
        ] {
            assert!(is_refused(&app.app, &wrong).await, "{wrong}");
        }
        // A refresh token is no credential, and a credential no refresh token.
        assert!(!is_good(&app.app, good).await);
        assert!(is_good(&app.app, &alpha.access_token).await);
        assert!(!is_refused(&app.app, good).await);
        assert!(!is_refused(&app.app, &beta.refresh_token).await);
        let nothing = ask(&app, REFRESH, json!({})).await;
        assert_eq!(code(&nothing), "INVALID");
        assert_eq!(nothing["errors"][0]["extensions"]["field"], "refreshToken");
    }

    async fn nothing_of_a_token_is_stored_that_opens_it(app: TestApp) {
        let session = sign_in(&app, &app.alpha, &app.alpha.admin).await;
        let next = renewed(&app.app, &session.refresh_token).await;
        let sql = "SELECT refresh_hash, previous_hash, ip_address, user_agent FROM sessions \
                   WHERE tenant_id = ?";
        let rows = app.read_sql(&app.alpha, sql, Vec::new()).await;
        for index in 0..2 {
            let stored = rows[0].text(index).unwrap().unwrap();
            assert_eq!(stored.len(), 64);
            assert!(!next.refresh_token.contains(&stored));
        }
        assert_eq!(rows[0].text(2).unwrap().as_deref(), Some("203.0.113.7"));
        assert!(rows[0].text(3).unwrap().unwrap().contains("Chrome"));
    }

    async fn a_session_ends_unused_and_ends_anyway(app: TestApp) {
        let person = &app.alpha.admin;
        let unused = sign_in(&app, &app.alpha, person).await;
        let idle = app.app.config.identity.session_idle();
        let lifetime = app.app.config.identity.session_lifetime();
        assert_eq!((idle, lifetime), (TimeDelta::days(14), TimeDelta::days(90)));
        let mut used = sign_in(&app, &app.alpha, person).await;
        let ends = app.app.clock.now() + lifetime;

        later(&app, idle - TimeDelta::seconds(1));
        used = renewed(&app.app, &used.refresh_token).await;
        later(&app, TimeDelta::seconds(1));
        assert!(is_refused(&app.app, &unused.refresh_token).await);
        assert_eq!(reason(&app, &app.alpha, unused.session_id).await, None, "it just ended");

        while app.app.clock.now() + idle < ends {
            later(&app, idle - TimeDelta::days(1));
            used = renewed(&app.app, &used.refresh_token).await;
        }
        assert_eq!(used.refresh_expires_at, ends);
        later(&app, ends - app.app.clock.now() - TimeDelta::minutes(5));
        used = renewed(&app.app, &used.refresh_token).await;
        assert_eq!(used.expires_at, ends, "an access token lives no longer than its session");
        assert!(is_good(&app.app, &used.access_token).await);
        later(&app, TimeDelta::minutes(5));
        assert!(!is_good(&app.app, &used.access_token).await);
        assert!(is_refused(&app.app, &used.refresh_token).await);

        // What ended a week ago is cleared away at the next sign-in.
        later(&app, TimeDelta::days(limits::ENDED_SESSION_DAYS) + TimeDelta::seconds(1));
        sign_in(&app, &app.alpha, person).await;
        assert_eq!(app.count(&app.alpha, "sessions").await, 1);
    }

    async fn who_may_not_act_is_not_renewed(app: TestApp) {
        let (alpha, beta) = (&app.alpha, &app.beta);
        let inactive = sign_in(&app, alpha, &alpha.diretor).await;
        let deleted = sign_in(&app, alpha, &alpha.manager).await;
        let suspended = sign_in(&app, beta, &beta.admin).await;
        let person = |person: &Person| vec![Value::Id(person.id)];
        change(&app, "UPDATE users SET is_active = FALSE WHERE id = ?", person(&alpha.diretor)).await;
        change(&app, "UPDATE users SET deleted_at = created_at WHERE id = ?", person(&alpha.manager))
            .await;
        change(
            &app,
            "UPDATE tenants SET suspended_at = created_at WHERE id = ?",
            vec![Value::Id(beta.id)],
        )
        .await;
        for session in [&inactive, &deleted, &suspended] {
            assert!(is_refused(&app.app, &session.refresh_token).await);
        }
        // Back again, the session is what it was.
        change(&app, "UPDATE users SET is_active = TRUE WHERE id = ?", person(&alpha.diretor)).await;
        assert!(!is_refused(&app.app, &inactive.refresh_token).await);
    }

    async fn a_user_has_a_bounded_number_of_sessions(app: TestApp) {
        let person = &app.alpha.admin;
        let now = Value::Instant(app.app.clock.now());
        let ends = Value::Instant(app.app.clock.now() + TimeDelta::days(90));
        for _ in 0..limits::SESSIONS_PER_USER_MAX {
            let sql = "INSERT INTO sessions (tenant_id, id, user_id, generation, refresh_hash, \
                       created_at, last_used_at, expires_at) VALUES (?, ?, ?, 1, '', ?, ?, ?)";
            let mut values: Vec<Value> =
                [app.alpha.id, app.app.clock.new_id(), person.id].map(Value::Id).to_vec();
            values.extend([now.clone(), now.clone(), ends.clone()]);
            change(&app, sql, values).await;
        }
        let bystander = sign_in(&app, &app.alpha, &app.alpha.manager).await;
        later(&app, TimeDelta::seconds(1));
        for extra in 1..=2 {
            sign_in(&app, &app.alpha, person).await;
            let sql = "SELECT count(*) FROM sessions WHERE tenant_id = ? AND revoked_reason = 'replaced'";
            let rows = app.read_sql(&app.alpha, sql, Vec::new()).await;
            assert_eq!(rows[0].int(0).unwrap(), Some(extra));
        }
        assert!(is_good(&app.app, &bystander.access_token).await);
    }

    async fn one_sees_and_ends_ones_own_sessions(app: TestApp) {
        let person = &app.alpha.comercial;
        let phone = sign_in(&app, &app.alpha, person).await;
        later(&app, TimeDelta::minutes(1));
        let laptop = sign_in(&app, &app.alpha, person).await;
        sign_in(&app, &app.alpha, &app.alpha.manager).await;

        let listed = app.data(&laptop.access_token, LIST, json!({})).await;
        let listed = listed["sessions"].as_array().unwrap();
        let seen: Vec<_> = listed.iter().map(|each| (&each["id"], &each["isCurrent"])).collect();
        let (phone_id, laptop_id) = (json!(phone.session_id), json!(laptop.session_id));
        assert_eq!(seen, [(&laptop_id, &json!(true)), (&phone_id, &json!(false))]);
        assert_eq!(listed[0]["label"], "Chrome, Windows");
        assert_eq!(listed[0]["ipAddress"], "203.0.113.7");
        assert_eq!(listed[0]["userId"], json!(person.id));

        let ended = app.data(&laptop.access_token, REVOKE, json!({ "id": phone_id })).await;
        assert_eq!(ended["sessionRevoke"]["id"], phone_id);
        assert_eq!(ended["sessionRevoke"]["revokedAt"], "2026-03-10T12:01:00Z");
        assert!(!is_good(&app.app, &phone.access_token).await);
        assert!(is_refused(&app.app, &phone.refresh_token).await);
        assert!(is_good(&app.app, &laptop.access_token).await);
        // Once more is no error and changes nothing.
        later(&app, TimeDelta::seconds(5));
        let again = app.data(&laptop.access_token, REVOKE, json!({ "id": phone_id })).await;
        assert_eq!(again, ended);

        let tablet = sign_in(&app, &app.alpha, person).await;
        let kept = app.data(&laptop.access_token, REVOKE_ALL, json!({})).await;
        assert_eq!(kept["sessionRevokeAll"], 1);
        assert!(!is_good(&app.app, &tablet.access_token).await);
        assert!(is_good(&app.app, &laptop.access_token).await);
        let all = json!({ "keep": false });
        let kept = app.data(&laptop.access_token, REVOKE_ALL, all).await;
        assert_eq!(kept["sessionRevokeAll"], 1);
        assert!(!is_good(&app.app, &laptop.access_token).await);
        // Signing in anew works at once, although what was known of the person was forgotten.
        let fresh = sign_in(&app, &app.alpha, person).await;
        assert!(is_good(&app.app, &fresh.access_token).await);
        let actions: Vec<String> =
            trail(&app, &app.alpha).await.into_iter().map(|(action, _)| action).collect();
        let ends: Vec<&str> =
            actions.iter().map(String::as_str).filter(|action| *action != "session.login").collect();
        assert_eq!(ends, ["session.revoke", "session.revoke_all", "session.revoke_all"]);
    }

    async fn who_administers_users_ends_their_sessions(app: TestApp) {
        let (admin, person) = (&app.alpha.admin, &app.alpha.comercial);
        let theirs = sign_in(&app, &app.alpha, person).await;
        let of = json!({ "of": person.id });
        let listed = app.data(&admin.key, LIST, of.clone()).await;
        assert_eq!(listed["sessions"][0]["id"], json!(theirs.session_id));
        assert_eq!(listed["sessions"][0]["isCurrent"], false);
        let ended =
            app.data(&admin.key, REVOKE, json!({ "id": theirs.session_id })).await;
        assert_eq!(ended["sessionRevoke"]["id"], json!(theirs.session_id));
        assert!(!is_good(&app.app, &theirs.access_token).await);
        let theirs = sign_in(&app, &app.alpha, person).await;
        assert_eq!(app.data(&admin.key, REVOKE_ALL, of).await["sessionRevokeAll"], 1);
        assert!(!is_good(&app.app, &theirs.access_token).await);
        let told = trail(&app, &app.alpha).await;
        assert_eq!(told.last(), Some(&("session.revoke_all".to_owned(), Some(admin.id))));
    }

    /// Nobody, another tenant, too small a role, too small a scope, a key without the right.
    async fn nobody_reaches_sessions_that_are_not_theirs(app: TestApp) {
        let alpha = &app.alpha;
        let target = sign_in(&app, alpha, &alpha.diretor).await;
        let mine = sign_in(&app, alpha, &alpha.comercial).await;
        let of = json!({ "of": alpha.diretor.id });
        let id = json!({ "id": target.session_id });
        let nobody = [(LIST, &of), (LIST, &json!({})), (REVOKE, &id), (REVOKE_ALL, &of)];
        for (query, variables) in nobody {
            assert_eq!(code(&ask(&app, query, variables.clone()).await), "UNAUTHENTICATED");
        }
        assert_eq!(code(&ask(&app, "mutation { logout }", json!({})).await), "UNAUTHENTICATED");

        // Which is there and which is not cannot be told apart.
        let invented = json!({ "id": Uuid::from_u128(5) });
        for credential in [&mine.access_token, &app.beta.admin.key, &alpha.comercial.key] {
            assert_eq!(app.error_code(credential, REVOKE, id.clone()).await, "NOT_FOUND");
            assert_eq!(app.error_code(credential, REVOKE, invented.clone()).await, "NOT_FOUND");
        }
        for (credential, expected) in [
            (&mine.access_token, "FORBIDDEN"),
            (&alpha.diretor.key, "FORBIDDEN"),
            (&alpha.comercial.key, "FORBIDDEN"),
            (&app.beta.admin.key, "NOT_FOUND"),
        ] {
            for query in [LIST, REVOKE_ALL] {
                assert_eq!(app.error_code(credential, query, of.clone()).await, expected);
            }
        }
        // A key acts for its account but does not have the account's sessions.
        for query in [LIST, REVOKE_ALL] {
            let code = app.error_code(&alpha.comercial.key, query, json!({})).await;
            assert_eq!(code, "FORBIDDEN");
        }
        let logout = app.error_code(&alpha.admin.key, "mutation { logout }", json!({})).await;
        assert_eq!(logout, "UNSUPPORTED");

        // A right that reaches the team alone.
        let rights = json!({ "users": { "read": "all", "update": "team" } });
        app.set_role(alpha, "comercial", rights).await;
        let manager = sign_in(&app, alpha, &alpha.manager).await;
        let report = json!({ "of": alpha.comercial.id });
        let seen = app.data(&manager.access_token, LIST, report).await;
        assert_eq!(seen["sessions"][0]["id"], json!(mine.session_id));
        for (query, variables) in [(LIST, &of), (REVOKE_ALL, &of), (REVOKE, &id)] {
            let code = app.error_code(&manager.access_token, query, variables.clone()).await;
            assert_eq!(code, "NOT_FOUND");
        }
        assert!(is_good(&app.app, &target.access_token).await);
        for wrong in ["", "x", "00000000"] {
            let code = app.error_code(&app.alpha.admin.key, REVOKE, json!({ "id": wrong })).await;
            assert_eq!(code, "INVALID");
        }
    }

    async fn an_end_is_felt_on_every_node(app: TestApp) {
        let (here, there) = (Arc::clone(&app.app), other_node(&app));
        let person = &app.alpha.comercial;
        let session = sign_in(&app, &app.alpha, person).await;
        let second = sign_in(&app, &app.alpha, person).await;
        for node in [&here, &there] {
            assert!(is_good(node, &session.access_token).await);
            assert!(is_good(node, &second.access_token).await);
        }
        app.data(&session.access_token, "mutation { logout }", json!({})).await;
        assert!(!is_good(&here, &session.access_token).await, "at once where it happened");
        assert!(is_refused(&there, &session.refresh_token).await, "at once everywhere");
        later(&app, TimeDelta::seconds(1));
        assert!(!is_good(&there, &session.access_token).await, "within a second everywhere");
        assert!(is_good(&there, &second.access_token).await);

        let all = json!({ "of": person.id });
        app.data(&app.alpha.admin.key, REVOKE_ALL, all).await;
        assert!(!is_good(&here, &second.access_token).await);
        later(&app, TimeDelta::seconds(1));
        assert!(!is_good(&there, &second.access_token).await);
    }

    /// One variable, the database's, is all that a node needs.
    async fn nodes_without_a_secret_share_one_that_the_database_keeps(app: TestApp) {
        let mut ours = config(app.database.url());
        ours.identity.jwt_secret = None;
        let (mut first, mut second, mut told) = (ours.clone(), ours.clone(), config(app.database.url()));
        let (db, clock) = (&app.database.db, &app.app.clock);
        let (one, other) = tokio::join!(
            signing_secret::complete(&mut first, db, clock),
            signing_secret::complete(&mut second, db, clock)
        );
        one.and(other).unwrap();
        assert_eq!(first.identity.jwt_secret, second.identity.jwt_secret);
        let embedded = first.database.url.is_embedded();
        let kept = first.identity.jwt_secret.as_ref().map(|secret| secret.reveal().len());
        assert_eq!(kept, if embedded { None } else { Some(64) }, "SQLite has a file for it");
        let before = told.identity.jwt_secret.clone();
        signing_secret::complete(&mut told, db, clock).await.unwrap();
        assert_eq!(told.identity.jwt_secret, before, "what was set is not changed");
    }

    async fn secrets_change_without_anybody_signing_in_again(app: TestApp) {
        let old = app.app.config.identity.jwt_secret.clone().unwrap();
        let next = || Some(Secret::new(OTHER_SECRET));
        let also = |secret: Secret| PreviousSecrets::new(vec![secret]);
        // First every node learns to believe the next secret, then they sign with it.
        let prepared = node_with(&app, |config| {
            config.identity.jwt_previous_secrets = also(Secret::new(OTHER_SECRET));
        });
        let changed = node_with(&app, |config| {
            config.identity.jwt_secret = next();
            config.identity.jwt_previous_secrets = also(old.clone());
        });
        let finished = node_with(&app, |config| config.identity.jwt_secret = next());

        let session = sign_in(&app, &app.alpha, &app.alpha.admin).await;
        assert_eq!(kid(&session.access_token), key_id(old.reveal().as_bytes()));
        for node in [&prepared, &changed] {
            assert!(is_good(node, &session.access_token).await);
        }
        assert!(!is_good(&finished, &session.access_token).await, "forgotten: its key is gone");
        assert!(is_refused(&finished, &session.refresh_token).await);

        let renewed_there = renewed(&changed, &session.refresh_token).await;
        assert_eq!(kid(&renewed_there.access_token), key_id(OTHER_SECRET.as_bytes()));
        for node in [&prepared, &changed, &finished] {
            assert!(is_good(node, &renewed_there.access_token).await);
        }
        assert!(!is_good(&app.app, &renewed_there.access_token).await, "was told of no other");
        // Who asks twice, here and there, gets one answer, though under another key's tag.
        let again = renewed(&prepared, &session.refresh_token).await;
        let last = renewed(&finished, &renewed_there.refresh_token).await;
        assert!(!is_refused(&changed, &again.refresh_token).await);
        assert!(is_good(&finished, &last.access_token).await);
        assert!(!is_refused(&finished, &last.refresh_token).await);
    }
}

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
