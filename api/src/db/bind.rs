//! [`Value`]s as tokio-postgres binds them: the same types that sqlx gives them.

use tokio_postgres::types::private::BytesMut;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};

use super::{NullOf, Value};

type Failure = Box<dyn std::error::Error + Sync + Send>;

/// The PostgreSQL type of a value.
pub(super) fn type_of(value: &Value) -> Type {
    match value {
        Value::Id(_) | Value::Null(NullOf::Id) => Type::UUID,
        Value::Text(_) | Value::Null(NullOf::Text) => Type::TEXT,
        Value::Int(_) | Value::Null(NullOf::Int) => Type::INT8,
        Value::Float(_) | Value::Null(NullOf::Float) => Type::FLOAT8,
        Value::Bool(_) | Value::Null(NullOf::Bool) => Type::BOOL,
        Value::Instant(_) | Value::Null(NullOf::Instant) => Type::TIMESTAMPTZ,
        Value::Date(_) | Value::Null(NullOf::Date) => Type::DATE,
        Value::Json(_) | Value::Null(NullOf::Json) => Type::JSONB,
        Value::Ids(_) => Type::UUID_ARRAY,
        Value::Texts(_) => Type::TEXT_ARRAY,
        Value::Ints(_) => Type::INT8_ARRAY,
        Value::Bools(_) => Type::BOOL_ARRAY,
        Value::Dates(_) => Type::DATE_ARRAY,
        Value::Instants(_) => Type::TIMESTAMPTZ_ARRAY,
    }
}

/// A value on its way into a statement that was prepared with [`type_of`] it.
#[derive(Debug)]
pub(super) struct Bind<'v>(pub(super) &'v Value);

impl ToSql for Bind<'_> {
    fn to_sql(&self, of: &Type, out: &mut BytesMut) -> Result<IsNull, Failure> {
        match self.0 {
            Value::Null(_) => Ok(IsNull::Yes),
            Value::Id(value) => value.to_sql(of, out),
            Value::Text(value) => value.to_sql(of, out),
            Value::Int(value) => value.to_sql(of, out),
            Value::Float(value) => value.to_sql(of, out),
            Value::Bool(value) => value.to_sql(of, out),
            Value::Instant(value) => value.to_sql(of, out),
            Value::Date(value) => value.to_sql(of, out),
            Value::Json(value) => value.to_sql(of, out),
            Value::Ids(values) => values.to_sql(of, out),
            Value::Texts(values) => values.to_sql(of, out),
            Value::Ints(values) => values.to_sql(of, out),
            Value::Bools(values) => values.to_sql(of, out),
            Value::Dates(values) => values.to_sql(of, out),
            Value::Instants(values) => values.to_sql(of, out),
        }
    }

    fn accepts(_of: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

/// A column's bytes as the server sent them.
pub(super) struct Bytes<'a>(pub(super) &'a [u8]);

impl<'a> FromSql<'a> for Bytes<'a> {
    fn from_sql(_of: &Type, raw: &'a [u8]) -> Result<Self, Failure> {
        Ok(Self(raw))
    }

    fn accepts(_of: &Type) -> bool {
        true
    }
}
