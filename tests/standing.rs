//! A tenant's people as a whole: an administrator is always left, nobody leads those who lead them,
//! and what is taken from somebody is gone at once where it was taken.

use pulso::db::Value;
use serde_json::{Value as Json, json};
use uuid::Uuid;

use crate::support::seed::Person;
use crate::support::{TestApp, both_databases};

const ROLES: &str =
    "mutation($id: ID!, $roles: [String!]!) { userRolesSet(userId: $id, roles: $roles) { id } }";
const DEACTIVATE: &str =
    "mutation($id: ID!) { userUpdate(id: $id, input: { isActive: false }) { id } }";
const DELETE: &str = "mutation($id: ID!) { userDelete(id: $id) { id } }";
const LEAD: &str =
    "mutation($id: ID!, $by: ID) { userUpdate(id: $id, input: { managerId: $by }) { id } }";

impl TestApp {
    /// A key with every right that acts as a service account, as integrations do.
    async fn key_of_a_program(&self) -> String {
        let made = pulso::identity::api_key::service::create(
            &self.app,
            "alpha",
            "admin",
            "program",
            &[],
            None,
        );
        made.await.unwrap()
    }

    async fn may(&self, key: &str, query: &str, id: Uuid) -> String {
        let given = json!({ "id": id, "roles": ["diretor"] });
        let query_of_id = if query == ROLES { given } else { json!({ "id": id }) };
        let answer = self.graphql(key, query, query_of_id).await;
        answer["errors"][0]["extensions"]["code"].as_str().unwrap_or("done").to_owned()
    }

    async fn led_by(&self, person: &Person, by: Option<Uuid>) -> Json {
        let given = json!({ "id": person.id, "by": by });
        let mut answer = self.graphql(&self.alpha.admin.key, LEAD, given).await;
        answer.pointer_mut("/errors/0/extensions").map(Json::take).unwrap_or_default()
    }
}

both_databases! {
    async fn the_last_administrator_stays(app: TestApp) {
        let (alpha, key) = (&app.alpha, app.key_of_a_program().await);
        let admin = alpha.admin.id;
        let seen = app.trail(alpha).await;
        for query in [ROLES, DEACTIVATE, DELETE] {
            assert_eq!(app.may(&key, query, admin).await, "CONFLICT", "{query}");
        }
        assert!(app.trail(alpha).await.since(&seen).is_empty(), "nothing of it stays");
        let bulk = "mutation($ids: [ID!]!) { userDeleteMany(ids: $ids) { error { code } } }";
        let both = json!({ "ids": [admin, alpha.comercial.id] });
        let answer = app.graphql(&key, bulk, both).await;
        assert!(answer.to_string().contains("CONFLICT"), "{answer}");
        // One more, and one may go. Whoever is gone or idle does not count.
        app.data(&key, ROLES, json!({ "id": alpha.diretor.id, "roles": ["admin"] })).await;
        assert_eq!(app.may(&key, DEACTIVATE, alpha.diretor.id).await, "done");
        assert_eq!(app.may(&key, DELETE, admin).await, "CONFLICT");
        app.data(&key, ROLES, json!({ "id": alpha.manager.id, "roles": ["admin"] })).await;
        assert_eq!(app.may(&key, DELETE, admin).await, "done");
        for query in [ROLES, DEACTIVATE, DELETE] {
            assert_eq!(app.may(&key, query, alpha.manager.id).await, "CONFLICT", "{query}");
        }
        // Another tenant's administrators are another tenant's.
        assert_eq!(app.may(&key, DELETE, app.beta.admin.id).await, "NOT_FOUND");
    }

    /// Two who take away the other's rights at the same moment.
    async fn of_two_administrators_one_stays(app: TestApp) {
        let (alpha, key) = (&app.alpha, app.key_of_a_program().await);
        app.data(&key, ROLES, json!({ "id": alpha.diretor.id, "roles": ["admin"] })).await;
        let (one, other) =
            tokio::join!(app.may(&key, DELETE, alpha.admin.id), app.may(&key, ROLES, alpha.diretor.id));
        let mut codes = [one, other];
        codes.sort();
        assert_eq!(codes, ["CONFLICT", "done"]);
    }

    async fn nobody_leads_those_who_lead_them(app: TestApp) {
        let alpha = &app.alpha;
        // comercial is led by manager.
        let refused = app.led_by(&alpha.manager, Some(alpha.comercial.id)).await;
        assert_eq!((&refused["code"], &refused["field"]), (&json!("INVALID"), &json!("input.managerId")));
        assert_eq!(app.led_by(&alpha.manager, Some(alpha.manager.id)).await["code"], "INVALID");
        assert_eq!(app.led_by(&alpha.manager, Some(alpha.diretor.id)).await, Json::Null);
        assert_eq!(app.led_by(&alpha.diretor, Some(alpha.comercial.id)).await["code"], "INVALID");
        // Once the chain is cut it goes the other way round.
        assert_eq!(app.led_by(&alpha.comercial, None).await, Json::Null);
        assert_eq!(app.led_by(&alpha.diretor, Some(alpha.comercial.id)).await, Json::Null);
        let sql = "SELECT manager_id FROM users WHERE tenant_id = ? AND id = ?";
        let of = |person: &Person| Value::Id(person.id);
        let manager = app.read_sql(alpha, sql, vec![of(&alpha.manager)]).await[0].id(0).unwrap();
        assert_eq!(manager, Some(alpha.diretor.id));
    }

    /// The clock stands still: nothing that a node remembers ends by itself here.
    async fn what_is_taken_is_gone_at_once(app: TestApp) {
        let (alpha, admin) = (&app.alpha, &app.alpha.admin.key);
        let (key, leads) = (&alpha.comercial.key, "{ leads { totalCount } }");
        let theirs = &app.beta.comercial.key;
        for key in [key, theirs] {
            app.data(key, leads, json!({})).await;
        }
        let own = alpha.comercial.id;
        let move_away = json!({ "id": own, "by": null });
        app.data(admin, LEAD, move_away).await;
        app.data(key, leads, json!({})).await;
        app.data(admin, DEACTIVATE, json!({ "id": own })).await;
        assert_eq!(app.error_code(key, leads, json!({})).await, "UNAUTHENTICATED");
        app.data(theirs, leads, json!({})).await;
    }
}
