//! What an import tells of the past: when rows were made elsewhere, and how deals ended.

use serde_json::{Value as Json, json};

use crate::support::importing::{Files, assert_step};
use crate::support::{TestApp, both_databases};

const COMPANIES: &str = r#"
system = "tests"
zone = "UTC"
[[step]]
name = "companies"
file = "companies.csv"
record = "Company"
[step.fields]
externalId = "id"
name = "name"
createdAt = "made"
updatedAt = { column = "changed", default = "2020-05-05T00:00:00Z" }
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
status = "status"
stageId = { lookup = "PipelineStage", by = "slug", column = "stage" }
actualCloseDate = "closed"
createdAt = "made"
"#;

async fn deals(app: &TestApp) -> Vec<Json> {
    let query = "{ deals(first: 50, orderBy: { field: TITLE }) { nodes { title status actualCloseDate \
                 stage { slug } } } }";
    let data = app.ask(&app.alpha, query).await;
    let nodes = data["deals"]["nodes"].as_array().unwrap().iter();
    let row = |deal: &Json| {
        json!([deal["title"], deal["status"], deal["stage"]["slug"], deal["actualCloseDate"]])
    };
    nodes.map(row).collect()
}

/// Events of a kind, with the time at which they occurred and the one that their ids carry.
async fn told(app: &TestApp, kind: &str) -> Vec<(String, String)> {
    let sql =
        "SELECT occurred_at, id FROM events WHERE tenant_id = ? AND event_type = ? ORDER BY id";
    let rows = app.read_sql(&app.alpha, sql, vec![kind.into()]).await;
    let told = rows.iter().map(|row| {
        let pulso::db::Value::Instant(at) = row.value(0, pulso::db::NullOf::Instant).unwrap()
        else {
            panic!("no time")
        };
        let (seconds, _) = row.required_id(1).unwrap().get_timestamp().unwrap().to_unix();
        let made = chrono::DateTime::from_timestamp(i64::try_from(seconds).unwrap(), 0).unwrap();
        (at.to_rfc3339(), made.to_rfc3339())
    });
    told.collect()
}

both_databases! {
    async fn rows_say_when_they_were_made_elsewhere(app: TestApp) {
        let files = Files::new(COMPANIES, &[("companies.csv",
            "id,name,made,changed\n\
             1,a,2019-03-01T12:00:00Z,2021-01-01\n\
             2,b,2018-12-31,\n\
             3,c,2030-01-01,2030-01-01\n\
             4,d,1969-12-31,\n\
             5,e,2024-01-01,2023-12-31\n")]);
        let report = files.import(&app, &app.alpha).await;
        assert_step(&report, "companies", &[("created", 2), ("refused", 3)]);
        let refused = files.refused();
        assert!(refused[0].contains(",4,3,INVALID,createdAt,must be between 1970 and now"), "{refused:?}");
        assert!(refused[1].contains(",5,4,INVALID,createdAt,"), "{refused:?}");
        assert!(refused[2].contains(",6,5,INVALID,updatedAt,must not be before createdAt"), "{refused:?}");
        let query = "{ companies(orderBy: { field: NAME }) { nodes { id createdAt updatedAt version } } }";
        let made = app.ask(&app.alpha, query).await;
        let nodes = made["companies"]["nodes"].as_array().unwrap().clone();
        assert_eq!(nodes[0]["createdAt"], "2019-03-01T12:00:00Z");
        assert_eq!(nodes[0]["updatedAt"], "2021-01-01T00:00:00Z");
        assert_eq!(nodes[1]["createdAt"], "2018-12-31T00:00:00Z");
        assert_eq!(nodes[1]["updatedAt"], "2020-05-05T00:00:00Z");
        let id: uuid::Uuid = nodes[0]["id"].as_str().unwrap().parse().unwrap();
        assert_eq!(id.get_timestamp().unwrap().to_unix().0, 1_551_441_600, "ids carry the time");
        let at = "2019-03-01T12:00:00+00:00".to_owned();
        assert!(told(&app, "company.created").await.contains(&(at.clone(), at)));

        // What was made once is not made again, whatever the file says now.
        let before = app.traces(&app.alpha).await;
        files.write("companies.csv", "id,name,made,changed\n1,a,2011-01-01,2011-01-01\n2,b,,\n");
        let report = files.import(&app, &app.alpha).await;
        assert_step(&report, "companies", &[("unchanged", 2), ("refused", 0)]);
        assert_eq!(app.traces(&app.alpha).await, before);
        files.write("companies.csv", "id,name,made,changed\n1,z,2011-01-01,2011-01-01\n");
        assert_step(&files.import(&app, &app.alpha).await, "companies", &[("updated", 1)]);
        let made = app.ask(&app.alpha, "{ companies(filter: { name: { eq: \"z\" } }) { nodes { \
            createdAt updatedAt } } }").await;
        let now = crate::support::now().to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
        assert_eq!(made["companies"]["nodes"],
            json!([{ "createdAt": "2019-03-01T12:00:00Z", "updatedAt": now }]));
    }

    async fn stage_and_state_of_a_deal_follow_from_each_other(app: TestApp) {
        let files = Files::new(DEALS, &[("deals.csv",
            "id,status,stage,closed,made\n\
             a,,ganho,2024-05-06,2024-01-01\n\
             b,,perdido,,2024-01-01\n\
             c,,proposta,,2024-01-01\n\
             d,won,,2024-05-06,2024-01-01\n\
             e,LOST,,,2024-01-01\n\
             f,open,,,2024-01-01\n\
             g,,,,2024-01-01\n\
             h,won,proposta,,2024-01-01\n")]);
        let report = files.import(&app, &app.alpha).await;
        assert_step(&report, "deals", &[("created", 6), ("refused", 2)]);
        let refused = files.refused();
        let several = ",7,f,INVALID,stageId,5 stages have deals that are open: name the stage";
        assert!(refused[0].contains(several), "{refused:?}");
        assert!(refused[1].contains(",8,g,INVALID,stageId,"), "{refused:?}");
        let none = Json::Null;
        let day = json!("2024-05-06");
        assert_eq!(deals(&app).await, [
            json!(["a", "WON", "ganho", day]),
            json!(["b", "LOST", "perdido", none]),
            json!(["c", "OPEN", "proposta", none]),
            json!(["d", "WON", "ganho", day]),
            json!(["e", "LOST", "perdido", none]),
            // An import that says both is taken at its word.
            json!(["h", "WON", "proposta", none]),
        ]);
        let before = app.traces(&app.alpha).await;
        let report = files.import(&app, &app.alpha).await;
        assert_step(&report, "deals", &[("unchanged", 6), ("refused", 2)]);
        assert_eq!(app.traces(&app.alpha).await, before);

        // The same for deals that are there, and for what only one column says.
        let mapping = DEALS.replace("status = \"status\"\n", "");
        let moved = Files::new(&mapping, &[("deals.csv",
            "id,stage,closed,made\nc,ganho,2024-07-01,\na,proposta,,\nh,proposta,,\n")]);
        let report = moved.import(&app, &app.alpha).await;
        assert_step(&report, "deals", &[("updated", 2), ("unchanged", 1), ("refused", 0)]);
        let found = deals(&app).await;
        assert_eq!(found[0], json!(["a", "OPEN", "proposta", none]));
        assert_eq!(found[2], json!(["c", "WON", "ganho", "2024-07-01"]));
        assert_eq!(found[5], json!(["h", "WON", "proposta", none]));
        assert_eq!(told(&app, "deal.reopened").await.len(), 1);
    }

    /// The tenant is in São Paulo: its days begin at 03:00 UTC.
    async fn a_closed_deal_is_told_at_its_closing_day(app: TestApp) {
        let files = Files::new(DEALS, &[("deals.csv",
            "id,status,stage,closed,made\n\
             a,won,ganho,2024-05-06,2024-01-01\n\
             b,lost,perdido,2023-02-03,2023-01-01\n\
             c,won,ganho,,2022-02-02T10:00:00Z\n\
             d,won,ganho,2024-08-08,2024-08-08T15:00:00Z\n\
             e,won,ganho,2030-01-01,\n\
             f,open,proposta,,2024-01-01\n")]);
        assert_step(&files.import(&app, &app.alpha).await, "deals", &[("created", 6)]);
        let same = |at: &str| (at.to_owned(), at.to_owned());
        let won = told(&app, "deal.won").await;
        assert_eq!(won[..3], [
            same("2022-02-02T10:00:00+00:00"),
            same("2024-05-06T03:00:00+00:00"),
            // Not before it was made.
            same("2024-08-08T15:00:00+00:00"),
        ]);
        assert_eq!(won.len(), 4);
        assert_eq!(won[3].0, crate::support::now().to_rfc3339(), "nothing is told of the future");
        assert_eq!(told(&app, "deal.lost").await, [same("2023-02-03T03:00:00+00:00")]);
        // Told once.
        let before = app.traces(&app.alpha).await;
        assert_step(&files.import(&app, &app.alpha).await, "deals", &[("unchanged", 6)]);
        assert_eq!(app.traces(&app.alpha).await, before);
        // By whom it is won makes no difference to the log.
        let stage = app.stage(&app.alpha, "ganho").await;
        let query = "{ deals(filter: { title: { eq: \"f\" } }) { nodes { id } } }";
        let deal = app.ask(&app.alpha, query).await["deals"]["nodes"][0]["id"].take();
        let query = format!("mutation {{ dealMoveStage(id: {deal}, stageId: \"{stage}\") {{ id }} }}");
        app.ask(&app.alpha, &query).await;
        assert_eq!(told(&app, "deal.won").await.len(), 5);
    }
}

#[test]
fn a_mapping_says_when_only_of_rows_it_creates() {
    let mapping = r#"
        system = "tests"
        [[step]]
        name = "one"
        file = "a.csv"
        record = "Company"
        mode = "update"
        [step.fields]
        externalId = "id"
        createdAt = "made"
        [[step]]
        name = "two"
        file = "a.csv"
        record = "Company"
        [step.fields]
        externalId = "id"
        name = "id"
        updatedAt = "made"
        [[step]]
        name = "three"
        file = "a.csv"
        record = "Deal"
        [step.fields]
        externalId = "id"
        title = "id"
        createdBy = "id"
    "#;
    let files = Files::new(mapping, &[("a.csv", "id,made\n")]);
    let problems = pulso::import::prepare(&files.mapping(), files.folder.path()).err().unwrap();
    let problems = problems.to_string();
    for expected in [
        "step \"one\".fields.createdAt: nothing is created",
        "step \"two\".fields.updatedAt: needs createdAt",
        "step \"three\".fields.createdBy: Deal has no field createdBy",
        "step \"three\".fields: Deal.stageId is required",
    ] {
        assert!(problems.contains(expected), "{expected}\nnot in\n{problems}");
    }
}
