//! Imports without ceremony: files and mappings in temporary folders, and what a report says.

use std::path::{Path, PathBuf};

use pulso::access::SystemHandle;
use pulso::db::{Statement, Value};
use pulso::import::{self, Order, Report, StepReport, Watch};
use serde_json::{Value as Json, json};
use tempfile::TempDir;

use super::TestApp;
use super::seed::Tenant;
use super::sources::root;

/// Nobody looks.
struct Unwatched;

impl Watch for Unwatched {
    fn begin(&mut self, _step: &str, _bytes: u64) {}
    fn reached(&mut self, _bytes: u64, _rows: u64) {}
    fn end(&mut self) {}
}

/// A folder with CSV files, a mapping and a place for errors that is not among them.
pub struct Files {
    pub folder: TempDir,
    pub elsewhere: TempDir,
}

impl Files {
    pub fn new(mapping: &str, files: &[(&str, &str)]) -> Self {
        let (folder, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::fs::write(elsewhere.path().join("m.toml"), mapping).unwrap();
        let made = Self { folder, elsewhere };
        files.iter().for_each(|(name, text)| made.write(name, text));
        made
    }

    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.folder.path().join(name), text).unwrap();
    }

    pub fn mapping(&self) -> PathBuf {
        self.elsewhere.path().join("m.toml")
    }

    pub fn errors(&self) -> PathBuf {
        self.elsewhere.path().join("errors.csv")
    }

    /// Lines of the file of refused rows, without its header.
    pub fn refused(&self) -> Vec<String> {
        let Ok(text) = std::fs::read_to_string(self.errors()) else { return Vec::new() };
        text.lines().skip(1).map(str::to_owned).collect()
    }

    pub async fn import(&self, app: &TestApp, tenant: &Tenant) -> Report {
        self.run(app, tenant, false).await
    }

    pub async fn run(&self, app: &TestApp, tenant: &Tenant, dry_run: bool) -> Report {
        run(app, tenant, (&self.mapping(), self.folder.path()), &self.errors(), dry_run).await
    }
}

pub async fn run(
    app: &TestApp,
    tenant: &Tenant,
    (mapping, folder): (&Path, &Path),
    errors: &Path,
    dry_run: bool,
) -> Report {
    let prepared = import::prepare(mapping, folder).unwrap_or_else(|problems| panic!("{problems}"));
    let order = Order { tenant: tenant.slug.to_owned(), dry_run, errors: errors.to_path_buf() };
    import::run(&app.app, &prepared, &order, &mut Unwatched).await.unwrap()
}

/// The folder of a public data set, or nothing where the variable says that it may be absent.
#[expect(clippy::disallowed_methods, reason = "whoever runs the tests says what is not there")]
pub fn shared_data(name: &str) -> Option<PathBuf> {
    let folder = root().join("../shared/data").join(name);
    if folder.is_dir() {
        return Some(folder);
    }
    assert!(
        std::env::var_os("PULSO_TEST_WITHOUT_SHARED_DATA").is_some(),
        "{} is absent: these tests import real data from there; set \
         PULSO_TEST_WITHOUT_SHARED_DATA=1 to go without",
        folder.display()
    );
    None
}

pub fn example(name: &str) -> PathBuf {
    root().join("examples/import").join(name)
}

/// A step that took every row in one way.
#[track_caller]
pub fn assert_step(report: &Report, name: &str, expected: &[(&str, u64)]) {
    let step = report.step(name).unwrap_or_else(|| panic!("no step {name}"));
    for (what, number) in expected {
        let found = number_of(step, what);
        assert_eq!(found, *number, "{what} of {name}\n{}", report.lines().join("\n"));
    }
}

pub fn number_of(step: &StepReport, what: &str) -> u64 {
    match what {
        "read" => step.read,
        "created" => step.created,
        "updated" => step.updated,
        "unchanged" => step.unchanged,
        "skipped" => step.skipped,
        "repeated" => step.repeated,
        "deleted" => step.deleted,
        "missing" => step.missing,
        "refused" => step.refused,
        "linked" => step.linked,
        "unlinked" => step.unlinked,
        counted => {
            let found = step.counts.iter().find(|(name, _)| name == counted);
            found.unwrap_or_else(|| panic!("nothing counts {counted}")).1
        }
    }
}

/// The numbers of every step without what the second run of the same import may change.
pub fn all_unchanged(report: &Report) {
    for step in &report.steps {
        assert_eq!(step.unchanged, step.read, "{}\n{}", step.name, report.lines().join("\n"));
        assert_eq!((step.linked, step.refused), (0, 0), "{}", step.name);
    }
}

impl TestApp {
    /// How many rows a tenant has in a table.
    pub async fn rows_in(&self, tenant: &Tenant, table: &str) -> i64 {
        self.number(tenant, &format!("SELECT COUNT(*) FROM {table}")).await
    }

    pub async fn number(&self, tenant: &Tenant, select: &str) -> i64 {
        let conn = self.app.db.single_read().await.unwrap();
        let mark = conn.dialect().placeholder(1);
        let sql = format!("{select} WHERE tenant_id = {mark}");
        let statement = Statement::new(sql, vec![Value::Id(tenant.id)]);
        let system = SystemHandle::for_tenant(tenant.id);
        let row = conn.row(&system, &statement).await.unwrap().unwrap();
        row.int(0).unwrap().unwrap_or_default()
    }

    /// Everything that an import could have left behind: rows, versions, audit, events, outbox.
    pub async fn traces(&self, tenant: &Tenant) -> Vec<i64> {
        let mut traces = Vec::new();
        for table in ["companies", "leads", "deals", "users", "org_units"] {
            traces.push(self.rows_in(tenant, table).await);
            let versions = format!("SELECT CAST(COALESCE(SUM(version), 0) AS bigint) FROM {table}");
            traces.push(self.number(tenant, &versions).await);
        }
        for table in ["audit_logs", "events", "event_batches", "outbox", "deal_stage_changes"] {
            traces.push(self.rows_in(tenant, table).await);
        }
        traces.push(self.number(tenant, "SELECT CAST(SUM(value) AS bigint) FROM epochs").await);
        traces
    }

    pub async fn ask(&self, tenant: &Tenant, query: &str) -> Json {
        self.data(&tenant.admin.key, query, json!({})).await
    }
}

/// Leads by their ids, with a state that is set once.
pub const LEADS: &str = r#"
system = "tests"
[[step]]
name = "leads"
file = "leads.csv"
record = "Lead"
[step.fields]
externalId = "id"
name = "name"
source = "source"
[step.fields.metadata.json]
page = "page"
[step.on_create]
status = { value = "NEW" }
"#;
