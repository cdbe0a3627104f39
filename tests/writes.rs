//! Changing one record: what is accepted and in which form, what is refused and where, updates and
//! their versions, the moves of a lead.

use pulso::db::Value;
use serde_json::{Value as Json, json};
use uuid::Uuid;

use crate::support::writing::{CNPJ, at, nowhere};
use crate::support::{TestApp, both_databases};

/// Objects within objects, `depth` levels of them.
fn nested(depth: usize) -> Json {
    (0..depth).fold(json!(1), |inner, _| json!({ "a": inner }))
}

both_databases! {
    async fn values_take_their_normal_form(app: TestApp) {
        let key = &app.alpha.admin.key;
        let input = json!({
            "name": "Padaria São João", "cnpj": "11.222.333/0001-81", "addressZip": "01310-100",
            "addressState": "sp", "country": "br", "currency": "usd", "annualRevenue": "12.5",
            "website": " https://exemplo.com.br ", "metadata": { "b": [1, 2.5, null], "a": "é" },
        });
        let selection = "{ name cnpj addressZip addressState country currency annualRevenue website \
             metadata version ownerId creator { id } createdAt updatedAt deletedAt tradeName }";
        let company = app.done(key, "companyCreate", json!({ "input": input }), selection).await;
        assert_eq!(company, json!({
            "name": "Padaria São João", "cnpj": CNPJ, "addressZip": "01310100",
            "addressState": "SP", "country": "BR", "currency": "USD", "annualRevenue": "12.50",
            "website": "https://exemplo.com.br", "metadata": { "b": [1, 2.5, null], "a": "é" },
            "version": 1, "ownerId": app.alpha.admin.id, "creator": { "id": app.alpha.admin.id },
            "createdAt": "2026-03-10T12:00:00Z", "updatedAt": "2026-03-10T12:00:00Z",
            "deletedAt": null, "tradeName": null,
        }));
        let input = json!({ "name": "Letras", "cnpj": "12.abc.345/01de-35" });
        let company = app.done(key, "companyCreate", json!({ "input": input }), "{ cnpj }").await;
        assert_eq!(company["cnpj"], "12ABC34501DE35");
        let input = json!({
            "fullName": "José", "phone": "(11) 98765-4321", "whatsapp": "+351 912 345 678",
            "email": " Jose.Silva@Exemplo.COM.br ",
        });
        let selection = "{ phone whatsapp email isDecisionMaker metadata }";
        let contact = app.done(key, "contactCreate", json!({ "input": input }), selection).await;
        assert_eq!(contact["phone"], "+5511987654321");
        assert_eq!(contact["whatsapp"], "+351912345678");
        assert_eq!(contact["email"], "Jose.Silva@exemplo.com.br");
        assert_eq!((&contact["isDecisionMaker"], &contact["metadata"]), (&json!(false), &json!({})));
        // What a lead and a deal are when nobody says more.
        let lead = app.least(&app.alpha, "Lead").await;
        let selection = "{ status temperature score assigneeId convertedAt }";
        let lead = app.done(key, "leadCreate", json!({ "input": lead }), selection).await;
        assert_eq!(lead, json!({ "status": "NEW", "temperature": "COLD", "score": 0,
            "assigneeId": app.alpha.admin.id, "convertedAt": null }));
        let deal = app.least(&app.alpha, "Deal").await;
        let selection = "{ status value currency ownerId stageChangedAt }";
        let deal = app.done(key, "dealCreate", json!({ "input": deal }), selection).await;
        assert_eq!(deal, json!({ "status": "OPEN", "value": "0.00", "currency": "BRL",
            "ownerId": app.alpha.admin.id, "stageChangedAt": "2026-03-10T12:00:00Z" }));
        // The folded twins are kept by the application: found without accents.
        let found = "{ companies(filter: { name: { contains: \"sao joao\" } }) { nodes { cnpj } } }";
        let found = app.data(key, found, json!({})).await;
        assert_eq!(found["companies"]["nodes"], json!([{ "cnpj": CNPJ }]));
    }

    async fn wrong_values_are_refused_where_they_stand(app: TestApp) {
        let key = &app.alpha.admin.key;
        let long = "x".repeat(256);
        let company = |extra: Json| {
            let mut input = json!({ "name": "Nome" });
            for (name, value) in extra.as_object().unwrap() {
                input[name] = value.clone();
            }
            ("companyCreate", input)
        };
        let cases: Vec<((&str, Json), &str, &str)> = vec![
            (company(json!({ "cnpj": "11.222.333/0001-82" })), "INVALID", "input.cnpj"),
            (company(json!({ "cnpj": "00000000000000" })), "INVALID", "input.cnpj"),
            (company(json!({ "addressZip": "123" })), "INVALID", "input.addressZip"),
            (company(json!({ "addressState": "SPX" })), "INVALID", "input.addressState"),
            (company(json!({ "currency": "XXQ" })), "INVALID", "input.currency"),
            // Three decimals do not fit hundredths.
            (company(json!({ "currency": "KWD" })), "INVALID", "input.currency"),
            (company(json!({ "currency": null })), "INVALID", "input.currency"),
            (company(json!({ "annualRevenue": "1.005" })), "INVALID", "input.annualRevenue"),
            (company(json!({ "annualRevenue": "1e3" })), "INVALID", "input.annualRevenue"),
            (company(json!({ "annualRevenue": "1,50" })), "INVALID", "input.annualRevenue"),
            (company(json!({ "annualRevenue": "92233720368547758.08" })), "INVALID",
                "input.annualRevenue"),
            (company(json!({ "annualRevenue": "10.50", "currency": "JPY" })), "INVALID",
                "input.annualRevenue"),
            (company(json!({ "employees": -1 })), "INVALID", "input.employees"),
            (company(json!({ "foundedYear": 99 })), "INVALID", "input.foundedYear"),
            (company(json!({ "website": "javascript:alert(1)" })), "INVALID", "input.website"),
            (company(json!({ "tradeName": long })), "INVALID", "input.tradeName"),
            (company(json!({ "notes": "x".repeat(100_001) })), "LIMIT_EXCEEDED", "input.notes"),
            (company(json!({ "metadata": { "k": "x".repeat(65_536) } })), "LIMIT_EXCEEDED",
                "input.metadata"),
            (company(json!({ "ownerId": "nobody" })), "INVALID", "input.ownerId"),
            (company(json!({ "ownerId": Uuid::max() })), "NOT_FOUND", "input.ownerId"),
            (("companyCreate", json!({ "name": "" })), "INVALID", "input.name"),
            (("companyCreate", json!({ "name": " \t" })), "INVALID", "input.name"),
            (("contactCreate", json!({ "fullName": "J", "email": "j@" })), "INVALID", "input.email"),
            (("contactCreate", json!({ "fullName": "J", "phone": "12" })), "INVALID", "input.phone"),
            (("leadCreate", json!({ "source": "s", "score": 101 })), "INVALID", "input.score"),
            (("leadCreate", json!({ "source": "s", "firstContactAt": "yesterday" })), "INVALID",
                "input.firstContactAt"),
            (("leadCreate", json!({ "source": "s", "status": "QUALIFIED" })), "INVALID",
                "input.status"),
            (("dealCreate", json!({ "title": "t" })), "INVALID", "input.stageId"),
            (("dealCreate", json!({ "title": "t", "stageId": Uuid::max() })), "NOT_FOUND",
                "input.stageId"),
            (("pipelineStageCreate", json!({ "name": "n", "slug": "Não", "sortOrder": 1 })),
                "INVALID", "input.slug"),
            (("pipelineStageCreate", json!({ "name": "n", "slug": "n", "sortOrder": 1,
                "color": "red" })), "INVALID", "input.color"),
            (("pipelineStageCreate", json!({ "name": "n", "slug": "n", "sortOrder": 1,
                "probability": 101 })), "INVALID", "input.probability"),
        ];
        let before = app.trail(&app.alpha).await;
        for ((field, input), code, place) in cases {
            let shown: String = input.to_string().chars().take(200).collect();
            let refused = app.refusal(key, field, json!({ "input": input })).await;
            assert_eq!(refused, at(code, place), "{field} {shown}");
        }
        // Nothing stays of what was refused.
        assert!(app.trail(&app.alpha).await.since(&before).is_empty());
        assert_eq!(app.count(&app.alpha, "companies").await, 0);
        assert_eq!(app.count(&app.alpha, "leads").await, 0);
        // NUL, which PostgreSQL cannot store, by any way in.
        for place in ["notes: \"a\\u0000b\"", "metadata: { k: [\"a\\u0000b\"] }"] {
            let query =
                format!("mutation {{ companyCreate(input: {{ name: \"n\", {place} }}) {{ id }} }}");
            assert_eq!(app.error_code(key, &query, json!({})).await, "INVALID");
        }
        let variables = json!({ "input": { "name": "a\u{0}" } });
        let answer = app.mutate(key, "companyCreate", variables, "{ id }").await;
        assert_eq!(answer["code"], "INVALID", "{answer:#}");
        // The schema itself demands what cannot be left out.
        let answer = app.mutate(key, "companyCreate", json!({ "input": {} }), "{ id }").await;
        let code = answer["errors"][0]["extensions"]["code"].as_str().unwrap();
        assert!(["GRAPHQL_VALIDATION_FAILED", "BAD_USER_INPUT"].contains(&code), "{answer:#}");
        // A check of the database that no declaration repeats is still a clear refusal.
        let stage = json!({ "name": "n", "slug": "n", "sortOrder": 1, "isWon": true, "isLost": true });
        let refused = app.refusal(key, "pipelineStageCreate", json!({ "input": stage })).await;
        assert_eq!(refused.0, "INVALID");
    }

    async fn money_is_exact_at_its_extremes(app: TestApp) {
        let key = &app.alpha.admin.key;
        let stage = app.stage(&app.alpha, "prospeccao").await;
        let amounts = [
            ("92233720368547758.07", "BRL", "92233720368547758.07"),
            ("12345678901234.57", "USD", "12345678901234.57"),
            ("0.01", "BRL", "0.01"),
            ("0", "BRL", "0.00"),
            ("1000", "JPY", "1000"),
            ("1000.00", "CLP", "1000"),
        ];
        for (given, currency, shown) in amounts {
            let input =
                json!({ "title": given, "stageId": stage, "value": given, "currency": currency });
            let selection = "{ id value currency }";
            let deal = app.done(key, "dealCreate", json!({ "input": input }), selection).await;
            assert_eq!(deal["value"], shown, "{given} {currency}");
            let again = "query($id: ID!) { deal(id: $id) { value } }";
            let again = app.data(key, again, json!({ "id": deal["id"] })).await;
            assert_eq!(again["deal"]["value"], shown, "{given} {currency}");
        }
        // Nobody is paid for taking a deal.
        for negative in ["-0.01", "-92233720368547758.08"] {
            let input = json!({ "title": "n", "stageId": stage, "value": negative });
            let refused = app.refusal(key, "dealCreate", json!({ "input": input })).await;
            assert_eq!(refused, at("INVALID", "input.value"), "{negative}");
        }
        // What a company made in a year may be a loss.
        let input = json!({ "name": "c", "annualRevenue": "-92233720368547758.08" });
        let company = app.done(key, "companyCreate", json!({ "input": input }), "{ annualRevenue }");
        assert_eq!(company.await["annualRevenue"], "-92233720368547758.08");
        // A number is read by its digits, not as a float.
        let query = format!(
            "mutation {{ dealCreate(input: {{ title: \"t\", stageId: \"{stage}\", value: 0.07 }}) \
             {{ id value }} }}"
        );
        let deal = app.data(key, &query, json!({})).await["dealCreate"].take();
        assert_eq!(deal["value"], "0.07");
        // A currency without decimals does not take over an amount that has some.
        let arguments = json!({ "id": deal["id"], "input": { "currency": "JPY" } });
        assert_eq!(app.refusal(key, "dealUpdate", arguments).await, at("INVALID", "input.value"));
    }

    /// A JSON value that looks like finished output to serde_json is stored as what it says, or
    /// refused, but never passed through.
    async fn json_cannot_pass_for_finished_output(app: TestApp) {
        let key = &app.alpha.admin.key;
        for token in ["$serde_json::private::RawValue", "$serde_json::private::Number"] {
            for text in ["{", "\",\"x\":1", "1"] {
                for metadata in [
                    json!({ token: text }),
                    json!({ "a": 1, token: text }),
                    json!({ "deep": [{ "a": 1, token: text }] }),
                ] {
                    let input = json!({ "name": "n", "metadata": metadata });
                    let arguments = json!({ "input": input });
                    let answer =
                        app.mutate(key, "companyCreate", arguments, "{ id metadata }").await;
                    let Some(error) = answer["errors"].get(0) else {
                        let stored = &answer["data"]["companyCreate"]["metadata"];
                        assert!(!stored.to_string().contains('$'), "{metadata} {stored}");
                        continue;
                    };
                    let code = error["extensions"]["code"].as_str().unwrap();
                    assert_ne!(code, "INTERNAL", "{metadata}: {answer:#}");
                }
            }
        }
        let everything = "{ companies { nodes { metadata } } }";
        app.data(key, everything, json!({})).await;
    }

    async fn json_is_bounded(app: TestApp) {
        let key = &app.alpha.admin.key;
        let with = |metadata: Json| json!({ "input": { "name": "n", "metadata": metadata } });
        app.done(key, "companyCreate", with(nested(30)), "{ metadata }").await;
        for shallow in [json!([1]), json!("text"), json!(true), json!(1.5)] {
            let made = app.done(key, "companyCreate", with(shallow.clone()), "{ metadata }").await;
            assert_eq!(made["metadata"], shallow);
        }
        let fits = json!({ "k": "x".repeat(65_000) });
        app.done(key, "companyCreate", with(fits), "{ id }").await;
    }
}

// ---- Update --------------------------------------------------------------------------------------

both_databases! {
    async fn absent_keeps_and_null_clears(app: TestApp) {
        let key = &app.alpha.admin.key;
        let input = json!({ "name": "Nome", "segment": "varejo", "notes": "n", "employees": 3 });
        let id = app.create(key, "Company", input).await;
        let update = |input: Json| json!({ "id": id, "input": input });
        let selection = "{ name segment notes employees version }";
        let changed =
            app.done(key, "companyUpdate", update(json!({ "segment": null })), selection).await;
        assert_eq!(changed, json!({ "name": "Nome", "segment": null, "notes": "n", "employees": 3,
            "version": 2 }));
        let none = app.done(key, "companyUpdate", update(json!({})), selection).await;
        assert_eq!(none, changed);
        for input in [json!({ "name": null }), json!({ "currency": null }), json!({ "metadata": null })] {
            let name = input.as_object().unwrap().keys().next().unwrap();
            let place = format!("input.{name}");
            let refused = app.refusal(key, "companyUpdate", update(input.clone())).await;
            assert_eq!(refused, at("INVALID", &place));
        }
        // What is kept by the engine is no input.
        for name in ["id", "version", "createdAt", "updatedAt", "deletedAt", "createdBy"] {
            let answer = app
                .mutate(key, "companyUpdate", update(json!({ name: "x" })), "{ id }")
                .await;
            assert!(answer["errors"].is_array(), "{name}");
        }
        let gone = json!({ "id": Uuid::max(), "input": { "name": "x" } });
        assert_eq!(app.refusal(key, "companyUpdate", gone).await, nowhere("NOT_FOUND"));
    }

    async fn an_old_version_is_told_what_is_there(app: TestApp) {
        let key = &app.alpha.admin.key;
        let id = app.create(key, "Lead", json!({ "name": "a", "source": "site" })).await;
        let update = |name: &str, version: i64| {
            json!({ "id": id, "input": { "name": name }, "expectedVersion": version })
        };
        app.done(key, "leadUpdate", update("b", 1), "{ id }").await;
        let answer = app.mutate(key, "leadUpdate", update("c", 1), "{ id }").await;
        let error = &answer["errors"][0];
        assert_eq!(error["path"], json!(["leadUpdate"]));
        let extensions = &error["extensions"];
        assert_eq!((&extensions["code"], &extensions["field"]),
            (&json!("CONFLICT"), &json!("expectedVersion")));
        assert_eq!(extensions["retryable"], false);
        let current = &extensions["current"];
        assert_eq!((&current["id"], &current["name"], &current["version"]),
            (&json!(id), &json!("b"), &json!(2)));
        // A role that may not see a field does not see it there either.
        let permissions = json!({ "leads": { "read": "all", "update": "all",
            "fields": { "source": "hidden" } } });
        let narrow = app.key_with(&app.alpha, app.alpha.comercial.id, permissions).await;
        let answer = app.mutate(&narrow, "leadUpdate", update("c", 1), "{ id }").await;
        let current = &answer["errors"][0]["extensions"]["current"];
        assert_eq!((&current["name"], current.get("source")), (&json!("b"), None));
        // Also before a deletion.
        let stale = json!({ "id": id, "expectedVersion": 1 });
        assert_eq!(app.refusal(key, "leadDelete", stale).await, at("CONFLICT", "expectedVersion"));
        app.done(key, "leadDelete", json!({ "id": id, "expectedVersion": 2 }), "{ id }").await;
    }

    async fn of_two_updates_of_one_version_one_wins(app: TestApp) {
        let key = &app.alpha.admin.key;
        let id = app.create(key, "Lead", json!({ "name": "a", "source": "site" })).await;
        for version in 1..=5 {
            let update = |score: i64| {
                let input = json!({ "score": score, "name": format!("{version}") });
                let arguments = json!({ "id": id, "input": input, "expectedVersion": version });
                app.mutate(key, "leadUpdate", arguments, "{ version }")
            };
            let (one, two, three) = tokio::join!(update(1), update(2), update(3));
            let won = [&one, &two, &three]
                .into_iter()
                .filter(|answer| answer["data"]["leadUpdate"]["version"] == json!(version + 1));
            assert_eq!(won.count(), 1, "{one:#} {two:#} {three:#}");
            let lost = [&one, &two, &three]
                .into_iter()
                .filter(|answer| answer["errors"][0]["extensions"]["code"] == "CONFLICT");
            assert_eq!(lost.count(), 2, "{one:#} {two:#} {three:#}");
        }
        // Without an expected version both are done, one after the other.
        let seen = app.trail(&app.alpha).await;
        let score = |score: i64| {
            let arguments = json!({ "id": id, "input": { "score": score } });
            app.done(key, "leadUpdate", arguments, "{ id }")
        };
        tokio::join!(score(11), score(12));
        let trail = app.trail(&app.alpha).await.since(&seen);
        let scores = |image: &Option<Json>| image.as_ref().unwrap()["score"].clone();
        assert_eq!(trail.audits.len(), 2);
        let (first, second) = if trail.audits[0].old.as_ref().unwrap()["score"] == json!(11)
            || trail.audits[0].old.as_ref().unwrap()["score"] == json!(12)
        {
            (&trail.audits[1], &trail.audits[0])
        } else {
            (&trail.audits[0], &trail.audits[1])
        };
        assert_eq!(scores(&first.new), scores(&second.old), "no change was lost");
    }

    async fn mutations_of_one_operation_run_in_order(app: TestApp) {
        let key = &app.alpha.admin.key;
        let three = "mutation { \
            a: leadCreate(input: { name: \"1\", source: \"s\" }) { name } \
            b: leadCreate(input: { name: \"2\", source: \"s\", score: 500 }) { name } \
            c: leadCreate(input: { name: \"3\", source: \"s\" }) { name } }";
        let answer = app.graphql(key, three, json!({})).await;
        assert_eq!(answer["errors"].as_array().unwrap().len(), 1, "{answer:#}");
        assert_eq!(answer["errors"][0]["path"], json!(["b"]));
        assert_eq!(answer["errors"][0]["extensions"]["field"], "input.score");
        // The first is done, the second is not, the third was not begun.
        let leads = "{ leads { nodes { name } } }";
        let names = app.data(key, leads, json!({})).await;
        assert_eq!(names["leads"]["nodes"], json!([{ "name": "1" }]));
        // Each sees what came before it.
        let order = "mutation { a: leadCreate(input: { name: \"x\", source: \"s\", externalSystem: \
            \"erp\", externalId: \"7\" }) { id version } b: leadUpsert(input: { name: \"y\", source: \
            \"s\", externalSystem: \"erp\", externalId: \"7\" }) { id version name } }";
        let done = app.data(key, order, json!({})).await;
        assert_eq!(done["a"]["id"], done["b"]["id"]);
        assert_eq!((&done["b"]["version"], &done["b"]["name"]), (&json!(2), &json!("y")));
        // Co-located fragments name one field several times: it is one mutation.
        let twice = "mutation { leadCreate(input: { name: \"once\", source: \"s\" }) { id } \
            ... on Mutation { leadCreate(input: { name: \"once\", source: \"s\" }) { name } } }";
        let done = app.data(key, twice, json!({})).await;
        assert_eq!(done["leadCreate"]["name"], "once");
        assert!(done["leadCreate"]["id"].is_string());
        let once = "{ leads(filter: { name: { eq: \"once\" } }) { totalCount } }";
        assert_eq!(app.data(key, once, json!({})).await["leads"]["totalCount"], 1);
        // Also where it fails.
        let twice = "mutation { leadCreate(input: { source: \"s\", score: 500 }) { id } \
            ... on Mutation { leadCreate(input: { source: \"s\", score: 500 }) { name } } }";
        let answer = app.graphql(key, twice, json!({})).await;
        assert_eq!(answer["errors"].as_array().unwrap().len(), 1, "{answer:#}");
    }
}

// ---- The machine of leads ------------------------------------------------------------------------

const STATES: [&str; 6] = ["NEW", "CONTACTED", "QUALIFIED", "UNQUALIFIED", "CONVERTED", "LOST"];

/// The table of design 6a; `leadUpdate` does not convert, that is `leadConvert`'s.
fn may_move(from: &str, to: &str) -> bool {
    match from {
        "NEW" => ["CONTACTED", "UNQUALIFIED", "LOST"].contains(&to),
        "CONTACTED" => ["QUALIFIED", "UNQUALIFIED", "LOST"].contains(&to),
        "QUALIFIED" => ["UNQUALIFIED", "LOST"].contains(&to),
        "UNQUALIFIED" | "LOST" => to == "CONTACTED",
        _ => false,
    }
}

both_databases! {
    async fn leads_move_along_their_machine(app: TestApp) {
        let (tenant, key) = (&app.alpha, &app.alpha.admin.key);
        for from in STATES {
            for to in STATES {
                let state = Value::from(from.to_lowercase().as_str());
                let lead = app.lead(tenant, "l", &[("status", state)]).await;
                let arguments = json!({ "id": lead, "input": { "status": to } });
                let seen = app.trail(tenant).await;
                if from == to {
                    app.done(key, "leadUpdate", arguments, "{ status }").await;
                    assert!(app.trail(tenant).await.since(&seen).is_empty());
                } else if may_move(from, to) {
                    let moved = app.done(key, "leadUpdate", arguments, "{ status }").await;
                    assert_eq!(moved["status"], to, "{from} -> {to}");
                } else {
                    let refused = app.refusal(key, "leadUpdate", arguments).await;
                    assert_eq!(refused, at("CONFLICT", "input.status"), "{from} -> {to}");
                    assert!(app.trail(tenant).await.since(&seen).is_empty());
                }
            }
        }
        // A lead begins new, however it is created.
        for state in STATES {
            let input = json!({ "source": "s", "status": state });
            let answer = app.mutate(key, "leadCreate", json!({ "input": input }), "{ status }").await;
            if state == "NEW" {
                assert_eq!(answer["data"]["leadCreate"]["status"], "NEW");
            } else {
                let extensions = &answer["errors"][0]["extensions"];
                assert_eq!((&extensions["code"], &extensions["field"]),
                    (&json!("INVALID"), &json!("input.status")), "{state}");
            }
        }
        let nested = json!({ "input": { "name": "c",
            "leads": { "create": [{ "source": "s", "status": "LOST" }] } } });
        let refused = app.refusal(key, "companyCreate", nested).await;
        assert_eq!(refused, at("INVALID", "input.leads.create.0.status"));
    }
}
