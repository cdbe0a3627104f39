//! What is kept for the page of goals is never late: every change is in the very next answer of
//! every node, and what did not change is not read again.

use std::time::Duration;

use futures::future::join_all;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value as Json, json};
use uuid::Uuid;

use crate::support::app::OtherApp;
use crate::support::importing::Files;
use crate::support::waiting::until;
use crate::support::{TestApp, both_databases};

const PAGE: &str = "query($seller: ID, $month: Int, $refresh: Boolean) { customerGoals(sellerId: \
    $seller, year: 2026, month: $month, refresh: $refresh) { summary { customers goal soldYear \
    soldMonth } nodes { customerName classification goal soldYear soldMonth lastYearSales } } }";

/// Sales of one seller to one customer, of whom only the days are known.
const SALES: &str = r#"
system = "tests"
[[step]]
name = "sales"
file = "sales.csv"
record = "Sale"
[step.fields]
externalId = "order"
orderId = "order"
amount = "amount"
soldOn = "day"
sellerId = { lookup = "User", value = "s" }
customerId = { lookup = "Company", value = "c" }
"#;

/// What a node answers about a seller, and what it cost.
async fn ask(app: &TestApp, node: &OtherApp, seller: Uuid) -> (Json, Json) {
    let variables = json!({ "seller": seller, "month": 3 });
    let mut answer = node.graphql(&app.alpha.admin.key, PAGE, variables).await;
    assert!(answer.get("errors").is_none(), "{answer:#}");
    (answer["data"]["customerGoals"].take(), answer["extensions"].take())
}

async fn company(app: &TestApp, name: &str) -> Uuid {
    app.create(&app.alpha.admin.key, "Company", json!({ "name": name })).await
}

fn found(extensions: &Json) -> (&str, &str) {
    let of = |tier: &str| extensions["cache"][tier]["found"].as_str().unwrap();
    (of("static"), of("annual"))
}

both_databases! {
    async fn every_change_is_in_the_next_answer_of_every_node(app: TestApp) {
        let (here, there) = (app.other_app(), app.other_app());
        let key = &app.alpha.admin.key;
        let (seller, other) = (app.alpha.comercial.id, app.alpha.manager.id);
        let customer = company(&app, "Bazar").await;
        let goal = json!({ "year": 2026, "sellerId": seller, "customerId": customer, "amount": "100.00" });
        let goal = app.create(key, "Goal", goal).await;
        let summary = |sold: &str, month: &str, goal: &str, customers: i64| json!({
            "customers": customers, "goal": goal, "soldYear": sold, "soldMonth": month });
        let mut expected = Vec::new();
        let both_say = async |wanted: Json| {
            for node in [&here, &there] {
                let (page, _) = ask(&app, node, seller).await;
                assert_eq!(page["summary"], wanted);
                let (page, extensions) = ask(&app, node, seller).await;
                assert_eq!(page["summary"], wanted);
                assert_eq!(found(&extensions), ("HIT", "HIT"));
                assert_eq!(extensions["cost"]["statements"], 1, "{extensions}");
            }
        };
        both_say(summary("0.00", "0.00", "100.00", 1)).await;

        // By mutation, in the live month and before it.
        let sale = |order: &str, amount: &str, at: &str| json!({ "input": { "orderId": order,
            "sellerId": seller, "customerId": customer, "amount": amount, "soldAt": at } });
        let march = sale("1", "10.00", "2026-03-02T12:00:00Z");
        let march = app.done(key, "saleRegister", march, "{ id }").await["id"].clone();
        both_say(summary("10.00", "10.00", "100.00", 1)).await;
        let january = sale("2", "5.00", "2026-01-05T12:00:00Z");
        let january = app.done(key, "saleRegister", january, "{ id }").await["id"].clone();
        both_say(summary("15.00", "10.00", "100.00", 1)).await;
        // Moved into another month, cancelled, deleted and restored.
        let input = json!({ "id": january, "input": { "soldAt": "2026-03-03T12:00:00Z" } });
        app.done(key, "saleUpdate", input, "{ soldOn }").await;
        both_say(summary("15.00", "15.00", "100.00", 1)).await;
        app.done(key, "saleCancel", json!({ "id": january }), "{ id }").await;
        both_say(summary("10.00", "10.00", "100.00", 1)).await;
        app.done(key, "saleDelete", json!({ "id": march }), "{ id }").await;
        both_say(summary("0.00", "0.00", "100.00", 1)).await;
        app.done(key, "saleRestore", json!({ "id": march }), "{ id }").await;
        both_say(summary("10.00", "10.00", "100.00", 1)).await;
        // A customer without a goal, who buys for the first time.
        let fresh = company(&app, "Casa Nova").await;
        let input = json!({ "orderId": "3", "sellerId": seller, "customerId": fresh, "amount": "1.00",
                            "soldAt": "2026-03-03T12:00:00Z" });
        app.done(key, "saleRegister", json!({ "input": input }), "{ id }").await;
        both_say(summary("11.00", "11.00", "100.00", 2)).await;
        // Goals, classes and names.
        let input = json!({ "id": goal, "input": { "amount": "200.00", "classification": "B" } });
        app.done(key, "goalUpdate", input, "{ id }").await;
        both_say(summary("11.00", "11.00", "200.00", 2)).await;
        let input = json!({ "id": customer, "input": { "name": "Bazar do Zé" } });
        app.done(key, "companyUpdate", input, "{ id }").await;
        for node in [&here, &there] {
            let (page, extensions) = ask(&app, node, seller).await;
            expected.push(page["nodes"].clone());
            let named = page["nodes"].as_array().unwrap().iter()
                .find(|row| row["customerName"] == "Bazar do Zé");
            assert_eq!(named.unwrap()["classification"], "B");
            assert_eq!(found(&extensions), ("MISS", "HIT"), "the sales are as they were");
        }
        // Reassigned: from one seller's page to the other's.
        ask(&app, &here, other).await;
        let input = json!({ "id": goal, "input": { "sellerId": other } });
        app.done(key, "goalUpdate", input, "{ id }").await;
        let input = json!({ "id": march, "input": { "sellerId": other } });
        app.done(key, "saleUpdate", input, "{ id }").await;
        both_say(summary("1.00", "1.00", "0.00", 1)).await;
        let (page, _) = ask(&app, &here, other).await;
        assert_eq!(page["summary"], summary("10.00", "10.00", "200.00", 1));
    }

    async fn whoever_is_known_by_a_back_dated_sale_alone_is_named(app: TestApp) {
        let node = app.other_app();
        let seller = app.alpha.comercial.id;
        ask(&app, &node, seller).await;
        let customer = company(&app, "Sebo").await;
        let sale = json!({ "input": { "orderId": "1", "sellerId": seller, "customerId": customer,
            "amount": "1.00", "soldAt": "2026-01-05T12:00:00Z" } });
        app.done(&app.alpha.admin.key, "saleRegister", sale, "{ id }").await;
        let (page, _) = ask(&app, &node, seller).await;
        assert_eq!(page["nodes"][0]["customerName"], "Sebo", "{page}");
    }

    async fn what_an_import_brings_and_what_is_removed_for_good_is_felt_too(app: TestApp) {
        let node = app.other_app();
        let key = &app.alpha.admin.key;
        let seller = app.alpha.comercial.id;
        let named = json!({ "id": seller, "input": { "externalSystem": "tests", "externalId": "s" } });
        app.done(key, "userUpdate", named, "{ id }").await;
        let input = json!({ "name": "Bazar", "externalSystem": "tests", "externalId": "c" });
        app.create(key, "Company", input).await;
        let sold = async || ask(&app, &node, seller).await.0["summary"]["soldYear"].clone();
        assert_eq!(sold().await, "0.00");
        let files = Files::new(SALES, &[("sales.csv", "order,amount,day\n1,10.00,2026-01-05\n")]);
        files.import(&app, &app.alpha).await;
        assert_eq!(sold().await, "10.00");
        files.write("sales.csv", "order,amount,day\n1,12.00,2026-01-05\n2,-2.00,2026-03-05\n");
        files.import(&app, &app.alpha).await;
        assert_eq!(sold().await, "10.00", "12 less 2 that came back");
        let sales = app.data(key, "{ sales(orderBy: [{ field: AMOUNT }]) { nodes { id } } }", json!({})).await;
        let returned = json!({ "id": sales["sales"]["nodes"][0]["id"] });
        app.done(key, "saleDelete", returned.clone(), "{ id }").await;
        app.done(key, "saleDestroy", returned, "").await;
        assert_eq!(sold().await, "12.00");
    }

    async fn a_deal_that_is_won_is_a_sale_where_the_tenant_wants_it(app: TestApp) {
        let (here, there) = (app.other_app(), app.other_app());
        let key = &app.alpha.admin.key;
        let seller = app.alpha.comercial.id;
        let customer = company(&app, "Bazar").await;
        let deal = async |value: &str| {
            let input = json!({ "title": "Negócio", "value": value, "companyId": customer,
                "ownerId": seller, "stageId": app.stage(&app.alpha, "prospeccao").await });
            app.create(key, "Deal", input).await
        };
        let to = async |deal: Uuid, stage: &str| {
            let stage = app.stage(&app.alpha, stage).await;
            let arguments = json!({ "id": deal, "stageId": stage, "lostReason": "preço" });
            app.done(&app.alpha.comercial.key, "dealMoveStage", arguments, "{ id }").await;
        };
        let both_say = async |wanted: &str| {
            for node in [&here, &there] {
                assert_eq!(ask(&app, node, seller).await.0["summary"]["soldMonth"], wanted);
            }
        };
        let unwanted = deal("70.00").await;
        to(unwanted, "ganho").await;
        both_say("0.00").await;
        let input = json!({ "input": { "salesFromWonDeals": true } });
        app.done(key, "tenantUpdate", input, "{ salesFromWonDeals }").await;
        let won = deal("30.00").await;
        to(won, "ganho").await;
        both_say("30.00").await;
        let input = json!({ "id": won, "input": { "value": "31.00" } });
        app.done(key, "dealUpdate", input, "{ id }").await;
        both_say("31.00").await;
        to(won, "prospeccao").await;
        both_say("0.00").await;
        to(won, "ganho").await;
        both_say("31.00").await;
        // A sale that there is follows its deal, whether new ones are wanted or not.
        let input = json!({ "input": { "salesFromWonDeals": false } });
        app.done(key, "tenantUpdate", input, "{ salesFromWonDeals }").await;
        to(won, "prospeccao").await;
        both_say("0.00").await;
        to(won, "ganho").await;
        both_say("31.00").await;
        let input = json!({ "id": won, "input": { "value": "32.00" } });
        app.done(key, "dealUpdate", input, "{ id }").await;
        both_say("32.00").await;
        let late = deal("70.00").await;
        to(late, "ganho").await;
        both_say("32.00").await;
        app.done(key, "dealDelete", json!({ "id": won }), "{ id }").await;
        both_say("0.00").await;
        let sales = app.data(key, "{ sales { nodes { source dealId orderId cancelledAt } } }", json!({})).await;
        let sale = &sales["sales"]["nodes"][0];
        assert_eq!((&sale["source"], &sale["orderId"]), (&json!("deal"), &json!(won)));
        assert_eq!(sales["sales"]["nodes"].as_array().unwrap().len(), 1);
    }

    async fn many_who_miss_at_once_read_once(app: TestApp) {
        let node = app.other_app();
        let seller = app.alpha.comercial.id;
        let customer = company(&app, "Bazar").await;
        let input = json!({ "orderId": "1", "sellerId": seller, "customerId": customer, "amount": "1.00" });
        app.done(&app.alpha.admin.key, "saleRegister", json!({ "input": input }), "{ id }").await;
        let asked = (0..1_000).map(|_| ask(&app, &node, seller));
        let answers = join_all(asked).await;
        let statements: Vec<i64> = answers.iter()
            .map(|(_, extensions)| extensions["cost"]["statements"].as_i64().unwrap()).collect();
        assert_eq!(statements.iter().filter(|count| **count > 1).count(), 1, "one reads for all");
        assert!(answers.iter().all(|(page, _)| page == &answers[0].0));
    }

    async fn what_is_kept_has_an_age_and_can_be_refreshed(app: TestApp) {
        let seller = app.alpha.comercial.id;
        let node = app.other_app();
        ask(&app, &node, seller).await;
        app.app.clock.advance(chrono::TimeDelta::seconds(90));
        let (_, extensions) = ask(&app, &node, seller).await;
        assert_eq!(extensions["cache"]["annual"], json!({ "found": "HIT", "ageSeconds": 90, "ttlSeconds": 600 }));
        assert_eq!(extensions["cache"]["live"], json!({ "found": "BYPASS", "ageSeconds": 0, "ttlSeconds": 0 }));
        app.app.clock.advance(chrono::TimeDelta::seconds(600));
        let (_, extensions) = ask(&app, &node, seller).await;
        assert_eq!(found(&extensions), ("HIT", "MISS"), "ten minutes for the one, thirty for the other");
        let anew = json!({ "seller": seller, "month": 3, "refresh": true });
        let answer = node.graphql(&app.alpha.admin.key, PAGE, anew.clone()).await;
        assert_eq!(found(&answer["extensions"]), ("BYPASS", "BYPASS"));
        let answer = node.graphql(&app.alpha.admin.key, PAGE, anew).await;
        assert_eq!(answer["errors"][0]["extensions"]["code"], "RATE_LIMITED", "{answer:#}");
    }

    async fn sellers_see_their_own_managers_their_team_and_nobody_what_was_revoked(app: TestApp) {
        let (seller, manager) = (&app.alpha.comercial, &app.alpha.manager);
        for (person, order) in [(seller, "1"), (manager, "2")] {
            let customer = company(&app, order).await;
            let input = json!({ "orderId": order, "sellerId": person.id, "customerId": customer, "amount": "1.00" });
            app.done(&app.alpha.admin.key, "saleRegister", json!({ "input": input }), "{ id }").await;
        }
        let everything = "{ customerGoals { summary { customers } } }";
        for (person, customers) in [(seller, 1), (manager, 2), (&app.alpha.diretor, 2)] {
            let data = app.data(&person.key, everything, json!({})).await;
            assert_eq!(data["customerGoals"]["summary"]["customers"], customers, "{}", person.email);
        }
        let of = |id: Uuid| json!({ "seller": id });
        app.data(&manager.key, PAGE, of(seller.id)).await;
        assert_eq!(app.error_code(&seller.key, PAGE, of(manager.id)).await, "NOT_FOUND");
        assert_eq!(app.error_code(&app.beta.admin.key, PAGE, of(seller.id)).await, "NOT_FOUND");
        assert_eq!(app.error_code(&app.alpha.agente_ia.key, PAGE, of(seller.id)).await, "FORBIDDEN");
        // What is kept opens no door: the right is asked first, at every request.
        let node = app.other_app();
        for warm in [false, true] {
            let answer = node.graphql(&seller.key, PAGE, of(seller.id)).await;
            assert_eq!(found(&answer["extensions"]) == ("HIT", "HIT"), warm, "{answer:#}");
        }
        app.set_role(&app.alpha, "comercial", json!({ "companies": { "read": "all" } })).await;
        let refused = || async {
            let answer = node.graphql(&seller.key, PAGE, of(seller.id)).await;
            answer["errors"][0]["extensions"]["code"] == "FORBIDDEN"
        };
        until("the right is gone", Duration::from_secs(4), refused).await;
    }

    async fn live_numbers_are_those_of_a_recount_whatever_happens(app: TestApp) {
        let node = app.other_app();
        let key = &app.alpha.admin.key;
        let sellers = [app.alpha.comercial.id, app.alpha.manager.id];
        let customers = [company(&app, "Um").await, company(&app, "Dois").await];
        let step = (0_usize..4, 0_usize..2, 0_usize..2, 1_i64..500, 1_u32..4);
        let mut runner = TestRunner::new(Config { failure_persistence: None, ..Config::default() });
        let steps = prop::collection::vec(step, 40).new_tree(&mut runner).unwrap().current();
        let mut sales: Vec<(Uuid, usize, i64, u32, bool)> = Vec::new();
        for (number, (deed, seller, customer, amount, month)) in steps.into_iter().enumerate() {
            match deed {
                0 | 1 => {
                    let input = json!({ "orderId": number.to_string(), "sellerId": sellers[seller],
                        "customerId": customers[customer], "amount": format!("{amount}.00"),
                        "soldAt": format!("2026-0{month}-10T12:00:00Z") });
                    let id = app.done(key, "saleRegister", json!({ "input": input }), "{ id }").await;
                    sales.push((id["id"].as_str().unwrap().parse().unwrap(), seller, amount, month, true));
                }
                2 => {
                    if let Some(sale) = sales.iter_mut().find(|sale| sale.4) {
                        app.done(key, "saleCancel", json!({ "id": sale.0 }), "{ id }").await;
                        sale.4 = false;
                    }
                }
                _ => {
                    if let Some(sale) = sales.iter_mut().find(|sale| sale.4) {
                        let input = json!({ "id": sale.0, "input": { "sellerId": sellers[seller],
                            "amount": format!("{amount}.00") } });
                        app.done(key, "saleUpdate", input, "{ id }").await;
                        (sale.1, sale.2) = (seller, amount);
                    }
                }
            }
            for (index, seller) in sellers.iter().enumerate() {
                let sum = |wanted: &dyn Fn(u32) -> bool| -> i64 {
                    let own = sales.iter().filter(|sale| sale.4 && sale.1 == index && wanted(sale.3));
                    own.map(|sale| sale.2).sum()
                };
                let (page, _) = ask(&app, &node, *seller).await;
                assert_eq!(page["summary"]["soldYear"], format!("{}.00", sum(&|_| true)));
                assert_eq!(page["summary"]["soldMonth"], format!("{}.00", sum(&|month| month == 3)));
            }
        }
    }
}
