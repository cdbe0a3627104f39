//! graphql-transport-ws as a client sees it, over a real connection.

use pulso::access::SystemHandle;
use pulso::clock::Clock;
use pulso::ctx::Origin;
use pulso::db::{Db, Statement};
use pulso::identity::session::service::login;
use pulso::limits;
use serde_json::{Value as Json, json};

use crate::support::app::{build, now};
use crate::support::events::Events;
use crate::support::seed::PASSWORD;
use crate::support::socket::{
    BINARY, CLOSE, Client, Heard, PROTOCOL, TEXT, closed, serve, subscribe,
};
use crate::support::{TestApp, both_databases};

/// One round trip: everything said before has been heard, and nothing was said to it.
async fn is_still_there(client: &mut Client) {
    client.say(json!({ "type": "ping" })).await;
    assert_eq!(client.hear().await, Heard::Message(json!({ "type": "pong" })));
}

both_databases! {
    async fn operations_answer_next_and_complete_or_error(app: TestApp) {
        let (address, _serving) = serve(&app.app).await;
        let mut client = Client::initialised(address, Json::Null).await;
        client.say(subscribe("a", "{ __typename }")).await;
        let Heard::Message(next) = client.hear().await else { panic!("closed") };
        assert_eq!((&next["id"], &next["type"]), (&json!("a"), &json!("next")));
        assert_eq!(next["payload"]["data"], json!({ "__typename": "Query" }));
        assert_eq!(client.hear().await, Heard::Message(json!({ "id": "a", "type": "complete" })));

        client.say(subscribe("b", "{")).await;
        let Heard::Message(error) = client.hear().await else { panic!("closed") };
        assert_eq!((&error["id"], &error["type"]), (&json!("b"), &json!("error")));
        assert!(error["payload"][0]["message"].is_string(), "{error}");

        // An id may be used again once its operation has ended.
        client.say(subscribe("a", "{ __typename }")).await;
        let Heard::Message(next) = client.hear().await else { panic!("closed") };
        assert_eq!(next["type"], "next");
    }

    /// Nothing follows an error, whatever the server is about to say when the id is used again.
    async fn an_error_is_the_last_word(app: TestApp) {
        let (address, _serving) = serve(&app.app).await;
        let mut client = Client::initialised(address, Json::Null).await;
        for _ in 0..500 {
            client.say(subscribe("a", "{")).await;
            let Heard::Message(error) = client.hear().await else { panic!("closed") };
            assert_eq!(error["type"], "error", "{error}");
        }
    }

    async fn pings_are_answered_with_their_payload(app: TestApp) {
        let (address, _serving) = serve(&app.app).await;
        let mut client = Client::connect(address, PROTOCOL).await;
        client.say(json!({ "type": "ping", "payload": { "n": 1 } })).await;
        assert_eq!(client.hear().await, Heard::Message(json!({ "type": "pong", "payload": { "n": 1 } })));
        client.say(json!({ "type": "ping" })).await;
        assert_eq!(client.hear().await, Heard::Message(json!({ "type": "pong" })));
    }

    async fn a_client_that_breaks_the_protocol_is_told_how(app: TestApp) {
        let (address, _serving) = serve(&app.app).await;
        let mut client = Client::connect(address, PROTOCOL).await;
        client.say(subscribe("a", "{ __typename }")).await;
        assert_eq!(client.hear().await, closed(4401, "Unauthorized"));

        let mut client = Client::initialised(address, json!({})).await;
        client.say(json!({ "type": "connection_init" })).await;
        assert_eq!(client.hear().await, closed(4429, "Too many initialisation requests"));

        let mut client = Client::connect(address, "").await;
        assert_eq!(client.hear().await, closed(4406, "Subprotocol not acceptable"));
        let mut client = Client::connect(address, "sec-websocket-protocol: graphql-ws\r\n").await;
        assert_eq!(client.hear().await, closed(4406, "Subprotocol not acceptable"));

        let long = "é".repeat(200);
        for wrong in ["{", "[]", "7", r#"{"type":"nothing"}"#, r#"{"id":"","type":"complete"}"#,
            r#"{"id":"a","type":"subscribe","payload":{}}"#,
            r#"{"id":"a","type":"subscribe","payload":{"query":"{a}","variables":"\u0000"}}"#,
            r#"{"type":"connection_init","payload":"x"}"#, &long]
        {
            let mut client = Client::connect(address, PROTOCOL).await;
            client.send_frame(TEXT, wrong.as_bytes()).await;
            let Heard::Closed(code, reason) = client.hear().await else { panic!("{wrong}") };
            assert_eq!(code, 4400, "{wrong}: {reason}");
        }
        let mut client = Client::connect(address, PROTOCOL).await;
        client.send_frame(BINARY, b"{}").await;
        assert!(matches!(client.hear().await, Heard::Closed(4400, _)));
    }

    async fn an_id_belongs_to_one_operation_at_a_time(app: TestApp) {
        let (address, _serving) = serve(&app.app).await;
        let credential = json!({ "authorization": app.alpha.comercial.key });
        let mut client = Client::initialised(address, credential).await;
        let listening = subscribe("a", "subscription { notificationAdded { cursor } }");
        client.say(listening.clone()).await;
        client.say(listening).await;
        assert_eq!(client.hear().await, closed(4409, "Subscriber for a already exists"));
    }

    /// What cannot be run is told of its operation; the others, and the connection, go on.
    async fn a_text_that_no_database_holds_ends_its_operation_alone(app: TestApp) {
        let (address, _serving) = serve(&app.app).await;
        let variables = json!({ "query": "{ __typename }", "variables": { "a": "\u{0}" } });
        let nul = json!({ "id": "a", "type": "subscribe", "payload": variables });
        let mut client = Client::initialised(address, Json::Null).await;
        client.say(nul.clone()).await;
        let Heard::Message(error) = client.hear().await else { panic!("closed") };
        assert_eq!((&error["id"], &error["type"]), (&json!("a"), &json!("error")));
        assert_eq!(error["payload"][0]["extensions"]["code"], "INVALID");
        client.say(subscribe("a", "{ __typename }")).await;
        let Heard::Message(next) = client.hear().await else { panic!("closed") };
        assert_eq!(next["type"], "next");

        let mut stranger = Client::connect(address, PROTOCOL).await;
        stranger.say(nul).await;
        assert_eq!(stranger.hear().await, closed(4401, "Unauthorized"));
    }

    async fn a_close_is_answered_by_a_close(app: TestApp) {
        let (address, _serving) = serve(&app.app).await;
        let mut client = Client::initialised(address, Json::Null).await;
        client.send_frame(CLOSE, &1000_u16.to_be_bytes()).await;
        assert_eq!(client.hear().await, closed(1000, ""));
    }

    async fn frames_that_cannot_be_read_are_named(app: TestApp) {
        let (address, _serving) = serve(&app.app).await;
        let mut client = Client::initialised(address, Json::Null).await;
        client.send_frame(TEXT, b"\xFF").await;
        assert!(matches!(client.hear().await, Heard::Closed(1007, _)));
        let mut client = Client::initialised(address, Json::Null).await;
        client.announce(limits::HTTP_BODY_BYTES_MAX + 1).await;
        assert!(matches!(client.hear().await, Heard::Closed(1009, _)));
    }

    /// Who does not begin is let go; proxies see life on what is quiet, here and on a stream of events.
    async fn quiet_connections_are_kept_and_silent_strangers_are_not(app: TestApp) {
        let (address, _serving) = serve(&app.app).await;
        let mut stranger = Client::connect(address, PROTOCOL).await;
        let mut quiet = Client::initialised(address, Json::Null).await;
        let news = "subscription { notificationAdded { cursor } }";
        let mut events = Events::open(address, Some(&app.alpha.comercial.key), news).await;
        let (told, (), ()) = tokio::join!(stranger.hear(), quiet.hear_ping(), events.hear_comment());
        assert_eq!(told, closed(4408, "Connection initialisation timeout"));
    }

    /// Not 4500, after which clients give up.
    async fn a_database_that_is_away_is_a_reason_to_come_back(app: TestApp) {
        let db = Db::connect(app.database.url(), 1).await.unwrap();
        let server = build(&db, app.database.url(), Clock::fixed(now()));
        db.close().await;
        let (address, _serving) = serve(&server).await;
        let mut client = Client::connect(address, PROTOCOL).await;
        let payload = json!({ "authorization": app.alpha.admin.key });
        client.say(json!({ "type": "connection_init", "payload": payload })).await;
        assert_eq!(client.hear().await, closed(1013, "Try again later"));
    }

    async fn a_wrong_credential_is_forbidden(app: TestApp) {
        let (address, _serving) = serve(&app.app).await;
        for payload in [
            json!({ "authorization": "Bearer nonsense" }),
            json!({ "Authorization": "nonsense" }),
            json!({ "token": "nonsense" }),
            json!({ "headers": { "Authorization": "Bearer nonsense" } }),
        ] {
            let mut client = Client::connect(address, PROTOCOL).await;
            client.say(json!({ "type": "connection_init", "payload": payload })).await;
            assert_eq!(client.hear().await, closed(4403, "Forbidden"));
        }
        let mut client =
            Client::connect(address, &format!("{PROTOCOL}authorization: Bearer nonsense\r\n")).await;
        client.say(json!({ "type": "connection_init" })).await;
        assert_eq!(client.hear().await, closed(4403, "Forbidden"));
    }

    async fn a_cookie_counts_for_pages_of_ours_alone(app: TestApp) {
        let (address, _serving) = serve(&app.app).await;
        let person = &app.alpha.admin;
        let origin = Origin::internal("test");
        let session = login(&app.app, "alpha", &person.email, PASSWORD, &origin).await.unwrap();
        let cookie = format!("cookie: __Host-pulso_access={}\r\n", session.access_token);
        let connected = async |page: &str| {
            let mut client = Client::connect(address, &format!("{PROTOCOL}{cookie}{page}")).await;
            client.say(json!({ "type": "connection_init" })).await;
            assert_eq!(client.hear().await, Heard::Message(json!({ "type": "connection_ack" })));
            client
        };
        let who = async |client: &mut Client, id: &str| {
            client.say(subscribe(id, "{ me { user { id } } }")).await;
            let Heard::Message(next) = client.hear().await else { return json!("closed") };
            client.hear().await;
            next["payload"]["data"]["me"]["user"]["id"].clone()
        };
        let mut ours = connected("origin: https://x\r\n").await;
        assert_eq!(who(&mut ours, "a").await, json!(person.id));
        for foreign in ["", "origin: https://evil.example\r\n", "origin: http://x\r\n",
            "origin: https://x.evil.example\r\n", "origin: null\r\n"]
        {
            assert_eq!(who(&mut connected(foreign).await, "a").await, Json::Null, "{foreign}");
        }
        // The session ends, and with it the connection at its next operation.
        app.data(&session.access_token, "mutation { logout }", json!({})).await;
        assert_eq!(who(&mut ours, "b").await, json!("closed"));
    }

    async fn open_connections_are_let_go_when_the_server_stops(app: TestApp) {
        let (address, _serving) = serve(&app.app).await;
        let mut client = Client::initialised(address, json!({})).await;
        app.app.begin_stop();
        assert_eq!(client.hear().await, closed(1001, "going away"));
    }

    /// An error would be the last word on what comes too late: the client asks again on its next
    /// connection.
    async fn a_server_that_stops_finishes_what_runs_and_begins_nothing(app: TestApp) {
        let (address, _serving) = serve(&app.app).await;
        let admin = &app.alpha.admin.key;
        let id = app.create(admin, "Lead", json!({ "source": "site" })).await;
        let mut client = Client::initialised(address, json!({ "authorization": admin })).await;
        let held = app.app.db.transaction().await.unwrap();
        let lock = Statement::new("UPDATE leads SET source = source", Vec::new());
        held.execute(&SystemHandle::for_tenant(app.alpha.id), &lock).await.unwrap();
        let update = format!("mutation {{ leadUpdate(id: \"{id}\", input: {{ source: \"fair\" }}, expectedVersion: 1) {{ source }} }}");
        client.say(subscribe("running", &update)).await;
        is_still_there(&mut client).await;
        app.app.begin_stop();
        // By then it has noticed.
        for _ in 0..10 {
            is_still_there(&mut client).await;
        }
        client.say(subscribe("late", "{ __typename }")).await;
        is_still_there(&mut client).await;
        drop(held);
        let Heard::Message(next) = client.hear().await else { panic!("closed") };
        assert_eq!(next["payload"]["data"]["leadUpdate"]["source"], "fair", "{next}");
        let complete = json!({ "id": "running", "type": "complete" });
        assert_eq!(client.hear().await, Heard::Message(complete));
        assert_eq!(client.hear().await, closed(1001, "going away"));
    }

    async fn a_plain_get_is_told_to_upgrade(app: TestApp) {
        let answer = app.get("/graphql/ws").await;
        assert_eq!(answer.status.as_u16(), 426);
        assert_eq!(answer.headers["upgrade"], "websocket");
        assert_eq!(answer.json()["code"], "UNSUPPORTED");
    }
}
