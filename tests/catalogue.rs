//! The rules that every table keeps, read from the databases' own catalogues: a new table that
//! forgets one fails here. Each rule is a query for what breaks it.

use std::collections::{BTreeMap, BTreeSet};

use sea_orm::{ConnectionTrait, EntityTrait, IdenStatic, Iterable, Statement};

use crate::migrations::tables;
use crate::support::{Backend, TestDb, both_databases};

async fn texts(db: &impl ConnectionTrait, sql: &str) -> Vec<String> {
    let statement = Statement::from_string(db.get_database_backend(), sql);
    let rows = db.query_all_raw(statement).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    rows.iter().map(|row| row.try_get_by_index(0).unwrap()).collect()
}

/// Our tables on PostgreSQL as `t`, partitions left out.
const POSTGRES_TABLES: &str = "WITH t AS (SELECT c.oid, c.relname::text AS name, EXISTS \
     (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'deleted_at') AS soft \
     FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') \
     AND NOT c.relispartition AND c.relname <> 'seaql_migrations') ";

/// What a rule says, and a query over `t` for what breaks it.
const POSTGRES_RULES: [(&str, &str); 16] = [
    (
        "every table but tenants and their tombstones has a tenant that is never null",
        "SELECT name FROM t WHERE name NOT IN ('tenants', 'tenant_tombstones') AND NOT EXISTS (SELECT FROM pg_attribute a \
         WHERE a.attrelid = t.oid AND a.attname = 'tenant_id' AND a.attnotnull \
         AND a.atttypid = 'uuid'::regtype)",
    ),
    (
        "the primary key is (tenant_id, id), named pk_table",
        "SELECT name FROM t WHERE NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conrelid = t.oid \
         AND k.contype = 'p' AND k.conname = 'pk_' || name AND pg_get_constraintdef(k.oid) = \
         CASE WHEN name IN ('tenants', 'tenant_tombstones') THEN 'PRIMARY KEY (id)' ELSE 'PRIMARY KEY (tenant_id, id)' END)",
    ),
    (
        "every index on columns begins with the tenant",
        "SELECT i.indexrelid::regclass::text FROM t JOIN pg_index i ON i.indrelid = t.oid \
         JOIN pg_class x ON x.oid = i.indexrelid JOIN pg_am m ON m.oid = x.relam \
         WHERE name NOT IN ('tenants', 'tenant_tombstones') AND m.amname = 'btree' \
         AND pg_get_indexdef(i.indexrelid, 1, false) <> 'tenant_id'",
    ),
    (
        "unique indexes ignore deleted rows",
        "SELECT i.indexrelid::regclass::text FROM t JOIN pg_index i ON i.indrelid = t.oid \
         WHERE t.soft AND i.indisunique AND NOT i.indisprimary \
         AND coalesce(pg_get_expr(i.indpred, t.oid), '') NOT LIKE '%(deleted_at IS NULL)%'",
    ),
    (
        "unique keys are indexes, not constraints",
        "SELECT k.conname::text FROM t JOIN pg_constraint k ON k.conrelid = t.oid \
         WHERE k.contype NOT IN ('p', 'f', 'c')",
    ),
    (
        "foreign keys stay within the tenant and neither cascade nor set null",
        "SELECT k.conname::text FROM t JOIN pg_constraint k ON k.conrelid = t.oid \
         WHERE k.contype = 'f' AND pg_get_constraintdef(k.oid) !~ \
         '^FOREIGN KEY \\(tenant_id, \\w+\\) REFERENCES \\w+\\(tenant_id, id\\)$' \
         AND pg_get_constraintdef(k.oid) <> 'FOREIGN KEY (tenant_id) REFERENCES tenants(id)'",
    ),
    (
        "the tenant exists; events are checked on their batch, guesses come before any \
         tenant, and the installation's secrets are nobody's",
        "SELECT name FROM t WHERE name NOT IN ('tenants', 'tenant_tombstones', 'events', \
         'event_ids', 'read_logs', 'sign_in_guards', 'server_secrets') \
         AND NOT EXISTS \
         (SELECT FROM pg_constraint k WHERE k.conrelid = t.oid AND k.confrelid = 'tenants'::regclass)",
    ),
    (
        "foreign keys are named fk_table_column",
        "SELECT k.conname::text FROM t JOIN pg_constraint k ON k.conrelid = t.oid \
         JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = k.conkey[array_upper(k.conkey, 1)] \
         WHERE k.contype = 'f' AND k.conparentid = 0 AND k.conname <> 'fk_' || name || '_' || a.attname",
    ),
    (
        "every foreign key has an index",
        "SELECT k.conname::text FROM t JOIN pg_constraint k ON k.conrelid = t.oid \
         WHERE k.contype = 'f' AND array_length(k.conkey, 1) = 2 AND NOT EXISTS (SELECT FROM pg_index i \
         WHERE i.indrelid = t.oid AND i.indkey[0] = k.conkey[1] AND i.indkey[1] = k.conkey[2])",
    ),
    (
        "checks are named chk_table_rule",
        "SELECT k.conname::text FROM t JOIN pg_constraint k ON k.conrelid = t.oid \
         WHERE k.contype = 'c' AND k.conname !~ ('^chk_' || name || '_[a-z_]+$')",
    ),
    (
        "indexes are named by their columns after the tenant, without the id that makes an order total",
        "SELECT x.relname::text FROM t JOIN pg_index i ON i.indrelid = t.oid \
         JOIN pg_class x ON x.oid = i.indexrelid CROSS JOIN LATERAL (SELECT \
         string_agg(a.attname, '_' ORDER BY n) FILTER (WHERE a.attname <> 'tenant_id' \
         AND (n < i.indnkeyatts OR a.attname <> 'id' OR n <= 2)) AS columns \
         FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS key (number, n) \
         JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = key.number) AS named \
         WHERE NOT i.indisprimary AND x.relname <> \
         CASE WHEN i.indisunique THEN 'uq_' ELSE 'idx_' END || name || '_' || named.columns",
    ),
    (
        "no triggers",
        "SELECT g.tgname::text FROM t JOIN pg_trigger g ON g.tgrelid = t.oid WHERE NOT g.tgisinternal",
    ),
    (
        "no functions in defaults",
        "SELECT name || ': ' || pg_get_expr(d.adbin, t.oid) FROM t \
         JOIN pg_attrdef d ON d.adrelid = t.oid WHERE pg_get_expr(d.adbin, t.oid) LIKE '%(%'",
    ),
    (
        "text is ordered by its bytes",
        "SELECT name || '.' || a.attname FROM t JOIN pg_attribute a ON a.attrelid = t.oid \
         WHERE a.attnum > 0 AND a.attcollation <> 0 AND a.attcollation <> '\"C\"'::regcollation",
    ),
    (
        "columns have one of our types: no floats, no decimals, no instants without zone",
        "SELECT name || '.' || a.attname FROM t JOIN pg_attribute a ON a.attrelid = t.oid \
         WHERE a.attnum > 0 AND NOT a.attisdropped AND a.atttypid::regtype::text NOT IN ('uuid', \
         'character varying', 'text', 'integer', 'bigint', 'boolean', 'timestamp with time zone', \
         'date', 'jsonb')",
    ),
    (
        "no functions and procedures of ours",
        "SELECT p.proname::text FROM pg_proc p WHERE p.pronamespace = 'public'::regnamespace \
         AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e') \
         AND EXISTS (SELECT FROM t)",
    ),
];

#[tokio::test]
async fn postgres_tables_keep_the_rules() {
    let test = TestDb::new(Backend::Postgres).await;
    let db = test.db.migration_connection();
    let all = texts(&db, &format!("{POSTGRES_TABLES} SELECT name FROM t")).await;
    assert_eq!(all.len(), entities().len(), "{all:?}");
    for (rule, query) in POSTGRES_RULES {
        let broken_by = texts(&db, &format!("{POSTGRES_TABLES} {query}")).await;
        assert!(broken_by.is_empty(), "{rule}: {broken_by:?}");
    }
}

#[tokio::test]
async fn large_tables_are_partitioned_on_postgres() {
    let test = TestDb::new(Backend::Postgres).await;
    let db = test.db.migration_connection();
    let query = "SELECT partrelid::regclass::text || ' ' || pg_get_partkeydef(partrelid) \
         FROM pg_partitioned_table ORDER BY 1";
    assert_eq!(
        texts(&db, query).await,
        [
            "audit_logs RANGE (id)",
            "event_ids HASH (tenant_id, id)",
            "events RANGE (id)",
            "lead_interactions RANGE (id)",
            "read_logs RANGE (id)",
        ]
    );
    let names = texts(
        &db,
        "SELECT c.relname::text FROM pg_class c WHERE c.relispartition AND c.relkind = 'r' \
         AND c.relname !~ '^(audit_logs|events|lead_interactions|read_logs)_[0-9]{4}_[0-9]{2}$|^event_ids_[0-7]$'",
    )
    .await;
    assert!(names.is_empty(), "{names:?}");
    let parts = "SELECT inhrelid::regclass::text FROM pg_inherits \
         WHERE inhparent = 'event_ids'::regclass";
    assert_eq!(texts(&db, parts).await.len(), 8);
}

/// Our tables on SQLite as `t`: `numbered` where the search index counts rows.
const SQLITE_TABLES: &str = "WITH t AS (SELECT m.name, \
     EXISTS (SELECT 1 FROM pragma_table_info(m.name) WHERE name = 'seq') AS numbered, \
     EXISTS (SELECT 1 FROM pragma_table_info(m.name) WHERE name = 'deleted_at') AS soft \
     FROM sqlite_master m WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite\\_%' ESCAPE '\\' \
     AND m.name NOT LIKE '%\\_search%' ESCAPE '\\' AND m.name <> 'seaql_migrations') ";

const SQLITE_RULES: [(&str, &str); 9] = [
    (
        "every table but tenants and their tombstones has a tenant and an id that are never null",
        "SELECT name FROM t WHERE name NOT IN ('tenants', 'tenant_tombstones') AND 2 <> (SELECT count(*) \
         FROM pragma_table_info(t.name) c WHERE c.name IN ('tenant_id', 'id') AND c.\"notnull\")",
    ),
    (
        "the primary key, or beside a row number the first unique key, is (tenant_id, id)",
        "SELECT name FROM t WHERE name NOT IN ('tenants', 'tenant_tombstones') AND NOT EXISTS (SELECT 1 \
         FROM pragma_index_list(t.name) i WHERE i.origin = CASE numbered WHEN 1 THEN 'u' ELSE 'pk' END \
         AND 'tenant_id,id' = (SELECT group_concat(name) FROM pragma_index_info(i.name)))",
    ),
    (
        "every index begins with the tenant",
        "SELECT i.name FROM t JOIN pragma_index_list(t.name) i JOIN pragma_index_info(i.name) c \
         WHERE t.name NOT IN ('tenants', 'tenant_tombstones') AND c.seqno = 0 AND c.name <> 'tenant_id'",
    ),
    (
        "unique indexes ignore deleted rows",
        "SELECT i.name FROM t JOIN pragma_index_list(t.name) i JOIN sqlite_master m ON m.name = i.name \
         WHERE t.soft AND i.\"unique\" AND i.origin = 'c' AND m.sql NOT LIKE '%deleted_at IS NULL'",
    ),
    (
        "foreign keys stay within the tenant and neither cascade nor set null",
        "SELECT t.name || ' -> ' || f.\"table\" FROM t JOIN pragma_foreign_key_list(t.name) f \
         GROUP BY t.name, f.id HAVING max(f.on_delete) <> 'NO ACTION' OR NOT (\
         (count(*) = 2 AND max(f.\"from\" = 'tenant_id' AND f.\"to\" = 'tenant_id') \
         AND max(f.\"from\" <> 'tenant_id' AND f.\"to\" = 'id')) OR (count(*) = 1 \
         AND max(f.\"table\") = 'tenants' AND max(f.\"from\") = 'tenant_id' AND max(f.\"to\") = 'id'))",
    ),
    (
        "the only triggers keep a search index in step",
        "SELECT name FROM sqlite_master WHERE type = 'trigger' AND NOT EXISTS (SELECT 1 FROM t \
         WHERE numbered AND tbl_name = t.name AND sqlite_master.name IN (t.name || '_search_insert', \
         t.name || '_search_update', t.name || '_search_delete'))",
    ),
    (
        "every search index has its three triggers",
        "SELECT name FROM t WHERE numbered AND 3 <> (SELECT count(*) FROM sqlite_master m \
         WHERE m.type = 'trigger' AND m.tbl_name = t.name)",
    ),
    (
        "no functions in defaults",
        "SELECT t.name || '.' || c.name FROM t JOIN pragma_table_info(t.name) c \
         WHERE c.dflt_value LIKE '%(%' OR c.dflt_value LIKE 'current%'",
    ),
    (
        "indexes are named by their columns after the tenant, without the id that makes an order total",
        "SELECT i.name FROM t JOIN pragma_index_list(t.name) i WHERE i.origin = 'c' AND i.name <> \
         CASE i.\"unique\" WHEN 1 THEN 'uq_' ELSE 'idx_' END || t.name || '_' || \
         (SELECT group_concat(name, '_') FROM (SELECT c.name FROM pragma_index_info(i.name) c \
         WHERE c.name <> 'tenant_id' AND (c.name <> 'id' OR c.seqno = 1) ORDER BY c.seqno))",
    ),
];

#[tokio::test]
async fn sqlite_tables_keep_the_rules() {
    let test = TestDb::new(Backend::Sqlite).await;
    let db = test.db.migration_connection();
    let all = texts(&db, &format!("{SQLITE_TABLES} SELECT name FROM t")).await;
    assert_eq!(all.len(), entities().len(), "{all:?}");
    for (rule, query) in SQLITE_RULES {
        let broken_by = texts(&db, &format!("{SQLITE_TABLES} {query}")).await;
        assert!(broken_by.is_empty(), "{rule}: {broken_by:?}");
    }
}

/// Both databases can serve the same orders: what is there on one is there on the other, but for
/// the indexes that only PostgreSQL has.
#[tokio::test]
async fn both_databases_have_the_same_indexes() {
    let names_on = async |backend, sql| {
        let test = TestDb::new(backend).await;
        let names = texts(&test.db.migration_connection(), sql).await;
        names.into_iter().collect::<BTreeSet<String>>()
    };
    let on_postgres = "SELECT x.relname::text FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid \
         JOIN pg_am m ON m.oid = x.relam WHERE x.relnamespace = 'public'::regnamespace \
         AND NOT x.relispartition AND m.amname = 'btree' AND NOT i.indisprimary";
    let on_sqlite = "SELECT name FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL";
    let postgres_names = names_on(Backend::Postgres, on_postgres).await;
    let sqlite_names = names_on(Backend::Sqlite, on_sqlite).await;
    assert!(postgres_names.len() > 100);
    assert_eq!(postgres_names, sqlite_names);
}

fn shape<E: EntityTrait>() -> (String, BTreeSet<String>) {
    let columns = E::Column::iter().map(|column| column.as_str().to_owned()).collect();
    (E::default().table_name().to_owned(), columns)
}

fn entities() -> BTreeMap<String, BTreeSet<String>> {
    BTreeMap::from([
        shape::<entity::tenant::Entity>(),
        shape::<entity::tenant_tombstone::Entity>(),
        shape::<entity::fold_head::Entity>(),
        shape::<entity::custom_metric::Entity>(),
        shape::<entity::metric_series::Entity>(),
        shape::<entity::analytics_dimension::Entity>(),
        shape::<entity::snapshot::Entity>(),
        shape::<entity::job::Entity>(),
        shape::<entity::event_failure::Entity>(),
        shape::<entity::quarantined_event::Entity>(),
        shape::<entity::event_schema::Entity>(),
        shape::<entity::rate_budget::Entity>(),
        shape::<entity::persisted_operation::Entity>(),
        shape::<entity::identity_provider::Entity>(),
        shape::<entity::user_identity::Entity>(),
        shape::<entity::sign_in_flow::Entity>(),
        shape::<entity::org_unit::Entity>(),
        shape::<entity::user::Entity>(),
        shape::<entity::role::Entity>(),
        shape::<entity::user_role::Entity>(),
        shape::<entity::api_key::Entity>(),
        shape::<entity::pipeline_stage::Entity>(),
        shape::<entity::company::Entity>(),
        shape::<entity::contact::Entity>(),
        shape::<entity::lead::Entity>(),
        shape::<entity::lead_interaction::Entity>(),
        shape::<entity::deal::Entity>(),
        shape::<entity::deal_activity::Entity>(),
        shape::<entity::sale::Entity>(),
        shape::<entity::customer_goal::Entity>(),
        shape::<entity::server_secret::Entity>(),
        shape::<entity::deal_stage_change::Entity>(),
        shape::<entity::event_batch::Entity>(),
        shape::<entity::event::Entity>(),
        shape::<entity::event_id::Entity>(),
        shape::<entity::audit_log::Entity>(),
        shape::<entity::audit_chain::Entity>(),
        shape::<entity::audit_seal::Entity>(),
        shape::<entity::read_log::Entity>(),
        shape::<entity::outbox::Entity>(),
        shape::<entity::epoch::Entity>(),
        shape::<entity::idempotency_key::Entity>(),
        shape::<entity::session::Entity>(),
        shape::<entity::account_token::Entity>(),
        shape::<entity::mail::Entity>(),
        shape::<entity::notification::Entity>(),
        shape::<entity::notification_feed::Entity>(),
        shape::<entity::sign_in_guard::Entity>(),
    ])
}

both_databases! {
    async fn entities_and_tables_have_the_same_columns(test: TestDb) {
        let db = test.db.migration_connection();
        let mut found = BTreeMap::new();
        for table in tables(&db).await {
            let query = match test.backend {
                Backend::Postgres => format!(
                    "SELECT column_name::text FROM information_schema.columns \
                     WHERE table_schema = 'public' AND table_name = '{table}'"
                ),
                Backend::Sqlite => {
                    format!("SELECT name FROM pragma_table_info('{table}') WHERE name <> 'seq'")
                }
            };
            let columns = texts(&db, &query).await.into_iter().collect();
            found.insert(table, columns);
        }
        assert_eq!(found, entities());
    }
}

/// A rule that cannot be broken proves nothing: these tables break them all.
const BAD_POSTGRES: &str = "CREATE FUNCTION bad_rule() RETURNS trigger LANGUAGE plpgsql \
     AS 'BEGIN RETURN NEW; END'; \
     CREATE TABLE bad (tenant_id uuid, id integer PRIMARY KEY CHECK (id > 0), name text UNIQUE, \
     at timestamp DEFAULT now(), deleted_at timestamptz, user_id uuid, \
     parent_id integer REFERENCES bad (id) ON DELETE SET NULL, \
     FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id)); \
     CREATE TRIGGER bad_trigger BEFORE INSERT ON bad FOR EACH ROW EXECUTE FUNCTION bad_rule()";
const BAD_SQLITE: &str = "CREATE TABLE bad (seq INTEGER PRIMARY KEY, tenant_id blob, id blob, \
     name text DEFAULT (lower('A')), deleted_at text, parent_id blob REFERENCES bad (seq) \
     ON DELETE CASCADE); \
     CREATE UNIQUE INDEX bad_index ON bad (name); \
     CREATE TRIGGER bad_trigger AFTER INSERT ON bad BEGIN DELETE FROM bad; END";

#[tokio::test]
async fn every_rule_can_be_broken() {
    for (backend, bad, tables, rules) in [
        (Backend::Postgres, BAD_POSTGRES, POSTGRES_TABLES, &POSTGRES_RULES[..]),
        (Backend::Sqlite, BAD_SQLITE, SQLITE_TABLES, &SQLITE_RULES[..]),
    ] {
        let test = TestDb::new(backend).await;
        let db = test.db.migration_connection();
        db.execute_unprepared(bad).await.unwrap();
        for (rule, query) in rules {
            let broken_by = texts(&db, &format!("{tables} {query}")).await;
            assert!(broken_by.iter().any(|name| name.contains("bad")), "{backend:?}: {rule}");
        }
    }
}
