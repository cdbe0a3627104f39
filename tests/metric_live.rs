//! `metricLive` as clients see it: numbers as they change, over real connections.

use std::net::SocketAddr;
use std::time::Duration;

use chrono::TimeDelta;
use serde_json::{Value as Json, json};

use crate::subscriptions::node;
use crate::support::events::{Event, Events};
use crate::support::ingesting::event;
use crate::support::socket::{Client, Heard, closed, subscribe};
use crate::support::waiting::until;
use crate::support::{TestApp, both_databases};

async fn within<T>(heard: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), heard).await.expect("nothing was said")
}

fn live(input: &str) -> String {
    format!(
        "subscription {{ metricLive(input: {{ {input} }}) {{ time metric series labels value events unit }} }}"
    )
}

/// A subscription over a socket of its own.
async fn listen(address: SocketAddr, key: &str, input: &str) -> Client {
    let payload = json!({ "authorization": format!("Bearer {key}") });
    let mut client = Client::initialised(address, payload).await;
    client.say(subscribe("a", &live(input))).await;
    client
}

/// The points of the next push: time, series and value.
async fn heard(client: &mut Client) -> Vec<(String, String, f64)> {
    let Heard::Message(said) = within(client.hear()).await else { panic!("closed") };
    let points =
        said["payload"]["data"]["metricLive"].as_array().unwrap_or_else(|| panic!("{said}"));
    points
        .iter()
        .map(|point| {
            let text = |name: &str| point[name].as_str().unwrap().to_owned();
            (text("time"), text("series"), point["value"].as_f64().unwrap())
        })
        .collect()
}

/// The code with which a subscription is refused.
async fn refused(address: SocketAddr, key: &str, input: &str) -> Json {
    let mut client = listen(address, key, input).await;
    let Heard::Message(said) = within(client.hear()).await else { panic!("closed") };
    assert_eq!(said["type"], "error", "{said}");
    said["payload"][0]["extensions"]["code"].clone()
}

async fn ticket(app: &TestApp, id: &str, at: &str, dimensions: Json) {
    let sent = json!([event(id, "ticket.created", at, json!({ "dimensions": dimensions }))]);
    assert_eq!(app.ingest(&app.alpha.admin.key, &sent).await["accepted"], 1);
    app.fold().await;
}

fn point(time: &str, series: &str, value: f64) -> (String, String, f64) {
    (format!("2026-03-10T{time}Z"), series.to_owned(), value)
}

both_databases! {
    async fn the_whole_comes_first_and_then_what_changes(app: TestApp) {
        let (address, _serving) = node(&app.app).await;
        let key = &app.alpha.diretor.key;
        ticket(&app, "1", "2026-03-10T11:58:30Z", json!({ "channel": "web" })).await;
        let mut client = listen(address, key, r#"metrics: ["tickets_created"], buckets: 3"#).await;
        assert_eq!(heard(&mut client).await, [point("11:58:00", "", 1.0), point("11:59:00", "", 0.0), point("12:00:00", "", 0.0)]);
        let mut split = listen(address, key, r#"metrics: ["tickets_created"], buckets: 1, granularity: DAILY, by: ["channel"]"#).await;
        assert_eq!(heard(&mut split).await, [point("03:00:00", "web", 1.0)]);
        ticket(&app, "2", "2026-03-10T11:58:40Z", json!({ "channel": "web" })).await;
        assert_eq!(heard(&mut client).await, [point("11:58:00", "", 2.0)]);
        assert_eq!(heard(&mut split).await, [point("03:00:00", "web", 2.0)]);
        // A series that is new, and no other.
        ticket(&app, "3", "2026-03-10T11:59:10Z", json!({ "channel": "email" })).await;
        assert_eq!(heard(&mut client).await, [point("11:59:00", "", 1.0)]);
        assert_eq!(heard(&mut split).await, [point("03:00:00", "email", 1.0)]);
        // A bucket begins although nothing happens; what went by is not told again.
        app.app.clock.advance(TimeDelta::minutes(1));
        assert_eq!(heard(&mut client).await, [point("12:01:00", "", 0.0)]);
    }

    /// Not only folding moves numbers: a recount, and events that are tried again, do too.
    async fn numbers_that_were_mended_are_told(app: TestApp) {
        let (address, _serving) = node(&app.app).await;
        let key = &app.alpha.admin.key;
        for id in ["1", "2"] {
            ticket(&app, id, "2026-03-10T11:00:00Z", json!({})).await;
        }
        app.tamper_with("UPDATE snapshots SET buckets = replace(buckets, 'c|2', 'c|7') WHERE tenant_id = ?").await;
        let input = r#"metrics: ["tickets_created"], buckets: 1, granularity: DAILY"#;
        let mut client = listen(address, key, input).await;
        assert_eq!(heard(&mut client).await, [point("03:00:00", "", 7.0)]);
        app.app.clock.advance(TimeDelta::seconds(1));
        app.data(key, "mutation { snapshotRebuild }", json!({})).await;
        app.work().await;
        assert_eq!(heard(&mut client).await, [point("03:00:00", "", 2.0)]);
        // One of them is said to have failed: it is folded once more, and counts once more.
        app.tamper_with(
            "INSERT INTO event_failures (tenant_id, id, state, attempts, error, created_at, updated_at) \
            SELECT tenant_id, id, 'failed', 1, 'x', occurred_at, occurred_at FROM events \
            WHERE tenant_id = ? AND event_type = 'ticket.created' ORDER BY id LIMIT 1",
        )
        .await;
        app.app.clock.advance(TimeDelta::seconds(1));
        app.data(key, "mutation { eventsRetry(filter: {}) { processed } }", json!({})).await;
        assert_eq!(heard(&mut client).await, [point("03:00:00", "", 3.0)]);
    }

    async fn the_same_over_server_sent_events(app: TestApp) {
        let (address, _serving) = node(&app.app).await;
        let query = live(r#"metrics: ["tickets_created"], granularity: HOURLY, buckets: 1, timeZone: "UTC""#);
        let mut events = Events::open(address, Some(&app.alpha.diretor.key), &query).await;
        let next = async |events: &mut Events| match within(events.hear()).await {
            Event::Next(answer) => answer["data"]["metricLive"][0].clone(),
            other => panic!("{other:?}"),
        };
        assert_eq!(next(&mut events).await["value"], 0.0);
        ticket(&app, "1", "2026-03-10T12:00:00Z", json!({})).await;
        let told = next(&mut events).await;
        assert_eq!(told, json!({ "time": "2026-03-10T12:00:00Z", "metric": "tickets_created", "series": "",
            "labels": {}, "value": 1.0, "events": 1, "unit": "1" }));
        app.app.begin_stop();
        assert_eq!(within(events.hear()).await, Event::End);
    }

    /// A row scope, another tenant, a role without the right, and nobody.
    async fn numbers_are_of_whom_a_role_reaches(app: TestApp) {
        let (address, _serving) = node(&app.app).await;
        let seller = &app.alpha.comercial;
        let input = r#"metrics: ["tickets_created"], granularity: DAILY, buckets: 1"#;
        let team = app.key_with(&app.alpha, seller.id, json!({ "analytics": { "read": "team" } })).await;
        let mut mine = listen(address, &team, input).await;
        let mut beta = listen(address, &app.beta.admin.key, input).await;
        let mut all = listen(address, &app.alpha.admin.key, input).await;
        for client in [&mut mine, &mut beta, &mut all] {
            assert_eq!(heard(client).await, [point("03:00:00", "", 0.0)]);
        }
        let other = app.alpha.agente_ia.id;
        ticket(&app, "1", "2026-03-10T11:00:00Z", json!({ "agent": seller.id })).await;
        ticket(&app, "2", "2026-03-10T11:00:00Z", json!({ "agent": other })).await;
        ticket(&app, "3", "2026-03-10T11:00:00Z", json!({})).await;
        let mut last = 0.0;
        while last < 3.0 {
            last = heard(&mut all).await[0].2;
        }
        assert_eq!(heard(&mut mine).await, [point("03:00:00", "", 1.0)]);
        // Whom a role reaches is read anew with the numbers.
        app.done(&app.alpha.admin.key, "userUpdate", json!({ "id": other, "input": { "managerId": seller.id } }), "{ id }").await;
        ticket(&app, "4", "2026-03-10T11:00:00Z", json!({ "agent": other })).await;
        assert_eq!(heard(&mut mine).await, [point("03:00:00", "", 3.0)]);
        assert_eq!(refused(address, &seller.key, input).await, "FORBIDDEN");
        assert_eq!(refused(address, &team, r#"metrics: ["leads_created"]"#).await, "FORBIDDEN");
        let mut nobody = Client::initialised(address, Json::Null).await;
        nobody.say(subscribe("a", &live(input))).await;
        let Heard::Message(said) = within(nobody.hear()).await else { panic!("closed") };
        assert_eq!(said["payload"][0]["extensions"]["code"], "UNAUTHENTICATED");
        // The other tenant heard of nothing of it: the next thing it hears is its own.
        let sent = json!([event("b", "ticket.created", "2026-03-10T11:00:00Z", json!({}))]);
        app.ingest(&app.beta.admin.key, &sent).await;
        app.fold().await;
        assert_eq!(heard(&mut beta).await, [point("03:00:00", "", 1.0)]);
    }

    async fn it_is_bounded_and_ends_with_the_credential(app: TestApp) {
        let (address, _serving) = node(&app.app).await;
        let key = &app.alpha.diretor.key;
        for (input, code) in [
            (r#"metrics: ["nothing"]"#, "NOT_FOUND"),
            (r#"metrics: ["tickets_created"], buckets: 1001"#, "INVALID"),
            (r#"metrics: ["tickets_created"], by: ["colour"]"#, "INVALID"),
            (r#"metrics: ["tickets_created", "tickets_resolved", "sla_breaches", "backlog", "csat", "messages"], buckets: 1000"#, "LIMIT_EXCEEDED"),
        ] {
            assert_eq!(refused(address, key, input).await, code, "{input}");
        }
        let mut client = listen(address, key, r#"metrics: ["tickets_created"], buckets: 1"#).await;
        heard(&mut client).await;
        let known = || async { app.app.feeds.judged() == 1 };
        until("what the credential stands for is known", Duration::from_secs(20), known).await;
        let keys = app.data(&app.alpha.admin.key, "{ apiKeys { id name } }", json!({})).await;
        let mut keys = keys["apiKeys"].as_array().unwrap().iter();
        let id = keys.find(|key| key["name"] == json!(app.alpha.diretor.email)).unwrap()["id"].clone();
        app.data(&app.alpha.admin.key, &format!("mutation {{ apiKeyRevoke(id: {id}) {{ id }} }}"), json!({})).await;
        assert_eq!(within(client.hear()).await, closed(4403, "Forbidden"));
        let gone = || async { app.app.feeds.is_empty() };
        until("its place is free", Duration::from_secs(20), gone).await;
    }
}
