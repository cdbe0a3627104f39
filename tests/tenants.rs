//! The tenant's own profile and settings, and tenants that are suspended, deleted and restored.

use chrono::TimeDelta;
use pulso::ctx::Origin;
use pulso::error::Code;
use pulso::identity::session::service::login;
use pulso::identity::tenant::lifecycle::{Turn, turn};
use pulso::identity::tenant::service::named;
use serde_json::{Value as Json, json};

use crate::support::app::build;
use crate::support::seed::PASSWORD;
use crate::support::{TestApp, both_databases};

const TENANT: &str = "{ tenant { slug name timeZone currency language eventRetentionDays \
    auditRetentionDays eventPolicy } }";
const UPDATE: &str = "mutation($input: TenantUpdateInput!) { tenantUpdate(input: $input) { slug name \
    timeZone currency language eventRetentionDays auditRetentionDays eventPolicy } }";

impl TestApp {
    async fn tenant_refused(&self, key: &str, input: Json) -> (String, Option<String>) {
        let answer = self.graphql(key, UPDATE, json!({ "input": input })).await;
        let extensions = &answer["errors"][0]["extensions"];
        let code = extensions["code"].as_str().or(answer["code"].as_str());
        let code = code.unwrap_or_else(|| panic!("{input}\n{answer:#}"));
        (code.to_owned(), extensions["field"].as_str().map(str::to_owned))
    }
}

both_databases! {
    async fn the_profile_is_read_and_changed(app: TestApp) {
        let (alpha, admin) = (&app.alpha, &app.alpha.admin.key);
        let tenant = app.data(admin, TENANT, json!({})).await;
        assert_eq!(tenant["tenant"], json!({ "slug": "alpha", "name": "Tenant alpha",
            "timeZone": "America/Sao_Paulo", "currency": "BRL", "language": "pt-BR",
            "eventRetentionDays": null, "auditRetentionDays": null, "eventPolicy": "OPEN" }));
        let seen = app.trail(alpha).await;
        let input = json!({ "name": "Padaria Alfa", "timeZone": "America/Manaus", "currency": "USD",
            "language": "en", "eventRetentionDays": 400, "eventPolicy": "STRICT" });
        let changed = app.data(admin, UPDATE, json!({ "input": input })).await;
        let changed = &changed["tenantUpdate"];
        for (name, value) in input.as_object().unwrap() {
            assert_eq!(&changed[name], value, "{name}");
        }
        assert_eq!(app.data(admin, TENANT, json!({})).await["tenant"], *changed);
        let trail = app.trail(alpha).await.since(&seen);
        assert_eq!((trail.actions(), trail.kinds()), (vec!["tenant.update"], vec!["tenant.updated"]));
        assert_eq!(trail.audits[0].old.as_ref().unwrap()["currency"], "BRL");
        // It holds for what comes: an amount that names no currency has the tenant's.
        app.app.clock.advance(TimeDelta::seconds(1));
        let made = app.create(admin, "Company", json!({ "name": "Padaria" })).await;
        let query = format!("{{ company(id: \"{made}\") {{ currency }} }}");
        assert_eq!(app.data(admin, &query, json!({})).await["company"]["currency"], "USD");
        // Null clears, what is left out stays, and the same is no change.
        let seen = app.trail(alpha).await;
        let cleared = app.data(admin, UPDATE, json!({ "input": { "eventRetentionDays": null } })).await;
        assert!(cleared["tenantUpdate"]["eventRetentionDays"].is_null());
        assert_eq!(cleared["tenantUpdate"]["eventPolicy"], "STRICT");
        app.data(admin, UPDATE, json!({ "input": { "currency": "USD" } })).await;
        assert_eq!(app.trail(alpha).await.since(&seen).actions(), ["tenant.update"]);
        // The other tenant is as it was.
        let theirs = app.data(&app.beta.admin.key, TENANT, json!({})).await;
        assert_eq!((&theirs["tenant"]["slug"], &theirs["tenant"]["currency"]), (&json!("beta"), &json!("BRL")));
    }

    async fn nonsense_and_strangers_are_refused(app: TestApp) {
        let (alpha, admin) = (&app.alpha, &app.alpha.admin.key);
        let seen = app.trail(alpha).await;
        for (field, value) in [
            ("name", json!(" ")),
            ("timeZone", json!("Brasília")),
            ("currency", json!("REAL")),
            ("language", json!("fr")),
            ("eventRetentionDays", json!(29)),
            ("auditRetentionDays", json!(100_000)),
        ] {
            let refused = app.tenant_refused(admin, json!({ field: value })).await;
            assert_eq!(refused, ("INVALID".to_owned(), Some(format!("input.{field}"))));
        }
        for key in [&alpha.comercial.key, &alpha.diretor.key] {
            assert_eq!(app.tenant_refused(key, json!({ "name": "x" })).await.0, "FORBIDDEN");
        }
        assert_eq!(app.error_code(&alpha.comercial.key, TENANT, json!({})).await, "FORBIDDEN");
        app.data(&alpha.diretor.key, TENANT, json!({})).await;
        assert_eq!(app.tenant_refused("pulso_x", json!({ "name": "x" })).await.0, "UNAUTHENTICATED");
        assert!(app.trail(alpha).await.since(&seen).is_empty());
    }

    /// Keys, tokens and sign-in stop within a second on every node, and work again as they were.
    async fn a_suspended_tenant_stops(app: TestApp) {
        let alpha = &app.alpha;
        let other = build(&app.database.db, app.database.url(), app.app.clock.clone());
        let origin = Origin::internal("test");
        let sign_in = || login(&app.app, "alpha", &alpha.admin.email, PASSWORD, &origin);
        let token = sign_in().await.unwrap().access_token;
        for node in [&app.app, &other] {
            for credential in [&alpha.admin.key, &token] {
                node.identity.authenticate(node, credential).await.unwrap();
            }
        }
        let seen = app.trail(alpha).await;
        for (stop, start) in [
            (Turn::Suspend, Turn::Resume),
            (Turn::Delete { after_days: 30 }, Turn::Restore),
        ] {
            turn(&app.app, "alpha", stop).await.unwrap();
            // So already: no error, nothing more.
            turn(&app.app, "alpha", stop).await.unwrap();
            app.app.clock.advance(TimeDelta::seconds(1));
            for node in [&app.app, &other] {
                for credential in [&alpha.admin.key, &token] {
                    let refused = node.identity.authenticate(node, credential).await.unwrap_err();
                    assert_eq!(refused.code(), Code::Unauthenticated);
                }
            }
            assert_eq!(sign_in().await.unwrap_err().code(), Code::Unauthenticated);
            app.app.identity.authenticate(&app.app, &app.beta.admin.key).await.unwrap();
            turn(&app.app, "alpha", start).await.unwrap();
            app.app.clock.advance(TimeDelta::seconds(1));
            for node in [&app.app, &other] {
                node.identity.authenticate(node, &alpha.admin.key).await.unwrap();
            }
        }
        let actions = ["tenant.suspend", "tenant.resume", "tenant.delete", "tenant.restore"];
        let trail = app.trail(alpha).await.since(&seen);
        let told: Vec<&str> =
            trail.actions().into_iter().filter(|action| action.starts_with("tenant.")).collect();
        assert_eq!(told, actions);
        assert!(trail.audits.iter().filter(|audit| audit.action.starts_with("tenant.")).all(|audit| audit.user_id.is_none()));
    }

    async fn a_deletion_waits(app: TestApp) {
        let deleted = turn(&app.app, "alpha", Turn::Delete { after_days: 7 }).await.unwrap();
        let now = app.app.clock.now();
        assert_eq!(deleted.purge_at, Some(now + TimeDelta::days(7)));
        // Asking again does not put it off, and to resume is not to restore.
        app.app.clock.advance(TimeDelta::days(1));
        let again = turn(&app.app, "alpha", Turn::Delete { after_days: 30 }).await.unwrap();
        assert_eq!(again.purge_at, deleted.purge_at);
        let refused = turn(&app.app, "alpha", Turn::Resume).await.unwrap_err();
        assert_eq!(refused.code(), Code::Conflict);
        let restored = turn(&app.app, "alpha", Turn::Restore).await.unwrap();
        assert_eq!((restored.purge_at, restored.suspended_at), (None, None));
        assert_eq!(turn(&app.app, "alpha", Turn::Restore).await.unwrap_err().code(), Code::Conflict);
        assert_eq!(turn(&app.app, "gamma", Turn::Suspend).await.unwrap_err().code(), Code::NotFound);
        assert_eq!(named(&app.app, "alpha").await.unwrap(), restored);
    }
}

both_databases! {
    /// One way of writing instants, whoever writes them.
    async fn instants_end_with_z_everywhere(app: TestApp) {
        let query = "{ tenant { createdAt updatedAt } roles { createdAt updatedAt } \
                     apiKeys { createdAt expiresAt lastUsedAt } rateLimit { resetAt } \
                     leads { nodes { createdAt } } }";
        app.lead(&app.alpha, "Maria", &[]).await;
        let data = app.data(&app.alpha.admin.key, query, json!({})).await;
        let text = data.to_string();
        assert!(text.contains("\"resetAt\":\"2026-03-10T12:00:00") && !text.contains("+00:00"), "{text}");
        assert_eq!(data["tenant"]["createdAt"], "2026-03-02T12:00:00Z");
        let made = "mutation($at: DateTime) { apiKeyCreate(input: { name: \"k\", role: \"comercial\", \
                    expiresAt: $at }) { apiKey { expiresAt } } }";
        for at in [json!("2026-04-01T09:00:00-03:00"), json!(1_775_044_800_000_i64)] {
            let made = app.data(&app.alpha.admin.key, made, json!({ "at": at })).await;
            assert_eq!(made["apiKeyCreate"]["apiKey"]["expiresAt"], "2026-04-01T12:00:00Z");
        }
    }
}
