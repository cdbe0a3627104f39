//! Nobody sees or touches what is not theirs. The cases are made from the catalogue and the schema:
//! a new record or root field without a case fails here.

use std::collections::{BTreeMap, BTreeSet};

use pulso::access::Resource;
use pulso::db::Value;
use pulso::graphql::{Write, catalogue};
use pulso::record::Record;
use pulso::record::change::mutation::WriteKind;
use pulso::record::declare::{OwnerPath, RelationKind, Write as Writable};
use pulso::record::operation::ReadKind;
use serde_json::{Map, Value as Json, json};
use uuid::Uuid;

use crate::support::seed::{Person, Tenant};
use crate::support::writing::lower;
use crate::support::{TestApp, both_databases};

/// Root fields that are no record's, and the tests that hold for them.
const BY_HAND: [(&str, &str); 3] = [
    ("me", "nobody is null, somebody is oneself: tests/identity.rs and tests/http.rs"),
    ("enums", "the same labels for everybody, no rows"),
    ("login", "names its tenant itself: tests/identity.rs"),
];

fn records() -> impl Iterator<Item = &'static Record> {
    catalogue().records.iter().copied()
}

/// Records with a table that can be changed.
fn changeable() -> impl Iterator<Item = &'static Record> {
    records().filter(|record| record.changes.enabled)
}

/// The same scope for every action on everything.
fn everywhere(scope: &str) -> Json {
    let actions = ["read", "create", "update", "delete", "destroy"];
    let grants: Map<String, Json> =
        actions.iter().map(|action| ((*action).to_owned(), json!(scope))).collect();
    Resource::ALL.iter().map(|resource| (resource.as_str().to_owned(), json!(grants))).collect()
}

/// As [`everywhere`], but reading everything.
fn reading_all(scope: &str) -> Json {
    let mut rights = everywhere(scope);
    for grants in rights.as_object_mut().unwrap().values_mut() {
        grants["read"] = json!("all");
    }
    rights
}

fn code(answer: &Json) -> Option<&str> {
    // Without a credential an operation is refused before it runs.
    answer["errors"][0]["extensions"]["code"].as_str().or_else(|| answer["code"].as_str())
}

/// What a refusal says in words and code, without places and request ids.
fn words(answer: &Json) -> (Json, Json, Json) {
    let error = &answer["errors"][0];
    let extensions = &error["extensions"];
    (error["message"].clone(), extensions["code"].clone(), extensions["field"].clone())
}

/// A row of every record of a tenant, made by `maker` and belonging to them.
async fn one_of_each(
    app: &TestApp,
    tenant: &Tenant,
    maker: &Person,
) -> BTreeMap<&'static str, Uuid> {
    let mut ids = BTreeMap::new();
    for record in changeable() {
        let mut input = app.least(tenant, record.name).await;
        match record.owner {
            OwnerPath::Column("id") => {
                ids.insert(record.name, maker.id);
                continue;
            }
            OwnerPath::Through("lead") => {
                let lead = json!({ "source": "s", "assigneeId": maker.id });
                input["leadId"] = json!(app.create(&tenant.admin.key, "Lead", lead).await);
            }
            OwnerPath::Column(column) => {
                let field = record.fields.iter().find(|field| field.column == column).unwrap();
                input[&field.name] = json!(maker.id);
            }
            OwnerPath::Everybody => {}
            OwnerPath::Through(other) => panic!("{}: the way through {other}", record.name),
        }
        ids.insert(record.name, app.create(&tenant.admin.key, record.name, input).await);
    }
    ids
}

/// A query over a record that shows the ids it reached, or their number.
fn read(record: &Record, kind: ReadKind, id: Uuid) -> String {
    match kind {
        ReadKind::List => format!("{{ r: {} {{ nodes {{ id }} }} }}", record.plural),
        ReadKind::One => format!("{{ r: {}(id: \"{id}\") {{ id }} }}", record.singular),
        ReadKind::Aggregate => format!("{{ r: {}Aggregate {{ count }} }}", record.singular),
        ReadKind::Groups => format!(
            "{{ r: {}Groups(by: [{{ field: CREATED_AT, bucket: YEAR }}]) {{ nodes {{ count }} }} }}",
            record.singular
        ),
    }
}

/// How many rows an answer of [`read`] tells of.
fn told(kind: ReadKind, answer: &Json) -> i64 {
    assert!(answer.get("errors").is_none(), "{answer:#}");
    let data = &answer["data"]["r"];
    match kind {
        ReadKind::List => i64::try_from(data["nodes"].as_array().unwrap().len()).unwrap(),
        ReadKind::One => i64::from(data["id"].is_string()),
        ReadKind::Aggregate => data["count"].as_i64().unwrap(),
        ReadKind::Groups => data["nodes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|node| node["count"].as_i64().unwrap())
            .sum(),
    }
}

const READS: [ReadKind; 4] = [ReadKind::List, ReadKind::One, ReadKind::Aggregate, ReadKind::Groups];

/// The arguments of a mutation of `id`.
fn arguments(record: &Record, kind: WriteKind, id: Uuid, least: &Json) -> Json {
    let text = record.fields.iter().find(|field| {
        matches!(field.kind, pulso::record::Kind::Text) && field.write == Writable::Always
    });
    let update = json!({ text.unwrap().name.as_str(): "mudou" });
    match kind {
        WriteKind::Create => json!({ "input": least }),
        WriteKind::Upsert => json!({ "input": keyed(record, least) }),
        WriteKind::Update => json!({ "id": id, "input": update }),
        WriteKind::Delete | WriteKind::Restore | WriteKind::Destroy => json!({ "id": id }),
        WriteKind::CreateMany => json!({ "inputs": [least] }),
        WriteKind::UpdateMany => json!({ "inputs": [{ "id": id, "input": update }] }),
        WriteKind::DeleteMany => json!({ "ids": [id] }),
    }
}

fn keyed(record: &Record, least: &Json) -> Json {
    let mut input = least.clone();
    for name in record.changes.natural_keys[0] {
        if input.get(*name).is_none() {
            input[*name] = json!("chave");
        }
    }
    input
}

fn mutation(record: &Record, kind: WriteKind) -> String {
    format!("{}{}", record.singular, kind.suffix())
}

fn selection(kind: WriteKind) -> &'static str {
    match kind {
        WriteKind::Destroy => "",
        WriteKind::CreateMany | WriteKind::UpdateMany | WriteKind::DeleteMany => {
            "{ record { id } error { code } }"
        }
        _ => "{ id }",
    }
}

fn names_a_row(kind: WriteKind) -> bool {
    ![WriteKind::Create, WriteKind::CreateMany, WriteKind::Upsert].contains(&kind)
}

/// The arguments of a verb on a tenant's rows. A new verb needs a line here.
fn verb(name: &str, ids: &BTreeMap<&'static str, Uuid>, person: Uuid) -> String {
    let (lead, deal, stage) = (ids["Lead"], ids["Deal"], ids["PipelineStage"]);
    let call = match name {
        "leadConvert" => format!("(id: \"{lead}\") {{ lead {{ id }} }}"),
        "leadAssign" => format!("(id: \"{lead}\", assigneeId: \"{person}\") {{ id }}"),
        "leadScore" => format!("(id: \"{lead}\", score: 7) {{ id }}"),
        "dealMoveStage" => format!("(id: \"{deal}\", stageId: \"{stage}\") {{ id }}"),
        "dealAssign" => format!("(id: \"{deal}\", ownerId: \"{person}\") {{ id }}"),
        other => panic!("{other} needs a case: who may do it, and to what"),
    };
    format!("mutation {{ r: {name}{call} }}")
}

/// A field of a computed record to ask for.
fn virtual_read(record: &Record) -> String {
    let field = record.fields.iter().find(|field| field.name != "currency").unwrap();
    format!("{{ r: {}(first: 100) {{ nodes {{ {} }} }} }}", record.plural, field.name)
}

async fn root_fields(app: &TestApp) -> BTreeSet<String> {
    let query = "{ __schema { queryType { fields { name } } mutationType { fields { name } } } }";
    let schema = app.data(&app.alpha.admin.key, query, json!({})).await;
    let names = |kind: &str| -> Vec<String> {
        let fields = schema["__schema"][kind]["fields"].as_array().unwrap();
        fields.iter().map(|field| field["name"].as_str().unwrap().to_owned()).collect()
    };
    names("queryType").into_iter().chain(names("mutationType")).collect()
}

both_databases! {
    /// The lists below are complete: each root field is a record's read, a record's mutation, a verb
    /// with a case, or named in [`BY_HAND`].
    async fn every_root_field_has_a_case(app: TestApp) {
        let ids = one_of_each(&app, &app.alpha, &app.alpha.admin).await;
        for name in root_fields(&app).await {
            let by_hand = BY_HAND.iter().any(|(known, _)| *known == name);
            let known = catalogue().read(&name).is_some()
                || match catalogue().write(&name) {
                    Some(Write::Engine(_)) => true,
                    Some(Write::Verb(known)) => !verb(known.name, &ids, Uuid::nil()).is_empty(),
                    None => false,
                };
            assert!(known != by_hand, "{name} has no case, or two");
        }
        for record in changeable() {
            assert!(ids.contains_key(record.name), "{}", record.name);
        }
    }

    async fn nobody_reads_or_writes_anything(app: TestApp) {
        let ids = one_of_each(&app, &app.alpha, &app.alpha.admin).await;
        let mut queries = Vec::new();
        for record in records() {
            if record.is_virtual() {
                queries.push(virtual_read(record));
                continue;
            }
            queries.extend(READS.map(|kind| read(record, kind, ids[record.name])));
        }
        for name in root_fields(&app).await {
            if let Some(Write::Verb(known)) = catalogue().write(&name) {
                queries.push(verb(known.name, &ids, app.alpha.admin.id));
            }
        }
        for query in &queries {
            let body = json!({ "query": query }).to_string();
            let request = axum::http::Request::post("/graphql")
                .header("content-type", "application/json")
                .body(axum::body::Body::from(body))
                .unwrap();
            let answer = app.request(request).await.json();
            assert_eq!(code(&answer), Some("UNAUTHENTICATED"), "{query}\n{answer:#}");
            assert!(answer["data"].is_null(), "{answer:#}");
            let answer = app.graphql("pulso_nobody", query, json!({})).await;
            assert_eq!(code(&answer), Some("UNAUTHENTICATED"), "{query}\n{answer:#}");
        }
        for record in changeable() {
            let least = app.least(&app.alpha, record.name).await;
            let seen = app.trail(&app.alpha).await;
            for kind in WriteKind::ALL.into_iter().filter(|kind| kind.fits(record)) {
                let arguments = arguments(record, kind, ids[record.name], &least);
                let field = mutation(record, kind);
                let answer = app.mutate("x", &field, arguments, selection(kind)).await;
                assert_eq!(code(&answer), Some("UNAUTHENTICATED"), "{field}\n{answer:#}");
            }
            assert!(app.trail(&app.alpha).await.since(&seen).is_empty());
        }
    }

    async fn another_tenant_sees_nothing(app: TestApp) {
        let stranger = &app.beta.admin.key;
        let reads: Vec<(&'static Record, ReadKind)> = records()
            .filter(|record| !record.is_virtual())
            .flat_map(|record| READS.map(|kind| (record, kind)))
            .collect();
        let mut before = BTreeMap::new();
        for (number, (record, kind)) in reads.iter().enumerate() {
            if *kind != ReadKind::One {
                let query = read(record, *kind, Uuid::nil());
                before.insert(number, app.graphql(stranger, &query, json!({})).await["data"].clone());
            }
        }
        let mut computed = BTreeMap::new();
        for record in records().filter(|record| record.is_virtual()) {
            let answer = app.data(stranger, &virtual_read(record), json!({})).await;
            computed.insert(record.name, answer);
        }
        let ids = one_of_each(&app, &app.alpha, &app.alpha.comercial).await;
        for (number, (record, kind)) in reads.into_iter().enumerate() {
            let query = read(record, kind, ids[record.name]);
            let answer = app.graphql(stranger, &query, json!({})).await;
            if kind == ReadKind::One {
                assert_eq!(code(&answer), Some("NOT_FOUND"), "{query}");
                let never = read(record, kind, app.app.clock.new_id());
                let never = app.graphql(stranger, &never, json!({})).await;
                assert_eq!(words(&answer), words(&never), "{query}");
            } else {
                assert_eq!(answer["data"], before[&number], "{query}");
            }
            // And the owner does see it: the question was the right one.
            let own = app.graphql(&app.alpha.admin.key, &query, json!({})).await;
            assert!(told(kind, &own) >= 1, "{query}\n{own:#}");
        }
        for record in records().filter(|record| record.is_virtual()) {
            let answer = app.data(stranger, &virtual_read(record), json!({})).await;
            assert_eq!(answer, computed[record.name], "{}", record.name);
        }
    }

    async fn another_tenant_touches_nothing(app: TestApp) {
        let (alpha, stranger) = (&app.alpha, &app.beta.admin.key);
        let ids = one_of_each(&app, alpha, &alpha.comercial).await;
        let seen = app.trail(alpha).await;
        for record in changeable() {
            let least = app.least(&app.beta, record.name).await;
            for kind in WriteKind::ALL.into_iter().filter(|kind| kind.fits(record)) {
                let field = mutation(record, kind);
                let with = |id: Uuid| arguments(record, kind, id, &least);
                let theirs = app.mutate(stranger, &field, with(ids[record.name]), selection(kind)).await;
                if names_a_row(kind) {
                    let never = with(app.app.clock.new_id());
                    let never = app.mutate(stranger, &field, never, selection(kind)).await;
                    assert_eq!(code(&theirs), Some("NOT_FOUND"), "{field}\n{theirs:#}");
                    assert_eq!(words(&theirs), words(&never), "{field}");
                } else {
                    // Their own row, however much it resembles ours; not taken twice.
                    let ok = theirs.get("errors").is_none() || code(&theirs) == Some("CONFLICT");
                    assert!(ok, "{field}\n{theirs:#}");
                }
            }
        }
        for name in root_fields(&app).await {
            if let Some(Write::Verb(known)) = catalogue().write(&name) {
                let query = verb(known.name, &ids, app.beta.admin.id);
                let theirs = app.graphql(stranger, &query, json!({})).await;
                assert_eq!(code(&theirs), Some("NOT_FOUND"), "{query}\n{theirs:#}");
                let never: BTreeMap<&'static str, Uuid> =
                    ids.keys().map(|name| (*name, app.app.clock.new_id())).collect();
                let never = verb(known.name, &never, app.beta.admin.id);
                let never = app.graphql(stranger, &never, json!({})).await;
                assert_eq!(words(&theirs), words(&never), "{query}");
            }
        }
        assert!(app.trail(alpha).await.since(&seen).is_empty());
    }

    /// Every foreign key of every record: another tenant's row is as good as none, and is not stored.
    async fn nothing_refers_across_tenants(app: TestApp) {
        let (alpha, key) = (&app.alpha, &app.alpha.admin.key);
        let theirs = one_of_each(&app, &app.beta, &app.beta.comercial).await;
        let ours = one_of_each(&app, alpha, &alpha.comercial).await;
        let mut tried = 0;
        for record in changeable() {
            let least = app.least(alpha, record.name).await;
            let seen = app.trail(alpha).await;
            for relation in &record.relations {
                let target = (relation.target)();
                let their = theirs[target.name];
                match relation.kind {
                    RelationKind::One { column, .. } => {
                        let field = record.fields.iter().find(|field| field.column == column).unwrap();
                        if field.write == Writable::Never {
                            continue;
                        }
                        let place = format!("input.{}", field.name);
                        let mut inputs = vec![(field.name.as_str(), Box::new(|id: Uuid| json!(id))
                            as Box<dyn Fn(Uuid) -> Json>)];
                        if target.changes.enabled {
                            inputs.push((relation.name, Box::new(|id| json!({ "connect": id }))));
                        }
                        for (name, value) in inputs {
                            for kind in [WriteKind::Create, WriteKind::Update, WriteKind::CreateMany] {
                                let update = kind == WriteKind::Update;
                                if update && field.write == Writable::OnCreate {
                                    continue;
                                }
                                let with = |id: Uuid| {
                                    let mut input = if update { json!({}) } else { least.clone() };
                                    if name != field.name.as_str() {
                                        input.as_object_mut().unwrap().remove(&field.name);
                                    }
                                    input[name] = value(id);
                                    match kind {
                                        WriteKind::Update => json!({ "id": ours[record.name], "input": input }),
                                        WriteKind::Create => json!({ "input": input }),
                                        _ => json!({ "inputs": [input] }),
                                    }
                                };
                                let mutation = mutation(record, kind);
                                let answer = app.mutate(key, &mutation, with(their), selection(kind)).await;
                                let never = with(app.app.clock.new_id());
                                let never = app.mutate(key, &mutation, never, selection(kind)).await;
                                assert_eq!(words(&answer), words(&never), "{mutation} {name}");
                                let place = match kind {
                                    WriteKind::CreateMany => place.replace("input.", "inputs.0."),
                                    _ => place.clone(),
                                };
                                let told = &answer["errors"][0]["extensions"];
                                assert_eq!((&told["code"], &told["field"]),
                                    (&json!("NOT_FOUND"), &json!(place)), "{mutation} {name}\n{answer:#}");
                                tried += 1;
                            }
                        }
                    }
                    RelationKind::Many { .. } => {
                        let with = |id: Uuid| {
                            let mut input = least.clone();
                            input[relation.name] = json!({ "connect": [id] });
                            json!({ "input": input })
                        };
                        let create = mutation(record, WriteKind::Create);
                        let answer = app.mutate(key, &create, with(their), "{ id }").await;
                        let never = with(app.app.clock.new_id());
                        let never = app.mutate(key, &create, never, "{ id }").await;
                        assert_eq!(words(&answer), words(&never), "{create} {}", relation.name);
                        let code = code(&answer).unwrap();
                        assert!(["NOT_FOUND", "INVALID"].contains(&code), "{create} {answer:#}");
                    }
                }
            }
            assert!(app.trail(alpha).await.since(&seen).is_empty(), "{}", record.name);
        }
        assert!(tried > 60, "{tried}");
    }

    async fn a_role_without_the_grant(app: TestApp) {
        let alpha = &app.alpha;
        let ids = one_of_each(&app, alpha, &alpha.comercial).await;
        let nothing = app.key_with(alpha, alpha.comercial.id, json!({})).await;
        let mut reading = everywhere("all");
        for grants in reading.as_object_mut().unwrap().values_mut() {
            *grants = json!({ "read": "all" });
        }
        let reader = app.key_with(alpha, alpha.comercial.id, reading).await;
        for record in records() {
            if record.is_virtual() {
                let answer = app.graphql(&nothing, &virtual_read(record), json!({})).await;
                assert_eq!(code(&answer), Some("FORBIDDEN"), "{}\n{answer:#}", record.name);
                continue;
            }
            for kind in READS {
                let query = read(record, kind, ids[record.name]);
                let answer = app.graphql(&nothing, &query, json!({})).await;
                assert_eq!(code(&answer), Some("FORBIDDEN"), "{query}");
                assert!(told(kind, &app.graphql(&reader, &query, json!({})).await) > 0, "{query}");
            }
        }
        for record in changeable() {
            let least = app.least(alpha, record.name).await;
            let seen = app.trail(alpha).await;
            for kind in WriteKind::ALL.into_iter().filter(|kind| kind.fits(record)) {
                for key in [&nothing, &reader] {
                    let arguments = arguments(record, kind, ids[record.name], &least);
                    let field = mutation(record, kind);
                    let answer = app.mutate(key, &field, arguments, selection(kind)).await;
                    assert_eq!(code(&answer), Some("FORBIDDEN"), "{field}\n{answer:#}");
                }
            }
            assert!(app.trail(alpha).await.since(&seen).is_empty(), "{}", record.name);
        }
        for name in root_fields(&app).await {
            if let Some(Write::Verb(known)) = catalogue().write(&name) {
                let query = verb(known.name, &ids, alpha.comercial.id);
                for key in [&nothing, &reader] {
                    let answer = app.graphql(key, &query, json!({})).await;
                    assert_eq!(code(&answer), Some("FORBIDDEN"), "{query}\n{answer:#}");
                }
            }
        }
    }

    /// Each action is granted by itself: the grants of all others do not stand in for it.
    async fn every_action_is_a_grant_of_its_own(app: TestApp) {
        let alpha = &app.alpha;
        let ids = one_of_each(&app, alpha, &alpha.comercial).await;
        for record in changeable() {
            let least = app.least(alpha, record.name).await;
            for kind in WriteKind::ALL.into_iter().filter(|kind| kind.fits(record)) {
                let mut rights = everywhere("all");
                rights[record.resource.as_str()]
                    .as_object_mut()
                    .unwrap()
                    .remove(kind.action().as_str());
                let key = app.key_with(alpha, alpha.comercial.id, rights).await;
                let seen = app.trail(alpha).await;
                let arguments = arguments(record, kind, ids[record.name], &least);
                let field = mutation(record, kind);
                let answer = app.mutate(&key, &field, arguments, selection(kind)).await;
                assert_eq!(code(&answer), Some("FORBIDDEN"), "{field}\n{answer:#}");
                assert!(app.trail(alpha).await.since(&seen).is_empty());
            }
        }
    }

    /// The scope `own`: rows of others are not there to be read, and not to be written.
    async fn own_rows_only(app: TestApp) {
        let alpha = &app.alpha;
        let mine = one_of_each(&app, alpha, &alpha.comercial).await;
        let others = one_of_each(&app, alpha, &alpha.diretor).await;
        let own = app.key_with(alpha, alpha.comercial.id, everywhere("own")).await;
        let seeing = app.key_with(alpha, alpha.comercial.id, reading_all("own")).await;
        for record in records().filter(|record| !record.is_virtual()) {
            let everybody = matches!(record.owner, OwnerPath::Everybody);
            for kind in READS {
                let query = read(record, kind, others[record.name]);
                let answer = app.graphql(&own, &query, json!({})).await;
                if everybody {
                    assert!(told(kind, &answer) >= 1, "{query}");
                } else if kind == ReadKind::One {
                    assert_eq!(code(&answer), Some("NOT_FOUND"), "{query}");
                    let query = read(record, kind, mine[record.name]);
                    assert_eq!(told(kind, &app.graphql(&own, &query, json!({})).await), 1, "{query}");
                } else {
                    // The row itself, and the lead that its interaction needed.
                    let expected = if record.name == "Lead" { 2 } else { 1 };
                    assert_eq!(told(kind, &answer), expected, "{query}\n{answer:#}");
                }
            }
        }
        for record in changeable() {
            if matches!(record.owner, OwnerPath::Everybody) {
                continue;
            }
            let least = app.least(alpha, record.name).await;
            let seen = app.trail(alpha).await;
            for kind in WriteKind::ALL.into_iter().filter(|kind| kind.fits(record)) {
                if !names_a_row(kind) {
                    continue;
                }
                let with = |id: Uuid| arguments(record, kind, id, &least);
                let field = mutation(record, kind);
                let answer = app.mutate(&own, &field, with(others[record.name]), selection(kind)).await;
                let never = with(app.app.clock.new_id());
                let never = app.mutate(&own, &field, never, selection(kind)).await;
                assert_eq!(code(&answer), Some("NOT_FOUND"), "{field}\n{answer:#}");
                assert_eq!(words(&answer), words(&never), "{field}");
                // Who sees it is told that it is not theirs to change.
                let answer = app.mutate(&seeing, &field, with(others[record.name]), selection(kind)).await;
                assert_eq!(code(&answer), Some("FORBIDDEN"), "{field}\n{answer:#}");
            }
            assert!(app.trail(alpha).await.since(&seen).is_empty(), "{}", record.name);
            let update = arguments(record, WriteKind::Update, mine[record.name], &least);
            app.done(&own, &mutation(record, WriteKind::Update), update, "{ id }").await;
        }
        for name in root_fields(&app).await {
            if let Some(Write::Verb(known)) = catalogue().write(&name) {
                let query = verb(known.name, &others, alpha.comercial.id);
                let answer = app.graphql(&own, &query, json!({})).await;
                assert_eq!(code(&answer), Some("NOT_FOUND"), "{query}\n{answer:#}");
                let answer = app.graphql(&seeing, &query, json!({})).await;
                assert_eq!(code(&answer), Some("FORBIDDEN"), "{query}\n{answer:#}");
            }
        }
    }

    /// Creating for somebody else needs a scope that reaches them.
    async fn what_is_created_is_within_reach(app: TestApp) {
        let alpha = &app.alpha;
        let theirs = one_of_each(&app, alpha, &alpha.diretor).await;
        let mine = one_of_each(&app, alpha, &alpha.comercial).await;
        let own = app.key_with(alpha, alpha.comercial.id, reading_all("own")).await;
        let team = app.key_with(alpha, alpha.manager.id, reading_all("team")).await;
        for record in changeable() {
            let owner = match record.owner {
                OwnerPath::Everybody | OwnerPath::Column("id") => continue,
                OwnerPath::Through(_) => "leadId",
                OwnerPath::Column(column) => {
                    record.fields.iter().find(|field| field.column == column).unwrap().name.as_str()
                }
            };
            let of = |lead: Uuid, person: &Person| match owner {
                "leadId" => json!(lead),
                _ => json!(person.id),
            };
            let create = mutation(record, WriteKind::Create);
            let many = mutation(record, WriteKind::CreateMany);
            let mut input = app.least(alpha, record.name).await;
            input[owner] = of(theirs["Lead"], &alpha.diretor);
            let seen = app.trail(alpha).await;
            for key in [&own, &team] {
                let refused = app.refusal(key, &create, json!({ "input": input })).await;
                assert_eq!(refused.0, "FORBIDDEN", "{create}");
                let refused = app.refusal(key, &many, json!({ "inputs": [input] })).await;
                assert_eq!(refused.0, "FORBIDDEN", "{many}");
            }
            assert!(app.trail(alpha).await.since(&seen).is_empty(), "{create}");
            // The seller's row: the seller may, and so may the one whose report the seller is.
            input[owner] = of(mine["Lead"], &alpha.comercial);
            app.done(&own, &create, json!({ "input": input }), "{ id }").await;
            app.done(&team, &create, json!({ "input": input }), "{ id }").await;
        }
        // A change that takes a row out of one's sight is refused; to hand it over within sight is not.
        let lead = mine["Lead"];
        let away = json!({ "id": lead, "input": { "assigneeId": alpha.diretor.id } });
        let blind = app.key_with(alpha, alpha.comercial.id, {
            let mut rights = everywhere("own");
            rights["users"]["read"] = json!("all");
            rights
        }).await;
        let refused = app.refusal(&blind, "leadUpdate", away.clone()).await;
        assert_eq!(refused.0, "FORBIDDEN");
        let still = app.read_sql(alpha, "SELECT assigned_to FROM leads WHERE tenant_id = ? AND id = ?",
            vec![Value::Id(lead)]).await;
        assert_eq!(still[0].id(0).unwrap(), Some(alpha.comercial.id));
        app.done(&own, "leadUpdate", away, "{ id }").await;
    }

    /// The seed roles: a manager changes what the team owns, a seller deletes their own.
    async fn the_team_is_worked_on_together(app: TestApp) {
        let alpha = &app.alpha;
        let of_seller = one_of_each(&app, alpha, &alpha.comercial).await;
        let of_manager = one_of_each(&app, alpha, &alpha.manager).await;
        for record in changeable() {
            if !["companies", "contacts", "leads", "lead_interactions", "deals", "deal_activities"]
                .contains(&record.resource.as_str())
            {
                continue;
            }
            let update = |id: Uuid| arguments(record, WriteKind::Update, id, &json!({}));
            let field = mutation(record, WriteKind::Update);
            let (manager, seller) = (&alpha.manager.key, &alpha.comercial.key);
            app.done(manager, &field, update(of_seller[record.name]), "{ id }").await;
            app.done(seller, &field, update(of_seller[record.name]), "{ id }").await;
            let refused = app.refusal(seller, &field, update(of_manager[record.name])).await;
            assert_eq!(refused.0, "FORBIDDEN", "{field}");
            let delete = mutation(record, WriteKind::Delete);
            let refused = app.refusal(manager, &delete, json!({ "id": of_seller[record.name] })).await;
            assert_eq!(refused.0, "FORBIDDEN", "{delete}");
            app.done(seller, &delete, json!({ "id": of_seller[record.name] }), "{ id }").await;
            let restore = mutation(record, WriteKind::Restore);
            app.done(seller, &restore, json!({ "id": of_seller[record.name] }), "{ id }").await;
        }
    }

    /// What may not be read may not be written: one could find out by writing.
    async fn hidden_fields_cannot_be_written(app: TestApp) {
        let alpha = &app.alpha;
        let ids = one_of_each(&app, alpha, &alpha.admin).await;
        let mut tried = 0;
        for record in changeable() {
            let least = app.least(alpha, record.name).await;
            for rule in ["hidden", "masked"] {
                let writable = record.fields.iter().filter(|field| field.write != Writable::Never);
                let rules: Map<String, Json> =
                    writable.clone().map(|field| (field.name.clone(), json!(rule))).collect();
                let mut rights = everywhere("all");
                rights[record.resource.as_str()]["fields"] = json!(rules);
                let key = app.key_with(alpha, alpha.admin.id, rights).await;
                let seen = app.trail(alpha).await;
                for field in writable {
                    let (kind, arguments) = if field.write == Writable::Always {
                        let input = json!({ field.name.as_str(): null });
                        (WriteKind::Update, json!({ "id": ids[record.name], "input": input }))
                    } else {
                        (WriteKind::Create, json!({ "input": least }))
                    };
                    let mutation = mutation(record, kind);
                    let refused = app.refusal(&key, &mutation, arguments).await;
                    assert_eq!(refused.0, "FORBIDDEN", "{mutation} {}", field.name);
                    let place = format!("input.{}", field.name);
                    let fits = kind == WriteKind::Create || refused.1 == Some(place);
                    assert!(fits, "{mutation} {} {:?}", field.name, refused.1);
                    tried += 1;
                }
                for relation in &record.relations {
                    let RelationKind::One { column, .. } = relation.kind else { continue };
                    let field = record.fields.iter().find(|field| field.column == column).unwrap();
                    if field.write != Writable::Always {
                        continue;
                    }
                    let input = json!({ relation.name: { "connect": alpha.admin.id } });
                    let arguments = json!({ "id": ids[record.name], "input": input });
                    let update = mutation(record, WriteKind::Update);
                    let refused = app.refusal(&key, &update, arguments).await;
                    assert_eq!(refused.0, "FORBIDDEN", "{update} {}", relation.name);
                }
                assert!(app.trail(alpha).await.since(&seen).is_empty(), "{}", record.name);
            }
        }
        assert!(tried > 100, "{tried}");
    }

    /// What every change leaves is the tenant's own, and nobody else's.
    async fn the_trail_stays_in_the_tenant(app: TestApp) {
        let before = app.trail(&app.beta).await;
        let ids = one_of_each(&app, &app.alpha, &app.alpha.admin).await;
        for record in changeable() {
            for kind in [WriteKind::Update, WriteKind::Delete, WriteKind::Restore] {
                let arguments = arguments(record, kind, ids[record.name], &json!({}));
                // Not the ground under one's own feet.
                if record.name == "User" && kind != WriteKind::Update {
                    continue;
                }
                let field = mutation(record, kind);
                app.done(&app.alpha.admin.key, &field, arguments, "{ id }").await;
            }
        }
        assert!(app.trail(&app.beta).await.since(&before).is_empty());
        let ours = app.trail(&app.alpha).await;
        for table in ["audit_logs", "events", "event_batches", "outbox", "epochs"] {
            let sql = format!("SELECT count(*) FROM {table} WHERE tenant_id NOT IN (?, ?)");
            let values = vec![Value::Id(app.beta.id)];
            let strays = app.read_sql(&app.alpha, &sql, values).await;
            assert_eq!(strays[0].int(0).unwrap(), Some(0), "{table}");
        }
        assert!(ours.audits.len() >= 3 * (ids.len() - 1));
        let people: BTreeSet<Option<Uuid>> = ours.audits.iter().map(|audit| audit.user_id).collect();
        assert!(people.contains(&Some(app.alpha.admin.id)));
        assert!(ours.epochs.len() >= ids.len());
        // One name for a record everywhere.
        for record in changeable() {
            assert_eq!(lower(record.name), record.singular);
        }
    }
}
