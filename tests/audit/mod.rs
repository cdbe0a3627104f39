//! The audit trail: sealed within a second and in any company, and no later change of it stays
//! unseen; a person can be forgotten; who may read it.

mod finding;
mod people;
mod sealing;

use crate::support::Backend;
use crate::support::TestApp;
use crate::support::seed::Tenant;
use pulso::access::SystemHandle;
use pulso::audit;
use pulso::audit::Author;
use pulso::audit::Entry;
use pulso::audit::sealer::seal_all;
use pulso::audit::verify::Report;
use pulso::audit::verify::verify;
use pulso::ctx::Origin;
use pulso::db::Value;
use serde_json::json;
use uuid::Uuid;

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
