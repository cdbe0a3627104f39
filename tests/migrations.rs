//! The tables can be made, taken back and made again with rows in them, by several servers at once,
//! and a step that fails leaves nothing behind.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use pulso::clock::Clock;
use pulso::db::{Db, migrate};
use sea_orm::{ConnectionTrait, DbBackend, EntityTrait, FromQueryResult, Statement};
use uuid::Uuid;

use crate::support::{Backend, Fixture, TestDb, both_databases};

/// A database on which not even one migration has run.
struct Unmigrated(TestDb);

impl Fixture for Unmigrated {
    async fn on(backend: Backend) -> Self {
        Self(TestDb::empty(backend).await)
    }
}

impl Unmigrated {
    async fn up(&self) -> Vec<String> {
        let applied = migrate::up(&self.0.db.migration_connection()).await.unwrap();
        self.0.db.ensure_partitions(happened_at()).await.unwrap();
        applied
    }
}

fn happened_at() -> DateTime<Utc> {
    "2026-03-01T12:00:00Z".parse().unwrap()
}

fn step_names() -> Vec<String> {
    migration::steps().into_iter().map(|step| step.name.to_owned()).collect()
}

/// One row for every table, parents first: columns, and values in which `{id}` is one id for all of
/// them and `{now}` an instant. What is left out is nullable or has a default.
const ROWS: [(&str, &str, &str); 48] = [
    (
        "tenants",
        "id, slug, name, created_at, updated_at",
        "{id}, 'padaria', 'Padaria', {now}, {now}",
    ),
    (
        "org_units",
        "tenant_id, id, name, name_folded, parent_id, created_at, updated_at, search_text",
        "{id}, {id}, 'Vendas', 'vendas', {id}, {now}, {now}, ' vendas '",
    ),
    (
        "users",
        "tenant_id, id, email, full_name, full_name_folded, manager_id, org_unit_id, created_at, \
         updated_at, created_by, search_text",
        "{id}, {id}, 'ana@exemplo.com', 'Ana', 'ana', {id}, {id}, {now}, {now}, {id}, ' ana '",
    ),
    ("roles", "tenant_id, id, name, created_at, updated_at", "{id}, {id}, 'admin', {now}, {now}"),
    ("user_roles", "tenant_id, id, user_id, role_id, granted_at", "{id}, {id}, {id}, {id}, {now}"),
    (
        "api_keys",
        "tenant_id, id, user_id, role_id, name, prefix, secret_hash, created_at, updated_at",
        "{id}, {id}, {id}, {id}, 'Grafana', 'pk_1', 'digest', {now}, {now}",
    ),
    (
        "pipeline_stages",
        "tenant_id, id, name, name_folded, slug, sort_order, created_at, updated_at",
        "{id}, {id}, 'Ganho', 'ganho', 'ganho', 6, {now}, {now}",
    ),
    (
        "companies",
        "tenant_id, id, name, name_folded, cnpj, size, employees, annual_revenue, currency, \
         parent_id, owner_id, external_system, external_id, created_at, updated_at, search_text",
        "{id}, {id}, 'Pão Quente', 'pao quente', '12ABC34501DE35', 'micro', 3, 105400, 'BRL', {id}, \
         {id}, 'omie', '7', {now}, {now}, ' pao quente '",
    ),
    (
        "contacts",
        "tenant_id, id, company_id, full_name, full_name_folded, created_at, updated_at",
        "{id}, {id}, {id}, 'Bia', 'bia', {now}, {now}",
    ),
    (
        "leads",
        "tenant_id, id, contact_id, company_id, source, assigned_to, created_at, updated_at",
        "{id}, {id}, {id}, {id}, 'site', {id}, {now}, {now}",
    ),
    (
        "lead_interactions",
        "tenant_id, id, lead_id, interaction_type, channel, created_at, updated_at",
        "{id}, {id}, {id}, 'call', 'phone', {now}, {now}",
    ),
    (
        "deals",
        "tenant_id, id, title, title_folded, lead_id, stage_id, value, currency, \
         expected_close_date, owned_by, stage_changed_at, created_at, updated_at",
        "{id}, {id}, 'Forno', 'forno', {id}, {id}, 9223372036854775807, 'BRL', '2026-12-31', {id}, \
         {now}, {now}, {now}",
    ),
    (
        "deal_activities",
        "tenant_id, id, deal_id, kind, subject, subject_folded, created_at, updated_at",
        "{id}, {id}, {id}, 'call', 'Ligar', 'ligar', {now}, {now}",
    ),
    (
        "deal_stage_changes",
        "tenant_id, id, deal_id, to_stage_id, changed_at, created_at",
        "{id}, {id}, {id}, {id}, {now}, {now}",
    ),
    (
        "event_batches",
        "tenant_id, id, lane, event_count, state, created_at, updated_at",
        "{id}, {id}, 'normal', 1, 'queued', {now}, {now}",
    ),
    (
        "events",
        "tenant_id, id, module, event_type, occurred_at, received_at, batch_id, payload",
        "{id}, {id}, 'crm', 'lead.created', {now}, {now}, {id}, '{\"a\": 1}'",
    ),
    ("event_ids", "tenant_id, id, event_id", "{id}, 'evt-1', {id}"),
    (
        "audit_logs",
        "tenant_id, id, action, resource_type, created_at",
        "{id}, {id}, 'create', 'leads', {now}",
    ),
    ("outbox", "tenant_id, id, topic, payload, created_at", "{id}, {id}, 'lead', '{}', {now}"),
    ("epochs", "tenant_id, id, value, updated_at", "{id}, 'permissions', 1, {now}"),
    (
        "idempotency_keys",
        "tenant_id, id, argument_hash, response, created_at, expires_at",
        "{id}, 'digest', 'digest', '{}', {now}, {now}",
    ),
    (
        "sessions",
        "tenant_id, id, user_id, generation, refresh_hash, created_at, last_used_at, expires_at",
        "{id}, {id}, {id}, 1, 'digest', {now}, {now}, {now}",
    ),
    (
        "account_tokens",
        "tenant_id, id, purpose, user_id, expires_at, created_by, created_at",
        "{id}, {id}, 'invitation', {id}, {now}, {id}, {now}",
    ),
    (
        "mails",
        "tenant_id, id, kind, user_id, subject_id, language, state, attempts, next_attempt_at, \
         created_at, updated_at",
        "{id}, {id}, 'invitation', {id}, {id}, 'pt-BR', 'pending', 0, {now}, {now}, {now}",
    ),
    ("sign_in_guards", "tenant_id, id, failures, last_at", "{id}, 'digest', 1, {now}"),
    (
        "sales",
        "tenant_id, id, source, order_id, seller_id, customer_id, deal_id, amount, currency, sold_at, \
         sold_on, created_at, updated_at",
        "{id}, {id}, 'erp', '1', {id}, {id}, {id}, -100, 'BRL', {now}, '2026-03-01', {now}, {now}",
    ),
    (
        "customer_goals",
        "tenant_id, id, year, seller_id, customer_id, currency, classification, created_at, updated_at",
        "{id}, {id}, 2026, {id}, {id}, 'BRL', 'A', {now}, {now}",
    ),
    ("fold_heads", "tenant_id, id, time_zone, updated_at", "{id}, 'events', 'UTC', {now}"),
    (
        "custom_metrics",
        "tenant_id, id, name, label, aggregation, state, created_at, updated_at",
        "{id}, {id}, 'refunds', 'Refunds', 'count', 'ready', {now}, {now}",
    ),
    (
        "metric_series",
        "tenant_id, id, metric, dimensions, created_at",
        "{id}, {id}, 'tickets_created', '{}', {now}",
    ),
    (
        "analytics_dimensions",
        "tenant_id, id, dimension, value, label, label_folded, valid_from, created_at, updated_at",
        "{id}, {id}, 'channel', 'web', 'Web', 'web', {now}, {now}, {now}",
    ),
    (
        "snapshots",
        "tenant_id, id, series_id, grain, starts_at, events, buckets, revision, updated_at",
        "{id}, {id}, {id}, 'hour', {now}, 1, '0 c|1', 1, {now}",
    ),
    (
        "jobs",
        "tenant_id, id, kind, state, arguments, attempts_max, due_at, created_at, updated_at",
        "{id}, {id}, 'rebuild', 'queued', '{}', 5, {now}, {now}, {now}",
    ),
    (
        "event_failures",
        "tenant_id, id, state, attempts, error, created_at, updated_at",
        "{id}, {id}, 'failed', 1, 'no number', {now}, {now}",
    ),
    (
        "quarantined_events",
        "tenant_id, id, reason, detail, body, state, received_at, updated_at",
        "{id}, {id}, 'malformed', 'no id', '{}', 'waiting', {now}, {now}",
    ),
    (
        "event_schemas",
        "tenant_id, id, module, event_type, schema_version, schema, created_by, created_at",
        "{id}, {id}, 'people', 'person.met', 1, '{}', {id}, {now}",
    ),
    ("server_secrets", "tenant_id, id, value, created_at", "{id}, 'jwt', 'secret', {now}"),
    ("rate_budgets", "tenant_id, id, owed_until_ns, updated_at", "{id}, 'tenant:1', 1, {now}"),
    (
        "persisted_operations",
        "tenant_id, id, name, sha256_hash, document, created_at",
        "{id}, {id}, 'board', 'digest', '{ me }', {now}",
    ),
    ("notification_feeds", "tenant_id, id, last_number, updated_at", "{id}, {id}, 1, {now}"),
    (
        "notifications",
        "tenant_id, id, user_id, number, kind, item_count, created_at",
        "{id}, {id}, {id}, 1, 'deal_won', 1, {now}",
    ),
    (
        "audit_chains",
        "tenant_id, id, last_seq, month_first_seq, updated_at",
        "{id}, 'audit', 0, 0, {now}",
    ),
    (
        "audit_seals",
        "tenant_id, id, first_seq, last_seq, last_hash, hash, sealed_at",
        "{id}, '2026-03', 1, 2, 'digest', 'digest', {now}",
    ),
    (
        "read_logs",
        "tenant_id, id, kind, resource, row_count, created_at",
        "{id}, {id}, 'personal', 'contacts', 3, {now}",
    ),
    (
        "identity_providers",
        "tenant_id, id, slug, name, issuer, client_id, scopes, email_domains, creates_users, \
         role_id, is_enabled, created_at, updated_at, created_by",
        "{id}, {id}, 'work', 'Work', 'https://work.example', 'pulso', '[]', '[]', TRUE, {id}, TRUE, \
         {now}, {now}, {id}",
    ),
    (
        "user_identities",
        "tenant_id, id, user_id, provider_id, issuer, subject, created_at, last_used_at",
        "{id}, {id}, {id}, {id}, 'https://work.example', 'someone', {now}, {now}",
    ),
    (
        "sign_in_flows",
        "tenant_id, id, provider_id, browser_hash, return_to, created_at, expires_at, user_id",
        "{id}, {id}, {id}, 'digest', 'https://crm.example', {now}, {now}, {id}",
    ),
    (
        "tenant_tombstones",
        "id, slug, purge_at, started_by, started_at",
        "{id}, 'padaria', {now}, 'schedule', {now}",
    ),
];

/// Where the third step's tables begin in [`ROWS`].
const LOG_TABLES: usize = 14;

/// The id of all rows: it carries [`happened_at`], so that it has a partition.
fn the_id() -> Uuid {
    let millis = u128::try_from(happened_at().timestamp_millis()).unwrap();
    Uuid::from_u128((millis << 80) | (7 << 76) | (2 << 62) | 42)
}

/// A tenant `padaria` with a row in every table that tenants have rows in; its id.
pub async fn tenant_with_everything(db: &impl ConnectionTrait) -> Uuid {
    let (tombstones, rows) = ROWS.split_last().unwrap();
    assert_eq!(tombstones.0, "tenant_tombstones");
    fill(db, rows).await;
    the_id()
}

async fn fill(db: &impl ConnectionTrait, tables: &[(&str, &str, &str)]) {
    let id = if db.get_database_backend() == DbBackend::Postgres {
        format!("'{}'", the_id())
    } else {
        format!("x'{}'", the_id().simple())
    };
    let now = format!("'{}'", happened_at().to_rfc3339());
    for (table, columns, values) in tables {
        let values = values.replace("{id}", &id).replace("{now}", &now);
        let sql = format!("INSERT INTO {table} ({columns}) VALUES ({values})");
        db.execute_unprepared(&sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    }
}

async fn count(db: &impl ConnectionTrait, table: &str) -> i64 {
    number(db, &format!("SELECT count(*) FROM {table}")).await
}

async fn number(db: &impl ConnectionTrait, sql: &str) -> i64 {
    let statement = Statement::from_string(db.get_database_backend(), sql);
    let row = db.query_one_raw(statement).await.unwrap().unwrap();
    row.try_get_by_index(0).unwrap()
}

/// The tables of the database, without partitions and what belongs to an index.
pub async fn tables(db: &impl ConnectionTrait) -> BTreeSet<String> {
    let sql = if db.get_database_backend() == DbBackend::Postgres {
        "SELECT c.relname::text FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace \
         AND c.relkind IN ('r', 'p') AND NOT c.relispartition"
    } else {
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' \
         AND name NOT LIKE '%\\_search%' ESCAPE '\\'"
    };
    let rows =
        db.query_all_raw(Statement::from_string(db.get_database_backend(), sql)).await.unwrap();
    let names = rows.iter().map(|row| row.try_get_by_index::<String>(0).unwrap());
    names.filter(|name| name != "seaql_migrations").collect()
}

/// Reads the one row of a table through its entity, every column in its type.
async fn read_one<E>(db: &impl ConnectionTrait)
where
    E: EntityTrait,
    E::Model: FromQueryResult + Send + Sync,
{
    let rows = E::find().all(db).await.unwrap();
    assert_eq!(rows.len(), 1, "{}", E::default().table_name());
}

async fn read_every_table(db: &impl ConnectionTrait) {
    read_one::<entity::tenant::Entity>(db).await;
    read_one::<entity::org_unit::Entity>(db).await;
    read_one::<entity::user::Entity>(db).await;
    read_one::<entity::role::Entity>(db).await;
    read_one::<entity::user_role::Entity>(db).await;
    read_one::<entity::api_key::Entity>(db).await;
    read_one::<entity::pipeline_stage::Entity>(db).await;
    read_one::<entity::company::Entity>(db).await;
    read_one::<entity::contact::Entity>(db).await;
    read_one::<entity::lead::Entity>(db).await;
    read_one::<entity::lead_interaction::Entity>(db).await;
    read_one::<entity::deal::Entity>(db).await;
    read_one::<entity::deal_activity::Entity>(db).await;
    read_one::<entity::deal_stage_change::Entity>(db).await;
    read_one::<entity::event_batch::Entity>(db).await;
    read_one::<entity::event::Entity>(db).await;
    read_one::<entity::event_id::Entity>(db).await;
    read_one::<entity::audit_log::Entity>(db).await;
    read_one::<entity::outbox::Entity>(db).await;
    read_one::<entity::epoch::Entity>(db).await;
    read_one::<entity::idempotency_key::Entity>(db).await;
    read_one::<entity::session::Entity>(db).await;
    read_one::<entity::account_token::Entity>(db).await;
    read_one::<entity::mail::Entity>(db).await;
    read_one::<entity::sign_in_guard::Entity>(db).await;
    read_one::<entity::rate_budget::Entity>(db).await;
    read_one::<entity::persisted_operation::Entity>(db).await;
    read_one::<entity::audit_chain::Entity>(db).await;
    read_one::<entity::audit_seal::Entity>(db).await;
    read_one::<entity::read_log::Entity>(db).await;
    read_one::<entity::tenant_tombstone::Entity>(db).await;
}

both_databases! {
    async fn up_down_and_up_again_on_data(test: Unmigrated) {
        let db = test.0.db.migration_connection();
        assert_eq!(test.up().await, step_names());
        assert_eq!(test.up().await, Vec::<String>::new(), "nothing is left to do");
        let all: BTreeSet<String> = ROWS.iter().map(|(table, ..)| (*table).to_owned()).collect();
        assert_eq!(tables(&db).await, all);
        fill(&db, &ROWS).await;
        read_every_table(&db).await;

        // Back to before the third step, which the later ones stand on.
        let later = step_names().split_off(2);
        let mut undone = later.clone();
        undone.reverse();
        let count_back = u32::try_from(later.len()).unwrap();
        assert_eq!(migrate::down(&db, count_back).await.unwrap(), undone);
        let kept = &ROWS[..LOG_TABLES];
        let kept_names: BTreeSet<String> = kept.iter().map(|(table, ..)| (*table).to_owned()).collect();
        assert_eq!(tables(&db).await, kept_names);
        for (table, ..) in kept {
            assert_eq!(count(&db, table).await, 1, "{table} lost its row");
        }
        assert_eq!(test.up().await, later);
        fill(&db, &ROWS[LOG_TABLES..]).await;
        read_every_table(&db).await;

        let mut newest_first = step_names();
        newest_first.reverse();
        assert_eq!(migrate::down(&db, 99).await.unwrap(), newest_first);
        assert_eq!(tables(&db).await, BTreeSet::new());
        assert_eq!(migrate::down(&db, 1).await.unwrap(), Vec::<String>::new());

        assert_eq!(test.up().await, step_names());
        fill(&db, &ROWS).await;
        read_every_table(&db).await;
    }

    async fn a_failing_step_leaves_nothing_behind(test: Unmigrated) {
        let db = test.0.db.migration_connection();
        // In the way of the second step, after it has made other tables.
        db.execute_unprepared("CREATE TABLE deals (id integer)").await.unwrap();
        migrate::up(&db).await.unwrap_err();
        let names = tables(&db).await;
        assert!(names.contains("users") && !names.contains("companies"), "{names:?}");
        let applied: Vec<bool> =
            migrate::status(&db).await.unwrap().into_iter().map(|(_, applied)| applied).collect();
        assert!(applied[0] && !applied[1..].contains(&true), "{applied:?}");
        db.execute_unprepared("DROP TABLE deals").await.unwrap();
        assert_eq!(test.up().await, step_names()[1..]);
        fill(&db, &ROWS).await;
    }

    async fn servers_that_start_together_apply_every_step_once(test: Unmigrated) {
        let (one, two, three) = (
            Db::connect(test.0.url(), 2).await.unwrap(),
            Db::connect(test.0.url(), 2).await.unwrap(),
            Db::connect(test.0.url(), 2).await.unwrap(),
        );
        let (first, second, third) = tokio::try_join!(
            one.migrate(happened_at()),
            two.migrate(happened_at()),
            three.migrate(happened_at()),
        )
        .unwrap();
        let mut applied = [first, second, third].concat();
        applied.sort();
        assert_eq!(applied, step_names());
        fill(&test.0.db.migration_connection(), &ROWS).await;
        for db in [one, two, three] {
            db.close().await;
        }
    }

    async fn a_dry_run_says_all_and_does_nothing(test: Unmigrated) {
        let db = test.0.db.migration_connection();
        let planned = migrate::dry_run(&db).await.unwrap();
        let names: Vec<String> = planned.iter().map(|(name, _)| name.clone()).collect();
        assert_eq!(names, step_names());
        assert_eq!(migrate::pending(&db).await.unwrap(), step_names());
        assert_eq!(tables(&db).await, BTreeSet::new());
        // What it prints is what a real run executes: by hand it gives the same tables.
        for statement in planned.iter().flat_map(|(_, statements)| statements) {
            db.execute_unprepared(statement).await.unwrap();
        }
        assert_eq!(tables(&db).await.len(), ROWS.len());
    }

    async fn nothing_is_pending_after_up(test: TestDb) {
        let db = test.db.migration_connection();
        assert_eq!(migrate::dry_run(&db).await.unwrap(), Vec::<(String, Vec<String>)>::new());
        let status = migrate::status(&db).await.unwrap();
        assert!(status.iter().all(|(_, applied)| *applied), "{status:?}");
    }

    async fn a_database_of_a_newer_version_is_left_alone(test: TestDb) {
        let db = test.db.migration_connection();
        let newer = "INSERT INTO seaql_migrations (version, applied_at) VALUES ('m2099_next', 0)";
        db.execute_unprepared(newer).await.unwrap();
        assert_eq!(migrate::up(&db).await.unwrap(), Vec::<String>::new());
        // Taking our own step from under a newer one is refused.
        let error = migrate::down(&db, 1).await.unwrap_err();
        assert!(error.to_string().contains("m2099_next"), "{error}");
        assert_eq!(tables(&db).await.len(), ROWS.len());
    }

    async fn checks_and_keys_hold(test: TestDb) {
        let db = test.db.migration_connection();
        fill(&db, &ROWS).await;
        for refused in [
            "UPDATE leads SET score = 101",
            "UPDATE leads SET status = 'won'",
            "UPDATE companies SET employees = -1",
            "UPDATE companies SET external_id = NULL",
            "UPDATE companies SET metadata = '{'",
            "UPDATE pipeline_stages SET is_won = TRUE, is_lost = TRUE",
            "DELETE FROM users",
            "INSERT INTO companies (tenant_id, id, name, name_folded, currency, parent_id, \
             created_at, updated_at) SELECT id, id, '', '', 'BRL', tenant_id, created_at, updated_at \
             FROM companies",
        ] {
            assert!(db.execute_unprepared(refused).await.is_err(), "{refused}");
        }
    }
}

#[tokio::test]
async fn the_search_table_follows_its_table_on_sqlite() {
    let test = TestDb::new(Backend::Sqlite).await;
    let db = test.db.migration_connection();
    fill(&db, &ROWS).await;
    let hits = |word: &str| {
        format!("SELECT count(*) FROM companies_search WHERE companies_search MATCH '\"{word}\"'")
    };
    assert_eq!(number(&db, &hits("quente")).await, 1);
    db.execute_unprepared("UPDATE companies SET search_text = ' forno frio '").await.unwrap();
    assert_eq!(number(&db, &hits("quente")).await, 0);
    assert_eq!(number(&db, &hits("forno")).await, 1);
    let hanging_on = ["deal_stage_changes", "customer_goals", "sales", "deal_activities", "deals"];
    let further = ["lead_interactions", "leads", "contacts", "companies"];
    for table in hanging_on.into_iter().chain(further) {
        db.execute_unprepared(&format!("DELETE FROM {table}")).await.unwrap();
    }
    assert_eq!(number(&db, &hits("forno")).await, 0);
    // An error, if the index and the table had drifted apart.
    let check = "INSERT INTO companies_search (companies_search) VALUES ('integrity-check')";
    db.execute_unprepared(check).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn months_are_made_ahead_and_for_the_past_on_postgres() {
    let test = TestDb::empty(Backend::Postgres).await;
    migrate::up(&test.db.migration_connection()).await.unwrap();
    let now: DateTime<Utc> = "2026-11-30T23:59:59Z".parse().unwrap();
    tokio::try_join!(
        test.db.ensure_partitions(now),
        test.db.ensure_partitions(now),
        test.db.ensure_partitions(now),
    )
    .unwrap();
    let db = test.db.migration_connection();
    let months = |table: &str| {
        format!("SELECT count(*) FROM pg_inherits WHERE inhparent = '{table}'::regclass")
    };
    for table in migration::partitions::PARTITIONED_TABLES {
        assert_eq!(number(&db, &months(table)).await, 5, "{table}");
        let last = format!("SELECT count(*) FROM {table}_2027_02");
        assert_eq!(number(&db, &last).await, 0);
    }
    // A row of the past has no month until it is asked for; then it lies in that month.
    let past = happened_at() - TimeDelta::days(400);
    let insert = |id: Uuid| {
        format!(
            "INSERT INTO events (tenant_id, id, module, event_type, occurred_at, received_at, \
             batch_id, payload) VALUES ('{id}', '{id}', 'crm', 'x', now(), now(), '{id}', '{{}}')"
        )
    };
    let id = Clock::system().id_at(past);
    db.execute_unprepared(&insert(id)).await.unwrap_err();
    tokio::try_join!(
        test.db.ensure_partition_for("events", past),
        test.db.ensure_partition_for("events", past),
    )
    .unwrap();
    db.execute_unprepared(&insert(id)).await.unwrap();
    assert_eq!(number(&db, "SELECT count(*) FROM events_2025_01").await, 1);
    test.db.ensure_partition_for("leads", past).await.unwrap_err();
}
