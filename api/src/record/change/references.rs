//! What a row refers to, and whom it belongs to: both must be within the caller's reach.

use std::collections::{BTreeMap, HashSet};

use uuid::Uuid;

use super::store::{self, Wanted};
use super::{RowChange, Session};
use crate::access::{Reader, Resource, RowRule, Writer};
use crate::db::{Conn, Value};
use crate::error::{Error, Result, say};
use crate::record::declare::{Record, Relation, RelationKind, Way};

/// One reference that a change makes.
struct Reference {
    relation: &'static Relation,
    column: &'static str,
    id: Uuid,
}

impl Session<'_> {
    /// Rows referred to must be there, alive, and within the caller's sight. One statement for all of
    /// a batch.
    pub(super) async fn check_references(
        &mut self,
        record: &'static Record,
        changes: &[RowChange],
    ) -> Result<()> {
        let references = self.unknown_references(record, changes);
        let mut asked: BTreeMap<Resource, (&'static Record, HashSet<Uuid>)> = BTreeMap::new();
        for Reference { relation, id, .. } in &references {
            let target = (relation.target)();
            asked.entry(target.resource).or_insert((target, HashSet::new())).1.insert(*id);
        }
        let mut permit: Option<Reader> = None;
        let mut wanted = Vec::with_capacity(asked.len());
        for (record, ids) in asked.into_values() {
            let reader = self.ctx.reader(record.resource)?;
            let mut ids: Vec<Uuid> = ids.into_iter().collect();
            ids.sort_unstable();
            wanted.push(Wanted { record, rule: reader.rows().clone(), ids });
            permit = Some(reader);
        }
        let Some(permit) = permit else { return Ok(()) };
        self.known.extend(store::living(self.conn, &permit, wanted).await?);
        let missing = references
            .iter()
            .find(|each| !self.known.contains(&((each.relation.target)().resource, each.id)));
        match missing {
            Some(missing) => Err(not_there(record, missing)),
            None => Ok(()),
        }
    }

    fn unknown_references(&self, record: &'static Record, changes: &[RowChange]) -> Vec<Reference> {
        let mut references = Vec::new();
        for relation in &record.relations {
            let RelationKind::One { column, .. } = relation.kind else { continue };
            let target = (relation.target)().resource;
            for change in changes.iter().filter(|change| change.changes(column)) {
                let Some(Value::Id(id)) = change.new.get(column) else { continue };
                // Whoever asks is there.
                let oneself = target == Resource::Users && *id == self.ctx.actor.user_id;
                if !oneself && !self.known.contains(&(target, *id)) {
                    references.push(Reference { relation, column, id: *id });
                }
            }
        }
        references
    }
}

/// The same words for a row of another tenant, a deleted one, and one that never was.
fn not_there(record: &Record, missing: &Reference) -> Error {
    let name = record.fields.iter().find(|field| field.column == missing.column);
    let name = name.map_or_else(|| missing.relation.name.to_owned(), |field| field.name.clone());
    let target = (missing.relation.target)().name;
    Error::NotFound {
        message: say(
            format!("{}: {target} not found", missing.relation.name),
            format!("{}: {target} não encontrado", missing.relation.name),
        ),
        field: Some(name.into()),
    }
}

/// New rows must be among those that their creator may create.
pub(super) async fn check_reach(
    conn: &Conn,
    record: &'static Record,
    writer: &Writer,
    changes: &[RowChange],
) -> Result<()> {
    let rule = writer.rows();
    if *rule == RowRule::All {
        return Ok(());
    }
    let mut beyond: Vec<&RowChange> = changes.iter().collect();
    if rule.owners().is_some() {
        let Some(way) = record.owner.way() else { return Ok(()) };
        beyond = unreached(conn, (record, way), writer, beyond).await?;
    }
    if rule.company().is_some()
        && let Some(way) = record.company.way()
    {
        beyond = unreached(conn, (record, way), writer, beyond).await?;
    }
    if beyond.is_empty() {
        return Ok(());
    }
    Err(Error::forbidden(say(
        "your role may not create records for others",
        "seu papel não permite criar registros para outros",
    )))
}

/// Those of the changes that a path does not lead within the writer's rule.
async fn unreached<'c>(
    conn: &Conn,
    (record, way): (&'static Record, Way),
    writer: &Writer,
    changes: Vec<&'c RowChange>,
) -> Result<Vec<&'c RowChange>> {
    let id_in = |change: &RowChange, column: &str| match change.new.get(column) {
        Some(Value::Id(id)) => Some(*id),
        _ => None,
    };
    let rule = writer.rows();
    match way {
        Way::Column(column) => {
            let of_company = record.company.way();
            let is_company = matches!(of_company, Some(Way::Column(other)) if other == column);
            let within = |change: &RowChange| {
                let id = id_in(change, column);
                if is_company { rule.reaches(None, id) } else { rule.reaches(id, None) }
            };
            Ok(changes.into_iter().filter(|change| !within(change)).collect())
        }
        Way::Through(name) => {
            let relation = record.find_relation(name);
            let relation = relation.ok_or_else(|| Error::internal("a path without a relation"))?;
            let RelationKind::One { column, .. } = relation.kind else {
                return Err(Error::internal("a path through many"));
            };
            let target = (relation.target)();
            let asked = changes.iter().filter_map(|change| id_in(change, column)).collect();
            let wanted = Wanted { record: target, rule: rule.clone(), ids: asked };
            let found = store::living(conn, writer, vec![wanted]).await?;
            let within = |change: &RowChange| {
                id_in(change, column).is_some_and(|id| found.contains(&(target.resource, id)))
            };
            Ok(changes.into_iter().filter(|change| !within(change)).collect())
        }
    }
}
