//! Related rows that are created or connected in one go.

use serde_json::{Value as Json, json};
use uuid::Uuid;

use crate::support::writing::{CNPJ, at};
use crate::support::{TestApp, both_databases};

both_databases! {
    async fn related_rows_are_made_in_one_go(app: TestApp) {
        let (tenant, key) = (&app.alpha, &app.alpha.admin.key);
        let free = app.create(key, "Contact", json!({ "fullName": "Livre" })).await;
        let seen = app.trail(tenant).await;
        let input = json!({
            "name": "Matriz",
            "parent": { "create": { "name": "Holding" } },
            "owner": { "connect": tenant.comercial.id },
            "contacts": { "create": [
                { "fullName": "A", "leads": { "create": [{ "source": "s" }] } },
                { "fullName": "B" } ], "connect": [free] },
        });
        let selection = "{ name parent { name } owner { id } contacts(orderBy: { field: FULL_NAME }) \
            { totalCount nodes { fullName leads { nodes { source } } } } }";
        let made = app.done(key, "companyCreate", json!({ "input": input }), selection).await;
        assert_eq!(made, json!({ "name": "Matriz", "parent": { "name": "Holding" },
            "owner": { "id": tenant.comercial.id }, "contacts": { "totalCount": 3, "nodes": [
                { "fullName": "A", "leads": { "nodes": [{ "source": "s" }] } },
                { "fullName": "B", "leads": { "nodes": [] } },
                { "fullName": "Livre", "leads": { "nodes": [] } } ] } }));
        let trail = app.trail(tenant).await.since(&seen);
        assert_eq!(trail.actions(), ["company.create", "company.create", "contact.create",
            "lead.create", "contact.create", "contact.update"]);
        // One batch for all events of the transaction.
        assert_eq!(trail.batches.len(), 1);
        assert_eq!(trail.batches[0].2, 6);
        assert_eq!((trail.events.len(), trail.outbox.len()), (6, 6));

        // An update may connect, create and clear a to-one.
        let lead = app.create(key, "Lead", json!({ "source": "s" })).await;
        let update = |company: Json| json!({ "id": lead, "input": { "company": company } });
        let selection = "{ company { name } }";
        let company = app.create(key, "Company", json!({ "name": "C" })).await;
        for (given, expected) in [
            (json!({ "connect": company }), json!({ "name": "C" })),
            (json!({ "create": { "name": "D" } }), json!({ "name": "D" })),
            (json!(null), json!(null)),
        ] {
            let updated = app.done(key, "leadUpdate", update(given), selection).await;
            assert_eq!(updated["company"], expected);
        }
        for (given, place) in [
            (json!({}), "input.company"),
            (json!({ "connect": company, "create": { "name": "x" } }), "input.company"),
            (json!({ "connect": "x" }), "input.company.connect"),
        ] {
            let refused = app.refusal(key, "leadUpdate", update(given)).await;
            assert_eq!(refused, at("INVALID", place));
        }
    }

    async fn a_nested_refusal_undoes_everything(app: TestApp) {
        let (tenant, key) = (&app.alpha, &app.alpha.admin.key);
        let seen = app.trail(tenant).await;
        let contacts = |second: Json| {
            json!({ "input": { "name": "c", "parent": { "create": { "name": "p" } },
                "contacts": { "create": [{ "fullName": "ok" }, second] } } })
        };
        let cases = [
            (contacts(json!({ "fullName": "x", "email": "@" })), "INVALID",
                "input.contacts.create.1.email"),
            (contacts(json!({ "fullName": "x", "ownerId": Uuid::max() })), "NOT_FOUND",
                "input.contacts.create.1.ownerId"),
            (contacts(json!({ "fullName": "x", "leads": { "create": [{ "source": "s", "score": 101 }] }
                })), "INVALID", "input.contacts.create.1.leads.create.0.score"),
            (json!({ "input": { "name": "c", "contacts": { "connect": [Uuid::max()] } } }),
                "NOT_FOUND", "input.contacts.connect.0"),
            (json!({ "input": { "name": "c", "parent": { "connect": Uuid::max() } } }),
                "NOT_FOUND", "input.parentId"),
            (json!({ "input": { "name": "c", "parent": { "create": { "name": "p", "cnpj": "1" } } } }),
                "INVALID", "input.parent.create.cnpj"),
        ];
        for (arguments, code, place) in cases {
            let refused = app.refusal(key, "companyCreate", arguments).await;
            assert_eq!(refused, at(code, place));
        }
        // Unique keys within one operation.
        let twins = json!({ "input": { "name": "c", "cnpj": CNPJ,
            "parent": { "create": { "name": "p", "cnpj": CNPJ } } } });
        let refused = app.refusal(key, "companyCreate", twins).await;
        assert_eq!(refused, at("CONFLICT", "input.cnpj"));
        assert!(app.trail(tenant).await.since(&seen).is_empty());
        assert_eq!(app.count(tenant, "companies").await, 0);
        assert_eq!(app.count(tenant, "contacts").await, 0);
        // Four levels are enough for anybody.
        let deep = |levels: usize| {
            (1..levels).fold(json!({ "name": "x" }), |inner, _| {
                json!({ "name": "x", "parent": { "create": inner } })
            })
        };
        app.done(key, "companyCreate", json!({ "input": deep(4) }), "{ id }").await;
        let refused = app.refusal(key, "companyCreate", json!({ "input": deep(5) })).await;
        assert_eq!(refused.0, "LIMIT_EXCEEDED");
        // What was created for a row cannot be moved to another.
        let activity = app.least(tenant, "DealActivity").await;
        let activity = app.create(key, "DealActivity", activity).await;
        let mut deal = app.least(tenant, "Deal").await;
        deal["activities"] = json!({ "connect": [activity] });
        let refused = app.refusal(key, "dealCreate", json!({ "input": deal })).await;
        assert_eq!(refused, at("INVALID", "input.activities.connect"));
    }

    async fn nesting_asks_for_the_nested_permission(app: TestApp) {
        let tenant = &app.alpha;
        let contact = app.create(&tenant.admin.key, "Contact", json!({ "fullName": "x" })).await;
        let rights = |contacts: Json| json!({ "companies": { "read": "all", "create": "all" },
            "contacts": contacts });
        let made = json!({ "input": { "name": "c", "contacts": { "create": [{ "fullName": "x" }] } } });
        let connected = json!({ "input": { "name": "c", "contacts": { "connect": [contact] } } });
        let cases = [
            (json!({ "read": "all" }), &made, "FORBIDDEN"),
            (json!({ "create": "all" }), &made, "FORBIDDEN"),
            (json!({ "read": "all", "create": "all" }), &connected, "FORBIDDEN"),
            (json!({ "read": "all", "update": "own" }), &connected, "FORBIDDEN"),
            (json!({ "read": "own", "update": "all" }), &connected, "NOT_FOUND"),
        ];
        for (contacts, arguments, code) in cases {
            let key = app.key_with(tenant, tenant.comercial.id, rights(contacts.clone())).await;
            let refused = app.refusal(&key, "companyCreate", arguments.clone()).await;
            assert_eq!(refused.0, code, "{contacts} {arguments} {refused:?}");
        }
        assert_eq!(app.count(tenant, "companies").await, 0);
    }
}
