//! Declarations against the databases' own catalogues, and the plans that their optimisers make: a
//! page of any sortable field is served by its index.

use std::collections::BTreeMap;

use pulso::access::SystemHandle;
use pulso::db::{Conn, Statement, Value};
use pulso::record::Kind;
use pulso::record::declare::RelationKind;
use pulso::record::fetch::page_statement;
use pulso::record::operation::RootPlan;
use uuid::Uuid;

use crate::support::data::{Random, fill, records};
use crate::support::{Backend, TestApp, both_databases};

async fn texts(conn: &Conn, sql: String, values: Vec<Value>) -> Vec<Vec<Option<String>>> {
    let system = SystemHandle::for_tenant(Uuid::nil());
    let rows = conn.rows(&system, &Statement::new(sql, values)).await.unwrap();
    rows.iter().map(|row| (0..row.len()).map(|index| row.text(index).unwrap()).collect()).collect()
}

/// Name -> (type, may be null).
async fn columns(app: &TestApp, table: &str) -> BTreeMap<String, (String, bool)> {
    let conn = app.app.db.single_read().await.unwrap();
    let sql = match app.database.backend {
        Backend::Postgres => format!(
            "SELECT attname::text, atttypid::regtype::text, attnotnull::text FROM pg_attribute \
             WHERE attrelid = '{table}'::regclass AND attnum > 0"
        ),
        Backend::Sqlite => format!(
            "SELECT name, lower(type), CASE \"notnull\" WHEN 1 THEN 'true' ELSE 'false' END \
             FROM pragma_table_info('{table}')"
        ),
    };
    let rows = texts(&conn, sql, Vec::new()).await;
    rows.into_iter()
        .map(|row| {
            let [Some(name), Some(of), Some(not_null)] = &row[..] else { panic!("{row:?}") };
            let of = of.split('(').next().unwrap().to_owned();
            (name.clone(), (of, not_null != "true"))
        })
        .collect()
}

/// The columns of each index on columns, in its order.
async fn indexes(app: &TestApp, table: &str) -> Vec<String> {
    let conn = app.app.db.single_read().await.unwrap();
    let sql = match app.database.backend {
        Backend::Postgres => format!(
            "SELECT string_agg(a.attname, ',' ORDER BY n)::text FROM pg_index i \
             CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY AS key (number, n) \
             JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = key.number \
             WHERE i.indrelid = '{table}'::regclass GROUP BY i.indexrelid"
        ),
        Backend::Sqlite => format!(
            "SELECT (SELECT group_concat(name, ',') FROM (SELECT name FROM pragma_index_info(i.name) \
             ORDER BY seqno)) FROM pragma_index_list('{table}') i"
        ),
    };
    let rows = texts(&conn, sql, Vec::new()).await;
    rows.into_iter().filter_map(|row| row[0].clone()).collect()
}

fn types(backend: Backend, kind: Kind) -> &'static [&'static str] {
    match (backend, kind) {
        (Backend::Postgres, Kind::Id) => &["uuid"],
        (Backend::Postgres, Kind::Text | Kind::Code | Kind::Enum(_)) => {
            &["character varying", "text"]
        }
        (Backend::Postgres, Kind::Int) => &["integer", "bigint"],
        (Backend::Postgres, Kind::Money { .. }) => &["bigint"],
        (_, Kind::Float) => &[],
        (_, Kind::Bool) => &["boolean"],
        (Backend::Postgres, Kind::Date) => &["date"],
        (Backend::Postgres, Kind::Instant) => &["timestamp with time zone"],
        (Backend::Postgres, Kind::Json) => &["jsonb"],
        (Backend::Sqlite, Kind::Id) => &["blob"],
        (Backend::Sqlite, Kind::Int | Kind::Money { .. }) => &["integer"],
        (Backend::Sqlite, Kind::Text | Kind::Code | Kind::Enum(_)) => &["varchar", "text"],
        (Backend::Sqlite, Kind::Date | Kind::Instant | Kind::Json) => &["text"],
    }
}

/// The values that a check of the table allows.
async fn allowed(app: &TestApp, table: &str, column: &str) -> Vec<String> {
    let conn = app.app.db.single_read().await.unwrap();
    let sql = match app.database.backend {
        Backend::Postgres => format!(
            "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = '{table}'::regclass \
             AND conname = 'chk_{table}_{column}'"
        ),
        Backend::Sqlite => {
            format!("SELECT sql FROM sqlite_master WHERE name = '{table}' AND type = 'table'")
        }
    };
    let text = texts(&conn, sql, Vec::new()).await.remove(0).remove(0).unwrap();
    let text = match app.database.backend {
        Backend::Postgres => text,
        Backend::Sqlite => {
            let from = text.find(&format!("CHECK ({column} IN (")).unwrap();
            let end = text[from..].find("))").unwrap();
            text[from..from + end].to_owned()
        }
    };
    let mut values: Vec<String> = text.split('\'').skip(1).step_by(2).map(str::to_owned).collect();
    values.sort();
    values
}

async fn explained(app: &TestApp, statement: &Statement) -> String {
    let conn = match app.database.backend {
        Backend::Sqlite => app.app.db.single_read().await.unwrap(),
        Backend::Postgres => app.app.db.transaction().await.unwrap(),
    };
    let system = SystemHandle::for_tenant(Uuid::nil());
    let explain = match app.database.backend {
        Backend::Sqlite => "EXPLAIN QUERY PLAN ",
        Backend::Postgres => {
            for setting in ["enable_seqscan", "enable_bitmapscan"] {
                let off = Statement::new(format!("SET LOCAL {setting} = off"), Vec::new());
                conn.execute(&system, &off).await.unwrap();
            }
            "EXPLAIN (COSTS OFF) "
        }
    };
    let statement = Statement::new(format!("{explain}{}", statement.sql), statement.values.clone());
    let rows = conn.rows(&system, &statement).await.unwrap();
    let column = if app.database.backend == Backend::Sqlite { 3 } else { 0 };
    rows.iter().map(|row| row.text(column).unwrap().unwrap() + "\n").collect()
}

both_databases! {
    async fn declared_columns_exist_and_fit(app: TestApp) {
        for record in records() {
            let columns = columns(&app, record.table).await;
            for field in &record.fields {
                let what = format!("{}.{}", record.name, field.name);
                let Some((of, nullable)) = columns.get(field.column) else { panic!("{what} has no column") };
                assert!(types(app.database.backend, field.kind).contains(&of.as_str()), "{what}: {of}");
                assert_eq!(field.nullable, *nullable, "{what}");
                if field.folded {
                    let twin = format!("{}_folded", field.column);
                    assert_eq!(columns.get(&twin), Some(&("text".to_owned(), *nullable)), "{what}");
                }
                if let Kind::Money { currency } = field.kind {
                    assert!(!columns[currency].1, "{what}: its currency may be null");
                }
            }
            assert_eq!(!record.searched.is_empty(), columns.contains_key("search_text"), "{}", record.name);
            assert_eq!(record.soft_delete, columns.contains_key("deleted_at"), "{}", record.name);
            for searched in &record.searched {
                assert!(columns.contains_key(*searched), "{}: {searched}", record.name);
            }
            for relation in &record.relations {
                match relation.kind {
                    RelationKind::One { column, nullable } => {
                        assert_eq!(columns[column].1, nullable, "{}.{}", record.name, relation.name);
                    }
                    RelationKind::Many { column, .. } => {
                        let target = (relation.target)();
                        let others = self::columns(&app, target.table).await;
                        assert!(others.contains_key(column), "{}.{}", record.name, relation.name);
                    }
                }
            }
        }
    }

    async fn every_order_and_every_relation_has_its_index(app: TestApp) {
        for record in records() {
            let own = indexes(&app, record.table).await;
            for field in record.fields.iter().filter(|field| field.sort) {
                let wanted = format!("tenant_id,{},id", field.sort_column());
                assert!(own.contains(&wanted), "{}: no index {wanted}", record.name);
            }
            for relation in &record.relations {
                let (table, column) = match relation.kind {
                    RelationKind::One { column, .. } => (record.table, column),
                    RelationKind::Many { column, .. } => ((relation.target)().table, column),
                };
                let wanted = format!("tenant_id,{column}");
                let found = indexes(&app, table).await;
                assert!(found.iter().any(|index| index.starts_with(&wanted)), "{table}: no index {wanted}");
            }
        }
    }

    async fn enum_values_are_those_of_the_checks(app: TestApp) {
        let mut seen = 0;
        for record in records() {
            for field in &record.fields {
                let Kind::Enum(of) = field.kind else { continue };
                let mut declared: Vec<String> =
                    of.values.iter().map(|value| value.stored.to_owned()).collect();
                declared.sort();
                assert_eq!(allowed(&app, record.table, field.column).await, declared, "{}", of.name);
                for value in of.values {
                    assert_eq!(value.shown, value.stored.to_uppercase(), "{}", of.name);
                    assert!(!value.label_en.is_empty() && !value.label_pt.is_empty(), "{}", of.name);
                }
                seen += 1;
            }
        }
        assert!(seen >= 5);
    }

    async fn pages_of_every_sortable_field_are_served_by_its_index(app: TestApp) {
        fill(&app, &app.alpha, &mut Random::new(8), 30).await;
        if app.database.backend == Backend::Postgres {
            app.run_sql(&app.alpha, "ANALYZE", Vec::new()).await;
        }
        let ctx = app.ctx(&app.alpha.admin).await;
        for record in records() {
            for field in record.fields.iter().filter(|field| field.sort) {
                for direction in ["ASC", "DESC"] {
                    let arguments = format!(
                        "orderBy: [{{ field: {}, direction: {direction} }}], first: 2", field.enum_name()
                    );
                    let list = record.plural;
                    let query = format!("query Q {{ {list}({arguments}) {{ nodes {{ id }} pageInfo {{ endCursor }} }} }}");
                    let found = app.data(&app.alpha.admin.key, &query, serde_json::json!({})).await;
                    let cursor = found[list]["pageInfo"]["endCursor"].as_str().unwrap().to_owned();
                    for after in [String::new(), format!(", after: \"{cursor}\"")] {
                        let query = format!("{{ {list}({arguments}{after}) {{ nodes {{ id }} }} }}");
                        let planned = app.plan(&ctx, record, &query);
                        let RootPlan::List(plan) = &planned.plan else { panic!() };
                        let statement = page_statement(ctx.app.db.dialect(), plan).unwrap();
                        let plan = explained(&app, &statement).await;
                        // A unique key gives the same order.
                        let name = format!("_{}_{}", record.table, field.sort_column());
                        let (index, unique) = (format!("idx{name}"), format!("uq{name}"));
                        let what = format!("{query}\n{}\n{plan}", statement.sql);
                        let branches = 1 + statement.sql.matches(" UNION ALL ").count();
                        let in_months = ["AnalyticsEvent", "AuditLog", "LeadInteraction", "ReadLog"].contains(&record.name);
                        let partitioned = in_months && app.database.backend == Backend::Postgres;
                        if !partitioned {
                            let used = plan.matches(&index).count() + plan.matches(&unique).count();
                            assert!(used >= branches, "{what}");
                        }
                        // Sorted are at most the few rows that the branches give.
                        let inside = match app.database.backend {
                            Backend::Postgres => plan.split_once("Append").map_or(plan.as_str(), |(_, below)| below),
                            Backend::Sqlite => plan.split_once("COMPOUND").map_or(plan.as_str(), |(_, below)| {
                                below.rsplit_once("SCAN").map_or(below, |(inside, _)| inside)
                            }),
                        };
                        assert!(!inside.lines().any(|line| line.ends_with("Sort")), "{what}");
                        assert!(!inside.contains("TEMP B-TREE"), "{what}");
                        assert!(!inside.contains("Seq Scan"), "{what}");
                    }
                }
            }
        }
    }

    /// Also words of two letters, with the space before them; and one look for all words.
    async fn a_search_is_led_by_its_index(app: TestApp) {
        let ctx = app.ctx(&app.alpha.admin).await;
        let contacts = records().into_iter().find(|record| record.name == "Contact").unwrap();
        for text in ["joao", "jo", "joao silva", "jo silva"] {
            let query = format!("{{ contacts(search: \"{text}\") {{ nodes {{ id }} }} }}");
            let planned = app.plan(&ctx, contacts, &query);
            let RootPlan::List(plan) = &planned.plan else { panic!() };
            let statement = page_statement(ctx.app.db.dialect(), plan).unwrap();
            match app.database.backend {
                Backend::Sqlite => {
                    let plan = explained(&app, &statement).await;
                    let first = plan.lines().next().unwrap();
                    assert!(first.starts_with("SCAN contacts_search VIRTUAL TABLE INDEX"), "{text}: {plan}");
                    assert!(!plan.contains("SUBQUERY"), "{text}: {plan}");
                }
                Backend::Postgres => {
                    let words = text.split(' ').count();
                    assert_eq!(statement.sql.matches("search_text LIKE").count(), words, "{}", statement.sql);
                }
            }
        }
    }
}
