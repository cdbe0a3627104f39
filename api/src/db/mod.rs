//! The databases: how to reach them, and the one kind of connection ([`Conn`]) that everything else
//! gets. Only this folder, `record/` (through [`Dialect`]) and the migrations speak a database's name.
//!
//! Invariants: instants are bound and stored in UTC; every statement is run with a
//! [`Permit`](crate::access::Permit); a write transaction on SQLite takes the write lock at its
//! beginning (`BEGIN IMMEDIATE`), so that it never fails half-way for want of it.

pub mod bi;
mod bind;
mod conn;
pub mod connect;
pub mod dialect;
mod lease;
mod lists;
pub mod migrate;
pub mod orm;
pub mod partitions;
mod pipeline;
mod pool;
mod row;
pub mod tables;
mod tally;
mod tls;
mod value;

use std::sync::Arc;

pub use conn::Conn;
pub use connect::{Db, EngineRead, PoolState};
pub use dialect::Dialect;
pub use lists::{List, Lists};
pub use row::Row;
pub(crate) use row::{POSTGRES_EPOCH_DAYS, POSTGRES_EPOCH_MICROS, int_from_bytes};
pub use tally::Tally;
pub use value::{NullOf, Value};

/// A statement and its bind values.
#[derive(Debug, Clone)]
pub struct Statement {
    pub sql: Arc<str>,
    pub values: Vec<Value>,
}

impl Statement {
    pub fn new(sql: impl Into<String>, values: Vec<Value>) -> Self {
        Self { sql: sql.into().into(), values }
    }
}
