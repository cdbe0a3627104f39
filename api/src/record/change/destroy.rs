//! Removal for good, with the declared fate of the rows that refer to what is removed.

use uuid::Uuid;

use super::effects::Done;
use super::session::Session;
use super::{RowChange, Values, store};
use crate::access::{Action, Permit};
use crate::db::{NullOf, Statement, Value};
use crate::error::{Error, Result, say};
use crate::record::declare::{OnDestroy, Record, Relation, RelationKind};

/// How long a chain of cascades may be.
const CASCADE_DEPTH_MAX: usize = 8;

impl Session<'_> {
    /// Removes a row for good. Needs the permission `destroy`; rows that refer to it are refused,
    /// removed with it, or cleared, as declared.
    pub async fn destroy(&mut self, record: &'static Record, id: Uuid) -> Result<()> {
        let writer = self.writer(Action::Destroy, record)?;
        let row = self.find(record, &writer, id).await?;
        let mut doomed = vec![(record, id, row)];
        let mut next = 0;
        let mut depth = 0;
        while let Some((record, id)) = doomed.get(next).map(|(record, id, _)| (*record, *id)) {
            depth += usize::from(next + 1 == doomed.len());
            if depth > CASCADE_DEPTH_MAX * doomed.len() {
                return Err(Error::internal("a cascade does not end"));
            }
            for relation in &record.relations {
                let rows = self.dependants(relation, id).await?;
                for (record, id, row) in rows {
                    if !doomed.iter().any(|(_, known, _)| *known == id) {
                        doomed.push((record, id, row));
                    }
                }
            }
            next += 1;
        }
        // Children first: foreign keys hold at every moment.
        for (record, id, row) in doomed.into_iter().rev() {
            for (table, column) in &record.changes.dependents {
                self.remove_dependents(&writer, (table, column), id).await?;
            }
            store::remove(self.conn, record, &writer, vec![id]).await?;
            let change = RowChange {
                record,
                id,
                old: Some(row),
                new: Values::new(),
                imported: self.imported,
            };
            self.effects.note(self.ctx, &change, Done::Destroyed)?;
        }
        Ok(())
    }

    /// Rows that go with `id`; those that are only cleared are cleared here.
    async fn dependants(
        &mut self,
        relation: &'static Relation,
        id: Uuid,
    ) -> Result<Vec<(&'static Record, Uuid, Values)>> {
        let RelationKind::Many { column, on_destroy } = relation.kind else {
            return Ok(Vec::new());
        };
        let target = (relation.target)();
        let writer = self.writer(Action::Destroy, target).or_else(|_denied| {
            // Clearing and refusing need no right to destroy the other record.
            self.writer(Action::Update, target)
        })?;
        let ids = store::referring(self.conn, target, &writer, (column, vec![id])).await?;
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        match on_destroy {
            OnDestroy::Restrict => Err(Error::conflict_field(
                relation.name,
                say(
                    format!("{} {} still refer to it", ids.len(), target.plural),
                    format!("{} {} ainda se referem a ele", ids.len(), target.plural),
                ),
            )),
            OnDestroy::Clear => {
                for id in ids {
                    let row = self.find(target, &writer, id).await?;
                    let cleared = Values::from([(column, Value::Null(NullOf::Id))]);
                    self.update_row(target, id, row, cleared).await?;
                }
                Ok(Vec::new())
            }
            OnDestroy::Cascade => {
                let mut rows = Vec::with_capacity(ids.len());
                for id in ids {
                    let row = self.find(target, &writer, id).await?;
                    rows.push((target, id, row));
                }
                Ok(rows)
            }
        }
    }

    async fn remove_dependents(
        &self,
        permit: &impl Permit,
        (table, column): (&str, &str),
        id: Uuid,
    ) -> Result<()> {
        let dialect = self.conn.dialect();
        let sql = format!(
            "DELETE FROM {table} WHERE tenant_id = {} AND {column} = {}",
            dialect.placeholder(1),
            dialect.placeholder(2)
        );
        let values = vec![Value::Id(permit.tenant_id()), Value::Id(id)];
        self.conn.execute(permit, &Statement::new(sql, values)).await?;
        Ok(())
    }
}
