//! Deleting, restoring and removing for good, with what refers to the row.

use std::collections::BTreeSet;

use pulso::db::Value;
use pulso::graphql::catalogue;
use pulso::record::declare::{OnDestroy, RelationKind};
use serde_json::{Value as Json, json};
use uuid::Uuid;

use crate::support::writing::{CNPJ, at, lower, nowhere};
use crate::support::{TestApp, both_databases};

both_databases! {
    async fn deleting_hides_and_frees_the_keys(app: TestApp) {
        let key = &app.alpha.admin.key;
        let input = json!({ "name": "Velha", "cnpj": CNPJ });
        let old = app.create(key, "Company", input.clone()).await;
        let again = app.refusal(key, "companyCreate", json!({ "input": input })).await;
        assert_eq!(again, at("CONFLICT", "input.cnpj"));
        let deleted = app.done(key, "companyDelete", json!({ "id": old }), "{ id deletedAt }").await;
        assert_eq!(deleted["deletedAt"], "2026-03-10T12:00:00Z");
        let one = "query($id: ID!) { company(id: $id) { id } }";
        assert_eq!(app.error_code(key, one, json!({ "id": old })).await, "NOT_FOUND");
        for (field, arguments) in [
            ("companyDelete", json!({ "id": old })),
            ("companyUpdate", json!({ "id": old, "input": { "name": "x" } })),
        ] {
            assert_eq!(app.refusal(key, field, arguments).await, nowhere("NOT_FOUND"), "{field}");
        }
        let restored = app.done(key, "companyRestore", json!({ "id": old }), "{ deletedAt version }");
        assert_eq!(restored.await, json!({ "deletedAt": null, "version": 3 }));
        let twice = app.refusal(key, "companyRestore", json!({ "id": old })).await;
        assert_eq!(twice.0, "CONFLICT");
        // Its key is taken meanwhile: it cannot come back until the other goes.
        app.done(key, "companyDelete", json!({ "id": old }), "{ id }").await;
        let new = app.create(key, "Company", json!({ "name": "Nova", "cnpj": CNPJ })).await;
        let taken = app.refusal(key, "companyRestore", json!({ "id": old })).await;
        assert_eq!(taken, at("CONFLICT", "cnpj"));
        app.done(key, "companyDelete", json!({ "id": new }), "{ id }").await;
        app.done(key, "companyRestore", json!({ "id": old }), "{ id }").await;
        // A row that is deleted can be destroyed; what is deleted cannot be referred to.
        assert_eq!(
            app.refusal(key, "contactCreate", json!({ "input": { "fullName": "J", "companyId": new } }))
                .await,
            at("NOT_FOUND", "input.companyId")
        );
        app.done(key, "companyDestroy", json!({ "id": new }), "").await;
        assert_eq!(app.count(&app.alpha, "companies").await, 1);
    }

    /// Every pair of unique columns names the field that is taken, alike on both databases.
    async fn a_taken_key_names_its_field(app: TestApp) {
        let key = &app.alpha.admin.key;
        let outside = |mut input: Json| {
            input["externalSystem"] = json!("erp");
            input["externalId"] = json!("1");
            input
        };
        for record in ["Company", "Contact", "Lead", "Deal", "User", "OrgUnit"] {
            let input = outside(app.least(&app.alpha, record).await);
            app.create(key, record, input.clone()).await;
            let field = format!("{}Create", lower(record));
            let refused = app.refusal(key, &field, json!({ "input": input })).await;
            assert_eq!(refused, at("CONFLICT", "input.externalId"), "{record}");
        }
        let stage = json!({ "name": "x", "slug": "prospeccao", "sortOrder": 1 });
        let refused = app.refusal(key, "pipelineStageCreate", json!({ "input": stage })).await;
        assert_eq!(refused, at("CONFLICT", "input.slug"));
        let user = json!({ "fullName": "x", "email": " ADMIN@alpha.example" });
        let refused = app.refusal(key, "userCreate", json!({ "input": user })).await;
        assert_eq!(refused, at("CONFLICT", "input.email"));
        // The same keys are free in another tenant.
        let input = outside(app.least(&app.beta, "Company").await);
        app.create(&app.beta.admin.key, "Company", input).await;
    }

    async fn destroying_needs_a_permission_of_its_own(app: TestApp) {
        let id = app.create(&app.alpha.admin.key, "Lead", json!({ "source": "site" })).await;
        for person in [&app.alpha.diretor, &app.alpha.comercial] {
            let refused = app.refusal(&person.key, "leadDestroy", json!({ "id": id })).await;
            assert_eq!(refused, nowhere("FORBIDDEN"));
        }
        let gone = app.done(&app.alpha.admin.key, "leadDestroy", json!({ "id": id }), "").await;
        assert_eq!(gone, json!(id));
        let again = app.refusal(&app.alpha.admin.key, "leadDestroy", json!({ "id": id })).await;
        assert_eq!(again, nowhere("NOT_FOUND"));
    }

    /// Every to-many relation of every record does on destruction what it declares.
    async fn what_refers_to_a_destroyed_row(app: TestApp) {
        let (tenant, key) = (&app.alpha, &app.alpha.admin.key);
        let mut seen = BTreeSet::new();
        for record in &catalogue().records {
            for relation in &record.relations {
                let RelationKind::Many { column, on_destroy } = relation.kind else { continue };
                let target = (relation.target)();
                let field = target.fields.iter().find(|field| field.column == column).unwrap();
                let name = format!("{}.{}", record.name, relation.name);
                let parent = app.least(tenant, record.name).await;
                let parent = app.create(key, record.name, parent).await;
                let mut child = app.least(tenant, target.name).await;
                child[&field.name] = json!(parent);
                let child = app.create(key, target.name, child).await;
                let before = app.trail(tenant).await;
                let destroy = format!("{}Destroy", record.singular);
                let arguments = json!({ "id": parent });
                let there = |table: &'static str, id: Uuid| {
                    let sql = format!("SELECT {column} FROM {table} WHERE tenant_id = ? AND id = ?");
                    let app = &app;
                    async move { app.read_sql(tenant, &sql, vec![Value::Id(id)]).await }
                };
                match on_destroy {
                    OnDestroy::Restrict => {
                        let refused = app.refusal(key, &destroy, arguments.clone()).await;
                        assert_eq!(refused, at("CONFLICT", relation.name), "{name}");
                        assert!(app.trail(tenant).await.since(&before).is_empty(), "{name}");
                        // Also when it is deleted: the row is still there.
                        let delete = format!("{}Delete", target.singular);
                        app.done(key, &delete, json!({ "id": child }), "{ id }").await;
                        let answer = app.mutate(key, &destroy, arguments.clone(), "").await;
                        let message = answer["errors"][0]["message"].as_str().unwrap();
                        assert!(message.contains(": 1, deleted ones included"), "{message}");
                        let gone = format!("{}Destroy", target.singular);
                        app.done(key, &gone, json!({ "id": child }), "").await;
                        app.done(key, &destroy, arguments, "").await;
                    }
                    OnDestroy::Cascade => {
                        app.done(key, &destroy, arguments, "").await;
                        assert!(there(target.table, child).await.is_empty(), "{name}");
                        let trail = app.trail(tenant).await.since(&before);
                        assert_eq!(trail.audits.len(), 2, "{name}");
                        let told: BTreeSet<Option<Uuid>> =
                            trail.audits.iter().map(|audit| audit.resource_id).collect();
                        assert_eq!(told, BTreeSet::from([Some(parent), Some(child)]), "{name}");
                    }
                    OnDestroy::Clear => {
                        app.done(key, &destroy, arguments, "").await;
                        let left = there(target.table, child).await;
                        assert_eq!(left[0].id(0).unwrap(), None, "{name}");
                        let trail = app.trail(tenant).await.since(&before);
                        let cleared = &trail.audits[0];
                        assert_eq!(cleared.resource_id, Some(child), "{name}");
                        let old = cleared.old.as_ref().unwrap();
                        assert_eq!(old, &json!({ field.name.as_str(): parent }), "{name}");
                    }
                }
                seen.insert(name);
            }
        }
        assert!(seen.len() >= 10, "{seen:?}");
    }

    async fn a_deal_goes_with_all_that_is_its_own(app: TestApp) {
        let (tenant, key) = (&app.alpha, &app.alpha.admin.key);
        let input = json!({ "title": "d", "stageId": app.stage(tenant, "prospeccao").await,
            "activities": { "create": [
                { "kind": "CALL", "subject": "1" }, { "kind": "TASK", "subject": "2" } ] } });
        let deal = app.create(key, "Deal", input).await;
        let stage = app.stage(tenant, "ganho").await;
        let moved = format!("mutation {{ dealMoveStage(id: \"{deal}\", stageId: \"{stage}\") {{ id }} }}");
        app.data(key, &moved, json!({})).await;
        assert_eq!(app.count(tenant, "deal_stage_changes").await, 2);
        let before = app.trail(tenant).await;
        app.done(key, "dealDestroy", json!({ "id": deal }), "").await;
        for table in ["deals", "deal_activities", "deal_stage_changes"] {
            assert_eq!(app.count(tenant, table).await, 0, "{table}");
        }
        let trail = app.trail(tenant).await.since(&before);
        let mut actions = trail.actions();
        actions.sort_unstable();
        assert_eq!(actions, ["deal.destroy", "deal_activity.destroy", "deal_activity.destroy"]);
        // Cascading needs the permission on what goes along.
        let input = json!({ "title": "d", "stageId": app.stage(tenant, "prospeccao").await,
            "activities": { "create": [{ "kind": "CALL", "subject": "1" }] } });
        let deal = app.create(key, "Deal", input).await;
        let narrow = json!({ "deals": { "read": "all", "destroy": "all" },
            "deal_activities": { "read": "all" } });
        let narrow = app.key_with(tenant, tenant.diretor.id, narrow).await;
        let refused = app.refusal(&narrow, "dealDestroy", json!({ "id": deal })).await;
        assert_eq!(refused, at("FORBIDDEN", "activities"));
        assert_eq!(app.count(tenant, "deal_activities").await, 1);
    }

    async fn a_lead_goes_with_its_interactions(app: TestApp) {
        let (tenant, key) = (&app.alpha, &app.alpha.admin.key);
        let create: Vec<Json> =
            (0..30).map(|n| json!({ "type": "NOTE", "channel": format!("{n}") })).collect();
        let input = json!({ "source": "s", "interactions": { "create": create } });
        let lead = app.create(key, "Lead", input).await;
        assert_eq!(app.count(tenant, "lead_interactions").await, 30);
        let answer = app.mutate(key, "leadDestroy", json!({ "id": lead }), "").await;
        assert_eq!(app.count(tenant, "lead_interactions").await, 0);
        let statements = answer["extensions"]["cost"]["statements"].as_i64().unwrap();
        assert!(statements < 20, "a cascade is not one statement per row: {answer:#}");
    }

    /// What the engine does not know of still refers to it: a clear refusal.
    async fn a_user_who_left_traces_stays(app: TestApp) {
        let (tenant, key) = (&app.alpha, &app.alpha.admin.key);
        app.create(&tenant.comercial.key, "Lead", json!({ "source": "site" })).await;
        let arguments = json!({ "id": tenant.comercial.id });
        assert_eq!(app.refusal(key, "userDestroy", arguments).await, nowhere("CONFLICT"));
    }
}
