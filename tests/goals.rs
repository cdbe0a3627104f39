//! The page of goals: what it says, that it is never late, and who may see it.

use serde_json::{Value as Json, json};

use crate::support::goals::{PAGE, customer, names, page, sell};
use crate::support::importing::{assert_step, example, run, shared_data};
use crate::support::{TestApp, both_databases};

both_databases! {
    async fn real_sales_give_the_page_and_next_years_goals(app: TestApp) {
        let Some(data) = shared_data("crm-sales") else { return };
        let errors = tempfile::tempdir().unwrap();
        let errors = errors.path().join("errors.csv");
        for (mapping, step, created) in
            [("crm-sales.toml", "opportunities", 8_800), ("crm-goals.toml", "sales", 4_238)]
        {
            let files = (example(mapping), data.clone());
            let report =
                run(&app, &app.alpha, (&files.0, &files.1), &errors, false).await;
            assert_step(&report, step, &[("created", created), ("refused", 0)]);
        }
        let proposed = app
            .done(&app.alpha.admin.key, "goalsPropose", json!({ "year": 2018, "factor": "1.15" }),
                "{ created updated unchanged }")
            .await;
        assert_eq!(proposed, json!({ "created": 875, "updated": 0, "unchanged": 0 }));
        let classified = app
            .done(&app.alpha.admin.key, "goalsClassify", json!({ "year": 2018 }), "{ updated }")
            .await;
        assert_eq!(classified["updated"], proposed["created"]);

        let seller = app.ask(&app.alpha, r#"{ users(first: 1, filter: { fullName:
            { eq: "Darcel Schlecht" } }) { nodes { id } } }"#).await;
        let seller = seller["users"]["nodes"][0]["id"].clone();
        let of = |year, month| json!({ "seller": seller, "year": year, "month": month });
        let in_2017 = page(&app, of(2017, 12)).await;
        assert_eq!(in_2017["summary"]["soldYear"], "1153214.00");
        assert_eq!(in_2017["summary"]["projectedYear"], "1153214.00", "the year is over");
        let everybody = page(&app, json!({ "year": 2017, "month": 3, "first": 0 })).await;
        assert_eq!(everybody["summary"]["soldMonth"], "1134672.00");
        assert_eq!(everybody["summary"]["soldYear"], "10005534.00");
        assert_eq!(everybody["summary"]["currency"], "USD");
        let in_2018 = page(&app, of(2018, 1)).await;
        assert_eq!(in_2018["summary"]["soldYear"], "0.00");
        assert_eq!(in_2018["nodes"][0]["lastYearSource"], "SALES");
        // Each goal is 115 hundredths of what was bought, halves of a cent upwards.
        let everybody = page(&app, json!({ "seller": seller, "year": 2018, "first": 100 })).await;
        let cents = |amount: &Json| amount.as_str().unwrap().replace('.', "").parse::<i64>().unwrap();
        let rows = everybody["nodes"].as_array().unwrap();
        assert_eq!(rows.len(), 29);
        for row in rows {
            assert_eq!(cents(&row["goal"]), (cents(&row["lastYearSales"]) * 115 + 50) / 100, "{row}");
        }
        assert_eq!(everybody["summary"]["goal"], "1326196.10");
        let goal = app.ask(&app.alpha, &format!(r#"{{ goalAggregate(filter: {{ year: {{ eq: 2018 }},
            sellerId: {{ eq: {seller} }} }}) {{ sum {{ amount }} }} }}"#)).await;
        assert_eq!(in_2018["summary"]["goal"], goal["goalAggregate"]["sum"]["amount"]);

        let again = app
            .done(&app.alpha.admin.key, "goalsPropose", json!({ "year": 2018 }), "{ created unchanged }")
            .await;
        assert_eq!(again, json!({ "created": 0, "unchanged": proposed["created"] }));
        let nobody = app.data(&app.beta.admin.key, PAGE, json!({ "year": 2017 })).await;
        assert_eq!(nobody["customerGoals"]["summary"]["customers"], 0);
    }

    async fn a_page_says_whom_to_call(app: TestApp) {
        let seller = app.alpha.comercial.id;
        let ana = customer(&app, seller, "Árvore Verde", "1000.00").await;
        let bia = customer(&app, seller, "Bazar", "200.00").await;
        customer(&app, seller, "Casa Nova", "300.00").await;
        sell(&app, (seller, ana), "1", "400.00", "2026-01-15T12:00:00Z").await;
        sell(&app, (seller, ana), "2", "-100.00", "2026-01-20T12:00:00Z").await;
        sell(&app, (seller, bia), "3", "250.00", "2026-03-02T15:00:00Z").await;
        sell(&app, (seller, bia), "4", "10.00", "2025-06-02T15:00:00Z").await;
        // Half past eleven in the evening of February's last day, by the tenant's calendar.
        sell(&app, (seller, ana), "5", "7.00", "2026-03-01T02:30:00Z").await;

        let of = json!({ "seller": seller, "year": 2026, "month": 3,
                         "orderBy": [{ "field": "CUSTOMER_NAME" }] });
        let shown = page(&app, of).await;
        assert_eq!(names(&shown), ["Árvore Verde", "Bazar", "Casa Nova"]);
        assert_eq!(shown["nodes"][0], json!({
            "customerId": ana, "customerName": "Árvore Verde", "city": "Campinas", "state": "SP",
            "classification": "A", "goal": "1000.00", "lastYearSales": "50.00",
            "lastYearSource": "IMPORTED", "soldYear": "307.00", "gap": "693.00",
            "achievementPct": 30.7, "lastPurchaseAt": "2026-03-01T02:30:00Z", "soldMonth": "0.00",
            "isActiveMonth": false,
        }));
        let bazar = &shown["nodes"][1];
        assert_eq!((&bazar["lastYearSales"], &bazar["lastYearSource"]), (&json!("10.00"), &json!("SALES")));
        assert_eq!((&bazar["gap"], &bazar["achievementPct"]), (&json!("-50.00"), &json!(125.0)));
        let mut summary = shown["summary"].clone();
        summary.as_object_mut().unwrap().remove("dataAsOf").unwrap();
        let projected = summary.as_object_mut().unwrap().remove("projectedYear").unwrap();
        assert!(projected.as_str().unwrap().parse::<f64>().unwrap() > 557.0, "{projected}");
        assert_eq!(summary, json!({
            "customers": 3, "goal": "1500.00", "soldYear": "557.00", "soldMonth": "250.00",
            "gap": "943.00", "achievementPct": 37.13, "activeCustomers": 1, "penetrationPct": 33.33,
            "currency": "BRL",
        }));
    }

    async fn any_field_filters_and_orders_and_pages_follow_each_other(app: TestApp) {
        let seller = app.alpha.comercial.id;
        let mut sold = Vec::new();
        for number in 0..7 {
            let id = customer(&app, seller, &format!("Cliente {number}"), "100.00").await;
            let amount = format!("{}.00", [3, 0, 5, 5, 0, 9, 1][number]);
            if amount != "0.00" {
                sell(&app, (seller, id), &number.to_string(), &amount, "2026-03-02T12:00:00Z").await;
            }
            sold.push(amount);
        }
        let idle = page(&app, json!({ "seller": seller, "month": 3,
            "filter": { "isActiveMonth": { "eq": false } } })).await;
        assert_eq!(idle["totalCount"], 2);
        assert_eq!(idle["summary"]["customers"], 7, "a filter does not change the summary");
        let some = page(&app, json!({ "seller": seller, "month": 3, "filter": {
            "or": [{ "soldMonth": { "gte": "5.00" } }, { "customerName": { "endsWith": "CLIENTE 1" } }],
            "not": { "gap": { "lt": "92.00" } } } })).await;
        assert_eq!(some["totalCount"], 3);
        let found = page(&app, json!({ "seller": seller, "month": 3, "search": "cliente 6" })).await;
        assert_eq!(names(&found), ["Cliente 6"]);

        let (mut walked, mut after) = (Vec::new(), Json::Null);
        loop {
            let part = page(&app, json!({ "seller": seller, "month": 3, "first": 2, "after": after,
                "orderBy": [{ "field": "SOLD_MONTH", "direction": "DESC" }] })).await;
            walked.extend(part["nodes"].as_array().unwrap().clone());
            if part["pageInfo"]["hasNextPage"] == false { break; }
            after = part["pageInfo"]["endCursor"].clone();
        }
        let amounts: Vec<&str> = walked.iter().map(|row| row["soldMonth"].as_str().unwrap()).collect();
        assert_eq!(amounts, ["9.00", "5.00", "5.00", "3.00", "1.00", "0.00", "0.00"]);
        let mut ids: Vec<String> = walked.iter().map(|row| row["customerId"].to_string()).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), 7);
        let other = app.error_code(&app.alpha.admin.key, PAGE,
            json!({ "seller": seller, "month": 2, "after": after })).await;
        assert_eq!(other, "INVALID", "a cursor of another list");
    }

    async fn currencies_are_never_added(app: TestApp) {
        let seller = app.alpha.comercial.id;
        let id = customer(&app, seller, "Bazar", "200.00").await;
        let input = json!({ "orderId": "1", "sellerId": seller, "customerId": id,
                            "amount": "9.00", "currency": "USD" });
        app.create(&app.alpha.admin.key, "Sale", input).await;
        let answer = app.graphql(&app.alpha.admin.key, PAGE, json!({ "seller": seller })).await;
        let extensions = &answer["errors"][0]["extensions"];
        assert_eq!((&extensions["code"], &extensions["field"]), (&json!("INVALID"), &json!("currency")));
        let dollars = page(&app, json!({ "seller": seller, "currency": "USD" })).await;
        assert_eq!(dollars["summary"]["soldYear"], "9.00");
        let reais = page(&app, json!({ "seller": seller, "currency": "BRL" })).await;
        assert_eq!((&reais["summary"]["soldYear"], &reais["summary"]["goal"]), (&json!("0.00"), &json!("200.00")));
    }

    async fn sellers_are_ranked_and_months_drawn(app: TestApp) {
        let (first, second) = (app.alpha.manager.id, app.alpha.comercial.id);
        for (number, (seller, amount)) in
            [(first, "70.00"), (second, "30.00"), (second, "20.00")].into_iter().enumerate()
        {
            let id = customer(&app, seller, &number.to_string(), "100.00").await;
            let at = format!("2026-0{}-05T12:00:00Z", number + 1);
            sell(&app, (seller, id), &number.to_string(), amount, &at).await;
        }
        let ranking = "{ sellerRanking(year: 2026, month: 3) { nodes { seller { id } customers goal \
            soldYear soldMonth activeCustomers achievementPct } } }";
        let ranked = app.ask(&app.alpha, ranking).await;
        assert_eq!(ranked["sellerRanking"]["nodes"], json!([
            { "seller": { "id": first }, "customers": 1, "goal": "100.00", "soldYear": "70.00",
              "soldMonth": "0.00", "activeCustomers": 0, "achievementPct": 70.0 },
            { "seller": { "id": second }, "customers": 2, "goal": "200.00", "soldYear": "50.00",
              "soldMonth": "20.00", "activeCustomers": 1, "achievementPct": 25.0 },
        ]));
        let series = "query($sellers: [ID!]) { goalSeries(year: 2026, sellers: $sellers) { totalCount \
            nodes { month sellerId sold soldToDateAsFloat goal goalToDate } } }";
        let drawn = app.data(&app.alpha.comercial.key, series, json!({ "sellers": [second] })).await;
        assert_eq!(drawn["goalSeries"]["totalCount"], 12);
        assert_eq!(drawn["goalSeries"]["nodes"][2], json!({
            "month": "2026-03-01", "sellerId": second, "sold": "20.00", "soldToDateAsFloat": 50.0,
            "goal": "16.67", "goalToDate": "50.00",
        }));
        assert_eq!(drawn["goalSeries"]["nodes"][11]["goalToDate"], "200.00");
    }

    async fn an_order_that_is_sent_twice_is_one_sale(app: TestApp) {
        let seller = app.alpha.comercial.id;
        let id = customer(&app, seller, "Bazar", "200.00").await;
        let first = sell(&app, (seller, id), "7", "20.00", "2026-03-02T12:00:00Z").await;
        let again = sell(&app, (seller, id), "7", "20.00", "2026-03-02T12:00:00Z").await;
        assert_eq!(first, again);
        let input = json!({ "orderId": "7", "source": "erp", "sellerId": seller, "customerId": id,
                            "amount": "21.00" });
        let refused = app.refusal(&app.alpha.admin.key, "saleRegister", json!({ "input": input })).await;
        assert_eq!(refused, ("CONFLICT".to_owned(), Some("input.orderId".to_owned())));
        for _ in 0..2 {
            app.done(&app.alpha.admin.key, "saleCancel", json!({ "id": first }), "{ cancelledAt }").await;
        }
        assert_eq!(page(&app, json!({ "seller": seller })).await["summary"]["soldYear"], "0.00");
    }
}
