//! API keys: what they open, for how long, and what scopes leave of them.

use super::key_id;
use crate::support::TestApp;
use crate::support::both_databases;
use chrono::TimeDelta;
use pulso::access::Action;
use pulso::access::FieldRule;
use pulso::access::Resource;
use pulso::access::ScopeKind;
use pulso::db::Value;
use pulso::error::Code;
use pulso::identity::api_key;
use serde_json::json;
use uuid::Uuid;

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

both_databases! {
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
}
