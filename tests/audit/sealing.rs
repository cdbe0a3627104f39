//! Entries are sealed into one chain per tenant, in any company and month by month.

use super::{entry, says};
use crate::support::Backend;
use crate::support::TestApp;
use crate::support::app::build;
use crate::support::both_databases;
use crate::support::now;
use chrono::TimeDelta;
use pulso::access::SystemHandle;
use pulso::audit;
use pulso::audit::Author;
use pulso::audit::sealer::seal_all;
use pulso::audit::sealer::seal_tenant;
use pulso::clock::Clock;
use pulso::ctx::Origin;
use pulso::db::Value;
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use tokio::task::JoinSet;

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
}
