//! `pages`: at 1,000,000 leads, the first page of every order, and how a page deep inside an order
//! compares with its first.

use serde_json::{Value, json};

use crate::http::{Target, ask};
use crate::options::Options;
use crate::outcome::Outcome;
use crate::pulso;
use crate::report::{Bound, Budget, Table, Verdict, figure, heading, judge};
use crate::sqlite;
use crate::stand::{Size, Stand};
use crate::timing::{Asker, Times};

const ORDERS: &str = "{ __type(name: \"LeadOrderField\") { enumValues { name } } }";

const PAGE: &str = "query($order: [LeadOrder!]!, $after: String) { \
     leads(first: 50, orderBy: $order, after: $after) \
     { nodes { id } pageInfo { hasNextPage endCursor } } }";

const FIRST_PAGE_MS: f64 = 5.0;
const DEPTH_RATIO: f64 = 1.3;

/// Orders that are walked: one of distinct values, one of few, one with nulls at either end.
const WALKS: [(&str, &str, Option<&str>); 6] = [
    ("CREATED_AT", "DESC", None),
    ("CREATED_AT", "ASC", None),
    ("SCORE", "DESC", None),
    ("LAST_CONTACT_AT", "DESC", None),
    ("LAST_CONTACT_AT", "ASC", Some("FIRST")),
    ("NAME", "ASC", None),
];

pub(crate) async fn run(options: &Options) -> Outcome<Verdict> {
    let size = Size {
        users: 50,
        companies: options.scaled(20_000, 200),
        contacts: options.scaled(40_000, 400),
        leads: options.scaled(1_000_000, 5_000),
        deals: options.scaled(50_000, 2_500),
    };
    let stand = Stand::set_up(options, size)?;
    let mut budgets = Vec::new();
    heading("Pages", &[format!("PostgreSQL {}", stand.postgres.version())]);
    let server = stand.pulso.serve("pulso", &stand.postgres.url())?;
    budgets.extend(measure("PostgreSQL", &server, &stand, options).await?);
    drop(server);
    if options.sqlite {
        let url = sqlite::copy(&stand)?;
        let server = stand.pulso.serve("pulso-sqlite", &url)?;
        budgets.extend(measure("SQLite", &server, &stand, options).await?);
    }
    Ok(judge(&budgets, options.quick))
}

async fn measure(
    database: &str,
    server: &pulso::Running,
    stand: &Stand,
    options: &Options,
) -> Outcome<Vec<Budget>> {
    let target = server.target(&stand.keys.seed);
    let slowest = first_pages(database, &target, options).await?;
    let mut budgets = vec![Budget {
        work: format!("first page on {database}, slowest order, p95 ms"),
        bound: Bound::AtMost(FIRST_PAGE_MS),
        measured: Some(slowest),
    }];
    let depth = options.scaled(1_000, 50);
    let head = format!("Page {depth} on {database}");
    let mut table = Table::new(&[&head, "page 1, p50 ms", "that page, p50 ms", "ratio"]);
    for walk in WALKS {
        let name = name_of(walk);
        let (first, deep) = walk_down(&target, walk, depth, options).await?;
        let ratio = deep.p50 / first.p50;
        table.row(vec![name.clone(), figure(first.p50), figure(deep.p50), figure(ratio)]);
        budgets.push(Budget {
            work: format!("page {depth} / page 1 by {name} on {database}"),
            bound: Bound::AtMost(DEPTH_RATIO),
            measured: Some(ratio),
        });
    }
    table.print();
    Ok(budgets)
}

fn name_of((field, direction, nulls): (&str, &str, Option<&str>)) -> String {
    let nulls = nulls.map_or_else(String::new, |nulls| format!(", nulls {nulls}"));
    format!("{field} {direction}{nulls}")
}

/// Times the first page of every order both ways; returns the slowest p95.
async fn first_pages(database: &str, target: &Target, options: &Options) -> Outcome<f64> {
    let answer = ask(target, ORDERS, Value::Null).await?;
    let values = answer.pointer("/__type/enumValues").and_then(Value::as_array);
    let fields: Vec<&str> = values
        .into_iter()
        .flatten()
        .filter_map(|value| value.get("name").and_then(Value::as_str))
        .collect();
    if fields.is_empty() {
        return Err("the enum LeadOrderField has no values".to_owned());
    }
    let head = format!("First page on {database}");
    let mut table = Table::new(&[&head, "p50 ms", "p95 ms"]);
    let mut asker = Asker::new(target).await?;
    let requests = if options.quick { 20 } else { 100 };
    let mut slowest = 0.0_f64;
    for field in fields {
        for direction in ["ASC", "DESC"] {
            let order = json!({ "order": [{ "field": field, "direction": direction }] });
            let (answer, times) = asker.repeat(PAGE, &order, requests).await?;
            must_be_full(&answer)?;
            slowest = slowest.max(times.p95);
            let name = format!("{field} {direction}");
            table.row(vec![name, figure(times.p50), figure(times.p95)]);
        }
    }
    table.print();
    Ok(slowest)
}

/// Walks by cursor to page `depth`, then times it and page 1 by turns.
async fn walk_down(
    target: &Target,
    (field, direction, nulls): (&str, &str, Option<&str>),
    depth: u64,
    options: &Options,
) -> Outcome<(Times, Times)> {
    let mut key = json!({ "field": field, "direction": direction });
    if let (Some(nulls), Some(key)) = (nulls, key.as_object_mut()) {
        key.insert("nulls".to_owned(), nulls.into());
    }
    let first = json!({ "order": [key] });
    let mut asker = Asker::new(target).await?;
    let mut deep = first.clone();
    for _ in 1..depth {
        let (answer, _) = asker.ask(PAGE, &deep).await?;
        let cursor = answer.pointer("/leads/pageInfo/endCursor").cloned().unwrap_or_default();
        if !cursor.is_string() {
            return Err(format!("{field} {direction} ends before page {depth}"));
        }
        if let Some(variables) = deep.as_object_mut() {
            variables.insert("after".to_owned(), cursor);
        }
    }
    must_be_full(&asker.ask(PAGE, &deep).await?.0)?;
    let requests = if options.quick { 30 } else { 300 };
    let (mut at_first, mut at_depth) = (Vec::new(), Vec::new());
    for number in 0..requests + 20 {
        let (_, one) = asker.ask(PAGE, &first).await?;
        let (_, other) = asker.ask(PAGE, &deep).await?;
        if number >= 20 {
            at_first.push(one);
            at_depth.push(other);
        }
    }
    Ok((Times::of(at_first), Times::of(at_depth)))
}

fn must_be_full(answer: &Value) -> Outcome {
    let rows = answer.pointer("/leads/nodes").and_then(Value::as_array).map_or(0, Vec::len);
    if rows == 50 { Ok(()) } else { Err(format!("a page of {rows} rows, not 50")) }
}
