//! Random rows of every record, made from the declarations alone: nulls, ties, accents, equal times,
//! deleted rows. The same seed gives the same rows on both databases.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use entity::value::{fold, search_text};
use pulso::access::SystemHandle;
use pulso::db::{Conn, NullOf, Statement, Value};
use pulso::record::declare::{Field, RelationKind};
use pulso::record::{Kind, Record};
use serde_json::{Value as Json, json};
use uuid::Uuid;

use super::TestApp;
use super::seed::Tenant;

/// Numbers that look random and come again (SplitMix64).
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.number() % u64::try_from(end).unwrap()).unwrap()
    }

    /// True that many times in a hundred.
    pub fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}

/// A row by column.
pub type Row = BTreeMap<String, Value>;

/// All rows of one tenant, as the database has them.
pub struct Data(BTreeMap<&'static str, Vec<Row>>);

impl Data {
    /// Every row, deleted ones too.
    pub fn all(&self, record: &Record) -> &[Row] {
        &self.0[record.name]
    }

    pub fn living(&self, record: &Record) -> Vec<&Row> {
        self.all(record).iter().filter(|row| is_living(row)).collect()
    }

    /// The living row that a to-one relation leads to.
    pub fn related<'a>(&'a self, row: &Row, relation: &str, record: &Record) -> Option<&'a Row> {
        let relation = record.find_relation(relation).unwrap();
        let RelationKind::One { column, .. } = relation.kind else { panic!("not to-one") };
        let id = row.get(column)?;
        self.living((relation.target)()).into_iter().find(|other| other["id"] == *id)
    }
}

pub fn is_living(row: &Row) -> bool {
    row.get("deleted_at").is_none_or(Value::is_null)
}

pub fn id_of(row: &Row) -> String {
    match &row["id"] {
        Value::Id(id) => id.to_string(),
        other => panic!("{other:?}"),
    }
}

pub const NAMES: [&str; 14] = [
    "João da Silva",
    "joao da silva",
    "JOÃO",
    "Ana",
    "ána",
    "Ávila",
    "avila e Cia",
    "Zé",
    "Übermut",
    "Pão & Café",
    "100% útil",
    "a_b",
    "O'Brien \"Q\"",
    "maria",
];
pub const CODES: [&str; 8] = ["site", "Site", "indicacao", "ads", "a", "b%", "_c", "Çedilha"];

/// Records that are tables; those that hang on others come later.
pub fn records() -> Vec<&'static Record> {
    let mut records = pulso::graphql::catalogue().records.clone();
    let place = |record: &&'static Record| match record.name {
        "OrgUnit" => 0,
        "User" => 1,
        "PipelineStage" => 2,
        "Company" => 3,
        "Contact" => 4,
        "Lead" => 5,
        "Deal" => 6,
        _ => 7,
    };
    records.retain(|record| !record.is_virtual());
    records.sort_by_key(place);
    records
}

/// The instant by which a record's rows are grouped.
pub fn time_of(record: &Record) -> &Field {
    let mut groups = record.fields.iter().filter(|field| field.group);
    let time = groups.find(|field| matches!(field.kind, Kind::Instant));
    time.unwrap_or_else(|| panic!("{} is grouped by no instant", record.name))
}

/// Puts `count` random rows into every table of a tenant; all its rows, old ones too.
pub async fn fill(app: &TestApp, tenant: &Tenant, random: &mut Random, count: usize) -> Data {
    let mut data = Data(BTreeMap::new());
    for record in records() {
        let conn = app.app.db.transaction().await.unwrap();
        data.0.insert(record.name, load(&conn, tenant, record).await);
        for number in 0..count {
            let row = random_row(app, tenant, random, &data, (record, number));
            insert(&conn, tenant.id, record.table, &row).await;
            let mut row = row;
            row.retain(|column, _| record.fields.iter().any(|field| field.column == column));
            data.0.get_mut(record.name).unwrap().push(row);
        }
        // As the database gives them back.
        data.0.insert(record.name, load(&conn, tenant, record).await);
        conn.commit().await.unwrap();
    }
    data
}

pub async fn load(conn: &Conn, tenant: &Tenant, record: &Record) -> Vec<Row> {
    let columns: Vec<&str> = record.fields.iter().map(|field| field.column).collect();
    let mark = conn.dialect().placeholder(1);
    let sql =
        format!("SELECT {} FROM {} WHERE tenant_id = {mark}", columns.join(", "), record.table);
    let statement = Statement::new(sql, vec![Value::Id(tenant.id)]);
    let rows = conn.rows(&SystemHandle::for_tenant(tenant.id), &statement).await.unwrap();
    rows.iter()
        .map(|row| {
            let fields = record.fields.iter().enumerate();
            fields
                .map(|(index, field)| {
                    (field.column.to_owned(), row.value(index, field.kind.bind()).unwrap())
                })
                .collect()
        })
        .collect()
}

async fn insert(conn: &Conn, tenant_id: Uuid, table: &str, row: &Row) {
    let marks: Vec<String> =
        (1..=row.len()).map(|number| conn.dialect().placeholder(number)).collect();
    let names: Vec<&str> = row.keys().map(String::as_str).collect();
    let sql = format!("INSERT INTO {table} ({}) VALUES ({})", names.join(", "), marks.join(", "));
    let statement = Statement::new(sql, row.values().cloned().collect());
    let system = SystemHandle::for_tenant(tenant_id);
    let done = conn.execute(&system, &statement).await;
    done.unwrap_or_else(|error| panic!("{error}: {statement:?}"));
}

fn random_row(
    app: &TestApp,
    tenant: &Tenant,
    random: &mut Random,
    data: &Data,
    (record, number): (&Record, usize),
) -> Row {
    let mut row = Row::new();
    row.insert("tenant_id".to_owned(), Value::Id(tenant.id));
    let mut searched: Vec<String> = Vec::new();
    for field in &record.fields {
        let value = match field.column {
            "id" => Value::Id(app.app.clock.new_id()),
            "version" => Value::Int(1),
            "external_system" | "external_id" => Value::Null(NullOf::Text),
            "deleted_at" if !random.chance(12) => Value::Null(NullOf::Instant),
            // Unique among the living.
            "order_id" => Value::Text(format!("order-{number}")),
            "schema_version" => Value::Int(i64::try_from(number).unwrap() + 1),
            "year" => Value::Int(i64::try_from(1_900 + number).unwrap()),
            "slug" => Value::Text(format!("slug-{number}")),
            "name" if record.name == "CustomMetric" => Value::Text(format!("metric_{number}")),
            "cnpj" if random.chance(60) => Value::Text(format!("{number:014}")),
            "cnpj" => Value::Null(NullOf::Text),
            "email" => {
                Value::Text(format!("{}{number}@exemplo.com", random.pick(&["a", "b", "Z"])))
            }
            "value" if record.table == "analytics_dimensions" => {
                Value::Text(format!("value-{number}"))
            }
            "done" | "attempts" | "attempts_max" if record.table == "jobs" => {
                Value::Int(i64::try_from(number % 5).unwrap() + 1)
            }
            "is_won" | "is_lost" => Value::Bool(false),
            // Any will do: batches are not looked up.
            "batch_id" => Value::Id(tenant.id),
            _ if field.nullable && random.chance(30) => Value::Null(field.kind.bind()),
            _ => random_value(random, data, record, field),
        };
        if let Value::Text(text) = &value {
            if field.folded {
                row.insert(format!("{}_folded", field.column), Value::Text(fold(text)));
            }
            if record.searched.contains(&field.column) {
                searched.push(text.clone());
            }
        }
        row.insert(field.column.to_owned(), value);
    }
    if record.table == "events" {
        row.insert("payload".to_owned(), Value::Json(json!({})));
    }
    if record.table == "jobs" {
        row.insert("updated_at".to_owned(), Value::Instant(random_instant(random)));
    }
    if !record.searched.is_empty() {
        let parts: Vec<&str> = searched.iter().map(String::as_str).collect();
        row.insert("search_text".to_owned(), Value::Text(search_text(&parts)));
    }
    row
}

fn random_value(random: &mut Random, data: &Data, record: &Record, field: &Field) -> Value {
    match field.kind {
        Kind::Id => {
            let relation = record.relations.iter().find(|relation| {
                matches!(relation.kind, RelationKind::One { column, .. } if column == field.column)
            });
            let target = relation.map(|relation| (relation.target)().name);
            let known =
                target.and_then(|target| data.0.get(target)).filter(|rows| !rows.is_empty());
            known.map_or(Value::Null(NullOf::Id), |rows| random.pick(rows)["id"].clone())
        }
        Kind::Text => {
            let text = *random.pick(&NAMES);
            Value::Text(text.chars().take(field.chars_max).collect())
        }
        Kind::Code if field.column == "currency" => Value::from(*random.pick(&["BRL", "USD"])),
        Kind::Code => Value::Text(random.pick(&CODES).chars().take(field.chars_max).collect()),
        Kind::Int => {
            let (from, to) = field.range.unwrap_or((-50, 50));
            let spread = (to - from + 1).min(30);
            Value::Int(from + i64::try_from(random.number() % 1000).unwrap() % spread)
        }
        Kind::Float => panic!("no column is a float"),
        Kind::Bool => Value::Bool(random.chance(50)),
        Kind::Money { .. } => {
            Value::Int(*random.pick(&[0, 1, -5, 99, 100, 105_400, 105_400, 9_999_999_999]))
        }
        Kind::Date => Value::Date(random_date(random)),
        Kind::Instant => Value::Instant(random_instant(random)),
        Kind::Json => Value::Json(random_json(random)),
        Kind::Enum(of) => {
            let values: Vec<&str> = of.values.iter().map(|value| value.stored).collect();
            Value::from(*random.pick(&values))
        }
    }
}

pub fn random_date(random: &mut Random) -> NaiveDate {
    let days = i64::try_from(random.below(40)).unwrap();
    let usual = NaiveDate::from_ymd_opt(2026, 1, 15).unwrap() + TimeDelta::days(days);
    let odd = [(1, 1, 1), (9999, 12, 31), (2024, 2, 29)];
    if random.chance(10) {
        let (year, month, day) = *random.pick(&odd);
        return NaiveDate::from_ymd_opt(year, month, day).unwrap();
    }
    usual
}

/// Ties, whole seconds, milliseconds and microseconds.
pub fn random_instant(random: &mut Random) -> DateTime<Utc> {
    let base: DateTime<Utc> = "2026-02-01T12:00:00Z".parse().unwrap();
    let seconds = i64::try_from(random.below(12)).unwrap() * 40_000;
    let micros = *random.pick(&[0, 0, 0, 1, 999_999, 500_000, 1_000]);
    base + TimeDelta::seconds(seconds) + TimeDelta::microseconds(micros)
}

fn random_json(random: &mut Random) -> Json {
    let text = *random.pick(&["x", "y", "João", "5", "true", ""]);
    match random.below(5) {
        0 => json!({}),
        1 => json!({ "a": text, "list": ["x", text], "deep": { "k": text } }),
        2 => json!({ "a": random.below(7), "list": [], "deep": { "k": null } }),
        3 => json!({ "a": random.chance(50), "list": "x" }),
        _ => json!({ "a": null, "list": [1, "y", null], "deep": { "k": ["p", text] } }),
    }
}
