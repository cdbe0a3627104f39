//! Nobody sees or touches what is not theirs: the proof, made from what the server says of itself.
//!
//! Every root field, mutation, route and background task is found at run time, in the schema, in the
//! catalogue, in the list of addresses and in the sources, and met by four: nobody, somebody of another
//! tenant, somebody without the grant, and somebody who reaches their own rows only. What a record's
//! declaration describes needs no line here. Everything else is a line in `cases.rs`, `routes.rs` or
//! `tasks.rs`; without it [`coverage`] fails and says where to write it.

mod cases;
mod changes;
mod coverage;
mod leaks;
mod records;
mod references;
mod routes;
mod scopes;
mod shape;
mod tasks;
mod threat_model;
mod whole;

use std::collections::BTreeMap;

use axum::body::Body;
use axum::http::{Request, header};
use pulso::access::Resource;
use pulso::db::Value;
use pulso::graphql::catalogue;
use pulso::record::Record;
use pulso::record::declare::OwnerPath;
use serde_json::{Map, Value as Json, json};
use uuid::Uuid;

use crate::support::TestApp;
use crate::support::rows::Field;
use crate::support::seed::{Person, Tenant};

pub fn records() -> impl Iterator<Item = &'static Record> {
    catalogue().records.iter().copied()
}

/// Records with a table that can be changed.
pub fn changeable() -> impl Iterator<Item = &'static Record> {
    records().filter(|record| record.changes.enabled)
}

/// The same scope for every action on everything.
pub fn everywhere(scope: &str) -> Json {
    let actions = ["read", "create", "update", "delete", "destroy"];
    let grants: Map<String, Json> =
        actions.iter().map(|action| ((*action).to_owned(), json!(scope))).collect();
    Resource::ALL.iter().map(|resource| (resource.as_str().to_owned(), json!(grants))).collect()
}

/// As [`everywhere`], but reading everything.
pub fn reading_all(scope: &str) -> Json {
    let mut rights = everywhere(scope);
    for grants in rights.as_object_mut().unwrap().values_mut() {
        grants["read"] = json!("all");
    }
    rights
}

pub fn code(answer: &Json) -> Option<&str> {
    // Without a credential an operation is refused before it runs.
    answer["errors"][0]["extensions"]["code"].as_str().or_else(|| answer["code"].as_str())
}

/// What a refusal says in words and code, without places and request ids.
pub fn words(answer: &Json) -> (Json, Json, Json) {
    let error = &answer["errors"][0];
    let extensions = &error["extensions"];
    (error["message"].clone(), extensions["code"].clone(), extensions["field"].clone())
}

/// One operation, with a credential or with none.
pub async fn ask(app: &TestApp, credential: Option<&str>, query: &str) -> Json {
    let body = Body::from(json!({ "query": query }).to_string());
    let mut request = Request::post("/graphql").header(header::CONTENT_TYPE, "application/json");
    if let Some(credential) = credential {
        request = request.header(header::AUTHORIZATION, format!("Bearer {credential}"));
    }
    app.request(request.body(body).unwrap()).await.json()
}

/// What would give a tenant away in an answer: who it is and who is there.
pub fn marks(tenant: &Tenant, ids: &BTreeMap<&'static str, Uuid>) -> Vec<String> {
    let people =
        [&tenant.admin, &tenant.diretor, &tenant.manager, &tenant.comercial, &tenant.agente_ia];
    let of_people =
        people.into_iter().flat_map(|person| [person.id.to_string(), person.email.clone()]);
    let mut marks: Vec<String> = of_people.chain(ids.values().map(Uuid::to_string)).collect();
    marks.push(tenant.id.to_string());
    marks.push(format!("Tenant {}", tenant.slug));
    marks
}

/// The first mark that an answer tells, beside those that were in the question.
pub fn betrays<'m>(answer: &str, question: &str, marks: &'m [String]) -> Option<&'m String> {
    marks.iter().find(|mark| answer.contains(*mark) && !question.contains(*mark))
}

/// A row of every record of a tenant, made by `maker` and belonging to them.
pub async fn one_of_each(
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
            OwnerPath::Everybody | OwnerPath::Nobody => {}
            OwnerPath::Through(other) => panic!("{}: the way through {other}", record.name),
        }
        ids.insert(record.name, app.create(&tenant.admin.key, record.name, input).await);
    }
    // What nobody writes through the engine.
    let by_maker = ("user_id", Value::Id(maker.id));
    let audit =
        [("action", "lead.update".into()), ("resource_type", "leads".into()), by_maker.clone()];
    let born = "created_at";
    ids.insert("AuditLog", insert_log(app, tenant, ("audit_logs", born), &audit).await);
    let read = [
        ("kind", "personal".into()),
        ("resource", "contacts".into()),
        ("fields", Value::Json(json!(["email"]))),
        ("row_count", Value::Int(1)),
        by_maker,
    ];
    ids.insert("AnalyticsEvent", event_of(app, tenant, maker).await);
    ids.insert("ReadLog", insert_log(app, tenant, ("read_logs", born), &read).await);
    let apart = [
        ("reason", "malformed".into()),
        ("detail", "module is missing".into()),
        ("body", Value::Json(json!({ "id": "3" }))),
        ("state", "waiting".into()),
        ("updated_at", Value::Instant(app.app.clock.now())),
    ];
    let place = ("quarantined_events", "received_at");
    ids.insert("QuarantinedEvent", insert_log(app, tenant, place, &apart).await);
    let schema = [
        ("module", "people".into()),
        ("event_type", format!("person.{}", app.app.clock.new_id()).into()),
        ("schema_version", Value::Int(1)),
        ("schema", Value::Json(json!({ "title": "met" }))),
    ];
    ids.insert("EventSchema", insert_log(app, tenant, ("event_schemas", born), &schema).await);
    let now = Value::Instant(app.app.clock.now());
    let job = [
        ("kind", "snapshot_verify".into()),
        ("state", "queued".into()),
        ("arguments", Value::Json(json!({}))),
        ("attempts_max", Value::Int(5)),
        ("due_at", now.clone()),
        ("requested_by", Value::Id(maker.id)),
        ("updated_at", now),
    ];
    ids.insert("Job", insert_log(app, tenant, ("jobs", born), &job).await);
    for record in records().filter(|record| !record.is_virtual()) {
        assert!(ids.contains_key(record.name), "{} needs a row here", record.name);
    }
    ids
}

/// Something that `maker` did.
async fn event_of(app: &TestApp, tenant: &Tenant, maker: &Person) -> Uuid {
    let (id, now) = (app.app.clock.new_id(), Value::Instant(app.app.clock.now()));
    let sql = "INSERT INTO events (tenant_id, id, module, event_type, occurred_at, received_at, \
        actor_id, batch_id, payload) VALUES (?, ?, 'tickets', 'ticket.created', ?, ?, ?, ?, ?)";
    let payload = Value::Json(json!({ "priority": 1 }));
    let (batch, actor) = (Value::Id(app.app.clock.new_id()), Value::Id(maker.id));
    let values = vec![Value::Id(tenant.id), Value::Id(id), now.clone(), now, actor, batch, payload];
    app.write_sql(sql, values).await;
    id
}

async fn insert_log(
    app: &TestApp,
    tenant: &Tenant,
    (table, born): (&str, &str),
    fields: &[Field<'_>],
) -> Uuid {
    let id = app.app.clock.new_id();
    let own = [
        ("tenant_id", Value::Id(tenant.id)),
        ("id", Value::Id(id)),
        (born, Value::Instant(app.app.clock.now())),
    ];
    let (columns, values): (Vec<&str>, Vec<Value>) = own.iter().chain(fields).cloned().unzip();
    let marks = vec!["?"; columns.len()].join(", ");
    let sql = format!("INSERT INTO {table} ({}) VALUES ({marks})", columns.join(", "));
    app.write_sql(&sql, values).await;
    id
}
