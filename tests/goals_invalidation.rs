//! What is kept of a seller goes with every change that concerns the seller, on every server, and with
//! no other: not with what is refused, nor with what happens to somebody else.

use serde_json::{Value as Json, json};
use uuid::Uuid;

use crate::support::app::OtherApp;
use crate::support::goals::{
    company, customer, found, goal_of, page_on, row_of, sell, want_sales_from_deals,
};
use crate::support::writing::code;
use crate::support::{TestApp, both_databases};

const LAST_YEAR: &str = "2025-06-02T15:00:00Z";

/// Two servers that keep a seller's page and a bystander's.
struct Watch<'a> {
    app: &'a TestApp,
    nodes: [OtherApp; 2],
}

impl<'a> Watch<'a> {
    async fn new(app: &'a TestApp) -> Self {
        let nodes = [app.other_app(), app.other_app()];
        let watch = Self { app, nodes };
        for node in &watch.nodes {
            for seller in [watch.seller(), watch.bystander()] {
                watch.ask(node, seller).await;
            }
        }
        watch
    }

    fn seller(&self) -> Uuid {
        self.app.alpha.comercial.id
    }

    fn bystander(&self) -> Uuid {
        self.app.alpha.manager.id
    }

    async fn ask(&self, node: &OtherApp, seller: Uuid) -> (Json, Json) {
        page_on(self.app, node, json!({ "seller": seller, "year": 2026, "month": 3 })).await
    }

    /// The seller's page, found so on both servers, and kept again; the bystander's stays.
    async fn finds(&self, what: &str, expected: (&str, &str)) -> Json {
        let mut pages = Vec::new();
        for node in &self.nodes {
            let (page, extensions) = self.ask(node, self.seller()).await;
            assert_eq!(found(&extensions), expected, "{what}");
            let (_, extensions) = self.ask(node, self.seller()).await;
            assert_eq!(found(&extensions), ("HIT", "HIT"), "{what}, again");
            let (_, extensions) = self.ask(node, self.bystander()).await;
            assert_eq!(found(&extensions), ("HIT", "HIT"), "{what}, of another seller");
            pages.push(page);
        }
        assert_eq!(pages[0]["nodes"], pages[1]["nodes"], "{what}");
        pages.remove(0)
    }

    async fn done(&self, field: &str, arguments: Json) -> Json {
        let selection = if field.ends_with("Many") {
            "{ record { id } error { code } }"
        } else if field.starts_with("goals") {
            "{ created updated unchanged }"
        } else {
            "{ id }"
        };
        self.app.done(&self.app.alpha.admin.key, field, arguments, selection).await
    }
}

const STATIC: (&str, &str) = ("MISS", "HIT");
const ANNUAL: (&str, &str) = ("HIT", "MISS");
const BOTH: (&str, &str) = ("MISS", "MISS");
const NEITHER: (&str, &str) = ("HIT", "HIT");

both_databases! {
    async fn what_a_customer_is_called_and_where_it_is(app: TestApp) {
        let id = customer(&app, app.alpha.comercial.id, "Bazar", "100.00").await;
        let other = customer(&app, app.alpha.manager.id, "Sebo", "100.00").await;
        let watch = Watch::new(&app).await;
        for (shown, input, expected) in [
            ("city", json!({ "addressCity": "Recife" }), json!("Recife")),
            ("state", json!({ "addressState": "PE" }), json!("PE")),
            ("customerName", json!({ "name": "Bazar Novo" }), json!("Bazar Novo")),
        ] {
            watch.done("companyUpdate", json!({ "id": id, "input": input })).await;
            let page = watch.finds(shown, STATIC).await;
            assert_eq!(row_of(&page, id)[shown], expected);
        }
        watch.done("companyUpdate", json!({ "id": id, "input": { "employees": 7 } })).await;
        watch.finds("what the page does not show", NEITHER).await;
        let inputs = json!([{ "id": id, "input": { "name": "Em lote" } }]);
        watch.done("companyUpdateMany", json!({ "inputs": inputs })).await;
        let page = watch.finds("a batch", STATIC).await;
        assert_eq!(row_of(&page, id)["customerName"], "Em lote");
        // The bystander's customer is felt by the bystander alone.
        watch.done("companyUpdate", json!({ "id": other, "input": { "name": "Sebo Novo" } })).await;
        for node in &watch.nodes {
            let (page, extensions) = watch.ask(node, watch.bystander()).await;
            assert_eq!((found(&extensions), &row_of(&page, other)["customerName"]), (STATIC, &json!("Sebo Novo")));
        }
        watch.finds("another seller's customer", NEITHER).await;
    }

    async fn goals_one_by_one_in_batches_and_by_rule(app: TestApp) {
        let (seller, bystander) = (app.alpha.comercial.id, app.alpha.manager.id);
        let key = &app.alpha.admin.key;
        let mut customers = Vec::new();
        for name in ["Um", "Dois", "Três"] {
            customers.push(company(&app, name).await);
        }
        let first = goal_of(&app, (seller, customers[0]), "100.00", json!({ "classification": "C" })).await;
        sell(&app, (seller, customers[0]), "1", "200.00", LAST_YEAR).await;
        let not_sold_to = company(&app, "Quatro").await;
        goal_of(&app, (bystander, not_sold_to), "1.00", json!({ "classification": "C" })).await;
        let watch = Watch::new(&app).await;
        let goals = |page: &Json| page["summary"]["goal"].clone();

        let new = |index: usize| json!({ "year": 2026, "sellerId": seller, "customerId": customers[index], "amount": "10.00" });
        let made = watch.done("goalCreateMany", json!({ "inputs": [new(1), new(2)] })).await;
        assert_eq!(goals(&watch.finds("goalCreateMany", STATIC).await), "120.00");
        let ids = [0, 1].map(|index| made[index]["record"]["id"].clone());
        let change = |id: &Json| json!({ "id": id, "input": { "amount": "15.00" } });
        let inputs = json!([change(&ids[0]), change(&ids[1])]);
        watch.done("goalUpdateMany", json!({ "inputs": inputs })).await;
        assert_eq!(goals(&watch.finds("goalUpdateMany", STATIC).await), "130.00");
        watch.done("goalDelete", json!({ "id": ids[0] })).await;
        assert_eq!(goals(&watch.finds("goalDelete", STATIC).await), "115.00");
        watch.done("goalRestore", json!({ "id": ids[0] })).await;
        assert_eq!(goals(&watch.finds("goalRestore", STATIC).await), "130.00");
        watch.done("goalDeleteMany", json!({ "ids": ids })).await;
        let page = watch.finds("goalDeleteMany", STATIC).await;
        assert_eq!((goals(&page), &page["summary"]["customers"]), (json!("100.00"), &json!(1)));
        app.done(key, "goalDestroy", json!({ "id": ids[1] }), "").await;
        watch.finds("goalDestroy", STATIC).await;

        watch.done("goalsClassify", json!({ "year": 2026 })).await;
        let page = watch.finds("goalsClassify", STATIC).await;
        assert_eq!(row_of(&page, customers[0])["classification"], "A");
        watch.done("goalsClassify", json!({ "year": 2026 })).await;
        watch.finds("the same classes again", NEITHER).await;
        watch.done("goalsPropose", json!({ "year": 2026 })).await;
        watch.finds("proposals that change nothing", NEITHER).await;
        watch.done("goalsPropose", json!({ "year": 2026, "overwrite": true })).await;
        assert_eq!(goals(&watch.finds("goalsPropose", STATIC).await), "230.00");
        // What another year is to bring says nothing about this one's goals, but that is not known.
        let next = json!({ "id": first, "input": { "year": 2027 } });
        watch.done("goalUpdate", next).await;
        assert_eq!(goals(&watch.finds("moved to another year", STATIC).await), "0.00");
    }

    async fn sales_of_this_year_and_of_the_last(app: TestApp) {
        let seller = app.alpha.comercial.id;
        let id = customer(&app, seller, "Bazar", "100.00").await;
        customer(&app, app.alpha.manager.id, "Sebo", "100.00").await;
        let old = sell(&app, (seller, id), "1", "70.00", LAST_YEAR).await;
        let january = sell(&app, (seller, id), "2", "5.00", "2026-01-05T12:00:00Z").await;
        let watch = Watch::new(&app).await;
        let shown = |page: &Json| {
            let row = row_of(page, id);
            ["lastYearSales", "soldYear", "soldMonth"].map(|name| row[name].as_str().unwrap().to_owned())
        };
        watch.done("saleUpdate", json!({ "id": old, "input": { "amount": "80.00" } })).await;
        assert_eq!(shown(&watch.finds("last year's amount", ANNUAL).await), ["80.00", "5.00", "0.00"]);
        watch.done("saleCancel", json!({ "id": old })).await;
        let page = watch.finds("last year's sale cancelled", ANNUAL).await;
        assert_eq!(shown(&page), ["50.00", "5.00", "0.00"]);
        assert_eq!(row_of(&page, id)["lastYearSource"], "IMPORTED", "what came with the goal counts again");
        watch.done("saleUpdate", json!({ "id": january, "input": { "soldAt": LAST_YEAR } })).await;
        assert_eq!(shown(&watch.finds("moved a year back", ANNUAL).await), ["5.00", "0.00", "0.00"]);
        let new = |order: &str, day: &str| json!({ "orderId": order, "sellerId": seller, "customerId": id,
            "amount": "1.00", "soldAt": format!("{day}T12:00:00Z") });
        let inputs = json!([new("3", "2026-02-05"), new("4", "2026-03-05")]);
        let made = watch.done("saleCreateMany", json!({ "inputs": inputs })).await;
        assert_eq!(shown(&watch.finds("saleCreateMany", ANNUAL).await), ["5.00", "2.00", "1.00"]);
        let ids = [0, 1].map(|index| made[index]["record"]["id"].clone());
        let change = |id: &Json| json!({ "id": id, "input": { "amount": "2.00" } });
        watch.done("saleUpdateMany", json!({ "inputs": [change(&ids[0]), change(&ids[1])] })).await;
        assert_eq!(shown(&watch.finds("saleUpdateMany", ANNUAL).await), ["5.00", "4.00", "2.00"]);
        let upsert = json!({ "source": "api", "orderId": "3", "amount": "3.00" });
        watch.done("saleUpsert", json!({ "input": upsert })).await;
        assert_eq!(shown(&watch.finds("saleUpsert", ANNUAL).await), ["5.00", "5.00", "2.00"]);
        watch.done("saleDeleteMany", json!({ "ids": ids })).await;
        assert_eq!(shown(&watch.finds("saleDeleteMany", ANNUAL).await), ["5.00", "0.00", "0.00"]);
    }

    async fn what_is_refused_leaves_everything_kept(app: TestApp) {
        let seller = app.alpha.comercial.id;
        let id = customer(&app, seller, "Bazar", "100.00").await;
        let goal = goal_of(&app, (seller, company(&app, "Casa").await), "1.00", json!({})).await;
        let sale = sell(&app, (seller, id), "1", "70.00", "2026-03-05T12:00:00Z").await;
        let watch = Watch::new(&app).await;
        let (admin, theirs) = (&app.alpha.admin.key, &app.beta.admin.key);
        let order = |amount: &str| json!({ "input": { "source": "erp", "orderId": "1",
            "sellerId": seller, "customerId": id, "amount": amount } });
        let amount = |row: Uuid, amount: &str| json!({ "id": row, "input": { "amount": amount } });
        let many = |second: &str| json!({ "inputs": [amount(goal, "9.00"), amount(goal, second)] });
        let stale = json!({ "id": sale, "input": { "amount": "1.00" }, "expectedVersion": 9 });
        for (key, field, arguments, expected) in [
            (admin, "goalUpdate", amount(goal, "-1.00"), "INVALID"),
            (admin, "saleRegister", order("71.00"), "CONFLICT"),
            (admin, "saleUpdate", stale, "CONFLICT"),
            (admin, "goalUpdateMany", many("-1.00"), "INVALID"),
            (admin, "goalsClassify", json!({ "year": 2026, "a": 0 }), "INVALID"),
            (admin, "goalsPropose", json!({ "year": 2026, "factor": "0" }), "INVALID"),
            (theirs, "saleCancel", json!({ "id": sale }), "NOT_FOUND"),
            (theirs, "goalDelete", json!({ "id": goal }), "NOT_FOUND"),
            (theirs, "companyUpdate", json!({ "id": id, "input": { "name": "Nosso" } }), "NOT_FOUND"),
            (&app.alpha.comercial.key, "goalUpdate", amount(goal, "2.00"), "FORBIDDEN"),
        ] {
            let selection = if field.ends_with("Many") { "{ error { code } }" }
                else if field.starts_with("goals") { "{ updated }" } else { "{ id }" };
            let answer = app.mutate(key, field, arguments, selection).await;
            assert_eq!(code(&answer), expected, "{field}: {answer:#}");
            watch.finds(field, NEITHER).await;
        }
        // The same order again is no change either.
        watch.done("saleRegister", order("70.00")).await;
        watch.finds("an order that is there", NEITHER).await;
    }

    async fn a_lead_that_is_converted_into_a_sale(app: TestApp) {
        let seller = app.alpha.comercial.id;
        let id = customer(&app, seller, "Bazar", "100.00").await;
        want_sales_from_deals(&app).await;
        let watch = Watch::new(&app).await;
        let convert = async |name: &str, company: &str, stage: &str, value: &str| {
            let fields = [("status", "qualified".into()), ("assigned_to", seller.into())];
            let lead = app.lead(&app.alpha, name, &fields).await;
            let stage = app.stage(&app.alpha, stage).await;
            let query = format!("mutation {{ leadConvert(id: \"{lead}\"{company}, deal: {{ \
                stageId: \"{stage}\", value: \"{value}\" }}) {{ company {{ id }} }} }}");
            app.graphql(&app.alpha.admin.key, &query, Json::Null).await
        };
        let known = format!(", company: {{ connect: \"{id}\" }}");
        let open = convert("Aberto", &known, "prospeccao", "9.00").await;
        assert!(open.get("errors").is_none(), "{open:#}");
        watch.finds("a deal that is not won yet", NEITHER).await;
        let refused = convert("Errado", &known, "ganho", "1.234").await;
        assert_eq!(code(&refused), "INVALID");
        watch.finds("a conversion that is refused", NEITHER).await;
        let won = convert("Ganho", &known, "ganho", "30.00").await;
        assert!(won.get("errors").is_none(), "{won:#}");
        let page = watch.finds("a deal that is won", ANNUAL).await;
        let row = row_of(&page, id);
        assert_eq!((&row["soldMonth"], &row["soldYear"], &row["isActiveMonth"]),
            (&json!("30.00"), &json!("30.00"), &json!(true)));
        // A customer that the conversion makes is there at once, by its name.
        let won = convert("Freguês Novo", "", "ganho", "4.00").await;
        let fresh = won["data"]["leadConvert"]["company"]["id"].as_str().unwrap().parse().unwrap();
        let page = watch.finds("a new customer", BOTH).await;
        let row = row_of(&page, fresh);
        assert_eq!((&row["customerName"], &row["soldMonth"]), (&json!("Freguês Novo"), &json!("4.00")));
        assert_eq!(page["summary"]["soldMonth"], "34.00");
    }
}
