//! A deleted tenant is removed for good when its time has come: wholly, by one process at a time, and
//! nobody else loses anything.

use chrono::TimeDelta;
use pulso::access::SystemHandle;
use pulso::app::App;
use pulso::db::tables;
use pulso::db::{Statement, Value};
use pulso::error::Code;
use pulso::identity::tenant::lifecycle::{Turn, turn};
use pulso::identity::tenant::purge::service::{purge_due, purge_named, tombstones};
use pulso::identity::tenant::service::find_by_slug;
use serde_json::{Value as Json, json};
use uuid::Uuid;

use crate::migrations::tenant_with_everything;
use crate::support::app::build;
use crate::support::data::{Random, fill};
use crate::support::node::pulso;
use crate::support::{TestApp, both_databases};

const WAIT_DAYS: u16 = 30;

impl TestApp {
    /// Rows that a tenant has in each table of the database's own catalogue.
    async fn rows_by_table(&self, tenant_id: Uuid) -> Vec<(String, i64)> {
        let mut counts = Vec::new();
        for table in self.tables_of_tenants().await {
            let mark = self.app.db.dialect().placeholder(1);
            let sql = format!("SELECT COUNT(*) FROM {table} WHERE tenant_id = {mark}");
            let conn = self.app.db.single_read().await.unwrap();
            let statement = Statement::new(sql, vec![Value::Id(tenant_id)]);
            let row = conn.row(&SystemHandle::for_tenant(tenant_id), &statement).await.unwrap();
            counts.push((table, row.unwrap().int(0).unwrap().unwrap()));
        }
        counts
    }

    async fn delete_and_wait(&self, slug: &str) {
        turn(&self.app, slug, Turn::Delete { after_days: WAIT_DAYS }).await.unwrap();
        self.app.clock.advance(TimeDelta::days(i64::from(WAIT_DAYS)));
    }
}

fn rows_of(counts: &[(String, i64)]) -> i64 {
    counts.iter().map(|(_, count)| count).sum()
}

fn total(removed: &Json) -> i64 {
    removed.as_object().unwrap().values().map(|count| count.as_i64().unwrap()).sum()
}

both_databases! {
    async fn nothing_is_left_but_a_tombstone(app: TestApp) {
        let padaria = tenant_with_everything(&app.database.db.migration_connection()).await;
        app.delete_and_wait("padaria").await;
        let before = app.rows_by_table(padaria).await;
        assert_eq!(before.len(), tables::all().len());
        assert!(before.iter().all(|(_, count)| *count > 0), "{before:?}");
        let others = [app.whole(&app.alpha).await, app.whole(&app.beta).await];

        assert_eq!(purge_due(&app.app).await.unwrap(), 1);
        let after = app.rows_by_table(padaria).await;
        assert_eq!(rows_of(&after), 0, "{after:?}");
        assert_eq!(find_by_slug(&app.app, "padaria").await.unwrap(), None);
        let left = tombstones(&app.app).await.unwrap();
        assert_eq!(left.len(), 1);
        assert_eq!((left[0].id, left[0].slug.as_str()), (padaria, "padaria"));
        assert_eq!(left[0].started_by, "schedule");
        assert_eq!(left[0].purged_at, Some(app.app.clock.now()));
        let removed: serde_json::Map<String, Json> =
            before.into_iter().map(|(table, count)| (table, json!(count))).collect();
        assert_eq!(left[0].removed, Json::Object(removed));
        let now = [app.whole(&app.alpha).await, app.whole(&app.beta).await];
        for (before, after) in others.iter().zip(&now) {
            assert_eq!(after.changed_since(before), Vec::<String>::new());
        }
        // There is nothing more to do, and the slug is free again.
        assert_eq!(purge_due(&app.app).await.unwrap(), 0);
        let options = pulso::identity::tenant::service::TenantOptions::default();
        pulso::identity::tenant::service::create(&app.app, "padaria", "Nova", options).await.unwrap();
        assert_eq!(turn(&app.app, "padaria", Turn::Suspend).await.unwrap().name, "Nova");
    }

    /// With rows of every kind that refer to each other, more of some than go at once.
    async fn a_full_tenant_goes_and_its_neighbour_stays(app: TestApp) {
        let mut random = Random::new(11);
        fill(&app, &app.alpha, &mut random, 60).await;
        fill(&app, &app.beta, &mut random, 20).await;
        let now = app.app.clock.now();
        let columns = ["tenant_id", "id", "value", "updated_at"];
        let many = (0..2_500).map(|number| {
            let id = Value::Text(number.to_string());
            vec![Value::Id(app.alpha.id), id, Value::Int(number), Value::Instant(now)]
        });
        let conn = app.app.db.transaction().await.unwrap();
        let system = SystemHandle::for_tenant(app.alpha.id);
        conn.insert(&system, "epochs", &columns, many.collect()).await.unwrap();
        conn.commit().await.unwrap();
        app.delete_and_wait("alpha").await;
        let (rows, beta) = (rows_of(&app.rows_by_table(app.alpha.id).await), app.whole(&app.beta).await);
        assert!(rows > 3_000);
        assert_eq!(purge_due(&app.app).await.unwrap(), 1);
        assert_eq!(rows_of(&app.rows_by_table(app.alpha.id).await), 0);
        assert_eq!(total(&tombstones(&app.app).await.unwrap()[0].removed), rows);
        assert_eq!(app.whole(&app.beta).await.changed_since(&beta), Vec::<String>::new());
        app.data(&app.beta.admin.key, "{ leads { totalCount } }", json!({})).await;
        let refused = app.error_code(&app.alpha.admin.key, "{ leads { totalCount } }", json!({})).await;
        assert_eq!(refused, "UNAUTHENTICATED");
    }

    async fn nobody_goes_before_their_time(app: TestApp) {
        let refused = |slug: &'static str| {
            let app = app.app.clone();
            async move { purge_named(&app, slug).await.unwrap_err().code() }
        };
        assert_eq!(refused("alpha").await, Code::Conflict);
        assert_eq!(refused("nobody").await, Code::NotFound);
        let rows = app.rows_by_table(app.beta.id).await;
        turn(&app.app, "alpha", Turn::Delete { after_days: WAIT_DAYS }).await.unwrap();
        app.app.clock.advance(TimeDelta::days(i64::from(WAIT_DAYS)) - TimeDelta::seconds(1));
        assert_eq!(refused("alpha").await, Code::Conflict);
        assert_eq!(purge_due(&app.app).await.unwrap(), 0);
        turn(&app.app, "alpha", Turn::Restore).await.unwrap();
        app.app.clock.advance(TimeDelta::days(1));
        assert_eq!(purge_due(&app.app).await.unwrap(), 0);
        app.data(&app.alpha.admin.key, "{ me { user { fullName } } }", json!({})).await;
        assert_eq!(app.rows_by_table(app.beta.id).await, rows);
        assert!(tombstones(&app.app).await.unwrap().is_empty());
    }

    /// A removal that was broken off goes on where it was; there is no way back from it.
    async fn what_was_begun_is_finished(app: TestApp) {
        app.delete_and_wait("alpha").await;
        let now = Value::Instant(app.app.clock.now());
        let begun = "INSERT INTO tenant_tombstones \
                     (id, slug, purge_at, started_by, started_at, removed) VALUES (?, ?, ?, ?, ?, ?)";
        let removed = Value::Json(json!({ "leads": 7, "roles": 2 }));
        let values = vec![Value::Id(app.alpha.id), "alpha".into(), now.clone(), "command".into(), now, removed];
        assert_eq!(app.write_sql(begun, values).await, 1);
        let refused = turn(&app.app, "alpha", Turn::Restore).await.unwrap_err();
        assert_eq!(refused.code(), Code::Conflict);
        let counts = app.rows_by_table(app.alpha.id).await;
        let roles = counts.iter().find(|(table, _)| table == "roles").unwrap().1;
        let tombstone = purge_named(&app.app, "alpha").await.unwrap();
        assert_eq!(tombstone.started_by, "command");
        assert_eq!((&tombstone.removed["leads"], &tombstone.removed["roles"]), (&json!(7), &json!(roles + 2)));
        assert_eq!(total(&tombstone.removed), rows_of(&counts) + 9);
    }

    async fn two_nodes_count_every_row_once(app: TestApp) {
        fill(&app, &app.alpha, &mut Random::new(5), 30).await;
        app.delete_and_wait("alpha").await;
        let rows = rows_of(&app.rows_by_table(app.alpha.id).await);
        let other = build(&app.database.db, app.database.url(), app.app.clock.clone());
        let finish = |node: std::sync::Arc<App>| async move {
            // Whoever met the other at it tries again, as the schedule does.
            while find_by_slug(&node, "alpha").await.unwrap().is_some() {
                purge_due(&node).await.ok();
            }
        };
        tokio::join!(finish(app.app.clone()), finish(other));
        let left = tombstones(&app.app).await.unwrap();
        assert_eq!((left.len(), total(&left[0].removed)), (1, rows));
        assert_eq!(rows_of(&app.rows_by_table(app.alpha.id).await), 0);
    }

    async fn the_command_removes_and_lists(app: TestApp) {
        let folder = tempfile::tempdir().unwrap();
        let admin = |words: &[&str]| {
            let mut command = pulso(app.database.url(), folder.path());
            let done = command.args(["admin", "tenant"]).args(words).output().unwrap();
            let said = [done.stdout, done.stderr].concat();
            (done.status.code(), String::from_utf8(said).unwrap())
        };
        let (code, said) = admin(&["purge", "alpha"]);
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains("CONFLICT"), "{said}");
        // By the clock of the command the time has long come.
        turn(&app.app, "alpha", Turn::Delete { after_days: 1 }).await.unwrap();
        let (code, said) = admin(&["purge", "alpha"]);
        assert_eq!(code, Some(0), "{said}");
        assert!(said.contains("\"users\":"), "{said}");
        let (_, said) = admin(&["purged"]);
        assert!(said.contains("alpha\t") && said.contains("\tcommand\t"), "{said}");
        assert_eq!(rows_of(&app.rows_by_table(app.alpha.id).await), 0);
        assert_eq!(admin(&["list"]).1.lines().count(), 2, "a head, and beta");
    }
}
