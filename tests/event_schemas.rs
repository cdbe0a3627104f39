//! Event types that a tenant declares: uploaded in versions that take what those before them took,
//! asked of every event at the door, and of what is personal in it nothing is stored.

use chrono::TimeDelta;
use pulso::app::App;
use pulso::cli::admin::execute;
use pulso::config::{MasterKeys, Secret};
use pulso::db::{NullOf, tables};
use serde_json::{Value as Json, json};

use crate::support::app::{OtherApp, config};
use crate::support::ingesting::event;
use crate::support::{TestApp, both_databases};

const AT: &str = "2026-03-10T11:00:00Z";
/// Ten minutes ahead of the clock of the tests.
const AHEAD: &str = "2026-03-10T12:10:00Z";
const PUT: &str = "mutation($type: String!, $version: Int!, $schema: JSON!) {
    eventSchemaPut(module: \"people\", eventType: $type, schemaVersion: $version, schema: $schema) {
        id module eventType schemaVersion isNew documentation } }";
const INGEST: &str = "mutation($events: [EventInput!]!) {
    eventsIngest(events: $events) { results { status reason } } }";
const LIST: &str = "{ eventSchemas { totalCount nodes {
    id module eventType schemaVersion schema createdBy documentation } } }";

fn upload(version: i64, schema: &Json) -> Json {
    json!({ "type": "person.met", "version": version, "schema": schema })
}

/// Somebody was met: an event of module `people`.
fn met(id: &str, at: &str, version: i64, payload: Json) -> Json {
    let mut event =
        event(id, "person.met", at, json!({ "module": "people", "schemaVersion": version }));
    event["payload"] = payload;
    event
}

fn first() -> Json {
    json!({ "type": "object", "required": ["name"], "properties": {
        "name": { "type": "string", "minLength": 2, "description": "as they say it" },
        "score": { "type": ["integer", "null"] },
    } })
}

/// All marks, in places of all kinds; each value has to be as it is said here.
fn marked() -> Json {
    json!({
        "type": "object", "required": ["name", "document"],
        "$defs": { "street": { "type": "string", "pattern": "^Rua", "x-pii": "mask" } },
        "properties": {
            "name": { "type": "string", "minLength": 2, "x-pii": "drop" },
            "document": { "type": "string", "pattern": "^D-[0-9]+$", "x-pii": "hash" },
            "home": { "properties": { "street": { "$ref": "#/$defs/street" }, "state": {} } },
            "friends": { "type": "array", "items": { "type": ["string", "null"], "x-pii": "hash" } },
        },
    })
}

impl TestApp {
    async fn put(&self, version: i64, schema: &Json) -> Json {
        self.data(&self.alpha.admin.key, PUT, upload(version, schema)).await["eventSchemaPut"]
            .take()
    }

    async fn put_refusal(&self, version: i64, schema: &Json) -> (String, Option<String>, String) {
        let answer = self.graphql(&self.alpha.admin.key, PUT, upload(version, schema)).await;
        let error = &answer["errors"][0];
        let text = |json: &Json| json.as_str().map(str::to_owned);
        let code = text(&error["extensions"]["code"]).unwrap_or_else(|| panic!("{answer:#}"));
        (code, text(&error["extensions"]["field"]), text(&error["message"]).unwrap())
    }

    async fn policy(&self, policy: &str) {
        let update =
            format!("mutation {{ tenantUpdate(input: {{ eventPolicy: {policy} }}) {{ id }} }}");
        self.data(&self.alpha.admin.key, &update, json!({})).await;
    }

    /// What became of one event, and why.
    async fn fate(&self, event: &Json) -> (String, Json) {
        let mut answer = self.ingest(&self.alpha.admin.key, event).await;
        let result = answer["results"][0].take();
        (result["status"].as_str().unwrap().to_owned(), result["reason"].clone())
    }

    /// The payloads of alpha's log, by what their source calls them.
    async fn payloads(&self) -> Json {
        let list = "{ analyticsEvents(filter: { module: { eq: \"people\" } }) { nodes { sourceId payload } } }";
        let data = self.data(&self.alpha.admin.key, list, json!({})).await;
        let nodes = data["analyticsEvents"]["nodes"].as_array().unwrap();
        nodes
            .iter()
            .map(|node| (node["sourceId"].as_str().unwrap().to_owned(), node["payload"].clone()))
            .collect::<serde_json::Map<String, Json>>()
            .into()
    }

    async fn waiting(&self) -> Vec<Json> {
        let list = "{ quarantinedEvents(filter: { state: { eq: WAITING } }) { nodes { id sourceId reason detail body } } }";
        let mut data = self.data(&self.alpha.admin.key, list, json!({})).await;
        let Json::Array(nodes) = data["quarantinedEvents"]["nodes"].take() else { panic!() };
        nodes
    }

    /// Every text and every JSON of alpha, with its table and column.
    async fn all_texts(&self) -> String {
        let mut all = String::new();
        for table in tables::all() {
            for column in &table.columns {
                if !matches!(column.kind, NullOf::Text | NullOf::Json) {
                    continue;
                }
                let (table, column) = (table.name, column.name);
                let sql = format!("SELECT CAST({column} AS text) FROM {table} WHERE tenant_id = ?");
                for row in self.read_sql(&self.alpha, &sql, Vec::new()).await {
                    all += &format!(
                        "{table}.{column}: {}\n",
                        row.text(0).unwrap().unwrap_or_default()
                    );
                }
            }
        }
        all
    }
}

both_databases! {
    async fn a_version_is_uploaded_listed_and_taken_away(app: TestApp) {
        let before = app.trail(&app.alpha).await;
        let put = app.put(1, &first()).await;
        assert_eq!((&put["isNew"], &put["schemaVersion"], &put["module"]), (&json!(true), &json!(1), &json!("people")));
        let list = app.data(&app.alpha.admin.key, LIST, json!({})).await;
        let row = &list["eventSchemas"]["nodes"][0];
        assert_eq!((&row["id"], &row["schema"], &row["createdBy"]),
            (&put["id"], &first(), &json!(app.alpha.admin.id)));
        let written = row["documentation"].as_str().unwrap();
        assert!(written.contains("| `name` | string, minLength `2` | yes |  | as they say it |"), "{written}");
        assert_eq!(row["documentation"], put["documentation"]);

        // The same again is nothing new; the same version with something else is refused.
        assert_eq!(app.put(1, &first()).await["isNew"], false);
        let (code, field, _) = app.put_refusal(1, &json!({ "type": "object" })).await;
        assert_eq!((code.as_str(), field.as_deref()), ("CONFLICT", Some("schemaVersion")));

        let delete = "mutation($id: ID!) { eventSchemaDelete(id: $id) { id eventType } }";
        let id = json!({ "id": put["id"] });
        assert_eq!(app.error_code(&app.beta.admin.key, delete, id.clone()).await, "NOT_FOUND");
        let gone = app.data(&app.alpha.admin.key, delete, id.clone()).await;
        assert_eq!(gone["eventSchemaDelete"], json!({ "id": put["id"], "eventType": "person.met" }));
        assert_eq!(app.error_code(&app.alpha.admin.key, delete, id).await, "NOT_FOUND");
        let trail = app.trail(&app.alpha).await.since(&before);
        let audits: Vec<&str> = trail.audits.iter().map(|audit| audit.action.as_str()).collect();
        assert_eq!(audits, ["event_schema.create", "event_schema.delete"]);
        assert_eq!(trail.audits[0].new.as_ref().unwrap()["schema"], first());
        assert_eq!(trail.audits[0].user_id, Some(app.alpha.admin.id));
        assert_eq!(trail.epochs["event_schemas"], 2);
    }

    async fn whoever_may_not_update_all_events_uploads_nothing(app: TestApp) {
        app.put(1, &first()).await;
        let (alpha, variables) = (&app.alpha, upload(2, &first()));
        for key in [&alpha.diretor.key, &alpha.comercial.key, &alpha.agente_ia.key] {
            assert_eq!(app.error_code(key, PUT, variables.clone()).await, "FORBIDDEN");
        }
        // Who may read events reads their types, each tenant its own.
        let count = "{ eventSchemas { totalCount } }";
        let seen = app.data(&alpha.diretor.key, count, json!({})).await;
        assert_eq!(seen["eventSchemas"]["totalCount"], 1);
        assert_eq!(app.error_code(&alpha.comercial.key, count, json!({})).await, "FORBIDDEN");
        let others = app.data(&app.beta.admin.key, count, json!({})).await;
        assert_eq!(others["eventSchemas"]["totalCount"], 0);
        // A key that sends events declares none.
        let make = "mutation { apiKeyCreate(input: { name: \"collector\", role: \"admin\",
            scopes: [\"events:write\"] }) { secret } }";
        let made = app.data(&alpha.admin.key, make, json!({})).await;
        let sender = made["apiKeyCreate"]["secret"].as_str().unwrap();
        assert_eq!(app.error_code(sender, PUT, variables).await, "FORBIDDEN");
        let refused = app.ingest(sender, &met("1", AT, 1, json!({}))).await;
        assert_eq!(refused["results"][0]["reason"], "schema");
        // What another tenant declares is nothing to this one.
        let beta = app.ingest(&app.beta.admin.key, &met("1", AT, 1, json!({}))).await;
        assert_eq!(beta["accepted"], 1);
    }

    async fn a_schema_that_cannot_be_used_is_refused_at_its_place(app: TestApp) {
        let of = |schema: Json| json!({ "properties": { "a": schema } });
        let long = of(json!({ "description": "x".repeat(40_000) }));
        for (schema, code, said) in [
            (of(json!({ "type": "text" })), "INVALID", "/properties/a/type "),
            (of(json!({ "$ref": "http://127.0.0.1:9/a.json" })), "INVALID", "nothing is fetched"),
            (of(json!({ "pattern": "(" })), "INVALID", "/properties/a/pattern "),
            (of(json!({ "x-pii": "burn" })), "INVALID", "/properties/a/x-pii must be drop, hash or mask"),
            (json!([]), "INVALID", "a schema is an object"),
            (long, "LIMIT_EXCEEDED", "32768 bytes"),
        ] {
            let (found, field, message) = app.put_refusal(1, &schema).await;
            assert_eq!((found.as_str(), field.as_deref()), (code, Some("schema")), "{message}");
            assert!(message.contains(said), "{message}");
        }
        for (variables, field) in [
            (json!({ "type": "person met", "version": 1, "schema": {} }), "eventType"),
            (json!({ "type": "person.met", "version": 0, "schema": {} }), "schemaVersion"),
        ] {
            let refused = app.refusal_of(&app.alpha.admin.key, PUT, variables).await;
            assert_eq!(refused, ("INVALID".to_owned(), Some(field.to_owned())));
        }
        assert_eq!(app.count(&app.alpha, "event_schemas").await, 0);
        assert_eq!(app.count(&app.alpha, "server_secrets").await, 0);
    }

    async fn an_incompatible_version_is_refused_with_all_that_breaks(app: TestApp) {
        app.put(2, &first()).await;
        let narrower = json!({ "type": "object", "required": ["name", "born"], "properties": {
            "name": { "type": "string", "minLength": 3 },
            "rating": { "type": "integer" },
        } });
        let (code, field, message) = app.put_refusal(3, &narrower).await;
        assert_eq!((code.as_str(), field.as_deref()), ("INVALID", Some("schema")));
        for breaks in ["does not take all that version 2 takes", "/required requires \"born\"",
            "/properties/name/minLength is narrower", "/properties/score is no longer declared"] {
            assert!(message.contains(breaks), "{message}");
        }
        let (code, field, message) = app.put_refusal(1, &first()).await;
        assert_eq!((code.as_str(), field.as_deref()), ("INVALID", Some("schemaVersion")), "{message}");
        let mut wider = first();
        wider["properties"]["name"]["minLength"] = json!(1);
        wider["properties"]["born"] = json!({ "type": "string" });
        wider["required"] = json!([]);
        assert_eq!(app.put(3, &wider).await["isNew"], true);
    }

    async fn versions_stand_side_by_side(app: TestApp) {
        app.put(1, &first()).await;
        app.put(3, &json!({ "type": "object", "properties": {
            "name": { "type": "string" }, "score": { "type": ["integer", "null", "string"] } } })).await;
        let accepted = ("accepted".to_owned(), Json::Null);
        let schema = ("quarantined".to_owned(), json!("schema"));
        let text = json!({ "name": "Maria", "score": "high" });
        assert_eq!(app.fate(&met("1", AT, 1, json!({ "name": "Maria" }))).await, accepted);
        assert_eq!(app.fate(&met("2", AT, 1, text.clone())).await, schema);
        assert_eq!(app.fate(&met("3", AT, 3, text.clone())).await, accepted);
        // Who names no version means the first, whatever was uploaded since.
        let mut silent = met("4", AT, 1, text);
        silent.as_object_mut().unwrap().remove("schemaVersion");
        assert_eq!(app.fate(&silent).await, schema);
        assert_eq!(app.waiting().await[0]["detail"], "payload/score does not fit the schema of person.met (type)");
        // A tenant's schema of a type that all have stands in its place.
        let created = |id: &str| event(id, "ticket.created", AT, json!({ "payload": { "priority": [1] } }));
        assert_eq!(app.fate(&created("5")).await, schema);
        let put = PUT.replace("people", "tickets");
        let own = json!({ "type": "ticket.created", "version": 1, "schema": {} });
        app.data(&app.alpha.admin.key, &put, own).await;
        assert_eq!(app.fate(&created("6")).await, accepted);
    }

    async fn what_nobody_declared_is_let_in_or_kept_apart_by_the_tenants_policy(app: TestApp) {
        app.put(1, &first()).await;
        let name = json!({ "name": "Maria" });
        let of = |id: &str, more: Json| {
            let mut event = met(id, AT, 1, name.clone());
            event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            event
        };
        let cases = [
            ("known", json!({}), None),
            ("module", json!({ "module": "persons" }), Some("unknown_type")),
            ("type", json!({ "eventType": "person.left" }), Some("unknown_type")),
            ("version", json!({ "schemaVersion": 2 }), Some("unknown_version")),
            ("standard", json!({ "module": "tickets", "eventType": "ticket.created" }), None),
            ("newer", json!({ "module": "tickets", "eventType": "ticket.created", "schemaVersion": 2 }),
                Some("unknown_version")),
        ];
        for (policy, is_strict) in [("OPEN", false), ("STRICT", true), ("OPEN", false)] {
            app.policy(policy).await;
            for (id, more, reason) in &cases {
                let expected = match reason.filter(|_| is_strict) {
                    Some(reason) => ("quarantined".to_owned(), json!(reason)),
                    None => ("accepted".to_owned(), Json::Null),
                };
                let now = app.app.clock.new_id();
                assert_eq!(app.fate(&of(&format!("{id} {now}"), more.clone())).await, expected, "{policy} {id}");
            }
        }
        // Declared later, they are replayed.
        let waiting = app.waiting().await.len();
        app.put(2, &first()).await;
        let replay = "mutation { quarantineReplay(filter: { reason: \"unknown_version\" }) { replayed waiting } }";
        app.policy("STRICT").await;
        let replayed = app.data(&app.alpha.admin.key, replay, json!({})).await;
        assert_eq!(replayed["quarantineReplay"], json!({ "replayed": 1, "waiting": 1 }));
        assert_eq!(app.waiting().await.len(), waiting - 1);
    }

    async fn nothing_that_is_marked_is_stored_anywhere(app: TestApp) {
        app.put(1, &marked()).await;
        let canaries = ["Mariazinha", "D-4711", "Rua Canario", "Joaninha", "Ruazinha"];
        let payload = json!({ "name": "Mariazinha", "document": "D-4711", "plain": "stays",
            "home": { "street": "Rua Canario 7", "state": "SP" }, "friends": ["Joaninha", null] });
        let mut wrong = payload.clone();
        wrong["home"]["street"] = json!(["Ruazinha"]);
        let broken = |id: &str, more: Json| {
            let mut event = met(id, AT, 1, payload.clone());
            event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            event
        };
        let answer = app.ingest(&app.alpha.admin.key, &json!([
            met("good", AT, 1, payload.clone()),
            met("early", AHEAD, 1, payload.clone()),
            met("wrong", AT, 1, wrong),
            // Of a version without a schema, whatever any version marks.
            met("newer", AT, 7, payload.clone()),
            broken("no type", json!({ "eventType": null })),
            broken("no module", json!({ "module": "People!" })),
            broken("no version", json!({ "schemaVersion": "x" })),
            broken("unknown field", json!({ "more": 1 })),
            broken("text", json!({ "payload": "Mariazinha" })),
            broken("long", json!({ "payload": { "name": "Mariazinha".repeat(10_000) } })),
        ])).await;
        assert_eq!((&answer["accepted"], &answer["quarantined"]), (&json!(2), &json!(8)), "{answer:#}");
        app.policy("STRICT").await;
        app.ingest(&app.alpha.admin.key, &json!([met("strict", AT, 8, payload.clone()),
            event("else", "persn.met", AT, json!({ "payload": payload }))])).await;
        let all = app.all_texts().await;
        for canary in canaries {
            assert!(!all.contains(canary), "{canary}:\n{all}");
        }
        assert!(all.contains("events.payload") && all.contains("[dropped]") && all.contains("stays"));
        let payloads = app.payloads().await;
        let good = &payloads["good"];
        assert_eq!((&good["name"], &good["home"], &good["plain"]),
            (&Json::Null, &json!({ "street": "[masked]", "state": "SP" }), &json!("stays")));
        assert!(good["document"].as_str().unwrap().starts_with("hmac:"), "{good}");
        assert_eq!(payloads["newer"], *good);

        // What was treated fits, and is let in as it would have been.
        app.policy("OPEN").await;
        app.app.clock.advance(TimeDelta::minutes(10));
        let waiting = app.waiting().await;
        let id = |source: &str| waiting.iter().find(|row| row["sourceId"] == source).unwrap()["id"].clone();
        let replay = "mutation($ids: [ID!]) { quarantineReplay(ids: $ids) { replayed results { state detail } } }";
        let answer = app.data(&app.alpha.admin.key, replay, json!({ "ids": [id("early")] })).await;
        assert_eq!(answer["quarantineReplay"]["replayed"], 1, "{answer:#}");
        assert_eq!(app.payloads().await["early"], *good);
    }

    async fn a_hash_is_one_persons_in_one_tenant(app: TestApp) {
        app.put(1, &marked()).await;
        app.data(&app.beta.admin.key, PUT, upload(1, &marked())).await;
        let person = |document: &str| json!({ "name": "Maria", "document": document });
        for (id, document) in [("1", "D-1"), ("2", "D-1"), ("3", "D-2")] {
            app.ingest(&app.alpha.admin.key, &met(id, AT, 1, person(document))).await;
        }
        let payloads = app.payloads().await;
        let hash = |id: &str| payloads[id]["document"].clone();
        assert_eq!(hash("1"), hash("2"));
        assert_ne!(hash("1"), hash("3"));
        app.ingest(&app.beta.admin.key, &met("1", AT, 1, person("D-1"))).await;
        let list = "{ analyticsEvents(filter: { module: { eq: \"people\" } }) { nodes { payload } } }";
        let beta = app.data(&app.beta.admin.key, list, json!({})).await;
        assert_ne!(beta["analyticsEvents"]["nodes"][0]["payload"]["document"], hash("1"));
        // The key is not to be had with the database.
        let sql = "SELECT value FROM server_secrets WHERE tenant_id = ?";
        let sealed = app.read_sql(&app.alpha, sql, Vec::new()).await;
        assert!(sealed.len() == 1 && sealed[0].text(0).unwrap().unwrap().starts_with("v1."));
    }

    async fn the_key_of_hashes_goes_with_the_master_key(app: TestApp) {
        app.put(1, &marked()).await;
        let person = json!({ "name": "Maria", "document": "D-1" });
        app.ingest(&app.alpha.admin.key, &met("1", AT, 1, person.clone())).await;
        let second = "b".repeat(32);
        let node = |keys: &[&str]| {
            let mut config = config(app.database.url());
            let keys = keys.iter().map(|key| Secret::new(*key)).collect();
            config.identity.master_keys = MasterKeys::new(keys);
            App::build(config, app.database.db.clone(), app.app.clock.clone()).unwrap()
        };
        let rotate = || crate::identity_providers::command(&["secrets", "rotate"]);
        let both = node(&[&second, "a master key for tests: 32 bytes at least"]);
        assert_eq!(execute(&both, rotate()).await.unwrap().lines, ["1 resealed"]);
        let only_new = node(&[&second]);
        assert_eq!(execute(&only_new, rotate()).await.unwrap().lines, ["0 resealed"]);
        // The same person has the same hash under the new master key.
        let events = json!({ "events": [met("2", AT, 1, person)] });
        let answer = OtherApp::of(only_new).graphql(&app.alpha.admin.key, INGEST, events).await;
        assert_eq!(answer["data"]["eventsIngest"]["results"][0]["status"], "ACCEPTED", "{answer}");
        let payloads = app.payloads().await;
        assert_eq!(payloads["1"], payloads["2"]);
    }

    async fn another_node_sees_an_upload_at_once(app: TestApp) {
        let (other, key) = (app.other_app(), &app.alpha.admin.key);
        let there = async |id: &str, payload: Json| {
            let events = json!({ "events": [met(id, AT, 1, payload)] });
            let answer = other.graphql(key, INGEST, events).await;
            answer["data"]["eventsIngest"]["results"][0]["reason"].clone()
        };
        assert_eq!(there("1", json!({})).await, Json::Null);
        app.policy("STRICT").await;
        assert_eq!(there("2", json!({})).await, "unknown_type");
        let put = app.put(1, &first()).await;
        assert_eq!(there("3", json!({})).await, "schema");
        assert_eq!(there("4", json!({ "name": "Maria" })).await, Json::Null);
        let delete = "mutation($id: ID!) { eventSchemaDelete(id: $id) { id } }";
        app.data(key, delete, json!({ "id": put["id"] })).await;
        assert_eq!(there("5", json!({ "name": "Maria" })).await, "unknown_type");
        app.policy("OPEN").await;
        assert_eq!(there("6", json!({})).await, Json::Null);
    }

    async fn of_two_uploads_at_once_the_second_is_compared_with_the_first(app: TestApp) {
        app.put(1, &json!({ "type": "object" })).await;
        let (app, key) = (&app, app.alpha.admin.key.as_str());
        // Each takes what the first takes, and neither what the other does.
        let uploads = (2..8).map(|version| async move {
            let schema = json!({ "properties": { (format!("f{version}")): { "type": "string" } } });
            app.graphql(key, PUT, upload(version, &schema)).await
        });
        let answers = futures::future::join_all(uploads).await;
        let done = answers.iter().filter(|answer| answer.get("errors").is_none()).count();
        assert_eq!(done, 1, "{answers:#?}");
        assert_eq!(app.count(&app.alpha, "event_schemas").await, 2);
    }

    async fn nothing_is_read_again_while_nothing_changes(app: TestApp) {
        app.put(1, &marked()).await;
        let person = json!({ "name": "Maria", "document": "D-1" });
        app.ingest(&app.alpha.admin.key, &met("1", AT, 1, person.clone())).await;
        // The rows are gone behind the epoch's back: what is kept is what counts.
        app.write_sql("DELETE FROM event_schemas WHERE tenant_id = ?", vec![pulso::db::Value::Id(app.alpha.id)]).await;
        app.ingest(&app.alpha.admin.key, &met("2", AT, 1, person.clone())).await;
        let payloads = app.payloads().await;
        assert_eq!(payloads["1"], payloads["2"]);
        app.put(1, &json!({})).await;
        app.ingest(&app.alpha.admin.key, &met("3", AT, 1, person.clone())).await;
        assert_eq!(app.payloads().await["3"], person);
    }
}
