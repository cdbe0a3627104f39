//! Events come in over REST and GraphQL: each once, in any form, with a reason where it is kept apart,
//! and without personal data.

use std::io::Write as _;
use std::time::Duration;

use axum::http::{StatusCode, header};
use pulso::access::SystemHandle;
use pulso::db::{Dialect, Statement, Value};
use pulso::limits;
use serde_json::{Value as Json, json};

use crate::support::ingesting::event;
use crate::support::waiting::until;
use crate::support::{TestApp, both_databases};

const AT: &str = "2026-03-10T11:00:00Z";
const JSON: (header::HeaderName, &str) = (header::CONTENT_TYPE, "application/json");
const LINES: (header::HeaderName, &str) = (header::CONTENT_TYPE, "application/x-ndjson");

fn created(id: &str) -> Json {
    event(id, "ticket.created", AT, json!({}))
}

/// Everything of a table that is text, in one.
async fn stored(app: &TestApp, table: &str) -> String {
    let conn = app.app.db.single_read().await.unwrap();
    let system = SystemHandle::for_tenant(app.alpha.id);
    let columns = match table {
        "events" => "event_type || CAST(payload AS text) || CAST(dimensions AS text)",
        "event_ids" => "id",
        _ => "coalesce(source_id, '') || coalesce(event_type, '') || detail || CAST(body AS text)",
    };
    let sql = format!("SELECT {columns} FROM {table} ORDER BY 1");
    let rows = conn.rows(&system, &Statement::new(sql, Vec::new())).await.unwrap();
    rows.iter().map(|row| row.text(0).unwrap().unwrap() + "\n").collect()
}

async fn count(app: &TestApp, table: &str) -> i64 {
    let conn = app.app.db.single_read().await.unwrap();
    let system = SystemHandle::for_tenant(app.alpha.id);
    let sql =
        format!("SELECT count(*) FROM {table} WHERE tenant_id = {}", conn.dialect().placeholder(1));
    let statement = Statement::new(sql, vec![Value::Id(app.alpha.id)]);
    conn.row(&system, &statement).await.unwrap().unwrap().int(0).unwrap().unwrap()
}

both_databases! {
    async fn each_event_is_let_in_once_and_the_answer_says_so(app: TestApp) {
        let key = &app.alpha.admin.key;
        let before = count(&app, "events").await;
        let events = json!([created("1"), created("2"), created("1"), { "id": "3" }]);
        let answer = app.ingest(key, &events).await;
        assert_eq!((&answer["accepted"], &answer["duplicates"], &answer["quarantined"]),
            (&json!(2), &json!(1), &json!(1)));
        let status = |answer: &Json, index: usize| answer["results"][index]["status"].clone();
        assert_eq!([0, 1, 2, 3].map(|index| status(&answer, index)),
            ["accepted", "accepted", "duplicate", "quarantined"]);
        assert_eq!(answer["results"][3], json!({ "id": "3", "status": "quarantined",
            "reason": "malformed", "detail": "module is missing" }));

        // Again, and with another time: the same events, and nothing doubles.
        let again = json!([created("1"), event("2", "ticket.created", "2025-01-05T00:00:00Z", json!({})),
            { "id": "3" }]);
        let answer = app.ingest(key, &again).await;
        assert_eq!((&answer["accepted"], &answer["duplicates"]), (&json!(0), &json!(2)));
        assert_eq!(count(&app, "events").await, before + 2);
        assert_eq!(count(&app, "quarantined_events").await, 1);

        // Another tenant's id is another event.
        let answer = app.ingest(&app.beta.admin.key, &json!([created("1")])).await;
        assert_eq!(answer["accepted"], 1);
    }

    async fn one_event_lines_and_packed_bodies_are_taken(app: TestApp) {
        let key = &app.alpha.admin.key;
        let one = app.ingest(key, &created("single")).await;
        assert_eq!(one["accepted"], 1);
        let lines = format!("{}\n{{broken\n{}\n", created("line 1"), created("line 2"));
        let answer = app.post_events(key, &[LINES], lines.clone().into_bytes()).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.text());
        assert_eq!(answer.json()["results"][1]["reason"], "malformed");
        assert_eq!(answer.json()["results"][1]["id"], Json::Null);

        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(lines.replace("line", "gzip").as_bytes()).unwrap();
        let encoding = |name| (header::CONTENT_ENCODING, name);
        let packed = gzip.finish().unwrap();
        let answer = app.post_events(key, &[LINES, encoding("gzip")], packed).await;
        assert_eq!(answer.json()["accepted"], 2, "{}", answer.text());
        let packed = zstd::encode_all(lines.replace("line", "zstd").as_bytes(), 1).unwrap();
        let answer = app.post_events(key, &[LINES, encoding("zstd")], packed).await;
        assert_eq!(answer.json()["accepted"], 2, "{}", answer.text());
    }

    async fn what_is_no_request_is_refused_whole(app: TestApp) {
        let key = &app.alpha.admin.key;
        let before = count(&app, "event_batches").await;
        let post = async |headers: &[_], body: Vec<u8>| {
            let answer = app.post_events(key, headers, body).await;
            (answer.status.as_u16(), answer.json()["code"].clone())
        };
        assert_eq!(post(&[JSON], b"{".to_vec()).await, (400, json!("INVALID")));
        assert_eq!(post(&[JSON], b"[]".to_vec()).await, (400, json!("INVALID")));
        assert_eq!(post(&[], b"{}".to_vec()).await, (415, json!("UNSUPPORTED")));
        let many = json!(vec![created("x"); limits::EVENTS_PER_REQUEST_MAX + 1]);
        let (status, code) = post(&[JSON], many.to_string().into_bytes()).await;
        assert_eq!((status, code), (400, json!("LIMIT_EXCEEDED")));
        // Small as it is packed, and too large unpacked.
        let bomb = vec![b' '; limits::EVENTS_BODY_BYTES_MAX + 1];
        let packed = zstd::encode_all(bomb.as_slice(), 1).unwrap();
        let zstd = (header::CONTENT_ENCODING, "zstd");
        assert_eq!(post(&[JSON, zstd], packed).await, (413, json!("LIMIT_EXCEEDED")));
        let odd = (header::CONTENT_ENCODING, "br");
        let answer = app.post_events(key, &[JSON, odd], b"x".to_vec()).await;
        assert_eq!(answer.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
        assert_eq!(count(&app, "event_batches").await, before);
    }

    async fn only_who_may_write_events_does(app: TestApp) {
        let writer = app.key_with(&app.alpha, app.alpha.agente_ia.id,
            json!({ "events": { "create": "all" } })).await;
        assert_eq!(app.ingest(&writer, &created("by the writer")).await["accepted"], 1);
        let refused = async |key: &str| {
            let answer = app.post_events(key, &[JSON], created("x").to_string().into_bytes()).await;
            (answer.status.as_u16(), answer.json()["code"].clone())
        };
        assert_eq!(refused(&app.alpha.comercial.key).await, (403, json!("FORBIDDEN")));
        assert_eq!(refused(&app.alpha.diretor.key).await, (403, json!("FORBIDDEN")));
        assert_eq!(refused("nobody").await, (401, json!("UNAUTHENTICATED")));

        // A key of the admin that is held to this one scope, under the name that senders know.
        let create = "mutation($input: ApiKeyCreateInput!) { apiKeyCreate(input: $input) { secret } }";
        let input = json!({ "input": { "name": "collector", "role": "admin",
            "scopes": ["events:write"] } });
        let issued = app.data(&app.alpha.admin.key, create, input).await;
        let key = issued["apiKeyCreate"]["secret"].as_str().unwrap();
        assert_eq!(app.ingest(key, &created("by the key")).await["accepted"], 1);
        let code = app.error_code(key, "{ leads { totalCount } }", json!({})).await;
        assert_eq!(code, "FORBIDDEN");
    }

    async fn the_mutation_is_the_same_door(app: TestApp) {
        let key = &app.alpha.admin.key;
        let query = "mutation($events: [EventInput!]!) { eventsIngest(events: $events) {
            accepted duplicates quarantined results { id status reason detail } } }";
        let events = json!({ "events": [created("1"), created("1"),
            event("2", "ticket.created", "2027-01-01T00:00:00Z", json!({}))] });
        let answer = app.data(key, query, events).await;
        assert_eq!(answer["eventsIngest"]["accepted"], 1);
        let results = &answer["eventsIngest"]["results"];
        assert_eq!(results[1]["status"], "DUPLICATE");
        assert_eq!((&results[2]["status"], &results[2]["reason"]),
            (&json!("QUARANTINED"), &json!("in_future")));
        let none = json!({ "events": [] });
        assert_eq!(app.error_code(key, query, none).await, "INVALID");
    }

    async fn no_personal_data_reaches_the_tables(app: TestApp) {
        let canaries = ["maria@canary.example", "529.982.247-25", "11.222.333/0001-81",
            "(11) 98765-4321", "52998224725", "+55 11 3456-7890"];
        let mut events = Vec::new();
        for (index, canary) in canaries.iter().enumerate() {
            events.push(event(&format!("ok {index}"), "ticket.created", AT, json!({
                "payload": { "note": format!("fale com {canary}."), "deep": [{ (*canary): canary }] },
                "dimensions": { "channel": canary },
            })));
            events.push(event(&format!("by {canary}."), "ticket.created", AT, json!({})));
            // Kept apart, whole or in part.
            events.push(json!({ "id": canary, "module": canary, "eventType": canary,
                "occurredAt": canary, "payload": { "x": canary }, (*canary): 1 }));
            events.push(json!(format!("text with {canary}")));
        }
        app.ingest(&app.alpha.admin.key, &json!(events)).await;
        let lines = canaries.map(|canary| format!("{{ {canary} \n")).concat();
        let answer = app.post_events(&app.alpha.admin.key, &[LINES], lines.into_bytes()).await;
        assert_eq!(answer.json()["quarantined"], canaries.len(), "{}", answer.text());
        for table in ["events", "event_ids", "quarantined_events"] {
            let stored = stored(&app, table).await;
            for canary in canaries {
                assert!(!stored.contains(canary), "{canary} in {table}:\n{stored}");
            }
            let marks = ["[email]", "[cpf]", "[cnpj]", "[phone]"];
            assert!(marks.iter().any(|mark| stored.contains(mark)), "{table}: {stored}");
        }
    }

    async fn many_at_once_are_each_let_in_once(app: TestApp) {
        let (app, key) = (&app, app.alpha.admin.key.as_str());
        let before = count(app, "events").await;
        // Forty requests, each with ten events of its own and ten that all of them bring.
        let requests = (0..40).map(|request| {
            let own = (0..10).map(|number| created(&format!("{request}-{number}")));
            let shared = (0..10).map(|number| created(&format!("shared-{number}")));
            let events: Json = own.chain(shared).collect();
            async move { app.ingest(key, &events).await }
        });
        let answers = futures::future::join_all(requests).await;
        let sum = |name: &str| answers.iter().map(|answer| answer[name].as_i64().unwrap()).sum::<i64>();
        assert_eq!((sum("accepted"), sum("duplicates")), (410, 390));
        assert_eq!(count(app, "events").await, before + 410);
        assert_eq!(app.fold().await, 410 + before);
    }

    async fn a_full_room_is_told_and_loses_nothing(app: TestApp) {
        let (app, key) = (&app, app.alpha.admin.key.as_str());
        // Somebody is in the way of every writer.
        let block = app.app.db.transaction().await.unwrap();
        if block.dialect() == Dialect::Postgres {
            let lock = Statement::new("LOCK TABLE event_ids IN EXCLUSIVE MODE", Vec::new());
            block.execute(&SystemHandle::for_tenant(app.alpha.id), &lock).await.unwrap();
        }
        let requests = limits::EVENTS_WAITING_MAX / limits::EVENTS_PER_REQUEST_MAX;
        let request = |number: usize| {
            let events: Json = (0..limits::EVENTS_PER_REQUEST_MAX)
                .map(|event| created(&format!("r{number}-{event}")))
                .collect();
            async move { app.post_events(key, &[JSON], events.to_string().into_bytes()).await }
        };
        let waiting = futures::future::join_all((0..requests).map(request));
        let one_too_many = async {
            let full = async || app.app.intake.waiting() == limits::EVENTS_WAITING_MAX;
            until("all room is taken", Duration::from_secs(60), full).await;
            let answer = request(requests).await;
            assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS, "{}", answer.text());
            assert_eq!(answer.headers[header::RETRY_AFTER], "1");
            drop(block);
        };
        let (answers, ()) = futures::join!(waiting, one_too_many);
        for answer in answers {
            assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.text());
            assert_eq!(answer.json()["accepted"], limits::EVENTS_PER_REQUEST_MAX);
        }
        assert_eq!(app.app.intake.waiting(), 0);
        assert_eq!(request(requests).await.json()["accepted"], limits::EVENTS_PER_REQUEST_MAX);
    }
}
