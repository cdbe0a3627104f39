//! Attempts: writes that may meet somebody who does the same at the same time, and are undone where
//! they do, so that the transaction goes on.

use uuid::Uuid;

use super::Values;
use super::session::Session;
use crate::access::{Action, Writer};
use crate::error::{Error, Result};
use crate::record::declare::Record;

impl Session<'_> {
    /// Creates a row, or hands back the conflict with another one, with nothing written.
    pub async fn create_unless_taken(
        &mut self,
        record: &'static Record,
        values: Values,
    ) -> Result<Result<Uuid>> {
        let writer = self.writer(Action::Create, record)?;
        let mut attempt = self.attempt(&writer).await?;
        let done = attempt.create(record, values).await;
        self.settle(&writer, attempt, done).await
    }

    /// A session for what is kept or undone as one; [`Session::settle`] ends it.
    pub(super) async fn attempt(&self, writer: &Writer) -> Result<Self> {
        self.conn.savepoint(writer).await?;
        Ok(self.fork())
    }

    /// Keeps an attempt that succeeded, and undoes one that met a conflict, which is handed back.
    pub(super) async fn settle<T>(
        &mut self,
        writer: &Writer,
        attempt: Self,
        done: Result<T>,
    ) -> Result<Result<T>> {
        match done {
            Ok(done) => {
                self.conn.keep_savepoint(writer).await?;
                self.absorb(attempt);
                Ok(Ok(done))
            }
            Err(conflict @ Error::Conflict { .. }) => {
                self.conn.undo_savepoint(writer).await?;
                Ok(Err(conflict))
            }
            Err(error) => Err(error),
        }
    }
}
