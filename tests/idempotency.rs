//! Idempotency keys: a mutation that is sent again under its key is answered again and not done
//! again.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use pulso::db::Value;
use pulso::record::change::idempotency;
use serde_json::{Value as Json, json};

use crate::support::{TestApp, both_databases};

const SELECTION: &str = "{ id name version }";

fn lead(name: &str) -> (&'static str, Json, &'static str) {
    ("leadCreate", json!({ "input": { "name": name, "source": "s" } }), SELECTION)
}

fn code(answer: &Json) -> &str {
    let code = answer["errors"][0]["extensions"]["code"].as_str();
    code.unwrap_or_else(|| panic!("no error: {answer:#}"))
}

fn directive(name: &str, once: &str) -> String {
    format!(
        "mutation {{ leadCreate(input: {{ name: \"{name}\", source: \"s\" }}) \
         @idempotent(key: \"{once}\") {SELECTION} }}"
    )
}

both_databases! {
    async fn the_same_key_gives_the_same_answer(app: TestApp) {
        let (tenant, key) = (&app.alpha, &app.alpha.admin.key);
        let seen = app.trail(tenant).await;
        let first = app.mutate_once(key, "k1", lead("a")).await;
        let id = first["data"]["leadCreate"]["id"].clone();
        assert!(id.is_string(), "{first:#}");
        // The draft of the header wants it quoted; both are one key.
        for again in ["k1", "\"k1\"", "k1"] {
            let again = app.mutate_once(key, again, lead("a")).await;
            assert_eq!(again["data"], first["data"]);
        }
        let trail = app.trail(tenant).await.since(&seen);
        assert_eq!((trail.audits.len(), trail.events.len()), (1, 1));
        assert_eq!(app.count(tenant, "leads").await, 1);
        // It stays the answer of then, whatever happened to the row.
        app.done(key, "leadUpdate", json!({ "id": id, "input": { "name": "later" } }), "{ id }").await;
        assert_eq!(app.mutate_once(key, "k1", lead("a")).await["data"], first["data"]);
        // The order of fields in an input means nothing.
        let one = "mutation { leadCreate(input: { name: \"o\", source: \"s\" }) \
            @idempotent(key: \"order\") { id } }";
        let two = "mutation { leadCreate(input: { source: \"s\", name: \"o\" }) \
            @idempotent(key: \"order\") { id } }";
        assert_eq!(app.data(key, one, json!({})).await, app.data(key, two, json!({})).await);
        // Without a key each is its own.
        let plain = lead("a");
        app.mutate(key, plain.0, plain.1.clone(), plain.2).await;
        app.mutate(key, plain.0, plain.1, plain.2).await;
        assert_eq!(app.count(tenant, "leads").await, 4);
    }

    async fn the_directive_says_the_same(app: TestApp) {
        let key = &app.alpha.admin.key;
        let first = app.data(key, &directive("a", "k"), json!({})).await;
        assert_eq!(app.data(key, &directive("a", "k"), json!({})).await, first);
        let variable = "mutation($k: String!) { leadCreate(input: { name: \"a\", source: \"s\" }) \
            @idempotent(key: $k) { id name version } }";
        assert_eq!(app.data(key, variable, json!({ "k": "k" })).await, first);
        // It stands before the header.
        let query = directive("a", "k");
        let body = json!({ "query": query });
        let request = axum::http::Request::post("/graphql")
            .header("authorization", format!("Bearer {key}"))
            .header("content-type", "application/json")
            .header("idempotency-key", "another")
            .body(axum::body::Body::from(body.to_string()))
            .unwrap();
        assert_eq!(app.request(request).await.json()["data"], first);
        assert_eq!(app.count(&app.alpha, "leads").await, 1);
        for wrong in ["", &"k".repeat(256)] {
            let answer = app.graphql(key, &directive("a", wrong), json!({})).await;
            assert_eq!(code(&answer), "INVALID");
            assert_eq!(answer["errors"][0]["extensions"]["field"], "key");
        }
    }

    async fn other_arguments_are_a_conflict(app: TestApp) {
        let key = &app.alpha.admin.key;
        let first = app.mutate_once(key, "k", lead("a")).await;
        let id = &first["data"]["leadCreate"]["id"];
        let other_answer = ("leadCreate", json!({ "input": { "name": "a", "source": "s" } }), "{ id }");
        let other_field = ("leadUpsert", json!({ "input": { "name": "a", "source": "s" } }), SELECTION);
        for other in [lead("b"), other_answer] {
            assert_eq!(code(&app.mutate_once(key, "k", other).await), "CONFLICT");
        }
        // Another field of the operation has a key of its own.
        assert_eq!(code(&app.mutate_once(key, "k", other_field).await), "INVALID");
        assert_eq!(app.count(&app.alpha, "leads").await, 1);
        // For every kind of mutation.
        let update = |score: i64| ("leadUpdate", json!({ "id": id, "input": { "score": score } }), SELECTION);
        let done = app.mutate_once(key, "u", update(1)).await;
        assert_eq!(app.mutate_once(key, "u", update(1)).await["data"], done["data"]);
        assert_eq!(code(&app.mutate_once(key, "u", update(2)).await), "CONFLICT");
        let destroy = || ("leadDestroy", json!({ "id": id }), "");
        let done = app.mutate_once(key, "d", destroy()).await;
        assert_eq!(done["data"]["leadDestroy"], *id);
        assert_eq!(app.mutate_once(key, "d", destroy()).await["data"], done["data"]);
        let many = |count: usize| {
            let inputs = vec![json!({ "name": "m", "source": "s" }); count];
            ("leadCreateMany", json!({ "inputs": inputs }), "{ record { id } error { code } }")
        };
        let done = app.mutate_once(key, "m", many(2)).await;
        assert_eq!(app.mutate_once(key, "m", many(2)).await["data"], done["data"]);
        assert_eq!(code(&app.mutate_once(key, "m", many(3)).await), "CONFLICT");
        assert_eq!(app.count(&app.alpha, "leads").await, 2);
    }

    async fn a_key_is_its_users_own(app: TestApp) {
        let mut ids = BTreeSet::new();
        let people = [&app.alpha.admin, &app.alpha.comercial, &app.beta.admin];
        for person in people {
            let answer = app.mutate_once(&person.key, "k", lead("a")).await;
            ids.insert(answer["data"]["leadCreate"]["id"].to_string());
        }
        assert_eq!(ids.len(), 3);
        // And stays so: what another sends under it says nothing of the first.
        assert_eq!(code(&app.mutate_once(&app.beta.admin.key, "k", lead("b")).await), "CONFLICT");
        let fresh = app.mutate_once(&app.beta.comercial.key, "k", lead("b")).await;
        assert_eq!(fresh["data"]["leadCreate"]["name"], "b");
    }

    async fn a_key_ends_after_72_hours(app: TestApp) {
        let (tenant, key) = (&app.alpha, &app.alpha.admin.key);
        app.mutate_once(key, "k", lead("a")).await;
        app.app.clock.advance(TimeDelta::hours(72));
        app.mutate_once(key, "k", lead("a")).await;
        assert_eq!(app.count(tenant, "leads").await, 1);
        app.app.clock.advance(TimeDelta::milliseconds(1));
        let anew = app.mutate_once(key, "k", lead("b")).await;
        assert_eq!(anew["data"]["leadCreate"]["name"], "b");
        assert_eq!(app.count(tenant, "leads").await, 2);
        // And is as long again from then.
        app.app.clock.advance(TimeDelta::hours(71));
        assert_eq!(code(&app.mutate_once(key, "k", lead("a")).await), "CONFLICT");
        assert_eq!(app.mutate_once(key, "k", lead("b")).await["data"], anew["data"]);
        assert_eq!(app.count(tenant, "idempotency_keys").await, 1);
    }

    async fn expired_keys_are_removed_and_the_others_kept(app: TestApp) {
        let (alpha, beta) = (&app.alpha, &app.beta);
        app.mutate_once(&alpha.admin.key, "old", lead("a")).await;
        app.mutate_once(&beta.admin.key, "old", lead("a")).await;
        // More than one statement removes.
        let old = "INSERT INTO idempotency_keys SELECT tenant_id, id || ?, argument_hash, response, \
            created_at, expires_at FROM idempotency_keys WHERE tenant_id = ?";
        for number in 0..10 {
            let values = vec![Value::Text(number.to_string()), Value::Id(alpha.id)];
            app.write_sql(old, values).await;
        }
        app.app.clock.advance(TimeDelta::hours(72));
        app.mutate_once(&alpha.admin.key, "new", lead("a")).await;
        assert_eq!(app.count(alpha, "idempotency_keys").await, 1_025);
        let sweep = async || idempotency::sweep(&app.app.db, &app.app.clock).await.unwrap();
        assert_eq!(sweep().await, 0, "they end after 72 hours, not at them");
        app.app.clock.advance(TimeDelta::milliseconds(1));
        assert_eq!((sweep().await, sweep().await), (1_025, 0));
        assert_eq!(app.count(alpha, "idempotency_keys").await, 1);
        assert_eq!(app.count(beta, "idempotency_keys").await, 0);
        let again = app.mutate_once(&alpha.admin.key, "new", lead("a")).await;
        assert_eq!(app.count(alpha, "leads").await, 2, "{again:#}");
    }

    async fn several_mutations_each_have_their_own(app: TestApp) {
        let (tenant, key) = (&app.alpha, &app.alpha.admin.key);
        let query = "mutation { a: leadCreate(input: { name: \"x\", source: \"s\" }) { id } \
            b: leadCreate(input: { name: \"x\", source: \"s\" }) { id } }";
        let send = async || {
            let request = axum::http::Request::post("/graphql")
                .header("authorization", format!("Bearer {key}"))
                .header("content-type", "application/json")
                .header("idempotency-key", "k")
                .body(axum::body::Body::from(json!({ "query": query }).to_string()))
                .unwrap();
            app.request(request).await.json()
        };
        let first = send().await;
        assert_ne!(first["data"]["a"]["id"], first["data"]["b"]["id"]);
        assert_eq!(send().await["data"], first["data"]);
        assert_eq!(app.count(tenant, "leads").await, 2);
    }

    async fn a_failed_mutation_does_not_burn_its_key(app: TestApp) {
        let (tenant, key) = (&app.alpha, &app.alpha.admin.key);
        let company = |cnpj: &str| {
            ("companyCreate", json!({ "input": { "name": "c", "cnpj": cnpj } }), "{ id name }")
        };
        let taken = app.create(key, "Company", json!({ "name": "t", "cnpj": "11222333000181" })).await;
        assert_eq!(code(&app.mutate_once(key, "k", company("11222333000181")).await), "CONFLICT");
        app.done(key, "companyDelete", json!({ "id": taken }), "{ id }").await;
        let done = app.mutate_once(key, "k", company("11222333000181")).await;
        assert_eq!(done["data"]["companyCreate"]["name"], "c");
        // Nor does one that was refused for its arguments, which may then be others.
        assert_eq!(code(&app.mutate_once(key, "l", company("1")).await), "INVALID");
        let done = app.mutate_once(key, "l", company("12ABC34501DE35")).await;
        assert_eq!(done["data"]["companyCreate"]["name"], "c");
        assert_eq!(app.count(tenant, "idempotency_keys").await, 2);
        // A right that was lost meanwhile is not given back by a key.
        let narrow = json!({ "companies": { "read": "all" } });
        let narrow = app.key_with(tenant, tenant.admin.id, narrow).await;
        let again = app.mutate_once(&narrow, "l", company("12ABC34501DE35")).await;
        assert_eq!(code(&again), "FORBIDDEN");
    }

    async fn of_many_at_once_one_is_done(app: TestApp) {
        let (tenant, key) = (&app.alpha, &app.alpha.admin.key);
        for round in 0..5 {
            let once = format!("k{round}");
            let send = || app.mutate_once(key, &once, lead("a"));
            let (a, b, c, d) = tokio::join!(send(), send(), send(), send());
            let ids: BTreeSet<String> =
                [a, b, c, d].iter().map(|answer| answer["data"].to_string()).collect();
            assert_eq!(ids.len(), 1, "{ids:?}");
            assert!(ids.iter().all(|id| id.contains("\"id\"")), "{ids:?}");
        }
        assert_eq!(app.count(tenant, "leads").await, 5);
    }

    async fn verbs_take_keys_too(app: TestApp) {
        let (tenant, key) = (&app.alpha, &app.alpha.admin.key);
        let deal = app.least(tenant, "Deal").await;
        let deal = app.create(key, "Deal", deal).await;
        let stage = app.stage(tenant, "ganho").await;
        let moved = format!(
            "mutation {{ dealMoveStage(id: \"{deal}\", stageId: \"{stage}\") \
             @idempotent(key: \"k\") {{ status version }} }}"
        );
        let seen = app.trail(tenant).await;
        let first = app.data(key, &moved, json!({})).await;
        assert_eq!(first["dealMoveStage"], json!({ "status": "WON", "version": 2 }));
        assert_eq!(app.data(key, &moved, json!({})).await, first);
        assert_eq!(app.trail(tenant).await.since(&seen).audits.len(), 1);
        assert_eq!(app.count(tenant, "deal_stage_changes").await, 2);
    }
}
