//! Personal values stand apart, and go with their person; what operators do is told.

use super::{says, verified_by_command};
use crate::support::TestApp;
use crate::support::both_databases;
use pulso::access::SystemHandle;
use pulso::audit;
use pulso::audit::Author;
use pulso::audit::sealer::seal_all;
use pulso::ctx::Origin;
use pulso::db::Value;
use serde_json::Value as Json;
use serde_json::json;
use std::collections::BTreeSet;

/// What `pulso admin` prints.
async fn operate(app: &TestApp, words: &str) -> Vec<String> {
    #[derive(clap::Parser)]
    struct CommandLine {
        #[command(subcommand)]
        command: pulso::cli::admin::Admin,
    }
    let words = std::iter::once("admin").chain(words.split_whitespace());
    let command = <CommandLine as clap::Parser>::try_parse_from(words).unwrap().command;
    pulso::cli::admin::execute(&app.app, command).await.unwrap().lines
}

both_databases! {
    async fn personal_values_stand_apart_and_fit_their_digests(app: TestApp) {
        let (tenant, key) = (&app.alpha, &app.alpha.admin.key);
        app.sealed(tenant, 1).await;
        let contact = json!({ "fullName": "José da Silva", "email": "jose@exemplo.com.br",
            "jobTitle": "dono" });
        let id = app.create(key, "Contact", contact).await;
        seal_all(&app.app).await.unwrap();
        let sql = "SELECT new_values, digests, personal FROM audit_logs WHERE tenant_id = ? \
            AND resource_id = ?";
        let rows = app.read_sql(tenant, sql, vec![Value::Id(id)]).await;
        let [new, digests, personal] = [0, 1, 2].map(|column| rows[0].json(column).unwrap().unwrap());
        assert_eq!(new["jobTitle"], "dono");
        assert!(new.get("email").is_none() && new.get("fullName").is_none(), "{new}");
        assert_eq!(personal["new"]["email"], "jose@exemplo.com.br");
        let keys = |json: &Json| -> BTreeSet<String> {
            json["new"].as_object().unwrap().keys().cloned().collect()
        };
        assert_eq!(keys(&digests), keys(&personal));
        assert!(!digests.to_string().contains("exemplo"));
        app.agrees(tenant).await;

        let set = "UPDATE audit_logs SET personal = ? WHERE chain_seq = 2 AND tenant_id = ?";
        let mut other = personal.clone();
        other["new"]["email"] = json!("outro@exemplo.com.br");
        app.tamper(tenant, set, vec![Value::Json(other)]).await;
        says(&app.findings(tenant).await, "the personal value new.email does not match its digest");
        let mut less = personal.clone();
        less["new"].as_object_mut().unwrap().remove("email");
        app.tamper(tenant, set, vec![Value::Json(less)]).await;
        says(&app.findings(tenant).await, "new.email");
        // Erased by hand: nothing in the trail says that they were.
        let none = "UPDATE audit_logs SET personal = NULL WHERE chain_seq = 2 AND tenant_id = ?";
        app.tamper(tenant, none, vec![]).await;
        says(&app.findings(tenant).await, "its personal values are gone, but no erasure of contacts");
        app.tamper(tenant, set, vec![Value::Json(personal)]).await;
        app.agrees(tenant).await;
    }

    async fn a_person_is_forgotten_and_the_chain_agrees(app: TestApp) {
        let (tenant, key) = (&app.alpha, &app.alpha.admin.key);
        app.sealed(tenant, 1).await;
        let contact = json!({ "fullName": "Josefina Quixadá", "email": "josefina@exemplo.com.br" });
        let id = app.create(key, "Contact", contact.clone()).await;
        let other = app.create(key, "Contact", json!({ "fullName": "Raimundo Nonato" })).await;
        let input = json!({ "email": "quixada@exemplo.com.br", "jobTitle": "diretora" });
        app.done(key, "contactUpdate", json!({ "id": id, "input": input }), "{ id }").await;
        // Some entries are sealed already, the last is not.
        seal_all(&app.app).await.unwrap();
        let input = json!({ "phone": "+5588999990000" });
        app.done(key, "contactUpdate", json!({ "id": id, "input": input }), "{ id }").await;

        let origin = Origin::internal("test");
        let author = Author { user_id: None, api_key_id: None, origin: &origin };
        let conn = app.app.db.transaction().await.unwrap();
        let system = SystemHandle::for_tenant(tenant.id);
        let erased = audit::erase(&app.app.clock, &conn, &system, author, ("contacts", id)).await;
        assert_eq!(erased.unwrap(), 3);
        conn.commit().await.unwrap();

        let text = app.everything(tenant, "audit_logs").await;
        for gone in ["Josefina", "josefina@", "quixada@", "88999990000"] {
            assert!(!text.contains(gone), "{gone}");
        }
        for stays in ["diretora", "Raimundo", "audit.erase"] {
            assert!(text.contains(stays), "{stays}");
        }
        assert_eq!(app.agrees(tenant).await.erased, 2);
        seal_all(&app.app).await.unwrap();
        let report = app.agrees(tenant).await;
        assert_eq!((report.erased, report.unsealed), (3, 0));
        // What is left is as guarded as before.
        let sql = "UPDATE audit_logs SET digests = ? WHERE resource_id = ? AND tenant_id = ?";
        app.tamper(tenant, sql, vec![Value::Json(json!({ "new": {} })), Value::Id(id)]).await;
        assert!(!app.verified(tenant).await.agrees());
        assert_ne!(id, other);
    }

    async fn what_is_destroyed_is_forgotten(app: TestApp) {
        let (tenant, key) = (&app.alpha, &app.alpha.admin.key);
        app.sealed(tenant, 1).await;
        let contact = json!({ "fullName": "Josefina Quixadá", "jobTitle": "diretora" });
        let id = app.create(key, "Contact", contact).await;
        seal_all(&app.app).await.unwrap();
        app.done(key, "contactDelete", json!({ "id": id }), "{ id }").await;
        assert!(app.everything(tenant, "audit_logs").await.contains("Josefina"));
        app.done(key, "contactDestroy", json!({ "id": id }), "").await;
        let text = app.everything(tenant, "audit_logs").await;
        assert!(!text.contains("Josefina") && text.contains("contact.destroy"), "{text}");
        app.agrees(tenant).await;
        seal_all(&app.app).await.unwrap();
        let report = app.agrees(tenant).await;
        assert_eq!((report.erased, report.unsealed), (2, 0));
    }

    async fn what_the_operator_does_is_in_the_trail(app: TestApp) {
        let words = ["tenant create gamma --name Gamma",
            "user create --tenant alpha --email nova@exemplo.com.br --name Nova --role comercial",
            "key create --tenant alpha --role comercial --name painel",
            "key list --tenant alpha"];
        let mut lines = Vec::new();
        for words in words {
            lines = operate(&app, words).await;
        }
        let prefix = lines.last().unwrap().split('\t').next().unwrap().to_owned();
        operate(&app, &format!("key rotate --tenant alpha {prefix}")).await;
        operate(&app, &format!("key revoke --tenant alpha {prefix}")).await;
        operate(&app, &format!("key revoke --tenant alpha {prefix}")).await;
        let sql = "SELECT action, new_values, personal, user_id, request_id, resource_type \
            FROM audit_logs WHERE tenant_id = ? ORDER BY id";
        let rows = app.read_sql(&app.alpha, sql, Vec::new()).await;
        let actions: Vec<String> = rows.iter().map(|row| row.text(0).unwrap().unwrap()).collect();
        assert_eq!(actions, ["user.create", "api_key.create", "api_key.rotate", "api_key.revoke"]);
        assert!(rows.iter().all(|row| row.id(3).unwrap().is_none()));
        assert_eq!(rows[0].text(4).unwrap().unwrap(), "command user.create");
        assert_eq!(rows[0].text(5).unwrap().unwrap(), "users");
        let new = rows[0].json(1).unwrap().unwrap();
        assert_eq!((&new["fullName"], new.get("email")), (&json!("Nova"), None));
        let personal = rows[0].json(2).unwrap().unwrap();
        assert_eq!(personal["new"]["email"], "nova@exemplo.com.br");
        assert_eq!(rows[1].json(1).unwrap().unwrap()["role"], "comercial");
        seal_all(&app.app).await.unwrap();
        app.agrees(&app.alpha).await;
        let verdict = verified_by_command(&app, "audit").await;
        let gamma = verdict.lines.iter().find(|line| line.starts_with("gamma: ")).unwrap();
        assert!(gamma.starts_with("gamma: agrees; 1 sealed, 0 not sealed yet"), "{gamma}");
    }
}
