//! What people are told, and what they do with it.

use chrono::TimeDelta;
use pulso::access::{Resource, SystemHandle};
use pulso::ctx::Origin;
use pulso::identity::session::service::{login, refresh};
use pulso::limits;
use pulso::notice::{self, Kind, Notice};
use serde_json::{Value as Json, json};
use uuid::Uuid;

use crate::support::seed::{PASSWORD, Person, Tenant};
use crate::support::{TestApp, both_databases};

const LIST: &str = "{ me { unreadNotifications } notifications { totalCount \
                    pageInfo { hasNextPage endCursor } \
                    nodes { id cursor kind level title count resource recordId actorId readAt } } }";

impl TestApp {
    /// What somebody was told, newest first.
    async fn told(&self, person: &Person) -> Vec<Json> {
        let told = self.data(&person.key, LIST, json!({})).await;
        told["notifications"]["nodes"].as_array().unwrap().clone()
    }

    async fn kinds(&self, person: &Person) -> Vec<String> {
        let told = self.told(person).await;
        told.iter().map(|one| one["kind"].as_str().unwrap().to_owned()).collect()
    }

    async fn unread(&self, person: &Person) -> i64 {
        let me = self.data(&person.key, "{ me { unreadNotifications } }", json!({})).await;
        me["me"]["unreadNotifications"].as_i64().unwrap()
    }

    /// Notices written straight into the table, each in a transaction of its own.
    async fn tell(&self, tenant: &Tenant, user_id: Uuid, count: usize) {
        let system = SystemHandle::for_tenant(tenant.id);
        for _ in 0..count {
            let record_id = self.app.clock.new_id();
            let (kind, resource) = (Kind::LeadAssigned, Resource::Leads);
            let notice = Notice { user_id, kind, actor_id: None, resource, record_id };
            let conn = self.app.db.transaction().await.unwrap();
            notice::append(&conn, &system, &self.app.clock, vec![notice]).await.unwrap();
            conn.commit().await.unwrap();
        }
    }

    async fn lead_for(&self, maker: &Person, assignee: Uuid) -> Uuid {
        let input = json!({ "source": "site", "assigneeId": assignee });
        self.create(&maker.key, "Lead", input).await
    }
}

both_databases! {
    async fn who_is_given_something_hears_of_it(app: TestApp) {
        let alpha = &app.alpha;
        let lead = app.lead_for(&alpha.admin, alpha.comercial.id).await;
        let told = app.told(&alpha.comercial).await;
        assert_eq!(told.len(), 1, "{told:?}");
        assert_eq!(told[0]["kind"], "LEAD_ASSIGNED");
        assert_eq!(told[0]["level"], "INFO");
        assert_eq!(told[0]["title"], "A lead was given to you");
        assert_eq!((&told[0]["resource"], &told[0]["recordId"]), (&json!("leads"), &json!(lead)));
        assert_eq!(told[0]["actorId"], json!(alpha.admin.id));
        assert_eq!(app.unread(&alpha.comercial).await, 1);
        // Taking something for oneself is no news, and neither is what stays where it is.
        app.lead_for(&alpha.comercial, alpha.comercial.id).await;
        let same = json!({ "id": lead, "input": { "score": 7, "assigneeId": alpha.comercial.id } });
        app.done(&alpha.admin.key, "leadUpdate", same, "{ id }").await;
        assert_eq!(app.kinds(&alpha.comercial).await.len(), 1);
        let deal = json!({
            "title": "N", "stageId": app.stage(alpha, "prospeccao").await,
            "ownerId": alpha.comercial.id
        });
        app.create(&alpha.admin.key, "Deal", deal).await;
        assert_eq!(app.kinds(&alpha.comercial).await, ["DEAL_ASSIGNED", "LEAD_ASSIGNED"]);
        for other in [&alpha.admin, &alpha.diretor, &alpha.manager, &app.beta.comercial] {
            assert_eq!(app.kinds(other).await, Vec::<String>::new());
        }
    }

    async fn owner_and_manager_hear_how_a_deal_ended(app: TestApp) {
        let alpha = &app.alpha;
        let deal = app.deal(alpha, "N", &[]).await;
        let moved = |key: &str, stage: &str| {
            let key = key.to_owned();
            let stage = stage.to_owned();
            let app = &app;
            async move {
                let stage = app.stage(&app.alpha, &stage).await;
                let query = "mutation($id: ID!, $to: ID!) { dealMoveStage(id: $id, stageId: $to, \
                             lostReason: \"preço\") { id } }";
                app.data(&key, query, json!({ "id": deal, "to": stage })).await;
            }
        };
        // The owner did it: the manager hears.
        moved(&alpha.comercial.key, "ganho").await;
        assert_eq!(app.kinds(&alpha.manager).await, ["DEAL_WON"]);
        assert_eq!(app.kinds(&alpha.comercial).await, Vec::<String>::new());
        moved(&alpha.admin.key, "perdido").await;
        assert_eq!(app.kinds(&alpha.manager).await, ["DEAL_LOST", "DEAL_WON"]);
        assert_eq!(app.kinds(&alpha.comercial).await, ["DEAL_LOST"]);
        assert_eq!(app.told(&alpha.comercial).await[0]["level"], "WARNING");
    }

    async fn nobody_hears_of_what_they_may_not_read(app: TestApp) {
        let alpha = &app.alpha;
        let nobody = json!({ "fullName": "Sem papel" });
        let nobody = app.create(&alpha.admin.key, "User", nobody).await;
        app.lead_for(&alpha.admin, nobody).await;
        assert_eq!(app.count(alpha, "notifications").await, 0);
        // What is undone was never told.
        let input = json!({ "source": "s", "assigneeId": alpha.comercial.id });
        let broken = json!({ "source": "s", "assigneeId": app.app.clock.new_id() });
        let (code, _) = app
            .refusal(&alpha.admin.key, "leadCreateMany", json!({ "inputs": [input, broken] }))
            .await;
        assert_eq!(code, "NOT_FOUND");
        assert_eq!(app.count(alpha, "notifications").await, 0);
        assert_eq!(app.count(alpha, "notification_feeds").await, 0);
    }

    async fn many_at_once_become_one_that_counts(app: TestApp) {
        let alpha = &app.alpha;
        let input = json!({ "source": "s", "assigneeId": alpha.comercial.id });
        let inputs = vec![input; limits::NOTICES_ALONE_MAX + 1];
        app.done(&alpha.admin.key, "leadCreateMany", json!({ "inputs": inputs }), "{ record { id } }")
            .await;
        let told = app.told(&alpha.comercial).await;
        assert_eq!(told.len(), 1, "{told:?}");
        assert_eq!((&told[0]["count"], &told[0]["recordId"]), (&json!(11), &Json::Null));
        assert_eq!(told[0]["title"], "11 leads were given to you");
    }

    async fn what_is_read_is_marked_up_to_what_was_seen(app: TestApp) {
        let alpha = &app.alpha;
        app.tell(alpha, alpha.comercial.id, 5).await;
        let key = &alpha.comercial.key;
        let told = app.told(&alpha.comercial).await;
        let cursors: Vec<&str> = told.iter().map(|one| one["cursor"].as_str().unwrap()).collect();
        assert_eq!(cursors, ["5", "4", "3", "2", "1"]);
        let marked = format!("mutation {{ n: notificationMarkRead(ids: [{}, {}]) }}", told[4]["id"], told[4]["id"]);
        assert_eq!(app.data(key, &marked, json!({})).await["n"], 1);
        assert_eq!(app.data(key, &marked, json!({})).await["n"], 0, "once is enough");
        let all = "mutation { n: notificationMarkAllRead(upTo: \"3\") }";
        assert_eq!(app.data(key, all, json!({})).await["n"], 2);
        assert_eq!(app.unread(&alpha.comercial).await, 2);
        let unread = "{ notifications(unreadOnly: true, first: 1) { totalCount nodes { cursor readAt } \
                      pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }";
        let unread = app.data(key, unread, json!({})).await;
        assert_eq!(unread["notifications"], json!({
            "totalCount": 2, "nodes": [{ "cursor": "5", "readAt": null }],
            "pageInfo": { "hasNextPage": true, "hasPreviousPage": false, "startCursor": "5", "endCursor": "5" }
        }));
        let next = "{ notifications(first: 2, after: \"4\") { edges { cursor node { readAt } } } }";
        let next = app.data(key, next, json!({})).await;
        let edges = next["notifications"]["edges"].as_array().unwrap().clone();
        assert_eq!((edges.len(), &edges[0]["cursor"]), (2, &json!("3")));
        assert!(edges[0]["node"]["readAt"].is_string());
        let removed = format!("mutation {{ n: notificationDelete(ids: [{}]) }}", told[0]["id"]);
        assert_eq!(app.data(key, &removed, json!({})).await["n"], 1);
        assert_eq!(app.unread(&alpha.comercial).await, 1);
        for wrong in ["{ notifications(first: 0) { totalCount } }",
            "{ notifications(first: 1001) { totalCount } }",
            "{ notifications(after: \"x\") { totalCount } }",
            "{ notifications(after: \"-1\") { totalCount } }"]
        {
            assert_eq!(app.error_code(key, wrong, json!({})).await, "INVALID", "{wrong}");
        }
    }

    /// Ids of others are as if they never were, and nothing of a list that has one is marked.
    async fn a_list_with_anothers_id_marks_nothing(app: TestApp) {
        let alpha = &app.alpha;
        app.tell(alpha, alpha.comercial.id, 1).await;
        app.tell(alpha, alpha.manager.id, 1).await;
        app.tell(&app.beta, app.beta.comercial.id, 1).await;
        let own = app.told(&alpha.comercial).await[0]["id"].clone();
        for other in [&alpha.manager, &app.beta.comercial] {
            let foreign = app.told(other).await[0]["id"].clone();
            for verb in ["notificationMarkRead", "notificationDelete"] {
                let query = format!("mutation {{ {verb}(ids: [{own}, {foreign}]) }}");
                let code = app.error_code(&alpha.comercial.key, &query, json!({})).await;
                assert_eq!(code, "NOT_FOUND");
            }
            assert_eq!(app.unread(other).await, 1);
        }
        assert_eq!(app.unread(&alpha.comercial).await, 1);
    }

    async fn what_happens_to_an_account_is_told_its_owner(app: TestApp) {
        let alpha = &app.alpha;
        let origin = Origin::internal("test");
        let person = &alpha.comercial;
        let session = login(&app.app, "alpha", &person.email, PASSWORD, &origin).await.unwrap();
        let first = session.refresh_token;
        let second = refresh(&app.app, &first, &origin).await.unwrap();
        refresh(&app.app, &second.refresh_token, &origin).await.unwrap();
        assert!(refresh(&app.app, &first, &origin).await.is_err());
        assert_eq!(app.kinds(person).await, ["SESSION_REUSED"]);
        let told = app.told(person).await;
        assert_eq!((&told[0]["level"], &told[0]["actorId"]), (&json!("ACTION_REQUIRED"), &Json::Null));
        let session = login(&app.app, "alpha", &person.email, PASSWORD, &origin).await.unwrap();
        let change = format!("mutation {{ passwordChange(current: \"{PASSWORD}\", new: \"{PASSWORD} 2\") }}");
        app.data(&session.access_token, &change, json!({})).await;
        assert_eq!(app.kinds(person).await, ["PASSWORD_CHANGED", "SESSION_REUSED"]);
    }

    async fn who_made_a_key_hears_what_others_did_to_it(app: TestApp) {
        let alpha = &app.alpha;
        let made = "mutation { apiKeyCreate(input: { name: \"k\", role: \"comercial\" }) { apiKey { id } } }";
        let made = app.data(&alpha.admin.key, made, json!({})).await;
        let id = made["apiKeyCreate"]["apiKey"]["id"].as_str().unwrap().to_owned();
        let rotate = format!("mutation {{ apiKeyRotate(id: \"{id}\") {{ apiKey {{ id }} }} }}");
        app.data(&alpha.admin.key, &rotate, json!({})).await;
        assert_eq!(app.kinds(&alpha.admin).await, Vec::<String>::new(), "by themselves");
        let other = app.key_with(alpha, alpha.diretor.id, json!({ "*": "all" })).await;
        app.data(&other, &rotate, json!({})).await;
        app.data(&other, &format!("mutation {{ apiKeyRevoke(id: \"{id}\") {{ id }} }}"), json!({})).await;
        assert_eq!(app.kinds(&alpha.admin).await, ["API_KEY_REVOKED", "API_KEY_ROTATED"]);
        assert_eq!(app.told(&alpha.admin).await[0]["recordId"], json!(id));
    }

    /// Transactions that tell the same people at the same time wait for each other in one order, and
    /// leave no gap.
    async fn numbers_have_no_gaps_whoever_writes_them(app: TestApp) {
        let alpha = &app.alpha;
        let (one, two) = (alpha.comercial.id, alpha.manager.id);
        let system = SystemHandle::for_tenant(alpha.id);
        let both = async |first: Uuid, second: Uuid| {
            for _ in 0..10 {
                let notice = |user_id| Notice {
                    user_id,
                    kind: Kind::DealWon,
                    actor_id: None,
                    resource: Resource::Deals,
                    record_id: app.app.clock.new_id(),
                };
                let conn = app.app.db.transaction().await.unwrap();
                let notices = vec![notice(first), notice(second)];
                notice::append(&conn, &system, &app.app.clock, notices).await.unwrap();
                conn.commit().await.unwrap();
            }
        };
        tokio::join!(both(one, two), both(two, one), both(one, two));
        for person in [&alpha.comercial, &alpha.manager] {
            let told = app.told(person).await;
            let numbers: Vec<i64> =
                told.iter().map(|one| one["cursor"].as_str().unwrap().parse().unwrap()).collect();
            assert_eq!(numbers, (1..=30).rev().collect::<Vec<_>>());
        }
    }

    async fn old_ones_are_removed(app: TestApp) {
        let alpha = &app.alpha;
        app.tell(alpha, alpha.comercial.id, 2).await;
        app.app.clock.advance(TimeDelta::days(limits::NOTIFICATION_DAYS));
        app.tell(alpha, alpha.comercial.id, 1).await;
        assert_eq!(notice::sweep(&app.app).await.unwrap(), 0);
        app.app.clock.advance(TimeDelta::milliseconds(1));
        assert_eq!(notice::sweep(&app.app).await.unwrap(), 2);
        // Numbers go on.
        assert_eq!(app.told(&alpha.comercial).await[0]["cursor"], "3");
    }
}
