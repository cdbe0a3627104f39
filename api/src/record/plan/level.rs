//! The fields of one object: columns, to-one relations, to-many relations, computed fields.

use std::sync::Arc;

use super::{
    Allowed, Child, ComputedUse, Deleted, Item, Level, Lookup, Node, One, Planner, Shape, Table,
    json_key, json_text, read_deleted, relation_of, unknown_selection,
};
use crate::access::policy::{Decision, decide};
use crate::access::{Action, FieldRule, Reader};
use crate::db::NullOf;
use crate::error::{Error, Result, say};
use crate::record::declare::{Field, OwnerPath, Record, Relation, RelationKind};
use crate::record::kind::Kind;
use crate::record::order::Joins;
use crate::record::selection::Selected;
use crate::record::input;

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
        let id = selected.argument("id").ok_or_else(|| {
            Error::invalid_field("id", say("id is needed", "id é obrigatório"))
        })?;
        let id = input::read_id(id).map_err(|error| error.at("id"))?;
        self.one_by_id(record, id, selected, read_deleted(selected))
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
        Ok(One { level, shape, id, deleted })
    }

    pub(in crate::record) fn level(&mut self, record: &'static Record) -> Result<Level> {
        let reader = self.reader(record)?;
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
            return match relation.kind {
                RelationKind::One { column, .. } if record.is_virtual() => {
                    self.lookup(level, relation, column, place, selected)
                }
                RelationKind::One { column, .. } => {
                    self.to_one(level, relation, column, place, selected)
                }
                RelationKind::Many { column, .. } => {
                    self.to_many(level, relation, column, place, selected)
                }
            };
        }
        if let Some((_, computed)) = record.find_computed(name) {
            let mut inputs = Vec::with_capacity(computed.needs.len());
            for column in computed.needs {
                let bind = record
                    .fields
                    .iter()
                    .find(|field| field.column == *column)
                    .map_or(NullOf::Id, |field| field.kind.bind());
                inputs.push((level.column(place.table, column, bind), bind));
            }
            let presence = level.column(place.table, "id", NullOf::Id);
            level.computed.push(ComputedUse { computed, inputs, presence });
            return Ok(Node::Computed(level.computed.len() - 1));
        }
        if name == "viewerCan" {
            return self.viewer_can(level, place.table, record, selected);
        }
        Err(unknown_selection(record, name))
    }

    fn to_one(
        &mut self,
        level: &mut Level,
        relation: &'static Relation,
        column: &'static str,
        place: Place,
        selected: &Selected,
    ) -> Result<Node> {
        let target = (relation.target)();
        let reader = self.reader(target)?;
        let table = level.joined(place.table, column, target, &reader);
        let presence = level.column(table, "id", NullOf::Id);
        let below = Place { table, rows: place.rows, single: None };
        let shape = self.shape(level, below, &selected.children)?;
        Ok(Node::One { presence, shape })
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

    fn to_many(
        &mut self,
        level: &mut Level,
        relation: &'static Relation,
        key_column: &'static str,
        place: Place,
        selected: &Selected,
    ) -> Result<Node> {
        let parent = level.column(place.table, "id", NullOf::Id);
        let mut list =
            self.list((relation.target)(), selected, place.rows, Some((key_column, place.single)))?;
        let key = list.level.column(0, key_column, NullOf::Id);
        level.children.push(Child { list, key, key_column, parent });
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
        let mut scoped = false;
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
                    Decision::Allow(rows) => {
                        scoped |= rows != crate::access::RowRule::All;
                        Allowed::Rows(rows)
                    }
                },
            };
            keys.push((json_key(&child.key), allowed));
        }
        let owner = if scoped { self.owner_column(level, table, record)? } else { None };
        Ok(Node::ViewerCan { owner, keys })
    }

    /// The column that names the row's owner, following the record's owner path.
    fn owner_column(
        &mut self,
        level: &mut Level,
        table: usize,
        record: &'static Record,
    ) -> Result<Option<usize>> {
        match record.owner {
            OwnerPath::Everybody => Ok(None),
            OwnerPath::Column(column) => Ok(Some(level.column(table, column, NullOf::Id))),
            OwnerPath::Through(name) => {
                let Some(relation) = relation_of(record, name) else { return Ok(None) };
                let RelationKind::One { column, .. } = relation.kind else { return Ok(None) };
                let target = (relation.target)();
                let reader = self.reader(target)?;
                let next = level.joined(table, column, target, &reader);
                self.owner_column(level, next, target)
            }
        }
    }
}

fn column(level: &mut Level, table: usize, field: &Field, reader: &Reader) -> Result<Node> {
    let mask = match reader.field(&field.name) {
        FieldRule::Plain => false,
        FieldRule::Masked => true,
        FieldRule::Hidden => {
            return Err(Error::Forbidden {
                message: say(
                    format!("your role may not read {}", field.name),
                    format!("seu papel não permite ler {}", field.name),
                ),
                field: Some(field.name.clone().into()),
            });
        }
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

fn table_at(level: &Level, table: usize) -> Result<&Table> {
    level.tables.get(table).ok_or_else(|| Error::internal("a level lost a table"))
}

/// Lets an order join what it sorts by.
pub(super) struct LevelJoins<'l, 'p, 'c> {
    pub(super) level: &'l mut Level,
    pub(super) planner: &'l mut Planner<'c>,
    pub(super) _lifetime: std::marker::PhantomData<&'p ()>,
}

impl Joins for LevelJoins<'_, '_, '_> {
    fn join(&mut self, from: usize, relation: &'static Relation) -> Result<usize> {
        let RelationKind::One { column, .. } = relation.kind else {
            return Err(Error::internal("an order joins a to-many relation"));
        };
        let target = (relation.target)();
        let reader = self.planner.reader(target)?;
        Ok(self.level.joined(from, column, target, &reader))
    }

    fn reader(&self, table: usize) -> &Reader {
        // A table that is not there cannot have been joined; the base table always is.
        match self.level.tables.get(table).or_else(|| self.level.tables.first()) {
            Some(table) => &table.reader,
            None => unreachable!("a level has its base table"),
        }
    }
}
