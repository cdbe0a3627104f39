//! Goals, and sales of won deals, that come out of files.

use serde_json::{Value as Json, json};
use uuid::Uuid;

use crate::support::goals::{
    call_outside, company, found, page_on, row_of, sell, want_sales_from_deals,
};
use crate::support::importing::{Files, all_unchanged, assert_step};
use crate::support::{TestApp, both_databases};

const GOALS: &str = r#"
system = "tests"
[[step]]
name = "goals"
file = "goals.csv"
record = "Goal"
[step.fields]
externalId = "id"
year = "year"
amount = { column = "goal", decimal = ",", grouping = "." }
classification = "class"
lastYearSales = "last"
sellerId = { lookup = "User", column = "seller", required = true }
customerId = { lookup = "Company", column = "customer" }
"#;

const DEALS: &str = r#"
system = "tests"
[[step]]
name = "deals"
file = "deals.csv"
record = "Deal"
[step.fields]
externalId = "id"
title = "id"
value = "value"
companyId = { lookup = "Company", column = "customer" }
ownerId = { value = "s", lookup = "User" }
stageId = { lookup = "PipelineStage", by = "slug", column = "stage" }
actualCloseDate = "closed"
"#;

/// A seller and customers that files know as `s`, `c1`, `c2`, `c3`.
async fn known(app: &TestApp) -> (Uuid, Vec<Uuid>) {
    let seller = app.alpha.comercial.id;
    call_outside(app, "user", seller, "s").await;
    let mut customers = Vec::new();
    for name in ["c1", "c2", "c3"] {
        let id = company(app, name).await;
        call_outside(app, "company", id, name).await;
        customers.push(id);
    }
    (seller, customers)
}

/// Source, amount and day of every sale, in the order of the days.
async fn sales(app: &TestApp) -> Json {
    let query = "{ sales(orderBy: [{ field: SOLD_ON }]) { nodes { source amount soldOn } } }";
    app.ask(&app.alpha, query).await["sales"]["nodes"].clone()
}

both_databases! {
    async fn goals_come_out_of_a_file_and_a_second_time_changes_nothing(app: TestApp) {
        let (seller, customers) = known(&app).await;
        let node = app.other_app();
        let asked = json!({ "seller": seller, "year": 2026, "month": 3 });
        let ask = async || page_on(&app, &node, asked.clone()).await;
        assert_eq!(ask().await.0["summary"]["customers"], 0);
        let header = "id,year,seller,customer,goal,class,last\n";
        let files = Files::new(GOALS, &[("goals.csv", &format!(
            "{header}1,2026,s,c1,\"1.000,50\",A,50.00\n2,2026,s,c2,200,b,\n3,2025,s,c1,70,,\n"))]);
        let report = files.import(&app, &app.alpha).await;
        assert_step(&report, "goals", &[("created", 3), ("refused", 0)]);
        let (page, _) = ask().await;
        assert_eq!((&page["summary"]["customers"], &page["summary"]["goal"]), (&json!(2), &json!("1200.50")));
        let first = row_of(&page, customers[0]);
        assert_eq!((&first["goal"], &first["classification"]), (&json!("1000.50"), &json!("A")));
        assert_eq!((&first["lastYearSales"], &first["lastYearSource"]), (&json!("50.00"), &json!("IMPORTED")));
        assert_eq!(row_of(&page, customers[1])["classification"], "B");

        let trail = app.trail(&app.alpha).await;
        all_unchanged(&files.import(&app, &app.alpha).await);
        assert!(app.trail(&app.alpha).await.since(&trail).is_empty());
        assert_eq!(found(&ask().await.1), ("HIT", "HIT"), "nothing changed");

        files.write("goals.csv", &format!(
            "{header}1,2026,s,c1,\"1.000,50\",A,50.00\n2,2026,s,c2,300,C,\n3,2025,s,c1,70,,\n"));
        let report = files.import(&app, &app.alpha).await;
        assert_step(&report, "goals", &[("unchanged", 2), ("updated", 1)]);
        let (page, extensions) = ask().await;
        assert_eq!(found(&extensions), ("MISS", "HIT"));
        let second = row_of(&page, customers[1]);
        assert_eq!((&second["goal"], &second["classification"]), (&json!("300.00"), &json!("C")));
    }

    async fn goals_that_cannot_be_are_refused_line_by_line(app: TestApp) {
        let (seller, _) = known(&app).await;
        let files = Files::new(GOALS, &[("goals.csv", "id,year,seller,customer,goal,class,last\n\
            1,2026,s,c1,100,A,\n\
            2,2026,nobody,c2,100,A,\n\
            3,2026,s,nobody,100,A,\n\
            4,2026,s,,100,A,\n\
            5,2026,,c2,100,A,\n\
            6,2026,s,c2,100,D,\n\
            7,2026,s,c2,\"-1,00\",A,\n\
            8,2026,s,c2,many,A,\n\
            9,1800,s,c2,100,A,\n\
            10,,s,c2,100,A,\n\
            11,2026,s,c2,\"1,005\",A,\n\
            1,2026,s,c3,100,A,\n\
            ,2026,s,c3,100,A,\n\
            14,2026,s,c3,300,C,\n")]);
        let report = files.import(&app, &app.alpha).await;
        assert_step(&report, "goals", &[("read", 14), ("created", 2), ("refused", 12)]);
        assert_eq!(files.refused(), [
            "goals,goals.csv,3,2,NOT_FOUND,sellerId,\"there is no User \"\"nobody\"\"\"",
            "goals,goals.csv,4,3,NOT_FOUND,customerId,\"there is no Company \"\"nobody\"\"\"",
            "goals,goals.csv,5,4,INVALID,customerId,customerId is required",
            "goals,goals.csv,6,,INVALID,sellerId,is required and empty",
            "goals,goals.csv,7,,INVALID,classification,\"\"\"D\"\" is none of A, B, C\"",
            "goals,goals.csv,8,7,INVALID,amount,must not be negative",
            "goals,goals.csv,9,,INVALID,amount,\"\"\"many\"\" is not a number\"",
            "goals,goals.csv,10,9,INVALID,year,must be 1900 to 9999",
            "goals,goals.csv,11,10,INVALID,year,year is required",
            "goals,goals.csv,12,,INVALID,amount,an amount has at most two decimals and 17 digits",
            "goals,goals.csv,13,1,CONFLICT,,line 2 has the same key",
            "goals,goals.csv,14,,INVALID,externalId,names the row and is empty",
        ]);
        let goals = app.ask(&app.alpha, "{ goals { nodes { externalId sellerId amount } } }").await;
        let mut kept = goals["goals"]["nodes"].as_array().unwrap().clone();
        kept.sort_by_key(|goal| goal["externalId"].to_string());
        assert_eq!(kept, [
            json!({ "externalId": "1", "sellerId": seller, "amount": "100.00" }),
            json!({ "externalId": "14", "sellerId": seller, "amount": "300.00" }),
        ]);
        // A seller's customer has one goal in a year, whatever a file calls it.
        files.write("goals.csv", "id,year,seller,customer,goal,class,last\n\
            20,2026,s,c1,900,A,\n21,2027,s,c1,900,A,\n");
        let report = files.import(&app, &app.alpha).await;
        assert_step(&report, "goals", &[("created", 1), ("refused", 1)]);
        let refused = files.refused();
        assert!(refused[0].starts_with("goals,goals.csv,2,20,CONFLICT,"), "{refused:?}");
    }

    async fn a_deal_that_an_import_says_was_won_is_a_sale_where_the_tenant_wants_it(app: TestApp) {
        let (seller, customers) = known(&app).await;
        let node = app.other_app();
        let asked = json!({ "seller": seller, "year": 2026, "month": 2 });
        let ask = async || page_on(&app, &node, asked.clone()).await.0;
        let header = "id,customer,value,stage,closed\n";
        let files = Files::new(DEALS, &[("deals.csv", &format!("{header}0,c1,10.00,ganho,2026-01-02\n"))]);
        files.import(&app, &app.alpha).await;
        assert_eq!((app.rows_in(&app.alpha, "deals").await, sales(&app).await), (1, json!([])));
        want_sales_from_deals(&app).await;
        assert_eq!(ask().await["summary"]["soldYear"], "0.00");

        files.write("deals.csv", &format!("{header}1,c1,100.00,ganho,2026-01-05\n\
            2,c2,50.00,prospeccao,\n3,c1,abc,ganho,2026-02-05\n4,nobody,70.00,ganho,2026-02-06\n\
            5,c3,-1.00,ganho,2026-02-07\n"));
        let rehearsal = files.run(&app, &app.alpha, true).await;
        assert_step(&rehearsal, "deals", &[("created", 2), ("refused", 3)]);
        assert_eq!(sales(&app).await, json!([]), "a dry run sells nothing");
        let report = files.import(&app, &app.alpha).await;
        assert_step(&report, "deals", &[("created", 2), ("refused", 3)]);
        let january = json!({ "source": "deal", "amount": "100.00", "soldOn": "2026-01-05" });
        assert_eq!(sales(&app).await, json!([january]));
        assert_eq!(ask().await["summary"]["soldYear"], "100.00");

        let trail = app.trail(&app.alpha).await;
        files.import(&app, &app.alpha).await;
        assert!(app.trail(&app.alpha).await.since(&trail).is_empty(), "the same file again");

        files.write("deals.csv", &format!("{header}1,c1,120.00,ganho,2026-01-05\n\
            2,c2,50.00,ganho,2026-02-10\n"));
        files.import(&app, &app.alpha).await;
        assert_eq!(sales(&app).await, json!([
            { "source": "deal", "amount": "120.00", "soldOn": "2026-01-05" },
            { "source": "deal", "amount": "50.00", "soldOn": "2026-02-10" },
        ]));
        let page = ask().await;
        assert_eq!((&page["summary"]["soldYear"], &page["summary"]["soldMonth"]), (&json!("170.00"), &json!("50.00")));
        assert_eq!(row_of(&page, customers[1])["isActiveMonth"], true);
        assert_eq!(app.rows_in(&app.beta, "sales").await, 0);
    }

    async fn a_deal_and_its_sale_are_written_together_or_not_at_all(app: TestApp) {
        let (seller, customers) = known(&app).await;
        want_sales_from_deals(&app).await;
        sell(&app, (seller, customers[1]), "1", "1.00", "2026-03-02T12:00:00Z").await;
        // A rule of this test's database that only sales can break: one for each customer.
        let only = "CREATE UNIQUE INDEX test_one_sale ON sales (tenant_id, customer_id)";
        app.write_sql(only, Vec::new()).await;
        let files = Files::new(DEALS, &[("deals.csv", "id,customer,value,stage,closed\n\
            1,c1,10.00,ganho,2026-02-05\n2,c2,20.00,ganho,2026-02-06\n3,c3,30.00,ganho,2026-02-07\n")]);
        let report = files.import(&app, &app.alpha).await;
        assert_step(&report, "deals", &[("created", 2), ("refused", 1)]);
        let refused = files.refused();
        assert!(refused[0].starts_with("deals,deals.csv,3,2,CONFLICT,"), "{refused:?}");
        let deals = app.ask(&app.alpha, "{ deals(orderBy: [{ field: TITLE }]) { nodes { title } } }").await;
        assert_eq!(deals["deals"]["nodes"], json!([{ "title": "1" }, { "title": "3" }]));
        assert_eq!(app.rows_in(&app.alpha, "sales").await, 3, "two deals', and the one before");

        // The same by hand: the deal stays as it was, and nothing is told of it.
        let input = json!({ "title": "4", "value": "5.00", "companyId": customers[1],
            "ownerId": seller, "stageId": app.stage(&app.alpha, "prospeccao").await });
        let deal = app.create(&app.alpha.admin.key, "Deal", input).await;
        let before = app.trail(&app.alpha).await;
        let won = json!({ "id": deal, "stageId": app.stage(&app.alpha, "ganho").await });
        let (code, _) = app.refusal(&app.alpha.admin.key, "dealMoveStage", won).await;
        assert_eq!(code, "CONFLICT");
        assert!(app.trail(&app.alpha).await.since(&before).is_empty());
        let deal = app.ask(&app.alpha, &format!("{{ deal(id: \"{deal}\") {{ status }} }}")).await;
        assert_eq!(deal["deal"]["status"], "OPEN");
    }
}
