//! A plan is kept for whoever asks the same again. It holds rights: it must serve nobody else, and
//! nobody whose rights have changed.

use pulso::access::Actor;
use pulso::db::Value;
use serde_json::{Value as Json, json};

use crate::support::{TestApp, both_databases};

/// Asked several times by everybody: the fourth answer is by a plan that was kept.
const TIMES: usize = 4;
const LEADS: &str = "query($first: Int) { leads(first: $first, orderBy: [{ field: NAME }]) \
                     { totalCount nodes { name source deals { nodes { title } } } } }";

fn role(leads: &Json, deals: &str) -> Json {
    json!({ "leads": leads, "deals": { "read": deals } })
}

impl TestApp {
    /// A lead with a deal, owned by the same person.
    async fn lead_of(&self, name: &str, owner: uuid::Uuid) {
        let alpha = &self.alpha;
        let key = &alpha.admin.key;
        let lead = json!({ "name": name, "source": "site", "assigneeId": owner });
        let lead = self.create(key, "Lead", lead).await;
        let stage = self.stage(alpha, "prospeccao").await;
        let deal = json!({ "title": name, "ownerId": owner, "leadId": lead, "stageId": stage,
            "value": "10" });
        self.create(key, "Deal", deal).await;
    }
}

/// What [`LEADS`] answers: of each lead its name, its source and its deals.
fn answer(total: usize, leads: &[(&str, Json, &[&str])]) -> Json {
    let nodes = leads.iter().map(|(name, source, deals)| {
        let deals: Vec<Json> = deals.iter().map(|title| json!({ "title": title })).collect();
        json!({ "name": name, "source": source, "deals": { "nodes": deals } })
    });
    let nodes: Vec<Json> = nodes.collect();
    json!({ "leads": { "totalCount": total, "nodes": nodes } })
}

both_databases! {
    async fn a_plan_serves_its_caller_alone(app: TestApp) {
        let alpha = &app.alpha;
        let (seller, manager) = (alpha.comercial.id, alpha.manager.id);
        app.lead_of("a", seller).await;
        app.lead_of("b", manager).await;
        let site = || json!("site");
        let own = role(&json!({ "read": "own" }), "own");
        let masked = role(&json!({ "read": "all", "fields": { "source": "masked" } }), "own");
        let callers = [
            (alpha.admin.key.clone(), 9, answer(2, &[("a", site(), &["a"]), ("b", site(), &["b"])])),
            (app.beta.admin.key.clone(), 9, answer(0, &[])),
            // One user, three keys.
            (app.key_with(alpha, seller, own.clone()).await, 9, answer(1, &[("a", site(), &["a"])])),
            (app.key_with(alpha, seller, role(&json!({ "read": "all" }), "own")).await, 9,
                answer(2, &[("a", site(), &["a"]), ("b", site(), &[])])),
            (app.key_with(alpha, seller, masked).await, 9,
                answer(2, &[("a", json!("s***"), &["a"]), ("b", json!("s***"), &[])])),
            // The same rights, another user; and other variables.
            (app.key_with(alpha, manager, own).await, 9, answer(1, &[("b", site(), &["b"])])),
            (alpha.admin.key.clone(), 1, answer(2, &[("a", site(), &["a"])])),
        ];
        for _ in 0..TIMES {
            for (key, first, expected) in &callers {
                assert_eq!(&app.data(key, LEADS, json!({ "first": first })).await, expected);
            }
        }
        let hidden = role(&json!({ "read": "all", "fields": { "source": "hidden" } }), "all");
        let hidden = app.key_with(alpha, seller, hidden).await;
        for _ in 0..TIMES {
            assert_eq!(app.error_code(&hidden, LEADS, json!({ "first": 9 })).await, "FORBIDDEN");
        }
    }

    /// A plan does not outlive what it was made for, neither where they were changed nor elsewhere.
    async fn a_plan_ends_with_the_rights(app: TestApp) {
        let alpha = &app.alpha;
        app.lead_of("a", alpha.comercial.id).await;
        app.lead_of("b", alpha.manager.id).await;
        let key = app.key_with(alpha, alpha.comercial.id, role(&json!({ "read": "all" }), "all")).await;
        let other = app.other_app();
        let total = async || {
            let mut totals = Vec::new();
            for _ in 0..TIMES {
                let here = app.graphql(&key, LEADS, json!({})).await;
                let there = other.graphql(&key, LEADS, json!({})).await;
                totals.extend([here, there].map(|answer| answer["data"]["leads"]["totalCount"].clone()));
            }
            totals
        };
        assert_eq!(total().await, vec![json!(2); 2 * TIMES]);
        let sql = "UPDATE roles SET permissions = ? WHERE tenant_id = ? AND id = \
                   (SELECT role_id FROM api_keys WHERE tenant_id = ? AND user_id = ? \
                   ORDER BY created_at DESC, id DESC LIMIT 1)";
        let own = role(&json!({ "read": "own" }), "own");
        let values = [own, json!({})].map(|rights| {
            vec![Value::Json(rights), Value::Id(alpha.id), Value::Id(alpha.id), Value::Id(alpha.comercial.id)]
        });
        let [own, nothing] = values;
        assert_eq!(app.run_sql(alpha, sql, own).await, 1);
        app.app.clock.advance(chrono::TimeDelta::seconds(1));
        assert_eq!(total().await, vec![json!(1); 2 * TIMES]);
        assert_eq!(app.run_sql(alpha, sql, nothing).await, 1);
        app.app.clock.advance(chrono::TimeDelta::seconds(1));
        assert_eq!(total().await, vec![Json::Null; 2 * TIMES]);
    }

    /// Whatever a plan may depend on tells callers apart.
    async fn rights_that_differ_in_anything_differ(app: TestApp) {
        let actor = app.ctx(&app.alpha.admin).await.actor;
        assert!(actor.has_rights_of(&actor.clone()));
        let id = uuid::Uuid::from_u128(7);
        let changes: [fn(&mut Actor, uuid::Uuid); 12] = [
            |actor, id| actor.tenant_id = id,
            |actor, _| actor.tenant = (*actor.tenant).clone().into(),
            |actor, id| actor.user_id = id,
            |actor, id| actor.api_key_id = Some(id),
            |actor, _| actor.persisted_only = !actor.persisted_only,
            |actor, _| actor.errors_as_status = !actor.errors_as_status,
            |actor, id| actor.session_id = Some(id),
            |actor, _| actor.role_names = actor.role_names.to_vec().into(),
            |actor, _| actor.permissions = (*actor.permissions).clone().into(),
            |actor, _| actor.team = actor.team.to_vec().into(),
            |actor, _| actor.org_unit_members = actor.org_unit_members.to_vec().into(),
            |actor, id| actor.company_id = Some(id),
        ];
        for (number, change) in changes.into_iter().enumerate() {
            let mut changed = actor.clone();
            change(&mut changed, id);
            assert!(!changed.has_rights_of(&actor) && !actor.has_rights_of(&changed), "{number}");
        }
    }
}
