//! Questions about metrics: whole buckets in any zone, divided and filtered, complete or refused.

use chrono::{DateTime, Datelike as _, TimeDelta, Utc};
use chrono_tz::Tz;
use pulso::analytics::metric::catalogue::METRICS;
use pulso::analytics::metric::{Measure, Metric, Source};
use serde_json::{Value as Json, json};

use crate::support::data::Random;
use crate::support::ingesting::event;
use crate::support::sources::root;
use crate::support::{TestApp, both_databases};

/// Tickets of two channels and units around the beginning of summer time in São Paulo.
async fn tickets(app: &TestApp) {
    let key = &app.alpha.admin.key;
    let ticket = |id: &str, at: &str, channel: &str, unit: &str| {
        event(
            id,
            "ticket.created",
            at,
            json!({ "dimensions": { "channel": channel, "org_unit": unit } }),
        )
    };
    let events = json!([
        ticket("1", "2018-11-03T02:59:59Z", "whatsapp", "support"),
        ticket("2", "2018-11-03T03:00:00Z", "whatsapp", "support"),
        ticket("3", "2018-11-04T02:59:59Z", "email", "support"),
        ticket("4", "2018-11-04T03:00:00Z", "email", "sales"),
        ticket("5", "2018-11-05T01:59:59Z", "whatsapp", "sales"),
        ticket("6", "2018-11-05T02:00:00Z", "web", "sales"),
        event(
            "7",
            "ticket.resolved",
            "2018-11-04T15:00:00Z",
            json!({ "payload": { "handleSec": 60 },
            "dimensions": { "channel": "whatsapp", "org_unit": "support" } })
        ),
        event(
            "8",
            "ticket.resolved",
            "2018-11-04T16:00:00Z",
            json!({ "payload": { "handleSec": 120.5 },
            "dimensions": { "channel": "email", "org_unit": "support" } })
        ),
        event(
            "9",
            "sla.breached",
            "2018-11-04T16:00:00Z",
            json!({ "dimensions": { "channel": "email", "org_unit": "sales" } })
        ),
    ]);
    assert_eq!(app.ingest(key, &events).await["accepted"], 9);
    app.fold().await;
}

/// Time and value of each row.
fn points(rows: &Json) -> Vec<(String, Json)> {
    let rows = rows.as_array().unwrap();
    rows.iter()
        .map(|row| (row["time"].as_str().unwrap().to_owned(), row["value"].clone()))
        .collect()
}

const SPAN: &str = r#"from: "2018-11-02T12:00:00Z", to: "2018-11-05T12:00:00Z""#;

both_databases! {
    async fn a_day_is_the_zones_day(app: TestApp) {
        tickets(&app).await;
        let key = &app.alpha.admin.key;
        let rows = app.series(key, &format!(r#"metrics: ["tickets_created"], {SPAN}"#)).await;
        // The 4th has no midnight and 23 hours.
        assert_eq!(points(&rows), [
            ("2018-11-02T03:00:00Z".to_owned(), json!(1.0)),
            ("2018-11-03T03:00:00Z".to_owned(), json!(2.0)),
            ("2018-11-04T03:00:00Z".to_owned(), json!(2.0)),
            ("2018-11-05T02:00:00Z".to_owned(), json!(1.0)),
        ]);
        let rows = app.series(key, &format!(
            r#"metrics: ["tickets_created"], {SPAN}, timeZone: "UTC""#)).await;
        assert_eq!(points(&rows), [
            ("2018-11-02T00:00:00Z".to_owned(), json!(0.0)),
            ("2018-11-03T00:00:00Z".to_owned(), json!(2.0)),
            ("2018-11-04T00:00:00Z".to_owned(), json!(2.0)),
            ("2018-11-05T00:00:00Z".to_owned(), json!(2.0)),
        ]);
        let rows = app.series(key, &format!(
            r#"metrics: ["tickets_created"], {SPAN}, granularity: MONTHLY, timeZone: "Asia/Kathmandu""#)).await;
        assert_eq!(points(&rows), [("2018-10-31T18:15:00Z".to_owned(), json!(6.0))]);
    }

    async fn numbers_are_divided_filtered_and_cut_to_the_largest(app: TestApp) {
        tickets(&app).await;
        let key = &app.alpha.admin.key;
        let week = format!(r#"metrics: ["tickets_created"], {SPAN}, granularity: MONTHLY"#);
        let by = app.series(key, &format!(r#"{week}, by: ["channel"]"#)).await;
        let of = |rows: &Json| -> Vec<(Json, Json)> {
            let rows = rows.as_array().unwrap();
            rows.iter().map(|row| (row["series"].clone(), row["value"].clone())).collect()
        };
        assert_eq!(of(&by), [(json!("whatsapp"), json!(3.0)), (json!("email"), json!(2.0)),
            (json!("web"), json!(1.0))]);
        assert_eq!(by[0]["labels"], json!({ "channel": "whatsapp" }));
        let top = app.series(key, &format!(r#"{week}, by: ["channel"], limit: 1"#)).await;
        assert_eq!(of(&top), [(json!("whatsapp"), json!(3.0)), (json!("other"), json!(3.0))]);
        let only = app.series(key, &format!(
            r#"{week}, by: ["channel", "org_unit"], only: {{ org_unit: ["sales"], channel: ["web", "email"] }}"#)).await;
        assert_eq!(of(&only), [(json!("email / sales"), json!(1.0)), (json!("web / sales"), json!(1.0))]);
    }

    async fn ratios_percentiles_and_balances_are_made_of_states(app: TestApp) {
        tickets(&app).await;
        let key = &app.alpha.admin.key;
        let ask = async |metrics: &str| {
            let rows = app.series(key, &format!(
                r#"metrics: [{metrics}], {SPAN}, granularity: MONTHLY"#)).await;
            rows.as_array().unwrap().iter().map(|row| row["value"].as_f64().unwrap()).collect::<Vec<_>>()
        };
        let near = |read: f64, exact: f64| (read / exact - 1.0).abs() < 0.011;
        assert!(near(ask(r#""sla_breach_rate""#).await[0], 100.0 / 6.0));
        let handle = ask(r#""handle_time", "handle_time.avg", "handle_time.p100", "handle_time.count", "handle_time.sum""#).await;
        assert!(near(handle[0], 60.0) && near(handle[2], 120.5), "{handle:?}");
        assert_eq!((handle[1], handle[3], handle[4]), (90.25, 2.0, 180.5));
        let backlog = app.series(key, &format!(r#"metrics: ["backlog"], {SPAN}"#)).await;
        assert_eq!(points(&backlog).into_iter().map(|(_, value)| value).collect::<Vec<_>>(),
            [json!(1.0), json!(3.0), json!(3.0), json!(4.0)]);
        // What was open before counts from the first bucket on, by the hour as well.
        let later = app.series(key, r#"metrics: ["backlog"], granularity: HOURLY,
            from: "2018-11-04T15:00:00Z", to: "2018-11-04T17:00:00Z""#).await;
        assert_eq!(points(&later).into_iter().map(|(_, value)| value).collect::<Vec<_>>(),
            [json!(3.0), json!(2.0)]);
        // An average of nothing is nothing, a count of nothing is none.
        let empty = r#"metrics: ["csat", "csat_answers"], from: "2018-11-03T12:00:00Z", to: "2018-11-03T13:00:00Z""#;
        let rows = app.series(key, empty).await;
        assert_eq!((&rows[0]["value"], &rows[1]["value"]), (&Json::Null, &json!(0.0)));
        assert_eq!(app.series(key, &format!("{empty}, fill: false")).await, json!([]));
    }

    async fn what_cannot_be_answered_is_refused(app: TestApp) {
        let key = &app.alpha.admin.key;
        for (arguments, code, field) in [
            (r#"metrics: [], from: 0"#, "INVALID", "metrics"),
            (r#"metrics: ["nothing"], from: 0"#, "NOT_FOUND", "metrics"),
            (r#"metrics: ["tickets_created.p95"], from: 0"#, "INVALID", "metrics"),
            (r#"metrics: ["handle_time.p0"], from: 0"#, "INVALID", "metrics"),
            (r#"metrics: ["tickets_created"], from: 0, by: ["colour"]"#, "INVALID", "by"),
            (r#"metrics: ["tickets_created"], from: 0, only: { colour: "red" }"#, "INVALID", "only"),
            (r#"metrics: ["tickets_created"], from: 0, timeZone: "Mars""#, "INVALID", "timeZone"),
            (r#"metrics: ["tickets_created"], from: 0, limit: 0"#, "INVALID", "limit"),
            (r#"metrics: ["tickets_created"], from: 5, to: 5"#, "INVALID", "from"),
            (r#"metrics: ["tickets_created"], from: "2026-03-08T11:00:00Z", granularity: REALTIME"#, "INVALID", "from"),
        ] {
            let query = format!("{{ metricSeries({arguments}) {{ nodes {{ value }} }} }}");
            let refusal = app.refusal_of(key, &query, json!({})).await;
            assert_eq!(refusal, (code.to_owned(), Some(field.to_owned())), "{arguments}");
        }
        let long = "{ metricSeries(metrics: [\"tickets_created\"], from: 0, granularity: HOURLY) { nodes { value } } }";
        assert_eq!(app.error_code(key, long, json!({})).await, "LIMIT_EXCEEDED");
    }

    async fn minutes_show_what_happened_just_now(app: TestApp) {
        let key = &app.alpha.admin.key;
        let events = json!([
            event("0", "ticket.created", "2026-03-10T11:50:00Z", json!({})),
            event("1", "ticket.created", "2026-03-10T11:58:10Z", json!({})),
            event("2", "ticket.created", "2026-03-10T11:58:50Z", json!({})),
        ]);
        app.ingest(key, &events).await;
        app.fold().await;
        let rows = app.series(key, r#"metrics: ["tickets_created"], from: "2026-03-10T11:57:30Z", granularity: REALTIME"#).await;
        assert_eq!(points(&rows), [
            ("2026-03-10T11:57:00Z".to_owned(), json!(0.0)),
            ("2026-03-10T11:58:00Z".to_owned(), json!(2.0)),
            ("2026-03-10T11:59:00Z".to_owned(), json!(0.0)),
        ]);
        // What came earlier in the same quarter of an hour counts once.
        let rows = app.series(key, r#"metrics: ["backlog"], from: "2026-03-10T11:57:30Z", granularity: REALTIME"#).await;
        let open: Vec<Json> = points(&rows).into_iter().map(|(_, value)| value).collect();
        assert_eq!(open, [json!(1.0), json!(3.0), json!(3.0)]);
    }

    async fn the_crms_own_events_count_too(app: TestApp) {
        let key = &app.alpha.admin.key;
        app.create(key, "Lead", json!({ "name": "Ana", "source": "site" })).await;
        app.fold().await;
        let rows = app.series(key, r#"metrics: ["leads_created"], from: "2026-03-10T03:00:00Z""#).await;
        assert_eq!(points(&rows), [("2026-03-10T03:00:00Z".to_owned(), json!(1.0))]);
    }

    async fn numbers_are_of_the_units_that_a_role_reaches(app: TestApp) {
        tickets(&app).await;
        let key = &app.alpha.admin.key;
        let unit = app.create(key, "OrgUnit", json!({ "name": "Suporte", "code": "support" })).await;
        let of_unit = json!({ "analytics": { "read": "org_unit" } });
        let seller = &app.alpha.comercial;
        let sees = app.key_with(&app.alpha, seller.id, of_unit).await;
        let ask = format!(r#"metrics: ["tickets_created"], {SPAN}, granularity: MONTHLY"#);
        // Without a unit of one's own there is nothing to see.
        assert_eq!(app.series(&sees, &ask).await[0]["value"], 0.0);
        app.done(key, "userUpdate", json!({ "id": seller.id, "input": { "orgUnitId": unit } }), "{ id }").await;
        assert_eq!(app.series(&sees, &ask).await[0]["value"], 3.0);
        assert_eq!(app.series(key, &ask).await[0]["value"], 6.0);
        let query = format!("{{ metricSeries(metrics: [\"leads_created\"], {SPAN}) {{ nodes {{ value }} }} }}");
        assert_eq!(app.error_code(&sees, &query, json!({})).await, "FORBIDDEN");
        let own = app.key_with(&app.alpha, seller.id, json!({ "analytics": { "read": "own" } })).await;
        assert_eq!(app.series(&own, &ask).await[0]["value"], 0.0);
        // Another tenant has nothing of it, and a role without the right is told so.
        assert_eq!(app.series(&app.beta.admin.key, &ask).await[0]["value"], 0.0);
        let query = format!("{{ metricSeries({ask}) {{ nodes {{ value }} }} }}");
        assert_eq!(app.error_code(&app.alpha.comercial.key, &query, json!({})).await, "FORBIDDEN");
    }

    async fn any_zone_and_granularity_equals_a_recount(app: TestApp) {
        let mut random = Random::new(20_181_104);
        let start: DateTime<Utc> = "2018-10-28T00:00:00Z".parse().unwrap();
        let instants: Vec<DateTime<Utc>> = (0..300)
            .map(|_| start + TimeDelta::seconds(i64::try_from(random.below(30 * 86_400)).unwrap()))
            .collect();
        let events: Vec<Json> = instants.iter().enumerate()
            .map(|(number, at)| event(&number.to_string(), "ticket.created", &at.to_rfc3339(), json!({})))
            .collect();
        // In several parts, so that buckets are met again.
        for part in events.chunks(90) {
            let answer = app.ingest(&app.alpha.admin.key, &json!(part)).await;
            assert_eq!(answer["accepted"], part.len());
            app.fold().await;
        }
        for zone in ["UTC", "America/Sao_Paulo", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe"] {
            let tz: Tz = zone.parse().unwrap();
            for granularity in ["DAILY", "WEEKLY", "MONTHLY"] {
                let rows = app.series(&app.alpha.admin.key, &format!(
                    r#"metrics: ["tickets_created"], from: "2018-10-28T00:00:00Z", to: "2018-11-27T00:00:00Z",
                    granularity: {granularity}, timeZone: "{zone}""#)).await;
                let named = |at: DateTime<Utc>| {
                    let day = at.with_timezone(&tz).date_naive();
                    match granularity {
                        "DAILY" => day,
                        "WEEKLY" => day.week(chrono::Weekday::Mon).first_day(),
                        _ => day.with_day(1).unwrap(),
                    }
                };
                let mut all = 0.0;
                for (time, value) in points(&rows) {
                    let start: DateTime<Utc> = time.parse().unwrap();
                    let there = instants.iter().filter(|at| named(**at) == named(start)).count();
                    assert_eq!(value.as_f64().unwrap(), there as f64, "{zone} {granularity} {time}");
                    all += value.as_f64().unwrap();
                }
                assert_eq!(all, 300.0, "{zone} {granularity}");
            }
        }
    }
}

/// A metric's line in the document.
fn as_markdown(metric: &Metric) -> String {
    let code = |text: &str| format!("`{text}`");
    let source = |source: &Source| {
        let sign = if source.sign < 0 { "less " } else { "" };
        let only =
            source.only.as_ref().map(|(field, text)| format!(" where `{field}` is `{text}`"));
        format!("{sign}`{}`{}", source.event_type, only.unwrap_or_default())
    };
    let (how, made_of) = match &metric.measure {
        Measure::Folded(folded) => {
            let sources: Vec<String> = folded.sources.iter().map(source).collect();
            let value =
                folded.value.as_ref().map(|field| format!("`{field}` of ")).unwrap_or_default();
            (folded.aggregation.as_str(), format!("{value}{}", sources.join(", ")))
        }
        Measure::Ratio { numerator, denominator, times } => {
            let times = if *times == 1.0 { String::new() } else { format!(" x {times}") };
            ("ratio", format!("`{}` / `{}`{times}", numerator.name, denominator.name))
        }
    };
    let dimensions: Vec<String> = metric.dimensions().into_iter().map(code).collect();
    let dimensions = if dimensions.is_empty() { "-".to_owned() } else { dimensions.join(", ") };
    let Metric { name, label_en: label, unit, .. } = metric;
    format!("| `{name}` | {label} | {unit} | {how} | {made_of} | {dimensions} |")
}

#[test]
fn the_document_lists_every_metric() {
    let document = std::fs::read_to_string(root().join("docs/analytics.md")).unwrap();
    let documented: Vec<&str> =
        document.lines().filter(|line| line.matches('|').count() == 7).skip(2).collect();
    let declared: Vec<String> = METRICS.iter().map(|metric| as_markdown(metric)).collect();
    assert_eq!(
        documented,
        declared,
        "the table of docs/analytics.md should be:\n{}",
        declared.join("\n")
    );
}
