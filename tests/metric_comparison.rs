//! Numbers beside earlier ones, and as tables.

use serde_json::{Value as Json, json};

use crate::support::ingesting::event;
use crate::support::{TestApp, both_databases};

/// Tickets of two channels, day by day around the beginning of summer time in São Paulo.
async fn tickets(app: &TestApp) {
    let key = &app.alpha.admin.key;
    let mut sent = Vec::new();
    for (day, web, email) in [
        ("2018-10-04", 1, 0),
        ("2018-11-03", 2, 1),
        ("2018-11-04", 3, 0),
        ("2018-11-05", 4, 2),
        ("2018-11-10", 5, 0),
        ("2018-11-11", 6, 1),
        ("2018-11-12", 7, 0),
    ] {
        for (channel, count) in [("web", web), ("email", email)] {
            for number in 0..count {
                let id = format!("{day} {channel} {number}");
                let dimensions = json!({ "dimensions": { "channel": channel } });
                sent.push(event(&id, "ticket.created", &format!("{day}T15:00:00Z"), dimensions));
            }
        }
    }
    for (id, at, seconds) in [
        ("a", "2018-11-04T16:00:00Z", 10),
        ("b", "2018-11-11T16:00:00Z", 30),
        ("c", "2018-11-12T16:00:00Z", 50),
    ] {
        sent.push(event(
            id,
            "ticket.resolved",
            at,
            json!({ "payload": { "handleSec": seconds, "agentId": id },
            "dimensions": { "channel": "web" } }),
        ));
    }
    assert_eq!(app.ingest(key, &json!(sent)).await["accepted"], sent.len());
    app.fold().await;
}

async fn compared(app: &TestApp, arguments: &str) -> Vec<Json> {
    let query = format!(
        "{{ metricSeries({arguments}) {{ nodes {{ series time value comparedTime \
        comparedValue change changePercent }} }} }}"
    );
    let mut data = app.data(&app.alpha.admin.key, &query, json!({})).await;
    data["metricSeries"]["nodes"].as_array_mut().unwrap().drain(..).collect()
}

async fn table(app: &TestApp, key: &str, arguments: &str) -> Json {
    let query = format!(
        "{{ metricTable({arguments}) {{ totalCount nodes {{ series labels isOther values events \
        comparedValues changePercents }} summary {{ from to values events comparedFrom comparedTo \
        comparedValues changePercents }} }} }}"
    );
    app.data(key, &query, json!({})).await["metricTable"].take()
}

fn column(rows: &[Json], name: &str) -> Vec<Json> {
    rows.iter().map(|row| row[name].clone()).collect()
}

const WEEK: &str =
    r#"metrics: ["tickets_created"], from: "2018-11-10T12:00:00Z", to: "2018-11-12T12:00:00Z""#;
const TABLE: &str = r#"metrics: ["tickets_created", "tickets_resolved", "handle_time.avg"],
    from: "2018-11-10T12:00:00Z", to: "2018-11-12T12:00:00Z""#;

both_databases! {
    async fn a_day_is_compared_with_its_counterpart_over_summer_time(app: TestApp) {
        tickets(&app).await;
        let rows = compared(&app, &format!("{WEEK}, compareTo: PREVIOUS_WEEK")).await;
        assert_eq!(column(&rows, "value"), [5.0, 7.0, 7.0]);
        assert_eq!(column(&rows, "comparedValue"), [3.0, 3.0, 6.0]);
        // The 4th has no midnight, the 5th is an hour further from UTC.
        assert_eq!(column(&rows, "comparedTime"),
            ["2018-11-03T03:00:00Z", "2018-11-04T03:00:00Z", "2018-11-05T02:00:00Z"]);
        assert_eq!(column(&rows, "change"), [2.0, 4.0, 1.0]);
        let percent = rows[2]["changePercent"].as_f64().unwrap();
        assert!((percent - 100.0 / 6.0).abs() < 1e-9, "{percent}");
        let before = compared(&app, &format!("{WEEK}, compareTo: PREVIOUS_PERIOD")).await;
        assert_eq!(column(&before, "comparedValue"), [0.0, 0.0, 0.0]);
        assert_eq!(column(&before, "comparedTime"),
            ["2018-11-07T02:00:00Z", "2018-11-08T02:00:00Z", "2018-11-09T02:00:00Z"]);
        // Nothing is no base of a percentage.
        assert_eq!((&before[0]["change"], &before[0]["changePercent"]), (&json!(5.0), &Json::Null));
        // Without compareTo nothing is compared.
        let plain = compared(&app, WEEK).await;
        assert!(plain.iter().all(|row| row["comparedTime"].is_null() && row["comparedValue"].is_null()));
        let months = r#"metrics: ["tickets_created"], granularity: MONTHLY, from: "2018-11-10T12:00:00Z""#;
        let months = format!(r#"{months}, to: "2018-11-12T12:00:00Z""#);
        let months = compared(&app, &format!("{months}, compareTo: PREVIOUS_MONTH")).await;
        assert_eq!((&months[0]["value"], &months[0]["comparedValue"]), (&json!(31.0), &json!(1.0)));
    }

    async fn series_of_either_time_are_there(app: TestApp) {
        tickets(&app).await;
        let span = r#"metrics: ["tickets_created", "backlog"], by: ["channel"],
            from: "2018-11-12T12:00:00Z", to: "2018-11-12T13:00:00Z""#;
        let rows = compared(&app, &format!("{span}, compareTo: PREVIOUS_WEEK, fill: false")).await;
        // E-mail had some a week ago, and none now.
        let of = |series: &str, number: usize| {
            let mut rows = rows.iter().filter(|row| row["series"] == series);
            let row = rows.nth(number).unwrap_or_else(|| panic!("{rows:?}"));
            (row["value"].clone(), row["comparedValue"].clone())
        };
        assert_eq!(of("web", 0), (json!(7.0), json!(4.0)));
        assert_eq!(of("email", 0), (json!(0.0), json!(2.0)));
        // A balance is what it was by then.
        assert_eq!(of("web", 1), (json!(25.0), json!(9.0)));
        let top = compared(&app, &format!("{span}, compareTo: PREVIOUS_WEEK, limit: 1")).await;
        assert_eq!(column(&top[..2], "series"), ["web", "other"]);
        assert_eq!(column(&top[..2], "comparedValue"), [4.0, 2.0]);
    }

    async fn what_cannot_be_compared_is_refused(app: TestApp) {
        let key = &app.alpha.admin.key;
        for (arguments, field) in [
            (r#"from: "2026-01-01T00:00:00Z", granularity: MONTHLY, compareTo: PREVIOUS_WEEK"#, "compareTo"),
            (r#"from: "2026-03-10T11:00:00Z", granularity: REALTIME, compareTo: PREVIOUS_WEEK"#, "compareTo"),
        ] {
            let query = format!("{{ metricSeries(metrics: [\"tickets_created\"], {arguments}) {{ nodes {{ value }} }} }}");
            let refusal = app.refusal_of(key, &query, json!({})).await;
            assert_eq!(refusal, ("INVALID".to_owned(), Some(field.to_owned())), "{arguments}");
        }
        let minutes = r#"metrics: ["tickets_created"], from: "2026-03-10T11:58:00Z", granularity: REALTIME"#;
        let rows = compared(&app, &format!("{minutes}, compareTo: PREVIOUS_DAY")).await;
        assert_eq!(column(&rows, "comparedTime"), ["2026-03-09T11:58:00Z", "2026-03-09T11:59:00Z"]);
    }

    async fn a_table_has_all_metrics_of_a_key_beside_each_other(app: TestApp) {
        tickets(&app).await;
        let key = &app.alpha.admin.key;
        let rows = table(&app, key, &format!(r#"{TABLE}, by: ["channel"], compareTo: PREVIOUS_WEEK"#)).await;
        assert_eq!(rows["totalCount"], 2);
        assert_eq!(rows["nodes"][0], json!({ "series": "web", "labels": { "channel": "web" }, "isOther": false,
            "values": { "tickets_created": 18.0, "tickets_resolved": 2.0, "handle_time.avg": 40.0 }, "events": 18,
            "comparedValues": { "tickets_created": 9.0, "tickets_resolved": 1.0, "handle_time.avg": 10.0 },
            "changePercents": { "tickets_created": 100.0, "tickets_resolved": 100.0, "handle_time.avg": 300.0 } }));
        assert_eq!(rows["nodes"][1]["values"],
            json!({ "tickets_created": 1.0, "tickets_resolved": 0.0, "handle_time.avg": null }));
        // The total is made of states: its average is that of all events.
        assert_eq!(rows["summary"], json!({ "from": "2018-11-10T02:00:00Z", "to": "2018-11-13T02:00:00Z",
            "values": { "tickets_created": 19.0, "tickets_resolved": 2.0, "handle_time.avg": 40.0 }, "events": 19,
            "comparedFrom": "2018-11-03T03:00:00Z", "comparedTo": "2018-11-06T02:00:00Z",
            "comparedValues": { "tickets_created": 12.0, "tickets_resolved": 1.0, "handle_time.avg": 10.0 },
            "changePercents": { "tickets_created": 700.0 / 12.0, "tickets_resolved": 100.0, "handle_time.avg": 300.0 } }));
    }

    async fn a_table_is_ordered_and_its_rest_is_told(app: TestApp) {
        tickets(&app).await;
        let key = &app.alpha.admin.key;
        let ask = async |more: &str| {
            let rows = table(&app, key, &format!(r#"{TABLE}, by: ["channel"], {more}"#)).await;
            column(rows["nodes"].as_array().unwrap(), "series")
        };
        assert_eq!(ask(r#"orderBy: "channel""#).await, ["email", "web"]);
        assert_eq!(ask(r#"orderBy: "tickets_created", direction: ASC"#).await, ["email", "web"]);
        // Nothing to compare comes last, whichever way it goes.
        assert_eq!(ask(r#"orderBy: "handle_time.avg", direction: ASC"#).await, ["web", "email"]);
        assert_eq!(ask("limit: 1").await, ["web", "other"]);
        let cut = table(&app, key, &format!(r#"{TABLE}, by: ["channel"], limit: 1"#)).await;
        assert_eq!((&cut["nodes"][1]["isOther"], &cut["nodes"][1]["values"]["tickets_created"]), (&json!(true), &json!(1.0)));
        assert_eq!(cut["summary"]["comparedValues"], Json::Null);
        let whole = table(&app, key, TABLE).await;
        assert_eq!((&whole["totalCount"], &whole["nodes"][0]["values"]), (&json!(1), &whole["summary"]["values"]));
        let query = format!(r#"{{ metricTable({TABLE}, orderBy: "colour") {{ totalCount }} }}"#);
        assert_eq!(app.refusal_of(key, &query, json!({})).await, ("INVALID".to_owned(), Some("orderBy".to_owned())));
    }

    /// A row scope, another tenant, and a role without the right.
    async fn a_table_is_of_whom_a_role_reaches(app: TestApp) {
        tickets(&app).await;
        let mine = json!({ "analytics": { "read": "own" } });
        let seller = &app.alpha.comercial;
        let own = app.key_with(&app.alpha, seller.id, mine).await;
        let me = seller.id.to_string();
        let sent = json!([event("mine", "ticket.created", "2018-11-11T15:00:00Z",
            json!({ "dimensions": { "channel": "web", "agent": me } }))]);
        app.ingest(&app.alpha.admin.key, &sent).await;
        app.fold().await;
        let seen = table(&app, &own, &format!("{TABLE}, compareTo: PREVIOUS_WEEK")).await;
        assert_eq!(seen["summary"]["values"]["tickets_created"], 1.0);
        assert_eq!(seen["summary"]["comparedValues"]["tickets_created"], 0.0);
        assert_eq!(table(&app, &app.beta.admin.key, TABLE).await["totalCount"], 0);
        let query = format!("{{ metricTable({TABLE}) {{ totalCount }} }}");
        assert_eq!(app.error_code(&seller.key, &query, json!({})).await, "FORBIDDEN");
        let forbidden = r#"{ metricTable(metrics: ["leads_created"], from: 0) { totalCount } }"#;
        assert_eq!(app.error_code(&own, forbidden, json!({})).await, "FORBIDDEN");
    }

    /// What a question costs does not depend on how many series and buckets there are.
    async fn comparing_reads_one_more_time_and_no_more(app: TestApp) {
        tickets(&app).await;
        let statements = async |query: String| {
            let ask = || app.graphql(&app.alpha.admin.key, &query, json!({}));
            // The second time, what was read before is kept.
            ask().await;
            let answer = ask().await;
            answer["extensions"]["cost"]["statements"].as_i64().unwrap_or_else(|| panic!("{answer}"))
        };
        let plain = statements(format!("{{ metricSeries({WEEK}) {{ nodes {{ value }} }} }}")).await;
        let compared = format!("{{ metricSeries({WEEK}, by: [\"channel\"], compareTo: PREVIOUS_WEEK) {{ nodes {{ value }} }} }}");
        let compared = statements(compared).await;
        let table = format!("{{ metricTable({TABLE}, by: [\"channel\"]) {{ nodes {{ values }} }} }}");
        let table = statements(table).await;
        assert_eq!((compared, table), (plain + 1, plain), "{plain}");
    }
}
