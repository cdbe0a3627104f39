//! Whose numbers one may ask for on the page of goals: a team's, a unit's, one's own; and that what
//! is kept opens no door.

use std::time::Duration;

use serde_json::{Value as Json, json};
use uuid::Uuid;

use crate::support::app::OtherApp;
use crate::support::goals::{PAGE, customer, found, goal_of, names, page, sell};
use crate::support::seed::Person;
use crate::support::waiting::until;
use crate::support::writing::{code, field};
use crate::support::{TestApp, both_databases};

const CHARTS: &str = "query($sellers: [ID!], $unit: ID) { \
    sellerRanking(year: 2026, month: 3, sellers: $sellers, orgUnitId: $unit) { nodes { sellerId } } \
    goalSeries(year: 2026, sellers: $sellers, orgUnitId: $unit) { nodes { sellerId } } }";

/// A customer of each: the manager's, the seller's, and one of both.
async fn customers(app: &TestApp) -> [Uuid; 3] {
    let (manager, seller) = (app.alpha.manager.id, app.alpha.comercial.id);
    let of_manager = customer(app, manager, "Anta", "100.00").await;
    let of_seller = customer(app, seller, "Boto", "200.00").await;
    let of_both = customer(app, manager, "Cutia", "30.00").await;
    goal_of(app, (seller, of_both), "40.00", json!({ "classification": "B" })).await;
    for (order, whose, amount, at) in [
        ("1", (manager, of_manager), "10.00", "2026-01-05T12:00:00Z"),
        ("2", (seller, of_seller), "20.00", "2026-03-05T12:00:00Z"),
        ("3", (manager, of_both), "3.00", "2026-03-05T12:00:00Z"),
        ("4", (seller, of_both), "4.00", "2026-03-06T12:00:00Z"),
    ] {
        sell(app, whose, order, amount, at).await;
    }
    [of_manager, of_seller, of_both]
}

/// Sums that a person is answered: customers, goal, sold in the year, active customers.
async fn sums(app: &TestApp, person: &Person, mut asked: Json) -> Json {
    (asked["year"], asked["month"]) = (json!(2026), json!(3));
    let data = app.data(&person.key, PAGE, asked).await;
    let summary = &data["customerGoals"]["summary"];
    json!([summary["customers"], summary["goal"], summary["soldYear"], summary["activeCustomers"]])
}

/// Code and blamed argument of a question that must be refused.
async fn refused(app: &TestApp, person: &Person, asked: Json) -> (String, Option<String>) {
    app.refusal_of(&person.key, PAGE, asked).await
}

fn not_found(argument: &str) -> (String, Option<String>) {
    ("NOT_FOUND".to_owned(), Some(argument.to_owned()))
}

both_databases! {
    async fn several_sellers_are_summed_and_their_common_customer_is_one(app: TestApp) {
        let [_, _, of_both] = customers(&app).await;
        let (manager, seller) = (&app.alpha.manager, &app.alpha.comercial);
        let both = json!({ "sellers": [manager.id, seller.id] });
        // Four goals, three customers.
        for person in [manager, &app.alpha.diretor, &app.alpha.admin] {
            assert_eq!(sums(&app, person, both.clone()).await, json!([3, "370.00", "37.00", 2]));
        }
        let one = json!({ "sellers": [manager.id] });
        assert_eq!(sums(&app, manager, one).await, json!([2, "130.00", "13.00", 1]));
        let twice = json!({ "sellers": [seller.id, seller.id] });
        assert_eq!(sums(&app, manager, twice).await, json!([2, "240.00", "24.00", 2]));
        assert_eq!(sums(&app, manager, json!({ "sellers": [] })).await, json!([0, "0.00", "0.00", 0]));
        assert_eq!(sums(&app, manager, json!({})).await, json!([3, "370.00", "37.00", 2]));
        // One line for each of the two who sell to it.
        let shown = page(&app, json!({ "sellers": [manager.id, seller.id], "year": 2026, "month": 3,
            "orderBy": [{ "field": "CUSTOMER_NAME" }, { "field": "SOLD_YEAR" }] })).await;
        assert_eq!(names(&shown), ["Anta", "Boto", "Cutia", "Cutia"]);
        let lines = |field: &str| [&shown["nodes"][2][field], &shown["nodes"][3][field]].map(Json::clone);
        assert_eq!(lines("soldYear"), ["3.00", "4.00"]);
        assert_eq!(lines("goal"), ["30.00", "40.00"]);
        assert_eq!(lines("classification"), ["A", "B"]);
        assert_eq!(shown["nodes"][2]["customerId"], json!(of_both));
        assert_eq!(shown["summary"]["penetrationPct"], 66.67, "two of three");
    }

    async fn a_unit_is_its_people_and_those_of_the_units_below_it(app: TestApp) {
        customers(&app).await;
        let key = &app.alpha.admin.key;
        let (manager, seller) = (&app.alpha.manager, &app.alpha.comercial);
        let south = app.create(key, "OrgUnit", json!({ "name": "Sul" })).await;
        let shop = app.create(key, "OrgUnit", json!({ "name": "Loja", "parentId": south })).await;
        let counter = app.create(key, "OrgUnit", json!({ "name": "Balcão", "parentId": shop })).await;
        let empty = app.create(key, "OrgUnit", json!({ "name": "Norte" })).await;
        for (person, unit) in [(manager, south), (seller, counter)] {
            let input = json!({ "id": person.id, "input": { "orgUnitId": unit } });
            app.done(key, "userUpdate", input, "{ id }").await;
        }
        let of = |unit: Uuid| json!({ "unit": unit });
        for person in [&app.alpha.admin, &app.alpha.diretor, manager] {
            assert_eq!(sums(&app, person, of(south)).await, json!([3, "370.00", "37.00", 2]));
            assert_eq!(sums(&app, person, of(shop)).await, json!([2, "240.00", "24.00", 2]));
            assert_eq!(sums(&app, person, of(counter)).await, json!([2, "240.00", "24.00", 2]));
            assert_eq!(sums(&app, person, of(empty)).await, json!([0, "0.00", "0.00", 0]));
        }
        // Of a unit's people one sees those whom one sees anyway.
        assert_eq!(sums(&app, seller, of(south)).await, json!([2, "240.00", "24.00", 2]));
        let charts = app.data(&seller.key, CHARTS, of(south)).await;
        assert_eq!(charts["sellerRanking"]["nodes"], json!([{ "sellerId": seller.id }]));
        assert_eq!(charts["goalSeries"]["nodes"].as_array().unwrap().len(), 12);
        let theirs = app.create(&app.beta.admin.key, "OrgUnit", json!({ "name": "Deles" })).await;
        for unit in [theirs, Uuid::nil()] {
            assert_eq!(refused(&app, manager, of(unit)).await, not_found("orgUnitId"));
        }
        app.done(key, "orgUnitDelete", json!({ "id": empty }), "{ id }").await;
        assert_eq!(refused(&app, manager, of(empty)).await, not_found("orgUnitId"));
        let both = json!({ "unit": south, "seller": seller.id });
        assert_eq!(refused(&app, manager, both).await, ("INVALID".to_owned(), Some("sellers".to_owned())));
    }

    async fn whoever_is_out_of_reach_is_as_good_as_not_there(app: TestApp) {
        customers(&app).await;
        let (manager, seller) = (&app.alpha.manager, &app.alpha.comercial);
        let narrow = json!({ "customer_goals": { "read": "own" }, "sales": { "read": "own" } });
        let own = app.key_with(&app.alpha, manager.id, narrow).await;
        let own = Person { key: own, ..manager.clone() };
        assert_eq!(sums(&app, &own, json!({})).await, json!([2, "130.00", "13.00", 1]));
        for (person, other) in [
            (&own, seller.id),
            (seller, manager.id),
            (manager, app.beta.comercial.id),
            (&app.alpha.admin, app.beta.comercial.id),
            (&app.alpha.admin, Uuid::nil()),
            (&app.beta.admin, seller.id),
        ] {
            for (asked, argument) in [
                (json!({ "seller": other }), "sellerId"),
                (json!({ "sellers": [other] }), "sellers"),
                // Nothing of those whom one may see either.
                (json!({ "sellers": [person.id, other] }), "sellers"),
            ] {
                assert_eq!(refused(&app, person, asked).await, not_found(argument), "{}", person.email);
            }
            let answer = app.graphql(&person.key, CHARTS, json!({ "sellers": [person.id, other] })).await;
            assert_eq!((code(&answer), field(&answer)), ("NOT_FOUND", "sellers"), "{}", person.email);
        }
        // Who may read goals, but not what was sold, may not ask at all.
        let goals_only = json!({ "customer_goals": { "read": "all" } });
        let goals_only = app.key_with(&app.alpha, manager.id, goals_only).await;
        assert_eq!(app.error_code(&goals_only, PAGE, json!({})).await, "FORBIDDEN");
        // A wider right to goals than to sales is as wide as the narrower one.
        let mixed = json!({ "customer_goals": { "read": "all" }, "sales": { "read": "own" } });
        let mixed = Person { key: app.key_with(&app.alpha, manager.id, mixed).await, ..manager.clone() };
        assert_eq!(sums(&app, &mixed, json!({})).await, json!([2, "130.00", "13.00", 1]));
        assert_eq!(refused(&app, &mixed, json!({ "seller": seller.id })).await, not_found("sellerId"));
    }

    async fn a_narrower_scope_is_felt_where_the_page_is_kept(app: TestApp) {
        customers(&app).await;
        let node = app.other_app();
        let (manager, seller) = (&app.alpha.manager, &app.alpha.comercial);
        let asked = json!({ "year": 2026, "month": 3 });
        let of_seller = json!({ "seller": seller.id, "year": 2026, "month": 3 });
        let ask = async |node: &OtherApp, asked: &Json| node.graphql(&manager.key, PAGE, asked.clone()).await;
        let customers = |answer: &Json| answer["data"]["customerGoals"]["summary"]["customers"].clone();
        for warm in [false, true] {
            for asked in [&asked, &of_seller] {
                let answer = ask(&node, asked).await;
                assert!(found(&answer["extensions"]) == ("HIT", "HIT") || !warm, "{answer:#}");
            }
        }
        assert_eq!(customers(&ask(&node, &asked).await), 3);
        app.set_role(&app.alpha, "comercial", json!({ "companies": { "read": "all" },
            "customer_goals": { "read": "own" }, "sales": { "read": "own" } })).await;
        // As long as a credential is trusted.
        let felt = || async { customers(&ask(&node, &asked).await) == 2 };
        until("the scope is narrow", Duration::from_secs(4), felt).await;
        let answer = ask(&node, &asked).await;
        assert_eq!(found(&answer["extensions"]), ("HIT", "HIT"), "what is kept of oneself stays");
        assert_eq!(names(&answer["data"]["customerGoals"]), ["Anta", "Cutia"]);
        assert_eq!(answer["data"]["customerGoals"]["summary"]["goal"], "130.00");
        let answer = ask(&node, &of_seller).await;
        assert_eq!((code(&answer), field(&answer)), ("NOT_FOUND", "sellerId"));
        // Names go with the right to read them.
        app.set_role(&app.alpha, "comercial", json!({
            "customer_goals": { "read": "own" }, "sales": { "read": "own" } })).await;
        let nameless = || async {
            let answer = ask(&node, &asked).await;
            let rows = answer["data"]["customerGoals"]["nodes"].as_array().unwrap();
            rows.iter().all(|row| row["customerName"].is_null() && row["city"].is_null())
        };
        until("the names are gone", Duration::from_secs(4), nameless).await;
    }
}
