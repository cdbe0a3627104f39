//! The audit trail: sealed within a second and in any company, and no later change of it stays
//! unseen; a person can be forgotten; who may read it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use chrono::TimeDelta;
use pulso::access::SystemHandle;
use pulso::audit::sealer::{seal_all, seal_tenant};
use pulso::audit::verify::{Anchor, Report, verify};
use pulso::audit::{self, Author, Entry};
use pulso::clock::Clock;
use pulso::ctx::Origin;
use pulso::db::Value;
use serde_json::{Value as Json, json};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::support::app::build;
use crate::support::seed::Tenant;
use crate::support::{Backend, TestApp, both_databases, now};

fn entry(number: i64) -> Entry {
    Entry {
        action: "lead.update".to_owned(),
        resource: "leads",
        resource_id: Uuid::from_u128(u128::try_from(number).unwrap()),
        old: Some(json!({ "score": number, "notes": "é", "share": 0.1 })),
        new: Some(json!({ "score": number + 1, "share": 1e16, "none": null })),
    }
}

impl TestApp {
    async fn verified(&self, tenant: &Tenant) -> Report {
        verify(&self.app, tenant.id, &[]).await.unwrap()
    }

    /// What a verification says in its first lines.
    async fn findings(&self, tenant: &Tenant) -> Vec<String> {
        self.verified(tenant).await.findings
    }

    #[track_caller]
    fn agrees(&self, tenant: &Tenant) -> impl Future<Output = Report> {
        let caller = std::panic::Location::caller();
        async move {
            let report = self.verified(tenant).await;
            assert!(report.agrees(), "{caller}: {report:#?}");
            report
        }
    }

    /// Entries that nobody's change wrote.
    async fn append(&self, tenant: &Tenant, count: i64) {
        let origin = Origin::internal("test");
        let author = Author { user_id: None, api_key_id: None, origin: &origin };
        let conn = self.app.db.transaction().await.unwrap();
        let system = SystemHandle::for_tenant(tenant.id);
        let entries: Vec<Entry> = (1..=count).map(entry).collect();
        audit::append_by(&self.app.clock, &conn, &system, author, entries).await.unwrap();
        conn.commit().await.unwrap();
    }

    /// A sealed trail of `count` entries, those of the seed forgotten.
    async fn sealed(&self, tenant: &Tenant, count: i64) {
        self.write_sql("DELETE FROM audit_logs WHERE tenant_id = ?", vec![tenant.id.into()]).await;
        self.append(tenant, count).await;
        seal_all(&self.app).await.unwrap();
        assert_eq!(self.agrees(tenant).await.entries, count);
    }

    async fn tamper(&self, tenant: &Tenant, sql: &str, values: Vec<Value>) {
        let values = values.into_iter().chain([Value::Id(tenant.id)]).collect();
        assert!(self.write_sql(sql, values).await > 0, "{sql}");
    }

    async fn place(&self, tenant: &Tenant, seq: i64) -> (Uuid, String) {
        let sql = "SELECT id, chain_hash FROM audit_logs WHERE tenant_id = ? AND chain_seq = ?";
        let rows = self.read_sql(tenant, sql, vec![Value::Int(seq)]).await;
        (rows[0].required_id(0).unwrap(), rows[0].text(1).unwrap().unwrap())
    }

    /// The whole text of a tenant's rows in a table.
    async fn everything(&self, tenant: &Tenant, table: &str) -> String {
        let columns = match self.database.backend {
            Backend::Postgres => format!("CAST({table}.* AS text)"),
            Backend::Sqlite => {
                let sql = format!("SELECT name FROM pragma_table_info('{table}') WHERE ? <> name");
                let names = self.read_sql(tenant, &sql, Vec::new()).await;
                let names: Vec<String> = names
                    .iter()
                    .map(|row| format!("quote({})", row.text(0).unwrap().unwrap()))
                    .collect();
                names.join(" || ' ' || ")
            }
        };
        let sql = format!("SELECT {columns} FROM {table} WHERE tenant_id = ?");
        let rows = self.read_sql(tenant, &sql, Vec::new()).await;
        rows.iter().map(|row| row.text(0).unwrap().unwrap()).collect()
    }
}

#[track_caller]
fn says(findings: &[String], words: &str) {
    assert!(
        findings.iter().any(|finding| finding.contains(words)),
        "no \"{words}\": {findings:#?}"
    );
}

both_databases! {
    async fn what_was_committed_is_sealed_in_one_chain(app: TestApp) {
        let tenant = &app.alpha;
        seal_all(&app.app).await.unwrap();
        let before = app.agrees(tenant).await;
        let lead = app.create(&tenant.admin.key, "Lead", json!({ "source": "s" })).await;
        let input = json!({ "metadata": { "a": [1.50, 1e300, -0.0, "\u{1f}é"] }, "score": 7 });
        app.done(&tenant.admin.key, "leadUpdate", json!({ "id": lead, "input": input }), "{ id }").await;
        let contact = json!({ "fullName": "José da Silva", "email": "jose@exemplo.com.br" });
        app.create(&tenant.admin.key, "Contact", contact).await;
        let waiting = app.agrees(tenant).await;
        assert_eq!((waiting.entries, waiting.unsealed), (before.entries, 3));
        assert_eq!(waiting.head, before.head);

        assert_eq!(seal_all(&app.app).await.unwrap(), 3);
        let after = app.agrees(tenant).await;
        assert_eq!((after.entries, after.unsealed), (before.entries + 3, 0));
        assert_eq!(after.head.as_ref().unwrap().seq, before.entries + 3);
        // Nothing to do changes nothing.
        assert_eq!(seal_all(&app.app).await.unwrap(), 0);
        assert_eq!(app.agrees(tenant).await, after);
        // Each tenant has a chain of its own.
        assert_ne!(app.agrees(&app.beta).await.head, after.head);
    }

    async fn thousands_are_sealed_by_few_transactions(app: TestApp) {
        let tenant = &app.alpha;
        app.sealed(tenant, 1).await;
        app.append(tenant, 4_500).await;
        let watch = app.app.clock.stopwatch();
        assert_eq!(seal_all(&app.app).await.unwrap(), 4_500);
        let took = watch.elapsed();
        assert!(took.as_secs() < 20, "{took:?}");
        let report = app.agrees(tenant).await;
        assert_eq!((report.entries, report.unsealed), (4_501, 0));
    }

    async fn a_late_commit_is_not_skipped(app: TestApp) {
        let tenant = &app.alpha;
        app.sealed(tenant, 3).await;
        let system = SystemHandle::for_tenant(tenant.id);
        let origin = Origin::internal("late");
        let author = Author { user_id: None, api_key_id: None, origin: &origin };
        // Its ids are made before those of the others and committed after they are sealed.
        let clock = Clock::fixed(now() - TimeDelta::minutes(1));
        let late = match app.database.backend {
            Backend::Postgres => {
                let conn = app.app.db.transaction().await.unwrap();
                audit::append_by(&clock, &conn, &system, author, vec![entry(50)]).await.unwrap();
                Some(conn)
            }
            // One writes at a time: only the order of ids can be wrong.
            Backend::Sqlite => None,
        };
        app.append(tenant, 2).await;
        assert_eq!(seal_all(&app.app).await.unwrap(), 2);
        match late {
            Some(conn) => conn.commit().await.unwrap(),
            None => {
                let conn = app.app.db.transaction().await.unwrap();
                audit::append_by(&clock, &conn, &system, author, vec![entry(50)]).await.unwrap();
                conn.commit().await.unwrap();
            }
        }
        assert_eq!(seal_all(&app.app).await.unwrap(), 1);
        let report = app.agrees(tenant).await;
        assert_eq!((report.entries, report.unsealed), (6, 0));
    }

    async fn writers_and_two_sealers_at_once(app: TestApp) {
        let other = build(&app.database.db, app.database.url(), Clock::fixed(now()));
        let writing = Arc::new(AtomicBool::new(true));
        let mut sealers = JoinSet::new();
        for node in [Arc::clone(&app.app), other] {
            let writing = Arc::clone(&writing);
            sealers.spawn(async move {
                while writing.load(Ordering::Relaxed) {
                    seal_all(&node).await.unwrap();
                    tokio::task::yield_now().await;
                }
            });
        }
        let writers = (0..4).map(|_| async {
            for _ in 0..10 {
                app.create(&app.alpha.admin.key, "Lead", json!({ "source": "s" })).await;
                app.append(&app.beta, 5).await;
            }
        });
        futures::future::join_all(writers).await;
        writing.store(false, Ordering::Relaxed);
        sealers.join_all().await;
        seal_all(&app.app).await.unwrap();
        for tenant in [&app.alpha, &app.beta] {
            let report = app.agrees(tenant).await;
            assert_eq!(report.unsealed, 0);
            assert_eq!(report.entries, app.count(tenant, "audit_logs").await);
            assert_eq!(report.head.unwrap().seq, report.entries);
            assert!(report.entries >= 40);
        }
    }

    async fn months_are_closed_one_after_the_other(app: TestApp) {
        let tenant = &app.alpha;
        app.sealed(tenant, 3).await;
        app.app.clock.advance(TimeDelta::days(25));
        assert_eq!(seal_tenant(&app.app, tenant.id).await.unwrap(), 0);
        assert_eq!(app.agrees(tenant).await.months, 1);
        // A month in which nothing was sealed has no seal.
        app.app.clock.advance(TimeDelta::days(35));
        app.append(tenant, 2).await;
        assert_eq!(seal_all(&app.app).await.unwrap(), 2);
        app.app.clock.advance(TimeDelta::days(31));
        seal_all(&app.app).await.unwrap();
        let report = app.agrees(tenant).await;
        assert_eq!((report.months, report.entries), (2, 5));
        let sql = "SELECT id, first_seq, last_seq FROM audit_seals WHERE tenant_id = ? ORDER BY id";
        let seals = app.read_sql(tenant, sql, Vec::new()).await;
        let seals: Vec<_> = seals
            .iter()
            .map(|row| (row.text(0).unwrap().unwrap(), row.int(1).unwrap(), row.int(2).unwrap()))
            .collect();
        assert_eq!(
            seals,
            [
                ("2026-03".to_owned(), Some(1), Some(3)),
                ("2026-05".to_owned(), Some(4), Some(5)),
            ]
        );

        let seal = |column: &str| {
            format!("UPDATE audit_seals SET {column} = ? WHERE id = ? AND tenant_id = ?")
        };
        let hash = "0".repeat(64);
        for (column, value, words) in [
            ("last_seq", Value::Int(2), "the seal of 2026-03 does not match its hash"),
            ("last_hash", hash.as_str().into(), "does not have the hash that the seal of 2026-03 names"),
            ("hash", hash.as_str().into(), "the seal of 2026-05 does not follow the one before it"),
        ] {
            let sql = format!("SELECT {column} FROM audit_seals WHERE tenant_id = ? AND id = ?");
            let rows = app.read_sql(tenant, &sql, vec!["2026-03".into()]).await;
            let was = match value {
                Value::Int(_) => Value::Int(rows[0].int(0).unwrap().unwrap()),
                _ => Value::Text(rows[0].text(0).unwrap().unwrap()),
            };
            app.tamper(tenant, &seal(column), vec![value, "2026-03".into()]).await;
            says(&app.findings(tenant).await, words);
            app.tamper(tenant, &seal(column), vec![was, "2026-03".into()]).await;
            app.agrees(tenant).await;
        }
        app.tamper(tenant, "DELETE FROM audit_seals WHERE id = '2026-05' AND tenant_id = ?", Vec::new())
            .await;
        says(&app.findings(tenant).await, "the head does not name the last month's seal");
    }

    async fn any_change_is_found(app: TestApp) {
        let tenant = &app.alpha;
        let other_value = Value::Json(json!({ "score": 99 }));
        let zeros = Value::from("0".repeat(64));
        let cases: Vec<(&str, Vec<Value>, &str)> = vec![
            (
                "UPDATE audit_logs SET new_values = ? WHERE chain_seq = 3 AND tenant_id = ?",
                vec![other_value.clone()],
                "entry 3 (",
            ),
            (
                "UPDATE audit_logs SET old_values = NULL WHERE chain_seq = 3 AND tenant_id = ?",
                vec![],
                "lead.update of leads) does not match its hash",
            ),
            (
                "UPDATE audit_logs SET ip_address = '10.0.0.1' WHERE chain_seq = 5 AND tenant_id = ?",
                vec![],
                "entry 5 (",
            ),
            (
                "UPDATE audit_logs SET user_id = ? WHERE chain_seq = 1 AND tenant_id = ?",
                vec![Value::Id(tenant.admin.id)],
                "entry 1 (",
            ),
            (
                "UPDATE audit_logs SET created_at = ? WHERE chain_seq = 2 AND tenant_id = ?",
                vec![Value::Instant(now() - TimeDelta::milliseconds(1))],
                "entry 2 (",
            ),
            (
                "UPDATE audit_logs SET digests = ? WHERE chain_seq = 2 AND tenant_id = ?",
                vec![Value::Json(json!({}))],
                "entry 2 (",
            ),
            ("DELETE FROM audit_logs WHERE chain_seq = 4 AND tenant_id = ?", vec![], "entry 4 is missing"),
            ("DELETE FROM audit_logs WHERE chain_seq = 1 AND tenant_id = ?", vec![], "entry 1 is missing"),
            ("DELETE FROM audit_logs WHERE chain_seq = 6 AND tenant_id = ?", vec![], "entry 6 is missing"),
            (
                "DELETE FROM audit_logs WHERE chain_seq > 2 AND tenant_id = ?",
                vec![],
                "entries 3 to 6 are missing",
            ),
            // Swapped: each at the other's place, with its own hash.
            (
                "UPDATE audit_logs SET chain_seq = 5 - chain_seq WHERE chain_seq IN (2, 3) \
                 AND tenant_id = ?",
                vec![],
                "entry 2 (",
            ),
            // As if it had never been sealed.
            (
                "UPDATE audit_logs SET chain_seq = NULL, chain_hash = NULL WHERE chain_seq = 3 \
                 AND tenant_id = ?",
                vec![],
                "entry 3 is missing",
            ),
            (
                "UPDATE audit_logs SET chain_hash = ? WHERE chain_seq = 3 AND tenant_id = ?",
                vec![zeros.clone()],
                "entry 3 (",
            ),
            (
                "UPDATE audit_logs SET chain_hash = ? WHERE chain_seq = 6 AND tenant_id = ?",
                vec![zeros.clone()],
                "does not have the hash that the head names",
            ),
            (
                "UPDATE audit_chains SET hash = ? WHERE tenant_id = ?",
                vec![zeros.clone()],
                "does not have the hash that the head names",
            ),
            (
                "UPDATE audit_chains SET last_seq = 7 WHERE tenant_id = ?",
                vec![],
                "entry 7 is missing",
            ),
            (
                "UPDATE audit_chains SET last_seq = 5 WHERE tenant_id = ?",
                vec![],
                "an entry claims place 6, but the head says 5",
            ),
            ("DELETE FROM audit_chains WHERE tenant_id = ?", vec![], "but there is no head"),
        ];
        app.sealed(tenant, 6).await;
        let kept = "CREATE TABLE kept_logs AS SELECT * FROM audit_logs";
        app.write_sql(kept, Vec::new()).await;
        app.write_sql("CREATE TABLE kept_chains AS SELECT * FROM audit_chains", Vec::new()).await;
        for (sql, values, words) in cases {
            app.tamper(tenant, sql, values).await;
            says(&app.findings(tenant).await, words);
            for table in ["logs", "chains"] {
                app.write_sql(&format!("DELETE FROM audit_{table}"), Vec::new()).await;
                let back = format!("INSERT INTO audit_{table} SELECT * FROM kept_{table}");
                app.write_sql(&back, Vec::new()).await;
            }
            app.agrees(tenant).await;
        }
    }

    async fn entries_that_were_slipped_in_are_found(app: TestApp) {
        let tenant = &app.alpha;
        app.sealed(tenant, 4).await;
        let (_, hash) = app.place(tenant, 3).await;
        for (seq, words) in [(3, "both claim place 3"), (5, "an entry claims place 5")] {
            let id = app.app.clock.new_id();
            let fields = [
                ("id", Value::Id(id)),
                ("action", "lead.update".into()),
                ("resource_type", "leads".into()),
                ("chain_seq", Value::Int(seq)),
                ("chain_hash", hash.as_str().into()),
            ];
            let sql = format!(
                "INSERT INTO audit_logs (tenant_id, {}, created_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
                fields.each_ref().map(|(name, _)| *name).join(", ")
            );
            let mut values = vec![Value::Id(tenant.id)];
            values.extend(fields.into_iter().map(|(_, value)| value));
            values.push(Value::Instant(now()));
            app.write_sql(&sql, values).await;
            says(&app.findings(tenant).await, words);
            let gone = "DELETE FROM audit_logs WHERE id = ? AND tenant_id = ?";
            app.tamper(tenant, gone, vec![Value::Id(id)]).await;
            app.agrees(tenant).await;
        }
        // Another tenant's entry does not fit either.
        let sql = "UPDATE audit_logs SET tenant_id = ? WHERE chain_seq = 4 AND tenant_id = ?";
        app.tamper(tenant, sql, vec![Value::Id(app.beta.id)]).await;
        says(&app.findings(tenant).await, "entry 4 is missing");
        assert!(!app.findings(&app.beta).await.is_empty());
    }

    /// A chain that was rewritten with its head agrees with itself; not with what was noted earlier.
    async fn a_chain_that_was_cut_does_not_fit_its_anchor(app: TestApp) {
        let tenant = &app.alpha;
        app.sealed(tenant, 5).await;
        let head = app.agrees(tenant).await.head.unwrap();
        let (_, hash) = app.place(tenant, 3).await;
        let early = Anchor { seq: 3, hash: hash.clone() };
        let noted = [early.clone(), head.clone()];
        assert!(verify(&app.app, tenant.id, &noted).await.unwrap().agrees());
        app.tamper(tenant, "DELETE FROM audit_logs WHERE chain_seq > 3 AND tenant_id = ?", vec![]).await;
        let sql = "UPDATE audit_chains SET last_seq = 3, hash = ? WHERE tenant_id = ?";
        app.tamper(tenant, sql, vec![hash.into()]).await;
        assert!(verify(&app.app, tenant.id, &[early]).await.unwrap().agrees());
        let report = verify(&app.app, tenant.id, std::slice::from_ref(&head)).await.unwrap();
        says(&report.findings, "what was noted earlier names place 5, beyond the chain's end");
        // Going on from there does not bring it back.
        app.append(tenant, 3).await;
        seal_all(&app.app).await.unwrap();
        assert!(app.verified(tenant).await.agrees());
        let report = verify(&app.app, tenant.id, std::slice::from_ref(&head)).await.unwrap();
        says(&report.findings, "does not have the hash that what was noted earlier names");
        assert_eq!(head.to_string().parse(), Ok(head));
        assert!("5:abc".parse::<Anchor>().is_err() && "x".parse::<Anchor>().is_err());
    }

    async fn nothing_is_sealed_over_a_missing_head(app: TestApp) {
        let tenant = &app.alpha;
        app.sealed(tenant, 2).await;
        app.tamper(tenant, "DELETE FROM audit_chains WHERE tenant_id = ?", vec![]).await;
        app.append(tenant, 1).await;
        app.append(&app.beta, 1).await;
        assert!(seal_all(&app.app).await.is_err());
        assert_eq!(app.verified(tenant).await.unsealed, 1);
        // The others are sealed all the same.
        assert_eq!(app.agrees(&app.beta).await.unsealed, 0);
    }

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

    async fn the_command_says_where_it_does_not_agree(app: TestApp) {
        let tenant = &app.alpha;
        app.sealed(tenant, 3).await;
        app.append(tenant, 2).await;
        let verdict = verified_by_command(&app, "audit --tenant alpha").await;
        let head = app.agrees(tenant).await.head.unwrap();
        let agrees =
            format!("alpha: agrees; 3 sealed, 2 not sealed yet, 0 erased, 0 months closed, head {head}");
        assert_eq!(verdict.lines, [agrees]);
        assert!(verdict.broken.is_empty());
        let sql = "DELETE FROM audit_logs WHERE chain_seq = 2 AND tenant_id = ?";
        app.tamper(tenant, sql, vec![]).await;
        let verdict = verified_by_command(&app, "audit").await;
        assert_eq!(verdict.broken, ["alpha"]);
        assert!(verdict.lines[0].starts_with("alpha: DOES NOT AGREE; 2 sealed"), "{verdict:?}");
        assert_eq!(verdict.lines[1], "  entry 2 is missing");
        assert!(verdict.lines[2].starts_with("beta: agrees"), "{verdict:?}");
        let words = format!("audit --tenant alpha --anchor {head}");
        assert_eq!(verified_by_command(&app, &words).await.broken, ["alpha"]);
    }
}

/// What `pulso verify` finds.
async fn verified_by_command(app: &TestApp, words: &str) -> pulso::cli::verify::Verdict {
    #[derive(clap::Parser)]
    struct CommandLine {
        #[command(subcommand)]
        what: pulso::cli::verify::Verify,
    }
    let words = std::iter::once("verify").chain(words.split_whitespace());
    let what = <CommandLine as clap::Parser>::try_parse_from(words).unwrap().what;
    pulso::cli::verify::execute(&app.app, what).await.unwrap()
}

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
