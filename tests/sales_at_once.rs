//! Orders that several send at the same time.

use std::collections::BTreeSet;

use futures::future::join_all;
use serde_json::{Value as Json, json};
use uuid::Uuid;

use crate::support::goals::{company, customer, page, sell};
use crate::support::writing::{code, field};
use crate::support::{TestApp, both_databases};

const SENDERS: usize = 6;

/// One order, sent by all at once; what each is told.
async fn sent(app: &TestApp, order: &str, input: impl Fn(usize) -> Json) -> Vec<Json> {
    let sending = (0..SENDERS).map(|sender| {
        let mut input = input(sender);
        (input["orderId"], input["source"]) = (json!(order), json!("erp"));
        app.mutate(&app.alpha.admin.key, "saleRegister", json!({ "input": input }), "{ id amount }")
    });
    join_all(sending).await
}

both_databases! {
    async fn an_order_that_all_send_at_once_is_one_sale(app: TestApp) {
        let seller = app.alpha.comercial.id;
        let id = customer(&app, seller, "Bazar", "200.00").await;
        for round in 0..5 {
            let same = |_| json!({ "sellerId": seller, "customerId": id, "amount": "10.00",
                "soldAt": "2026-03-02T12:00:00Z" });
            let answers = sent(&app, &format!("order {round}"), same).await;
            let ids: BTreeSet<String> = answers.iter()
                .map(|answer| {
                    let id = answer["data"]["saleRegister"]["id"].as_str();
                    id.unwrap_or_else(|| panic!("{answer:#}")).to_owned()
                })
                .collect();
            assert_eq!(ids.len(), 1, "each is answered with the sale that is there");
        }
        assert_eq!(app.count(&app.alpha, "sales").await, 5);
        let trail = app.trail(&app.alpha).await;
        let created = trail.actions().into_iter().filter(|action| *action == "sale.create").count();
        assert_eq!(created, 5, "an attempt that was undone left a trail");
        let shown = page(&app, json!({ "seller": seller, "year": 2026, "month": 3 })).await;
        assert_eq!(shown["summary"]["soldMonth"], "50.00");
    }

    async fn of_other_values_for_one_order_the_first_counts(app: TestApp) {
        let seller = app.alpha.comercial.id;
        let id = customer(&app, seller, "Bazar", "200.00").await;
        for round in 0..5 {
            let another = |sender| json!({ "sellerId": seller, "customerId": id,
                "amount": format!("{sender}.50"), "soldAt": "2026-03-02T12:00:00Z" });
            let answers = sent(&app, &format!("order {round}"), another).await;
            let (made, refused): (Vec<_>, Vec<_>) =
                answers.iter().partition(|answer| answer.get("errors").is_none());
            assert_eq!((made.len(), refused.len()), (1, SENDERS - 1));
            for answer in refused {
                assert_eq!((code(answer), field(answer)), ("CONFLICT", "input.orderId"));
            }
        }
        assert_eq!(app.count(&app.alpha, "sales").await, 5);
    }

    async fn a_conflict_over_something_else_is_told_as_such(app: TestApp) {
        let seller = app.alpha.comercial.id;
        let id = company(&app, "Bazar").await;
        let first = sell(&app, (seller, id), "1", "1.00", "2026-03-02T12:00:00Z").await;
        let known = json!({ "id": first, "input": { "externalSystem": "shop", "externalId": "x" } });
        app.done(&app.alpha.admin.key, "saleUpdate", known, "{ id }").await;
        let before = app.trail(&app.alpha).await;
        let input = json!({ "orderId": "2", "source": "erp", "sellerId": seller, "customerId": id,
            "amount": "1.00", "externalSystem": "shop", "externalId": "x" });
        let answer = app.mutate(&app.alpha.admin.key, "saleRegister", json!({ "input": input }), "{ id }").await;
        assert_eq!(code(&answer), "CONFLICT");
        assert!(field(&answer).starts_with("input.external"), "{answer:#}");
        assert!(app.trail(&app.alpha).await.since(&before).is_empty());
        assert_eq!(app.count(&app.alpha, "sales").await, 1);
        // What one may not see is not given away: it is an order of somebody else's.
        let input = json!({ "orderId": "1", "source": "erp", "sellerId": app.alpha.comercial.id,
            "customerId": id, "amount": "1.00" });
        let mine = Uuid::parse_str(app.done(&app.alpha.comercial.key, "saleRegister",
            json!({ "input": input.clone() }), "{ id }").await["id"].as_str().unwrap());
        assert_eq!(mine.unwrap(), first);
        let moved = json!({ "id": first, "input": { "sellerId": app.alpha.manager.id } });
        app.done(&app.alpha.admin.key, "saleUpdate", moved, "{ id }").await;
        let refused = app.refusal(&app.alpha.comercial.key, "saleRegister", json!({ "input": input })).await;
        assert_eq!(refused, ("CONFLICT".to_owned(), Some("input.orderId".to_owned())));
    }
}
