//! The fields of one object: columns, to-one relations, to-many relations, computed fields.

use std::sync::Arc;

use super::{
    Allowed, Child, ComputedUse, Deleted, Item, Level, Lookup, Node, One, Planner, Shape, Table,
    Written, json_key, json_text, relation_of, unknown_selection,
};
use crate::access::policy::{Decision, decide};
use crate::access::{Action, FieldRule, Reader, RowRule};
use crate::db::NullOf;
use crate::error::{Error, Result, say};
use crate::record::declare::{Computed, Field, Record, Relation, RelationKind, Way};
use crate::record::filter::{allow_field, allow_link, allow_relation};
use crate::record::input;
use crate::record::kind::Kind;
use crate::record::selection::Selected;

/// Where in a level an object stands.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) table: usize,
    /// Objects of this kind that there may be.
    pub(super) rows: u64,
    /// The one parent's id, when the level is below a single record.
    pub(super) single: Option<uuid::Uuid>,
}

impl Planner<'_> {
    /// Plans one record by its id.
    pub fn one(&mut self, record: &'static Record, selected: &Selected) -> Result<One> {
        let id = selected
            .argument("id")
            .ok_or_else(|| Error::invalid_field("id", say("id is needed", "id é obrigatório")))?;
        let id = input::read_id(id).map_err(|error| error.at("id"))?;
        let deleted = self.deleted(record, selected)?;
        self.one_by_id(record, id, selected, deleted)
    }

    /// Reads `deleted: EXCLUDE | INCLUDE | ONLY`. Which rows are deleted is what `deletedAt` tells:
    /// who may not read that sees none.
    pub(in crate::record) fn deleted(
        &mut self,
        record: &'static Record,
        selected: &Selected,
    ) -> Result<Deleted> {
        let deleted = match selected.argument("deleted").and_then(input::read_name) {
            Some("INCLUDE") => Deleted::Include,
            Some("ONLY") => Deleted::Only,
            _ => return Ok(Deleted::Exclude),
        };
        let reader = self.reader(record)?;
        if let Some(field) = record.fields.iter().find(|field| field.column == "deleted_at") {
            allow_field(&reader, field)?;
        }
        Ok(deleted)
    }

    /// Plans the selection under one known record.
    pub fn one_by_id(
        &mut self,
        record: &'static Record,
        id: uuid::Uuid,
        selected: &Selected,
        deleted: Deleted,
    ) -> Result<One> {
        self.spend_rows(1, 1)?;
        let mut level = self.level(record)?;
        level.column(0, "id", NullOf::Id);
        let place = Place { table: 0, rows: 1, single: Some(id) };
        let shape = self.shape(&mut level, place, &selected.children)?;
        Ok(One { level, shape, id, deleted, written: Written::default() })
    }

    pub(in crate::record) fn level(&mut self, record: &'static Record) -> Result<Level> {
        let reader = self.reader(record)?;
        // What is computed from a field tells of it.
        if let Some(hidden) =
            record.reads.iter().find(|name| reader.field(name) != FieldRule::Plain)
        {
            return Err(unreadable(hidden));
        }
        Ok(Level {
            record,
            tables: vec![Table { record, reader, joined: None }],
            columns: Vec::new(),
            children: Vec::new(),
            lookups: Vec::new(),
            computed: Vec::new(),
        })
    }

    /// The object at `place`, with the fields selected.
    pub(super) fn shape(
        &mut self,
        level: &mut Level,
        place: Place,
        selection: &[Selected],
    ) -> Result<Shape> {
        let mut shape = Shape { items: Vec::with_capacity(selection.len()) };
        for selected in selection {
            self.enter(selected);
            let node = self.node(level, place, selected)?;
            shape.items.push(Item { key: json_key(&selected.key), node });
            self.leave();
        }
        Ok(shape)
    }

    fn node(&mut self, level: &mut Level, place: Place, selected: &Selected) -> Result<Node> {
        let table = table_at(level, place.table)?;
        let (record, reader) = (table.record, Arc::clone(&table.reader));
        let name = selected.name.as_str();
        if let Some(field) = record.find_field(name) {
            return column(level, place.table, field, &reader);
        }
        if name == "__typename" {
            return Ok(Node::Literal(json_text(record.name)));
        }
        if let Some(relation) = relation_of(record, name) {
            allow_relation(&reader, record, relation)?;
            return match relation.kind {
                RelationKind::One { column, .. } if record.is_virtual() => {
                    self.lookup(level, relation, column, place, selected)
                }
                RelationKind::One { column, .. } => {
                    self.one_below(level, relation, column, place, selected)
                }
                RelationKind::Many { column, .. } => {
                    self.many_below(level, relation, column, place, selected)
                }
            };
        }
        if let Some((_, computed)) = record.find_computed(name) {
            // A finished JSON text cannot be masked.
            if reader.field(name) != FieldRule::Plain {
                return Err(unreadable(name));
            }
            let needed = |field: &&Field| computed.needs.contains(&field.column);
            record
                .fields
                .iter()
                .filter(needed)
                .try_for_each(|field| allow_field(&reader, field))?;
            return Ok(Node::Computed(computed_use(level, place.table, record, computed)));
        }
        if name == "viewerCan" {
            return self.viewer_can(level, place.table, record, selected);
        }
        Err(unknown_selection(record, name))
    }

    fn one_below(
        &mut self,
        level: &mut Level,
        relation: &'static Relation,
        column: &'static str,
        place: Place,
        selected: &Selected,
    ) -> Result<Node> {
        let (table, _) = self.join(level, place.table, relation, column)?;
        let presence = level.column(table, "id", NullOf::Id);
        let below = Place { table, rows: place.rows, single: None };
        let shape = self.shape(level, below, &selected.children)?;
        Ok(Node::One { presence, shape })
    }

    /// Joins a to-one relation of a table of the level.
    pub(super) fn join(
        &mut self,
        level: &mut Level,
        from: usize,
        relation: &'static Relation,
        column: &'static str,
    ) -> Result<(usize, Arc<Reader>)> {
        let target = (relation.target)();
        let reader = self.reader(target)?;
        Ok((level.joined(from, column, target, &reader)?, reader))
    }

    fn lookup(
        &mut self,
        level: &mut Level,
        relation: &'static Relation,
        column: &'static str,
        place: Place,
        selected: &Selected,
    ) -> Result<Node> {
        let key = level.column(place.table, column, NullOf::Id);
        let mut below = self.level((relation.target)())?;
        let id = below.column(0, "id", NullOf::Id);
        let inner = Place { table: 0, rows: place.rows, single: None };
        let shape = self.shape(&mut below, inner, &selected.children)?;
        level.lookups.push(Lookup { level: below, shape, id, key });
        Ok(Node::Lookup(level.lookups.len() - 1))
    }

    fn many_below(
        &mut self,
        level: &mut Level,
        relation: &'static Relation,
        key_column: &'static str,
        place: Place,
        selected: &Selected,
    ) -> Result<Node> {
        let parent = level.column(place.table, "id", NullOf::Id);
        let target = (relation.target)();
        allow_link(&*self.reader(target)?, target, (relation, key_column))?;
        let mut list = self.list(target, selected, place.rows, Some((key_column, place.single)))?;
        let key = list.level.column(0, key_column, NullOf::Id);
        let written = Written::default();
        level.children.push(Child { list, key, key_column, parent, written });
        Ok(Node::Many(level.children.len() - 1))
    }

    fn viewer_can(
        &mut self,
        level: &mut Level,
        table: usize,
        record: &'static Record,
        selected: &Selected,
    ) -> Result<Node> {
        let actor = &self.ctx().actor;
        let mut keys = Vec::with_capacity(selected.children.len());
        let (mut by_owner, mut by_company) = (false, false);
        for child in &selected.children {
            let action = match child.name.as_str() {
                "update" => Some(Action::Update),
                "delete" | "restore" => Some(Action::Delete),
                "destroy" => Some(Action::Destroy),
                _ => None,
            };
            let allowed = match action {
                None => Allowed::Typename,
                Some(_) if !record.changes.enabled => Allowed::Never,
                Some(action) => match decide(actor, action, record.resource) {
                    Decision::Deny => Allowed::Never,
                    // Whose rows belong to nobody are in every scope that speaks of people.
                    Decision::Allow(rows)
                        if record.owner.way().is_none() && rows.reaches_everybodys() =>
                    {
                        Allowed::Rows(RowRule::All)
                    }
                    Decision::Allow(rows) => {
                        by_owner |= rows.owners().is_some();
                        by_company |= rows.company().is_some();
                        Allowed::Rows(rows)
                    }
                },
            };
            keys.push((json_key(&child.key), allowed));
        }
        let owner_of = |record: &Record| record.owner.way();
        let company_of = |record: &Record| record.company.way();
        let owner = if by_owner { self.column_of(level, table, record, owner_of)? } else { None };
        let company =
            if by_company { self.column_of(level, table, record, company_of)? } else { None };
        Ok(Node::ViewerCan { owner, company, keys })
    }

    /// The column at the end of a record's path to its owner or company.
    fn column_of(
        &mut self,
        level: &mut Level,
        table: usize,
        record: &'static Record,
        way: fn(&Record) -> Option<Way>,
    ) -> Result<Option<usize>> {
        match way(record) {
            None => Ok(None),
            Some(Way::Column(column)) => Ok(Some(level.column(table, column, NullOf::Id))),
            Some(Way::Through(name)) => {
                let Some(relation) = relation_of(record, name) else { return Ok(None) };
                let RelationKind::One { column, .. } = relation.kind else { return Ok(None) };
                let (next, _) = self.join(level, table, relation, column)?;
                self.column_of(level, next, (relation.target)(), way)
            }
        }
    }
}

fn column(level: &mut Level, table: usize, field: &Field, reader: &Reader) -> Result<Node> {
    let mask = match (reader.field(&field.name), field.kind) {
        (FieldRule::Plain, _) => false,
        (FieldRule::Masked, Kind::Text | Kind::Code) => true,
        // A masked number or date would be another number or date.
        (FieldRule::Masked | FieldRule::Hidden, _) => return Err(unreadable(&field.name)),
    };
    let index = level.column(table, field.column, field.kind.bind());
    let currency = match field.kind {
        Kind::Money { currency } => Some(level.column(table, currency, NullOf::Text)),
        Kind::Id
        | Kind::Text
        | Kind::Code
        | Kind::Int
        | Kind::Float
        | Kind::Bool
        | Kind::Date
        | Kind::Instant
        | Kind::Json
        | Kind::Enum(_) => None,
    };
    Ok(Node::Column { index, kind: field.kind, mask, currency })
}

fn unreadable(name: &str) -> Error {
    Error::Forbidden {
        message: say(
            format!("your role may not read {name}"),
            format!("seu papel não permite ler {name}"),
        ),
        field: Some(name.to_owned().into()),
    }
}

/// The use of a computed field on a table of the level; one, however often it is selected.
fn computed_use(
    level: &mut Level,
    table: usize,
    record: &'static Record,
    computed: &'static Computed,
) -> usize {
    let mut inputs = Vec::with_capacity(computed.needs.len());
    for column in computed.needs {
        let field = record.fields.iter().find(|field| field.column == *column);
        let bind = field.map_or(NullOf::Id, |field| field.kind.bind());
        inputs.push((level.column(table, column, bind), bind));
    }
    let presence = (table > 0).then(|| level.column(table, "id", NullOf::Id));
    let known = level.computed.iter().position(|known| {
        std::ptr::eq(known.computed, computed)
            && known.inputs == inputs
            && known.presence == presence
    });
    known.unwrap_or_else(|| {
        level.computed.push(ComputedUse { computed, inputs, presence });
        level.computed.len() - 1
    })
}

fn table_at(level: &Level, table: usize) -> Result<&Table> {
    level.tables.get(table).ok_or_else(|| Error::internal("a level lost a table"))
}
