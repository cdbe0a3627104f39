//! Writes: one transaction carries a change into the world: the row, its audit entry, its event, its
//! outbox row and the epochs it touches.
//!
//! A [`Session`] collects what changes in one transaction; [`Session::finish`] writes the trail of all
//! of it with one statement per table, epochs last.
//!
//! Rows of a batch are locked by one statement, in the order of their ids, so that two batches never
//! wait for each other in a circle.

mod attempt;
mod batch;
mod bulk;
mod checked;
mod destroy;
mod effects;
mod find;
pub mod idempotency;
mod image;
pub mod input;
mod mark;
pub mod mutation;
mod references;
mod rights;
mod session;
mod store;
mod update;
pub mod verb;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;

use uuid::Uuid;

use super::declare::Record;
use crate::access::Resource;
use crate::ctx::Ctx;
use crate::db::{Conn, Value};
use crate::error::Result;

/// What other rooms do about changes of a record, in the same transaction. `app.rs` lists them, so
/// that a room need not know the rooms above it.
#[derive(Default)]
pub struct Reactors(Vec<(Resource, Follow)>);

impl Reactors {
    #[must_use]
    pub fn on(mut self, resource: Resource, react: Follow) -> Self {
        self.0.push((resource, react));
        self
    }

    fn to(&self, resource: Resource) -> impl Iterator<Item = Follow> {
        self.0.iter().filter(move |(of, _)| *of == resource).map(|(_, react)| *react)
    }
}

pub use bulk::{BulkOutcome, BulkResult, BulkRow, bulk_upsert};
pub use find::ids_by;
pub use session::{KEPT, Session};

/// A row by column.
pub type Values = BTreeMap<&'static str, Value>;

/// What a statement writes: columns of fields and those that the engine derives.
type Columns = BTreeMap<Cow<'static, str>, Value>;

/// A row on its way into its table.
pub struct RowChange {
    pub record: &'static Record,
    pub id: Uuid,
    /// The row as it is now; absent on create.
    pub old: Option<Values>,
    /// The columns to be written.
    pub new: Values,
    /// The columns that whoever writes named, also those whose value stays what it is.
    pub given: Vec<&'static str>,
    /// Imports may set any state; the verbs of the API are bound by the machines.
    pub imported: bool,
}

impl RowChange {
    /// The value of a column after the change.
    pub fn after(&self, column: &str) -> Option<&Value> {
        self.new.get(column).or_else(|| self.old.as_ref().and_then(|old| old.get(column)))
    }

    /// Whether the change gives the column another value.
    pub fn changes(&self, column: &str) -> bool {
        match (self.new.get(column), &self.old) {
            (Some(new), Some(old)) => old.get(column) != Some(new),
            (new, _) => new.is_some(),
        }
    }

    /// Whether the column's value was named, and is no default.
    pub fn gives(&self, column: &str) -> bool {
        self.given.contains(&column)
    }

    /// Whether the row is removed for good: nothing of it is left to write.
    pub fn is_removal(&self) -> bool {
        self.new.is_empty()
    }

    /// Leaves only what really changes.
    fn keep_changes(&mut self) {
        if let Some(old) = &self.old {
            self.new.retain(|column, value| old.get(column) != Some(value));
        }
    }
}

/// A record's own rule, over rows of one transaction about to be written: refuses them, completes
/// them, or writes what belongs to them. A batch comes as one slice, so that the statements of a rule
/// do not grow with it.
pub type Rule = for<'a> fn(
    &'a Ctx,
    &'a Conn,
    &'a mut [RowChange],
) -> Pin<Box<dyn Future<Output = Result<()>> + Send + 'a>>;

/// What follows from rows of one transaction that were written (created, changed, deleted, restored,
/// removed for good): other records' columns, and events beside the change's own.
pub type Follow = for<'a> fn(
    &'a mut Session<'_>,
    &'a [RowChange],
) -> Pin<Box<dyn Future<Output = Result<()>> + Send + 'a>>;
