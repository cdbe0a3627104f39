//! Mutations without ceremony, the least that every record can be created from, and the trail that a
//! change leaves in the tables.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::http::{Request, header};
use pulso::access::SystemHandle;
use pulso::db::{Row, Statement, Value};
use pulso::graphql::{Write, catalogue};
use pulso::identity::api_key;
use serde_json::{Value as Json, json};
use uuid::Uuid;

use super::TestApp;
use super::seed::Tenant;

/// What a tenant's changes have left beside their rows, oldest first.
#[derive(Debug, Clone, Default)]
pub struct Trail {
    pub audits: Vec<Audit>,
    pub events: Vec<Event>,
    /// Id, lane, count, state.
    pub batches: Vec<(Uuid, String, i64, String)>,
    /// Topic and payload.
    pub outbox: Vec<(String, Json)>,
    pub epochs: BTreeMap<String, i64>,
}

#[derive(Debug, Clone)]
pub struct Audit {
    pub action: String,
    pub resource: String,
    pub resource_id: Option<Uuid>,
    pub user_id: Option<Uuid>,
    pub api_key_id: Option<Uuid>,
    pub old: Option<Json>,
    pub new: Option<Json>,
    pub ip: Option<String>,
    pub agent: Option<String>,
    pub request_id: Option<String>,
}

#[derive(Debug, Clone)]
pub struct Event {
    pub id: Uuid,
    pub module: String,
    pub kind: String,
    pub resource: Option<String>,
    pub resource_id: Option<Uuid>,
    pub actor_id: Option<Uuid>,
    pub batch_id: Uuid,
    pub payload: Json,
}

impl Trail {
    /// What came after `earlier`.
    pub fn since(&self, earlier: &Self) -> Self {
        let epochs = self
            .epochs
            .iter()
            .map(|(name, value)| (name.clone(), value - earlier.epochs.get(name).unwrap_or(&0)))
            .filter(|(_, raised)| *raised != 0)
            .collect();
        Self {
            audits: self.audits[earlier.audits.len()..].to_vec(),
            events: self.events[earlier.events.len()..].to_vec(),
            batches: self.batches[earlier.batches.len()..].to_vec(),
            outbox: self.outbox[earlier.outbox.len()..].to_vec(),
            epochs,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.audits.is_empty()
            && self.events.is_empty()
            && self.batches.is_empty()
            && self.outbox.is_empty()
            && self.epochs.is_empty()
    }

    pub fn actions(&self) -> Vec<&str> {
        self.audits.iter().map(|audit| audit.action.as_str()).collect()
    }

    pub fn kinds(&self) -> Vec<&str> {
        self.events.iter().map(|event| event.kind.as_str()).collect()
    }
}

impl TestApp {
    /// Rows of a statement whose `?` are its values in order; the first is the tenant.
    pub async fn read_sql(&self, tenant: &Tenant, sql: &str, mut values: Vec<Value>) -> Vec<Row> {
        let conn = self.app.db.single_read().await.unwrap();
        let sql = self.numbered(sql);
        values.insert(0, Value::Id(tenant.id));
        let system = SystemHandle::for_tenant(tenant.id);
        let statement = Statement::new(sql, values);
        conn.rows(&system, &statement)
            .await
            .unwrap_or_else(|error| panic!("{error}: {statement:?}"))
    }

    /// Runs a statement as it stands.
    pub async fn write_sql(&self, sql: &str, values: Vec<Value>) -> u64 {
        let conn = self.app.db.transaction().await.unwrap();
        let statement = Statement::new(self.numbered(sql), values);
        let system = SystemHandle::for_tenant(Uuid::nil());
        let changed = conn.execute(&system, &statement).await;
        let changed = changed.unwrap_or_else(|error| panic!("{error}: {statement:?}"));
        conn.commit().await.unwrap();
        changed
    }

    fn numbered(&self, sql: &str) -> String {
        let mut parts = sql.split('?');
        let mut text = parts.next().unwrap().to_owned();
        for (part, number) in parts.zip(1..) {
            text.push_str(&self.app.db.dialect().placeholder(number));
            text.push_str(part);
        }
        text
    }

    /// How many rows a tenant has in a table, deleted ones included.
    pub async fn count(&self, tenant: &Tenant, table: &str) -> i64 {
        let sql = format!("SELECT count(*) FROM {table} WHERE tenant_id = ?");
        self.read_sql(tenant, &sql, Vec::new()).await[0].int(0).unwrap().unwrap()
    }

    pub async fn trail(&self, tenant: &Tenant) -> Trail {
        let read = async |columns: &str, table: &str| {
            let sql = format!("SELECT {columns} FROM {table} WHERE tenant_id = ? ORDER BY id");
            self.read_sql(tenant, &sql, Vec::new()).await
        };
        let audits = read(
            "action, resource_type, resource_id, user_id, api_key_id, old_values, new_values, \
             ip_address, user_agent, request_id",
            "audit_logs",
        )
        .await;
        let audits = audits.iter().map(|row| Audit {
            action: row.text(0).unwrap().unwrap(),
            resource: row.text(1).unwrap().unwrap(),
            resource_id: row.id(2).unwrap(),
            user_id: row.id(3).unwrap(),
            api_key_id: row.id(4).unwrap(),
            old: row.json(5).unwrap(),
            new: row.json(6).unwrap(),
            ip: row.text(7).unwrap(),
            agent: row.text(8).unwrap(),
            request_id: row.text(9).unwrap(),
        });
        let events = read(
            "id, module, event_type, resource, resource_id, actor_id, batch_id, payload",
            "events",
        )
        .await;
        let events = events.iter().map(|row| Event {
            id: row.required_id(0).unwrap(),
            module: row.text(1).unwrap().unwrap(),
            kind: row.text(2).unwrap().unwrap(),
            resource: row.text(3).unwrap(),
            resource_id: row.id(4).unwrap(),
            actor_id: row.id(5).unwrap(),
            batch_id: row.required_id(6).unwrap(),
            payload: row.json(7).unwrap().unwrap(),
        });
        let batches = read("id, lane, event_count, state", "event_batches").await;
        let batches = batches.iter().map(|row| {
            let text = |index| row.text(index).unwrap().unwrap();
            (row.required_id(0).unwrap(), text(1), row.int(2).unwrap().unwrap(), text(3))
        });
        let outbox = read("topic, payload", "outbox").await;
        let outbox =
            outbox.iter().map(|row| (row.text(0).unwrap().unwrap(), row.json(1).unwrap().unwrap()));
        let epochs = read("id, value", "epochs").await;
        let epochs =
            epochs.iter().map(|row| (row.text(0).unwrap().unwrap(), row.int(1).unwrap().unwrap()));
        Trail {
            audits: audits.collect(),
            events: events.collect(),
            batches: batches.collect(),
            outbox: outbox.collect(),
            epochs: epochs.collect(),
        }
    }

    /// A key that acts as `user` with these permissions alone.
    pub async fn key_with(&self, tenant: &Tenant, user: Uuid, permissions: Json) -> String {
        let role = self.app.clock.new_id();
        let name = format!("role {role}");
        let fields = [
            ("id", Value::Id(role)),
            ("name", Value::from(name.as_str())),
            ("permissions", Value::Json(permissions)),
        ];
        self.insert(tenant, "roles", &fields).await;
        let key = api_key::service::create(&self.app, tenant.slug, &name, &name, &[], None);
        let key = key.await.unwrap();
        let sql = "UPDATE api_keys SET user_id = ? WHERE tenant_id = ? AND name = ?";
        let values = vec![Value::Id(user), Value::Id(tenant.id), Value::from(name.as_str())];
        assert_eq!(self.write_sql(sql, values).await, 1);
        key
    }

    /// One mutation field; the whole answer. The types of its arguments follow from its name.
    pub async fn mutate(&self, key: &str, field: &str, arguments: Json, selection: &str) -> Json {
        self.graphql(key, &mutation(field, &arguments, selection), arguments).await
    }

    /// As [`TestApp::mutate`], with an idempotency key in the header.
    pub async fn mutate_once(
        &self,
        key: &str,
        once: &str,
        (field, arguments, selection): (&str, Json, &str),
    ) -> Json {
        let query = mutation(field, &arguments, selection);
        let body = json!({ "query": query, "variables": arguments }).to_string();
        let request = Request::post("/graphql")
            .header(header::AUTHORIZATION, format!("Bearer {key}"))
            .header(header::CONTENT_TYPE, "application/json")
            .header("Idempotency-Key", once)
            .body(Body::from(body))
            .unwrap();
        self.request(request).await.json()
    }

    /// A mutation that must succeed: what the field answers.
    #[track_caller]
    pub fn done(
        &self,
        key: &str,
        field: &str,
        arguments: Json,
        selection: &str,
    ) -> impl Future<Output = Json> {
        let caller = std::panic::Location::caller();
        async move {
            let mut answer = self.mutate(key, field, arguments, selection).await;
            assert!(answer.get("errors").is_none(), "{caller}: {field}\n{answer:#}");
            answer["data"][field].take()
        }
    }

    /// A mutation that must be refused: its code, and the field that is to blame.
    #[track_caller]
    pub fn refusal(
        &self,
        key: &str,
        field: &str,
        arguments: Json,
    ) -> impl Future<Output = (String, Option<String>)> {
        let caller = std::panic::Location::caller();
        async move {
            let selection = selection_of(field);
            let answer = self.mutate(key, field, arguments, selection).await;
            let extensions = &answer["errors"][0]["extensions"];
            let code = extensions["code"].as_str();
            let code = code.unwrap_or_else(|| panic!("{caller}: no error: {field}\n{answer:#}"));
            (code.to_owned(), extensions["field"].as_str().map(str::to_owned))
        }
    }

    /// The id of a new row.
    #[track_caller]
    pub fn create(&self, key: &str, record: &str, input: Json) -> impl Future<Output = Uuid> {
        let caller = std::panic::Location::caller();
        let field = format!("{}Create", lower(record));
        async move {
            let answer = self.mutate(key, &field, json!({ "input": input }), "{ id }").await;
            let id = answer["data"][&field]["id"].as_str();
            id.unwrap_or_else(|| panic!("{caller}: {answer:#}")).parse().unwrap()
        }
    }

    /// The least that a record of this kind is created from; what it must belong to is created by
    /// the tenant's admin. A new record needs a line here.
    pub async fn least(&self, tenant: &Tenant, record: &str) -> Json {
        let number = self.app.clock.new_id().simple().to_string();
        match record {
            "Company" => json!({ "name": "Padaria do Zé" }),
            "Contact" => json!({ "fullName": "José da Silva" }),
            "Lead" => json!({ "name": "Zé", "source": "site" }),
            "LeadInteraction" => {
                let lead =
                    self.create(&tenant.admin.key, "Lead", json!({ "source": "site" })).await;
                json!({ "type": "NOTE", "channel": "telefone", "leadId": lead })
            }
            "PipelineStage" => {
                json!({ "name": "Etapa", "slug": format!("s{number}"), "sortOrder": 50 })
            }
            "Deal" => {
                json!({ "title": "Negócio", "stageId": self.stage(tenant, "prospeccao").await })
            }
            "DealActivity" => {
                let deal = Box::pin(self.least(tenant, "Deal")).await;
                let deal = self.create(&tenant.admin.key, "Deal", deal).await;
                json!({ "kind": "TASK", "subject": "Ligar", "dealId": deal })
            }
            "Sale" => {
                let company = json!({ "name": "Padaria do Zé" });
                let customer = self.create(&tenant.admin.key, "Company", company).await;
                json!({ "orderId": number, "customerId": customer, "amount": "10.00" })
            }
            "Goal" => {
                let company = json!({ "name": "Padaria do Zé" });
                let customer = self.create(&tenant.admin.key, "Company", company).await;
                json!({ "year": 2026, "customerId": customer, "amount": "1000.00" })
            }
            "CustomMetric" => json!({ "name": format!("m{number}"), "label": "Devoluções",
                "aggregation": "COUNT", "sources": [{ "eventType": "order.refunded" }] }),
            "AnalyticsDimension" => {
                let from = "2026-03-01T00:00:00Z";
                json!({ "dimension": "channel", "value": number, "label": "WhatsApp", "validFrom": from })
            }
            "User" => json!({ "fullName": "Maria de Souza" }),
            "OrgUnit" => json!({ "name": "Filial" }),
            other => panic!("{other} needs the least it is created from"),
        }
    }
}

/// `Lead` -> `lead`.
pub fn lower(record: &str) -> String {
    format!("{}{}", record[..1].to_lowercase(), &record[1..])
}

fn selection_of(field: &str) -> &'static str {
    if field.ends_with("Many") {
        "{ record { id } error { code field message } }"
    } else if field.ends_with("Destroy") {
        ""
    } else {
        "{ id }"
    }
}

const KINDS: [&str; 9] = [
    "CreateMany",
    "UpdateMany",
    "DeleteMany",
    "Create",
    "Update",
    "Upsert",
    "Delete",
    "Restore",
    "Destroy",
];

fn mutation(field: &str, arguments: &Json, selection: &str) -> String {
    let verb = match catalogue().write(field) {
        Some(Write::Verb(verb)) => Some(verb),
        Some(Write::Engine(_)) | None => None,
    };
    let type_of = |name: &str| match verb {
        Some(verb) => {
            let known = verb.arguments.iter().find(|(argument, ..)| *argument == name);
            known.unwrap_or_else(|| panic!("{field} has no {name}")).1.to_owned()
        }
        None => type_of(field, name),
    };
    let names: Vec<&String> = arguments.as_object().unwrap().keys().collect();
    let declared: Vec<String> =
        names.iter().map(|name| format!("${name}: {}", type_of(name))).collect();
    let given: Vec<String> = names.iter().map(|name| format!("{name}: ${name}")).collect();
    format!("mutation({}) {{ {field}({}) {selection} }}", declared.join(", "), given.join(", "))
}

/// The type of an argument of the engine's own mutations, and of `tenantUpdate`, which is named alike.
fn type_of(field: &str, name: &str) -> String {
    let kind = KINDS.into_iter().find(|kind| field.ends_with(kind));
    let kind = kind.unwrap_or_else(|| panic!("{field} is no mutation of the engine"));
    let record = field.strip_suffix(kind).unwrap();
    let record = format!("{}{}", record[..1].to_uppercase(), &record[1..]);
    match (name, kind) {
        ("id", _) => "ID!".to_owned(),
        ("ids", _) => "[ID!]!".to_owned(),
        ("expectedVersion", _) => "Int".to_owned(),
        ("mode", _) => "BatchMode".to_owned(),
        ("inputs", "CreateMany") => format!("[{record}CreateInput!]!"),
        ("inputs", _) => format!("[{record}UpdateManyInput!]!"),
        _ => format!("{record}{kind}Input!"),
    }
}

pub const CNPJ: &str = "11222333000181";

/// What a refusal says: code and field.
pub fn at(code: &str, field: &str) -> (String, Option<String>) {
    (code.to_owned(), Some(field.to_owned()))
}

/// A refusal that blames no field.
pub fn nowhere(code: &str) -> (String, Option<String>) {
    (code.to_owned(), None)
}

/// The code of a refusal.
pub fn code(answer: &Json) -> &str {
    answer["errors"][0]["extensions"]["code"].as_str().unwrap_or_else(|| panic!("{answer:#}"))
}

/// The field that is to blame for it.
pub fn field(answer: &Json) -> &str {
    answer["errors"][0]["extensions"]["field"].as_str().unwrap_or_else(|| panic!("{answer:#}"))
}
