//! What people do with a CRM beyond writing fields: move a deal, hand over work, score a lead.

use chrono::{DateTime, TimeDelta, Utc};
use pulso::db::Value;
use serde_json::{Value as Json, json};
use uuid::Uuid;

use crate::support::seed::Tenant;
use crate::support::writing::{code, field};
use crate::support::{TestApp, both_databases};

impl TestApp {
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

both_databases! {
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
                "CompanySize", "Comparison", "CustomMetricState", "CustomerClass", "DealActivityKind", "DealStatus",
                "DimensionNaming", "Granularity", "InteractionDirection", "InteractionType", "JobState",
                "LastYearSource", "LeadStatus", "LeadTemperature", "MetricAggregation", "QuarantineState", "ReadKind",
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
