//! `GET /api/v2/analytics/goals/seller/{sellerId}`: the page of goals for clients of the older REST
//! contract, with its names (`sold_month`, `goal_2026`). A thin adapter: the operation behind it is
//! `customerGoals`, with its rights, its cost and its freshness.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, Query, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, VARY};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Map, Value as Json, json};
use sha2::{Digest, Sha256};

use super::{adapter, credentials, reply, schema};
use crate::app::App;
use crate::ctx::Origin;
use crate::error::http::Problem;
use crate::error::{Error, Result, say};
use crate::graphql::Reply;
use crate::limits;

const OPERATION: &str = "query($seller: ID!, $year: Int, $month: Int, $class: CustomerClass, \
    $orderBy: [CustomerGoalOrder!], $first: Int!, $after: String) { page: customerGoals(sellerId: \
    $seller, year: $year, month: $month, classification: $class, orderBy: $orderBy, first: $first, \
    after: $after) { totalCount pageInfo { hasNextPage endCursor } summary { year month currency \
    customers goal soldYear soldMonth gap achievementPct activeCustomers penetrationPct \
    projectedYear dataAsOf } nodes { customerId customerName city state classification goal \
    lastYearSales soldYear gap achievementPct lastPurchaseAt soldMonth isActiveMonth } } }";

/// Their names here, and in the schema.
const ORDERS: [(&str, &str); 10] = [
    ("customer_name", "CUSTOMER_NAME"),
    ("city", "CITY"),
    ("state", "STATE"),
    ("classification", "CLASSIFICATION"),
    ("goal", "GOAL"),
    ("sold_year", "SOLD_YEAR"),
    ("sold_month", "SOLD_MONTH"),
    ("gap", "GAP"),
    ("achievement_pct", "ACHIEVEMENT_PCT"),
    ("last_purchase_date", "LAST_PURCHASE_AT"),
];

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    year: Option<i32>,
    month: Option<i32>,
    classification: Option<String>,
    limit: Option<u64>,
    offset: Option<u64>,
    /// A name of [`ORDERS`], with `-` before it for the largest first.
    order_by: Option<String>,
}

pub(super) async fn handle(
    State(app): State<Arc<App>>,
    Extension(origin): Extension<Origin>,
    headers: HeaderMap,
    Path(seller): Path<String>,
    asked: std::result::Result<Query<Asked>, axum::extract::rejection::QueryRejection>,
) -> std::result::Result<Response, Problem> {
    let (language, request_id) = (origin.language, origin.request_id.clone());
    let refuse = |error: Error| Problem::of(&error, language, &request_id);
    let asked = asked.map_err(|refused| refuse(adapter::unreadable(&refused)))?;
    let variables = variables(&seller, &asked.0).map_err(refuse)?;
    let mut pages = Vec::new();
    let (offset, limit) = (asked.0.offset.unwrap_or_default(), limit_of(&asked.0).map_err(refuse)?);
    let mut left = offset.saturating_add(limit);
    let mut after = Json::Null;
    let last = loop {
        let caller = credentials::caller(&app, &headers, origin.clone()).await.map_err(refuse)?;
        let mut variables = variables.clone();
        variables.insert("first".to_owned(), json!(left.min(limits::PAGE_ROWS_MAX)));
        variables.insert("after".to_owned(), after);
        let (mut body, reply) =
            adapter::run(&app, (caller, &origin), (OPERATION, variables)).await?;
        let page = body.pointer_mut("/data/page").map(Json::take).unwrap_or_default();
        after = page.pointer("/pageInfo/endCursor").cloned().unwrap_or_default();
        left = left.saturating_sub(limits::PAGE_ROWS_MAX);
        let more = page.pointer("/pageInfo/hasNextPage") == Some(&Json::Bool(true));
        pages.push(page);
        if left == 0 || !more {
            break reply;
        }
    };
    Ok(respond(&headers, &last, &shown(pages, offset, limit)))
}

fn limit_of(asked: &Asked) -> Result<u64> {
    let limit = asked.limit.unwrap_or(limits::PAGE_ROWS_DEFAULT);
    if (1..=limits::PAGE_ROWS_MAX).contains(&limit) {
        return Ok(limit);
    }
    let max = limits::PAGE_ROWS_MAX;
    let message = say(format!("must be 1 to {max}"), format!("deve ser de 1 a {max}"));
    Err(Error::invalid_field("limit", message))
}

fn variables(seller: &str, asked: &Asked) -> Result<Map<String, Json>> {
    let mut variables = Map::new();
    let mut set = |name: &str, value: Json| drop(variables.insert(name.to_owned(), value));
    set("seller", json!(seller));
    set("year", json!(asked.year));
    set("month", json!(asked.month));
    if let Some(class) = &asked.classification {
        if !["A", "B", "C"].contains(&class.as_str()) {
            let message = say("must be A, B or C", "deve ser A, B ou C");
            return Err(Error::invalid_field("classification", message));
        }
        set("class", json!(class));
    }
    if let Some(order) = &asked.order_by {
        let (name, direction) = match order.strip_prefix('-') {
            Some(name) => (name, "DESC"),
            None => (order.as_str(), "ASC"),
        };
        let known = ORDERS.iter().find(|(known, _)| *known == name);
        let (_, field) = known.ok_or_else(|| {
            let names = ORDERS.map(|(name, _)| name).join(", ");
            let message = say(format!("must be one of {names}"), format!("deve ser um de {names}"));
            Error::invalid_field("order_by", message)
        })?;
        set("orderBy", json!([{ "field": field, "direction": direction }]));
    }
    Ok(variables)
}

/// The answer under its older names.
fn shown(pages: Vec<Json>, offset: u64, limit: u64) -> Json {
    let first = pages.first().cloned().unwrap_or_default();
    let of_summary = |name: &str| first.pointer(&format!("/summary/{name}")).cloned();
    let year = of_summary("year").and_then(|year| year.as_i64()).unwrap_or_default();
    let all = pages.into_iter().filter_map(|mut page| {
        let nodes = page.pointer_mut("/nodes").map(Json::take)?;
        if let Json::Array(nodes) = nodes { Some(nodes) } else { None }
    });
    let (skip, take) = (usize::try_from(offset), usize::try_from(limit));
    let rows = all.flatten().skip(skip.unwrap_or(usize::MAX)).take(take.unwrap_or(usize::MAX));
    let rows: Vec<Json> = rows.map(|row| renamed(&row, year)).collect();
    let summary: BTreeMap<String, Json> = [
        ("customers".to_owned(), "customers"),
        ("active_customers_month".to_owned(), "activeCustomers"),
        ("penetration_month_pct".to_owned(), "penetrationPct"),
        ("total_sold_month".to_owned(), "soldMonth"),
        (format!("goal_{year}"), "goal"),
        (format!("sold_{year}"), "soldYear"),
        ("gap".to_owned(), "gap"),
        ("achievement_pct".to_owned(), "achievementPct"),
        ("projected_year".to_owned(), "projectedYear"),
    ]
    .into_iter()
    .map(|(name, of)| (name, of_summary(of).unwrap_or_default()))
    .collect();
    json!({
        "year": year,
        "month": of_summary("month"),
        "currency": of_summary("currency"),
        "data_as_of": of_summary("dataAsOf"),
        "total": first.pointer("/totalCount"),
        "limit": limit,
        "offset": offset,
        "summary": summary,
        "customers": rows,
    })
}

fn renamed(row: &Json, year: i64) -> Json {
    let names = [
        ("customer_id".to_owned(), "customerId"),
        ("customer_name".to_owned(), "customerName"),
        ("city".to_owned(), "city"),
        ("state".to_owned(), "state"),
        ("classification".to_owned(), "classification"),
        (format!("goal_{year}"), "goal"),
        (format!("sales_{}", year - 1), "lastYearSales"),
        (format!("sold_{year}"), "soldYear"),
        ("gap".to_owned(), "gap"),
        ("achievement_pct".to_owned(), "achievementPct"),
        ("last_purchase_date".to_owned(), "lastPurchaseAt"),
        ("sold_month".to_owned(), "soldMonth"),
        ("is_active_month".to_owned(), "isActiveMonth"),
    ];
    let fields =
        names.into_iter().map(|(name, of)| (name, row.get(of).cloned().unwrap_or_default()));
    Json::Object(fields.collect())
}

/// A browser may keep the answer but has to ask whether it still holds: what was sold a second ago is
/// in it.
fn respond(headers: &HeaderMap, reply: &Reply, shown: &Json) -> Response {
    let body = shown.to_string();
    // When its parts were read is no part of what it says.
    let mut said = shown.clone();
    if let Some(fields) = said.as_object_mut() {
        fields.remove("data_as_of");
    }
    let digest = Sha256::digest(said.to_string());
    let mark: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    let etag = format!("W/\"{mark}\"");
    let about = [
        (ETAG, etag.as_str()),
        (CACHE_CONTROL, "private, no-cache"),
        (VARY, "Authorization, Cookie, Accept-Encoding"),
    ];
    let mut response = if schema::names(headers, &etag) {
        (StatusCode::NOT_MODIFIED, about).into_response()
    } else {
        (about, [(CONTENT_TYPE, "application/json; charset=utf-8")], body).into_response()
    };
    reply::write_freshness(response.headers_mut(), &reply.freshness, reply.took);
    response
}
