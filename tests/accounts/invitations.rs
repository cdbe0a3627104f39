//! Who is invited, by whom, and with which rights.

use super::{ACCEPT, HOME, INVITE, ME, NEW_PASSWORD, Office, UPDATE, accept, code, field, wait};
use crate::support::both_databases;
use crate::support::seed::PASSWORD;
use chrono::TimeDelta;
use pulso::limits;
use pulso::mail::Delivered;
use serde_json::Value as Json;
use serde_json::json;
use std::collections::BTreeSet;
use uuid::Uuid;

const RESEND: &str = "mutation($id: ID!) { invitationResend(userId: $id) { id } }";

const REVOKE: &str = "mutation($id: ID!) { invitationRevoke(userId: $id) { id } }";

const ROLES: &str = "mutation($id: ID!, $roles: [String!]!) { \
                     userRolesSet(userId: $id, roles: $roles) { id } }";

both_databases! {
    // ---- Invitations -----------------------------------------------------------------------------

    async fn an_invitation_goes_out_by_mail(office: Office) {
        let alpha = &office.test.alpha;
        let seen = office.test.trail(alpha).await;
        let input = json!({ "email": " Bia@Example.COM", "name": " Bia Lima ",
            "roles": ["comercial", "comercial"], "managerId": alpha.manager.id, "language": "pt-BR" });
        let answer = office.ask(Some(&alpha.admin.key), INVITE, json!({ "input": input })).await;
        let user = &answer["data"]["userInvite"];
        assert_eq!(user["email"], "bia@example.com", "{answer:#}");
        assert_eq!(user["isVerified"], false);
        let trail = office.test.trail(alpha).await.since(&seen);
        let actions = BTreeSet::from_iter(trail.actions());
        assert_eq!(actions, BTreeSet::from(["user.create", "user.invite"]));
        assert_eq!(trail.kinds(), ["user.created", "user.invited"]);
        let invited = trail.audits.iter().find(|audit| audit.action == "user.invite").unwrap();
        assert_eq!(invited.user_id, Some(alpha.admin.id));
        assert_eq!(invited.new.as_ref().unwrap()["roles"], json!(["comercial"]));

        // No secret waits in the database, and nobody signs in without a password.
        let sql = "SELECT secret_hash FROM account_tokens WHERE tenant_id = ?";
        assert_eq!(office.text(sql, vec![]).await, None);
        let before = office.sign_in_from(HOME, "bia@example.com", NEW_PASSWORD).await;
        assert_eq!(code(&before), "UNAUTHENTICATED");

        let letter = office.mail().await;
        for header in ["To: \"Bia Lima\" <bia@example.com>", "From: Pulso <no-reply@localhost>",
            "Content-Language: pt-BR", "Auto-Submitted: auto-generated", "Subject: Tenant alpha: seu",
            "Date: Tue, 10 Mar 2026 12:00:00 +0000"] {
            assert!(letter.headers.contains(header), "{header}\n{}", letter.headers);
        }
        assert!(letter.text.contains("Olá Bia Lima"), "{}", letter.text);
        assert!(letter.text.contains("\r\nhttps://crm.example/app/invitation#token="), "{}", letter.text);
        let token = letter.token();
        let hash = office.text(sql, vec![]).await.unwrap();
        assert_eq!(hash.len(), 64);
        assert!(!token.contains(&hash));
        assert_eq!(office.deliver().await, Delivered::default(), "once");
    }

    async fn an_invitation_opens_an_account_once(office: Office) {
        let alpha = &office.test.alpha;
        let id = office.invite("bia@example.com", &["comercial"]).await;
        let token = office.mail().await.token();
        let seen = office.test.trail(alpha).await;
        let answer = office.ask(None, ACCEPT,
            json!({ "token": token, "password": NEW_PASSWORD, "name": "Beatriz Lima" })).await;
        let account = json!({ "tenant": "alpha", "email": "bia@example.com" });
        assert_eq!(answer["data"]["invitationAccept"], account, "{answer:#}");
        let trail = office.test.trail(alpha).await.since(&seen);
        assert_eq!(trail.actions(), ["user.accept_invitation"]);
        assert_eq!(trail.kinds(), ["user.invitation_accepted"]);
        assert_eq!(trail.audits[0].user_id, Some(id));
        assert_eq!(trail.audits[0].ip.as_deref(), Some(HOME));
        let told = "{ notifications { nodes { kind resource recordId actorId } } }";
        let told = office.test.data(&alpha.admin.key, told, json!({})).await;
        assert_eq!(told["notifications"]["nodes"], json!([{
            "kind": "INVITATION_ACCEPTED", "resource": "users", "recordId": id, "actorId": id
        }]));

        let bearer = office.sign_in("bia@example.com", NEW_PASSWORD).await;
        let me = office.ask(Some(&bearer), ME, json!({})).await;
        assert_eq!(me["data"]["me"]["user"]["fullName"], "Beatriz Lima");
        assert_eq!(me["data"]["me"]["roles"], json!(["comercial"]));
        let found = "{ users(search: \"beatriz\") { nodes { id isVerified } } }";
        let found = office.ask(Some(&alpha.admin.key), found, json!({})).await;
        assert_eq!(found["data"]["users"]["nodes"], json!([{ "id": id, "isVerified": true }]));

        let again = office.ask(None, ACCEPT, accept(&token)).await;
        assert_eq!(field(&again), ("INVALID", "token"));
        let again = office.ask(Some(&alpha.admin.key), RESEND, json!({ "id": id })).await;
        assert_eq!(code(&again), "CONFLICT");
    }

    async fn an_invitation_ends(office: Office) {
        let key = Some(office.test.alpha.admin.key.as_str());
        let id = office.invite("bia@example.com", &["comercial"]).await;
        let first = office.mail().await.token();

        // Resent: not at once, and then the one before ends.
        let hasty = office.ask(key, RESEND, json!({ "id": id })).await;
        assert_eq!(wait(&hasty), 60);
        office.later(TimeDelta::minutes(1));
        let answer = office.ask(key, RESEND, json!({ "id": id })).await;
        assert_eq!(answer["data"]["invitationResend"]["id"], json!(id), "{answer:#}");
        let second = office.mail().await.token();
        let gone = office.ask(None, ACCEPT, accept(&first)).await;
        assert_eq!(field(&gone), ("INVALID", "token"));

        // Revoked: before it was sent it is not sent any more.
        let answer = office.ask(key, REVOKE, json!({ "id": id })).await;
        assert_eq!(answer["data"]["invitationRevoke"]["id"], json!(id), "{answer:#}");
        assert_eq!(field(&office.ask(None, ACCEPT, accept(&second)).await), ("INVALID", "token"));
        assert_eq!(code(&office.ask(key, REVOKE, json!({ "id": id })).await), "CONFLICT");
        office.later(TimeDelta::minutes(1));
        office.ask(key, RESEND, json!({ "id": id })).await;
        office.ask(key, REVOKE, json!({ "id": id })).await;
        assert_eq!(office.deliver().await, Delivered { dropped: 1, ..Delivered::default() });

        // Expired.
        office.later(TimeDelta::minutes(1));
        office.ask(key, RESEND, json!({ "id": id })).await;
        let third = office.mail().await.token();
        office.later(TimeDelta::days(limits::INVITATION_DAYS));
        assert_eq!(field(&office.ask(None, ACCEPT, accept(&third)).await), ("INVALID", "token"));

        // Of somebody who was deactivated, or whose address is another now.
        for input in [json!({ "isActive": false }), json!({ "email": "bia@other.example" })] {
            let active = json!({ "id": id, "input": { "isActive": true } });
            office.ask(key, UPDATE, active).await;
            office.ask(key, RESEND, json!({ "id": id })).await;
            let token = office.mail().await.token();
            let answer = office.ask(key, UPDATE, json!({ "id": id, "input": input })).await;
            assert!(answer.get("errors").is_none(), "{answer:#}");
            let answer = office.ask(None, ACCEPT, accept(&token)).await;
            assert_eq!(field(&answer), ("INVALID", "token"), "{input}");
            office.later(TimeDelta::minutes(1));
        }
    }

    async fn who_is_invited_is_checked(office: Office) {
        let alpha = &office.test.alpha;
        let users = office.test.count(alpha, "users").await;
        let good = json!({ "email": "bia@example.com", "name": "Bia", "roles": ["comercial"] });
        for (name, value, expected) in [
            ("email", json!("bia"), ("INVALID", "input.email")),
            ("email", json!(alpha.comercial.email), ("CONFLICT", "input.email")),
            ("name", json!("  "), ("INVALID", "input.name")),
            ("roles", json!(["chefe"]), ("INVALID", "input.roles")),
            ("language", json!("fr"), ("INVALID", "input.language")),
            ("managerId", json!(office.test.beta.admin.id), ("NOT_FOUND", "input.managerId")),
            ("orgUnitId", json!(Uuid::nil()), ("NOT_FOUND", "input.orgUnitId")),
        ] {
            let mut input = good.clone();
            input[name] = value;
            let input = json!({ "input": input });
            let answer = office.ask(Some(&alpha.admin.key), INVITE, input).await;
            assert_eq!(field(&answer), expected, "{answer:#}");
        }
        assert_eq!(office.test.count(alpha, "users").await, users);
        assert_eq!(office.deliver().await, Delivered::default());
        // Somebody made without an invitation gets one later.
        let input = json!({ "fullName": "Caio", "email": "caio@example.com" });
        let caio = office.test.create(&alpha.admin.key, "User", input).await;
        office.ask(Some(&alpha.admin.key), RESEND, json!({ "id": caio })).await;
        let answer = office.ask(None, ACCEPT, accept(&office.mail().await.token())).await;
        assert!(answer.get("errors").is_none(), "{answer:#}");
    }

    // ---- Roles -----------------------------------------------------------------------------------

    async fn nobody_hands_out_more_than_they_have(office: Office) {
        let alpha = &office.test.alpha;
        let everything = json!({ "read": "all", "create": "all", "update": "all", "delete": "all" });
        let rights = json!({ "users": everything, "companies": { "read": "all", "create": "all" },
            "contacts": { "read": "all", "create": "all" }, "leads": { "read": "all", "create": "all" },
            "lead_interactions": { "read": "all", "create": "all" } });
        let key = office.test.key_with(alpha, alpha.diretor.id, rights.clone()).await;
        let key = Some(key.as_str());
        let seen = office.test.trail(alpha).await;
        let invite = |roles: Json| {
            json!({ "input": { "email": "bia@example.com", "name": "Bia", "roles": roles } })
        };
        for roles in [json!(["admin"]), json!(["agente_ia", "comercial"])] {
            let answer = office.ask(key, INVITE, invite(roles)).await;
            assert_eq!(field(&answer), ("FORBIDDEN", "input.roles"), "{answer:#}");
        }
        let set = |id: Uuid, roles: Json| json!({ "id": id, "roles": roles });
        let agent = alpha.agente_ia.id;
        let answer = office.ask(key, ROLES, set(agent, json!(["admin"]))).await;
        assert_eq!(field(&answer), ("FORBIDDEN", "roles"));
        let answer = office.ask(key, ROLES, set(alpha.admin.id, json!([]))).await;
        assert_eq!(field(&answer), ("FORBIDDEN", "userId"));
        let answer = office.ask(key, ROLES, set(alpha.diretor.id, json!([]))).await;
        assert_eq!(code(&answer), "FORBIDDEN", "one's own");
        // The account of somebody who may do more is not got at through its address, nor shut.
        for (input, blamed) in [
            (json!({ "email": "me@evil.example" }), "input.email"),
            (json!({ "isActive": false }), "input.isActive"),
        ] {
            let arguments = json!({ "id": alpha.admin.id, "input": input });
            assert_eq!(field(&office.ask(key, UPDATE, arguments).await), ("FORBIDDEN", blamed));
        }
        let own = json!({ "id": alpha.diretor.id, "input": { "isActive": false } });
        assert_eq!(field(&office.ask(key, UPDATE, own).await), ("FORBIDDEN", "input.isActive"));
        assert!(office.test.trail(alpha).await.since(&seen).is_empty());

        // What they have themselves they may give.
        let answer = office.ask(key, INVITE, invite(json!(["agente_ia"]))).await;
        assert!(answer.get("errors").is_none(), "{answer:#}");
        let answer = office.ask(key, ROLES, set(agent, json!([]))).await;
        assert!(answer.get("errors").is_none(), "{answer:#}");
        // A key has no more than its scopes leave, whatever its role allows.
        let scoped = pulso::identity::api_key::service::create(&office.app, "alpha", "admin",
            "narrow", &["users:read".to_owned(), "users:update".to_owned()], None).await.unwrap();
        let answer = office.ask(Some(&scoped), ROLES, set(agent, json!(["comercial"]))).await;
        assert_eq!(field(&answer), ("FORBIDDEN", "roles"));
    }

    async fn roles_are_given_and_taken(office: Office) {
        let alpha = &office.test.alpha;
        let (key, id) = (Some(alpha.admin.key.as_str()), alpha.comercial.id);
        let bearer = office.sign_in(&alpha.comercial.email, PASSWORD).await;
        let seen = office.test.trail(alpha).await;
        let set = |roles: Json| json!({ "id": id, "roles": roles });
        let answer = office.ask(key, ROLES, set(json!(["diretor", "agente_ia", "diretor"]))).await;
        assert!(answer.get("errors").is_none(), "{answer:#}");
        let trail = office.test.trail(alpha).await.since(&seen);
        assert_eq!(trail.actions(), ["user.set_roles"]);
        assert_eq!(trail.kinds(), ["user.roles_changed"]);
        assert_eq!(trail.audits[0].old, Some(json!({ "roles": ["comercial"] })));
        assert_eq!(trail.audits[0].new, Some(json!({ "roles": ["diretor", "agente_ia"] })));
        office.later(TimeDelta::seconds(1));
        let me = office.ask(Some(&bearer), ME, json!({})).await;
        assert_eq!(me["data"]["me"]["roles"], json!(["agente_ia", "diretor"]));

        // The same again leaves nothing behind.
        let seen = office.test.trail(alpha).await;
        office.ask(key, ROLES, set(json!(["agente_ia", "diretor"]))).await;
        assert!(office.test.trail(alpha).await.since(&seen).is_empty());
        let answer = office.ask(key, ROLES, set(json!(["chefe"]))).await;
        assert_eq!(field(&answer), ("INVALID", "roles"));
        assert_eq!(code(&office.ask(Some(&alpha.comercial.key), ROLES, set(json!([]))).await), "FORBIDDEN");
        assert_eq!(code(&office.ask(Some(&office.test.beta.admin.key), ROLES, set(json!([]))).await),
            "NOT_FOUND");
        office.ask(key, ROLES, set(json!([]))).await;
        office.later(TimeDelta::seconds(1));
        let me = office.ask(Some(&bearer), ME, json!({})).await;
        assert_eq!(me["data"]["me"]["roles"], json!([]));
    }

    /// Whose right to change users does not reach everybody does not move themselves to see more.
    async fn nobody_chooses_their_own_place(office: Office) {
        let alpha = &office.test.alpha;
        let unit = office.test.create(&alpha.admin.key, "OrgUnit", json!({ "name": "Sul" })).await;
        let rights = json!({ "users": { "read": "all", "update": "own" }, "org_units": { "read": "all" } });
        let key = office.test.key_with(alpha, alpha.comercial.id, rights).await;
        for (name, value) in [("orgUnitId", json!(unit)), ("managerId", Json::Null)] {
            let arguments = json!({ "id": alpha.comercial.id, "input": { name: value } });
            let answer = office.ask(Some(&key), UPDATE, arguments).await;
            assert_eq!(field(&answer), ("FORBIDDEN", format!("input.{name}").as_str()));
        }
    }
}
