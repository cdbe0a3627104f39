//! `notificationAdded` as clients of both transports see it, over real connections.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use pulso::access::{Resource, SystemHandle};
use pulso::app::App;
use pulso::clock::Clock;
use pulso::config::Limits;
use pulso::ctx::Origin;
use pulso::identity::notification::feed;
use pulso::identity::session::service::login;
use pulso::identity::tenant::lifecycle::{Turn, turn};
use pulso::limits;
use pulso::notice::{self, Kind, Notice};
use serde_json::{Value as Json, json};
use tokio::sync::oneshot;

use crate::support::app::{build, config, now};
use crate::support::events::{Event, Events};
use crate::support::seed::{PASSWORD, Person};
use crate::support::socket::{Client, Heard, closed, serve, subscribe};
use crate::support::waiting::until;
use crate::support::{TestApp, both_databases};

const API: &str = include_str!("../docs/api.md");

/// A serving node that looks for news.
pub async fn node(app: &Arc<App>) -> (SocketAddr, oneshot::Sender<()>) {
    app.spawn(feed::keep_watching(Arc::clone(app)));
    serve(app).await
}

fn news(after: Option<&str>) -> String {
    let after = after.map(|cursor| format!("(after: \"{cursor}\")")).unwrap_or_default();
    format!("subscription {{ notificationAdded{after} {{ cursor kind recordId }} }}")
}

async fn connected(address: SocketAddr, credential: &str) -> Client {
    let payload = json!({ "authorization": format!("Bearer {credential}") });
    Client::initialised(address, payload).await
}

/// Waits for as many subscriptions as there are to be: that they are there is told by nothing else.
async fn until_open(app: &App, count: usize) {
    let open = || async { app.feeds.len() == count };
    until("subscriptions", Duration::from_secs(20), open).await;
}

/// The cursor of the next message of a subscription.
async fn heard(client: &mut Client) -> String {
    match within(client.hear()).await {
        Heard::Message(said) => {
            let told = &said["payload"]["data"]["notificationAdded"]["cursor"];
            told.as_str().unwrap_or_else(|| panic!("{said}")).to_owned()
        }
        closed @ Heard::Closed(..) => panic!("{closed:?}"),
    }
}

async fn within<T>(heard: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), heard).await.expect("nothing was said")
}

async fn event(events: &mut Events) -> Json {
    match within(events.hear()).await {
        Event::Next(answer) => answer,
        other => panic!("{other:?}"),
    }
}

impl TestApp {
    pub async fn give(&self, to: &Person) {
        let input = json!({ "source": "site", "assigneeId": to.id });
        self.create(&self.alpha.admin.key, "Lead", input).await;
    }

    async fn signed_in(&self, person: &Person) -> String {
        let origin = Origin::internal("test");
        let session = login(&self.app, "alpha", &person.email, PASSWORD, &origin).await;
        session.unwrap().access_token
    }
}

both_databases! {
    /// The documented example, a connection that is cut, and the rest of it on the next one.
    async fn news_come_once_and_in_order_across_a_cut(app: TestApp) {
        let (address, _serving) = node(&app.app).await;
        let example = API.split("```graphql subscription\n").nth(1).unwrap();
        let example = example.split("```").next().unwrap();
        let me = &app.alpha.comercial;
        let mut client = connected(address, &me.key).await;
        client.say(subscribe("a", example)).await;
        until_open(&app.app, 1).await;
        app.give(me).await;
        let Heard::Message(said) = within(client.hear()).await else { panic!("closed") };
        let told = &said["payload"]["data"]["notificationAdded"];
        assert_eq!((&said["type"], &told["kind"]), (&json!("next"), &json!("LEAD_ASSIGNED")));
        assert_eq!(told["cursor"], "1", "{said}");
        drop(client);
        until_open(&app.app, 0).await;
        app.give(me).await;
        app.give(me).await;
        let mut client = connected(address, &me.key).await;
        client.say(subscribe("a", &news(Some("1")))).await;
        assert_eq!([heard(&mut client).await, heard(&mut client).await], ["2", "3"]);
        app.give(me).await;
        assert_eq!(heard(&mut client).await, "4");
        // Ended by the client, its place is free.
        client.say(json!({ "id": "a", "type": "complete" })).await;
        until_open(&app.app, 0).await;
    }

    async fn the_same_over_server_sent_events(app: TestApp) {
        let (address, _serving) = node(&app.app).await;
        let me = &app.alpha.comercial;
        let mut posted = Events::open(address, Some(&me.key), &news(None)).await;
        let query = "subscription { notificationAdded { cursor } }";
        let mut got = Events::get(address, &me.key, query).await;
        until_open(&app.app, 2).await;
        app.give(me).await;
        for events in [&mut posted, &mut got] {
            assert_eq!(event(events).await["data"]["notificationAdded"]["cursor"], "1");
        }
        drop((posted, got));
        app.give(me).await;
        let mut events = Events::open(address, Some(&me.key), &news(Some("0"))).await;
        for expected in ["1", "2"] {
            let told = event(&mut events).await;
            assert_eq!(told["data"]["notificationAdded"]["cursor"], expected, "{told}");
        }
    }

    async fn another_node_hears_of_it(app: TestApp) {
        let other = build(&app.database.db, app.database.url(), Clock::fixed(now()));
        let (address, _serving) = node(&other).await;
        let me = &app.alpha.comercial;
        let mut client = connected(address, &me.key).await;
        let mut events = Events::open(address, Some(&me.key), &news(None)).await;
        client.say(subscribe("a", &news(None))).await;
        until_open(&other, 2).await;
        assert_eq!(app.app.feeds.len(), 0);
        app.give(me).await;
        assert_eq!(heard(&mut client).await, "1");
        assert_eq!(event(&mut events).await["data"]["notificationAdded"]["cursor"], "1");
    }

    /// Nobody, another tenant, another user, a role without any grant.
    async fn everybody_hears_their_own(app: TestApp) {
        let (address, _serving) = node(&app.app).await;
        let mut nobody = Client::initialised(address, Json::Null).await;
        nobody.say(subscribe("a", &news(None))).await;
        let Heard::Message(refused) = within(nobody.hear()).await else { panic!("closed") };
        assert_eq!(refused["type"], "error");
        assert_eq!(refused["payload"][0]["extensions"]["code"], "UNAUTHENTICATED");
        let mut nobody = Events::open(address, None, &news(None)).await;
        let refused = event(&mut nobody).await;
        assert_eq!(refused["errors"][0]["extensions"]["code"], "UNAUTHENTICATED");
        assert_eq!(within(nobody.hear()).await, Event::Complete);

        let (alpha, beta) = (&app.alpha, &app.beta);
        let powerless = app.key_with(alpha, alpha.agente_ia.id, json!({})).await;
        let listening = [&beta.admin.key, &beta.comercial.key, &alpha.admin.key, &powerless];
        let mut others = Vec::new();
        for key in listening {
            let mut client = connected(address, key).await;
            client.say(subscribe("a", &news(None))).await;
            others.push(client);
        }
        let mut mine = connected(address, &alpha.comercial.key).await;
        mine.say(subscribe("a", &news(None))).await;
        until_open(&app.app, 5).await;
        app.give(&alpha.comercial).await;
        assert_eq!(heard(&mut mine).await, "1");
        // Whatever the roles: the first thing that each of the others hears is their own.
        let everybody = [(beta, &beta.admin), (beta, &beta.comercial), (alpha, &alpha.admin),
            (alpha, &alpha.agente_ia)];
        for ((tenant, person), client) in everybody.into_iter().zip(&mut others) {
            let record_id = app.app.clock.new_id();
            let (kind, resource) = (Kind::PasswordChanged, Resource::Users);
            let own = Notice { user_id: person.id, kind, actor_id: None, resource, record_id };
            let conn = app.app.db.transaction().await.unwrap();
            let system = SystemHandle::for_tenant(tenant.id);
            notice::append(&conn, &system, &app.app.clock, vec![own]).await.unwrap();
            conn.commit().await.unwrap();
            let Heard::Message(said) = within(client.hear()).await else { panic!("closed") };
            let told = &said["payload"]["data"]["notificationAdded"];
            assert_eq!(told["recordId"], json!(record_id), "{said}");
        }
        // A cursor of somebody else's says nothing.
        let mut foreign = connected(address, &alpha.manager.key).await;
        foreign.say(subscribe("a", &news(Some("1")))).await;
        let Heard::Message(refused) = within(foreign.hear()).await else { panic!("closed") };
        assert_eq!(refused["payload"][0]["extensions"]["code"], "INVALID", "{refused}");
    }

    /// Session, key, user, role, tenant: what is taken away ends the subscription.
    async fn it_ends_with_the_credential(app: TestApp) {
        let (address, _serving) = node(&app.app).await;
        let (alpha, admin) = (&app.alpha, &app.alpha.admin.key);
        let end = async |credential: &str, query: String| {
            let mut client = connected(address, credential).await;
            client.say(subscribe("a", &news(None))).await;
            let mut events = Events::open(address, Some(credential), &news(None)).await;
            until_open(&app.app, 2).await;
            let known = || async { app.app.feeds.judged() == 2 };
            until("what the credential stands for is known", Duration::from_secs(20), known).await;
            app.data(admin, &query, json!({})).await;
            let asked = app.app.clock.stopwatch();
            assert_eq!(within(client.hear()).await, closed(4403, "Forbidden"), "{query}");
            let told = event(&mut events).await;
            assert_eq!(told["errors"][0]["extensions"]["code"], "UNAUTHENTICATED", "{told}");
            assert_eq!(within(events.hear()).await, Event::Complete);
            assert!(asked.elapsed() < Duration::from_secs(5), "{query}");
            until_open(&app.app, 0).await;
        };
        let comercial = alpha.comercial.id;
        let session = app.signed_in(&alpha.comercial).await;
        end(&session, format!("mutation {{ userRolesSet(userId: \"{comercial}\", roles: [\"diretor\"]) {{ id }} }}")).await;
        end(&session, format!("mutation {{ sessionRevokeAll(userId: \"{comercial}\") }}")).await;
        let keys = app.data(admin, "{ apiKeys { id name } }", json!({})).await;
        let key_of = |person: &Person| {
            let mut all = keys["apiKeys"].as_array().unwrap().iter();
            all.find(|key| key["name"] == json!(person.email)).unwrap()["id"].clone()
        };
        let rotate = key_of(&alpha.diretor);
        end(&alpha.diretor.key, format!("mutation {{ apiKeyRotate(id: {rotate}) {{ apiKey {{ id }} }} }}")).await;
        let revoke = key_of(&alpha.agente_ia);
        end(&alpha.agente_ia.key, format!("mutation {{ apiKeyRevoke(id: {revoke}) {{ id }} }}")).await;
        let manager = alpha.manager.id;
        end(&alpha.manager.key, format!("mutation {{ userUpdate(id: \"{manager}\", input: {{ isActive: false }}) {{ id }} }}")).await;

        let mut client = connected(address, &app.beta.admin.key).await;
        client.say(subscribe("a", &news(None))).await;
        until_open(&app.app, 1).await;
        turn(&app.app, "beta", Turn::Suspend).await.unwrap();
        assert_eq!(within(client.hear()).await, closed(4403, "Forbidden"));
    }

    /// Not an end: a client that is cut off subscribes again, one that is told `complete` does not.
    async fn a_server_that_stops_cuts_subscriptions_off(app: TestApp) {
        let (address, _serving) = node(&app.app).await;
        let key = &app.alpha.comercial.key;
        let mut client = connected(address, key).await;
        client.say(subscribe("a", &news(None))).await;
        let mut events = Events::open(address, Some(key), &news(None)).await;
        until_open(&app.app, 2).await;
        app.app.begin_stop();
        assert_eq!(within(client.hear()).await, closed(1001, "going away"));
        assert_eq!(within(events.hear()).await, Event::End);
        until_open(&app.app, 0).await;
    }

    /// Whoever falls behind reads from the table, a page at a time.
    async fn whoever_falls_behind_catches_up(app: TestApp) {
        let (address, _serving) = node(&app.app).await;
        let me = &app.alpha.comercial;
        let system = SystemHandle::for_tenant(app.alpha.id);
        let (kind, resource) = (Kind::DealWon, Resource::Deals);
        for _ in 0..25 {
            let notice = |_| {
                let record_id = app.app.clock.new_id();
                Notice { user_id: me.id, kind, actor_id: None, resource, record_id }
            };
            let notices = (0..limits::NOTICES_ALONE_MAX).map(notice).collect();
            let conn = app.app.db.transaction().await.unwrap();
            notice::append(&conn, &system, &app.app.clock, notices).await.unwrap();
            conn.commit().await.unwrap();
        }
        const { assert!(250 > 2 * limits::NEWS_ROWS_AT_ONCE) };
        let mut client = connected(address, &me.key).await;
        client.say(subscribe("a", &news(Some("0")))).await;
        for expected in 1..=250 {
            assert_eq!(heard(&mut client).await, expected.to_string());
            if expected == 100 {
                app.give(me).await;
            }
        }
        assert_eq!(heard(&mut client).await, "251");
    }

    async fn subscriptions_are_counted_and_cost(app: TestApp) {
        let (address, _serving) = node(&app.app).await;
        let me = &app.alpha.comercial;
        let mut client = connected(address, &me.key).await;
        for number in 0..limits::SUBSCRIPTIONS_PER_USER_MAX {
            client.say(subscribe(&number.to_string(), &news(None))).await;
        }
        until_open(&app.app, limits::SUBSCRIPTIONS_PER_USER_MAX).await;
        client.say(subscribe("more", &news(None))).await;
        let Heard::Message(refused) = within(client.hear()).await else { panic!("closed") };
        assert_eq!((&refused["id"], &refused["type"]), (&json!("more"), &json!("error")));
        assert_eq!(refused["payload"][0]["extensions"]["code"], "LIMIT_EXCEEDED", "{refused}");
        let mut other = connected(address, &app.alpha.manager.key).await;
        other.say(subscribe("a", &news(None))).await;
        until_open(&app.app, limits::SUBSCRIPTIONS_PER_USER_MAX + 1).await;

        let mut config = config(app.database.url());
        config.limits = Limits { rate_key_per_minute: 13, ..Limits::default() };
        let poor = App::build(config, app.database.db.clone(), Clock::fixed(now())).unwrap();
        let (address, _serving) = node(&poor).await;
        // Two subscriptions of six points each, and a query of one.
        let mut client = connected(address, &me.key).await;
        client.say(subscribe("a", &news(None))).await;
        let _events = Events::open(address, Some(&me.key), &news(None)).await;
        until_open(&poor, 2).await;
        client.say(subscribe("q", "{ __typename }")).await;
        let Heard::Message(answer) = within(client.hear()).await else { panic!("closed") };
        assert_eq!(answer["payload"]["data"]["__typename"], "Query");
        within(client.hear()).await;
        for query in [news(None).as_str(), "{ __typename }"] {
            client.say(subscribe("b", query)).await;
            let Heard::Message(refused) = within(client.hear()).await else { panic!("closed") };
            assert_eq!(refused["payload"][0]["extensions"]["code"], "RATE_LIMITED", "{refused}");
            let mut events = Events::open(address, Some(&me.key), query).await;
            let refused = event(&mut events).await;
            assert_eq!(refused["errors"][0]["extensions"]["code"], "RATE_LIMITED", "{refused}");
            assert_eq!(within(events.hear()).await, Event::Complete);
        }
    }

    async fn one_answer_is_no_way_for_it(app: TestApp) {
        let key = &app.alpha.comercial.key;
        assert_eq!(app.error_code(key, &news(None), json!({})).await, "UNSUPPORTED");
        let (address, _serving) = node(&app.app).await;
        let mut client = connected(address, key).await;
        let two = "subscription { a: notificationAdded { id } b: notificationAdded { id } }";
        for (query, code) in [(two, "LIMIT_EXCEEDED"),
            ("subscription { nothing }", "GRAPHQL_VALIDATION_FAILED"),
            ("subscription { notificationAdded(after: \"x\") { id } }", "INVALID"),
            ("subscription { notificationAdded(after: \"1\") { id } }", "INVALID")]
        {
            client.say(subscribe("a", query)).await;
            let Heard::Message(refused) = within(client.hear()).await else { panic!("closed") };
            assert_eq!(refused["type"], "error", "{refused}");
            assert_eq!(refused["payload"][0]["extensions"]["code"], code, "{refused}");
        }
    }
}
