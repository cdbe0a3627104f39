//! Roles for direct SQL readers: what they see of one tenant, everything they cannot do, and that the
//! server notices nothing of them. With `psql`, where the machine has it.

use std::collections::BTreeSet;
use std::process::Command;
use std::str::FromStr as _;
use std::sync::Arc;

use pulso::access::{Permissions, SystemHandle};
use pulso::app::App;
use pulso::cli::admin::{Admin, Answer};
use pulso::cli::bi_role::views_for;
use pulso::clock::Clock;
use pulso::db::bi::views::View;
use pulso::db::{Db, Statement, Value, migrate};
use pulso::error::{Code, Error, Result};
use pulso::identity::tenant::service::{TenantOptions, create as create_tenant};
use serde_json::{Value as Json, json};
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection, Row as _};
use uuid::Uuid;

use crate::support::app::{build, now};
use crate::support::data::{self, Random, id_of, records};
use crate::support::database::migrated_at;
use crate::support::seed::Tenant;
use crate::support::sources::root;
use crate::support::{Backend, Fixture, TestApp, TestDb};

/// A role that somebody signs in with.
struct Sql {
    options: PgConnectOptions,
    role: String,
}

impl Sql {
    /// Runs statements one after another, each in a transaction of its own; rows as lines, columns
    /// divided by `|`.
    async fn ask(&self, statements: &[&str]) -> std::result::Result<String, String> {
        let mut psql = Command::new("psql");
        psql.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"]);
        for statement in statements {
            psql.args(["-c", statement]);
        }
        psql.env("PGHOST", self.options.get_host())
            .env("PGPORT", self.options.get_port().to_string())
            .env("PGDATABASE", self.options.get_database().unwrap())
            .env("PGUSER", &self.role);
        if let Some(socket) = self.options.get_socket() {
            psql.env("PGHOST", socket);
        }
        let Ok(output) = psql.output() else { return self.ask_without_psql(statements).await };
        let text = |bytes| String::from_utf8(bytes).unwrap().trim_end().to_owned();
        if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) }
    }

    async fn ask_without_psql(&self, statements: &[&str]) -> std::result::Result<String, String> {
        let options = self.options.clone().username(&self.role);
        let mut session = PgConnection::connect_with(&options).await.unwrap();
        let mut lines = Vec::new();
        for statement in statements {
            let sql = AssertSqlSafe((*statement).to_owned());
            let rows = session.fetch_all(sqlx::raw_sql(sql)).await;
            for row in rows.map_err(|error| error.to_string())? {
                let cells = (0..row.len()).map(|place| {
                    let cell: Option<String> = row.try_get_unchecked(place).unwrap();
                    cell.unwrap_or_default()
                });
                lines.push(cells.collect::<Vec<_>>().join("|"));
            }
        }
        Ok(lines.join("\n"))
    }

    #[track_caller]
    fn read(&self, sql: &str) -> impl Future<Output = String> {
        let caller = std::panic::Location::caller();
        async move {
            let answer = self.ask(&[sql]).await;
            answer.unwrap_or_else(|error| panic!("{caller}: {sql}\n{error}"))
        }
    }

    async fn ids(&self, view: &str) -> BTreeSet<String> {
        self.read(&format!("SELECT id FROM {view}")).await.lines().map(str::to_owned).collect()
    }

    async fn columns(&self, schema: &str, view: &str) -> Vec<String> {
        let sql = format!(
            "SELECT attname FROM pg_attribute WHERE attnum > 0 AND attrelid = \
             to_regclass('{schema}.{view}') ORDER BY attnum"
        );
        self.read(&sql).await.lines().map(str::to_owned).collect()
    }
}

fn names(view: &View) -> Vec<&str> {
    view.columns.iter().map(|column| column.name).collect()
}

/// One application on PostgreSQL, and a session of its administrator. Roles belong to the whole
/// server, so their names begin with the database's.
struct Installation {
    app: Arc<App>,
    options: PgConnectOptions,
    superuser: PgConnection,
}

impl Installation {
    async fn of(app: &Arc<App>, url: &str) -> Self {
        let options = PgConnectOptions::from_str(url).unwrap();
        let superuser = PgConnection::connect_with(&options).await.unwrap();
        Self { app: Arc::clone(app), options, superuser }
    }

    fn name(&self, end: &str) -> String {
        format!("{}_{end}", self.options.get_database().unwrap())
    }

    async fn admin(&self, words: &[&str]) -> Result<Answer> {
        #[derive(clap::Parser)]
        struct CommandLine {
            #[command(subcommand)]
            command: Admin,
        }
        let words = ["pulso", "bi-role"].iter().chain(words);
        let command = <CommandLine as clap::Parser>::try_parse_from(words).unwrap().command;
        Box::pin(pulso::cli::admin::execute(&self.app, command)).await
    }

    async fn refused(&self, words: &[&str]) -> Error {
        match self.admin(words).await {
            Ok(answer) => panic!("{words:?}: {answer:?}"),
            Err(error) => error,
        }
    }

    async fn create(&mut self, tenant: &str, name: &str, more: &[&str]) -> Sql {
        // Of a run that was broken off.
        self.run(&format!("DROP ROLE IF EXISTS {}", quoted(name))).await;
        let mut words = vec!["create", "--tenant", tenant, "--name", name];
        words.extend(more);
        let answer = self.admin(&words).await.unwrap();
        // A password, alone; words beside it go to standard error.
        assert_eq!(answer.lines.len(), 1);
        assert!(answer.lines[0].len() >= 20 && !answer.lines[0].contains(' '));
        Sql { options: self.options.clone(), role: name.to_owned() }
    }

    async fn drop_role(&self, tenant: &str, role: &str) {
        let answer = self.admin(&["drop", "--tenant", tenant, "--name", role]).await.unwrap();
        assert!(answer.lines.is_empty());
    }

    async fn run(&mut self, sql: &str) {
        let done = self.superuser.execute(AssertSqlSafe(sql.to_owned())).await;
        done.unwrap_or_else(|error| panic!("{sql}: {error}"));
    }

    async fn value(&mut self, sql: &str) -> String {
        let row = self.superuser.fetch_one(AssertSqlSafe(sql.to_owned())).await.unwrap();
        row.get(0)
    }
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

async fn installed() -> (TestApp, Installation) {
    let app = TestApp::on(Backend::Postgres).await;
    let installation = Installation::of(&app.app, app.database.url()).await;
    (app, installation)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_see_exactly_the_living_rows_of_their_tenants() {
    let (app, mut at) = installed().await;
    let mut random = Random::new(309);
    let rows = [
        data::fill(&app, &app.alpha, &mut random, 60).await,
        data::fill(&app, &app.beta, &mut random, 60).await,
    ];
    let (alpha, beta) = (at.name("alpha"), at.name("beta"));
    let readers = [at.create("alpha", &alpha, &[]).await, at.create("beta", &beta, &[]).await];
    let views = views_for(None);
    assert_eq!(views.len(), 8);
    for (reader, rows) in readers.iter().zip(&rows) {
        for view in &views {
            let record = records().into_iter().find(|record| record.table == view.name).unwrap();
            let living: BTreeSet<String> = rows.living(record).into_iter().map(id_of).collect();
            assert!(living.len() > 5, "{}", view.name);
            assert!(living.len() < rows.all(record).len(), "{}", view.name);
            // Named and through the search path.
            assert_eq!(reader.ids(view.name).await, living, "{}", view.name);
            assert_eq!(reader.ids(&format!("bi.{}", view.name)).await, living, "{}", view.name);
            assert_eq!(reader.columns("bi", view.name).await, names(view), "{}", view.name);
        }
        let deals = records().into_iter().find(|record| record.name == "Deal").unwrap();
        let total: i64 = rows
            .living(deals)
            .into_iter()
            .map(|row| match row["value"] {
                Value::Int(hundredths) => hundredths,
                _ => 0,
            })
            .sum();
        let shown = reader.read("SELECT (sum(value) * 100)::bigint FROM deals").await;
        assert_eq!(shown, total.to_string());
        let kinds = reader.read("SELECT DISTINCT pg_typeof(value), scale(value) FROM deals").await;
        assert_eq!(kinds, "numeric|2");
    }
    // Personal data, free texts and what credentials are made of are not there at all.
    let shown: Vec<&str> = views.iter().flat_map(names).collect();
    for absent in ["email", "phone", "whatsapp", "notes", "metadata", "content", "password_hash"] {
        assert!(!shown.contains(&absent), "{absent}");
    }
    assert_eq!(readers[0].columns("bi", "users").await, ["id", "full_name", "is_active"]);
    // A suspended tenant's credentials stop, this one too.
    at.run("UPDATE tenants SET suspended_at = now() WHERE slug = 'beta'").await;
    assert_eq!(readers[1].read("SELECT count(*) FROM leads").await, "0");
    assert_ne!(readers[0].read("SELECT count(*) FROM leads").await, "0");
    // What a filter of the reader's own looks at has already passed the barrier.
    app.lead(&app.beta, "SEGREDO", &[]).await;
    at.run("UPDATE tenants SET suspended_at = NULL").await;
    at.run(
        "CREATE FUNCTION public.peek(text) RETURNS boolean COST 0.0000001 LANGUAGE plpgsql AS $$ \
         BEGIN IF $1 = 'SEGREDO' THEN RAISE EXCEPTION 'leaked'; END IF; RETURN true; END $$",
    )
    .await;
    let peek = "SELECT count(*) > 0 FROM leads WHERE public.peek(name)";
    assert_eq!(readers[0].read(peek).await, "t");
    assert!(readers[1].ask(&[peek]).await.unwrap_err().contains("leaked"));
    at.drop_role("alpha", &alpha).await;
    assert_ne!(readers[1].read("SELECT count(*) FROM leads").await, "0");
    at.drop_role("beta", &beta).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_can_only_read_its_views() {
    let (app, mut at) = installed().await;
    let ours = app.company(&app.alpha, "Nossa", &[]).await;
    app.company(&app.beta, "Deles", &[]).await;
    let (alpha, beta) = (at.name("alpha"), at.name("beta"));
    let reader = at.create("alpha", &alpha, &[]).await;
    at.create("beta", &beta, &[]).await;
    // No setting names the tenant.
    let id = app.beta.id;
    for setting in [
        format!("SET app.tenant = '{id}'"),
        format!("SET bi.tenant_id = '{id}'"),
        "SET search_path = public, bi".to_owned(),
        "SET session_replication_role = DEFAULT".to_owned(),
    ] {
        let seen = reader.ask(&[&setting, "SELECT id FROM bi.companies"]).await;
        // Either the setting is refused, or it changes nothing.
        assert_eq!(seen.unwrap_or(ours.to_string()), ours.to_string(), "{setting}");
    }
    let beta_role = quoted(&beta);
    let owner = at.value("SELECT rolname::text FROM pg_roles WHERE rolname LIKE 'pulso_bi_views_%' \
                          AND oid = (SELECT relowner FROM pg_class WHERE oid = 'bi.leads'::regclass)").await;
    let off = "SET default_transaction_read_only = off";
    let writes = "SELECT set_config('default_transaction_read_only', 'off', false)";
    let refused: Vec<Vec<String>> = [
        vec![format!("SET ROLE {beta_role}")],
        vec![format!("SET SESSION AUTHORIZATION {beta_role}")],
        vec![format!("SET ROLE {}", quoted(&owner))],
        vec!["SET ROLE postgres".to_owned()],
        vec!["SET row_security = off".to_owned(), "SELECT * FROM companies".to_owned()],
    ]
    .into_iter()
    .chain(
        [
            "SELECT * FROM public.companies",
            "SELECT id FROM public.companies",
            "SELECT * FROM public.lead_interactions",
            "SELECT * FROM public.tenants",
            "SELECT * FROM public.users",
            "SELECT * FROM public.api_keys",
            "SELECT * FROM public.sessions",
            "SELECT * FROM public.account_tokens",
            "SELECT * FROM public.roles",
            "SELECT * FROM public.audit_logs",
            "SELECT * FROM public.events",
            "SELECT * FROM bi.readers",
            "SELECT role_name FROM bi.readers",
            "SELECT * FROM pg_authid",
            "SELECT * FROM pg_statistic",
            "SELECT pg_read_file('pg_hba.conf')",
            "COPY bi.companies TO '/tmp/companies'",
            "SELECT pg_reload_conf()",
            "SELECT * FROM pg_ls_dir('.')",
        ]
        .map(|sql| vec![sql.to_owned()]),
    )
    .chain(
        [
            "INSERT INTO bi.companies (id) VALUES (gen_random_uuid())",
            "UPDATE bi.companies SET name = 'x'",
            "DELETE FROM bi.companies",
            "DELETE FROM bi.readers",
            "UPDATE public.companies SET name = 'x'",
            "TRUNCATE public.companies",
            "CREATE TABLE bi.mine (n int)",
            "CREATE TABLE public.mine (n int)",
            "CREATE TEMPORARY TABLE mine (n int)",
            "CREATE SCHEMA mine",
            "CREATE FUNCTION pg_temp.f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
            "CREATE VIEW bi.mine AS SELECT 1",
            "CREATE OR REPLACE VIEW bi.companies AS SELECT 1",
            "DROP VIEW bi.companies",
            "ALTER VIEW bi.companies SET (security_barrier = false)",
            "CREATE ROLE mine",
            "CREATE EXTENSION dblink",
            "DROP POLICY bi_tenant ON public.companies",
            "ALTER TABLE public.companies DISABLE ROW LEVEL SECURITY",
            "ALTER ROLE CURRENT_USER BYPASSRLS",
            "ALTER ROLE CURRENT_USER CONNECTION LIMIT -1",
            "COPY bi.companies FROM PROGRAM 'true'",
        ]
        .map(|sql| vec![off.to_owned(), sql.to_owned()]),
    )
    .collect();
    for statements in &refused {
        let words: Vec<&str> = statements.iter().map(String::as_str).collect();
        let outcome = reader.ask(&words).await;
        assert!(outcome.is_err(), "{words:?}: {outcome:?}");
    }
    // PostgreSQL only warns of a grant that gives nothing.
    reader.ask(&[off, "GRANT SELECT ON bi.companies TO PUBLIC"]).await.ok();
    let given = "SELECT has_table_privilege('public', 'bi.companies', 'SELECT')::text";
    assert_eq!(at.value(given).await, "false");
    // As a guard against accidents, it begins read-only, bounded in time and connections.
    assert_eq!(reader.read("SHOW default_transaction_read_only").await, "on");
    assert_eq!(reader.read("SHOW statement_timeout").await, "1min");
    assert!(reader.ask(&[writes, "CREATE TABLE t (n int)"]).await.is_err());
    let own = format!(
        "SELECT concat_ws('|', rolsuper, rolinherit, rolcreaterole, rolcreatedb, rolreplication, \
         rolbypassrls, rolconnlimit) FROM pg_roles WHERE rolname = '{alpha}'"
    );
    assert_eq!(at.value(&own).await, "f|f|f|f|f|f|8");
    // The server has no functions that one could call: those of extensions are not its own.
    let functions = "SELECT count(*)::text FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace \
                     WHERE n.nspname NOT IN ('pg_catalog', 'information_schema') AND NOT EXISTS \
                     (SELECT 1 FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')";
    assert_eq!(at.value(functions).await, "0");
    // What is everybody's would be a reader's too: then there is no new reader.
    at.run("GRANT SELECT ON sessions TO PUBLIC").await;
    let words = ["create", "--tenant", "alpha", "--name", &alpha, "--replace"];
    let error = at.refused(&words).await;
    assert_eq!(error.code(), Code::Conflict);
    assert!(error.to_string().contains("public.sessions"), "{error}");
    at.run("REVOKE SELECT ON sessions FROM PUBLIC").await;
    at.drop_role("alpha", &alpha).await;
    at.drop_role("beta", &beta).await;
}

async fn set_role(app: &TestApp, tenant: &Tenant, name: &str, permissions: Json) {
    app.write_sql("DELETE FROM roles WHERE name = ?", vec![Value::from(name)]).await;
    let fields = [("name", Value::from(name)), ("permissions", Value::Json(permissions))];
    app.insert(tenant, "roles", &fields).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fields_that_a_role_may_not_read_are_absent() {
    let (app, mut at) = installed().await;
    app.contact(&app.alpha, "Ana", &[("email", Value::from("ana@exemplo.com"))]).await;
    app.contact(&app.beta, "Bia", &[]).await;
    let contacts = |fields: Json| {
        json!({
            "contacts": { "read": "all", "fields": fields },
            "deals": { "read": "all" }, "leads": { "read": "own" },
        })
    };
    let fields = json!({ "phone": "hidden", "whatsapp": "masked", "company": "hidden" });
    set_role(&app, &app.alpha, "painel", contacts(fields)).await;
    let (name, plain) = (at.name("painel"), at.name("plain"));
    let other = at.create("alpha", &plain, &[]).await;
    let reader = at.create("alpha", &name, &["--fields-of", "painel"]).await;
    assert_eq!(reader.read("SELECT full_name, email FROM contacts").await, "Ana|ana@exemplo.com");
    let columns = reader.columns(&name, "contacts").await;
    for absent in ["phone", "whatsapp", "company_id", "deleted_at", "search_text"] {
        assert!(!columns.iter().any(|column| column == absent), "{absent}");
    }
    assert!(columns.iter().any(|column| column == "notes"));
    reader.read("SELECT notes, metadata FROM deals").await;
    // A view shows a whole tenant: what the role reads in part only has none.
    for sql in ["SELECT * FROM leads", "SELECT * FROM users", "SELECT * FROM bi.contacts"] {
        assert!(reader.ask(&[sql]).await.is_err(), "{sql}");
    }
    assert!(other.ask(&[&format!("SELECT * FROM {name}.contacts")]).await.is_err());
    // The role's rights are as they were when the views were made; a refresh takes them anew.
    set_role(&app, &app.alpha, "painel", contacts(json!({ "fullName": "hidden" }))).await;
    reader.read("SELECT full_name FROM contacts").await;
    at.admin(&["refresh"]).await.unwrap();
    assert!(reader.ask(&["SELECT full_name FROM contacts"]).await.is_err());
    reader.read("SELECT phone, company_id FROM contacts").await;
    // A role that is gone allows nothing.
    app.write_sql("DELETE FROM roles WHERE name = 'painel'", vec![]).await;
    let answer = at.admin(&["refresh"]).await.unwrap();
    assert!(answer.notes[0].contains("painel"), "{:?}", answer.notes);
    assert!(reader.ask(&["SELECT id FROM contacts"]).await.is_err());
    other.read("SELECT id FROM contacts").await;
    let words = ["create", "--tenant", "alpha", "--name", "x", "--fields-of", "nobody"];
    assert_eq!(at.refused(&words).await.code(), Code::Invalid);
    set_role(&app, &app.alpha, "meus", json!({ "leads": { "read": "own" } })).await;
    let words = ["create", "--tenant", "alpha", "--name", "x", "--fields-of", "meus"];
    assert_eq!(at.refused(&words).await.code(), Code::Invalid);
    at.drop_role("alpha", &name).await;
    at.drop_role("alpha", &plain).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn roles_are_made_once_listed_replaced_and_dropped_whole() {
    let (app, mut at) = installed().await;
    app.company(&app.alpha, "Nossa", &[]).await;
    app.company(&app.beta, "Deles", &[]).await;
    let name = at.name(r#"x"; DROP TABLE leads; --' \ é"#);
    let reader = at.create("alpha", &name, &[]).await;
    assert_eq!(reader.read("SELECT name FROM companies").await, "Nossa");
    let literal = name.replace('\'', "''");
    let secret = format!("SELECT rolpassword FROM pg_authid WHERE rolname = '{literal}'");
    let first = at.value(&secret).await;
    assert!(first.starts_with("SCRAM-SHA-256$"));
    // The same again is nothing new, something else is refused.
    let again = at.admin(&["create", "--tenant", "alpha", "--name", &name]).await.unwrap();
    assert!(again.lines.is_empty());
    assert_eq!(at.value(&secret).await, first);
    let error = at.refused(&["create", "--tenant", "beta", "--name", &name]).await;
    assert_eq!(error.code(), Code::Conflict);
    let words = ["create", "--tenant", "alpha", "--name", &name, "--fields-of", "admin"];
    assert_eq!(at.refused(&words).await.code(), Code::Conflict);
    assert_eq!(reader.read("SELECT name FROM companies").await, "Nossa");
    let words =
        ["create", "--tenant", "alpha", "--name", &name, "--fields-of", "admin", "--replace"];
    assert_eq!(at.admin(&words).await.unwrap().lines.len(), 1);
    assert_ne!(at.value(&secret).await, first);
    assert_eq!(reader.read("SELECT name, notes FROM companies").await, "Nossa|");
    let words = ["create", "--tenant", "beta", "--name", &name, "--replace"];
    assert_eq!(at.admin(&words).await.unwrap().lines.len(), 1);
    assert_eq!(reader.read("SELECT name FROM companies").await, "Deles");
    // Names that are somebody else's, or PostgreSQL's.
    let theirs = at.name("theirs");
    at.run(&format!("DROP ROLE IF EXISTS {theirs}")).await;
    at.run(&format!("CREATE ROLE {theirs}")).await;
    let words = ["create", "--tenant", "alpha", "--name", &theirs, "--replace"];
    assert_eq!(at.refused(&words).await.code(), Code::Conflict);
    at.run(&format!("DROP ROLE {theirs}")).await;
    let long = "x".repeat(64);
    for wrong in ["pg_reader", "", "public", "bi", "a\nb", &long] {
        let error = at.refused(&["create", "--tenant", "alpha", "--name", wrong]).await;
        assert_eq!(error.code(), Code::Invalid, "{wrong}");
    }
    assert_eq!(at.refused(&["create", "--tenant", "'; --"]).await.code(), Code::NotFound);
    let listed = at.admin(&["list"]).await.unwrap().lines;
    assert_eq!(listed.len(), 2);
    assert!(listed[1].starts_with(&format!("{name}\tbeta\tbi\t\t")), "{listed:?}");
    // Making and dropping are in the tenant's audit trail.
    let actions = app.trail(&app.alpha).await;
    assert!(actions.actions().contains(&"bi_role.create"));
    let error = at.refused(&["drop", "--tenant", "alpha", "--name", &name]).await;
    assert_eq!(error.code(), Code::NotFound);
    at.drop_role("beta", &name).await;
    assert!(app.trail(&app.beta).await.actions().contains(&"bi_role.drop"));
    let left = format!(
        "SELECT concat_ws(' ', (SELECT count(*) FROM pg_roles WHERE rolname = '{literal}' OR rolname = \
         'pulso_bi_views_' || (SELECT oid FROM pg_database WHERE datname = current_database())), \
         (SELECT count(*) FROM pg_policy), (SELECT count(*) FROM pg_class WHERE relrowsecurity), \
         (SELECT count(*) FROM pg_namespace WHERE nspname = 'bi' OR nspname = '{literal}'))"
    );
    assert_eq!(at.value(&left).await, "0 0 0 0");
    assert_eq!(app.count(&app.alpha, "leads").await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn migrations_go_on_and_a_refresh_brings_the_views_back() {
    let (app, mut at) = installed().await;
    app.company(&app.alpha, "Nossa", &[]).await;
    app.company(&app.beta, "Deles", &[]).await;
    let name = at.name("alpha");
    let reader = at.create("alpha", &name, &[]).await;
    let connection = app.app.db.migration_connection();
    migrate::down(&connection, 1).await.unwrap();
    assert!(reader.ask(&["SELECT name FROM companies"]).await.is_err());
    assert_eq!(at.value("SELECT count(*)::text FROM pg_policy").await, "0");
    app.app.db.migrate(now()).await.unwrap();
    assert!(reader.ask(&["SELECT name FROM companies"]).await.is_err());
    at.admin(&["refresh"]).await.unwrap();
    assert_eq!(reader.read("SELECT name FROM companies").await, "Nossa");
    // All the way down and up again.
    migrate::down(&connection, u32::MAX).await.unwrap();
    app.app.db.migrate(now()).await.unwrap();
    at.admin(&["refresh"]).await.unwrap();
    assert_eq!(reader.read("SELECT count(*) FROM companies").await, "0");
    create_tenant(&app.app, "alpha", "Alpha", TenantOptions::default()).await.unwrap();
    // Another tenant of the same name is another tenant.
    assert_eq!(reader.read("SELECT count(*) FROM pipeline_stages").await, "0");
    at.admin(&["create", "--tenant", "alpha", "--name", &name, "--replace"]).await.unwrap();
    assert_ne!(reader.read("SELECT count(*) FROM pipeline_stages").await, "0");
    at.drop_role("alpha", &name).await;
}

/// The same place for somebody else.
fn url_of(url: &str, user: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap();
    let place = rest.split_once('@').map_or(rest, |(_, place)| place);
    format!("{scheme}://{user}@{place}")
}

const SERVER_QUERY: &str = "EXPLAIN (VERBOSE) SELECT d.id, d.title, c.name FROM deals d \
    LEFT JOIN companies c ON c.tenant_id = d.tenant_id AND c.id = d.company_id \
    AND c.deleted_at IS NULL WHERE d.tenant_id = '018f0000-0000-7000-8000-000000000000' \
    AND d.deleted_at IS NULL ORDER BY d.created_at DESC, d.id DESC LIMIT 26";

async fn plan(session: &mut PgConnection) -> Vec<String> {
    let rows = session.fetch_all(SERVER_QUERY).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_ordinary_owner_makes_readers_and_feels_nothing_of_them() {
    let database = TestDb::empty(Backend::Postgres).await;
    let url = database.url();
    let base = PgConnectOptions::from_str(url).unwrap();
    let (owner, guest) = {
        let database = base.get_database().unwrap();
        (format!("{database}_owner"), format!("{database}_guest"))
    };
    let mut superuser = PgConnection::connect_with(&base).await.unwrap();
    let prepare = format!(
        "DROP ROLE IF EXISTS {owner}; DROP ROLE IF EXISTS {guest}; CREATE ROLE {owner} LOGIN; \
         CREATE ROLE {guest} LOGIN; ALTER DATABASE {} OWNER TO {owner}",
        base.get_database().unwrap()
    );
    superuser.execute(sqlx::raw_sql(AssertSqlSafe(prepare))).await.unwrap();
    let url = url_of(url, &owner);
    let db = Db::connect(&url, 3).await.unwrap();
    db.migrate(migrated_at()).await.unwrap();
    let app = build(&db, &url, Clock::fixed(now()));
    let mut at = Installation::of(&app, &url).await;
    for slug in ["alpha", "beta"] {
        create_tenant(&app, slug, slug, TenantOptions::default()).await.unwrap();
    }
    // Without the right to make roles, the error says which.
    let name = at.name("alpha");
    let error = at.refused(&["create", "--tenant", "alpha", "--name", &name]).await;
    assert_eq!(error.code(), Code::Forbidden);
    assert!(error.to_string().contains("CREATEROLE"), "{error}");
    let grant = format!("ALTER ROLE {owner} CREATEROLE");
    superuser.execute(AssertSqlSafe(grant)).await.unwrap();
    at.run(&format!("GRANT SELECT ON ALL TABLES IN SCHEMA public TO {guest}")).await;
    let before = plan(&mut at.superuser).await;
    let reader = at.create("alpha", &name, &[]).await;
    assert_eq!(reader.read("SELECT count(*) FROM pipeline_stages").await, "7");
    // The owner's plans and costs are what they were, its rows too, and those of whoever else had
    // rights on the tables.
    assert_eq!(plan(&mut at.superuser).await, before);
    let all = "SELECT count(*)::text FROM public.pipeline_stages";
    assert_eq!(at.value(all).await, "14");
    let guest_session = Sql { options: at.options.clone(), role: guest.clone() };
    assert_eq!(guest_session.read(all).await, "14");
    // And the server goes on writing.
    let conn = app.db.transaction().await.unwrap();
    let sql = "UPDATE pipeline_stages SET version = version + 1";
    let system = SystemHandle::for_tenant(Uuid::nil());
    assert_eq!(conn.execute(&system, &Statement::new(sql, vec![])).await.unwrap(), 14);
    conn.commit().await.unwrap();
    at.admin(&["refresh"]).await.unwrap();
    assert_eq!(reader.read("SELECT count(*) FROM pipeline_stages").await, "7");
    at.drop_role("alpha", &name).await;
    assert_eq!(at.value("SELECT count(*)::text FROM pg_policy").await, "0");
    db.close().await;
    drop(at);
    let clean = format!(
        "ALTER DATABASE {} OWNER TO CURRENT_USER; REASSIGN OWNED BY {owner} TO CURRENT_USER; \
         DROP OWNED BY {owner}, {guest}; DROP ROLE {owner}; DROP ROLE {guest}",
        base.get_database().unwrap()
    );
    superuser.execute(sqlx::raw_sql(AssertSqlSafe(clean))).await.unwrap();
}

#[tokio::test]
async fn a_database_without_roles_says_so() {
    let app = TestApp::on(Backend::Sqlite).await;
    let command = Admin::BiRole(pulso::cli::bi_role::BiRoleCommand::List);
    let error = pulso::cli::admin::execute(&app.app, command).await.unwrap_err();
    assert_eq!(error.code(), Code::Unsupported);
    assert!(error.to_string().contains("PostgreSQL"), "{error}");
}

#[test]
fn the_document_lists_every_view_and_column() {
    let (usual, whole) = (views_for(None), views_for(Some(&Permissions::everything())));
    let mut expected = String::new();
    for view in &whole {
        let plain = usual.iter().find(|plain| plain.name == view.name).unwrap();
        expected.push_str(&format!("### `bi.{}`\n\n", view.name));
        expected.push_str("| Column | Type | Without `--fields-of` |\n|---|---|---|\n");
        for column in &view.columns {
            let shown = if names(plain).contains(&column.name) { "yes" } else { "" };
            expected.push_str(&format!("| `{}` | {} | {shown} |\n", column.name, column.shown_as));
        }
        expected.push('\n');
    }
    let document = std::fs::read_to_string(root().join("docs/bi.md")).unwrap();
    let begin = "<!-- views -->\n\n";
    let (_, rest) = document.split_once(begin).unwrap();
    let (written, _) = rest.split_once("<!-- end of views -->").unwrap();
    assert!(written == expected, "docs/bi.md should list:\n{expected}<<<end");
}
