//! What becomes of people: deactivated, moved, removed, and what is forgotten with them.

use super::{ACCEPT, HOME, ME, Office, RESET, UPDATE, accept, code, field, reset};
use crate::support::both_databases;
use crate::support::seed::PASSWORD;
use crate::support::seed::Person;
use chrono::TimeDelta;
use pulso::identity::account;
use pulso::limits;
use serde_json::json;
use uuid::Uuid;

both_databases! {
    // ---- Users and units -------------------------------------------------------------------------

    async fn deactivating_somebody_ends_everything(office: Office) {
        let alpha = &office.test.alpha;
        let Person { id, email, .. } = &alpha.comercial;
        let bearer = office.sign_in(email, PASSWORD).await;
        let token = office.reset_link(email).await;
        let set = |active: bool| json!({ "id": id, "input": { "isActive": active } });
        let answer = office.ask(Some(&alpha.admin.key), UPDATE, set(false)).await;
        assert_eq!(answer["data"]["userUpdate"]["isActive"], false, "{answer:#}");
        office.later(TimeDelta::seconds(1));
        assert_eq!(code(&office.ask(Some(&bearer), ME, json!({})).await), "UNAUTHENTICATED");
        assert_eq!(code(&office.sign_in_from(HOME, email, PASSWORD).await), "UNAUTHENTICATED");
        assert_eq!(field(&office.ask(None, RESET, reset(&token)).await), ("INVALID", "token"));
        // Active again, they sign in anew: nothing from before works.
        office.ask(Some(&alpha.admin.key), UPDATE, set(true)).await;
        office.later(TimeDelta::seconds(1));
        assert_eq!(code(&office.ask(Some(&bearer), ME, json!({})).await), "UNAUTHENTICATED");
        office.sign_in(email, PASSWORD).await;
    }

    async fn another_address_is_not_verified_and_ends_links(office: Office) {
        let alpha = &office.test.alpha;
        office.invite("bia@example.com", &[]).await;
        office.ask(None, ACCEPT, accept(&office.mail().await.token())).await;
        let token = office.reset_link("bia@example.com").await;
        let found = "{ users(filter: { email: { eq: \"bia@example.com\" } }) { nodes { id isVerified } } }";
        let found = office.ask(Some(&alpha.admin.key), found, json!({})).await;
        let user = &found["data"]["users"]["nodes"][0];
        assert_eq!(user["isVerified"], true);
        let input = json!({ "id": user["id"], "input": { "email": "bia@other.example" } });
        let answer = office.ask(Some(&alpha.admin.key), UPDATE, input).await;
        assert_eq!(answer["data"]["userUpdate"]["isVerified"], false, "{answer:#}");
        assert_eq!(field(&office.ask(None, RESET, reset(&token)).await), ("INVALID", "token"));
    }

    async fn org_units_stay_a_tree(office: Office) {
        let key = &office.test.alpha.admin.key;
        let mut ids = Vec::new();
        for name in ["Brasil", "Sul", "Curitiba"] {
            let input = json!({ "name": name, "parentId": ids.last() });
            ids.push(office.test.create(key, "OrgUnit", input).await);
        }
        let below = |id: Uuid, parent: Option<Uuid>| {
            json!({ "id": id, "input": { "parentId": parent } })
        };
        for (id, parent) in [(ids[0], ids[0]), (ids[0], ids[2]), (ids[1], ids[2])] {
            let refusal = office.test.refusal(key, "orgUnitUpdate", below(id, Some(parent))).await;
            assert_eq!(refusal, ("INVALID".to_owned(), Some("input.parentId".to_owned())));
        }
        for (id, parent) in [(ids[2], Some(ids[0])), (ids[1], Some(ids[2])), (ids[1], None)] {
            office.test.done(key, "orgUnitUpdate", below(id, parent), "{ id }").await;
        }
    }

    async fn what_is_done_with_is_forgotten(office: Office) {
        let alpha = &office.test.alpha;
        office.invite("bia@example.com", &[]).await;
        office.mail().await;
        office.sign_in(&alpha.comercial.email, PASSWORD).await;
        office.later(TimeDelta::days(limits::MAIL_KEPT_DAYS));
        account::upkeep::forget(&office.app).await.unwrap();
        let guards = "SELECT count(*) FROM sign_in_guards WHERE tenant_id <> ?";
        let guards = async || {
            office.test.read_sql(alpha, guards, vec![]).await[0].int(0).unwrap().unwrap()
        };
        assert_eq!(office.test.count(alpha, "account_tokens").await, 1, "ended 23 days ago");
        assert!(guards().await > 0, "the address is still known");
        office.later(TimeDelta::days(limits::KNOWN_ADDRESS_DAYS));
        account::upkeep::forget(&office.app).await.unwrap();
        for table in ["account_tokens", "mails"] {
            assert_eq!(office.test.count(alpha, table).await, 0, "{table}");
        }
        assert_eq!(guards().await, 0);
    }

    async fn a_user_is_destroyed_with_their_mails(office: Office) {
        let alpha = &office.test.alpha;
        let id = office.invite("bia@example.com", &[]).await;
        office.mail().await;
        office.test.done(&alpha.admin.key, "userDestroy", json!({ "id": id }), "").await;
        assert_eq!(office.test.count(alpha, "mails").await, 0);
    }
}
