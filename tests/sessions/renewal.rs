//! Sessions are opened, renewed and ended; a token is good once.

use super::{ask, change, code, is_good, is_refused, later, other_node, renewed, sign_in, trail};
use crate::support::TestApp;
use crate::support::both_databases;
use crate::support::seed::PASSWORD;
use crate::support::seed::Person;
use crate::support::seed::Tenant;
use chrono::TimeDelta;
use futures::future::join_all;
use pulso::db::Value;
use pulso::limits;
use serde_json::json;
use uuid::Uuid;

const REFRESH: &str = "mutation($token: String) { sessionRefresh(refreshToken: $token) { \
                       accessToken expiresAt refreshToken refreshExpiresAt } }";

async fn reason(app: &TestApp, tenant: &Tenant, session: Uuid) -> Option<String> {
    let sql = "SELECT revoked_reason FROM sessions WHERE tenant_id = ? AND id = ?";
    app.read_sql(tenant, sql, vec![Value::Id(session)]).await[0].text(0).unwrap()
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
}
