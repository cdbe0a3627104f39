//! A real help desk's log, let in whole as `examples/events/` does it, and its numbers beside a
//! recount of the file; and once more, when nothing changes.

use std::collections::BTreeMap;

use chrono::{DateTime, Datelike as _, Days, NaiveDate, NaiveDateTime, TimeZone as _, Utc};
use chrono_tz::Tz;
use pulso::analytics::rollup::verify;
use serde_json::{Value as Json, json};
use sqlx::{Connection as _, SqliteConnection};

use crate::support::importing::shared_data;
use crate::support::{TestApp, both_databases};

const SQL: &str = include_str!("../examples/events/helpdesk.sql");
const EVENTS: usize = 21_348;
/// Where the file's times were written down.
const ZONE: Tz = Tz::Europe__Rome;

/// A row of the file.
struct Line {
    case: String,
    activity: String,
    local: String,
}

fn file() -> Option<Vec<Line>> {
    let text = std::fs::read_to_string(shared_data("helpdesk")?.join("helpdesk.csv")).unwrap();
    let line = |line: &str| {
        let cells: Vec<&str> = line.split(';').collect();
        let [case, activity, local] = cells[..] else { panic!("{line}") };
        Line { case: case.to_owned(), activity: activity.to_owned(), local: local.to_owned() }
    };
    Some(text.lines().skip(1).map(line).collect())
}

/// What the statement of the example makes of the rows: a line of JSON for each.
async fn mapped(lines: &[Line]) -> Vec<String> {
    let mut sqlite = SqliteConnection::connect("sqlite::memory:").await.unwrap();
    let make = "CREATE TABLE helpdesk (case_id text, activity text, timestamp text)";
    sqlx::query(make).execute(&mut sqlite).await.unwrap();
    let rows: Json = lines.iter().map(|row| json!([row.case, row.activity, row.local])).collect();
    let fill =
        "INSERT INTO helpdesk SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(?)";
    sqlx::query(fill).bind(rows.to_string()).execute(&mut sqlite).await.unwrap();
    sqlx::query_scalar(SQL).fetch_all(&mut sqlite).await.unwrap()
}

/// Sends events as `send.sh` does; the sums of what was answered.
async fn send(app: &TestApp, events: &[String]) -> BTreeMap<&'static str, u64> {
    let lines = [(axum::http::header::CONTENT_TYPE, "application/x-ndjson")];
    let mut sums = BTreeMap::new();
    for part in events.chunks(1_000) {
        let body = part.join("\n").into_bytes();
        let answer = app.post_events(&app.alpha.admin.key, &lines, body).await;
        assert_eq!(answer.status, 202, "{}", answer.text());
        for what in ["accepted", "duplicates", "quarantined"] {
            *sums.entry(what).or_default() += answer.json()[what].as_u64().unwrap();
        }
    }
    sums
}

/// What the file says about a bucket of time.
#[derive(Debug, Default)]
struct Recount {
    created: i64,
    resolved: i64,
    first_replies: Vec<i64>,
    handled: Vec<i64>,
}

fn instant(local: &str) -> DateTime<Utc> {
    let local = NaiveDateTime::parse_from_str(local, "%Y-%m-%d %H:%M:%S").unwrap();
    ZONE.from_local_datetime(&local).earliest().unwrap().to_utc()
}

/// Case by case, over the file alone.
fn recount(
    lines: &[Line],
    bucket: impl Fn(DateTime<Utc>) -> NaiveDate,
) -> BTreeMap<NaiveDate, Recount> {
    let mut cases: BTreeMap<&str, Vec<DateTime<Utc>>> = BTreeMap::new();
    for line in lines {
        cases.entry(&line.case).or_default().push(instant(&line.local));
    }
    let mut buckets: BTreeMap<NaiveDate, Recount> = BTreeMap::new();
    for mut times in cases.into_values() {
        times.sort();
        let (first, last) = (times[0], times[times.len() - 1]);
        buckets.entry(bucket(first)).or_default().created += 1;
        let end = buckets.entry(bucket(last)).or_default();
        end.resolved += 1;
        end.handled.push((last - first).num_seconds());
        if times.len() > 2 {
            let reply = buckets.entry(bucket(times[1])).or_default();
            reply.first_replies.push((times[1] - first).num_seconds());
        }
    }
    buckets
}

impl Recount {
    /// None for what has no value where nothing happened.
    fn read(&self, metric: &str) -> Option<f64> {
        let sum = |values: &[i64]| values.iter().sum::<i64>() as f64;
        let average =
            |values: &[i64]| (!values.is_empty()).then(|| sum(values) / values.len() as f64);
        let quantile = |values: &[i64], per_mille: usize| {
            let mut sorted = values.to_vec();
            sorted.sort_unstable();
            let rank = sorted.len().checked_sub(1)? * per_mille / 1000;
            sorted.get(rank).map(|value| *value as f64)
        };
        match metric {
            "tickets_created" => Some(self.created as f64),
            "tickets_resolved" => Some(self.resolved as f64),
            "first_response_time" => quantile(&self.first_replies, 500),
            "first_response_time.count" => Some(self.first_replies.len() as f64),
            "first_response_time.sum" => Some(sum(&self.first_replies)),
            "first_response_time.avg" => average(&self.first_replies),
            "handle_time.count" => Some(self.handled.len() as f64),
            "handle_time.avg" => average(&self.handled),
            "handle_time.p95" => quantile(&self.handled, 950),
            other => panic!("nobody counts {other}"),
        }
    }
}

/// Exact, but quantiles, which are within one per cent.
#[track_caller]
fn assert_near(metric: &str, at: &str, read: &Json, expected: Option<f64>) {
    let Some(expected) = expected else { return assert_eq!(*read, Json::Null, "{metric} {at}") };
    let read = read.as_f64().unwrap_or_else(|| panic!("{metric} {at}: {read}, not {expected}"));
    let is_exact = !(metric == "first_response_time" || metric.ends_with("p95"));
    let allowed = expected.abs() * if is_exact { 1e-12 } else { 0.010_001 };
    assert!((read - expected).abs() <= allowed, "{metric} {at}: {read}, not {expected}");
}

/// Asks for all metrics and compares each bucket.
async fn compare(app: &TestApp, lines: &[Line], zone: Tz, granularity: &str, metrics: &[&str]) {
    let bucket = |at: DateTime<Utc>| {
        let day = at.with_timezone(&zone).date_naive();
        match granularity {
            "DAILY" => day,
            "WEEKLY" => day - Days::new(day.weekday().num_days_from_monday().into()),
            _ => day.with_day(1).unwrap(),
        }
    };
    let counted = recount(lines, bucket);
    let none = Recount::default();
    for metric in metrics {
        let rows = app.series(&app.alpha.admin.key, &format!(
            r#"metrics: ["{metric}"], from: "2010-01-02T07:00:00Z", to: "2014-03-02T00:00:00Z",
            granularity: {granularity}, timeZone: "{zone}""#)).await;
        let rows = rows.as_array().unwrap();
        assert!(rows.len() >= 51, "{metric}: {} rows", rows.len());
        let mut open = 0;
        let mut met = 0;
        for row in rows {
            let at = row["time"].as_str().unwrap();
            let time: DateTime<Utc> = at.parse().unwrap();
            let expected = counted.get(&bucket(time));
            met += usize::from(expected.is_some());
            let expected = expected.unwrap_or(&none);
            open += expected.created - expected.resolved;
            let expected =
                if *metric == "backlog" { Some(open as f64) } else { expected.read(metric) };
            assert_near(metric, at, &row["value"], expected);
        }
        assert_eq!(met, counted.len(), "{metric} {granularity} {zone}: buckets are missing");
    }
}

/// Every bucket as it is kept.
async fn snapshots(app: &TestApp) -> Vec<String> {
    let sql = "SELECT grain || ' ' || buckets || ' ' || CAST(revision AS text) FROM snapshots \
               WHERE tenant_id = ? ORDER BY id";
    let rows = app.read_sql(&app.alpha, sql, Vec::new()).await;
    rows.iter().map(|row| row.text(0).unwrap().unwrap()).collect()
}

both_databases! {
    async fn a_help_desks_log_equals_its_recount(app: TestApp) {
        let Some(lines) = file() else { return };
        assert_eq!(lines.len(), EVENTS);
        let events = mapped(&lines).await;
        let sent = send(&app, &events).await;
        assert_eq!((sent["accepted"], sent["duplicates"], sent["quarantined"]), (21_348, 0, 0));
        app.fold().await;

        let all = ["tickets_created", "tickets_resolved", "backlog", "first_response_time",
            "first_response_time.count", "first_response_time.sum", "first_response_time.avg",
            "handle_time.count", "handle_time.avg", "handle_time.p95"];
        // Days of the tenant are kept, those of Rome are composed of hours.
        for zone in [ZONE, Tz::America__Sao_Paulo] {
            compare(&app, &lines, zone, "MONTHLY", &all).await;
            compare(&app, &lines, zone, "WEEKLY", &["tickets_created", "handle_time.avg"]).await;
        }
        compare(&app, &lines, ZONE, "DAILY", &["first_response_time.count", "backlog"]).await;

        let before = snapshots(&app).await;
        assert!(before.len() > 10_000, "{}", before.len());
        let again = send(&app, &events).await;
        assert_eq!((again["accepted"], again["duplicates"], again["quarantined"]), (0, 21_348, 0));
        assert_eq!(app.fold().await, 0);
        assert_eq!(snapshots(&app).await, before);
        let report = verify::verify(&app.app, app.alpha.id).await.unwrap();
        assert_eq!(report.findings, Vec::<String>::new());
        // Those of the three types that numbers are made of.
        assert!(report.events >= 13_739, "{report:?}");
        assert!(app.series(&app.beta.admin.key, r#"metrics: ["tickets_created"], fill: false,
            from: "2010-01-01T00:00:00Z", granularity: MONTHLY"#).await.as_array().unwrap().is_empty());
    }
}

/// What the example says of the file's rows, beside the calendar of the zone.
#[tokio::test]
async fn the_statement_knows_the_zones_summers_and_the_places_of_rows() {
    let line = |case: &str, local: &str| Line {
        case: case.to_owned(),
        activity: "3".to_owned(),
        local: local.to_owned(),
    };
    let mut lines: Vec<Line> = (2010..=2014)
        .flat_map(|year| {
            let days = (24..=31).flat_map(move |day| {
                [(3, day), (10, day)].map(|(month, day)| format!("{year}-{month:02}-{day:02}"))
            });
            let times = ["00:30:00", "01:59:59", "02:59:59", "03:00:00", "12:00:00"];
            days.flat_map(move |day| times.map(|time| format!("{day} {time}")))
        })
        // A clock that was put forward never showed these.
        .filter(|local| {
            let local = NaiveDateTime::parse_from_str(local, "%Y-%m-%d %H:%M:%S").unwrap();
            ZONE.from_local_datetime(&local).earliest().is_some()
        })
        .map(|local| line(&local, &local))
        .collect();
    let years = lines.len();
    lines.extend([line("two", "2012-01-02 08:00:00"), line("two", "2012-01-02 08:00:00")]);
    let events = mapped(&lines).await;
    let read: Vec<Json> = events.iter().map(|event| serde_json::from_str(event).unwrap()).collect();
    assert!(years > 350, "{years}");
    for (row, event) in lines.iter().zip(&read) {
        let at: DateTime<Utc> = event["occurredAt"].as_str().unwrap().parse().unwrap();
        assert_eq!(at, instant(&row.local), "{}", row.local);
    }
    assert_eq!(read[years]["eventType"], "ticket.created");
    assert_eq!(read[years + 1]["eventType"], "ticket.resolved");
    assert_eq!(read[years + 1]["payload"]["handleSec"], 0);
    assert_eq!(read[years + 1]["id"], format!("helpdesk-{}", years + 3));
}
