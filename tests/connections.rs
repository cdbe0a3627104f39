//! What connections promise: a transaction that is not committed leaves nothing, a snapshot is one
//! state and never a stale one, values come back alike over both drivers, and a connection that broke
//! or was abandoned is nobody's problem.

use std::time::Duration;

use chrono::{NaiveDate, TimeZone as _, Utc};
use pulso::access::SystemHandle;
use pulso::db::{Conn, Db, Dialect, EngineRead, NullOf, Statement, Value};
use serde_json::json;
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::support::waiting::until;
use crate::support::{Backend, TestDb, both_databases};

fn permit() -> SystemHandle {
    SystemHandle::for_tenant(Uuid::nil())
}

async fn execute(conn: &Conn, sql: &str) -> u64 {
    conn.execute(&permit(), &Statement::new(sql, vec![])).await.unwrap()
}

async fn number(conn: &Conn, sql: &str) -> i64 {
    let row = conn.row(&permit(), &Statement::new(sql, vec![])).await.unwrap().unwrap();
    row.int(0).unwrap().unwrap()
}

async fn with_table(db: &Db) {
    let conn = db.transaction().await.unwrap();
    execute(&conn, "CREATE TABLE t (n bigint PRIMARY KEY)").await;
    conn.commit().await.unwrap();
}

async fn insert(db: &Db, value: i64) {
    let conn = db.transaction().await.unwrap();
    execute(&conn, &format!("INSERT INTO t (n) VALUES ({value})")).await;
    conn.commit().await.unwrap();
}

const COUNT: &str = "SELECT count(*) FROM t";

both_databases! {
    async fn what_is_not_committed_is_undone_before_anybody_else_looks(test: TestDb) {
        // One connection of each kind: the next user gets the very one that was dropped.
        let db = Db::connect(test.url(), 1).await.unwrap();
        with_table(&db).await;
        for _ in 0..5 {
            let conn = db.transaction().await.unwrap();
            execute(&conn, "INSERT INTO t (n) VALUES (1)").await;
            drop(conn);
            insert(&db, 2).await;
            assert_eq!(number(&db.single_read().await.unwrap(), COUNT).await, 1);
            let conn = db.transaction().await.unwrap();
            execute(&conn, "DELETE FROM t").await;
            conn.commit().await.unwrap();
        }
    }

    async fn a_snapshot_is_one_state_and_the_next_one_is_new(test: TestDb) {
        let db = Db::connect(test.url(), 1).await.unwrap();
        with_table(&db).await;
        let writer = Db::connect(test.url(), 1).await.unwrap();
        for round in 0..6 {
            let conn = db.engine_read(EngineRead::Snapshot).await.unwrap();
            assert_eq!(number(&conn, COUNT).await, round);
            insert(&writer, round).await;
            assert_eq!(number(&conn, COUNT).await, round, "the same state");
            conn.commit().await.unwrap();
            for read in [EngineRead::Statement, EngineRead::LookUp] {
                let conn = db.engine_read(read).await.unwrap();
                assert_eq!(number(&conn, COUNT).await, round + 1, "{read:?}");
            }
            let conn = db.snapshot().await.unwrap();
            assert_eq!(number(&conn, COUNT).await, round + 1);
        }
    }

    async fn who_waited_for_a_connection_sees_the_state_of_now(test: TestDb) {
        if test.backend == Backend::Sqlite {
            // It has more readers than one, so nobody waits.
            return;
        }
        let db = Db::connect(test.url(), 1).await.unwrap();
        with_table(&db).await;
        let writer = Db::connect(test.url(), 1).await.unwrap();
        for (round, kind) in [
            EngineRead::Snapshot,
            EngineRead::Statement,
            EngineRead::Snapshot,
            EngineRead::Snapshot,
        ].into_iter().enumerate() {
            let round = i64::try_from(round).unwrap();
            let held = db.engine_read(EngineRead::Snapshot).await.unwrap();
            assert_eq!(number(&held, COUNT).await, round);
            let mut waiting = JoinSet::new();
            waiting.spawn({
                let db = db.clone();
                async move {
                    let conn = db.engine_read(kind).await.unwrap();
                    let first = number(&conn, COUNT).await;
                    (first, number(&conn, COUNT).await)
                }
            });
            while db.pool_state().waiting == 0 {
                tokio::task::yield_now().await;
            }
            insert(&writer, round).await;
            drop(held);
            assert_eq!(waiting.join_next().await.unwrap().unwrap(), (round + 1, round + 1));
        }
    }

    async fn an_abandoned_statement_holds_nobody_up(test: TestDb) {
        let db = Db::connect(test.url(), 1).await.unwrap();
        let endless = match test.backend {
            Backend::Postgres => "SELECT 1 FROM pg_sleep(600)",
            Backend::Sqlite => return,
        };
        for read in [EngineRead::Snapshot, EngineRead::Statement] {
            let conn = db.engine_read(read).await.unwrap();
            let permit = permit();
            let statement = Statement::new(endless, vec![]);
            let abandoned =
                tokio::time::timeout(Duration::from_millis(50), conn.rows(&permit, &statement));
            assert!(abandoned.await.is_err());
            drop(conn);
            let conn = db.engine_read(read).await.unwrap();
            assert_eq!(number(&conn, "SELECT 7::bigint").await, 7);
        }
    }

    async fn every_value_comes_back_alike(test: TestDb) {
        let dialect = test.db.dialect();
        let at = Utc.with_ymd_and_hms(2026, 2, 28, 23, 59, 59).unwrap();
        let date = NaiveDate::from_ymd_opt(1999, 12, 31).unwrap();
        let samples = [
            (NullOf::Id, Value::Id(Uuid::from_u128(7))),
            (NullOf::Text, Value::from("João \"Zé\" 😀")),
            (NullOf::Int, Value::Int(i64::MIN)),
            (NullOf::Float, Value::Float(-0.125)),
            (NullOf::Bool, Value::Bool(true)),
            (NullOf::Instant, Value::Instant(at)),
            (NullOf::Date, Value::Date(date)),
            (NullOf::Json, Value::Json(json!({ "a": [1, null, "x"] }))),
        ];
        for (kind, value) in samples {
            for value in [value, Value::Null(kind)] {
                let place = match dialect {
                    Dialect::Postgres => "$1".to_owned(),
                    Dialect::Sqlite => dialect.placeholder(1),
                };
                let statement = Statement::new(format!("SELECT {place}"), vec![value.clone()]);
                for conn in [
                    test.db.single_read().await.unwrap(),
                    test.db.engine_read(EngineRead::Statement).await.unwrap(),
                    test.db.engine_read(EngineRead::LookUp).await.unwrap(),
                ] {
                    // The text is the same for every kind, so each has its own database of texts.
                    let statement = Statement::new(
                        format!("{} -- {kind:?}", statement.sql),
                        statement.values.clone(),
                    );
                    let row = conn.row(&permit(), &statement).await.unwrap().unwrap();
                    assert_eq!(row.value(0, kind).unwrap(), value);
                }
            }
        }
    }

    async fn look_ups_that_share_a_connection_get_their_own_answers(test: TestDb) {
        let mut reads = JoinSet::new();
        for wanted in 0..300_i64 {
            let db = test.db.clone();
            reads.spawn(async move {
                let conn = db.engine_read(EngineRead::LookUp).await.unwrap();
                let mark = conn.dialect().placeholder(1);
                let statement =
                    Statement::new(format!("SELECT {mark}"), vec![Value::Int(wanted)]);
                let row = conn.row(&permit(), &statement).await.unwrap().unwrap();
                assert_eq!(row.int(0).unwrap(), Some(wanted));
            });
        }
        reads.join_all().await;
    }

    async fn the_engines_connection_does_not_write(test: TestDb) {
        if test.backend == Backend::Sqlite {
            return;
        }
        with_table(&test.db).await;
        let conn = test.db.engine_read(EngineRead::Snapshot).await.unwrap();
        let insert = Statement::new("INSERT INTO t (n) VALUES (1)", vec![]);
        assert!(conn.execute(&permit(), &insert).await.is_err());
        assert!(conn.rows(&permit(), &insert).await.is_err(), "a snapshot is read-only");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_the_server_ended_are_replaced() {
    let test = TestDb::new(Backend::Postgres).await;
    let db = &test.db;
    let reads = [EngineRead::LookUp, EngineRead::Statement, EngineRead::Snapshot];
    for read in reads {
        let conn = db.engine_read(read).await.unwrap();
        assert_eq!(number(&conn, "SELECT 1::bigint").await, 1);
    }
    let other = Db::connect(test.url(), 1).await.unwrap();
    let conn = other.single_read().await.unwrap();
    let end = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
               WHERE datname = current_database() AND pid <> pg_backend_pid()";
    assert!(number(&conn, end).await > 0);
    drop(conn);
    // The driver learns of the end by itself; at most the statements under way fail.
    for read in reads {
        let answered = || async {
            let conn = db.engine_read(read).await.unwrap();
            let one = Statement::new("SELECT 1::bigint", vec![]);
            conn.rows(&permit(), &one).await.is_ok()
        };
        until(&format!("{read:?}"), Duration::from_secs(5), answered).await;
    }
    // So does the other driver, after one failure that says "try again".
    for _ in 0..2 {
        let conn = db.single_read().await.unwrap();
        let one = Statement::new("SELECT 1::bigint", vec![]);
        if conn.rows(&permit(), &one).await.is_ok() {
            return;
        }
    }
    panic!("no connection was opened anew");
}
