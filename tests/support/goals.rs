//! The page of goals without ceremony: customers with goals, sales, and what a server answers.

use serde_json::{Value as Json, json};
use uuid::Uuid;

use super::TestApp;
use super::app::OtherApp;

pub const PAGE: &str = "query($seller: ID, $sellers: [ID!], $unit: ID, $year: Int, $month: Int, \
    $class: CustomerClass, $filter: CustomerGoalFilter, $search: String, \
    $orderBy: [CustomerGoalOrder!], $first: Int, $after: String, $currency: String, \
    $refresh: Boolean) { customerGoals(sellerId: $seller, sellers: $sellers, orgUnitId: $unit, \
    year: $year, month: $month, classification: $class, filter: $filter, search: $search, \
    orderBy: $orderBy, first: $first, after: $after, currency: $currency, refresh: $refresh) { \
    totalCount pageInfo { hasNextPage endCursor } \
    summary { customers goal soldYear soldMonth gap achievementPct activeCustomers penetrationPct \
      projectedYear currency dataAsOf } \
    nodes { customerId customerName city state classification goal lastYearSales lastYearSource \
      soldYear gap achievementPct lastPurchaseAt soldMonth isActiveMonth } } }";

/// A page of the tests' admin.
pub async fn page(app: &TestApp, variables: Json) -> Json {
    let mut data = app.data(&app.alpha.admin.key, PAGE, variables).await;
    data["customerGoals"].take()
}

/// A page as another server answers the tests' admin, and what it says beside it.
pub async fn page_on(app: &TestApp, node: &OtherApp, variables: Json) -> (Json, Json) {
    let mut answer = node.graphql(&app.alpha.admin.key, PAGE, variables).await;
    assert!(answer.get("errors").is_none(), "{answer:#}");
    (answer["data"]["customerGoals"].take(), answer["extensions"].take())
}

/// How the static and the annual tier of an answer were found.
pub fn found(extensions: &Json) -> (&str, &str) {
    let of = |tier: &str| extensions["cache"][tier]["found"].as_str().unwrap();
    (of("static"), of("annual"))
}

pub fn names(page: &Json) -> Vec<&str> {
    let rows = page["nodes"].as_array().unwrap().iter();
    rows.map(|row| row["customerName"].as_str().unwrap()).collect()
}

/// The row of a customer.
#[track_caller]
pub fn row_of(page: &Json, customer: Uuid) -> &Json {
    let mut rows = page["nodes"].as_array().unwrap().iter();
    let row = rows.find(|row| row["customerId"] == json!(customer));
    row.unwrap_or_else(|| panic!("{customer} is not on {page:#}"))
}

pub async fn company(app: &TestApp, name: &str) -> Uuid {
    app.create(&app.alpha.admin.key, "Company", json!({ "name": name })).await
}

/// A seller's customer with a goal of this year.
pub async fn customer(app: &TestApp, seller: Uuid, name: &str, goal: &str) -> Uuid {
    let input = json!({ "name": name, "addressCity": "Campinas", "addressState": "SP" });
    let id = app.create(&app.alpha.admin.key, "Company", input).await;
    let more = json!({ "classification": "A", "lastYearSales": "50.00" });
    goal_of(app, (seller, id), goal, more).await;
    id
}

/// A goal of this year, with more fields of it; its id.
pub async fn goal_of(
    app: &TestApp,
    (seller, customer): (Uuid, Uuid),
    amount: &str,
    more: Json,
) -> Uuid {
    let mut input = json!({ "year": 2026, "sellerId": seller, "customerId": customer,
                            "amount": amount });
    input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    app.create(&app.alpha.admin.key, "Goal", input).await
}

pub async fn sell(
    app: &TestApp,
    (seller, customer): (Uuid, Uuid),
    order: &str,
    amount: &str,
    at: &str,
) -> Uuid {
    let input = json!({ "orderId": order, "source": "erp", "sellerId": seller,
                        "customerId": customer, "amount": amount, "soldAt": at });
    let arguments = json!({ "input": input });
    let sale = app.done(&app.alpha.admin.key, "saleRegister", arguments, "{ id }").await;
    sale["id"].as_str().unwrap().parse().unwrap()
}

/// Gives a row the name that files of the tests know it by.
pub async fn call_outside(app: &TestApp, record: &str, id: Uuid, name: &str) {
    let input = json!({ "externalSystem": "tests", "externalId": name });
    let field = format!("{record}Update");
    app.done(&app.alpha.admin.key, &field, json!({ "id": id, "input": input }), "{ id }").await;
}

/// Won deals become sales from now on.
pub async fn want_sales_from_deals(app: &TestApp) {
    let input = json!({ "input": { "salesFromWonDeals": true } });
    let key = &app.alpha.admin.key;
    app.done(key, "tenantUpdate", input, "{ salesFromWonDeals }").await;
}
