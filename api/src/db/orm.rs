//! SeaORM on our own connection: hand-written stores speak SeaORM inside the same transaction as
//! the engine.

use std::sync::Arc;

use async_trait::async_trait;
use sea_orm::sea_query::{Value as SeaValue, Values};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, ExecResult, QueryResult, RuntimeErr, Statement};
use sqlx::AssertSqlSafe;

use super::conn::{Conn, translate};
use super::pool::Raw;
use super::value::{pg_arguments, sqlite_arguments};
use super::{Dialect, NullOf, Value};
use crate::access::Permit;
use crate::error::Error;

/// SeaORM's view of a [`Conn`], for stores that hold a permit.
pub struct Orm<'c> {
    conn: &'c Conn,
}

impl Conn {
    /// SeaORM on this connection.
    pub fn orm(&self, _permit: &impl Permit) -> Orm<'_> {
        Orm { conn: self }
    }
}

impl From<DbErr> for Error {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "SeaORM's list of errors is long; what is not named here is internal"
    )]
    fn from(error: DbErr) -> Self {
        let runtime = match error {
            DbErr::Exec(runtime) | DbErr::Query(runtime) | DbErr::Conn(runtime) => runtime,
            DbErr::RecordNotFound(_) => return Self::not_found("Record"),
            other => return Self::internal(other),
        };
        match runtime {
            RuntimeErr::SqlxError(error) => match Arc::try_unwrap(error) {
                Ok(error) => translate(error),
                Err(shared) => Self::internal(shared),
            },
            RuntimeErr::Internal(message) => Self::internal(message),
        }
    }
}

#[async_trait]
impl ConnectionTrait for Orm<'_> {
    fn get_database_backend(&self) -> DbBackend {
        match self.conn.dialect() {
            Dialect::Postgres => DbBackend::Postgres,
            Dialect::Sqlite => DbBackend::Sqlite,
        }
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        let values = to_values(statement.values)?;
        let sql = AssertSqlSafe(statement.sql.as_str());
        let mut held = self.conn.lock().await;
        let lease = held.lease().map_err(runtime)?;
        let outcome = match &mut lease.session().map_err(runtime)?.raw {
            Raw::Postgres(connection) => {
                let query = sqlx::query_with(sql, pg_arguments(&values).map_err(custom)?);
                query.execute(connection).await.map(Into::into)
            }
            Raw::Sqlite(connection) => {
                let query = sqlx::query_with(sql, sqlite_arguments(&values).map_err(custom)?);
                query.execute(connection).await.map(Into::into)
            }
        };
        lease.done(&outcome);
        outcome.map_err(runtime)
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        self.execute_raw(Statement::from_string(self.get_database_backend(), sql)).await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        Ok(self.query_all_raw(statement).await?.into_iter().next())
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        let values = to_values(statement.values)?;
        let sql = AssertSqlSafe(statement.sql.as_str());
        let mut held = self.conn.lock().await;
        let lease = held.lease().map_err(runtime)?;
        let outcome = match &mut lease.session().map_err(runtime)?.raw {
            Raw::Postgres(connection) => {
                let query = sqlx::query_with(sql, pg_arguments(&values).map_err(custom)?);
                query.fetch_all(connection).await.map(wrap)
            }
            Raw::Sqlite(connection) => {
                let query = sqlx::query_with(sql, sqlite_arguments(&values).map_err(custom)?);
                query.fetch_all(connection).await.map(wrap)
            }
        };
        lease.done(&outcome);
        outcome.map_err(runtime)
    }
}

fn wrap<R: Into<QueryResult>>(rows: Vec<R>) -> Vec<QueryResult> {
    rows.into_iter().map(Into::into).collect()
}

fn runtime(error: sqlx::Error) -> DbErr {
    DbErr::Query(RuntimeErr::SqlxError(Arc::new(error)))
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn custom(error: Error) -> DbErr {
    DbErr::Custom(error.to_string())
}

fn to_values(values: Option<Values>) -> Result<Vec<Value>, DbErr> {
    values.map_or_else(|| Ok(Vec::new()), |values| values.0.into_iter().map(to_value).collect())
}

/// The types our entities use; another one is a programming error, said so.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "SeaORM knows many types that our tables do not have; they end in an error"
)]
fn to_value(value: SeaValue) -> Result<Value, DbErr> {
    fn or_null<T>(value: Option<T>, null: NullOf, wrap: impl FnOnce(T) -> Value) -> Value {
        value.map_or(Value::Null(null), wrap)
    }
    Ok(match value {
        SeaValue::Bool(value) => or_null(value, NullOf::Bool, Value::Bool),
        SeaValue::Int(value) => or_null(value, NullOf::Int, |v| Value::Int(i64::from(v))),
        SeaValue::BigInt(value) => or_null(value, NullOf::Int, Value::Int),
        SeaValue::BigUnsigned(value) => match value.map(i64::try_from) {
            None => Value::Null(NullOf::Int),
            Some(Ok(value)) => Value::Int(value),
            Some(Err(error)) => return Err(DbErr::Custom(error.to_string())),
        },
        SeaValue::Double(value) => or_null(value, NullOf::Float, Value::Float),
        SeaValue::String(value) => or_null(value, NullOf::Text, Value::Text),
        SeaValue::Json(value) => or_null(value, NullOf::Json, |v| Value::Json(*v)),
        SeaValue::ChronoDate(value) => or_null(value, NullOf::Date, Value::Date),
        SeaValue::ChronoDateTimeUtc(value) => or_null(value, NullOf::Instant, Value::Instant),
        SeaValue::Uuid(value) => or_null(value, NullOf::Id, Value::Id),
        other => return Err(DbErr::Custom(format!("no bind value for {other:?}"))),
    })
}
