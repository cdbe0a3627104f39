//! Who sees and ends whose sessions, and that it is felt on every node.

use super::{
    REVOKE_ALL, ask, code, is_good, is_refused, later, node_with, other_node, renewed, sign_in,
    trail,
};
use crate::support::TestApp;
use crate::support::app::config;
use crate::support::both_databases;
use chrono::TimeDelta;
use pulso::config::PreviousSecrets;
use pulso::config::Secret;
use pulso::identity::session::token::key_id;
use pulso::identity::signing_secret;
use serde_json::json;
use std::sync::Arc;
use uuid::Uuid;

const LIST: &str = "query($of: ID) { sessions(userId: $of) { \
                    id userId isCurrent label ipAddress userAgent lastUsedAt expiresAt } }";

const REVOKE: &str = "mutation($id: ID!) { sessionRevoke(id: $id) { id revokedAt isCurrent } }";

const OTHER_SECRET: &str = "the secret that comes next: 32 bytes or more";

fn kid(access_token: &str) -> String {
    jsonwebtoken::decode_header(access_token).unwrap().kid.unwrap()
}

both_databases! {
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
