//! Changing one record: what is accepted and in which form, what is refused and where, and the trail
//! that every change leaves in the transaction of its row.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Request, header};
use pulso::db::Value;
use pulso::graphql::catalogue;
use pulso::record::declare::{OnDestroy, RelationKind};
use serde_json::{Value as Json, json};
use uuid::Uuid;

use crate::support::writing::{Trail, lower};
use crate::support::{TestApp, both_databases};

const CNPJ: &str = "11222333000181";

/// What a refusal says: code and field.
fn at(code: &str, field: &str) -> (String, Option<String>) {
    (code.to_owned(), Some(field.to_owned()))
}

fn nowhere(code: &str) -> (String, Option<String>) {
    (code.to_owned(), None)
}

/// Objects within objects, `depth` levels of them.
fn nested(depth: usize) -> Json {
    (0..depth).fold(json!(1), |inner, _| json!({ "a": inner }))
}

// ---- Values --------------------------------------------------------------------------------------

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
            ("-92233720368547758.08", "BRL", "-92233720368547758.08"),
            ("12345678901234.57", "USD", "12345678901234.57"),
            ("0.01", "BRL", "0.01"),
            ("-0.01", "BRL", "-0.01"),
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

// ---- The trail -----------------------------------------------------------------------------------

/// A change as it comes from outside, with an address and a request id.
async fn from_outside(app: &TestApp, key: &str, query: &str) -> Json {
    let body = json!({ "query": query }).to_string();
    let mut request = Request::post("/graphql")
        .header(header::AUTHORIZATION, format!("Bearer {key}"))
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::USER_AGENT, "test/1.0")
        .header("x-request-id", "request-77")
        .body(Body::from(body))
        .unwrap();
    let peer: SocketAddr = "203.0.113.9:4711".parse().unwrap();
    request.extensions_mut().insert(ConnectInfo(peer));
    app.request(request).await.json()
}

/// The one thing that happened, told in every place where it must be told.
#[track_caller]
fn one_change(trail: &Trail, (resource, noun): (&str, &str), (verb, past): (&str, &str), id: Uuid) {
    assert_eq!(trail.actions(), [format!("{noun}.{verb}")]);
    assert_eq!(trail.kinds(), [format!("{noun}.{past}")]);
    let (audit, event) = (&trail.audits[0], &trail.events[0]);
    assert_eq!((audit.resource.as_str(), audit.resource_id), (resource, Some(id)));
    assert_eq!((event.resource.as_deref(), event.resource_id), (Some(resource), Some(id)));
    assert_eq!(audit.user_id, event.actor_id);
    assert!(["growth", "core"].contains(&event.module.as_str()));
    assert_eq!(event.payload["id"], json!(id));
    let batch = (event.batch_id, "normal".to_owned(), 1, "queued".to_owned());
    assert_eq!(trail.batches, [batch]);
    let told = json!({ "eventId": event.id, "resource": resource, "id": id });
    assert_eq!(trail.outbox, [(format!("{noun}.{past}"), told)]);
    assert_eq!(trail.epochs.values().collect::<Vec<_>>(), [&1]);
    assert!(trail.epochs.keys().all(|name| name.starts_with(&format!("{resource}/"))));
}

both_databases! {
    async fn every_change_leaves_its_trail(app: TestApp) {
        let key = &app.alpha.admin.key;
        let row = "query($id: ID!) { lead(id: $id) { version createdAt updatedAt } }";
        let mut seen = app.trail(&app.alpha).await;
        let created = from_outside(&app, key, "mutation { leadCreate(input: { name: \"Maria\", \
            source: \"site\", score: 5, notes: \"liga às 9h\", metadata: { cpf: \"123\" } }) { id } }");
        let created = created.await;
        let id: Uuid = created["data"]["leadCreate"]["id"].as_str().unwrap().parse().unwrap();
        let trail = app.trail(&app.alpha).await.since(&seen);
        one_change(&trail, ("leads", "lead"), ("create", "created"), id);
        let audit = &trail.audits[0];
        assert_eq!(audit.user_id, Some(app.alpha.admin.id));
        assert!(audit.api_key_id.is_some());
        assert_eq!(audit.ip.as_deref(), Some("203.0.113.9"));
        assert_eq!(audit.agent.as_deref(), Some("test/1.0"));
        assert_eq!(audit.request_id.as_deref(), Some("request-77"));
        assert_eq!(audit.old, None);
        let new = audit.new.as_ref().unwrap();
        assert_eq!((&new["name"], &new["notes"]), (&json!("Maria"), &json!("liga às 9h")));
        assert!(new.get("companyId").is_none(), "what was left empty goes without saying: {new}");
        let payload = &trail.events[0].payload;
        assert_eq!((&payload["after"]["source"], &payload["after"]["score"]),
            (&json!("site"), &json!(5)));
        for private in ["name", "notes", "metadata", "sourceDetail"] {
            assert!(payload["after"].get(private).is_none(), "{private}: {payload}");
        }

        app.app.clock.advance(chrono::TimeDelta::minutes(5));
        seen = app.trail(&app.alpha).await;
        let input = json!({ "score": 50, "notes": "outra coisa", "source": "site" });
        let arguments = json!({ "id": id, "input": input });
        app.done(key, "leadUpdate", arguments.clone(), "{ id }").await;
        let trail = app.trail(&app.alpha).await.since(&seen);
        one_change(&trail, ("leads", "lead"), ("update", "updated"), id);
        let audit = &trail.audits[0];
        assert_eq!(audit.old, Some(json!({ "score": 5, "notes": "liga às 9h" })));
        assert_eq!(audit.new, Some(json!({ "score": 50, "notes": "outra coisa" })));
        let payload = json!({ "id": id, "before": { "score": 5 }, "after": { "score": 50 } });
        assert_eq!(trail.events[0].payload, payload);
        let now = app.data(key, row, json!({ "id": id })).await;
        assert_eq!(now["lead"], json!({ "version": 2, "createdAt": "2026-03-10T12:00:00Z",
            "updatedAt": "2026-03-10T12:05:00Z" }));

        // The same again changes nothing, so nothing is written.
        seen = app.trail(&app.alpha).await;
        app.app.clock.advance(chrono::TimeDelta::minutes(5));
        let same = app.done(key, "leadUpdate", arguments, "{ version updatedAt }").await;
        assert_eq!(same, json!({ "version": 2, "updatedAt": "2026-03-10T12:05:00Z" }));
        assert!(app.trail(&app.alpha).await.since(&seen).is_empty());

        for (field, (verb, past)) in [
            ("leadDelete", ("delete", "deleted")),
            ("leadRestore", ("restore", "restored")),
            ("leadDestroy", ("destroy", "destroyed")),
        ] {
            seen = app.trail(&app.alpha).await;
            let selection = if field == "leadDestroy" { "" } else { "{ id deletedAt }" };
            app.done(key, field, json!({ "id": id }), selection).await;
            let trail = app.trail(&app.alpha).await.since(&seen);
            one_change(&trail, ("leads", "lead"), (verb, past), id);
            let audit = &trail.audits[0];
            let name = |image: &Option<Json>| image.as_ref().map(|image| image.get("name").cloned());
            if field == "leadDestroy" {
                assert_eq!((name(&audit.old), &audit.new), (Some(Some(json!("Maria"))), &None));
                assert!(trail.events[0].payload["before"].get("name").is_none());
            } else {
                let keys: Vec<&String> =
                    audit.new.as_ref().unwrap().as_object().unwrap().keys().collect();
                assert_eq!(keys, ["deletedAt"]);
            }
        }
        assert_eq!(app.count(&app.alpha, "leads").await, 0);
        // All of it is the tenant's own.
        assert!(app.trail(&app.beta).await.audits.iter().all(|audit| audit.resource != "leads"));
    }

    /// Events outlive people's wish to be forgotten: no personal data and no free text in them.
    async fn events_carry_no_personal_data(app: TestApp) {
        let key = &app.alpha.admin.key;
        for record in &catalogue().records {
            if !record.changes.enabled {
                continue;
            }
            let input = app.least(&app.alpha, record.name).await;
            let seen = app.trail(&app.alpha).await;
            app.create(key, record.name, input).await;
            let trail = app.trail(&app.alpha).await.since(&seen);
            assert_eq!(trail.events.len(), 1, "{}", record.name);
            let after = trail.events[0].payload["after"].as_object().unwrap().clone();
            assert!(!after.is_empty());
            for field in &record.fields {
                let free = field.pii || ["String", "JSON"].contains(&field.kind.graphql_type());
                let code = matches!(field.kind, pulso::record::Kind::Code) && !field.pii;
                let told = after.contains_key(&field.name);
                assert!(!told || !free || code, "{}.{} is in its event", record.name, field.name);
            }
        }
    }

    /// The last tables of a transaction are broken: nothing of it stays.
    async fn a_change_that_fails_late_leaves_nothing(app: TestApp) {
        let key = &app.alpha.admin.key;
        let lead = app.create(key, "Lead", json!({ "name": "antes", "source": "site" })).await;
        let lead = json!(lead);
        let seen = app.trail(&app.alpha).await;
        for table in ["outbox", "epochs"] {
            app.write_sql(&format!("ALTER TABLE {table} RENAME TO {table}_away"), Vec::new()).await;
            let new = json!({ "input": { "name": "novo", "source": "site" } });
            let nested = json!({ "input": { "name": "novo", "contacts": {
                "create": [{ "fullName": "J" }] } } });
            let changed = json!({ "id": lead, "input": { "name": "depois" } });
            let many = json!({ "inputs": [{ "name": "a", "source": "s" }], "mode": "PER_ROW" });
            for (field, arguments) in [
                ("leadCreate", new),
                ("leadUpdate", changed),
                ("leadDelete", json!({ "id": lead })),
                ("leadDestroy", json!({ "id": lead })),
                ("companyCreate", nested),
                ("leadCreateMany", many),
            ] {
                assert_eq!(app.refusal(key, field, arguments).await.0, "INTERNAL", "{field}");
            }
            app.write_sql(&format!("ALTER TABLE {table}_away RENAME TO {table}"), Vec::new()).await;
        }
        assert!(app.trail(&app.alpha).await.since(&seen).is_empty());
        let left = "{ leads(deleted: INCLUDE) { nodes { name version deletedAt } } \
                      companies { nodes { id } } contacts { nodes { id } } }";
        let left = app.data(key, left, json!({})).await;
        let leads = json!([{ "name": "antes", "version": 1, "deletedAt": null }]);
        assert_eq!(left["leads"]["nodes"], leads);
        assert_eq!((&left["companies"]["nodes"], &left["contacts"]["nodes"]), (&json!([]), &json!([])));
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

// ---- Delete, restore, destroy --------------------------------------------------------------------

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

// ---- Upsert --------------------------------------------------------------------------------------

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
                let text = record.fields.iter().find(|field| {
                    matches!(field.kind, pulso::record::Kind::Text) && input.get(&field.name).is_some()
                });
                let mut other = input.clone();
                other[&text.unwrap().name] = json!("Outro nome");
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
            if record.name != "PipelineStage" {
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

// ---- Nesting -------------------------------------------------------------------------------------

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
