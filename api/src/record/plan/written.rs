//! The text of a plan's statements, for as long as the plan is kept.

use std::sync::OnceLock;

use uuid::Uuid;

use crate::db::{Statement, Value};
use crate::error::{Error, Result};

/// A statement that is written when it is first needed: whoever keeps the plan keeps the text.
pub struct Written<S = Statement>(OnceLock<S>);

/// The first rows of each parent: a statement in which only the parents change.
pub struct PerParent {
    pub statement: Statement,
    /// Where the parents stand among its values.
    pub parents: usize,
}

impl<S> Default for Written<S> {
    fn default() -> Self {
        Self(OnceLock::new())
    }
}

impl<S> Written<S> {
    /// The statement, by `write` where it is not written yet.
    pub fn or_by(&self, write: impl FnOnce() -> Result<S>) -> Result<&S> {
        if let Some(written) = self.0.get() {
            return Ok(written);
        }
        let written = write()?;
        Ok(self.0.get_or_init(|| written))
    }
}

impl PerParent {
    /// The statement for these parents.
    pub fn of(&self, parents: Vec<Uuid>) -> Result<Statement> {
        let mut statement = self.statement.clone();
        let place = statement.values.get_mut(self.parents);
        *place.ok_or_else(|| Error::internal("a statement without its parents"))? =
            Value::Ids(parents);
        Ok(statement)
    }
}
