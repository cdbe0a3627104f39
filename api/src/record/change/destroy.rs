//! Removal for good, with the declared fate of the rows that refer to what is removed.

use std::collections::HashSet;

use uuid::Uuid;

use super::effects::Done;
use super::session::Session;
use super::{RowChange, Values, store};
use crate::access::{Action, Writer};
use crate::db::{NullOf, Value};
use crate::error::{Error, Result, say};
use crate::limits;
use crate::record::declare::{OnDestroy, Record, Relation, RelationKind};

/// How long a chain of cascades may be.
const CASCADE_DEPTH_MAX: usize = 8;

/// Rows of one record that go together.
struct Doomed {
    record: &'static Record,
    rows: Vec<(Uuid, Values)>,
    depth: usize,
}

impl Session<'_> {
    /// Removes a row for good. Needs the permission `destroy`; rows that refer to it are refused,
    /// removed with it, or cleared, as declared.
    pub async fn destroy(&mut self, record: &'static Record, id: Uuid) -> Result<()> {
        let writer = self.writer(Action::Destroy, record)?;
        let row = self.find(record, &writer, id).await?;
        let mut doomed = vec![Doomed { record, rows: vec![(id, row)], depth: 0 }];
        let mut next = 0;
        while let Some(Doomed { record, rows, depth }) = doomed.get(next) {
            let (record, depth) = (*record, depth + 1);
            let ids: Vec<Uuid> = rows.iter().map(|(id, _)| *id).collect();
            for relation in &record.relations {
                let rows = self.dependants(&writer, relation, &ids).await?;
                if rows.is_empty() {
                    continue;
                }
                if depth > CASCADE_DEPTH_MAX {
                    return Err(Error::internal("a cascade does not end"));
                }
                // A row found again goes before what it was found from this time.
                let again: HashSet<Uuid> = rows.iter().map(|(id, _)| *id).collect();
                for earlier in &mut doomed {
                    earlier.rows.retain(|(id, _)| !again.contains(id));
                }
                doomed.push(Doomed { record: (relation.target)(), rows, depth });
            }
            if doomed.iter().map(|level| level.rows.len()).sum::<usize>() > limits::DESTROY_ROWS_MAX
            {
                return Err(too_many());
            }
            next += 1;
        }
        // Children first: foreign keys hold at every moment.
        let mut gone = Vec::with_capacity(doomed.len());
        for Doomed { record, rows, .. } in doomed.into_iter().rev() {
            gone.push((record, self.remove(&writer, record, rows).await?));
        }
        // What follows is for rows that are left.
        for (record, changes) in gone {
            self.follow(record, &changes).await?;
        }
        Ok(())
    }

    async fn remove(
        &mut self,
        writer: &Writer,
        record: &'static Record,
        rows: Vec<(Uuid, Values)>,
    ) -> Result<Vec<RowChange>> {
        let ids: Vec<Uuid> = rows.iter().map(|(id, _)| *id).collect();
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        store::remove(self.conn, record, writer, &ids).await?;
        let mut changes = Vec::with_capacity(rows.len());
        for (id, row) in rows {
            let change = self.change(record, id, row, Values::new());
            self.effects.note(self.ctx, &change, Done::Destroyed)?;
            changes.push(change);
        }
        Ok(changes)
    }

    /// Rows that go with `ids`; those that are only cleared are cleared here.
    async fn dependants(
        &mut self,
        writer: &Writer,
        relation: &'static Relation,
        ids: &[Uuid],
    ) -> Result<Vec<(Uuid, Values)>> {
        let RelationKind::Many { column, on_destroy } = relation.kind else {
            return Ok(Vec::new());
        };
        let target = (relation.target)();
        let referring = store::referring(self.conn, target, writer, (column, ids.to_vec())).await?;
        if referring.is_empty() {
            return Ok(Vec::new());
        }
        match on_destroy {
            OnDestroy::Restrict => {
                let (count, plural) = (referring.len(), target.plural);
                Err(Error::conflict_field(
                    relation.name,
                    say(
                        format!("still referred to by {plural}: {count}, deleted ones included"),
                        format!(
                            "ainda há {plural} que se referem a ele: {count}, com os excluídos"
                        ),
                    ),
                ))
            }
            OnDestroy::Clear => {
                let mut changes = Vec::with_capacity(referring.len());
                for (id, row) in self.lock_all(Action::Update, relation, &referring).await? {
                    let cleared = Values::from([(column, Value::Null(NullOf::Id))]);
                    changes.extend(self.redraft(target, id, row, cleared)?);
                }
                self.update_drafted(target, changes).await?;
                Ok(Vec::new())
            }
            OnDestroy::Cascade => self.lock_all(Action::Destroy, relation, &referring).await,
        }
    }

    /// Locks rows that a destruction changes: the caller must be allowed to change them all.
    async fn lock_all(
        &mut self,
        action: Action,
        relation: &Relation,
        ids: &[Uuid],
    ) -> Result<Vec<(Uuid, Values)>> {
        let target = (relation.target)();
        let writer = self.writer(action, target).map_err(|error| error.at(relation.name))?;
        let reader = self.ctx.reader(target.resource)?;
        let mut found = store::lock(self.conn, target, &reader, writer.rows(), ids).await?;
        ids.iter()
            .map(|id| match found.remove(id) {
                Some(found) if found.allowed => Ok((*id, found.values)),
                _ => Err(Error::Forbidden {
                    message: say(
                        format!("{} that refer to it are out of your reach", target.plural),
                        format!("{} que se referem a ele estão fora do seu alcance", target.plural),
                    ),
                    field: Some(relation.name.into()),
                }),
            })
            .collect()
    }
}

fn too_many() -> Error {
    let max = limits::DESTROY_ROWS_MAX;
    Error::limit(say(
        format!("more than {max} records would go with it: destroy those first"),
        format!("mais de {max} registros iriam junto: remova-os antes"),
    ))
}
