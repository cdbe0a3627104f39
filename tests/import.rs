//! `pulso import`: the two public data sets with their totals, the same import run twice, dry runs,
//! refused rows, references to later rows, and what must not be touched.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use pulso::access::SystemHandle;
use pulso::db::{Statement, Value};
use pulso::import::{self, Order, Report, StepReport, Watch};
use serde_json::{Value as Json, json};
use tempfile::TempDir;

use crate::support::seed::Tenant;
use crate::support::sources::root;
use crate::support::{TestApp, both_databases};

/// Nobody looks.
struct Unwatched;

impl Watch for Unwatched {
    fn begin(&mut self, _step: &str, _bytes: u64) {}
    fn reached(&mut self, _bytes: u64, _rows: u64) {}
    fn end(&mut self) {}
}

/// A folder with CSV files, a mapping and a place for errors that is not among them.
struct Files {
    folder: TempDir,
    elsewhere: TempDir,
}

impl Files {
    fn new(mapping: &str, files: &[(&str, &str)]) -> Self {
        let (folder, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::fs::write(elsewhere.path().join("m.toml"), mapping).unwrap();
        let made = Self { folder, elsewhere };
        files.iter().for_each(|(name, text)| made.write(name, text));
        made
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.folder.path().join(name), text).unwrap();
    }

    fn mapping(&self) -> PathBuf {
        self.elsewhere.path().join("m.toml")
    }

    fn errors(&self) -> PathBuf {
        self.elsewhere.path().join("errors.csv")
    }

    /// Lines of the file of refused rows, without its header.
    fn refused(&self) -> Vec<String> {
        let Ok(text) = std::fs::read_to_string(self.errors()) else { return Vec::new() };
        text.lines().skip(1).map(str::to_owned).collect()
    }

    async fn import(&self, app: &TestApp, tenant: &Tenant) -> Report {
        self.run(app, tenant, false).await
    }

    async fn run(&self, app: &TestApp, tenant: &Tenant, dry_run: bool) -> Report {
        run(app, tenant, (&self.mapping(), self.folder.path()), &self.errors(), dry_run).await
    }
}

async fn run(
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
fn shared_data(name: &str) -> Option<PathBuf> {
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

fn example(name: &str) -> PathBuf {
    root().join("examples/import").join(name)
}

/// A step that took every row in one way.
#[track_caller]
fn assert_step(report: &Report, name: &str, expected: &[(&str, u64)]) {
    let step = report.step(name).unwrap_or_else(|| panic!("no step {name}"));
    for (what, number) in expected {
        let found = number_of(step, what);
        assert_eq!(found, *number, "{what} of {name}\n{}", report.lines().join("\n"));
    }
}

fn number_of(step: &StepReport, what: &str) -> u64 {
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
fn all_unchanged(report: &Report) {
    for step in &report.steps {
        assert_eq!(step.unchanged, step.read, "{}\n{}", step.name, report.lines().join("\n"));
        assert_eq!((step.linked, step.refused), (0, 0), "{}", step.name);
    }
}

impl TestApp {
    /// How many rows a tenant has in a table.
    async fn rows_in(&self, tenant: &Tenant, table: &str) -> i64 {
        self.number(tenant, &format!("SELECT COUNT(*) FROM {table}")).await
    }

    async fn number(&self, tenant: &Tenant, select: &str) -> i64 {
        let conn = self.app.db.single_read().await.unwrap();
        let mark = conn.dialect().placeholder(1);
        let sql = format!("{select} WHERE tenant_id = {mark}");
        let statement = Statement::new(sql, vec![Value::Id(tenant.id)]);
        let system = SystemHandle::for_tenant(tenant.id);
        let row = conn.row(&system, &statement).await.unwrap().unwrap();
        row.int(0).unwrap().unwrap_or_default()
    }

    /// Everything that an import could have left behind: rows, versions, audit, events, outbox.
    async fn traces(&self, tenant: &Tenant) -> Vec<i64> {
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

    async fn ask(&self, tenant: &Tenant, query: &str) -> Json {
        self.data(&tenant.admin.key, query, json!({})).await
    }
}

// ---- The public data sets ------------------------------------------------------------------------

both_databases! {
    async fn a_hardware_sellers_crm_is_imported_whole(app: TestApp) {
        let Some(data) = shared_data("crm-sales") else { return };
        let errors = tempfile::tempdir().unwrap();
        let files = (example("crm-sales.toml"), data);
        let files = (files.0.as_path(), files.1.as_path());
        let errors = errors.path().join("errors.csv");

        let before = app.traces(&app.alpha).await;
        let rehearsal = run(&app, &app.alpha, files, &errors, true).await;
        assert_eq!(app.traces(&app.alpha).await, before);
        let report = run(&app, &app.alpha, files, &errors, false).await;
        assert_eq!(report.steps, rehearsal.steps);
        assert!(!errors.exists());
        assert_step(&report, "offices", &[("read", 3), ("created", 3)]);
        assert_step(&report, "managers", &[("read", 6), ("created", 6)]);
        assert_step(&report, "agents", &[("read", 35), ("created", 35)]);
        assert_step(&report, "accounts", &[
            ("created", 85), ("refused", 0), ("unlinked", 0), ("linked", 15), ("with_parent", 15),
            ("misspelt_sector", 12), ("misspelt_country", 1),
        ]);
        assert_step(&report, "opportunities", &[
            ("created", 8_800), ("refused", 0), ("no_account", 1_425), ("won", 4_238),
            ("no_close_value", 2_089), ("product_respelt", 1_480), ("lost_for_nothing", 2_473),
        ]);

        let data = app.ask(&app.alpha, r#"{
            all: dealAggregate { count }
            won: dealAggregate(filter: { status: { eq: WON } }) { count sum { value } }
            homeless: deals(first: 1, filter: { companyId: { isNull: true } }) { totalCount }
            companies(first: 1, filter: { name: { eq: "Acme Corporation" } }) { nodes {
                segment annualRevenue currency employees foundedYear country owner { fullName }
                subsidiaries(first: 10) { totalCount } } }
            deals(first: 1, filter: { externalId: { eq: "Z063OYW0" } }) { nodes {
                title value currency status actualCloseDate metadata stage { slug }
                company { name } owner { fullName manager { fullName orgUnit { name } } } } }
        }"#).await;
        assert_eq!(data["all"]["count"], 8_800);
        assert_eq!(data["won"], json!({ "count": 4_238, "sum": { "value": "10005534.00" } }));
        assert_eq!(data["homeless"]["totalCount"], 1_425);
        assert_eq!(data["companies"]["nodes"][0], json!({
            "segment": "technology", "annualRevenue": "1100040000.00", "currency": "USD",
            "employees": 2822, "foundedYear": 1996, "country": "US", "owner": null,
            "subsidiaries": { "totalCount": 4 },
        }));
        assert_eq!(data["deals"]["nodes"][0], json!({
            "title": "Isdom / GTX Pro", "value": "4514.00", "currency": "USD", "status": "WON",
            "actualCloseDate": "2017-03-11", "stage": { "slug": "ganho" },
            "company": { "name": "Isdom" },
            "metadata": { "product": "GTX Pro", "series": "GTX", "listPrice": "4821",
                          "engageDate": "2016-10-25" },
            "owner": { "fullName": "Darcel Schlecht", "manager": {
                "fullName": "Melvin Marxen", "orgUnit": { "name": "Central" } } },
        }));

        let after = app.traces(&app.alpha).await;
        all_unchanged(&run(&app, &app.alpha, files, &errors, false).await);
        assert_eq!(app.traces(&app.alpha).await, after);
        assert_eq!(app.rows_in(&app.beta, "deals").await, 0);
        assert_eq!(app.rows_in(&app.beta, "companies").await, 0);
    }

    async fn a_marketplaces_funnel_is_imported_whole(app: TestApp) {
        let Some(data) = shared_data("olist-funnel") else { return };
        let errors = tempfile::tempdir().unwrap();
        let files = (example("olist-funnel.toml"), data);
        let files = (files.0.as_path(), files.1.as_path());
        let errors = errors.path().join("errors.csv");

        let before = app.traces(&app.alpha).await;
        let rehearsal = run(&app, &app.alpha, files, &errors, true).await;
        assert_eq!(app.traces(&app.alpha).await, before);
        let report = run(&app, &app.alpha, files, &errors, false).await;
        assert_eq!(report.steps, rehearsal.steps);
        assert!(!errors.exists());
        assert_step(&report, "sellers", &[("created", 3_095), ("odd_city", 28)]);
        assert_step(&report, "leads", &[("created", 8_000), ("no_origin", 60)]);
        assert_step(&report, "conversions", &[
            ("read", 842), ("updated", 842), ("seller_not_in_file", 462), ("odd_stock", 36),
            ("won_before_first_contact", 1),
        ]);
        assert_step(&report, "deals", &[("created", 842)]);

        let data = app.ask(&app.alpha, r#"{
            all: leadAggregate { count }
            converted: leadAggregate(filter: { status: { eq: CONVERTED } }) { count }
            unknown: leadAggregate(filter: { source: { eq: "unknown" } }) { count }
            known: leads(first: 1, filter: { status: { eq: CONVERTED }, companyId: { isNull: false } })
                { totalCount }
            leads(first: 1, filter: { externalId: { eq: "5420aad7fec3549a85876ba1c529bd84" } }) { nodes {
                name source status firstContactAt convertedAt metadata assignee { fullName }
                company { name } deals(first: 2) { nodes { status stage { slug } actualCloseDate } } } }
            companies(first: 1, filter: { addressCity: { eq: "São Bernardo do Campo" } }) {
                nodes { name } }
        }"#).await;
        assert_eq!(data["all"]["count"], 8_000);
        assert_eq!(data["converted"]["count"], 842);
        assert_eq!(data["unknown"]["count"], 1_159);
        assert_eq!(data["known"]["totalCount"], 380);
        let lead = &data["leads"]["nodes"][0];
        assert_eq!(lead["convertedAt"], "2018-02-26T19:58:00Z");
        assert_eq!(lead["metadata"]["segment"], "pet");
        assert!(lead["metadata"]["landingPageId"].is_string(), "{lead}");
        assert_eq!(lead["deals"]["nodes"], json!([
            { "status": "WON", "stage": { "slug": "ganho" }, "actualCloseDate": "2018-02-26" }
        ]));

        let after = app.traces(&app.alpha).await;
        all_unchanged(&run(&app, &app.alpha, files, &errors, false).await);
        assert_eq!(app.traces(&app.alpha).await, after);
    }
}

// ---- Rows ----------------------------------------------------------------------------------------

const LEADS: &str = r#"
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

const CONVERSIONS: &str = r#"
system = "tests"
[[step]]
name = "conversions"
file = "won.csv"
record = "Lead"
mode = "update"
missing = "skip"
[step.fields]
externalId = "id"
status = { value = "CONVERTED" }
convertedAt = { column = "at", date = "%d-%m-%Y %H:%M" }
[step.fields.metadata.json]
segment = "segment"
"#;

async fn lead_of(app: &TestApp, external_id: &str) -> Json {
    let query = format!(
        "{{ leads(first: 2, deleted: INCLUDE, filter: {{ externalId: {{ eq: \"{external_id}\" }} }}) \
         {{ nodes {{ id name source status version metadata convertedAt }} }} }}"
    );
    let mut data = app.ask(&app.alpha, &query).await;
    assert_eq!(data["leads"]["nodes"].as_array().unwrap().len(), 1, "{external_id}");
    data["leads"]["nodes"][0].take()
}

both_databases! {
    async fn a_status_does_not_fall_back(app: TestApp) {
        let files = Files::new(LEADS, &[("leads.csv", "id,name,source,page\n1,Ana,site,p\n2,Bia,site,q\n")]);
        assert_step(&files.import(&app, &app.alpha).await, "leads", &[("created", 2)]);
        let lead = lead_of(&app, "1").await;
        let moved = format!(
            "mutation {{ leadUpdate(id: {}, input: {{ status: CONTACTED }}) {{ version }} }}",
            lead["id"]
        );
        app.ask(&app.alpha, &moved).await;
        let before = app.traces(&app.alpha).await;
        assert_step(&files.import(&app, &app.alpha).await, "leads", &[("unchanged", 2)]);
        assert_eq!(app.traces(&app.alpha).await, before);
        assert_eq!(lead_of(&app, "1").await["status"], "CONTACTED");

        files.write("leads.csv", "id,name,source,page\n1,Ana Maria,site,p\n2,Bia,site,q\n");
        let report = files.import(&app, &app.alpha).await;
        assert_step(&report, "leads", &[("updated", 1), ("unchanged", 1)]);
        let lead = lead_of(&app, "1").await;
        assert_eq!((&lead["name"], &lead["status"]), (&json!("Ana Maria"), &json!("CONTACTED")));
        assert_eq!(lead["version"], 3);
    }

    async fn a_second_file_updates_what_the_first_created(app: TestApp) {
        let first = Files::new(LEADS, &[("leads.csv", "id,name,source,page\n1,Ana,site,p\n2,Bia,site,q\n")]);
        let second = Files::new(CONVERSIONS, &[(
            "won.csv",
            "id,at,segment\n1,26-02-2018 19:58,pet\n7,26-02-2018 20:00,toys\n",
        )]);
        first.import(&app, &app.alpha).await;
        let report = second.import(&app, &app.alpha).await;
        assert_step(&report, "conversions", &[("updated", 1), ("missing", 1), ("refused", 0)]);
        let lead = lead_of(&app, "1").await;
        assert_eq!(lead["status"], "CONVERTED");
        assert_eq!(lead["convertedAt"], "2018-02-26T22:58:00Z");
        assert_eq!(lead["metadata"], json!({ "page": "p", "segment": "pet" }));
        assert_eq!(app.rows_in(&app.alpha, "leads").await, 2);
        // The two sources do not take each other's part back.
        let before = app.traces(&app.alpha).await;
        first.import(&app, &app.alpha).await;
        second.import(&app, &app.alpha).await;
        assert_eq!(app.traces(&app.alpha).await, before);
    }

    async fn a_deleted_row_stays_deleted(app: TestApp) {
        let files = Files::new(LEADS, &[("leads.csv", "id,name,source,page\n1,Ana,site,p\n2,Bia,site,q\n")]);
        files.import(&app, &app.alpha).await;
        let lead = lead_of(&app, "2").await;
        app.ask(&app.alpha, &format!("mutation {{ leadDelete(id: {}) {{ id }} }}", lead["id"])).await;
        let before = app.traces(&app.alpha).await;
        let report = files.import(&app, &app.alpha).await;
        assert_step(&report, "leads", &[("unchanged", 1), ("deleted", 1), ("refused", 0)]);
        assert_eq!(app.traces(&app.alpha).await, before);
    }

    async fn only_the_rows_that_are_wrong_are_refused(app: TestApp) {
        let mapping = LEADS.replace(
            "source = \"source\"",
            "source = \"source\"\nscore = \"score\"\nfirstContactAt = { column = \"at\", date = \"%d/%m/%Y\" }",
        );
        let long = "x".repeat(60);
        let text = format!(
            "id,name,source,page,score,at\n1,Ana,site,,10,01/02/2018\n2,Bia,site,,101,\n3,Caio,site,,ten,\n\
             4,Davi,{long},,1,\n5,Eva,site,,1,31/02/2018\n,Fabi,site,,1,\n7,Gil,site,,1\n1,Again,site,,1,\n\
             9,\"Hugo\nSilva\",,,1,\n10,Iara,site,,1,\n"
        );
        let files = Files::new(&mapping, &[("leads.csv", &text)]);
        let report = files.import(&app, &app.alpha).await;
        assert_step(&report, "leads", &[("read", 10), ("created", 2), ("refused", 8)]);
        assert_eq!(files.refused(), [
            "leads,leads.csv,3,2,INVALID,score,must be 0 to 100",
            "leads,leads.csv,4,,INVALID,score,\"\"\"ten\"\" is not a number\"",
            "leads,leads.csv,5,4,INVALID,source,at most 50 characters",
            "leads,leads.csv,6,,INVALID,firstContactAt,\"\"\"31/02/2018\"\" is not a date of the form %d/%m/%Y\"",
            "leads,leads.csv,7,,INVALID,externalId,names the row and is empty",
            "leads,leads.csv,8,,INVALID,,\"has 5 columns, the header 6\"",
            "leads,leads.csv,9,1,CONFLICT,,line 2 has the same key",
            "leads,leads.csv,10,9,INVALID,source,source is required",
        ]);
        assert_eq!(std::fs::read_dir(files.folder.path()).unwrap().count(), 1, "beside the data");
        assert_eq!(app.rows_in(&app.alpha, "leads").await, 2);
    }

    async fn what_the_database_refuses_refuses_one_row_only(app: TestApp) {
        let mapping = "system = \"tests\"\n[[step]]\nname = \"companies\"\nfile = \"c.csv\"\n\
                       record = \"Company\"\n[step.fields]\nexternalId = \"id\"\nname = \"name\"\ncnpj = \"cnpj\"\n";
        let taken = "11.222.333/0001-81";
        let mut text = "id,name,cnpj\n".to_owned();
        for number in 1..=40 {
            let cnpj = if [7, 19, 33].contains(&number) { taken } else { "" };
            text.push_str(&format!("{number},Company {number},{cnpj}\n"));
        }
        let files = Files::new(mapping, &[("c.csv", &text)]);
        let report = files.import(&app, &app.alpha).await;
        assert_step(&report, "companies", &[("created", 38), ("refused", 2)]);
        assert_eq!(files.refused(), [
            "companies,c.csv,20,19,CONFLICT,cnpj,this value is already taken",
            "companies,c.csv,34,33,CONFLICT,cnpj,this value is already taken",
        ]);
        assert_eq!(app.rows_in(&app.alpha, "companies").await, 38);
        assert_eq!(app.rows_in(&app.alpha, "events").await, 38);
        assert_eq!(app.rows_in(&app.alpha, "audit_logs").await, 38);
    }

    async fn parents_may_come_after_their_children(app: TestApp) {
        let mapping = "system = \"tests\"\n[[step]]\nname = \"companies\"\nfile = \"c.csv\"\n\
                       record = \"Company\"\n[step.fields]\nexternalId = \"id\"\nname = \"id\"\n\
                       parentId = { lookup = \"Company\", column = \"parent\", deferred = true }\n";
        let files = Files::new(mapping, &[("c.csv", "id,parent\na,c\nb,\nc,b\nd,nobody\n")]);
        let report = files.import(&app, &app.alpha).await;
        assert_step(&report, "companies", &[
            ("created", 4), ("linked", 2), ("unlinked", 1), ("refused", 0),
        ]);
        assert_eq!(report.refused(), 1);
        assert_eq!(
            files.refused(),
            ["companies,c.csv,5,d,NOT_FOUND,parentId,\"there is no Company \"\"nobody\"\"\""]
        );
        let data = app.ask(&app.alpha,
            "{ companies(first: 9, orderBy: [{ field: NAME, direction: ASC }]) { nodes { name parent { name } } } }",
        ).await;
        assert_eq!(data["companies"]["nodes"], json!([
            { "name": "a", "parent": { "name": "c" } },
            { "name": "b", "parent": null },
            { "name": "c", "parent": { "name": "b" } },
            { "name": "d", "parent": null },
        ]));
    }

    async fn a_dry_run_knows_the_rows_it_would_make(app: TestApp) {
        let mapping = format!("{LEADS}\n{}", CONVERSIONS.replace("system = \"tests\"", ""));
        let files = Files::new(&mapping, &[
            ("leads.csv", "id,name,source,page\n1,Ana,site,p\n2,Bia,,q\n"),
            ("won.csv", "id,at,segment\n1,26-02-2018 19:58,pet\n"),
        ]);
        let before = app.traces(&app.alpha).await;
        let rehearsal = files.run(&app, &app.alpha, true).await;
        assert_eq!(app.traces(&app.alpha).await, before);
        assert_eq!(files.refused().len(), 1);
        assert_step(&rehearsal, "leads", &[("created", 1), ("refused", 1)]);
        assert_step(&rehearsal, "conversions", &[("updated", 1)]);
        assert_eq!(files.import(&app, &app.alpha).await.steps, rehearsal.steps);
    }

    async fn a_tenant_imports_for_itself_alone(app: TestApp) {
        let files = Files::new(LEADS, &[("leads.csv", "id,name,source,page\n1,Ana,site,p\n")]);
        let before = app.traces(&app.beta).await;
        files.import(&app, &app.alpha).await;
        assert_eq!(app.traces(&app.beta).await, before);
        let report = files.import(&app, &app.beta).await;
        assert_step(&report, "leads", &[("created", 1)]);
        assert_eq!(app.rows_in(&app.alpha, "leads").await, 1);
        // A look-up does not see another tenant's rows either.
        let mapping = LEADS.replace("name = \"name\"", "companyId = { lookup = \"Company\", column = \"name\" }");
        let files = Files::new(&mapping, &[("leads.csv", "id,name,source,page\n5,Foreign,site,p\n")]);
        app.company(&app.beta, "Foreign", &[
            ("external_system", "tests".into()), ("external_id", "Foreign".into()),
        ]).await;
        assert_step(&files.import(&app, &app.alpha).await, "leads", &[("refused", 1)]);
    }

    async fn people_go_on_writing_meanwhile(app: TestApp) {
        let mut text = "id,name,source,page\n".to_owned();
        (0..3_000).for_each(|number| text.push_str(&format!("{number},Lead {number},site,\n")));
        let files = Files::new(LEADS, &[("leads.csv", &text)]);
        let create = "mutation { leadCreate(input: { source: \"hand\", name: \"By hand\" }) { id } }";
        let by_hand = async {
            for _ in 0..20 {
                app.ask(&app.alpha, create).await;
            }
        };
        let (report, ()) = tokio::join!(files.import(&app, &app.alpha), by_hand);
        assert_step(&report, "leads", &[("created", 3_000), ("refused", 0)]);
        let data = app.ask(&app.alpha, "{ leadAggregate { count } }").await;
        assert_eq!(data["leadAggregate"]["count"], 3_020);
    }
}

// ---- The command ---------------------------------------------------------------------------------

fn pulso(app: &TestApp, files: &Files, more: &[&str]) -> Output {
    command(app, files, more).output().unwrap()
}

fn command(app: &TestApp, files: &Files, more: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pulso"));
    command
        .args(["import", "--tenant", "alpha", "--mapping"])
        .arg(files.mapping())
        .args(more)
        .arg(files.folder.path())
        .current_dir(files.elsewhere.path())
        .env_clear()
        .env("DATABASE_URL", app.database.url())
        .env("PULSO_JWT_SECRET", "only for tests: 32 bytes at the very least")
        .env("PULSO_LOG_LEVEL", "warn");
    command
}

fn code_and_words(output: &Output) -> (Option<i32>, String, String) {
    let words = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), words(&output.stdout), words(&output.stderr))
}

both_databases! {
    async fn the_exit_code_says_whether_rows_were_refused(app: TestApp) {
        let good = "id,name,source,page\n1,Ana,site,p\n";
        let files = Files::new(LEADS, &[("leads.csv", good)]);
        let default_errors = files.elsewhere.path().join("import-errors.csv");

        let (code, report, complaint) = code_and_words(&pulso(&app, &files, &["--dry-run"]));
        assert_eq!((code, complaint.as_str()), (Some(0), ""), "{report}");
        assert!(report.contains("dry run"), "{report}");
        assert_eq!(app.rows_in(&app.alpha, "leads").await, 0);

        let (code, report, complaint) = code_and_words(&pulso(&app, &files, &[]));
        assert_eq!((code, complaint.as_str()), (Some(0), ""), "{report}");
        assert!(report.starts_with("step"), "{report}");
        assert!(!default_errors.exists());

        files.write("leads.csv", "id,name,source,page\n1,Ana,site,p\n2,Bia,,p\n");
        let (code, report, complaint) = code_and_words(&pulso(&app, &files, &[]));
        assert_eq!(code, Some(2), "{report}{complaint}");
        assert!(complaint.contains("1 row was refused: see ./import-errors.csv"), "{complaint}");
        let refused = std::fs::read_to_string(&default_errors).unwrap();
        assert_eq!(
            refused,
            "step,file,line,key,code,field,reason\n\
             leads,leads.csv,3,2,INVALID,source,source is required\n"
        );

        let named = files.elsewhere.path().join("named.csv");
        let (code, ..) = code_and_words(&pulso(&app, &files, &["--errors", named.to_str().unwrap()]));
        assert_eq!((code, named.exists()), (Some(2), true));

        std::fs::remove_file(files.folder.path().join("leads.csv")).unwrap();
        let (code, _, complaint) = code_and_words(&pulso(&app, &files, &[]));
        assert_eq!(code, Some(1), "{complaint}");
        assert!(complaint.contains("leads.csv: cannot be read"), "{complaint}");
    }
}

both_databases! {
    async fn an_import_that_was_killed_is_started_again(app: TestApp) {
        let mut text = "id,name,source,page\n".to_owned();
        (0..5_000).for_each(|number| text.push_str(&format!("{number},Lead {number},site,\n")));
        let files = Files::new(LEADS, &[("leads.csv", &text)]);
        let mut child = command(&app, &files, &[]).stdout(Stdio::null()).spawn().unwrap();
        while app.rows_in(&app.alpha, "leads").await == 0 {
            assert!(child.try_wait().unwrap().is_none(), "it ended before it could be killed");
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let kept = u64::try_from(app.rows_in(&app.alpha, "leads").await).unwrap();
        assert_eq!(kept % 500, 0, "half a batch was kept");
        let report = files.import(&app, &app.alpha).await;
        assert_step(&report, "leads", &[("unchanged", kept), ("created", 5_000 - kept)]);
        for table in ["leads", "audit_logs", "events"] {
            assert_eq!(app.rows_in(&app.alpha, table).await, 5_000, "{table}");
        }
    }
}

#[test]
fn mistakes_of_mapping_and_files_are_told_at_once() {
    let mapping = r#"
        system = "tests"
        [tables.pages]
        file = "pages.csv"
        key = "page_id"
        [[step]]
        name = "leads"
        file = "leads.csv"
        record = "Lead"
        [step.join]
        pages = "page"
        [step.fields]
        externalId = "id"
        source = "origin"
        name = ["{first} {last}", "pages.title"]
        [step.count]
        odd = { column = "colour", empty = true }
        [[step]]
        name = "gone"
        file = "gone.csv"
        record = "Lead"
        [step.fields]
        externalId = "id"
        source = "id"
    "#;
    let files =
        Files::new(mapping, &[("leads.csv", "id,page,first\n"), ("pages.csv", "page_id\n")]);
    let problems = import::prepare(&files.mapping(), files.folder.path()).err().unwrap();
    let told: Vec<String> = problems
        .iter()
        .map(|problem| format!("{}: {}", problem.place, problem.message.en))
        .collect();
    assert_eq!(
        told[1..],
        [
            "m.toml: step \"leads\".fields.name: leads.csv has no column \"last\"",
            "m.toml: step \"leads\".fields.name: pages.csv has no column \"title\"",
            "m.toml: step \"leads\".fields.source: leads.csv has no column \"origin\"",
            "m.toml: step \"leads\".count.odd: leads.csv has no column \"colour\"",
        ]
    );
    assert!(told[0].starts_with("gone.csv: cannot be read: "), "{}", told[0]);
    assert!(problems.to_string().starts_with("the import cannot begin, 5 mistakes:\n"));
}

#[test]
fn the_examples_are_understood() {
    let Some(data) = shared_data("crm-sales") else { return };
    for (mapping, folder) in
        [("crm-sales.toml", "crm-sales"), ("olist-funnel.toml", "olist-funnel")]
    {
        let folder = data.parent().unwrap().join(folder);
        if let Err(problems) = import::prepare(&example(mapping), &folder) {
            panic!("{problems}");
        }
    }
}
