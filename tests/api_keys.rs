//! API keys by their holders: made with no more rights than their maker has, narrowed to actions,
//! fields and networks, renewed with two secrets side by side, and ended at once.

use axum::body::Body;
use axum::http::{Request, header};
use chrono::TimeDelta;
use pulso::db::Value;
use serde_json::{Value as Json, json};

use crate::support::app::build;
use crate::support::{TestApp, both_databases};

const KEYS: &str = "{ apiKeys { id name prefix role scopes fields allowedAddresses userId creatorId \
    expiresAt previousExpiresAt revokedAt lastUsedAt } }";
const CREATE: &str = "mutation($input: ApiKeyCreateInput!) { apiKeyCreate(input: $input) { secret \
    apiKey { id name prefix role scopes fields allowedAddresses userId creatorId expiresAt } } }";
const ROTATE: &str = "mutation($id: ID!, $keep: Int) { apiKeyRotate(id: $id, keepOldForSeconds: $keep) { \
    secret apiKey { id previousExpiresAt } } }";
const REVOKE: &str = "mutation($id: ID!) { apiKeyRevoke(id: $id) { id revokedAt } }";

/// A key as its maker sees it once: id and secret.
struct Made {
    id: Json,
    secret: String,
    key: Json,
}

impl TestApp {
    async fn make(&self, key: &str, input: Json) -> Made {
        let made = self.data(key, CREATE, json!({ "input": input })).await;
        let made = &made["apiKeyCreate"];
        Made {
            id: made["apiKey"]["id"].clone(),
            secret: made["secret"].as_str().unwrap().to_owned(),
            key: made["apiKey"].clone(),
        }
    }

    /// Whether the key is let in from an address, as a proxy that is trusted tells it.
    async fn lets_in(&self, key: &str, address: &str) -> bool {
        let address = address.parse().unwrap();
        let actor = self.app.identity.authenticate_from(&self.app, key, Some(address)).await;
        actor.is_ok()
    }
}

both_databases! {
    async fn a_key_is_made_used_and_listed(app: TestApp) {
        let (alpha, admin) = (&app.alpha, &app.alpha.admin.key);
        let seen = app.trail(alpha).await;
        let ends = app.app.clock.now() + TimeDelta::days(30);
        let input = json!({ "name": " Painel ", "role": "comercial", "scopes": ["leads:read"],
            "expiresAt": ends });
        let made = app.make(admin, input).await;
        assert_eq!(made.key["name"], "Painel");
        assert!(made.secret.starts_with(made.key["prefix"].as_str().unwrap()));
        assert_eq!(made.key["creatorId"], json!(alpha.admin.id));
        assert_ne!(made.key["userId"], made.key["creatorId"]);
        app.data(&made.secret, "{ leads { totalCount } }", json!({})).await;
        assert_eq!(app.error_code(&made.secret, "{ deals { totalCount } }", json!({})).await, "FORBIDDEN");

        let listed = app.data(admin, KEYS, json!({})).await;
        let listed = listed["apiKeys"].as_array().unwrap();
        assert!(listed.iter().any(|key| key["id"] == made.id));
        // Nothing that is kept or told opens the key.
        let secret = made.secret.rsplit('_').next().unwrap();
        let sql = "SELECT secret_hash, prefix FROM api_keys WHERE tenant_id = ?";
        for row in app.read_sql(alpha, sql, Vec::new()).await {
            assert!(!row.text(0).unwrap().unwrap().contains(secret));
            assert!(!row.text(1).unwrap().unwrap().contains(secret));
        }
        let trail = app.trail(alpha).await.since(&seen);
        assert_eq!(trail.actions(), ["api_key.create"]);
        assert_eq!(trail.kinds(), ["api_key.created"]);
        assert!(!format!("{trail:?}").contains(secret));
        app.app.clock.advance(TimeDelta::days(31));
        let gone = app.refusal_of(&made.secret, "{ leads { totalCount } }", json!({})).await;
        assert_eq!(gone.0, "UNAUTHENTICATED");
    }

    async fn what_is_not_understood_is_refused(app: TestApp) {
        let (alpha, admin) = (&app.alpha, &app.alpha.admin.key);
        let seen = app.trail(alpha).await;
        for (field, value, code) in [
            ("name", json!("  "), "INVALID"),
            ("role", json!("papel"), "INVALID"),
            ("scopes", json!(["leads"]), "INVALID"),
            ("scopes", json!(["leads:raed"]), "INVALID"),
            ("fields", json!(["leads"]), "INVALID"),
            ("fields", json!(["leads.nothing"]), "INVALID"),
            ("fields", json!(["lead.name"]), "INVALID"),
            ("allowedAddresses", json!(["10.0.0.0/40"]), "INVALID"),
            ("allowedAddresses", json!(["everywhere"]), "INVALID"),
            ("expiresAt", json!("2020-01-01T00:00:00Z"), "INVALID"),
        ] {
            let mut input = json!({ "name": "k", "role": "admin" });
            input[field] = value.clone();
            let refused = app.refusal_of(admin, CREATE, json!({ "input": input })).await;
            let place = Some(format!("input.{field}"));
            assert_eq!(refused, (code.to_owned(), place), "{field} {value}");
        }
        assert!(app.trail(alpha).await.since(&seen).is_empty());
        assert_eq!(app.count(alpha, "api_keys").await, 5);
    }

    async fn no_key_may_do_more_than_its_maker(app: TestApp) {
        let alpha = &app.alpha;
        let rights = json!({
            "api_keys": { "read": "all", "create": "all", "update": "all", "delete": "all" },
            "leads": { "read": "all" },
            "contacts": { "read": "all", "fields": { "phone": "hidden" } },
        });
        let key = app.key_with(alpha, alpha.comercial.id, rights).await;
        let refused = |input: Json| app.refusal_of(&key, CREATE, json!({ "input": input }));
        for more in [
            json!({ "name": "k", "role": "admin" }),
            json!({ "name": "k", "role": "comercial" }),
            json!({ "name": "k", "role": "comercial", "scopes": ["leads:update"] }),
            json!({ "name": "k", "role": "comercial", "scopes": ["contacts:read"] }),
        ] {
            assert_eq!(refused(more.clone()).await.0, "FORBIDDEN", "{more}");
        }
        // Narrowed to what the maker has, it may be.
        let narrow = json!({ "name": "k", "role": "comercial", "scopes": ["leads:read"] });
        let made = app.make(&key, narrow).await;
        app.data(&made.secret, "{ leads { totalCount } }", json!({})).await;
        let fields = json!({ "name": "k", "role": "comercial", "scopes": ["contacts:read"],
            "fields": ["contacts.fullName"] });
        app.make(&key, fields).await;
        // Renewing shows a secret: the same rule.
        let strong = app.make(&alpha.admin.key, json!({ "name": "forte", "role": "admin" })).await;
        let seen = app.trail(alpha).await;
        let variables = json!({ "id": strong.id });
        assert_eq!(app.refusal_of(&key, ROTATE, variables).await.0, "FORBIDDEN");
        assert!(app.trail(alpha).await.since(&seen).is_empty());
        app.data(&key, ROTATE, json!({ "id": made.id })).await;
        // A key that only reads a part makes no key that reads more.
        let part = json!({ "name": "parte", "role": "admin", "fields": ["leads.name", "api_keys.*"] });
        let part = app.make(&alpha.admin.key, part).await;
        let wide = json!({ "input": { "name": "k", "role": "admin", "scopes": ["leads:read"] } });
        assert_eq!(app.refusal_of(&part.secret, CREATE, wide).await.0, "FORBIDDEN");
    }

    async fn two_secrets_live_while_a_key_is_renewed(app: TestApp) {
        let (alpha, admin) = (&app.alpha, &app.alpha.admin.key);
        let made = app.make(admin, json!({ "name": "k", "role": "comercial" })).await;
        let seen = app.trail(alpha).await;
        let renewed = app.data(admin, ROTATE, json!({ "id": made.id, "keep": 600 })).await;
        let renewed = &renewed["apiKeyRotate"];
        let secret = renewed["secret"].as_str().unwrap();
        assert!(renewed["apiKey"]["previousExpiresAt"].is_string());
        assert_ne!(secret, made.secret);
        let query = "{ leads { totalCount } }";
        for key in [secret, &made.secret] {
            app.data(key, query, json!({})).await;
        }
        app.app.clock.advance(TimeDelta::seconds(601));
        app.data(secret, query, json!({})).await;
        assert_eq!(app.refusal_of(&made.secret, query, json!({})).await.0, "UNAUTHENTICATED");
        // At once, when the old one is not to be trusted.
        let last = app.data(admin, ROTATE, json!({ "id": made.id, "keep": 0 })).await;
        let last = last["apiKeyRotate"]["secret"].as_str().unwrap();
        assert_eq!(app.refusal_of(secret, query, json!({})).await.0, "UNAUTHENTICATED");
        app.data(last, query, json!({})).await;
        for keep in [-1, 2_592_001] {
            let refused = app.refusal_of(admin, ROTATE, json!({ "id": made.id, "keep": keep })).await;
            assert_eq!(refused, ("INVALID".to_owned(), Some("keepOldForSeconds".to_owned())));
        }
        assert_eq!(app.trail(alpha).await.since(&seen).actions(), ["api_key.rotate"; 2]);
    }

    async fn a_revoked_key_stops_on_every_node(app: TestApp) {
        let (alpha, admin) = (&app.alpha, &app.alpha.admin.key);
        let other = build(&app.database.db, app.database.url(), app.app.clock.clone());
        let made = app.make(admin, json!({ "name": "k", "role": "comercial" })).await;
        for node in [&app.app, &other] {
            node.identity.authenticate(node, &made.secret).await.unwrap();
        }
        let seen = app.trail(alpha).await;
        let revoked = app.data(admin, REVOKE, json!({ "id": made.id })).await;
        assert!(revoked["apiKeyRevoke"]["revokedAt"].is_string());
        assert!(app.app.identity.authenticate(&app.app, &made.secret).await.is_err());
        app.app.clock.advance(TimeDelta::seconds(1));
        assert!(other.identity.authenticate(&other, &made.secret).await.is_err());
        // Once more changes nothing.
        app.data(admin, REVOKE, json!({ "id": made.id })).await;
        assert_eq!(app.trail(alpha).await.since(&seen).actions(), ["api_key.revoke"]);
        assert_eq!(app.refusal_of(admin, ROTATE, json!({ "id": made.id })).await.0, "CONFLICT");
    }

    /// Only the fields named, wherever a field can be used; ids always.
    async fn a_key_sees_the_fields_it_names(app: TestApp) {
        let (alpha, admin) = (&app.alpha, &app.alpha.admin.key);
        let company = app.create(admin, "Company", json!({ "name": "Padaria", "segment": "pao" })).await;
        let lead = json!({ "name": "Ana", "source": "site", "companyId": company, "score": 7 });
        app.create(admin, "Lead", lead).await;
        let input = json!({ "name": "k", "role": "comercial",
            "fields": ["leads.name", "leads.company", "companies.*"] });
        let key = app.make(admin, input).await.secret;
        let query = "{ leads(orderBy: [{ field: NAME }], filter: { name: { eq: \"Ana\" } }) { \
                       nodes { id name company { id name segment } viewerCan { update } } } }";
        let seen = app.data(&key, query, json!({})).await;
        assert_eq!(seen["leads"]["nodes"][0]["company"]["segment"], "pao");
        for beyond in [
            "{ leads { nodes { score } } }",
            "{ leads { nodes { contact { id } } } }",
            "{ leads(filter: { score: { gt: 1 } }) { totalCount } }",
            "{ leads(orderBy: [{ field: SCORE }]) { totalCount } }",
            "{ leads(search: \"Ana\") { totalCount } }",
            "{ leadAggregate { sum { score } } }",
            "{ leadGroups(by: [{ field: SOURCE }]) { totalCount } }",
            "{ companies { nodes { contacts { totalCount } } } }",
            "{ companies { nodes { owner { fullName } } } }",
            "{ users { nodes { fullName } } }",
            "mutation { leadCreate(input: { name: \"Bia\", source: \"x\" }) { id } }",
        ] {
            assert_eq!(app.error_code(&key, beyond, json!({})).await, "FORBIDDEN", "{beyond}");
        }
        let ids = app.data(&key, "{ users { nodes { id } } leadAggregate { count } }", json!({})).await;
        assert_eq!(ids["leadAggregate"]["count"], 1);
        // Answers that know no rules for fields are whole or not at all.
        let whole = app.make(admin, json!({ "name": "w", "role": "admin", "fields": ["leads.name"] })).await;
        for query in ["{ apiKeys { id } }", "{ roles { id } }", "{ tenant { id } }"] {
            assert_eq!(app.error_code(&whole.secret, query, json!({})).await, "FORBIDDEN", "{query}");
        }
        assert_eq!(alpha.slug, "alpha");
    }

    /// From its networks and from nowhere else, whatever is remembered of it.
    async fn a_key_works_from_its_networks(app: TestApp) {
        let admin = &app.alpha.admin.key;
        let input = json!({ "name": "k", "role": "comercial",
            "allowedAddresses": ["10.1.2.3/8", "2001:db8::/32", "192.0.2.7"] });
        let made = app.make(admin, input).await;
        assert_eq!(made.key["allowedAddresses"], json!(["10.0.0.0/8", "2001:db8::/32", "192.0.2.7/32"]));
        for _ in 0..2 {
            for within in ["10.200.0.1", "::ffff:10.0.0.1", "2001:db8::7", "192.0.2.7"] {
                assert!(app.lets_in(&made.secret, within).await, "{within}");
            }
            for beyond in ["11.0.0.1", "192.0.2.8", "2001:db9::1", "::1"] {
                assert!(!app.lets_in(&made.secret, beyond).await, "{beyond}");
            }
            // No address is no network.
            assert!(app.app.identity.authenticate(&app.app, &made.secret).await.is_err());
        }
        // Through the door: this request comes from no address that is known.
        let request = Request::post("/graphql")
            .header(header::AUTHORIZATION, format!("Bearer {}", made.secret))
            .header(header::CONTENT_TYPE, "application/json")
            .body(Body::from(json!({ "query": "{ leads { totalCount } }" }).to_string()))
            .unwrap();
        assert_eq!(app.request(request).await.status, 401);
        // What was not let in was no use of the key.
        let fresh = app.make(admin, json!({ "name": "n", "role": "comercial",
            "allowedAddresses": ["10.0.0.0/8"] })).await;
        assert!(!app.lets_in(&fresh.secret, "11.0.0.1").await);
        let listed = app.data(admin, KEYS, json!({})).await;
        let listed = listed["apiKeys"].as_array().unwrap();
        let found = listed.iter().find(|key| key["id"] == fresh.id).unwrap();
        assert!(found["lastUsedAt"].is_null());
    }

    async fn keys_of_ones_own_tenant_by_those_who_may(app: TestApp) {
        let (alpha, beta) = (&app.alpha, &app.beta);
        let made = app.make(&alpha.admin.key, json!({ "name": "k", "role": "comercial" })).await;
        let create = json!({ "input": { "name": "k", "role": "comercial" } });
        let id = json!({ "id": made.id });
        let cases = [(KEYS, json!({})), (CREATE, create), (ROTATE, id.clone()), (REVOKE, id)];
        let seen = app.trail(alpha).await;
        for (query, variables) in cases {
            let nobody = app.refusal_of("pulso_x", query, variables.clone()).await;
            assert_eq!(nobody.0, "UNAUTHENTICATED");
            let wrong = app.refusal_of(&alpha.comercial.key, query, variables.clone()).await;
            assert_eq!(wrong.0, "FORBIDDEN", "{query}");
            if variables.get("id").is_some() {
                let refused = app.refusal_of(&beta.admin.key, query, variables).await;
                assert_eq!(refused, ("NOT_FOUND".to_owned(), Some("id".to_owned())), "{query}");
            }
        }
        let theirs = app.data(&beta.admin.key, KEYS, json!({})).await;
        assert_eq!(theirs["apiKeys"].as_array().unwrap().len(), 5);
        assert!(app.trail(alpha).await.since(&seen).is_empty());
        // The scope own: the keys that one made, and the one that one is.
        let own = json!({ "api_keys": { "read": "own", "create": "own", "delete": "own" },
            "leads": { "read": "all" } });
        let own = app.key_with(alpha, alpha.manager.id, own).await;
        let reader = app.role_of_leads().await;
        let mine = app.make(&own, json!({ "name": "minha", "role": reader })).await;
        let listed = app.data(&own, KEYS, json!({})).await;
        let names: Vec<&Json> = listed["apiKeys"].as_array().unwrap().iter().map(|key| &key["id"]).collect();
        assert!(names.contains(&&mine.id) && !names.contains(&&made.id), "{listed:#}");
        assert_eq!(app.refusal_of(&own, REVOKE, json!({ "id": made.id })).await.0, "NOT_FOUND");
        app.data(&own, REVOKE, json!({ "id": mine.id })).await;
    }
}

impl TestApp {
    /// The name of a role that reads leads and nothing else.
    async fn role_of_leads(&self) -> String {
        let fields = [
            ("name", Value::from("leitor")),
            ("permissions", Value::Json(json!({ "leads": { "read": "all" } }))),
        ];
        self.insert(&self.alpha, "roles", &fields).await;
        "leitor".to_owned()
    }
}
