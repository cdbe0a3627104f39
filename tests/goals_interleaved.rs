//! Whatever happens on two servers of one database, also at the same time: the next page of either is
//! the one that a server answers which has never kept anything.

use chrono::TimeDelta;
use futures::future::join_all;
use serde_json::{Value as Json, json};
use uuid::Uuid;

use crate::support::app::OtherApp;
use crate::support::data::Random;
use crate::support::goals::{company, page_on};
use crate::support::{TestApp, both_databases};

const STEPS: usize = 40;

/// What there is to change.
struct World {
    sellers: [Uuid; 2],
    customers: Vec<Uuid>,
    sales: Vec<Uuid>,
    goals: Vec<Uuid>,
}

/// A mutation: its text, its variables, and what it makes.
type Deed = (&'static str, Json);

const SELL: &str =
    "mutation($input: SaleUpsertInput!) { made: saleRegister(input: $input) { id } }";
const CANCEL: &str = "mutation($id: ID!) { saleCancel(id: $id) { id } }";
const SALE: &str =
    "mutation($id: ID!, $input: SaleUpdateInput!) { saleUpdate(id: $id, input: $input) { id } }";
const SALE_GONE: &str = "mutation($id: ID!) { saleDelete(id: $id) { id } }";
const GOAL_NEW: &str =
    "mutation($input: GoalCreateInput!) { made: goalCreate(input: $input) { id } }";
const GOAL: &str =
    "mutation($id: ID!, $input: GoalUpdateInput!) { goalUpdate(id: $id, input: $input) { id } }";
const GOAL_GONE: &str = "mutation($id: ID!) { goalDelete(id: $id) { id } }";
const CUSTOMER: &str = "mutation($id: ID!, $input: CompanyUpdateInput!) { companyUpdate(id: $id, input: $input) { id } }";
const CLASSIFY: &str = "mutation { goalsClassify(year: 2026) { updated } }";
const PROPOSE: &str = "mutation { goalsPropose(year: 2026, overwrite: true) { updated } }";

impl World {
    fn deed(&self, random: &mut Random, number: usize) -> Deed {
        let seller = *random.pick(&self.sellers);
        let customer = *random.pick(&self.customers);
        let amount = format!("{}.00", i64::try_from(random.below(300)).unwrap() - 60);
        let day =
            *random.pick(&["2025-11-20", "2026-01-10", "2026-02-28", "2026-03-09", "2026-03-10"]);
        let sold_at = format!("{day}T12:00:00Z");
        let sale = self.sales.get(random.below(self.sales.len().max(1))).copied();
        let goal = self.goals.get(random.below(self.goals.len().max(1))).copied();
        match (random.below(12), sale, goal) {
            (0, Some(id), _) => (CANCEL, json!({ "id": id })),
            (1, Some(id), _) => (SALE, json!({ "id": id, "input": { "amount": amount } })),
            (2, Some(id), _) => {
                (SALE, json!({ "id": id, "input": { "sellerId": seller, "customerId": customer } }))
            }
            (3, Some(id), _) => (SALE, json!({ "id": id, "input": { "soldAt": sold_at } })),
            (4, Some(id), _) => (SALE_GONE, json!({ "id": id })),
            (5, _, Some(id)) => {
                let goal = format!("{}.00", random.below(900));
                let class = *random.pick(&["A", "B", "C"]);
                (GOAL, json!({ "id": id, "input": { "amount": goal, "classification": class } }))
            }
            (6, _, Some(id)) => (GOAL, json!({ "id": id, "input": { "sellerId": seller } })),
            (7, _, Some(id)) if random.chance(50) => (GOAL_GONE, json!({ "id": id })),
            (8, _, _) => {
                let place = *random.pick(&["Recife", "Santos", "Natal"]);
                (
                    CUSTOMER,
                    json!({ "id": customer, "input": { "name": format!("N{number}"), "addressCity": place } }),
                )
            }
            (9, _, _) if random.chance(40) => (*random.pick(&[CLASSIFY, PROPOSE]), json!({})),
            (6 | 7 | 10, _, _) => (
                GOAL_NEW,
                json!({ "input": { "year": 2026, "sellerId": seller,
                "customerId": customer, "amount": "100.00" } }),
            ),
            _ => (
                SELL,
                json!({ "input": { "source": "erp", "orderId": number.to_string(),
                "sellerId": seller, "customerId": customer, "amount": amount, "soldAt": sold_at } }),
            ),
        }
    }

    /// Does it on a server. It may be too late for it, since others do theirs at the same time.
    async fn act(
        &self,
        app: &TestApp,
        node: &OtherApp,
        (query, given): &Deed,
    ) -> Option<(&'static str, Uuid)> {
        let answer = node.graphql(&app.alpha.admin.key, query, given.clone()).await;
        if let Some(code) = answer["errors"][0]["extensions"]["code"].as_str() {
            assert!(["CONFLICT", "NOT_FOUND"].contains(&code), "{query} {given}\n{answer:#}");
            return None;
        }
        let made = answer["data"]["made"]["id"].as_str()?;
        Some((query, made.parse().unwrap()))
    }
}

/// Everything that a page says, but for when it was read.
async fn seen(app: &TestApp, node: &OtherApp, seller: Option<Uuid>) -> Json {
    let asked = json!({ "seller": seller, "year": 2026, "month": 3, "first": 100 });
    let (mut page, _) = page_on(app, node, asked).await;
    page["summary"].as_object_mut().unwrap().remove("dataAsOf").unwrap();
    page
}

/// The page is right after each step, and what both servers keep is the same.
async fn compare(app: &TestApp, nodes: &[OtherApp; 2], sellers: [Uuid; 2], step: &str) {
    let nothing_kept = app.other_app();
    for seller in [Some(sellers[0]), Some(sellers[1]), None] {
        let expected = seen(app, &nothing_kept, seller).await;
        for node in nodes {
            assert_eq!(seen(app, node, seller).await, expected, "{step}");
        }
    }
}

both_databases! {
    async fn pages_of_two_servers_are_those_of_a_fresh_one(app: TestApp) {
        let nodes = [app.other_app(), app.other_app()];
        let sellers = [app.alpha.comercial.id, app.alpha.manager.id];
        let mut world = World { sellers, customers: Vec::new(), sales: Vec::new(), goals: Vec::new() };
        for name in ["Um", "Dois", "Três", "Quatro"] {
            world.customers.push(company(&app, name).await);
        }
        let mut random = Random::new(2026);
        let (mut number, mut done) = (0, 0);
        for step in 0..STEPS {
            // Most steps are of several at once, some of them readers who fill what is kept meanwhile.
            let count = *random.pick(&[1, 1, 2, 4]);
            let mut deeds = Vec::new();
            for _ in 0..count {
                number += 1;
                let place = random.below(2);
                deeds.push((place, world.deed(&mut random, number)));
            }
            let acting = join_all(deeds.iter().map(|(place, deed)| world.act(&app, &nodes[*place], deed)));
            let reading = join_all((0..count - 1).map(|reader| seen(&app, &nodes[reader % 2], None)));
            let (made, _) = tokio::join!(acting, reading);
            for (query, id) in made.into_iter().flatten() {
                done += 1;
                if query == SELL { world.sales.push(id) } else { world.goals.push(id) }
            }
            compare(&app, &nodes, sellers, &format!("step {step}: {deeds:?}")).await;
            if random.chance(20) {
                app.app.clock.advance(TimeDelta::seconds(400));
            }
        }
        assert!(done > STEPS / 3 && !world.goals.is_empty(), "{done} rows were made");
        let everything = seen(&app, &nodes[0], None).await;
        assert!(everything["nodes"].as_array().unwrap().len() > 3, "{everything:#}");
    }
}
