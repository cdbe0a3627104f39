//! Roles are data: made, changed and removed by those who may, never beyond what they may themselves,
//! and felt on every node within a second. And what `accessExplain` says of them.

use std::sync::Arc;

use chrono::TimeDelta;
use pulso::app::App;
use pulso::db::Value;
use serde_json::{Value as Json, json};
use uuid::Uuid;

use crate::support::app::build;
use crate::support::{TestApp, both_databases};

const ROLES: &str =
    "{ roles { id name label description permissions isSeed userCount apiKeyCount version } }";
const CREATE: &str = "mutation($input: RoleCreateInput!) { roleCreate(input: $input) { id name version userCount } }";
const UPDATE: &str = "mutation($id: ID!, $input: RoleUpdateInput!, $version: Int) { \
    roleUpdate(id: $id, input: $input, expectedVersion: $version) { id name label permissions version } }";
const DELETE: &str = "mutation($id: ID!) { roleDelete(id: $id) }";
const EXPLAIN: &str = "query($resource: String!, $action: String!, $id: ID, $user: ID) { \
    accessExplain(resource: $resource, action: $action, id: $id, userId: $user) { \
    allowed missing rowRule reasonEn reasonPt grants { role scope fields { field rule } } } }";

impl TestApp {
    async fn role(&self, name: &str, permissions: Json) -> Uuid {
        let input = json!({ "input": { "name": name, "permissions": permissions } });
        let made = self.data(&self.alpha.admin.key, CREATE, input).await;
        made["roleCreate"]["id"].as_str().unwrap().parse().unwrap()
    }

    async fn seed_role(&self, name: &str) -> Uuid {
        let sql = "SELECT id FROM roles WHERE tenant_id = ? AND name = ?";
        self.read_sql(&self.alpha, sql, vec![Value::from(name)]).await[0].required_id(0).unwrap()
    }
}

async fn reads_leads(app: &Arc<App>, key: &str) -> bool {
    let actor = app.identity.authenticate(app, key).await.unwrap();
    let scope =
        actor.permissions.scope(pulso::access::Resource::Leads, pulso::access::Action::Read);
    scope.is_some()
}

both_databases! {
    async fn roles_are_listed_made_changed_and_removed(app: TestApp) {
        let (alpha, admin) = (&app.alpha, &app.alpha.admin.key);
        let roles = app.data(admin, ROLES, json!({})).await;
        let names: Vec<&str> =
            roles["roles"].as_array().unwrap().iter().map(|role| role["name"].as_str().unwrap()).collect();
        assert_eq!(names, ["admin", "agente_ia", "cliente", "comercial", "diretor"]);
        let seller = &roles["roles"][3];
        assert_eq!(seller["isSeed"], true);
        assert_eq!((&seller["userCount"], &seller["apiKeyCount"]), (&json!(2), &json!(2)));
        assert_eq!(seller["permissions"]["users"]["fields"]["email"], "hidden");

        let seen = app.trail(alpha).await;
        let id = app.role("sdr", json!({ "leads": { "read": "own" } })).await;
        let input = json!({ "label": "Pré-venda", "permissions": {
            "leads": { "read": "team", "update": "own", "fields": { "score": "read_only" } } } });
        let changed = app.data(admin, UPDATE, json!({ "id": id, "input": input, "version": 1 })).await;
        assert_eq!(changed["roleUpdate"]["version"], 2);
        assert_eq!(changed["roleUpdate"]["label"], "Pré-venda");
        assert_eq!(changed["roleUpdate"]["name"], "sdr");
        // The same once more is no change.
        let again = app.data(admin, UPDATE, json!({ "id": id, "input": input })).await;
        assert_eq!(again["roleUpdate"]["version"], 2);
        let cleared = json!({ "id": id, "input": { "label": null } });
        assert!(app.data(admin, UPDATE, cleared).await["roleUpdate"]["label"].is_null());
        assert_eq!(app.data(admin, DELETE, json!({ "id": id })).await["roleDelete"], json!(id));

        let trail = app.trail(alpha).await.since(&seen);
        let actions = ["role.create", "role.update", "role.update", "role.delete"];
        assert_eq!(trail.actions(), actions);
        assert_eq!(trail.kinds(), ["role.created", "role.updated", "role.updated", "role.deleted"]);
        assert_eq!(trail.audits[1].old.as_ref().unwrap()["permissions"]["leads"]["read"], "own");
        assert_eq!(trail.audits[1].new.as_ref().unwrap()["permissions"]["leads"]["read"], "team");
        assert_eq!(trail.audits[1].user_id, Some(alpha.admin.id));
        assert_eq!(trail.outbox.len(), 4);
        assert_eq!(trail.epochs.values().sum::<i64>(), 4);
    }

    async fn only_well_formed_roles_are_stored(app: TestApp) {
        let admin = &app.alpha.admin.key;
        let seen = app.trail(&app.alpha).await;
        let invalid = |field: &str| ("INVALID".to_owned(), Some(format!("input.{field}")));
        for permissions in [
            json!([]),
            json!({ "lead": { "read": "all" } }),
            json!({ "leads": { "raed": "all" } }),
            json!({ "leads": { "read": "everyone" } }),
            json!({ "leads": { "read": "all", "fields": { "phone": "hidden" } } }),
            json!({ "leads": { "read": "all", "fields": { "score": "secret" } } }),
            json!({ "leads": { "read": "all", "fields": { "score": "read_only" } } }),
            json!({ "leads": { "create": "all", "fields": { "score": "hidden" } } }),
            json!({ "pipeline_stages": { "read": "company" } }),
            json!({ "roles": { "read": "company" } }),
            json!({ "*": "all", "leads": { "read": "all" } }),
        ] {
            let input = json!({ "input": { "name": "novo", "permissions": permissions } });
            let refused = app.refusal_of(admin, CREATE, input).await;
            assert_eq!(refused, invalid("permissions"), "{permissions}");
        }
        for name in ["", "Vendas", "1a", "com espaço", &"a".repeat(51)] {
            let input = json!({ "input": { "name": name, "permissions": {} } });
            assert_eq!(app.refusal_of(admin, CREATE, input).await, invalid("name"), "{name}");
        }
        let long = json!({ "input": { "name": "a", "label": "x".repeat(101), "permissions": {} } });
        assert_eq!(app.refusal_of(admin, CREATE, long).await, invalid("label"));
        let taken = json!({ "input": { "name": "comercial", "permissions": {} } });
        let refused = app.refusal_of(admin, CREATE, taken).await;
        assert_eq!(refused, ("CONFLICT".to_owned(), Some("input.name".to_owned())));
        assert!(app.trail(&app.alpha).await.since(&seen).is_empty());
    }

    async fn the_seeds_stay(app: TestApp) {
        let admin = &app.alpha.admin.key;
        let (root, seller) = (app.seed_role("admin").await, app.seed_role("comercial").await);
        let refused = app.refusal_of(admin, DELETE, json!({ "id": seller })).await;
        assert_eq!(refused.0, "CONFLICT");
        let rename = json!({ "id": seller, "input": { "name": "vendas" } });
        assert_eq!(app.refusal_of(admin, UPDATE, rename).await.0, "CONFLICT");
        let less = json!({ "id": root, "input": { "permissions": { "leads": { "read": "all" } } } });
        assert_eq!(app.refusal_of(admin, UPDATE, less).await.0, "CONFLICT");
        // What the other seeds allow is the tenant's own affair.
        let wider = json!({ "id": seller, "input": { "permissions": { "leads": { "read": "all" } } } });
        app.data(admin, UPDATE, wider).await;
    }

    async fn nobody_hands_out_more_than_they_have(app: TestApp) {
        let alpha = &app.alpha;
        let mut rights = json!({
            "roles": { "read": "all", "create": "all", "update": "all", "delete": "all" },
            "leads": { "read": "team", "update": "own" },
            "contacts": { "read": "all", "update": "all",
                "fields": { "phone": "hidden", "email": "masked", "notes": "read_only" } },
        });
        let key = app.key_with(alpha, alpha.diretor.id, rights.clone()).await;
        let create = |permissions: Json| {
            let name = format!("r{}", app.app.clock.new_id().simple());
            json!({ "input": { "name": name, "permissions": permissions } })
        };
        let seen = app.trail(alpha).await;
        for more in [
            json!({ "*": "all" }),
            json!({ "leads": { "read": "all" } }),
            json!({ "leads": { "read": "company" } }),
            json!({ "leads": { "update": "team" } }),
            json!({ "leads": { "delete": "own" } }),
            json!({ "deals": { "read": "own" } }),
            json!({ "contacts": { "read": "all" } }),
            json!({ "contacts": { "read": "all", "fields": { "phone": "masked", "email": "masked" } } }),
            json!({ "contacts": { "read": "all", "update": "all", "fields": { "phone": "hidden", "email": "masked" } } }),
        ] {
            let refused = app.refusal_of(&key, CREATE, create(more.clone())).await;
            assert_eq!(refused.0, "FORBIDDEN", "{more}");
        }
        assert!(app.trail(alpha).await.since(&seen).is_empty());
        for less in [
            json!({}),
            json!({ "leads": { "read": "own" } }),
            json!({ "leads": { "read": "team", "update": "own" } }),
            json!({ "contacts": { "read": "all", "fields": { "phone": "hidden", "email": "hidden" } } }),
        ] {
            app.data(&key, CREATE, create(less)).await;
        }
        // Nor is a role changed or removed by those who have less.
        let stronger = app.role("forte", json!({ "deals": { "read": "all" } })).await;
        let weaken = json!({ "id": stronger, "input": { "permissions": {} } });
        assert_eq!(app.refusal_of(&key, UPDATE, weaken).await.0, "FORBIDDEN");
        assert_eq!(app.refusal_of(&key, DELETE, json!({ "id": stronger })).await.0, "FORBIDDEN");
        // One's own role is no exception.
        rights["leads"]["read"] = json!("all");
        let own = app.key_with(alpha, alpha.diretor.id, json!({ "roles": { "update": "all", "read": "all" } })).await;
        let mine = app.data(&own, ROLES, json!({})).await;
        let mine = mine["roles"].as_array().unwrap().iter()
            .find(|role| role["permissions"] == json!({ "roles": { "update": "all", "read": "all" } }))
            .unwrap()["id"].clone();
        let wider = json!({ "id": mine, "input": { "permissions": rights } });
        assert_eq!(app.refusal_of(&own, UPDATE, wider).await.0, "FORBIDDEN");
    }

    async fn a_role_in_use_stays(app: TestApp) {
        let (alpha, admin) = (&app.alpha, &app.alpha.admin.key);
        let id = app.role("usado", json!({ "leads": { "read": "all" } })).await;
        let fields = [("user_id", Value::Id(alpha.diretor.id)), ("role_id", Value::Id(id)),
            ("granted_at", Value::Instant(app.app.clock.now()))];
        let sql = "INSERT INTO user_roles (tenant_id, id, user_id, role_id, granted_at) VALUES (?, ?, ?, ?, ?)";
        let mut values = vec![Value::Id(alpha.id), Value::Id(app.app.clock.new_id())];
        values.extend(fields.into_iter().map(|(_, value)| value));
        app.run_sql(alpha, sql, values).await;
        assert_eq!(app.refusal_of(admin, DELETE, json!({ "id": id })).await.0, "CONFLICT");
        app.run_sql(alpha, "DELETE FROM user_roles WHERE tenant_id = ? AND role_id = ?",
            vec![Value::Id(alpha.id), Value::Id(id)]).await;
        let make = "mutation { apiKeyCreate(input: { name: \"k\", role: \"usado\" }) { apiKey { id } } }";
        let key = app.data(admin, make, json!({})).await["apiKeyCreate"]["apiKey"]["id"].clone();
        assert_eq!(app.refusal_of(admin, DELETE, json!({ "id": id })).await.0, "CONFLICT");
        let revoke = "mutation($id: ID!) { apiKeyRevoke(id: $id) { revokedAt } }";
        app.data(admin, revoke, json!({ "id": key })).await;
        app.data(admin, DELETE, json!({ "id": id })).await;
        assert_eq!(app.refusal_of(admin, DELETE, json!({ "id": id })).await.0, "NOT_FOUND");
    }

    /// Two nodes on one database: what one changes, the other feels within a second.
    async fn a_change_is_felt_on_every_node(app: TestApp) {
        let alpha = &app.alpha;
        let other = build(&app.database.db, app.database.url(), app.app.clock.clone());
        let key = &alpha.comercial.key;
        assert!(reads_leads(&app.app, key).await && reads_leads(&other, key).await);
        let seller = app.seed_role("comercial").await;
        let nothing = json!({ "id": seller, "input": { "permissions": {} } });
        app.data(&alpha.admin.key, UPDATE, nothing).await;
        app.app.clock.advance(TimeDelta::seconds(1));
        assert!(!reads_leads(&app.app, key).await);
        assert!(!reads_leads(&other, key).await);
    }

    async fn roles_of_ones_own_tenant_by_those_who_may(app: TestApp) {
        let (alpha, beta) = (&app.alpha, &app.beta);
        let id = app.role("sdr", json!({})).await;
        let update = json!({ "id": id, "input": { "label": "x" } });
        let create = json!({ "input": { "name": "outro", "permissions": {} } });
        let cases = [(ROLES, json!({})), (CREATE, create), (UPDATE, update), (DELETE, json!({ "id": id }))];
        let seen = app.trail(alpha).await;
        let outside = json!({ "leads": { "read": "company" } });
        let outside = app.key_with(alpha, alpha.comercial.id, outside).await;
        for (query, variables) in cases {
            assert_eq!(app.refusal_of("pulso_x", query, variables.clone()).await.0, "UNAUTHENTICATED");
            for key in [&alpha.comercial.key, &outside] {
                assert_eq!(app.refusal_of(key, query, variables.clone()).await.0, "FORBIDDEN", "{query}");
            }
            if variables.get("id").is_some() {
                let refused = app.refusal_of(&beta.admin.key, query, variables).await;
                assert_eq!(refused.0, "NOT_FOUND", "{query}");
            }
        }
        let theirs = app.data(&beta.admin.key, ROLES, json!({})).await;
        assert!(!theirs.to_string().contains(&id.to_string()));
        // Reading is one thing, changing another.
        assert_eq!(app.data(&alpha.diretor.key, ROLES, json!({})).await["roles"].as_array().unwrap().len(), 7);
        let refused = app.refusal_of(&alpha.diretor.key, DELETE, json!({ "id": id })).await;
        assert_eq!(refused.0, "FORBIDDEN");
        assert!(app.trail(alpha).await.since(&seen).is_empty());
    }

    async fn an_explanation_names_the_grant_or_what_is_missing(app: TestApp) {
        let alpha = &app.alpha;
        let seller = &alpha.comercial.key;
        let ask = async |key: &str, variables: Json| {
            let answer = app.data(key, EXPLAIN, variables).await;
            answer["accessExplain"].clone()
        };
        let explained = ask(seller, json!({ "resource": "users", "action": "read" })).await;
        assert_eq!(explained["allowed"], true);
        let hidden = json!([{ "field": "email", "rule": "hidden" }, { "field": "phone", "rule": "hidden" }]);
        assert_eq!(explained["grants"], json!([{ "role": "comercial", "scope": "all", "fields": hidden }]));
        assert_eq!(explained["rowRule"], "all rows");
        let explained = ask(seller, json!({ "resource": "roles", "action": "read" })).await;
        assert_eq!((&explained["allowed"], &explained["missing"]), (&json!(false), &json!("roles:read")));
        assert_eq!(explained["grants"], json!([]));
        assert!(explained["reasonPt"].as_str().unwrap().contains("nenhum papel"));

        let mine = app.create(&alpha.admin.key, "Lead", json!({ "source": "s", "assigneeId": alpha.comercial.id })).await;
        let others = app.create(&alpha.admin.key, "Lead", json!({ "source": "s", "assigneeId": alpha.diretor.id })).await;
        let update = |id: Uuid| json!({ "resource": "leads", "action": "update", "id": id });
        assert_eq!(ask(seller, update(mine)).await["allowed"], true);
        let beyond = ask(seller, update(others)).await;
        assert_eq!(beyond["allowed"], false);
        assert!(beyond["missing"].as_str().unwrap().starts_with("leads:update"));
        // A row that may not be seen is as good as none.
        let own = json!({ "leads": { "read": "own", "update": "own" } });
        let own = app.key_with(alpha, alpha.comercial.id, own).await;
        let unseen = ask(&own, update(others)).await;
        let never = ask(&own, update(app.app.clock.new_id())).await;
        assert_eq!(unseen, never);
        assert_eq!(unseen["allowed"], false);
        let stranger = ask(&app.beta.admin.key, update(mine)).await;
        assert_eq!(stranger["allowed"], false);

        // Of others, with the right to see them.
        let of = |user: Uuid, id: Uuid| {
            json!({ "resource": "leads", "action": "update", "id": id, "user": user })
        };
        let manager = ask(&alpha.admin.key, of(alpha.manager.id, mine)).await;
        assert_eq!(manager["allowed"], true, "the seller is of the manager's team: {manager:#}");
        assert_eq!(ask(&alpha.admin.key, of(alpha.manager.id, others)).await["allowed"], false);
        let refused = app.refusal_of(&own, EXPLAIN, of(alpha.manager.id, mine)).await;
        assert_eq!(refused.0, "FORBIDDEN");
        let refused = app.refusal_of(&app.beta.admin.key, EXPLAIN, of(alpha.manager.id, mine)).await;
        assert_eq!(refused, ("NOT_FOUND".to_owned(), Some("userId".to_owned())));
        let unknown = json!({ "resource": "lead", "action": "read" });
        let refused = app.refusal_of(seller, EXPLAIN, unknown).await;
        assert_eq!(refused, ("INVALID".to_owned(), Some("resource".to_owned())));
        let unknown = json!({ "resource": "leads", "action": "raed" });
        assert_eq!(app.refusal_of(seller, EXPLAIN, unknown).await.0, "INVALID");
        let any = json!({ "resource": "leads", "action": "read" });
        assert_eq!(app.refusal_of("pulso_x", EXPLAIN, any).await.0, "UNAUTHENTICATED");
    }
}

both_databases! {
    /// Whoever may change roles does not so much as rename one that allows more than they may.
    async fn a_role_of_those_who_have_more_is_not_relabelled(app: TestApp) {
        let alpha = &app.alpha;
        let strong = app.role("strong", json!({ "deals": { "read": "all", "destroy": "all" } })).await;
        let weak = app.role("weak", json!({ "deals": { "read": "own" } })).await;
        let permissions = json!({ "roles": { "read": "all", "update": "all" }, "deals": { "read": "own" } });
        let key = app.key_with(alpha, alpha.comercial.id, permissions).await;
        for input in [
            json!({ "name": "harmless" }),
            json!({ "label": "Estagiário" }),
            json!({ "description": "nothing much" }),
            json!({ "permissions": { "deals": { "read": "own" } } }),
        ] {
            let refused = app.refusal_of(&key, UPDATE, json!({ "id": strong, "input": input })).await;
            assert_eq!(refused.0, "FORBIDDEN", "{input}");
        }
        for permissions in [
            json!({ "deals": { "read": "all" } }),
            json!({ "deals": { "read": "own", "update": "own" } }),
            json!({ "users": { "read": "own" } }),
            json!({ "*": "all" }),
        ] {
            let input = json!({ "permissions": permissions });
            let refused = app.refusal_of(&key, UPDATE, json!({ "id": weak, "input": input })).await;
            assert_eq!(refused.0, "FORBIDDEN", "{input}");
        }
        let input = json!({ "name": "weaker", "label": "Fraco", "permissions": { "roles": { "read": "all" } } });
        app.data(&key, UPDATE, json!({ "id": weak, "input": input })).await;
    }
}
