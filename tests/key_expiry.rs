//! Keys that end by themselves are announced: to whom, when, and once.

use std::slice::from_ref;

use chrono::{DateTime, TimeDelta, Utc};
use pulso::db::Value;
use pulso::identity::api_key::expiry::tell_due;
use serde_json::{Value as Json, json};
use uuid::Uuid;

use crate::support::app::build;
use crate::support::seed::Person;
use crate::support::{TestApp, both_databases};

impl TestApp {
    /// A key that ends so many days from now; its id.
    async fn ending_key(&self, maker: &str, days: i64) -> Uuid {
        let ends: DateTime<Utc> = self.app.clock.now() + TimeDelta::days(days);
        let query = "mutation($input: ApiKeyCreateInput!) { apiKeyCreate(input: $input) { \
                     apiKey { id } } }";
        let input = json!({ "name": "k", "role": "admin", "expiresAt": ends });
        let made = self.data(maker, query, json!({ "input": input })).await;
        made["apiKeyCreate"]["apiKey"]["id"].as_str().unwrap().parse().unwrap()
    }

    /// Kind and key of what somebody was told, newest first.
    async fn heard(&self, person: &Person) -> Vec<(String, Json)> {
        let query = "{ notifications { nodes { kind recordId } } }";
        let told = self.data(&person.key, query, json!({})).await;
        let nodes = told["notifications"]["nodes"].as_array().unwrap();
        let one =
            |node: &Json| (node["kind"].as_str().unwrap().to_owned(), node["recordId"].clone());
        nodes.iter().map(one).collect()
    }

    async fn days_later(&self, days: i64) {
        self.app.clock.advance(TimeDelta::days(days));
        tell_due(&self.app).await.unwrap();
    }
}

both_databases! {
    async fn a_keys_end_is_announced_twice_and_once_each(app: TestApp) {
        let alpha = &app.alpha;
        let key = app.ending_key(&alpha.admin.key, 30).await;
        let first = ("API_KEY_EXPIRES".to_owned(), json!(key));
        let last = ("API_KEY_LAST_DAY".to_owned(), json!(key));
        app.days_later(15).await;
        assert_eq!(app.heard(&alpha.admin).await, []);
        app.days_later(1).await;
        assert_eq!(app.heard(&alpha.admin).await, from_ref(&first));
        // Two nodes that look at the same moment, and one that looks again.
        app.app.clock.advance(TimeDelta::days(13));
        let other = build(&app.database.db, app.database.url(), app.app.clock.clone());
        let both = tokio::join!(tell_due(&app.app), tell_due(&other));
        assert_eq!(both.0.unwrap() + both.1.unwrap(), 1);
        app.days_later(0).await;
        assert_eq!(app.heard(&alpha.admin).await, [last, first]);
        // Whoever may not see keys hears nothing of them, and neither does another tenant.
        for other in [&alpha.comercial, &app.beta.admin, &app.beta.comercial] {
            assert_eq!(app.heard(other).await, []);
        }
        app.days_later(2).await;
        assert_eq!(app.heard(&alpha.admin).await.len(), 2);
    }

    /// Each in their scope: whoever may renew it, who made it, and who it acts as.
    async fn who_hears_of_it_follows_from_what_they_may(app: TestApp) {
        let alpha = &app.alpha;
        let rights = json!({ "api_keys": { "read": "own", "update": "own" } });
        let sql = "UPDATE roles SET permissions = ? WHERE tenant_id = ? AND name = 'comercial'";
        app.write_sql(sql, vec![Value::Json(rights), Value::Id(alpha.id)]).await;
        let theirs = app.ending_key(&alpha.admin.key, 20).await;
        let sql = "UPDATE api_keys SET created_by = ? WHERE id = ?";
        let values = vec![Value::Id(alpha.comercial.id), Value::Id(theirs)];
        app.write_sql(sql, values).await;
        let another = app.ending_key(&alpha.admin.key, 20).await;
        app.days_later(7).await;
        let heard = |mut all: Vec<(String, Json)>| {
            all.sort_by_key(|(_, id)| id.to_string());
            all.into_iter().map(|(_, id)| id).collect::<Vec<_>>()
        };
        assert_eq!(heard(app.heard(&alpha.comercial).await), [json!(theirs)]);
        let mut both = [json!(theirs), json!(another)];
        both.sort_by_key(Json::to_string);
        assert_eq!(heard(app.heard(&alpha.admin).await), both);
        assert_eq!(app.heard(&app.beta.admin).await, []);
    }

    async fn what_needs_no_telling_is_not_told(app: TestApp) {
        let alpha = &app.alpha;
        let admin = &alpha.admin.key;
        // A key for a week is not news after a day, but its last day is.
        let week = app.ending_key(admin, 7).await;
        let revoked = app.ending_key(admin, 8).await;
        let revoke = "mutation($id: ID!) { apiKeyRevoke(id: $id) { id } }";
        app.data(admin, revoke, json!({ "id": revoked })).await;
        app.days_later(1).await;
        assert_eq!(app.heard(&alpha.admin).await, []);
        app.days_later(5).await;
        let last = ("API_KEY_LAST_DAY".to_owned(), json!(week));
        assert_eq!(app.heard(&alpha.admin).await, from_ref(&last));
        app.days_later(1).await;
        assert_eq!(app.heard(&alpha.admin).await, [last]);
        // Nobody of a suspended tenant is told.
        app.ending_key(&app.beta.admin.key, 20).await;
        let values = vec![Value::Instant(app.app.clock.now()), Value::Id(app.beta.id)];
        app.write_sql("UPDATE tenants SET suspended_at = ? WHERE id = ?", values).await;
        app.days_later(10).await;
        assert_eq!(app.count(&app.beta, "notifications").await, 0);
    }
}
