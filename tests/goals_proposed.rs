//! Goals that are proposed out of last year's sales, and customers that are classified by them.

use std::collections::HashMap;

use serde_json::{Value as Json, json};
use uuid::Uuid;

use crate::support::data::Random;
use crate::support::goals::{company, customer, goal_of, page, row_of, sell};
use crate::support::writing::{code, field};
use crate::support::{TestApp, both_databases};

const OUTCOME: &str = "{ created updated unchanged }";
const LAST_YEAR: &str = "2025-06-02T15:00:00Z";

async fn done(app: &TestApp, verb: &str, arguments: Json) -> Json {
    app.done(&app.alpha.admin.key, verb, arguments, OUTCOME).await
}

/// Code and field of what must be refused.
async fn refused(app: &TestApp, key: &str, verb: &str, arguments: Json) -> (String, Json) {
    let answer = app.mutate(key, verb, arguments, OUTCOME).await;
    let blamed = answer["errors"][0]["extensions"]["field"].clone();
    (code(&answer).to_owned(), blamed)
}

fn outcome(created: i64, updated: i64, unchanged: i64) -> Json {
    json!({ "created": created, "updated": updated, "unchanged": unchanged })
}

/// A company with a goal of this year, and what it bought the year before.
async fn bought(app: &TestApp, seller: Uuid, name: &str, amount: Option<&str>) -> Uuid {
    let id = company(app, name).await;
    goal_of(app, (seller, id), "1.00", json!({})).await;
    if let Some(amount) = amount {
        sell(app, (seller, id), name, amount, LAST_YEAR).await;
    }
    id
}

/// The classes that are stored, one after the other.
async fn classes(app: &TestApp, customers: &[Uuid]) -> String {
    let goals = app.ask(&app.alpha,
        "{ goals(first: 100, filter: { year: { eq: 2026 } }) { nodes { customerId classification } } }").await;
    let stored: HashMap<&str, &str> = goals["goals"]["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|goal| {
            (goal["customerId"].as_str().unwrap(), goal["classification"].as_str().unwrap_or("-"))
        })
        .collect();
    customers.iter().map(|id| stored[id.to_string().as_str()]).collect()
}

both_databases! {
    async fn the_largest_customers_are_a_until_they_reach_their_share(app: TestApp) {
        let seller = app.alpha.comercial.id;
        let mut ids = Vec::new();
        let amounts = [Some("50.00"), Some("400.00"), Some("300.00"), Some("100.00"), Some("150.00"), None, Some("-9.00")];
        for (number, amount) in amounts.into_iter().enumerate() {
            ids.push(bought(&app, seller, &format!("c{number}"), amount).await);
        }
        assert_eq!(classes(&app, &ids).await, "-------");
        // Of 1000.00: before the 400 stood nothing, before the 300 40 %, the 150 70 %, the 100 85 %,
        // the 50 95 %.
        assert_eq!(done(&app, "goalsClassify", json!({ "year": 2026 })).await, outcome(0, 7, 0));
        assert_eq!(classes(&app, &ids).await, "CAABACC");
        assert_eq!(done(&app, "goalsClassify", json!({ "year": 2026 })).await, outcome(0, 0, 7));
        let of = |a: i64, b: i64| json!({ "year": 2026, "a": a, "b": b });
        assert_eq!(done(&app, "goalsClassify", of(50, 30)).await, outcome(0, 2, 5));
        assert_eq!(classes(&app, &ids).await, "CAACBCC");
        done(&app, "goalsClassify", of(40, 60)).await;
        assert_eq!(classes(&app, &ids).await, "BABBBCC", "a bound that is reached is no longer below it");
        done(&app, "goalsClassify", of(100, 0)).await;
        assert_eq!(classes(&app, &ids).await, "AAAAACC", "who bought nothing is C");
        done(&app, "goalsClassify", of(1, 0)).await;
        assert_eq!(classes(&app, &ids).await, "CACCCCC");
        assert_eq!(page(&app, json!({ "year": 2026, "class": "A" })).await["summary"]["customers"], 1);
        for (a, b) in [(0, 15), (-5, 15), (101, 0), (80, 21), (80, -1)] {
            let refused = refused(&app, &app.alpha.admin.key, "goalsClassify", of(a, b)).await;
            assert_eq!(refused, ("INVALID".to_owned(), json!("a")), "{a} {b}");
        }
        assert_eq!(classes(&app, &ids).await, "CACCCCC", "what is refused changes nothing");
        // Another year's goals have classes of their own.
        assert_eq!(done(&app, "goalsClassify", json!({ "year": 2027 })).await, outcome(0, 0, 0));
        let (code, _) = refused(&app, &app.alpha.comercial.key, "goalsClassify", of(80, 15)).await;
        assert_eq!(code, "FORBIDDEN", "sellers do not classify");
    }

    async fn what_is_stored_is_what_the_rule_says_of_any_amounts(app: TestApp) {
        let mut random = Random::new(4);
        let sellers = [app.alpha.comercial.id, app.alpha.manager.id];
        let (mut sums, mut ids) = (Vec::new(), Vec::new());
        for number in 0..24 {
            // Few different amounts: many ties.
            let amount = i64::try_from(random.below(4)).unwrap() * 25;
            let id = bought(&app, *random.pick(&sellers), &format!("c{number}"),
                (amount > 0).then(|| format!("{amount}.00")).as_deref()).await;
            sums.push((amount, id));
            ids.push(id);
        }
        // A customer of both sellers counts as one, with what it bought of both.
        let (amount, both) = sums[0];
        let other = company(&app, "of the other").await;
        for seller in sellers {
            sell(&app, (seller, both), &format!("more {seller}"), "30.00", LAST_YEAR).await;
        }
        sums[0] = (amount + 60, both);
        goal_of(&app, (sellers[0], other), "1.00", json!({ "lastYearSales": "55.00" })).await;
        goal_of(&app, (sellers[1], other), "1.00", json!({ "lastYearSales": "20.00" })).await;
        sums.push((75, other));
        ids.push(other);
        for (a, b) in [(80, 15), (50, 25), (33, 33)] {
            done(&app, "goalsClassify", json!({ "year": 2026, "a": a, "b": b })).await;
            let mut ranked = sums.clone();
            ranked.sort_by(|(left, one), (right, two)| right.cmp(left).then(one.cmp(two)));
            let total: i64 = ranked.iter().map(|(amount, _)| amount).sum();
            let (mut expected, mut before) = (HashMap::new(), 0_i64);
            for (amount, id) in ranked {
                let per_cent = 100 * before;
                expected.insert(id, if amount == 0 { 'C' }
                    else if per_cent < a * total { 'A' }
                    else if per_cent < (a + b) * total { 'B' }
                    else { 'C' });
                before += amount;
            }
            let expected: String = ids.iter().map(|id| expected[id]).collect();
            assert_eq!(classes(&app, &ids).await, expected, "{a}/{b}");
        }
    }

    async fn amounts_of_two_currencies_classify_apart(app: TestApp) {
        let seller = app.alpha.comercial.id;
        let key = &app.alpha.admin.key;
        let reais = bought(&app, seller, "reais", Some("10.00")).await;
        let dollars = company(&app, "dollars").await;
        goal_of(&app, (seller, dollars), "1.00", json!({ "currency": "USD", "classification": "B" })).await;
        let input = json!({ "orderId": "usd", "sellerId": seller, "customerId": dollars,
            "amount": "9999.00", "currency": "USD", "soldAt": LAST_YEAR });
        app.create(key, "Sale", input).await;
        for verb in ["goalsClassify", "goalsPropose"] {
            let answer = app.mutate(key, verb, json!({ "year": 2026 }), OUTCOME).await;
            assert_eq!((code(&answer), field(&answer)), ("INVALID", "currency"), "{verb}");
        }
        let of = |currency: &str| json!({ "year": 2026, "currency": currency });
        assert_eq!(done(&app, "goalsClassify", of("BRL")).await, outcome(0, 1, 0));
        assert_eq!(classes(&app, &[reais, dollars]).await, "AB", "the goal in dollars is not concerned");
        assert_eq!(done(&app, "goalsClassify", of("USD")).await, outcome(0, 1, 0));
        assert_eq!(classes(&app, &[reais, dollars]).await, "AA");
        // Proposed: only what was sold in that currency, in that currency.
        let fresh = company(&app, "fresh").await;
        sell(&app, (seller, fresh), "fresh", "100.00", LAST_YEAR).await;
        assert_eq!(done(&app, "goalsPropose", of("USD")).await, outcome(0, 0, 1));
        assert_eq!(done(&app, "goalsPropose", of("BRL")).await, outcome(1, 0, 1));
        let goals = app.ask(&app.alpha, &format!("{{ goals(filter: {{ customerId: {{ eq: \"{fresh}\" }} }}) \
            {{ nodes {{ year amount currency }} }} }}")).await;
        assert_eq!(goals["goals"]["nodes"], json!([{ "year": 2026, "amount": "115.00", "currency": "BRL" }]));
        assert_eq!(done(&app, "goalsPropose", of("EUR")).await, outcome(0, 0, 0));
    }

    async fn goals_are_proposed_by_a_factor_and_overwritten_only_when_told(app: TestApp) {
        let seller = app.alpha.comercial.id;
        let key = &app.alpha.admin.key;
        let there = customer(&app, seller, "there", "1000.00").await;
        sell(&app, (seller, there), "1", "200.00", LAST_YEAR).await;
        let kept = customer(&app, seller, "no sales", "70.00").await;
        let fresh = company(&app, "fresh").await;
        sell(&app, (seller, fresh), "2", "0.50", LAST_YEAR).await;
        sell(&app, (seller, fresh), "3", "-0.40", LAST_YEAR).await;
        let returned = company(&app, "returned").await;
        sell(&app, (seller, returned), "4", "-5.00", LAST_YEAR).await;
        let cancelled = company(&app, "cancelled").await;
        let sale = sell(&app, (seller, cancelled), "5", "5.00", LAST_YEAR).await;
        app.done(key, "saleCancel", json!({ "id": sale }), "{ id }").await;
        let of = |factor: &str, overwrite: bool| json!({ "year": 2026, "factor": factor, "overwrite": overwrite });
        for (factor, name) in [("0", "factor"), ("0.00", "factor"), ("-1.15", "factor"), ("1.155", "factor"), ("x", "factor")] {
            let refused = refused(&app, key, "goalsPropose", of(factor, true)).await;
            assert_eq!(refused, ("INVALID".to_owned(), json!(name)), "{factor}");
        }
        for year in [1_899, 1_900, 10_000] {
            let refused = refused(&app, key, "goalsPropose", json!({ "year": year })).await;
            assert_eq!(refused, ("INVALID".to_owned(), json!("year")), "{year}");
        }
        let (code, _) = refused(&app, &app.alpha.comercial.key, "goalsPropose", of("2", false)).await;
        assert_eq!(code, "FORBIDDEN", "sellers do not set their own goals");
        let goals = async || {
            let page = page(&app, json!({ "year": 2026 })).await;
            [there, kept, fresh].map(|id| {
                let mut rows = page["nodes"].as_array().unwrap().iter();
                rows.find(|row| row["customerId"] == json!(id)).unwrap()["goal"].clone()
            })
        };
        assert_eq!(goals().await, ["1000.00", "70.00", "0.00"], "what is refused changes nothing");
        // 0.10 x 1.15 = 0.115: halves of a cent go up. Nothing is proposed for who bought nothing.
        assert_eq!(done(&app, "goalsPropose", json!({ "year": 2026 })).await, outcome(1, 0, 1));
        assert_eq!(goals().await, ["1000.00", "70.00", "0.12"]);
        assert_eq!(done(&app, "goalsPropose", of("3", false)).await, outcome(0, 0, 2));
        assert_eq!(goals().await, ["1000.00", "70.00", "0.12"]);
        assert_eq!(done(&app, "goalsPropose", of("1.2", true)).await, outcome(0, 1, 1));
        assert_eq!(goals().await, ["240.00", "70.00", "0.12"], "0.10 x 1.2 is what it was");
        let page = page(&app, json!({ "year": 2026 })).await;
        assert_eq!(row_of(&page, there)["classification"], "A", "its class stays");
        assert_eq!(row_of(&page, returned)["goal"], "0.00");
        assert_eq!(app.count(&app.alpha, "customer_goals").await, 3);
        assert_eq!(app.count(&app.beta, "customer_goals").await, 0);
    }
}
