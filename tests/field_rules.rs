//! A field that may not be read cannot be used: not to select, filter, search, sort, add up, group or
//! compare, nor to follow a relation, nor in the answer of a mutation. And one that may not be written
//! is not written, however its value comes. The cases are made from the catalogue.

use std::sync::Arc;

use pulso::access::{Permissions, Resource};
use pulso::db::Value;
use pulso::graphql::{Caller, Request, catalogue};
use pulso::record::declare::{Field, RelationKind, Write};
use pulso::record::{Kind, Record};
use serde_json::{Map, Value as Json, json};
use uuid::Uuid;

use crate::support::data::time_of;
use crate::support::{TestApp, both_databases};

/// Everything, with rules for some fields of one resource.
fn everything_but(resource: Resource, fields: Json) -> Json {
    let all = json!({ "read": "all", "create": "all", "update": "all", "delete": "all",
        "destroy": "all" });
    let mut rights: Map<String, Json> =
        Resource::ALL.iter().map(|resource| (resource.as_str().to_owned(), all.clone())).collect();
    rights[resource.as_str()]["fields"] = fields;
    Json::Object(rights)
}

fn tables() -> impl Iterator<Item = &'static Record> {
    catalogue().records.iter().copied().filter(|record| !record.is_virtual())
}

impl TestApp {
    /// What the engine answers to somebody with these rights.
    async fn with_rights(&self, rights: &Json, query: &str) -> Json {
        let mut ctx = self.ctx(&self.alpha.admin).await;
        ctx.actor.permissions = Arc::new(Permissions::from_json(rights).unwrap());
        let request = Request { query: Some(query.to_owned()), ..Request::default() };
        let reply = self.app.graphql.execute(Caller::Somebody(ctx), request, false).await;
        serde_json::from_slice(&reply.body).unwrap()
    }
}

fn code(answer: &Json) -> Option<&str> {
    answer["errors"][0]["extensions"]["code"].as_str()
}

/// A literal of the field's kind to compare with.
fn literal(field: &Field) -> &'static str {
    match field.kind {
        Kind::Int => "1",
        Kind::Money { .. } => "\"1\"",
        Kind::Date => "\"2026-01-01\"",
        _ => "\"2026-01-01T00:00:00Z\"",
    }
}

fn is_null(field: &Field) -> String {
    let path = if matches!(field.kind, Kind::Json) { "path: [\"a\"], " } else { "" };
    format!("{{ {}: {{ {path}isNull: false }} }}", field.name)
}

/// Every way in which a query can use a field, beside selecting it.
fn uses(record: &'static Record, field: &'static Field) -> Vec<String> {
    let (plural, singular, name) = (record.plural, record.singular, field.name.as_str());
    let upper = field.enum_name();
    let mut uses = Vec::new();
    if field.filter {
        let filter = is_null(field);
        uses.push(format!("{{ {plural}(filter: {filter}) {{ totalCount }} }}"));
        uses.push(format!("{{ {plural}(filter: {{ not: {filter} }}) {{ nodes {{ id }} }} }}"));
        uses.push(format!("{{ {singular}Aggregate(filter: {filter}) {{ count }} }}"));
        let groups = format!("by: [{{ field: {} }}]", time_of(record).enum_name());
        uses.push(format!("{{ {singular}Groups({groups}, filter: {filter}) {{ totalCount }} }}"));
    }
    if field.sort {
        let order = format!("orderBy: [{{ field: {upper} }}]");
        uses.push(format!("{{ {plural}({order}) {{ nodes {{ id }} }} }}"));
    }
    if record.searched.contains(&field.column) {
        for root in [
            format!("{plural}(search: \"abc\") {{ totalCount }}"),
            format!("{singular}Aggregate(search: \"abc\") {{ count }}"),
        ] {
            uses.push(format!("{{ {root} }}"));
        }
    }
    if field.filter && field.kind.has_extremes() {
        uses.push(format!("{{ {singular}Aggregate {{ max {{ {name} }} }} }}"));
        uses.push(format!("{{ {singular}Aggregate {{ min {{ {name} }} }} }}"));
        let time = time_of(record);
        let by = format!("by: [{{ field: {}, bucket: YEAR }}]", time.enum_name());
        if name != time.name {
            let having = format!("having: {{ max: {{ {name}: {{ gt: {} }} }} }}", literal(field));
            uses.push(format!("{{ {singular}Groups({by}, {having}) {{ totalCount }} }}"));
            let order = format!("orderBy: [{{ by: MIN, field: {upper} }}]");
            uses.push(format!("{{ {singular}Groups({by}, {order}) {{ nodes {{ count }} }} }}"));
            let max = format!("max {{ {name} }}");
            uses.push(format!("{{ {singular}Groups({by}) {{ nodes {{ {max} }} }} }}"));
        }
    }
    if field.filter && field.kind.is_number() {
        uses.push(format!("{{ {singular}Aggregate {{ sum {{ {name} }} avg {{ {name} }} }} }}"));
    }
    if field.group {
        let by = format!("by: [{{ field: {upper} }}]");
        uses.push(format!("{{ {singular}Groups({by}) {{ nodes {{ count }} }} }}"));
    }
    uses.extend(uses_through_others(record, field));
    uses.extend(uses_as_link(record, field));
    uses
}

/// Through a relation of another record that leads here.
fn uses_through_others(record: &'static Record, field: &'static Field) -> Vec<String> {
    let mut uses = Vec::new();
    for other in tables() {
        let here = |relation: &&pulso::record::declare::Relation| {
            std::ptr::eq((relation.target)(), record)
        };
        for relation in other.relations.iter().filter(here) {
            let (plural, way) = (other.plural, relation.name);
            let quantifiers: &[&str] = match relation.kind {
                RelationKind::One { .. } => &[""],
                RelationKind::Many { .. } => &["some", "every", "none"],
            };
            for quantifier in quantifiers.iter().filter(|_| field.filter) {
                let inner = match *quantifier {
                    "" => is_null(field),
                    quantifier => format!("{{ {quantifier}: {} }}", is_null(field)),
                };
                let filter = format!("filter: {{ {way}: {inner} }}");
                uses.push(format!("{{ {plural}({filter}) {{ totalCount }} }}"));
            }
            if field.sort && matches!(relation.kind, RelationKind::One { .. }) {
                let order = format!("orderBy: [{{ {way}: {{ field: {} }} }}]", field.enum_name());
                uses.push(format!("{{ {plural}({order}) {{ nodes {{ id }} }} }}"));
            }
        }
    }
    uses
}

/// Where the field holds the id of a related row: along the relation, from either side.
fn uses_as_link(record: &'static Record, field: &'static Field) -> Vec<String> {
    let mut uses = Vec::new();
    for relation in &record.relations {
        let RelationKind::One { column, .. } = relation.kind else { continue };
        if column == field.column {
            let (plural, way) = (record.plural, relation.name);
            uses.push(format!("{{ {plural} {{ nodes {{ {way} {{ id }} }} }} }}"));
            let filter = format!("filter: {{ {way}: {{ id: {{ isNull: false }} }} }}");
            uses.push(format!("{{ {plural}({filter}) {{ totalCount }} }}"));
        }
    }
    for other in tables() {
        for relation in &other.relations {
            let RelationKind::Many { column, .. } = relation.kind else { continue };
            if column == field.column && std::ptr::eq((relation.target)(), record) {
                let (plural, way) = (other.plural, relation.name);
                uses.push(format!("{{ {plural} {{ nodes {{ {way} {{ totalCount }} }} }} }}"));
                let filter = format!("filter: {{ {way}: {{ some: {{ }} }} }}");
                uses.push(format!("{{ {plural}({filter}) {{ totalCount }} }}"));
            }
        }
    }
    uses
}

/// Every way to see the field itself.
fn selections(record: &'static Record, field: &'static Field) -> Vec<String> {
    let (plural, singular, name) = (record.plural, record.singular, field.name.as_str());
    let id = Uuid::from_u128(1);
    let mut selections = vec![
        format!("{{ {plural} {{ nodes {{ {name} }} }} }}"),
        format!("{{ {plural} {{ edges {{ node {{ again: {name} }} }} }} }}"),
        format!("{{ {singular}(id: \"{id}\") {{ {name} }} }}"),
    ];
    if record.changes.enabled {
        selections.push(format!("mutation {{ {singular}Delete(id: \"{id}\") {{ {name} }} }}"));
        selections.push(format!(
            "mutation {{ {singular}DeleteMany(ids: [], mode: ATOMIC) {{ record {{ {name} }} }} }}"
        ));
    }
    for other in tables() {
        for relation in &other.relations {
            if std::ptr::eq((relation.target)(), record) {
                let inner = match relation.kind {
                    RelationKind::One { .. } => name.to_owned(),
                    RelationKind::Many { .. } => format!("nodes {{ {name} }}"),
                };
                let (plural, way) = (other.plural, relation.name);
                selections.push(format!("{{ {plural} {{ nodes {{ {way} {{ {inner} }} }} }} }}"));
            }
        }
    }
    selections
}

both_databases! {
    async fn what_may_not_be_read_cannot_be_used(app: TestApp) {
        let mut tried = 0;
        for record in tables() {
            for field in record.fields.iter().filter(|field| field.name != "id") {
                let name = field.name.as_str();
                let open = everything_but(record.resource, json!({}));
                let hidden = everything_but(record.resource, json!({ name: "hidden" }));
                let masked = everything_but(record.resource, json!({ name: "masked" }));
                for query in uses(record, field) {
                    let answer = app.with_rights(&open, &query).await;
                    assert_eq!(code(&answer), None, "{query}\n{answer:#}");
                    for rights in [&hidden, &masked] {
                        let answer = app.with_rights(rights, &query).await;
                        assert_eq!(code(&answer), Some("FORBIDDEN"), "{query}\n{answer:#}");
                        assert!(answer["data"].is_null(), "{query}\n{answer:#}");
                        tried += 1;
                    }
                }
                let is_text = matches!(field.kind, Kind::Text | Kind::Code);
                for query in selections(record, field) {
                    let answer = app.with_rights(&hidden, &query).await;
                    assert_eq!(code(&answer), Some("FORBIDDEN"), "{query}\n{answer:#}");
                    let path = answer["errors"][0]["path"].as_array().unwrap();
                    let last = path.last().unwrap().as_str().unwrap();
                    // Where the field is what leads there, the way is refused before its end.
                    let is_way = matches!(field.kind, Kind::Id) && query.contains(last);
                    assert!(last == name || last == "again" || is_way, "{query}: {path:?}");
                    let open = app.with_rights(&open, &query).await;
                    assert_ne!(code(&open), Some("FORBIDDEN"), "{query}\n{open:#}");
                    // A text is shown shortened; a number or a date would be another one.
                    let answer = app.with_rights(&masked, &query).await;
                    assert_eq!(code(&answer) == Some("FORBIDDEN"), !is_text, "{query}\n{answer:#}");
                    tried += 2;
                }
            }
        }
        assert!(tried > 3_000, "{tried}");
    }

    /// A list comes in its own order, and its cursors hold what it is ordered by: not for those who
    /// may not know it.
    async fn the_usual_order_tells_nothing(app: TestApp) {
        let rights = everything_but(Resource::Users, json!({ "fullName": "hidden" }));
        let query = "{ users(first: 2) { pageInfo { endCursor } nodes { id } } }";
        let answer = app.with_rights(&rights, query).await;
        assert!(answer["errors"].is_null(), "{answer:#}");
        let ids: Vec<&str> = answer["data"]["users"]["nodes"].as_array().unwrap().iter()
            .map(|node| node["id"].as_str().unwrap()).collect();
        assert!(ids[0] < ids[1], "as they were made: {ids:?}");
        let cursor = answer["data"]["users"]["pageInfo"]["endCursor"].as_str().unwrap();
        let open = everything_but(Resource::Users, json!({}));
        let open = app.with_rights(&open, query).await;
        let longer = open["data"]["users"]["pageInfo"]["endCursor"].as_str().unwrap();
        assert!(cursor.len() < longer.len(), "{cursor} {longer}");
        let next = format!("{{ users(first: 2, after: \"{cursor}\") {{ nodes {{ id }} }} }}");
        let answer = app.with_rights(&rights, &next).await;
        assert!(answer["data"]["users"]["nodes"][0]["id"].as_str().unwrap() > ids[1]);
    }

    /// What is computed from a field tells of it.
    async fn computed_records_ask_for_what_they_are_made_of(app: TestApp) {
        for record in catalogue().records.iter().filter(|record| record.is_virtual()) {
            let field = record.fields.iter().find(|field| field.name != "currency").unwrap();
            let query = format!("{{ {}(first: 5) {{ nodes {{ {} }} }} }}", record.plural, field.name);
            let is_listed = catalogue().read(record.plural).is_some() && !record.reads.is_empty();
            for name in record.reads.iter().filter(|_| is_listed) {
                let rights = everything_but(record.resource, json!({ *name: "hidden" }));
                let answer = app.with_rights(&rights, &query).await;
                assert_eq!(code(&answer), Some("FORBIDDEN"), "{name}: {query}\n{answer:#}");
            }
        }
    }

    /// An error about a row's version shows the row only as far as it may be read.
    async fn conflicts_tell_nothing_hidden(app: TestApp) {
        let alpha = &app.alpha;
        let company = json!({ "name": "Padaria", "segment": "secreto", "notes": "longo" });
        let id = app.create(&alpha.admin.key, "Company", company).await;
        let rules = json!({ "segment": "hidden", "notes": "masked", "version": "hidden" });
        let rights = everything_but(Resource::Companies, rules);
        let key = app.key_with(alpha, alpha.admin.id, rights).await;
        let arguments = json!({ "id": id, "input": { "name": "Outra" }, "expectedVersion": 7 });
        let answer = app.mutate(&key, "companyUpdate", arguments.clone(), "{ id }").await;
        assert_eq!(code(&answer), Some("CONFLICT"), "{answer:#}");
        let current = &answer["errors"][0]["extensions"]["current"];
        assert_eq!(current["name"], "Padaria");
        for hidden in ["segment", "notes", "version"] {
            assert!(current.get(hidden).is_none(), "{current:#}");
        }
        let told = answer["errors"][0]["message"].as_str().unwrap();
        assert!(!told.contains('1'), "{told}");
        let answer = app.mutate(&alpha.admin.key, "companyUpdate", arguments, "{ id }").await;
        assert!(answer["errors"][0]["message"].as_str().unwrap().contains('1'), "{answer:#}");
    }

    /// The address of a user cannot be found out by searching for it.
    async fn nobody_is_found_by_a_hidden_address(app: TestApp) {
        let input = pulso::identity::user::service::UserInput {
            email: Some("zxqw@oculto.test".to_owned()),
            full_name: "Pessoa Comum".to_owned(),
            ..Default::default()
        };
        pulso::identity::user::service::create(&app.app, app.alpha.id, input).await.unwrap();
        for (text, count) in [("comum", 1), ("zxqw", 0), ("oculto", 0), ("zxqw@oculto.test", 0)] {
            let query = format!("{{ users(search: \"{text}\") {{ totalCount }} }}");
            let found = app.data(&app.alpha.comercial.key, &query, json!({})).await;
            assert_eq!(found["users"]["totalCount"], count, "{text}");
        }
    }

    /// Every field of every record: read-only means that no input takes it.
    async fn what_may_not_be_written_is_not_written(app: TestApp) {
        let alpha = &app.alpha;
        let admin = &alpha.admin.key;
        let mut tried = 0;
        for record in tables().filter(|record| record.changes.enabled) {
            let least = app.least(alpha, record.name).await;
            let id = app.create(admin, record.name, least.clone()).await;
            for field in record.fields.iter().filter(|field| field.write != Write::Never) {
                let name = field.name.as_str();
                let rights = everything_but(record.resource, json!({ name: "read_only" }));
                let key = app.key_with(alpha, alpha.admin.id, rights).await;
                let value = least.get(name).cloned().unwrap_or_else(|| value_of(field));
                let mut whole = least.clone();
                whole[name] = value.clone();
                let seen = app.trail(alpha).await;
                let create = format!("{}Create", record.singular);
                let refused = app.refusal(&key, &create, json!({ "input": whole })).await;
                assert_eq!(refused, ("FORBIDDEN".to_owned(), Some(format!("input.{name}"))), "{create}");
                let many = format!("{}CreateMany", record.singular);
                let refused = app.refusal(&key, &many, json!({ "inputs": [whole] })).await;
                assert_eq!(refused, ("FORBIDDEN".to_owned(), Some(format!("inputs.0.{name}"))), "{many}");
                tried += 2;
                if field.write == Write::Always {
                    let input = json!({ name: value });
                    let update = format!("{}Update", record.singular);
                    let arguments = json!({ "id": id, "input": input });
                    let refused = app.refusal(&key, &update, arguments).await;
                    let place = Some(format!("input.{name}"));
                    assert_eq!(refused, ("FORBIDDEN".to_owned(), place), "{update} {name}");
                    let many = format!("{}UpdateMany", record.singular);
                    let arguments = json!({ "inputs": [{ "id": id, "input": input }] });
                    let refused = app.refusal(&key, &many, arguments).await;
                    let place = Some(format!("inputs.0.input.{name}"));
                    assert_eq!(refused, ("FORBIDDEN".to_owned(), place), "{many} {name}");
                    tried += 2;
                }
                // Nothing was left behind.
                assert!(app.trail(alpha).await.since(&seen).is_empty(), "{} {name}", record.name);
                // And it can still be read.
                let query = format!("{{ r: {}(id: \"{id}\") {{ {name} }} }}", record.singular);
                app.data(&key, &query, json!({})).await;
            }
        }
        assert!(tried > 200, "{tried}");
    }

    async fn neither_nested_nor_by_a_verb_nor_by_an_upsert(app: TestApp) {
        let alpha = &app.alpha;
        let admin = &alpha.admin.key;
        let key = async |resource, fields| {
            app.key_with(alpha, alpha.admin.id, everything_but(resource, fields)).await
        };
        let forbidden = |field: &str| ("FORBIDDEN".to_owned(), Some(field.to_owned()));
        let no_segment = key(Resource::Companies, json!({ "segment": "read_only" })).await;
        let company = json!({ "name": "Padaria", "segment": "x" });
        let contact = json!({ "fullName": "Bia", "company": { "create": company } });
        let refused = app.refusal(&no_segment, "contactCreate", json!({ "input": contact })).await;
        assert_eq!(refused, forbidden("input.company.create.segment"));
        let plain = json!({ "fullName": "Bia", "company": { "create": { "name": "Padaria" } } });
        app.done(&no_segment, "contactCreate", json!({ "input": plain }), "{ id }").await;

        let contact = app.create(admin, "Contact", json!({ "fullName": "Ana" })).await;
        let no_company = key(Resource::Contacts, json!({ "companyId": "read_only" })).await;
        let input = json!({ "name": "Padaria", "contacts": { "connect": [contact] } });
        let refused = app.refusal(&no_company, "companyCreate", json!({ "input": input })).await;
        assert_eq!(refused, forbidden("input.contacts.connect.0.companyId"));

        let lead = app.create(admin, "Lead", json!({ "source": "site" })).await;
        for (field, verb) in [
            ("score", format!("leadScore(id: \"{lead}\", score: 7) {{ id }}")),
            ("assigneeId", format!("leadAssign(id: \"{lead}\", assigneeId: \"{}\") {{ id }}", alpha.manager.id)),
        ] {
            let key = key(Resource::Leads, json!({ field: "read_only" })).await;
            let answer = app.graphql(&key, &format!("mutation {{ {verb} }}"), json!({})).await;
            assert_eq!(code(&answer), Some("FORBIDDEN"), "{verb}\n{answer:#}");
        }
        let deal = app.least(alpha, "Deal").await;
        let deal = app.create(admin, "Deal", deal).await;
        let stage = app.stage(alpha, "proposta").await;
        let fixed = key(Resource::Deals, json!({ "stageId": "read_only" })).await;
        let moved = format!("mutation {{ dealMoveStage(id: \"{deal}\", stageId: \"{stage}\") {{ id }} }}");
        assert_eq!(app.error_code(&fixed, &moved, json!({})).await, "FORBIDDEN");

        // An upsert of a row that is there is an update.
        let outside = json!({ "externalSystem": "omie", "externalId": "7" });
        let mut row = json!({ "name": "Padaria", "segment": "x" });
        row.as_object_mut().unwrap().extend(outside.as_object().unwrap().clone());
        app.done(admin, "companyUpsert", json!({ "input": row }), "{ id }").await;
        let refused = app.refusal(&no_segment, "companyUpsert", json!({ "input": row })).await;
        assert_eq!(refused, forbidden("input.segment"));
        row.as_object_mut().unwrap().remove("segment");
        row["name"] = json!("Outra");
        app.done(&no_segment, "companyUpsert", json!({ "input": row }), "{ id }").await;
    }
}

fn value_of(field: &Field) -> Json {
    if field.nullable {
        return Json::Null;
    }
    match field.kind {
        Kind::Code if field.column == "currency" => json!("BRL"),
        Kind::Code | Kind::Text => match field.column {
            "color" => json!("#AABBCC"),
            _ => json!("abc"),
        },
        Kind::Int => json!(field.range.map_or(1, |(from, _)| from)),
        Kind::Bool => json!(false),
        Kind::Money { .. } => json!("1.00"),
        Kind::Enum(of) => json!(of.values[0].shown),
        Kind::Json => json!({}),
        Kind::Date => json!("2026-01-01"),
        Kind::Instant => json!("2026-01-01T00:00:00Z"),
        Kind::Id => json!(Uuid::from_u128(1)),
        Kind::Float => panic!("no column is a float"),
    }
}

both_databases! {
    /// Which rows are deleted is what `deletedAt` tells.
    async fn who_may_not_read_when_it_was_deleted_sees_nothing_deleted(app: TestApp) {
        let alpha = &app.alpha;
        let gone = [("deleted_at", Value::Instant(app.app.clock.now()))];
        let id = app.lead(alpha, "gone", &gone).await;
        let rule = |rule: &str| json!({ "leads": { "read": "all", "fields": { "deletedAt": rule } } });
        let plain = app.key_with(alpha, alpha.admin.id, json!({ "leads": { "read": "all" } })).await;
        let (hidden, masked) = (
            app.key_with(alpha, alpha.admin.id, rule("hidden")).await,
            app.key_with(alpha, alpha.admin.id, rule("masked")).await,
        );
        for way in ["ONLY", "INCLUDE"] {
            for query in [
                format!("{{ leads(deleted: {way}) {{ totalCount }} }}"),
                format!("{{ lead(id: \"{id}\", deleted: {way}) {{ id }} }}"),
                format!("{{ leadAggregate(deleted: {way}) {{ count }} }}"),
                format!("{{ leadGroups(by: [{{ field: SOURCE }}], deleted: {way}) {{ nodes {{ count }} }} }}"),
            ] {
                app.data(&plain, &query, json!({})).await;
                for key in [&hidden, &masked] {
                    assert_eq!(app.error_code(key, &query, json!({})).await, "FORBIDDEN", "{query}");
                }
            }
        }
        for key in [&plain, &hidden, &masked] {
            let count = app.data(key, "{ leads(deleted: EXCLUDE) { totalCount } }", json!({})).await;
            assert_eq!(count["leads"]["totalCount"], 0);
        }
    }
}
