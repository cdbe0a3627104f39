//! A tenant taken along whole: nothing of it is missing but what is said to be, nothing of another is
//! inside, and a part never passes for the whole.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;

use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use futures::TryStreamExt as _;
use pulso::access::SystemHandle;
use pulso::db::tables::{self, Holds, Table};
use pulso::db::{NullOf, Statement, Value};
use pulso::error::Code;
use pulso::identity::api_key;
use pulso::identity::tenant::export::service::{Export, for_operator};
use serde_json::{Value as Json, json};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::migrations::tenant_with_everything;
use crate::support::app::Answer;
use crate::support::data::{Random, fill};
use crate::support::node::pulso;
use crate::support::seed::Tenant;
use crate::support::{Backend, TestApp, both_databases};

const ADDRESS: &str = "/api/v1/tenant/export";
/// More rows than are read at once, and not a multiple of it.
const MANY: i64 = 1_203;

/// An archive that was unpacked: content by path below its folder, and the order of the paths.
struct Unpacked {
    files: BTreeMap<String, Vec<u8>>,
    order: Vec<String>,
}

impl Unpacked {
    fn of(archive: &[u8]) -> Self {
        let (mut files, mut order) = (BTreeMap::new(), Vec::new());
        for entry in tar::Archive::new(archive).entries().unwrap() {
            let mut entry = entry.unwrap();
            let path = entry.path().unwrap().display().to_string();
            let (folder, path) = path.split_once('/').unwrap();
            assert!(folder.starts_with("pulso-export-"), "{folder}");
            let mut content = Vec::new();
            entry.read_to_end(&mut content).unwrap();
            order.push(path.to_owned());
            files.insert(path.to_owned(), content);
        }
        Self { files, order }
    }

    fn manifest(&self) -> Json {
        assert_eq!(self.order.last().unwrap(), "manifest.json");
        serde_json::from_slice(&self.files["manifest.json"]).unwrap()
    }

    /// The rows of a table, after its files were compared with what the manifest says of them.
    fn rows(&self, table: &str) -> Vec<Json> {
        let manifest = self.manifest();
        let tables = manifest["tables"].as_array().unwrap();
        let said = tables.iter().find(|said| said["table"] == table).unwrap();
        let mut rows = Vec::new();
        for file in said["files"].as_array().unwrap() {
            let content = &self.files[file["path"].as_str().unwrap()];
            let digest: String =
                Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(
                (file["sha256"].as_str(), file["bytes"].as_u64()),
                (Some(digest.as_str()), u64::try_from(content.len()).ok())
            );
            let lines = std::str::from_utf8(content).unwrap().lines();
            let before = rows.len();
            rows.extend(lines.map(|line| serde_json::from_str::<Json>(line).unwrap()));
            assert_eq!(file["rows"], rows.len() - before);
        }
        assert_eq!(said["rows"], rows.len());
        rows
    }
}

async fn whole(export: Export) -> Vec<u8> {
    let pieces: Vec<_> = export.pieces.try_collect().await.unwrap();
    pieces.concat()
}

fn text(value: &Value) -> Json {
    match value {
        Value::Null(_) => Json::Null,
        Value::Id(id) => json!(id.to_string()),
        Value::Text(text) => json!(text),
        Value::Int(number) => json!(number),
        Value::Bool(bool) => json!(bool),
        Value::Date(date) => json!(date.to_string()),
        Value::Instant(at) => json!(at),
        Value::Json(json) => json.clone(),
        other => panic!("no column holds {other:?}"),
    }
}

impl TestApp {
    /// A table's rows of a tenant, read in one statement, by id: what of them may leave.
    async fn rows_as_they_are(&self, tenant_id: Uuid, table: &Table) -> BTreeMap<String, Json> {
        let columns: Vec<_> =
            table.columns.iter().filter(|column| column.holds == Holds::Data).collect();
        let names: Vec<&str> = columns.iter().map(|column| column.name).collect();
        let tenant = if table.name == "tenants" { "id" } else { "tenant_id" };
        let mark = self.app.db.dialect().placeholder(1);
        let sql =
            format!("SELECT {} FROM {} WHERE {tenant} = {mark}", names.join(", "), table.name);
        let conn = self.app.db.single_read().await.unwrap();
        let system = SystemHandle::for_tenant(tenant_id);
        let rows =
            conn.rows(&system, &Statement::new(sql, vec![Value::Id(tenant_id)])).await.unwrap();
        rows.iter()
            .map(|row| {
                let values = columns.iter().enumerate().map(|(place, column)| {
                    (column.name.to_owned(), text(&row.value(place, column.kind).unwrap()))
                });
                let row: Json = values.collect::<serde_json::Map<_, _>>().into();
                (row["id"].as_str().unwrap().to_owned(), row)
            })
            .collect()
    }

    /// Every value of a tenant's columns that must never leave.
    async fn secrets(&self, tenant_id: Uuid) -> Vec<String> {
        let mut secrets = Vec::new();
        for table in tables::all() {
            for column in table.columns.iter().filter(|column| column.holds == Holds::Secret) {
                assert_eq!(column.kind, NullOf::Text);
                let mark = self.app.db.dialect().placeholder(1);
                let (name, table) = (column.name, table.name);
                let sql = format!(
                    "SELECT {name} FROM {table} WHERE tenant_id = {mark} AND length({name}) > 20"
                );
                let conn = self.app.db.single_read().await.unwrap();
                let statement = Statement::new(sql, vec![Value::Id(tenant_id)]);
                let rows =
                    conn.rows(&SystemHandle::for_tenant(tenant_id), &statement).await.unwrap();
                secrets.extend(rows.iter().map(|row| row.text(0).unwrap().unwrap()));
            }
        }
        secrets
    }

    async fn many_epochs(&self, tenant: &Tenant) {
        let now = self.app.clock.now();
        let row = |number| {
            let id = Value::Text(format!("row {number} ção"));
            vec![Value::Id(tenant.id), id, Value::Int(number), Value::Instant(now)]
        };
        let conn = self.app.db.transaction().await.unwrap();
        let system = SystemHandle::for_tenant(tenant.id);
        let columns = ["tenant_id", "id", "value", "updated_at"];
        conn.insert(&system, "epochs", &columns, (0..MANY).map(row).collect()).await.unwrap();
        conn.commit().await.unwrap();
    }

    async fn ask_for_export(&self, credential: Option<&str>) -> Answer {
        let mut request = Request::post(ADDRESS);
        if let Some(credential) = credential {
            request = request.header(header::AUTHORIZATION, format!("Bearer {credential}"));
        }
        self.request(request.body(Body::empty()).unwrap()).await
    }
}

fn contains(archive: &[u8], text: &str) -> bool {
    archive.windows(text.len()).any(|window| window == text.as_bytes())
}

both_databases! {
    /// A new table fails here: list it in `api/src/db/tables.rs`, and say there what of it is secret.
    async fn every_table_and_every_column_is_known(app: TestApp) {
        let listed: BTreeSet<String> =
            tables::all().iter().map(|table| table.name.to_owned()).collect();
        let there: BTreeSet<String> = app.tables_of_tenants().await.into_iter().collect();
        assert_eq!(listed, there);
        for table in tables::all().iter().chain([tables::root()]) {
            let listed: BTreeSet<String> =
                table.columns.iter().map(|column| column.name.to_owned()).collect();
            let there: BTreeSet<String> = app.columns_of(table.name).await.into_iter().collect();
            assert_eq!(listed, there, "{}", table.name);
            for secret in table.columns.iter().filter(|column| column.name.contains("hash")) {
                let public = ["sha256_hash", "argument_hash", "chain_hash", "last_hash",
                    "month_hash", "hash"];
                let is_public = public.contains(&secret.name) || table.name == "audit_seals";
                assert_eq!(secret.holds == Holds::Secret, !is_public, "{} {}", table.name, secret.name);
            }
        }
    }

    async fn every_row_of_every_table_is_inside(app: TestApp) {
        let padaria = tenant_with_everything(&app.database.db.migration_connection()).await;
        let unpacked = Unpacked::of(&whole(for_operator(&app.app, "padaria").await.unwrap()).await);
        for table in tables::all().iter().chain([tables::root()]) {
            let there = app.rows_as_they_are(padaria, table).await;
            assert!(!there.is_empty(), "{} has a row", table.name);
            let rows = unpacked.rows(table.name);
            assert_eq!(rows.len(), there.len(), "{}", table.name);
            for row in rows {
                assert_eq!(row, there[row["id"].as_str().unwrap()], "{}", table.name);
            }
        }
        let manifest = unpacked.manifest();
        assert_eq!(manifest["tables"].as_array().unwrap().len(), tables::all().len() + 1);
        assert_eq!((&manifest["complete"], &manifest["formatVersion"]), (&json!(true), &json!(1)));
        assert_eq!(manifest["tenant"]["slug"], "padaria");
        let newest = migration::steps().last().unwrap().name;
        assert_eq!(manifest["schemaVersion"], newest);
        let users = manifest["tables"].as_array().unwrap().iter().find(|one| one["table"] == "users");
        assert_eq!(users.unwrap()["leftOutSecret"], json!(["password_hash"]));
    }

    /// With rows of every kind, more of them than one page, and two tenants beside it.
    async fn nothing_of_others_and_no_secret_is_inside(app: TestApp) {
        let (alpha, beta) = (&app.alpha, &app.beta);
        let mut random = Random::new(7);
        fill(&app, alpha, &mut random, 20).await;
        fill(&app, beta, &mut random, 20).await;
        app.lead(beta, "canary of beta", &[]).await;
        app.lead(alpha, "canary of alpha", &[]).await;
        app.many_epochs(alpha).await;
        let answer = app.ask_for_export(Some(&alpha.admin.key)).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
        assert_eq!(answer.headers[header::CONTENT_TYPE], "application/x-tar");
        let archive = &answer.body;
        let unpacked = Unpacked::of(archive);
        for table in tables::all() {
            let rows = unpacked.rows(table.name);
            let ids: BTreeSet<&str> = rows.iter().map(|row| row["id"].as_str().unwrap()).collect();
            assert_eq!(ids.len(), rows.len(), "{}: a row comes twice", table.name);
            // Written while the key is used: not compared.
            let mut there = app.rows_as_they_are(alpha.id, table).await;
            if table.name == "api_keys" {
                there.values_mut().for_each(|row| row["last_used_at"] = Json::Null);
            }
            for mut row in rows {
                if table.name == "api_keys" {
                    row["last_used_at"] = Json::Null;
                }
                assert_eq!(row["tenant_id"], alpha.id.to_string(), "{}", table.name);
                let known = there.remove(row["id"].as_str().unwrap());
                assert_eq!(Some(row), known, "{}", table.name);
            }
            assert!(there.is_empty(), "{} lacks {:?}", table.name, there.keys());
        }
        assert!(unpacked.rows("epochs").len() > 1_200);
        assert_eq!(unpacked.rows("tenants").len(), 1);
        assert!(contains(archive, "canary of alpha"));
        assert!(!contains(archive, "canary of beta"));
        for id in [beta.id, beta.admin.id, beta.comercial.id] {
            assert!(!contains(archive, &id.to_string()));
        }
        let secrets = app.secrets(alpha.id).await;
        assert!(secrets.len() > 8, "there is something to keep");
        for secret in secrets {
            assert!(!contains(archive, &secret));
        }
        // It tells of itself.
        let trail = unpacked.rows("audit_logs");
        assert!(trail.iter().any(|entry| entry["action"] == "tenant.export"
            && entry["user_id"] == alpha.admin.id.to_string()));
    }

    async fn only_who_may_read_everything_exports(app: TestApp) {
        let alpha = &app.alpha;
        let seen = app.trail(alpha).await;
        let role = |permissions| app.key_with(alpha, alpha.admin.id, permissions);
        let everything = |scope: &str| -> Json {
            let grants = json!({ "read": scope, "update": scope });
            let names = pulso::access::Resource::ALL.map(|resource| resource.as_str());
            names.into_iter().map(|name| (name.to_owned(), grants.clone())).collect::<serde_json::Map<_, _>>().into()
        };
        let mut hidden = everything("all");
        hidden["contacts"]["fields"] = json!({ "email": "hidden" });
        let mut lacking = everything("all");
        lacking.as_object_mut().unwrap().remove("deals");
        let mut reads_only = everything("all");
        reads_only["tenants"] = json!({ "read": "all" });
        let whole = role(everything("all")).await;
        let narrow =
            api_key::service::create(&app.app, "alpha", "admin", "narrow", &["leads:read".to_owned()], None)
                .await
                .unwrap();
        let held =
            api_key::service::create(&app.app, "alpha", "admin", "held", &[], None).await.unwrap();
        let sql = "UPDATE api_keys SET persisted_only = TRUE WHERE tenant_id = ? AND name = 'held'";
        assert_eq!(app.write_sql(sql, vec![Value::Id(alpha.id)]).await, 1);
        for (who, key) in [
            ("comercial", &alpha.comercial.key),
            ("diretor", &alpha.diretor.key),
            ("own rows", &role(everything("own")).await),
            ("a hidden field", &role(hidden).await),
            ("a resource less", &role(lacking).await),
            ("no right to the tenant", &role(reads_only).await),
            ("a narrowed key", &narrow),
            ("a key of registered operations", &held),
        ] {
            let answer = app.ask_for_export(Some(key)).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{who}: {}", answer.text());
        }
        for credential in [None, Some("pulso_nonsense")] {
            assert_eq!(app.ask_for_export(credential).await.status, StatusCode::UNAUTHORIZED);
        }
        assert!(app.trail(alpha).await.since(&seen).audits.is_empty());
        assert_eq!(app.ask_for_export(Some(&whole)).await.status, StatusCode::OK);
        // Another tenant's admin gets their own.
        let theirs = app.ask_for_export(Some(&app.beta.admin.key)).await;
        let theirs = Unpacked::of(&theirs.body);
        assert_eq!(theirs.manifest()["tenant"]["slug"], "beta");
        assert!(theirs.rows("users").iter().all(|user| user["tenant_id"] == app.beta.id.to_string()));
    }

    /// What was begun and not finished has no manifest, and gives its place back.
    async fn a_part_is_no_archive_and_one_is_made_at_a_time(app: TestApp) {
        app.many_epochs(&app.alpha).await;
        let mut export = for_operator(&app.app, "alpha").await.unwrap();
        let first = export.pieces.try_next().await.unwrap().unwrap();
        let refused = app.ask_for_export(Some(&app.beta.admin.key)).await;
        assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(refused.headers[header::RETRY_AFTER], "30");
        // What is written meanwhile is not of its moment.
        app.lead(&app.alpha, "too late", &[]).await;
        let second = export.pieces.try_next().await.unwrap().unwrap();
        drop(export);
        assert!(!contains(&[first, second].concat(), "manifest.json"));
        let archive = whole(for_operator(&app.app, "alpha").await.unwrap()).await;
        assert!(contains(&archive, "too late"));
        let unknown = for_operator(&app.app, "nobody").await.err().unwrap();
        assert_eq!(unknown.code(), Code::NotFound);
    }

    async fn a_snapshot_does_not_move(app: TestApp) {
        let mut export = for_operator(&app.app, "alpha").await.unwrap();
        let mut pieces = vec![export.pieces.try_next().await.unwrap().unwrap()];
        app.lead(&app.alpha, "written while it was read", &[]).await;
        while let Some(piece) = export.pieces.try_next().await.unwrap() {
            pieces.push(piece);
        }
        let archive = pieces.concat();
        assert_eq!(Unpacked::of(&archive).rows("leads").len(), 0);
        assert!(!contains(&archive, "written while it was read"));
    }

    async fn the_command_writes_a_file_or_none(app: TestApp) {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("alpha.tar");
        let export = |tenant: &str| {
            let mut command = pulso(app.database.url(), folder.path());
            command.args(["export", "--tenant", tenant, "--out"]).arg(&out).output().unwrap()
        };
        let unknown = export("nobody");
        assert_eq!(unknown.status.code(), Some(1));
        assert!(!out.exists());
        let done = export("alpha");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        let archive = std::fs::read(&out).unwrap();
        assert_eq!(Unpacked::of(&archive).manifest()["tenant"]["slug"], "alpha");
        let mode = std::fs::metadata(&out).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        // Nothing is written over.
        let again = export("alpha");
        assert_eq!(again.status.code(), Some(1));
        assert_eq!(std::fs::read(&out).unwrap(), archive);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}

/// An error half-way is an error of the stream, which ends the connection before its last chunk.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_fails_half_way_does_not_end_well() {
    let app = TestApp::new(Backend::Postgres).await;
    let mut export = for_operator(&app.app, "alpha").await.unwrap();
    export.pieces.try_next().await.unwrap().unwrap();
    app.write_sql("ALTER TABLE leads RENAME TO elsewhere", Vec::new()).await;
    let rest: Result<Vec<_>, _> = export.pieces.try_collect().await;
    assert_eq!(rest.unwrap_err().code(), Code::Internal);
}
