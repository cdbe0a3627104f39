//! Rows found by what names them outside, or made.

use std::collections::BTreeSet;

use pulso::graphql::catalogue;
use pulso::record::Kind;
use serde_json::{Value as Json, json};
use uuid::Uuid;

use crate::support::writing::{CNPJ, at};
use crate::support::{TestApp, both_databases};

both_databases! {
    async fn an_upsert_goes_by_any_natural_key(app: TestApp) {
        let key = &app.alpha.admin.key;
        for record in &catalogue().records {
            let upsert = format!("{}Upsert", record.singular);
            if !record.changes.enabled || record.changes.natural_keys.is_empty() {
                continue;
            }
            for natural in &record.changes.natural_keys {
                let mut input = app.least(&app.alpha, record.name).await;
                for name in *natural {
                    input[*name] = match *name {
                        "cnpj" => json!("11.222.333/0001-81"),
                        "email" => json!("Pessoa@Exemplo.com"),
                        "validFrom" => json!("2026-03-01T00:00:00Z"),
                        "name" => json!("chave_1"),
                        _ => json!("chave-1"),
                    };
                }
                let place = format!("{} by {natural:?}", record.name);
                let arguments = json!({ "input": input });
                let selection = "{ id version }";
                let made = app.done(key, &upsert, arguments.clone(), selection).await;
                assert_eq!(made["version"], 1, "{place}");
                // The same again is a no-op.
                let seen = app.trail(&app.alpha).await;
                assert_eq!(app.done(key, &upsert, arguments.clone(), selection).await, made, "{place}");
                assert!(app.trail(&app.alpha).await.since(&seen).is_empty(), "{place}");
                // Something else is an update of the same row.
                let given = |wanted: fn(&Kind) -> bool| {
                    let mut fields = record.fields.iter();
                    fields.find(|field| wanted(&field.kind) && input.get(&field.name).is_some())
                };
                let mut other = input.clone();
                match given(|kind| matches!(kind, Kind::Text)) {
                    Some(text) => other[&text.name] = json!("Outro nome"),
                    None => {
                        let money = given(|kind| matches!(kind, Kind::Money { .. }));
                        other[&money.unwrap().name] = json!("77.00");
                    }
                }
                let other = json!({ "input": other });
                let updated = app.done(key, &upsert, other, selection).await;
                assert_eq!(updated, json!({ "id": made["id"], "version": 2 }), "{place}");
                // What was deleted stays so; a new one is made.
                let delete = format!("{}Delete", record.singular);
                app.done(key, &delete, json!({ "id": made["id"] }), "{ id }").await;
                let anew = app.done(key, &upsert, arguments, selection).await;
                assert_ne!(anew["id"], made["id"], "{place}");
                assert_eq!(anew["version"], 1, "{place}");
                app.done(key, &delete, json!({ "id": anew["id"] }), "{ id }").await;
            }
            let none = app.least(&app.alpha, record.name).await;
            // What is created with the least may have a key already.
            let mut keys = record.changes.natural_keys.iter();
            if !keys.any(|key| key.iter().all(|name| none.get(*name).is_some())) {
                let refused = app.refusal(key, &upsert, json!({ "input": none })).await;
                assert_eq!(refused, at("INVALID", "input"), "{}", record.name);
            }
        }
    }

    async fn an_upsert_is_honest(app: TestApp) {
        let key = &app.alpha.admin.key;
        let upsert = |field: &'static str, input: Json| app.refusal(key, field, json!({ "input": input }));
        // A key that cannot be one is told so.
        let wrong = json!({ "name": "x", "cnpj": "123" });
        assert_eq!(upsert("companyUpsert", wrong).await, at("INVALID", "input.cnpj"));
        // What a creation needs is needed.
        let bare = json!({ "cnpj": CNPJ });
        assert_eq!(upsert("companyUpsert", bare).await, at("INVALID", "input.name"));
        // Two keys that name two rows.
        app.create(key, "Company", json!({ "name": "a", "cnpj": CNPJ })).await;
        let both = json!({ "name": "b", "cnpj": CNPJ, "externalSystem": "erp", "externalId": "1" });
        assert_eq!(upsert("companyUpsert", both).await, at("CONFLICT", "input.cnpj"));
        // The machine binds an upsert as it binds an update.
        let lead = |status: &str| json!({ "source": "s", "status": status,
            "externalSystem": "erp", "externalId": "1" });
        assert_eq!(upsert("leadUpsert", lead("QUALIFIED")).await, at("INVALID", "input.status"));
        app.done(key, "leadUpsert", json!({ "input": lead("NEW") }), "{ id }").await;
        assert_eq!(upsert("leadUpsert", lead("QUALIFIED")).await, at("CONFLICT", "input.status"));
        app.done(key, "leadUpsert", json!({ "input": lead("CONTACTED") }), "{ id }").await;
        // What only a creation sets stays as it is afterwards.
        let deal = |stage: Uuid| json!({ "input": { "title": "t", "stageId": stage,
            "externalSystem": "erp", "externalId": "1" } });
        let (first, other) = (app.stage(&app.alpha, "prospeccao").await,
            app.stage(&app.alpha, "proposta").await);
        app.done(key, "dealUpsert", deal(first), "{ id }").await;
        let kept = app.done(key, "dealUpsert", deal(other), "{ stage { id } version }").await;
        assert_eq!(kept, json!({ "stage": { "id": first }, "version": 1 }));
        // Nothing is nested: what is sent twice must not be made twice.
        let nested = "mutation { contactUpsert(input: { fullName: \"x\", externalSystem: \"e\", \
            externalId: \"1\", company: { create: { name: \"c\" } } }) { id } }";
        assert_eq!(app.error_code(key, nested, json!({})).await, "GRAPHQL_VALIDATION_FAILED");
        // Creating is not enough where there is something to update.
        let narrow = json!({ "companies": { "read": "all", "create": "all" } });
        let narrow = app.key_with(&app.alpha, app.alpha.diretor.id, narrow).await;
        let there = json!({ "input": { "name": "other", "cnpj": CNPJ } });
        assert_eq!(app.refusal(&narrow, "companyUpsert", there).await, at("FORBIDDEN", "input"));
    }

    async fn two_upserts_of_one_key_make_one_row(app: TestApp) {
        let key = &app.alpha.admin.key;
        for round in 0..5 {
            let upsert = |name: String| {
                let input = json!({ "name": name, "source": "s", "externalSystem": "erp",
                    "externalId": format!("{round}") });
                app.mutate(key, "leadUpsert", json!({ "input": input }), "{ id }")
            };
            let (one, two, three, four) = tokio::join!(
                upsert(format!("a{round}")),
                upsert(format!("b{round}")),
                upsert(format!("c{round}")),
                upsert(format!("d{round}"))
            );
            let ids: BTreeSet<String> = [&one, &two, &three, &four]
                .into_iter()
                .map(|answer| {
                    let id = answer["data"]["leadUpsert"]["id"].as_str();
                    id.unwrap_or_else(|| panic!("{answer:#}")).to_owned()
                })
                .collect();
            assert_eq!(ids.len(), 1);
        }
        assert_eq!(app.count(&app.alpha, "leads").await, 5);
        let trail = app.trail(&app.alpha).await;
        let created = trail.actions().into_iter().filter(|action| *action == "lead.create").count();
        assert_eq!(created, 5, "an attempt that was undone left a trail");
    }
}
