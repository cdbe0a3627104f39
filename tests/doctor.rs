//! `pulso doctor`, as an operator runs it.

use crate::support::node::pulso;
use crate::support::{Backend, TestApp, both_databases};

both_databases! {
    async fn the_doctor_tells_what_the_database_is(app: TestApp) {
        let elsewhere = tempfile::tempdir().unwrap();
        let output =
            pulso(app.database.url(), elsewhere.path()).arg("doctor").output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
        let expected: &[&str] = match app.database.backend {
            Backend::Sqlite => &["version 3.", "full-text search"],
            Backend::Postgres => &[
                "version 1",
                "connections; its clock is off by",
                "extension pg_trgm 1.",
                "audit_logs: 5 partitions, audit_logs_2026_02 to audit_logs_2026_06",
                "events: 5 partitions",
                "event_ids: 8 partitions",
            ],
        };
        for words in expected.iter().chain(&["0 pending", "rate_key_per_minute"]) {
            assert!(said.contains(words), "{words}\n{said}");
        }
        assert!(!said.contains("NTP"), "the same machine has the same time\n{said}");
    }
}
