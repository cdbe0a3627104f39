//! Order, filter and search of the page of goals: any field, kept or live, both ways, page by page.

use std::cmp::Ordering;

use pulso::graphql::catalogue;
use serde_json::{Value as Json, json};
use uuid::Uuid;

use crate::support::goals::{company, goal_of, names, page, sell};
use crate::support::{TestApp, both_databases};

/// Name, town, state; goal, class, last year as imported; sold last year, in January, in March.
const CUSTOMERS: [[&str; 9]; 9] = [
    ["João da Silva", "São Paulo", "SP", "100.00", "A", "", "", "10.00", "5.00"],
    ["joana", "Campinas", "SP", "100.00", "B", "50.00", "", "10.00", ""],
    ["Zé", "campinas", "MG", "0.00", "", "", "70.00", "", "5.00"],
    ["Ávila", "", "", "", "", "", "50.00", "", ""],
    ["ana", "Belém", "PA", "", "", "", "", "3.00", ""],
    ["Bia", "Belo Horizonte", "MG", "300.00", "A", "0.00", "", "", ""],
    ["Casa 10", "", "SP", "40.00", "C", "", "", "", "90.00"],
    ["Casa 9", "Santos", "SP", "40.00", "C", "", "1.00", "-2.00", "-5.00"],
    // Bought and brought back: it is somebody who was here this year.
    ["Devolve", "", "", "", "", "", "", "0.00", ""],
];

/// Two sellers' customers with ties, accents, and something missing of each.
async fn fill(app: &TestApp) {
    let given = |text: &'static str| Some(text).filter(|text| !text.is_empty());
    let key = &app.alpha.admin.key;
    let sellers = [app.alpha.comercial.id, app.alpha.manager.id];
    for (number, row) in CUSTOMERS.into_iter().enumerate() {
        let [name, city, state, goal, class, last_year, sold @ ..] = row.map(given);
        let seller = sellers[number % 2];
        let input = json!({ "name": name, "addressCity": city, "addressState": state });
        let id = app.create(key, "Company", input).await;
        if let Some(goal) = goal {
            let more = json!({ "classification": class, "lastYearSales": last_year });
            goal_of(app, (seller, id), goal, more).await;
        }
        for (day, amount) in ["2025-05-05", "2026-01-05", "2026-03-05"].into_iter().zip(sold) {
            let at = format!("{day}T12:00:00Z");
            let parts = match amount {
                None => [].as_slice(),
                Some("0.00") => &["4.00", "-4.00"],
                Some(amount) => &[amount],
            };
            for part in parts {
                let order = format!("{number} {day} {part}");
                sell(app, (seller, id), &order, part, &at).await;
            }
        }
    }
}

const ROWS: &str = "query($orderBy: [CustomerGoalOrder!], $first: Int, $after: String) { \
    customerGoals(year: 2026, month: 3, orderBy: $orderBy, first: $first, after: $after) { \
    totalCount pageInfo { hasNextPage endCursor } nodes { id sellerId customerId customerName city \
    state classification goal lastYearSales lastYearSource soldYear gap achievementPct \
    lastPurchaseAt soldMonth isActiveMonth } } }";

/// The rows of a list, page by page.
async fn walked(app: &TestApp, order: &Json, first: usize) -> Vec<Json> {
    let (mut rows, mut after) = (Vec::new(), Json::Null);
    loop {
        let asked = json!({ "orderBy": [order], "first": first, "after": after });
        let mut data = app.data(&app.alpha.admin.key, ROWS, asked).await;
        let part = data["customerGoals"].take();
        assert_eq!(part["totalCount"], 9);
        rows.extend(part["nodes"].as_array().unwrap().clone());
        if part["pageInfo"]["hasNextPage"] == false {
            return rows;
        }
        after = part["pageInfo"]["endCursor"].clone();
    }
}

/// Values of a field as they are meant: amounts and numbers by size, names without accents.
fn compared(field: &str, left: &Json, right: &Json) -> Ordering {
    let number = |value: &Json| match value {
        Json::String(text) => text.parse::<f64>().ok(),
        other => other.as_f64(),
    };
    let is_number = matches!(
        field,
        "goal" | "lastYearSales" | "soldYear" | "gap" | "achievementPct" | "soldMonth"
    );
    match (left, right) {
        _ if is_number => number(left).unwrap().total_cmp(&number(right).unwrap()),
        (Json::Bool(left), Json::Bool(right)) => left.cmp(right),
        (Json::String(left), Json::String(right)) if matches!(field, "customerName" | "city") => {
            entity::value::fold(left).cmp(&entity::value::fold(right))
        }
        (Json::String(left), Json::String(right)) => left.cmp(right),
        _ => panic!("{field}: {left} {right}"),
    }
}

/// Whether rows stand as they should; those without a value at one end.
fn assert_in_order(rows: &[Json], field: &str, descending: bool, nulls_first: bool) {
    for pair in rows.windows(2) {
        let (left, right) = (&pair[0][field], &pair[1][field]);
        let order = match (left.is_null(), right.is_null()) {
            (true, true) => Ordering::Equal,
            (true, false) if nulls_first => Ordering::Less,
            (false, true) if !nulls_first => Ordering::Less,
            (true, false) | (false, true) => Ordering::Greater,
            (false, false) if descending => compared(field, right, left),
            (false, false) => compared(field, left, right),
        };
        assert!(order.is_le(), "{field}: {left} before {right}");
    }
}

both_databases! {
    async fn every_field_orders_both_ways_and_no_page_loses_a_row(app: TestApp) {
        fill(&app).await;
        let page = catalogue().records.iter().find(|record| record.name == "CustomerGoal").unwrap();
        let fields: Vec<_> = page.fields.iter().filter(|field| field.sort).collect();
        assert_eq!(fields.len(), 15, "as many as CustomerGoalOrderField has");
        let sorted = |rows: &[Json]| {
            let mut ids: Vec<String> = rows.iter().map(|row| row["id"].to_string()).collect();
            ids.sort_unstable();
            ids.dedup();
            ids
        };
        let everybody = sorted(&walked(&app, &json!({ "field": "GOAL" }), 100).await);
        assert_eq!(everybody.len(), 9);
        let mut with_nulls = 0;
        for field in fields {
            let name = field.column.to_uppercase();
            for (direction, nulls) in [("ASC", None), ("DESC", None), ("ASC", Some("FIRST")), ("DESC", Some("FIRST"))] {
                if nulls.is_some() && !field.nullable {
                    continue;
                }
                let order = json!({ "field": name, "direction": direction, "nulls": nulls });
                let whole = walked(&app, &order, 100).await;
                assert_in_order(&whole, &field.name, direction == "DESC", nulls.is_some());
                with_nulls += usize::from(whole.iter().any(|row| row[&field.name].is_null()));
                for first in [1, 2, 4] {
                    let rows = walked(&app, &order, first).await;
                    assert_eq!(rows, whole, "{order} by {first}");
                    assert_eq!(sorted(&rows), everybody, "{order} by {first}");
                }
            }
        }
        assert_eq!(with_nulls, 28, "seven fields are sometimes empty");
    }

    async fn kept_and_live_fields_filter_together(app: TestApp) {
        fill(&app).await;
        let second = app.alpha.manager.id;
        for (filter, expected) in [
            // Live.
            (json!({ "soldMonth": { "gte": "5.00" } }), vec!["Casa 10", "João da Silva", "Zé"]),
            (json!({ "soldMonth": { "lt": "0.00" } }), vec!["Casa 9"]),
            (json!({ "isActiveMonth": { "eq": true }, "goal": { "gt": "0.00" } }), vec!["Casa 10", "João da Silva"]),
            // Annual.
            (json!({ "soldYear": { "eq": "10.00" } }), vec!["joana"]),
            (json!({ "gap": { "lte": "-5.00" } }), vec!["Casa 10", "Zé"]),
            (json!({ "achievementPct": { "gt": 10 } }), vec!["Casa 10", "João da Silva"]),
            (json!({ "goal": { "eq": "0.00" }, "soldYear": { "gt": "0.00" } }), vec!["ana", "Zé"]),
            (json!({ "lastPurchaseAt": { "lt": "2026-01-01T00:00:00Z" } }), vec!["Ávila", "Casa 9"]),
            (json!({ "lastPurchaseAt": { "isNull": true } }), vec!["Bia"]),
            // Static.
            (json!({ "classification": { "in": ["A", "B"] } }), vec!["Bia", "joana", "João da Silva"]),
            (json!({ "classification": { "isNull": true } }), vec!["ana", "Ávila", "Devolve", "Zé"]),
            (json!({ "lastYearSource": { "eq": "IMPORTED" } }), vec!["Bia", "joana"]),
            (json!({ "lastYearSales": { "gte": "50.00" } }), vec!["Ávila", "joana", "Zé"]),
            (json!({ "city": { "startsWith": "CAMP" } }), vec!["joana", "Zé"]),
            (json!({ "state": { "in": ["MG", "PA"] } }), vec!["ana", "Bia", "Zé"]),
            (json!({ "customerName": { "contains": "avi" } }), vec!["Ávila"]),
            (json!({ "sellerId": { "eq": second }, "isActiveMonth": { "eq": false } }), vec!["Ávila", "Bia", "Casa 9", "joana"]),
            (json!({ "or": [{ "state": { "isNull": true } }, { "not": { "soldMonth": { "lte": "0.00" } } }] }),
                vec!["Ávila", "Casa 10", "Devolve", "João da Silva", "Zé"]),
        ] {
            let asked = json!({ "year": 2026, "month": 3, "filter": filter, "orderBy": [{ "field": "CUSTOMER_NAME" }] });
            let shown = page(&app, asked).await;
            assert_eq!(names(&shown), expected, "{filter}");
            assert_eq!(shown["totalCount"], expected.len());
            assert_eq!(shown["summary"]["customers"], 9, "{filter}");
        }
    }

    async fn search_knows_no_accents_and_looks_at_towns_too(app: TestApp) {
        fill(&app).await;
        for (text, expected) in [
            ("joao", vec!["João da Silva"]),
            ("JOÃO", vec!["João da Silva"]),
            ("sao", vec!["João da Silva"]),
            ("silva paulo", vec!["João da Silva"]),
            ("avila", vec!["Ávila"]),
            ("ze campinas", vec!["Zé"]),
            ("campinas", vec!["joana", "Zé"]),
            ("be", vec!["ana", "Bia"]),
            ("ninguém", vec![]),
        ] {
            let shown = page(&app, json!({ "year": 2026, "month": 3, "search": text,
                "orderBy": [{ "field": "CUSTOMER_NAME" }] })).await;
            assert_eq!(names(&shown), expected, "{text}");
        }
        let few = page(&app, json!({ "year": 2026, "month": 3, "search": "campinas",
            "filter": { "soldMonth": { "gt": "0.00" } } })).await;
        assert_eq!(names(&few), ["Zé"]);
    }

    async fn a_page_of_one_class_is_of_that_class_alone(app: TestApp) {
        fill(&app).await;
        let of = async |class: Json, more: Json| {
            let mut asked = json!({ "year": 2026, "month": 3, "class": class,
                "orderBy": [{ "field": "CUSTOMER_NAME" }] });
            asked.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            page(&app, asked).await
        };
        for (class, expected, goal, sold) in [
            ("A", ["Bia", "João da Silva"].as_slice(), "400.00", "15.00"),
            ("B", &["joana"], "100.00", "10.00"),
            ("C", &["Casa 10", "Casa 9"], "80.00", "83.00"),
        ] {
            let shown = of(json!(class), json!({})).await;
            assert_eq!(names(&shown), expected);
            let summary = &shown["summary"];
            assert_eq!((&summary["customers"], &summary["goal"], &summary["soldYear"]),
                (&json!(expected.len()), &json!(goal), &json!(sold)), "{class}");
        }
        let all = of(Json::Null, json!({})).await;
        assert_eq!(all["summary"]["customers"], 9, "those without a class too");
        let few = of(json!("C"), json!({ "filter": { "soldMonth": { "lt": "0.00" } } })).await;
        assert_eq!((names(&few), &few["summary"]["customers"]), (vec!["Casa 9"], &json!(2)));
        let one = of(json!("A"), json!({ "first": 1 })).await;
        let rest = of(json!("A"), json!({ "first": 1, "after": one["pageInfo"]["endCursor"] })).await;
        assert_eq!((names(&one), names(&rest)), (vec!["Bia"], vec!["João da Silva"]));
        // A class that a customer gets, or loses, is in the next answer.
        let fresh: Uuid = company(&app, "Nova").await;
        let goal = goal_of(&app, (app.alpha.comercial.id, fresh), "1.00", json!({})).await;
        let input = json!({ "id": goal, "input": { "classification": "B" } });
        app.done(&app.alpha.admin.key, "goalUpdate", input, "{ id }").await;
        assert_eq!(names(&of(json!("B"), json!({})).await), ["joana", "Nova"]);
    }
}
