//! Which rows a scope reaches, in everything that looks at rows: lists, single records, relations,
//! filters, orders, aggregates, groups, counts and changes.

use pulso::access::Resource;
use pulso::db::Value;
use serde_json::{Map, Value as Json, json};
use uuid::Uuid;

use crate::support::seed::Tenant;
use crate::support::{TestApp, both_databases};

const ROWS: [&str; 6] =
    ["companies", "contacts", "leads", "lead_interactions", "deals", "deal_activities"];

/// One scope for every action on the rows of the CRM; users and stages can be read.
fn everywhere(scope: &str) -> Json {
    let grants = json!({ "read": scope, "create": scope, "update": scope, "delete": scope });
    let mut rights: Map<String, Json> =
        ROWS.iter().map(|name| ((*name).to_owned(), grants.clone())).collect();
    rights.insert("users".to_owned(), json!({ "read": "all" }));
    rights.insert("pipeline_stages".to_owned(), json!({ "read": "all" }));
    Json::Object(rights)
}

fn code(answer: &Json) -> Option<&str> {
    answer["errors"][0]["extensions"]["code"].as_str()
}

/// A company with everything that hangs on it, all owned by one person.
struct Family {
    company: Uuid,
    contact: Uuid,
    lead: Uuid,
    interaction: Uuid,
    deal: Uuid,
    activity: Uuid,
}

impl TestApp {
    async fn family(&self, tenant: &Tenant, owner: Uuid, name: &str) -> Family {
        Box::pin(self.made_family(tenant, owner, name)).await
    }

    async fn made_family(&self, tenant: &Tenant, owner: Uuid, name: &str) -> Family {
        let key = &tenant.admin.key;
        let company = json!({ "name": name, "ownerId": owner, "segment": name });
        let company = self.create(key, "Company", company).await;
        let contact = json!({ "fullName": name, "ownerId": owner, "companyId": company });
        let contact = self.create(key, "Contact", contact).await;
        let lead = json!({ "name": name, "source": name, "assigneeId": owner, "companyId": company,
            "contactId": contact });
        let lead = self.create(key, "Lead", lead).await;
        let interaction = json!({ "type": "NOTE", "channel": name, "leadId": lead });
        let interaction = self.create(key, "LeadInteraction", interaction).await;
        let stage = self.stage(tenant, "prospeccao").await;
        let deal = json!({ "title": name, "ownerId": owner, "companyId": company, "leadId": lead,
            "contactId": contact, "stageId": stage, "value": "10" });
        let deal = self.create(key, "Deal", deal).await;
        let activity = json!({ "kind": "TASK", "subject": name, "dealId": deal, "ownerId": owner });
        let activity = self.create(key, "DealActivity", activity).await;
        Family { company, contact, lead, interaction, deal, activity }
    }

    /// Two families, one within the caller's reach and one beyond: whatever looks at rows sees the
    /// one and not the other.
    async fn sees_one_of_two(&self, key: &str, near: &Family, far: &Family) {
        let pairs = [
            ("company", "companies", near.company, far.company),
            ("contact", "contacts", near.contact, far.contact),
            ("lead", "leads", near.lead, far.lead),
            ("leadInteraction", "leadInteractions", near.interaction, far.interaction),
            ("deal", "deals", near.deal, far.deal),
            ("dealActivity", "dealActivities", near.activity, far.activity),
        ];
        for (singular, plural, near, far) in pairs {
            let list = format!(
                "{{ r: {plural} {{ totalCount countUpTo(limit: 9) {{ count }} nodes {{ id }} }} }}"
            );
            let list = Box::pin(self.data(key, &list, json!({}))).await;
            let expected = json!({ "totalCount": 1, "countUpTo": { "count": 1 },
                "nodes": [{ "id": near }] });
            assert_eq!(list["r"], expected, "{plural}");
            let one = |id: Uuid| format!("{{ r: {singular}(id: \"{id}\") {{ id }} }}");
            Box::pin(self.data(key, &one(near), json!({}))).await;
            assert_eq!(
                Box::pin(self.error_code(key, &one(far), json!({}))).await,
                "NOT_FOUND",
                "{singular}"
            );
            let aggregate = format!("{{ r: {singular}Aggregate {{ count }} }}");
            let aggregate = Box::pin(self.data(key, &aggregate, json!({}))).await;
            assert_eq!(aggregate["r"]["count"], 1, "{singular}");
            let groups = format!(
                "{{ r: {singular}Groups(by: [{{ field: CREATED_AT, bucket: YEAR }}]) {{ nodes {{ count }} }} }}"
            );
            let groups = Box::pin(self.data(key, &groups, json!({}))).await;
            assert_eq!(groups["r"]["nodes"], json!([{ "count": 1 }]), "{singular}");
            let filter = format!(
                "{{ r: {plural}(filter: {{ id: {{ in: [\"{near}\", \"{far}\"] }} }}) {{ nodes {{ id }} }} }}"
            );
            let filter = Box::pin(self.data(key, &filter, json!({}))).await;
            assert_eq!(filter["r"]["nodes"], json!([{ "id": near }]), "{plural}");
            for (id, refused) in [(near, false), (far, true)] {
                let delete = format!("{singular}Delete");
                let answer =
                    Box::pin(self.mutate(key, &delete, json!({ "id": id }), "{ id }")).await;
                assert_eq!(code(&answer) == Some("NOT_FOUND"), refused, "{delete} {answer:#}");
                if !refused {
                    let restore = format!("{singular}Restore");
                    Box::pin(self.done(key, &restore, json!({ "id": id }), "{ id }")).await;
                }
            }
        }
        // Both sums, of what is within reach alone.
        let sums = "{ dealAggregate { sum { value } } \
                      dealGroups(by: [{ field: CURRENCY }]) { nodes { sum { value } } } \
                      pipelineSummary { nodes { count } } }";
        let sums = Box::pin(self.data(key, sums, json!({}))).await;
        assert_eq!(sums["dealAggregate"]["sum"]["value"], "10.00");
        assert_eq!(sums["dealGroups"]["nodes"][0]["sum"]["value"], "10.00");
        let counts = sums["pipelineSummary"]["nodes"].as_array().unwrap().iter();
        assert_eq!(counts.map(|node| node["count"].as_i64().unwrap()).sum::<i64>(), 1);
    }

    /// The manager leads the seller and sits in an office; the agent sits at a desk below it.
    async fn seat_people(&self) {
        let alpha = &self.alpha;
        let admin = &alpha.admin.key;
        let office = self.create(admin, "OrgUnit", json!({ "name": "Filial" })).await;
        let desk = json!({ "name": "Mesa", "parentId": office });
        let desk = self.create(admin, "OrgUnit", desk).await;
        for (person, unit) in [(alpha.manager.id, office), (alpha.agente_ia.id, desk)] {
            let sql = "UPDATE users SET org_unit_id = ? WHERE tenant_id = ? AND id = ?";
            let values = vec![Value::Id(unit), Value::Id(alpha.id), Value::Id(person)];
            assert_eq!(self.run_sql(alpha, sql, values).await, 1);
        }
    }

    /// The manager, with one scope, sees the rows of `owner` and not those of `far`.
    async fn reaches_through(&self, scope: &str, owner: Uuid, far: &Family) {
        let alpha = &self.alpha;
        let near = self.family(alpha, owner, "perto").await;
        let key = Box::pin(self.key_with(alpha, alpha.manager.id, everywhere(scope))).await;
        Box::pin(self.sees_one_of_two(&key, &near, far)).await;
        let mut rights = everywhere(scope);
        rights["companies"] = json!({ "read": "all" });
        let key = Box::pin(self.key_with(alpha, alpha.manager.id, rights)).await;
        Box::pin(self.relations_end_at_the_rule(&key, &near, far)).await;
        // A narrower scope does not reach them.
        if scope != "own" {
            let own = Box::pin(self.key_with(alpha, alpha.manager.id, everywhere("own"))).await;
            let query = format!("{{ lead(id: \"{}\") {{ id }} }}", near.lead);
            let code = Box::pin(self.error_code(&own, &query, json!({}))).await;
            assert_eq!(code, "NOT_FOUND");
        }
        // Out of the way of the next.
        let rows = [
            ("deal_activities", far.activity),
            ("deals", far.deal),
            ("lead_interactions", far.interaction),
            ("leads", far.lead),
            ("contacts", far.contact),
            ("companies", far.company),
        ];
        for (table, kept) in rows {
            let sql = format!(
                "UPDATE {table} SET deleted_at = created_at WHERE tenant_id = ? \
                 AND deleted_at IS NULL AND id <> ?"
            );
            Box::pin(self.run_sql(alpha, &sql, vec![Value::Id(alpha.id), Value::Id(kept)])).await;
        }
    }

    /// From a row that everybody sees, only what is within reach can be reached.
    async fn relations_end_at_the_rule(&self, key: &str, near: &Family, far: &Family) {
        let query = "{ companies(orderBy: [{ field: NAME }]) { nodes { id \
                       leads { totalCount nodes { id deals { nodes { id } } } } \
                       contacts { nodes { id } } } } }";
        let all = Box::pin(self.data(key, query, json!({}))).await;
        let nodes = all["companies"]["nodes"].as_array().unwrap();
        for node in nodes {
            let is_near = node["id"] == json!(near.company);
            assert_eq!(node["leads"]["totalCount"], i64::from(is_near), "{node:#}");
            let leads = node["leads"]["nodes"].as_array().unwrap();
            assert_eq!(leads.len(), usize::from(is_near));
        }
        for (quantifier, expected) in [("some", near.company), ("none", far.company)] {
            let query = format!(
                "{{ companies(filter: {{ leads: {{ {quantifier}: {{ source: {{ isNull: false }} }} }} }}) {{ nodes {{ id }} }} }}"
            );
            let found = Box::pin(self.data(key, &query, json!({}))).await;
            assert_eq!(found["companies"]["nodes"], json!([{ "id": expected }]), "{query}");
        }
    }
}

both_databases! {
    /// Own, team and org unit, by people whose rows they reach.
    async fn scopes_of_people(app: TestApp) {
        let alpha = &app.alpha;
        Box::pin(app.seat_people()).await;
        let far = app.family(alpha, alpha.diretor.id, "longe").await;
        for (scope, owner) in [
            ("own", alpha.manager.id),
            ("team", alpha.comercial.id),
            ("org_unit", alpha.agente_ia.id),
        ] {
            Box::pin(app.reaches_through(scope, owner, &far)).await;
        }
    }

    /// Somebody from outside sees their own company and what belongs to it.
    async fn the_company_of_somebody_from_outside(app: TestApp) {
        let alpha = &app.alpha;
        let near = app.family(alpha, alpha.diretor.id, "perto").await;
        let far = app.family(alpha, alpha.diretor.id, "longe").await;
        let guest = json!({ "fullName": "Cliente de fora", "companyId": near.company });
        let guest = app.create(&alpha.admin.key, "User", guest).await;
        let key = app.key_with(alpha, guest, everywhere("company")).await;
        Box::pin(app.sees_one_of_two(&key, &near, &far)).await;

        // What is made must be of the same company, and stay there.
        let mine = json!({ "input": { "fullName": "Bia", "companyId": near.company } });
        let made = app.done(&key, "contactCreate", mine, "{ id viewerCan { update delete } }").await;
        assert_eq!(made["viewerCan"], json!({ "update": true, "delete": true }));
        for input in [json!({ "fullName": "Bia" }), json!({ "fullName": "Bia", "companyId": far.company })] {
            let refused = app.refusal(&key, "contactCreate", json!({ "input": input })).await;
            assert!(["FORBIDDEN", "NOT_FOUND"].contains(&refused.0.as_str()), "{refused:?}");
        }
        let away = json!({ "id": made["id"], "input": { "companyId": null } });
        assert_eq!(app.refusal(&key, "contactUpdate", away).await.0, "FORBIDDEN");
        let note = json!({ "input": { "type": "NOTE", "channel": "portal", "leadId": near.lead } });
        app.done(&key, "leadInteractionCreate", note, "{ id viewerCan { update } }").await;

        // Who belongs to no company sees none of it.
        let nobody = app.key_with(alpha, alpha.agente_ia.id, everywhere("company")).await;
        for plural in ["companies", "contacts", "leads", "leadInteractions", "deals", "dealActivities"] {
            let query = format!("{{ r: {plural} {{ totalCount nodes {{ id }} }} }}");
            let seen = app.data(&nobody, &query, json!({})).await;
            assert_eq!(seen["r"], json!({ "totalCount": 0, "nodes": [] }), "{plural}");
        }
        // What belongs to no company is in no company's reach.
        let stages = json!({ "pipeline_stages": { "read": "company" } });
        let stages = app.key_with(alpha, guest, stages).await;
        let query = "{ pipelineStages { totalCount } pipelineStageAggregate { count } }";
        let seen = app.data(&stages, query, json!({})).await;
        assert_eq!(seen["pipelineStages"]["totalCount"], 0);
        assert_eq!(seen["pipelineStageAggregate"]["count"], 0);
    }

    /// Two scopes of two kinds reach the rows of either.
    async fn own_rows_and_those_of_the_company(app: TestApp) {
        let alpha = &app.alpha;
        let near = app.family(alpha, alpha.diretor.id, "empresa").await;
        let guest = json!({ "fullName": "Meio de fora", "companyId": near.company });
        let guest = app.create(&alpha.admin.key, "User", guest).await;
        let own = app.family(alpha, guest, "proprio").await;
        app.family(alpha, alpha.diretor.id, "longe").await;
        let mut actor = app.ctx(&alpha.admin).await;
        let read = |scope: &str| {
            pulso::access::Permissions::from_json(&everywhere(scope)).unwrap()
        };
        actor.actor.permissions = std::sync::Arc::new(read("own").merge(&read("company")));
        (actor.actor.user_id, actor.actor.company_id) = (guest, Some(near.company));
        let query = "{ leads { nodes { id viewerCan { update } } } \
                       leadInteractions { totalCount } dealAggregate { count } }";
        let request = pulso::graphql::Request {
            query: Some(query.to_owned()),
            ..pulso::graphql::Request::default()
        };
        let caller = pulso::graphql::Caller::Somebody(actor);
        let reply = app.app.graphql.execute(caller, request, false).await;
        let answer: Json = serde_json::from_slice(&reply.body).unwrap();
        let mut ids: Vec<String> = answer["data"]["leads"]["nodes"].as_array().unwrap().iter()
            .map(|node| {
                assert_eq!(node["viewerCan"]["update"], true, "{answer:#}");
                node["id"].as_str().unwrap().to_owned()
            })
            .collect();
        ids.sort();
        let mut expected = [near.lead.to_string(), own.lead.to_string()];
        expected.sort();
        assert_eq!(ids, expected, "{answer:#}");
        assert_eq!(answer["data"]["leadInteractions"]["totalCount"], 2);
        assert_eq!(answer["data"]["dealAggregate"]["count"], 2);
    }

    /// What hangs on a deleted row belongs to nobody who is only reached through it.
    async fn a_deleted_row_leads_nowhere(app: TestApp) {
        let alpha = &app.alpha;
        let family = app.family(alpha, alpha.comercial.id, "perto").await;
        let own = app.key_with(alpha, alpha.comercial.id, everywhere("own")).await;
        let query = format!("{{ leadInteraction(id: \"{}\") {{ id }} }}", family.interaction);
        app.data(&own, &query, json!({})).await;
        let seen = app.trail(alpha).await;
        app.done(&alpha.admin.key, "leadDelete", json!({ "id": family.lead }), "{ id }").await;
        assert!(!app.trail(alpha).await.since(&seen).is_empty());
        assert_eq!(app.error_code(&own, &query, json!({})).await, "NOT_FOUND");
        let count = "{ leadInteractions { totalCount } leadInteractionAggregate { count } }";
        let count = app.data(&own, count, json!({})).await;
        assert_eq!(count["leadInteractions"]["totalCount"], 0);
        assert_eq!(count["leadInteractionAggregate"]["count"], 0);
        let change = json!({ "id": family.interaction, "input": { "subject": "x" } });
        assert_eq!(app.refusal(&own, "leadInteractionUpdate", change).await.0, "NOT_FOUND");
        app.data(&alpha.admin.key, &query, json!({})).await;
        app.done(&alpha.admin.key, "leadRestore", json!({ "id": family.lead }), "{ id }").await;
        app.data(&own, &query, json!({})).await;
    }

    /// A scope is a condition of the statements that are there, not another statement.
    async fn scopes_cost_no_statement(app: TestApp) {
        let alpha = &app.alpha;
        let family = app.family(alpha, alpha.comercial.id, "perto").await;
        let sql = "UPDATE users SET company_id = ? WHERE tenant_id = ? AND id = ?";
        let values = [family.company, alpha.id, alpha.comercial.id].map(Value::Id).to_vec();
        assert_eq!(app.run_sql(alpha, sql, values).await, 1);
        let query = "{ leads(first: 50) { nodes { id company { name } contact { fullName } \
                       deals(first: 3) { nodes { id stage { name } } } \
                       interactions(first: 3) { nodes { id viewerCan { update } } } } } }";
        let mut statements = Vec::new();
        for scope in ["all", "own", "team", "org_unit", "company"] {
            let key = app.key_with(alpha, alpha.comercial.id, everywhere(scope)).await;
            let answer = app.graphql(&key, query, json!({})).await;
            assert_eq!(answer["data"]["leads"]["nodes"][0]["id"], json!(family.lead), "{scope}");
            statements.push(answer["extensions"]["cost"]["statements"].as_u64().unwrap());
        }
        assert!(statements.iter().all(|count| *count == statements[0]), "{statements:?}");
    }
}

#[test]
fn what_belongs_to_a_company_says_so() {
    for record in &pulso::graphql::catalogue().records {
        let has_relation = record.relations.iter().any(|relation| {
            (relation.target)().resource == Resource::Companies
                && matches!(relation.kind, pulso::record::declare::RelationKind::One { .. })
        });
        if has_relation && !record.is_virtual() {
            assert!(record.company.way().is_some(), "{} has a company and no path", record.name);
        }
    }
}
