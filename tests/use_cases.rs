//! What people do with a CRM beyond writing fields: convert a lead, move a deal, hand over work, and
//! look at the pipeline in numbers.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use pulso::db::Value;
use serde_json::{Value as Json, json};
use uuid::Uuid;

use crate::support::seed::Tenant;
use crate::support::{TestApp, both_databases};

impl TestApp {
    /// A lead of the manager's that may be converted.
    async fn qualified(&self, tenant: &Tenant, name: &str, fields: &[(&str, Value)]) -> Uuid {
        let mut all =
            vec![("status", Value::from("qualified")), ("assigned_to", tenant.manager.id.into())];
        all.retain(|(name, _)| fields.iter().all(|(given, _)| given != name));
        all.extend(fields.iter().cloned());
        self.lead(tenant, name, &all).await
    }

    async fn counts(&self, tenant: &Tenant) -> [i64; 5] {
        [
            self.count(tenant, "companies").await,
            self.count(tenant, "contacts").await,
            self.count(tenant, "deals").await,
            self.count(tenant, "events").await,
            self.count(tenant, "audit_logs").await,
        ]
    }

    /// The way of a deal through the stages, by slug.
    async fn way(&self, tenant: &Tenant, deal: Uuid) -> Vec<(Option<String>, String)> {
        let sql = "SELECT f.slug, t.slug FROM deal_stage_changes c \
                   JOIN pipeline_stages t ON t.tenant_id = c.tenant_id AND t.id = c.to_stage_id \
                   LEFT JOIN pipeline_stages f ON f.tenant_id = c.tenant_id AND f.id = c.from_stage_id \
                   WHERE c.tenant_id = ? AND c.deal_id = ? ORDER BY c.changed_at, c.id";
        let rows = self.read_sql(tenant, sql, vec![Value::Id(deal)]).await;
        rows.iter().map(|row| (row.text(0).unwrap(), row.text(1).unwrap().unwrap())).collect()
    }

    async fn move_deal(&self, tenant: &Tenant, deal: Uuid, stage: &str, rest: &str) -> Json {
        let stage = self.stage(tenant, stage).await;
        let query = format!(
            "mutation {{ dealMoveStage(id: \"{deal}\", stageId: \"{stage}\"{rest}) \
             {{ status actualCloseDate lostReason version stageChangedAt stage {{ slug }} }} }}"
        );
        self.graphql(&tenant.manager.key, &query, Json::Null).await
    }
}

fn code(answer: &Json) -> &str {
    answer["errors"][0]["extensions"]["code"].as_str().unwrap_or_else(|| panic!("{answer:#}"))
}

fn field(answer: &Json) -> &str {
    answer["errors"][0]["extensions"]["field"].as_str().unwrap_or_else(|| panic!("{answer:#}"))
}

fn convert(id: Uuid, rest: &str) -> String {
    format!(
        "mutation {{ leadConvert(id: \"{id}\"{rest}) {{ leadId \
         lead {{ status convertedAt companyId contactId }} \
         company {{ id name owner {{ id }} }} contact {{ id fullName company {{ id }} }} \
         deal {{ id title value currency status owner {{ id }} stage {{ slug }} \
         lead {{ id }} company {{ id }} contact {{ id }} }} }} }}"
    )
}

both_databases! {
    async fn a_lead_that_is_only_a_name_becomes_a_company_and_a_deal(app: TestApp) {
        let alpha = app.alpha.clone();
        let lead = app.qualified(&alpha, "Padaria Ipê", &[]).await;
        let before = app.trail(&alpha).await;
        let done = app.data(&alpha.admin.key, &convert(lead, ""), Json::Null).await;
        let done = &done["leadConvert"];
        assert_eq!(done["leadId"], lead.to_string());
        assert_eq!(done["lead"]["status"], "CONVERTED");
        assert_eq!(done["lead"]["convertedAt"], "2026-03-10T12:00:00Z");
        assert_eq!(done["company"]["name"], "Padaria Ipê");
        assert_eq!(done["company"]["owner"]["id"], alpha.manager.id.to_string());
        assert_eq!(done["contact"], Json::Null);
        assert_eq!(done["deal"]["title"], "Padaria Ipê");
        assert_eq!(done["deal"]["value"], "0.00");
        assert_eq!(done["deal"]["currency"], "BRL");
        assert_eq!(done["deal"]["stage"]["slug"], "prospeccao");
        assert_eq!(done["deal"]["owner"]["id"], alpha.manager.id.to_string());
        assert_eq!(done["deal"]["lead"]["id"], lead.to_string());
        assert_eq!(done["deal"]["company"]["id"], done["company"]["id"]);
        assert_eq!(done["lead"]["companyId"], done["company"]["id"]);
        let trail = app.trail(&alpha).await.since(&before);
        let kinds = trail.kinds();
        assert_eq!(kinds, ["company.created", "deal.created", "lead.updated", "lead.converted"]);
        let told = trail.events.iter().find(|event| event.kind == "lead.converted").unwrap();
        assert_eq!(told.resource_id, Some(lead));
        assert_eq!(told.payload["dealId"], done["deal"]["id"]);
        assert_eq!(trail.batches.len(), 1);
        assert_eq!(trail.outbox.len(), 4);

        // Converted is final.
        let again = app.graphql(&alpha.admin.key, &convert(lead, ""), Json::Null).await;
        assert_eq!((code(&again), field(&again)), ("CONFLICT", "status"));
    }

    async fn a_conversion_connects_creates_and_takes_what_the_lead_has(app: TestApp) {
        let alpha = app.alpha.clone();
        let key = &alpha.admin.key;
        let company = app.company(&alpha, "Aroeira Ltda", &[]).await;
        let contact = app.contact(&alpha, "João Sá", &[("company_id", company.into())]).await;

        // The lead's own.
        let own = [("company_id", company.into()), ("contact_id", contact.into())];
        let lead = app.qualified(&alpha, "João Sá", &own).await;
        let done = app.data(key, &convert(lead, ""), Json::Null).await;
        assert_eq!(done["leadConvert"]["company"]["id"], company.to_string());
        assert_eq!(done["leadConvert"]["contact"]["id"], contact.to_string());
        assert_eq!(done["leadConvert"]["deal"]["contact"]["id"], contact.to_string());

        // Both connected, though the lead has others.
        let other = app.company(&alpha, "Jatobá S.A.", &[]).await;
        let lead = app.qualified(&alpha, "Zélia", &own).await;
        let rest = format!(
            ", company: {{ connect: \"{other}\" }}, contact: {{ connect: \"{contact}\" }}, \
             deal: {{ title: \"Implantação\", value: \"1234.56\", currency: \"USD\", \
             expectedCloseDate: \"2026-05-01\", ownerId: \"{}\" }}", alpha.comercial.id
        );
        let done = app.data(key, &convert(lead, &rest), Json::Null).await;
        let done = &done["leadConvert"];
        assert_eq!(done["company"]["id"], other.to_string());
        assert_eq!(done["lead"]["companyId"], other.to_string());
        assert_eq!(done["deal"]["value"], "1234.56");
        assert_eq!(done["deal"]["currency"], "USD");
        assert_eq!(done["deal"]["owner"]["id"], alpha.comercial.id.to_string());

        // Both created; the person belongs to the company.
        let lead = app.qualified(&alpha, "Nova", &[]).await;
        let stage = app.stage(&alpha, "negociacao").await;
        let rest = format!(
            ", company: {{ create: {{ name: \"Nova Ltda\", cnpj: \"11.222.333/0001-81\" }} }}, \
             contact: {{ create: {{ fullName: \"Inês\", email: \"ines@nova.example\" }} }}, \
             deal: {{ stageId: \"{stage}\" }}"
        );
        let done = app.data(key, &convert(lead, &rest), Json::Null).await;
        let done = &done["leadConvert"];
        assert_eq!(done["company"]["name"], "Nova Ltda");
        assert_eq!(done["contact"]["fullName"], "Inês");
        assert_eq!(done["contact"]["company"]["id"], done["company"]["id"]);
        assert_eq!(done["deal"]["title"], "Nova");
        assert_eq!(done["deal"]["stage"]["slug"], "negociacao");
    }

    async fn a_conversion_that_is_wrong_leaves_nothing(app: TestApp) {
        let (alpha, beta) = (app.alpha.clone(), app.beta.clone());
        let key = &alpha.admin.key;
        let lead = app.qualified(&alpha, "Sabiá", &[]).await;
        let company = app.company(&alpha, "Sabiá Ltda", &[]).await;
        let (lost, foreign) =
            (app.stage(&alpha, "perdido").await, app.stage(&beta, "proposta").await);
        let theirs = app.company(&beta, "Deles", &[]).await;
        let before = app.counts(&alpha).await;
        let create = ", company: { create: { name: \"Nova\" } }";
        for (rest, expected) in [
            (format!("{create}, deal: {{ value: \"1.234\" }}"), ("INVALID", "deal.value")),
            (format!("{create}, deal: {{ currency: \"XXQ\" }}"), ("INVALID", "deal.currency")),
            (format!("{create}, deal: {{ stageId: \"{lost}\" }}"), ("INVALID", "deal.lostReason")),
            (format!("{create}, deal: {{ stageId: \"{foreign}\" }}"), ("NOT_FOUND", "")),
            (", company: { create: { name: \"X\", cnpj: \"1\" } }".into(), ("INVALID", "company.cnpj")),
            (format!(", company: {{ connect: \"{theirs}\" }}"), ("NOT_FOUND", "")),
            (
                format!(", company: {{ connect: \"{company}\", create: {{ name: \"X\" }} }}"),
                ("INVALID", "company"),
            ),
            (", company: {}".into(), ("INVALID", "company")),
            (", contact: { create: { fullName: \"I\", email: \"no\" } }".into(), ("INVALID", "contact.email")),
            (", expectedVersion: 7".into(), ("CONFLICT", "expectedVersion")),
        ] {
            let answer = app.graphql(key, &convert(lead, &rest), Json::Null).await;
            assert_eq!(code(&answer), expected.0, "{rest}: {answer:#}");
            if !expected.1.is_empty() {
                assert_eq!(field(&answer), expected.1, "{rest}");
            }
            assert!(answer["data"].is_null(), "{answer:#}");
        }
        assert_eq!(app.counts(&alpha).await, before);
        let status = "query($id: ID!) { lead(id: $id) { status version convertedAt } }";
        let found = app.data(key, status, json!({ "id": lead })).await;
        assert_eq!(found["lead"], json!({ "status": "QUALIFIED", "version": 1, "convertedAt": null }));
        app.data(key, &convert(lead, ", expectedVersion: 1"), Json::Null).await;
    }

    async fn only_qualified_leads_convert(app: TestApp) {
        let alpha = app.alpha.clone();
        for status in ["new", "contacted", "unqualified", "lost", "converted"] {
            let lead = app.lead(&alpha, "Lead", &[("status", status.into())]).await;
            let answer = app.graphql(&alpha.admin.key, &convert(lead, ""), Json::Null).await;
            assert_eq!((code(&answer), field(&answer)), ("CONFLICT", "status"), "{status}");
        }
        let theirs = app.qualified(&app.beta.clone(), "Deles", &[]).await;
        let answer = app.graphql(&alpha.admin.key, &convert(theirs, ""), Json::Null).await;
        assert_eq!(code(&answer), "NOT_FOUND");
    }

    async fn who_may_not_create_companies_cannot_convert_into_one(app: TestApp) {
        let alpha = app.alpha.clone();
        let key = app
            .key_with(&alpha, alpha.manager.id, json!({
                "leads": { "read": "all", "update": "own" },
                "companies": { "read": "all" },
                "contacts": { "read": "all" },
                "pipeline_stages": { "read": "all" },
                "users": { "read": "all" },
                "deals": { "read": "all", "create": "own" },
            }))
            .await;
        let lead = app.qualified(&alpha, "Graúna", &[]).await;
        let before = app.counts(&alpha).await;
        let answer = app.graphql(&key, &convert(lead, ""), Json::Null).await;
        assert_eq!(code(&answer), "FORBIDDEN");
        assert_eq!(app.counts(&alpha).await, before);
        // With a company that is there already it is theirs to convert ...
        let company = app.company(&alpha, "Graúna Ltda", &[]).await;
        let connect = format!(", company: {{ connect: \"{company}\" }}");
        // ... but not into somebody else's deal,
        let given = format!("{connect}, deal: {{ ownerId: \"{}\" }}", alpha.admin.id);
        let answer = app.graphql(&key, &convert(lead, &given), Json::Null).await;
        assert_eq!(code(&answer), "FORBIDDEN");
        app.data(&key, &convert(lead, &connect), Json::Null).await;
        // and not somebody else's lead.
        let others = app.qualified(&alpha, "Outro", &[("assigned_to", alpha.admin.id.into())]).await;
        let answer = app.graphql(&key, &convert(others, &connect), Json::Null).await;
        assert_eq!(code(&answer), "FORBIDDEN");
    }

    async fn a_deal_follows_its_stage(app: TestApp) {
        let alpha = app.alpha.clone();
        let deal = app.deal(&alpha, "Licença", &[]).await;
        let before = app.trail(&alpha).await;
        app.app.clock.advance(TimeDelta::days(2));

        let moved = app.move_deal(&alpha, deal, "proposta", "").await;
        let moved = &moved["data"]["dealMoveStage"];
        assert_eq!(moved["status"], "OPEN");
        assert_eq!(moved["stageChangedAt"], "2026-03-12T12:00:00Z");
        assert_eq!(moved["version"], 2);

        // Where it is already, nothing happens.
        let same = app.move_deal(&alpha, deal, "proposta", ", lostReason: \"?\"").await;
        assert_eq!(same["data"]["dealMoveStage"]["version"], 2);
        assert_eq!(same["data"]["dealMoveStage"]["lostReason"], Json::Null);

        let won = app.move_deal(&alpha, deal, "ganho", "").await;
        let won = &won["data"]["dealMoveStage"];
        assert_eq!((&won["status"], &won["actualCloseDate"]), (&json!("WON"), &json!("2026-03-12")));

        for (reason, expected) in [("", "INVALID"), (", lostReason: \"  \"", "INVALID")] {
            let refused = app.move_deal(&alpha, deal, "perdido", reason).await;
            assert_eq!((code(&refused), field(&refused)), (expected, "lostReason"));
        }
        app.app.clock.advance(TimeDelta::days(1));
        let lost = app.move_deal(&alpha, deal, "perdido", ", lostReason: \"Preço\"").await;
        let lost = &lost["data"]["dealMoveStage"];
        assert_eq!((&lost["status"], &lost["lostReason"]), (&json!("LOST"), &json!("Preço")));
        assert_eq!(lost["actualCloseDate"], "2026-03-13");

        let open = app.move_deal(&alpha, deal, "negociacao", ", expectedVersion: 4").await;
        let open = &open["data"]["dealMoveStage"];
        assert_eq!(open["status"], "OPEN");
        assert_eq!((&open["actualCloseDate"], &open["lostReason"]), (&Json::Null, &Json::Null));
        let stale = app.move_deal(&alpha, deal, "ganho", ", expectedVersion: 4").await;
        assert_eq!((code(&stale), field(&stale)), ("CONFLICT", "expectedVersion"));
        assert_eq!(stale["errors"][0]["extensions"]["current"]["version"], 5);

        let slugs = ["prospeccao", "proposta", "ganho", "perdido", "negociacao"];
        let expected: Vec<_> = slugs
            .windows(2)
            .map(|pair| (Some(pair[0].to_owned()), pair[1].to_owned()))
            .collect();
        assert_eq!(app.way(&alpha, deal).await, expected);
        let trail = app.trail(&alpha).await.since(&before);
        assert_eq!(
            trail.kinds(),
            [
                "deal.updated", "deal.updated", "deal.won", "deal.updated", "deal.lost",
                "deal.updated", "deal.reopened",
            ]
        );
    }

    async fn stages_of_others_are_not_found(app: TestApp) {
        let (alpha, beta) = (app.alpha.clone(), app.beta.clone());
        let deal = app.deal(&alpha, "Licença", &[]).await;
        let query = "mutation($id: ID!, $stage: ID!) { dealMoveStage(id: $id, stageId: $stage) { id } }";
        let gone = app.stage(&alpha, "fechamento").await;
        app.write_sql(
            "UPDATE pipeline_stages SET deleted_at = ? WHERE id = ?",
            vec![Value::Instant(app.app.clock.now()), Value::Id(gone)],
        )
        .await;
        for stage in [app.stage(&beta, "ganho").await, Uuid::nil(), gone] {
            let variables = json!({ "id": deal, "stage": stage });
            assert_eq!(app.error_code(&alpha.admin.key, query, variables).await, "NOT_FOUND");
        }
        let variables = json!({ "id": deal, "stage": app.stage(&beta, "ganho").await });
        assert_eq!(app.error_code(&beta.admin.key, query, variables).await, "NOT_FOUND");
        assert!(app.way(&alpha, deal).await.is_empty());
    }

    /// Days are the tenant's: at 23:30 in São Paulo it is tomorrow in UTC.
    async fn a_deal_is_closed_today_by_the_tenants_calendar(app: TestApp) {
        let alpha = app.alpha.clone();
        let late: DateTime<Utc> = "2026-04-01T02:30:00Z".parse().unwrap();
        app.app.clock.advance(late - app.app.clock.now());
        let deal = app.deal(&alpha, "Tarde", &[]).await;
        let won = app.move_deal(&alpha, deal, "ganho", "").await;
        assert_eq!(won["data"]["dealMoveStage"]["actualCloseDate"], "2026-03-31");
        app.app.clock.advance(TimeDelta::minutes(30));
        let deal = app.deal(&alpha, "Cedo", &[]).await;
        let won = app.move_deal(&alpha, deal, "ganho", "").await;
        assert_eq!(won["data"]["dealMoveStage"]["actualCloseDate"], "2026-04-01");
    }

    async fn a_deal_may_begin_closed(app: TestApp) {
        let alpha = app.alpha.clone();
        let query = "mutation($input: DealCreateInput!) { dealCreate(input: $input) \
                     { id status actualCloseDate lostReason stage { slug } } }";
        let input = async |stage: &str, more: Json| {
            let mut input = json!({ "title": "Direto", "stageId": app.stage(&alpha, stage).await });
            input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            json!({ "input": input })
        };
        let key = &alpha.manager.key;
        let before = app.trail(&alpha).await;
        let won = app.data(key, query, input("ganho", json!({})).await).await;
        let told = app.trail(&alpha).await.since(&before);
        assert_eq!(told.kinds(), ["deal.created", "deal.won"]);
        assert_eq!(won["dealCreate"]["status"], "WON");
        assert_eq!(won["dealCreate"]["actualCloseDate"], "2026-03-10");
        let earlier = json!({ "actualCloseDate": "2026-02-20" });
        let won = app.data(key, query, input("ganho", earlier).await).await;
        assert_eq!(won["dealCreate"]["actualCloseDate"], "2026-02-20");
        let refused = app.graphql(key, query, input("perdido", json!({})).await).await;
        assert_eq!((code(&refused), field(&refused)), ("INVALID", "input.lostReason"));
        let lost = json!({ "lostReason": "Verba" });
        let lost = app.data(key, query, input("perdido", lost).await).await;
        assert_eq!(lost["dealCreate"]["status"], "LOST");
        let open = json!({ "lostReason": "Verba", "actualCloseDate": "2026-02-20" });
        let open = app.data(key, query, input("proposta", open).await).await;
        assert_eq!(open["dealCreate"]["status"], "OPEN");
        assert_eq!(open["dealCreate"]["lostReason"], Json::Null);
        assert_eq!(open["dealCreate"]["actualCloseDate"], Json::Null);
        let id = open["dealCreate"]["id"].as_str().unwrap().parse().unwrap();
        assert_eq!(app.way(&alpha, id).await, [(None, "proposta".to_owned())]);
        // The state follows from the stage and cannot be written.
        let written = "mutation { dealCreate(input: { title: \"x\", status: WON }) { id } }";
        assert!(app.graphql(key, written, Json::Null).await["errors"].is_array());
    }

    async fn work_is_handed_over_within_reach(app: TestApp) {
        let alpha = app.alpha.clone();
        let deal = app.deal(&alpha, "Licença", &[]).await;
        let lead = app.lead(&alpha, "Lead", &[("assigned_to", alpha.comercial.id.into())]).await;
        let give_deal = "mutation($id: ID!, $to: ID!) { dealAssign(id: $id, ownerId: $to) { owner { id } } }";
        let give_lead = "mutation($id: ID!, $to: ID!) { leadAssign(id: $id, assigneeId: $to) { assignee { id } } }";
        for (query, id) in [(give_deal, deal), (give_lead, lead)] {
            let to = |person: Uuid| json!({ "id": id, "to": person });
            // The manager reaches what the seller has.
            let done = app.data(&alpha.manager.key, query, to(alpha.admin.id)).await;
            assert!(done.to_string().contains(&alpha.admin.id.to_string()));
            // Now it is out of both their reach,
            for person in [&alpha.manager, &alpha.comercial] {
                let code = app.error_code(&person.key, query, to(person.id)).await;
                assert_eq!(code, "FORBIDDEN");
            }
            // and nobody from elsewhere gets it.
            let foreign = app.error_code(&alpha.admin.key, query, to(app.beta.admin.id)).await;
            assert_eq!(foreign, "NOT_FOUND");
            let other = app.error_code(&app.beta.admin.key, query, to(app.beta.admin.id)).await;
            assert_eq!(other, "NOT_FOUND");
        }
    }

    async fn a_score_has_bounds_and_a_temperature(app: TestApp) {
        let alpha = app.alpha.clone();
        let lead = app.lead(&alpha, "Lead", &[("assigned_to", alpha.comercial.id.into())]).await;
        let score = async |rest: &str| {
            let query = format!(
                "mutation {{ leadScore(id: \"{lead}\", {rest}) {{ score temperature }} }}"
            );
            app.graphql(&alpha.comercial.key, &query, Json::Null).await
        };
        for (points, temperature) in
            [(0, "COLD"), (39, "COLD"), (40, "WARM"), (69, "WARM"), (70, "HOT"), (100, "HOT")]
        {
            let answer = score(&format!("score: {points}")).await;
            let expected = json!({ "score": points, "temperature": temperature });
            assert_eq!(answer["data"]["leadScore"], expected);
        }
        let given = score("score: 90, temperature: COLD").await;
        assert_eq!(given["data"]["leadScore"], json!({ "score": 90, "temperature": "COLD" }));
        for points in ["-1", "101", "2147483647"] {
            let answer = score(&format!("score: {points}")).await;
            assert_eq!((code(&answer), field(&answer)), ("INVALID", "score"), "{points}");
        }
        for wrong in ["score: 1.5", "score: 99999999999", "temperature: HOT"] {
            assert!(score(wrong).await["errors"].is_array(), "{wrong}");
        }
    }

    async fn leads_keep_to_their_machine(app: TestApp) {
        let alpha = app.alpha.clone();
        let key = &alpha.admin.key;
        let states = ["NEW", "CONTACTED", "QUALIFIED", "UNQUALIFIED", "CONVERTED", "LOST"];
        for from in states {
            for to in states {
                let stored = from.to_lowercase();
                let lead = app.lead(&alpha, "Lead", &[("status", stored.as_str().into())]).await;
                let query = format!(
                    "mutation {{ leadUpdate(id: \"{lead}\", input: {{ status: {to} }}) {{ status }} }}"
                );
                let answer = app.graphql(key, &query, Json::Null).await;
                let allowed = from == to
                    || matches!(
                        (from, to),
                        ("NEW", "CONTACTED") | ("CONTACTED", "QUALIFIED")
                            | ("NEW" | "CONTACTED" | "QUALIFIED", "UNQUALIFIED" | "LOST")
                            | ("UNQUALIFIED" | "LOST", "CONTACTED")
                    );
                if allowed {
                    assert_eq!(answer["data"]["leadUpdate"]["status"], to, "{from} {answer:#}");
                } else {
                    assert_eq!((code(&answer), field(&answer)), ("CONFLICT", "input.status"), "{from} {to}");
                }
            }
        }
        for status in &states[1..] {
            let query = format!(
                "mutation {{ leadCreate(input: {{ source: \"site\", status: {status} }}) {{ id }} }}"
            );
            let answer = app.graphql(key, &query, Json::Null).await;
            assert_eq!((code(&answer), field(&answer)), ("INVALID", "input.status"), "{status}");
        }
        let begun = "mutation { leadCreate(input: { source: \"site\" }) { status score temperature } }";
        let begun = app.data(key, begun, Json::Null).await;
        assert_eq!(begun["leadCreate"], json!({ "status": "NEW", "score": 0, "temperature": "COLD" }));
    }

    async fn enums_have_labels_in_both_languages(app: TestApp) {
        let key = &app.alpha.agente_ia.key;
        let query = "{ enums { name values { value labelEn labelPt } } }";
        let enums = app.data(key, query, Json::Null).await;
        let enums = enums["enums"].as_array().unwrap();
        let names: Vec<&str> = enums.iter().map(|each| each["name"].as_str().unwrap()).collect();
        assert_eq!(
            names,
            [
                "CompanySize", "DealActivityKind", "DealStatus", "InteractionDirection",
                "InteractionType", "LeadStatus", "LeadTemperature",
            ]
        );
        // The schema says the same of each, so that no label is missing and none is left over.
        for each in enums {
            let schema = "query($name: String!) { __type(name: $name) { enumValues { name } } }";
            let schema = app.data(key, schema, json!({ "name": each["name"] })).await;
            let values = schema["__type"]["enumValues"].as_array().unwrap();
            let values: Vec<&Json> = values.iter().map(|value| &value["name"]).collect();
            let labelled: Vec<&Json> =
                each["values"].as_array().unwrap().iter().map(|value| &value["value"]).collect();
            assert_eq!(values, labelled);
            for value in each["values"].as_array().unwrap() {
                for label in ["labelEn", "labelPt"] {
                    assert!(!value[label].as_str().unwrap().is_empty());
                }
            }
        }
        let one = app.data(key, "{ enums(name: \"LeadTemperature\") { values { labelPt } } }", Json::Null).await;
        let labels = json!([{ "labelPt": "Quente" }, { "labelPt": "Morno" }, { "labelPt": "Frio" }]);
        assert_eq!(one["enums"], json!([{ "values": labels }]));
        assert_eq!(app.error_code("nobody", query, Json::Null).await, "UNAUTHENTICATED");
    }

    async fn nul_characters_are_refused_everywhere(app: TestApp) {
        let alpha = app.alpha.clone();
        let lead = app.lead(&alpha, "Lead", &[]).await;
        let nul = "a\\u0000b";
        let fields = [
            format!("leads(filter: {{ name: {{ eq: \"{nul}\" }} }}) {{ nodes {{ id }} }}"),
            format!("leads(filter: {{ name: {{ in: [\"x\", \"{nul}\"] }} }}) {{ nodes {{ id }} }}"),
            format!("leads(filter: {{ name: {{ contains: \"{nul}\" }} }}) {{ nodes {{ id }} }}"),
            format!("leads(filter: {{ name: {{ search: \"{nul}\" }} }}) {{ nodes {{ id }} }}"),
            format!("leads(filter: {{ source: {{ gt: \"{nul}\" }} }}) {{ nodes {{ id }} }}"),
            format!("leads(filter: {{ source: {{ between: {{ from: \"a\", to: \"{nul}\" }} }} }}) {{ nodes {{ id }} }}"),
            format!("leads(filter: {{ id: {{ eq: \"{nul}\" }} }}) {{ nodes {{ id }} }}"),
            format!("leads(filter: {{ createdAt: {{ gt: \"{nul}\" }} }}) {{ nodes {{ id }} }}"),
            format!("leads(filter: {{ metadata: {{ path: [\"{nul}\"], eq: \"x\" }} }}) {{ nodes {{ id }} }}"),
            format!("leads(filter: {{ company: {{ name: {{ startsWith: \"{nul}\" }} }} }}) {{ nodes {{ id }} }}"),
            format!("companies(filter: {{ deals: {{ some: {{ title: {{ endsWith: \"{nul}\" }} }} }} }}) {{ nodes {{ id }} }}"),
            format!("deals(filter: {{ value: {{ eq: \"{nul}\" }} }}) {{ nodes {{ id }} }}"),
            format!("leads(search: \"{nul}\") {{ nodes {{ id }} }}"),
            format!("leads(after: \"{nul}\") {{ nodes {{ id }} }}"),
            format!("lead(id: \"{nul}\") {{ id }}"),
            format!("leadFunnel(timeZone: \"{nul}\") {{ nodes {{ leads }} }}"),
            format!("leadGroups(by: [{{ field: CREATED_AT, bucket: DAY, timeZone: \"{nul}\" }}]) {{ nodes {{ count }} }}"),
            format!("enums(name: \"{nul}\") {{ name }}"),
        ];
        let mutations = [
            format!("leadCreate(input: {{ source: \"{nul}\" }}) {{ id }}"),
            format!("leadUpdate(id: \"{lead}\", input: {{ notes: \"{nul}\" }}) {{ id }}"),
            format!("leadUpdate(id: \"{lead}\", input: {{ metadata: {{ a: [\"{nul}\"] }} }}) {{ id }}"),
            format!("leadCreate(input: {{ source: \"s\" }}) @idempotent(key: \"{nul}\") {{ id }}"),
            format!("login(tenant: \"{nul}\", email: \"a@b.example\", password: \"x\") {{ accessToken }}"),
            format!("login(tenant: \"alpha\", email: \"{nul}\", password: \"x\") {{ accessToken }}"),
            format!("login(tenant: \"alpha\", email: \"a@b.example\", password: \"{nul}\") {{ accessToken }}"),
        ];
        let queries = fields.iter().map(|field| format!("{{ {field} }}"));
        let mutations = mutations.iter().map(|field| format!("mutation {{ {field} }}"));
        let within = format!(
            "query($q: String = \"{nul}\") {{ leads(search: $q) {{ nodes {{ id }} }} }}"
        );
        let fragment = format!(
            "{{ ...F }} fragment F on Query {{ leads(search: \"{nul}\") {{ nodes {{ id }} }} }}"
        );
        for query in queries.chain(mutations).chain([within, fragment]) {
            let answer = app.graphql(&alpha.admin.key, &query, Json::Null).await;
            assert_eq!(code(&answer), "INVALID", "{query}");
        }
        // What only looks like one is a text like any other.
        let plain = "{ leads(search: \"a\\\\u0000b\") { nodes { id } } }";
        app.data(&alpha.admin.key, plain, Json::Null).await;
    }

    async fn fields_answer_in_the_order_of_the_question(app: TestApp) {
        let key = &app.alpha.admin.key;
        for query in [
            "{ leads(first: 1) { totalCount } deals { totalCount } me { tenant { slug } roles user { id } } enums { name } }",
            "{ me { roles user { fullName } tenant { id } } companies { totalCount } __typename }",
            "{ ...B enums { name } ...A } fragment A on Query { me { roles } deals { totalCount } } fragment B on Query { leads { totalCount } }",
        ] {
            for _ in 0..5 {
                let request = axum::http::Request::post("/graphql")
                    .header("Authorization", format!("Bearer {key}"))
                    .header("Content-Type", "application/json")
                    .body(json!({ "query": query }).to_string().into())
                    .unwrap();
                let text = app.request(request).await.text();
                let places: Vec<usize> = if query.contains("...B") {
                    ["\"leads\"", "\"enums\"", "\"me\"", "\"deals\""]
                        .iter().map(|key| text.find(key).unwrap()).collect()
                } else if query.starts_with("{ me") {
                    ["\"me\"", "\"roles\"", "\"user\"", "\"tenant\"", "\"companies\"", "\"__typename\""]
                        .iter().map(|key| text.find(key).unwrap()).collect()
                } else {
                    ["\"leads\"", "\"deals\"", "\"me\"", "\"tenant\"", "\"roles\"", "\"user\"", "\"enums\""]
                        .iter().map(|key| text.find(key).unwrap()).collect()
                };
                assert!(places.is_sorted(), "{text}");
            }
        }
    }
}

// ---- The pipeline in numbers ---------------------------------------------------------------------

const STAGES: [(&str, i64); 5] = [
    ("prospeccao", 10),
    ("qualificacao", 20),
    ("proposta", 50),
    ("negociacao", 70),
    ("fechamento", 90),
];

/// Deals of alpha: stage, status, currency, value, owner.
async fn pipeline(app: &TestApp) -> Vec<(&'static str, &'static str, &'static str, i64, Uuid)> {
    let alpha = &app.alpha;
    let (one, two) = (alpha.comercial.id, alpha.admin.id);
    let deals = vec![
        ("prospeccao", "open", "BRL", 10_001, one),
        ("prospeccao", "open", "BRL", 5, two),
        ("prospeccao", "open", "USD", 99_999, two),
        ("proposta", "open", "BRL", 333_333, one),
        ("proposta", "open", "BRL", 333_334, one),
        ("fechamento", "open", "EUR", 1, two),
        ("ganho", "won", "BRL", 700_000, one),
        ("perdido", "lost", "BRL", 900_000, one),
    ];
    for (stage, status, currency, value, owner) in &deals {
        let fields = [
            ("stage_id", Value::Id(app.stage(alpha, stage).await)),
            ("status", (*status).into()),
            ("currency", (*currency).into()),
            ("value", Value::Int(*value)),
            ("owned_by", Value::Id(*owner)),
        ];
        app.deal(alpha, "Negócio", &fields).await;
    }
    let deleted = [("deleted_at", Value::Instant(app.app.clock.now())), ("value", Value::Int(1))];
    app.deal(alpha, "Excluído", &deleted).await;
    app.deal(&app.beta, "De outros", &[("value", Value::Int(123))]).await;
    deals
}

fn decimal(hundredths: i64) -> String {
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

const SUMMARY: &str = "query($filter: DealFilter) { pipelineSummary(filter: $filter) { nodes { \
    stage { slug } currency count value valueAsFloat weightedValue } } }";

/// stage, currency -> count, value, weighted value.
type Summary = BTreeMap<(String, String), (i64, String, String)>;

fn summed(answer: &Json) -> Summary {
    answer["pipelineSummary"]["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            let text = |value: &Json| value.as_str().unwrap().to_owned();
            let value = text(&row["value"]);
            assert_eq!(row["valueAsFloat"].as_f64().unwrap(), value.parse::<f64>().unwrap());
            (
                (text(&row["stage"]["slug"]), text(&row["currency"])),
                (row["count"].as_i64().unwrap(), value, text(&row["weightedValue"])),
            )
        })
        .collect()
}

both_databases! {
    async fn the_summary_is_a_recount_of_the_open_deals(app: TestApp) {
        let deals = pipeline(&app).await;
        let recount = |wanted: &dyn Fn(&str, Uuid) -> bool| {
            let mut sums: BTreeMap<(&str, &str), (i64, i64)> = BTreeMap::new();
            for (stage, _) in STAGES {
                let own = deals.iter().filter(|deal| deal.0 == stage && deal.1 == "open");
                let own: Vec<_> = own.filter(|deal| wanted(deal.2, deal.4)).collect();
                if own.is_empty() {
                    sums.insert((stage, "BRL"), (0, 0));
                }
                for deal in own {
                    let sum = sums.entry((stage, deal.2)).or_default();
                    *sum = (sum.0 + 1, sum.1 + deal.3);
                }
            }
            sums.into_iter()
                .map(|((stage, currency), (count, value))| {
                    let chance = STAGES.iter().find(|(slug, _)| *slug == stage).unwrap().1;
                    // Per cent of hundredths, half a hundredth up.
                    let weighted = decimal((value * chance + 50).div_euclid(100));
                    ((stage.to_owned(), currency.to_owned()), (count, decimal(value), weighted))
                })
                .collect::<Summary>()
        };
        let key = &app.alpha.admin.key;
        let all = app.data(key, SUMMARY, Json::Null).await;
        assert_eq!(summed(&all), recount(&|_, _| true));
        let order: Vec<&str> = all["pipelineSummary"]["nodes"].as_array().unwrap().iter()
            .map(|row| row["stage"]["slug"].as_str().unwrap()).collect();
        assert_eq!(order, ["prospeccao", "prospeccao", "qualificacao", "proposta", "negociacao", "fechamento"]);

        let dollars = json!({ "filter": { "currency": { "eq": "USD" } } });
        let some = app.data(key, SUMMARY, dollars).await;
        assert_eq!(summed(&some), recount(&|currency, _| currency == "USD"));
        let big = json!({ "filter": { "owner": { "fullName": { "contains": "comercial" } } } });
        let some = app.data(key, SUMMARY, big).await;
        let seller = app.alpha.comercial.id;
        assert_eq!(summed(&some), recount(&|_, owner| owner == seller));

        // Who sees only their own deals sees only their own sums.
        let own = app
            .key_with(&app.alpha, seller, json!({
                "deals": { "read": "own" }, "pipeline_stages": { "read": "all" },
            }))
            .await;
        let mine = app.data(&own, SUMMARY, Json::Null).await;
        assert_eq!(summed(&mine), recount(&|_, owner| owner == seller));
        // What may not be read may not be asked by, either.
        let by_owner = json!({ "filter": { "owner": { "fullName": { "contains": "a" } } } });
        assert_eq!(app.error_code(&own, SUMMARY, by_owner).await, "FORBIDDEN");
        assert_eq!(app.error_code(&app.alpha.agente_ia.key, SUMMARY, Json::Null).await, "FORBIDDEN");
        let theirs = app.data(&app.beta.admin.key, SUMMARY, Json::Null).await;
        assert_eq!(summed(&theirs)[&("prospeccao".into(), "BRL".into())].0, 1);
    }

    async fn open_deals_in_a_stage_that_is_gone_are_not_lost(app: TestApp) {
        let alpha = app.alpha.clone();
        app.deal(&alpha, "Órfão", &[("value", Value::Int(100))]).await;
        app.write_sql(
            "UPDATE pipeline_stages SET deleted_at = ? WHERE id = ?",
            vec![
                Value::Instant(app.app.clock.now()),
                Value::Id(app.stage(&alpha, "prospeccao").await),
            ],
        )
        .await;
        let query = "{ pipelineSummary { nodes { stageId stage { slug } count value } } }";
        let rows = app.data(&alpha.admin.key, query, Json::Null).await;
        let rows = rows["pipelineSummary"]["nodes"].as_array().unwrap().clone();
        assert_eq!(rows.len(), 5);
        assert_eq!(rows[4]["stage"], Json::Null);
        assert_eq!((&rows[4]["count"], &rows[4]["value"]), (&json!(1), &json!("1.00")));
    }

    async fn stage_numbers_are_a_recount_of_the_moves(app: TestApp) {
        let alpha = app.alpha.clone();
        let start = app.app.clock.now();
        let create = "mutation($input: DealCreateInput!) { dealCreate(input: $input) { id } }";
        let first = app.stage(&alpha, "prospeccao").await;
        let mut deals: Vec<Uuid> = Vec::new();
        for number in 0..5 {
            let owner = if number == 4 { alpha.admin.id } else { alpha.comercial.id };
            let input = json!({ "title": "N", "stageId": first, "ownerId": owner });
            let made = app.data(&alpha.admin.key, create, json!({ "input": input })).await;
            deals.push(made["dealCreate"]["id"].as_str().unwrap().parse().unwrap());
        }
        let at = |half_days: i64| start + TimeDelta::hours(12 * half_days);
        for (half_days, deal, stage) in [
            (2, 0, "qualificacao"),
            (4, 1, "qualificacao"),
            (7, 2, "perdido"),
            (8, 0, "proposta"),
            (9, 1, "prospeccao"),
            (12, 4, "qualificacao"),
            (14, 0, "ganho"),
        ] {
            app.app.clock.advance(at(half_days) - app.app.clock.now());
            let moved = app.move_deal_as_admin(&alpha, deals[deal], stage).await;
            assert!(moved.get("errors").is_none(), "{moved:#}");
        }
        let stats = async |key: &str, arguments: &str| {
            let query = format!(
                "{{ pipelineStageStats{arguments} {{ nodes {{ stage {{ slug }} entered left \
                 averageDays advanced conversion lost }} }} }}"
            );
            let answer = app.data(key, &query, Json::Null).await;
            let rows = answer["pipelineStageStats"]["nodes"].as_array().unwrap().clone();
            rows.into_iter()
                .map(|mut row| (row["stage"]["slug"].as_str().unwrap().to_owned(), row.take()))
                .collect::<BTreeMap<String, Json>>()
        };
        let row = |stage: &str, numbers: (i64, i64, Option<f64>, i64, Option<f64>, i64)| {
            let (entered, left, days, advanced, conversion, lost) = numbers;
            (stage.to_owned(), json!({
                "stage": { "slug": stage }, "entered": entered, "left": left, "averageDays": days,
                "advanced": advanced, "conversion": conversion, "lost": lost,
            }))
        };
        let all = stats(&alpha.admin.key, "").await;
        assert_eq!(all, BTreeMap::from([
            // Five came and one came back; days 1, 2, 3.5 and 6 of those that left.
            row("prospeccao", (6, 4, Some(3.125), 3, Some(0.5), 1)),
            // Three days, two and a half; the third is still there.
            row("qualificacao", (3, 2, Some(2.75), 1, Some(1.0 / 3.0), 0)),
            row("proposta", (1, 1, Some(3.0), 1, Some(1.0), 0)),
            row("ganho", (1, 0, None, 0, None, 0)),
            row("perdido", (1, 0, None, 0, None, 0)),
        ]));
        // Those that came from the second day on, before the sixth.
        let from = at(4).to_rfc3339();
        let window = format!("(from: \"{from}\", to: {})", at(12).timestamp_millis());
        let some = stats(&alpha.admin.key, &window).await;
        assert_eq!(some, BTreeMap::from([
            row("prospeccao", (1, 0, None, 0, Some(0.0), 0)),
            row("qualificacao", (1, 1, Some(2.5), 0, Some(0.0), 0)),
            row("proposta", (1, 1, Some(3.0), 1, Some(1.0), 0)),
            row("perdido", (1, 0, None, 0, None, 0)),
        ]));
        let own = app
            .key_with(&alpha, alpha.admin.id, json!({
                "deals": { "read": "own" }, "pipeline_stages": { "read": "all" },
            }))
            .await;
        assert_eq!(stats(&own, "").await, BTreeMap::from([
            row("prospeccao", (1, 1, Some(6.0), 1, Some(1.0), 0)),
            row("qualificacao", (1, 0, None, 0, Some(0.0), 0)),
        ]));
        assert!(stats(&app.beta.admin.key, "").await.is_empty());
    }

    /// São Paulo is three hours behind UTC; New York moves its clock on 8 March 2026 at 07:00 UTC.
    async fn the_funnel_counts_by_month_of_a_zone(app: TestApp) {
        let alpha = app.alpha.clone();
        for (created_at, source, status) in [
            ("2026-02-01T02:59:59Z", "site", "converted"),
            ("2026-02-01T03:00:00Z", "site", "qualified"),
            ("2026-02-28T12:00:00Z", "site", "contacted"),
            ("2026-03-01T04:30:00Z", "evento", "new"),
            ("2026-04-01T03:30:00Z", "evento", "lost"),
            ("2026-04-01T04:30:00Z", "evento", "unqualified"),
        ] {
            let at = created_at.parse::<DateTime<Utc>>().unwrap();
            let fields = [
                ("created_at", Value::Instant(at)),
                ("source", source.into()),
                ("status", status.into()),
                ("assigned_to", Value::Id(if source == "site" { alpha.admin.id } else { alpha.comercial.id })),
            ];
            app.lead(&alpha, "Lead", &fields).await;
        }
        app.lead(&alpha, "Excluído", &[("deleted_at", Value::Instant(app.app.clock.now()))]).await;
        let funnel = async |key: &str, arguments: &str| {
            let query = format!(
                "{{ leadFunnel{arguments} {{ nodes {{ month source leads contacted qualified \
                 converted unqualified lost conversion }} }} }}"
            );
            app.data(key, &query, Json::Null).await["leadFunnel"]["nodes"].take()
        };
        let row = |month: &str, source: &str, counts: [i64; 6], rate: f64| {
            let [leads, contacted, qualified, converted, unqualified, lost] = counts;
            json!({
                "month": month, "source": source, "leads": leads, "contacted": contacted,
                "qualified": qualified, "converted": converted, "unqualified": unqualified,
                "lost": lost, "conversion": rate,
            })
        };
        let key = &alpha.admin.key;
        assert_eq!(funnel(key, "").await, json!([
            row("2026-01-01", "site", [1, 1, 1, 1, 0, 0], 1.0),
            row("2026-02-01", "site", [2, 2, 1, 0, 0, 0], 0.0),
            row("2026-03-01", "evento", [1, 0, 0, 0, 0, 0], 0.0),
            row("2026-04-01", "evento", [2, 0, 0, 0, 1, 1], 0.0),
        ]));
        assert_eq!(funnel(key, "(timeZone: \"UTC\")").await[0]["month"], "2026-02-01");
        // In winter New York is five hours behind, in summer four.
        let new_york = funnel(key, "(timeZone: \"America/New_York\")").await;
        assert_eq!(new_york[1], row("2026-02-01", "evento", [1, 0, 0, 0, 0, 0], 0.0));
        assert_eq!(new_york[3], row("2026-03-01", "evento", [1, 0, 0, 0, 0, 1], 0.0));
        assert_eq!(new_york[4], row("2026-04-01", "evento", [1, 0, 0, 0, 1, 0], 0.0));
        let window = "(from: \"2026-02-01T00:00:00-03:00\", to: \"2026-03-01T00:00:00-03:00\")";
        assert_eq!(funnel(key, window).await, json!([row("2026-02-01", "site", [2, 2, 1, 0, 0, 0], 0.0)]));
        let wrong = "{ leadFunnel(timeZone: \"Mars/Olympus\") { nodes { leads } } }";
        assert_eq!(app.error_code(key, wrong, Json::Null).await, "INVALID");
        let own = app.key_with(&alpha, alpha.comercial.id, json!({ "leads": { "read": "own" } })).await;
        let sources: Vec<Json> = funnel(&own, "").await.as_array().unwrap().iter()
            .map(|row| row["source"].clone()).collect();
        assert_eq!(sources, ["evento", "evento"]);
        assert_eq!(funnel(&app.beta.admin.key, "").await, json!([]));
    }
}

impl TestApp {
    async fn move_deal_as_admin(&self, tenant: &Tenant, deal: Uuid, stage: &str) -> Json {
        let stage = self.stage(tenant, stage).await;
        let query = format!(
            "mutation {{ dealMoveStage(id: \"{deal}\", stageId: \"{stage}\", lostReason: \"Preço\") \
             {{ id }} }}"
        );
        self.graphql(&tenant.admin.key, &query, Json::Null).await
    }
}
