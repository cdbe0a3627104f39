//! Deletion and restoring: a mark on the row, which frees its unique keys.

use uuid::Uuid;

use super::effects::Done;
use super::session::Session;
use super::{Values, store};
use crate::access::Action;
use crate::db::{NullOf, Value};
use crate::error::{Error, Result, say};
use crate::record::declare::Record;

impl Session<'_> {
    /// Marks a row deleted: its unique keys become free, lists no longer show it.
    pub async fn delete(
        &mut self,
        record: &'static Record,
        id: Uuid,
        expected_version: Option<i64>,
    ) -> Result<()> {
        let old = self.lock(record, Action::Delete, id, expected_version).await?;
        self.delete_locked(record, vec![(id, old)]).await
    }

    /// Marks rows deleted that are locked and read.
    pub(super) async fn delete_locked(
        &mut self,
        record: &'static Record,
        rows: Vec<(Uuid, Values)>,
    ) -> Result<()> {
        let now = Value::Instant(self.ctx.now());
        self.mark(record, rows, (now, Done::Deleted)).await
    }

    /// Takes a deletion back. CONFLICT when a unique key was taken meanwhile.
    pub async fn restore(&mut self, record: &'static Record, id: Uuid) -> Result<()> {
        let writer = self.writer(Action::Delete, record)?;
        let old = self.find(record, &writer, id).await?;
        if old.get("deleted_at").is_none_or(Value::is_null) {
            return Err(Error::conflict(say(
                format!("this {} is not deleted", record.name),
                format!("este {} não está excluído", record.name),
            )));
        }
        self.mark(record, vec![(id, old)], (Value::Null(NullOf::Instant), Done::Restored)).await
    }

    async fn mark(
        &mut self,
        record: &'static Record,
        rows: Vec<(Uuid, Values)>,
        (deleted_at, done): (Value, Done),
    ) -> Result<()> {
        let writer = self.writer(Action::Delete, record)?;
        let mut changes = Vec::with_capacity(rows.len());
        for (id, old) in rows {
            let new = Values::from([("deleted_at", deleted_at.clone())]);
            let mut change = self.change(record, id, old, new);
            self.stamp(&mut change);
            changes.push(change);
        }
        store::update(self.conn, record, &writer, &changes).await?;
        for change in &changes {
            self.effects.note(self.ctx, change, done)?;
        }
        self.follow(record, &changes).await
    }
}
