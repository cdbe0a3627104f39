//! Any later change of the trail is found.

use super::{says, verified_by_command};
use crate::support::TestApp;
use crate::support::both_databases;
use crate::support::now;
use chrono::TimeDelta;
use pulso::audit::sealer::seal_all;
use pulso::audit::verify::Anchor;
use pulso::audit::verify::verify;
use pulso::db::Value;
use serde_json::json;

both_databases! {
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
