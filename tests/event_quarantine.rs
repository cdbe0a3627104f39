//! Events that were kept apart: looked at, tried again as they are or corrected, and let go.

use chrono::TimeDelta;
use pulso::limits;
use serde_json::{Value as Json, json};

use crate::support::ingesting::event;
use crate::support::{TestApp, both_databases};

const AT: &str = "2026-03-10T11:00:00Z";
/// Ten minutes ahead of the clock of the tests.
const AHEAD: &str = "2026-03-10T12:10:00Z";
const DECIDED: &str = "waiting replayed discarded remaining \
    results { id state status eventId reason detail }";

fn ahead(id: &str) -> Json {
    event(id, "ticket.created", AHEAD, json!({}))
}

impl TestApp {
    /// The quarantine of alpha, newest last.
    async fn quarantine(&self, arguments: &str) -> Vec<Json> {
        let query = format!(
            "{{ quarantinedEvents({arguments} orderBy: [{{ field: RECEIVED_AT, direction: ASC }}]) {{
                nodes {{ id sourceId module eventType reason detail state eventId body }} }} }}"
        );
        let mut answer = self.data(&self.alpha.admin.key, &query, json!({})).await;
        let Json::Array(nodes) = answer["quarantinedEvents"]["nodes"].take() else { panic!() };
        nodes
    }

    /// `quarantineReplay` or `quarantineDiscard` by alpha's admin.
    async fn decide(&self, verb: &str, arguments: Json) -> Json {
        let body =
            if verb == "quarantineReplay" { ("$body: JSON", "body: $body") } else { ("", "") };
        let query = format!(
            "mutation($ids: [ID!], $filter: QuarantineFilter, {}) {{
                {verb}(ids: $ids, filter: $filter, {}) {{ {DECIDED} }} }}",
            body.0, body.1
        );
        self.data(&self.alpha.admin.key, &query, arguments).await[verb].take()
    }

    async fn quarantine_refusal(&self, verb: &str, key: &str, arguments: &str) -> String {
        let query = format!("mutation {{ {verb}({arguments}) {{ {DECIDED} }} }}");
        self.error_code(key, &query, json!({})).await
    }
}

both_databases! {
    async fn the_quarantine_is_listed_filtered_and_counted(app: TestApp) {
        let key = &app.alpha.admin.key;
        app.ingest(key, &json!([ahead("1"), { "id": "2", "note": 7 }])).await;
        app.app.clock.advance(TimeDelta::seconds(1));
        app.ingest(key, &json!([event("3", "csat.answered", "1960-01-01T00:00:00Z", json!({}))])).await;
        let all = app.quarantine("").await;
        let reasons: Vec<&Json> = all.iter().map(|row| &row["reason"]).collect();
        assert_eq!(reasons.len(), 3);
        assert_eq!(reasons[2], "too_old");
        let late = app.quarantine("filter: { reason: { eq: \"in_future\" } }").await;
        assert_eq!(late.len(), 1);
        assert_eq!((&late[0]["sourceId"], &late[0]["eventType"], &late[0]["state"]),
            (&json!("1"), &json!("ticket.created"), &json!("WAITING")));
        assert_eq!(late[0]["body"], ahead("1"));
        let count = "{ quarantinedEvents(first: 1, filter: { module: { eq: \"tickets\" } }) { totalCount }
            quarantinedEventGroups(by: [{ field: REASON }]) { nodes { count } } }";
        let counted = app.data(key, count, json!({})).await;
        assert_eq!(counted["quarantinedEvents"]["totalCount"], 2);
        assert_eq!(counted["quarantinedEventGroups"]["nodes"].as_array().unwrap().len(), 3);
        // Others have their own, and none without the right.
        let list = "{ quarantinedEvents { totalCount } }";
        let others = app.data(&app.beta.admin.key, list, json!({})).await;
        assert_eq!(others["quarantinedEvents"]["totalCount"], 0);
        assert_eq!(app.error_code(&app.alpha.comercial.key, list, json!({})).await, "FORBIDDEN");
    }

    async fn what_is_good_by_now_enters_the_log_once(app: TestApp) {
        let key = &app.alpha.admin.key;
        app.fold().await;
        app.ingest(key, &json!([ahead("1"), { "id": "2" }])).await;
        app.ingest(key, &json!([event("3", "ticket.created", AT, json!({}))])).await;
        let ids: Vec<Json> = app.quarantine("").await.iter().map(|row| row["id"].clone()).collect();
        // Still too early: it waits, as what is wrong in itself does.
        let early = app.decide("quarantineReplay", json!({ "ids": ids })).await;
        assert_eq!((&early["waiting"], &early["replayed"]), (&json!(2), &json!(0)));
        assert_eq!(early["results"][0]["status"], "QUARANTINED");

        app.app.clock.advance(TimeDelta::minutes(10));
        let later = app.decide("quarantineReplay", json!({ "ids": ids })).await;
        assert_eq!((&later["waiting"], &later["replayed"]), (&json!(1), &json!(1)));
        let of = |answer: &Json, state: &str| {
            let results = answer["results"].as_array().unwrap();
            results.iter().find(|result| result["state"] == state).unwrap().clone()
        };
        let (replayed, waits) = (of(&later, "REPLAYED"), of(&later, "WAITING"));
        assert_eq!((&replayed["status"], &replayed["reason"]), (&json!("ACCEPTED"), &Json::Null));
        assert_eq!((&waits["reason"], &waits["detail"]), (&json!("malformed"), &json!("module is missing")));
        assert_eq!(app.fold().await, 2);

        // Asked again, nothing happens again; the same event from its source is a duplicate.
        let again = app.decide("quarantineReplay", json!({ "ids": ids })).await;
        let again = of(&again, "REPLAYED");
        assert_eq!((&again["status"], &again["eventId"]), (&Json::Null, &replayed["eventId"]));
        assert_eq!(app.ingest(key, &ahead("1")).await["duplicates"], 1);
        assert_eq!(app.fold().await, 0);
        let listed = app.quarantine("filter: { state: { eq: REPLAYED } }").await;
        assert_eq!((listed.len(), &listed[0]["eventId"]), (1, &replayed["eventId"]));
    }

    async fn a_corrected_event_is_looked_at_as_a_new_one(app: TestApp) {
        let key = &app.alpha.admin.key;
        app.ingest(key, &json!([{ "id": "1" }, event("2", "ticket.created", AT, json!({}))])).await;
        let id = app.quarantine("").await[0]["id"].clone();
        // Still wrong, by another fault; and what is kept of it has no personal data.
        let wrong = event("1", "ticket.created", "maria@canary.example", json!({}));
        let answer = app.decide("quarantineReplay", json!({ "ids": [id], "body": wrong })).await;
        assert!(answer["results"][0]["detail"].as_str().unwrap().starts_with("occurredAt must be"), "{answer}");
        let row = app.quarantine("").await.remove(0);
        assert_eq!((&row["eventType"], &row["body"]["occurredAt"]), (&json!("ticket.created"), &json!("[email]")));

        // What its source's id stands for already is known.
        let known = event("2", "ticket.created", AT, json!({}));
        let answer = app.decide("quarantineReplay", json!({ "ids": [id], "body": known })).await;
        let result = &answer["results"][0];
        assert_eq!((&result["status"], &result["state"]), (&json!("DUPLICATE"), &json!("REPLAYED")));
        assert!(result["eventId"].is_string(), "{result}");
        let trail = "{ auditLogs(filter: { action: { eq: \"quarantined_event.replay\" } }) { nodes {
            resource resourceId newValues user { id } } } }";
        let trail = app.data(key, trail, json!({})).await;
        let entries = trail["auditLogs"]["nodes"].as_array().unwrap();
        assert_eq!(entries.len(), 2, "{trail}");
        assert!(entries.iter().all(|entry| entry["resourceId"] == id && entry["resource"] == "events"));
    }

    async fn those_that_a_filter_finds_are_decided_together(app: TestApp) {
        let key = &app.alpha.admin.key;
        let most = limits::QUARANTINED_AT_ONCE_MAX;
        let many: Json = (0..most).map(|number| ahead(&number.to_string())).collect();
        app.ingest(key, &many).await;
        app.app.clock.advance(TimeDelta::seconds(1));
        app.ingest(key, &json!([ahead("one more"), { "id": "x", "module": "tickets" }])).await;
        let filter = json!({ "filter": { "reason": "in_future", "eventType": "ticket.created",
            "module": "tickets", "receivedAfter": AT } });
        app.app.clock.advance(TimeDelta::minutes(10));
        let first = app.decide("quarantineReplay", filter.clone()).await;
        assert_eq!((&first["replayed"], &first["remaining"]), (&json!(most), &json!(1)));
        let rest = app.decide("quarantineReplay", filter).await;
        assert_eq!((&rest["replayed"], &rest["remaining"]), (&json!(1), &json!(0)));

        let none = json!({ "filter": { "receivedBefore": AT } });
        assert_eq!(app.decide("quarantineDiscard", none).await["discarded"], 0);
        let gone = app.decide("quarantineDiscard", json!({ "filter": {} })).await;
        assert_eq!((&gone["discarded"], &gone["results"][0]["state"]), (&json!(1), &json!("DISCARDED")));
        // Neither replayed, nor kept again.
        let id = gone["results"][0]["id"].clone();
        let again = app.decide("quarantineReplay", json!({ "ids": [id] })).await;
        assert_eq!(again["discarded"], 1);
        app.ingest(key, &json!([{ "id": "x", "module": "tickets" }])).await;
        assert!(app.quarantine("filter: { state: { eq: WAITING } }").await.is_empty());
    }

    async fn an_event_that_was_too_long_needs_its_correction(app: TestApp) {
        let long = json!({ "payload": { "x": "y".repeat(limits::EVENT_BYTES_MAX) } });
        app.ingest(&app.alpha.admin.key, &event("1", "ticket.created", AT, long)).await;
        let id = app.quarantine("").await[0]["id"].clone();
        let same = app.decide("quarantineReplay", json!({ "ids": [id] })).await;
        assert_eq!(same["results"][0]["reason"], "too_large");
        let short = json!({ "ids": [id], "body": event("1", "ticket.created", AT, json!({})) });
        assert_eq!(app.decide("quarantineReplay", short).await["replayed"], 1);
    }

    async fn what_is_asked_wrongly_is_refused_whole(app: TestApp) {
        let key = &app.alpha.admin.key;
        app.ingest(key, &json!([ahead("1"), ahead("2")])).await;
        let rows = app.quarantine("").await;
        let (one, two) = (&rows[0]["id"], &rows[1]["id"]);
        let replay = async |arguments: &str| app.quarantine_refusal("quarantineReplay", key, arguments).await;
        assert_eq!(replay("ids: []").await, "INVALID");
        assert_eq!(replay(&format!("ids: [{one}], filter: {{}}")).await, "INVALID");
        assert_eq!(replay(&format!("ids: [{one}, {two}], body: {{}}")).await, "INVALID");
        assert_eq!(replay("filter: {}, body: {}").await, "INVALID");
        assert_eq!(replay("ids: [\"x\"]").await, "INVALID");
        let many: Vec<Json> = (0..=limits::QUARANTINED_AT_ONCE_MAX)
            .map(|_| json!(app.app.clock.new_id())).collect();
        assert_eq!(replay(&format!("ids: {}", json!(many))).await, "LIMIT_EXCEEDED");
        let nobody = app.app.clock.new_id();
        assert_eq!(replay(&format!("ids: [{one}, \"{nobody}\"]")).await, "NOT_FOUND");
        // To read is not to decide, and to correct is not to let go.
        let updater = app.key_with(&app.alpha, app.alpha.agente_ia.id,
            json!({ "events": { "update": "all" } })).await;
        for (verb, key) in [("quarantineReplay", &app.alpha.diretor.key), ("quarantineDiscard", &updater)] {
            assert_eq!(app.quarantine_refusal(verb, key, &format!("ids: [{one}]")).await, "FORBIDDEN");
        }
        let others = &app.beta.admin.key;
        assert_eq!(app.quarantine_refusal("quarantineDiscard", others, &format!("ids: [{one}]")).await, "NOT_FOUND");
        assert!(app.quarantine("").await.iter().all(|row| row["state"] == "WAITING"));
    }
}
