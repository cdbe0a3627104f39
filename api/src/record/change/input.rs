//! GraphQL input -> draft of a change: the row's own values, and what is to be created or connected
//! with it in the same transaction.

use std::future::Future;
use std::pin::Pin;

use async_graphql::Value as Input;
use uuid::Uuid;

use super::{Session, Values};
use crate::access::{FieldRule, Reader};
use crate::db::Value;
use crate::error::{Error, Result, say};
use crate::limits;
use crate::record::declare::{Field, Record, Relation, RelationKind, Write};
use crate::record::input;

/// How deep creations may nest.
const NESTING_MAX: usize = 4;

/// A change as it was asked for.
#[derive(Clone)]
pub struct Draft {
    record: &'static Record,
    pub values: Values,
    /// Rows to create first: the column that takes the id, the relation's name.
    ones: Vec<(&'static str, &'static str, Draft)>,
    /// Rows that take our id.
    manys: Vec<Many>,
}

#[derive(Clone)]
struct Many {
    record: &'static Record,
    column: &'static str,
    name: &'static str,
    create: Vec<Draft>,
    connect: Vec<Uuid>,
}

/// What an input may set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    Create,
    Update,
    /// As Create, without nesting: what is sent twice must not be made twice.
    Upsert,
}

impl Purpose {
    /// Whether an input of this purpose may create or connect rows of a relation.
    pub fn nests(self, relation: &Relation) -> bool {
        match (self, relation.kind) {
            (Self::Create, _) | (Self::Update, RelationKind::One { .. }) => true,
            (Self::Update, RelationKind::Many { .. }) | (Self::Upsert, _) => false,
        }
    }
}

/// Gives the right to read a record: what may not be read may not be written.
pub type Grant<'a> = &'a dyn Fn(&'static Record) -> Result<Reader>;

/// Reads a `…CreateInput` or `…UpdateInput`.
pub fn read(
    grant: Grant<'_>,
    record: &'static Record,
    given: &Input,
    purpose: Purpose,
) -> Result<Draft> {
    read_nested(grant, record, given, purpose, NESTING_MAX)
}

fn read_nested(
    grant: Grant<'_>,
    record: &'static Record,
    given: &Input,
    purpose: Purpose,
    depth_left: usize,
) -> Result<Draft> {
    let Input::Object(entries) = given else {
        return Err(Error::invalid(say("expected an input object", "esperava um objeto")));
    };
    let depth_left = depth_left.checked_sub(1).ok_or_else(|| {
        Error::limit(say(
            format!("creations nest at most {NESTING_MAX} levels"),
            format!("criações aninham no máximo {NESTING_MAX} níveis"),
        ))
    })?;
    let reader = grant(record)?;
    let mut draft = Draft { record, values: Values::new(), ones: Vec::new(), manys: Vec::new() };
    for (name, value) in entries {
        let name = name.as_str();
        if let Some(field) = record.find_field(name).filter(|field| writable(field, purpose)) {
            let value = read_field(&reader, field, value)?;
            draft.values.insert(field.column, value);
        } else if let Some(relation) =
            record.find_relation(name).filter(|relation| purpose.nests(relation))
        {
            let nest = Nest { grant, purpose, depth_left };
            nest.relation(&mut draft, (&reader, relation), value)
                .map_err(|error| error.within(name))?;
        } else {
            return Err(nothing_to_set(record, name));
        }
    }
    Ok(draft)
}

fn nothing_to_set(record: &Record, name: &str) -> Error {
    Error::invalid_field(
        name.to_owned(),
        say(
            format!("{} has no field {name} to set", record.name),
            format!("{} não tem o campo {name} para definir", record.name),
        ),
    )
}

/// Whether an input of this purpose has the field.
pub fn writable(field: &Field, purpose: Purpose) -> bool {
    match field.write {
        Write::Never => false,
        Write::OnCreate => purpose != Purpose::Update,
        Write::Always => true,
    }
}

/// What may not be read may not be written.
fn check_field(reader: &Reader, field: &Field) -> Result<()> {
    if reader.field(&field.name) == FieldRule::Plain {
        return Ok(());
    }
    Err(super::rights::unwritable(&field.name))
}

fn read_field(reader: &Reader, field: &Field, value: &Input) -> Result<Value> {
    check_field(reader, field)?;
    let value = input::read(field.kind, value).map_err(|error| error.at(field.name.clone()))?;
    if value.is_null() && !field.nullable {
        return Err(super::checked::required(field));
    }
    Ok(value)
}

/// `input.company.name`
pub fn prefix(error: Error, name: &str) -> Error {
    error.within(name)
}

struct Nest<'a> {
    grant: Grant<'a>,
    purpose: Purpose,
    depth_left: usize,
}

impl Nest<'_> {
    fn relation(
        &self,
        draft: &mut Draft,
        (reader, relation): (&Reader, &'static Relation),
        given: &Input,
    ) -> Result<()> {
        match (relation.kind, given) {
            (RelationKind::One { column, .. }, _) => {
                let fields = &draft.record.fields;
                let field = fields.iter().find(|field| field.column == column);
                let field = field.filter(|field| writable(field, self.purpose));
                let field = field.ok_or_else(|| nothing_to_set(draft.record, relation.name))?;
                check_field(reader, field)?;
                self.one(draft, (relation, field), given)
            }
            (RelationKind::Many { column, .. }, Input::Object(entries)) => {
                self.many(draft, (relation, column), |name| {
                    entries.get(name).map(input::read_list).unwrap_or_default()
                })
            }
            (RelationKind::Many { .. }, _) => Ok(()),
        }
    }

    fn nested(&self, target: &'static Record, given: &Input) -> Result<Draft> {
        read_nested(self.grant, target, given, Purpose::Create, self.depth_left)
    }

    fn one(
        &self,
        draft: &mut Draft,
        (relation, field): (&'static Relation, &'static Field),
        given: &Input,
    ) -> Result<()> {
        let Input::Object(entries) = given else {
            // Null clears; on creation there is nothing to clear.
            if self.purpose == Purpose::Update {
                if !field.nullable {
                    return Err(super::checked::required(field));
                }
                draft.values.insert(field.column, Value::Null(field.kind.bind()));
            }
            return Ok(());
        };
        let present = |name: &str| entries.get(name).filter(|value| !matches!(value, Input::Null));
        match (present("connect"), present("create")) {
            (Some(id), None) => {
                let id = input::read_id(id).map_err(|error| error.at("connect"))?;
                draft.values.insert(field.column, Value::Id(id));
                Ok(())
            }
            (None, Some(create)) => {
                let nested = self.nested((relation.target)(), create);
                draft.ones.push((field.column, relation.name, nested.map_err(in_create)?));
                Ok(())
            }
            _ => Err(Error::invalid(say(
                "give connect or create, not both",
                "informe connect ou create, não ambos",
            ))),
        }
    }

    fn many<'i>(
        &self,
        draft: &mut Draft,
        (relation, column): (&'static Relation, &'static str),
        list: impl Fn(&str) -> &'i [Input],
    ) -> Result<()> {
        let record = (relation.target)();
        let (create, connect) = (list("create"), list("connect"));
        let field = record.fields.iter().find(|field| field.column == column);
        if let Some(field) = field {
            check_field(&(self.grant)(record)?, field)?;
        }
        if !connect.is_empty() && !field.is_some_and(|field| writable(field, Purpose::Update)) {
            return Err(Error::invalid_field(
                "connect",
                say(
                    format!("a {} stays where it was created", record.name),
                    format!("um {} fica onde foi criado", record.name),
                ),
            ));
        }
        if create.len() + connect.len() > limits::BATCH_ROWS_MAX {
            return Err(super::batch::too_many());
        }
        let numbered = |list: &str, number: usize| format!("{list}.{number}");
        let create = create
            .iter()
            .enumerate()
            .map(|(number, given)| {
                let nested = self.nested(record, given);
                nested.map_err(|error| error.within(&numbered("create", number)))
            })
            .collect::<Result<Vec<_>>>()?;
        let connect = connect
            .iter()
            .enumerate()
            .map(|(number, given)| {
                let id = input::read_id(given);
                id.map_err(|error| error.within(&numbered("connect", number)))
            })
            .collect::<Result<Vec<_>>>()?;
        draft.manys.push(Many { record, column, name: relation.name, create, connect });
        Ok(())
    }
}

fn in_create(error: Error) -> Error {
    error.within("create")
}

type Boxed<'a, T> = Pin<Box<dyn Future<Output = Result<T>> + Send + 'a>>;

impl Draft {
    /// Whether nothing is to be created or connected beside the row itself.
    pub fn is_flat(&self) -> bool {
        self.ones.is_empty() && self.manys.is_empty()
    }

    /// Creates the row with everything nested in it.
    pub fn create<'a>(mut self, session: &'a mut Session<'_>) -> Boxed<'a, Uuid> {
        Box::pin(async move {
            create_ones(session, &mut self).await?;
            let id = session.create(self.record, self.values).await?;
            create_manys(session, id, self.manys).await?;
            Ok(id)
        })
    }

    /// Changes a row; related rows may be created on the way.
    pub async fn update(
        mut self,
        session: &mut Session<'_>,
        id: Uuid,
        expected_version: Option<i64>,
    ) -> Result<()> {
        create_ones(session, &mut self).await?;
        session.update(self.record, id, self.values, expected_version).await
    }

    /// What of an upsert a row takes that is there already: not what only a creation sets.
    #[must_use]
    pub fn for_existing(mut self) -> Self {
        let fields = &self.record.fields;
        self.values.retain(|column, _| {
            let field = fields.iter().find(|field| field.column == *column);
            field.is_some_and(|field| writable(field, Purpose::Update))
        });
        self
    }

    /// The columns and values of the first natural key that the draft fills.
    ///
    /// # Errors
    ///
    /// A part of a key that is no value of its field.
    pub fn natural_key(&self) -> Result<Option<Vec<(&'static str, Value)>>> {
        for key in &self.record.changes.natural_keys {
            let mut parts = Vec::with_capacity(key.len());
            for field in key.iter().filter_map(|name| self.record.find_field(name)) {
                let Some(value) = self.values.get(field.column) else { break };
                let value = super::checked::normal(field, value.clone())?;
                if !value.is_null() {
                    parts.push((field.column, value));
                }
            }
            if parts.len() == key.len() {
                return Ok(Some(parts));
            }
        }
        Ok(None)
    }
}

async fn create_ones(session: &mut Session<'_>, draft: &mut Draft) -> Result<()> {
    for (column, name, one) in std::mem::take(&mut draft.ones) {
        let id = one.create(session).await;
        let id = id.map_err(|error| in_create(error).within(name))?;
        draft.values.insert(column, Value::Id(id));
    }
    Ok(())
}

async fn create_manys(session: &mut Session<'_>, id: Uuid, manys: Vec<Many>) -> Result<()> {
    for many in manys {
        let within = |error: Error, list: &str, number: usize| {
            error.within(&format!("{}.{list}.{number}", many.name))
        };
        for (number, mut draft) in many.create.into_iter().enumerate() {
            draft.values.insert(many.column, Value::Id(id));
            let created = draft.create(session).await;
            created.map_err(|error| within(error, "create", number))?;
        }
        for (number, other) in many.connect.into_iter().enumerate() {
            let values = Values::from([(many.column, Value::Id(id))]);
            let connected = session.update(many.record, other, values, None).await;
            connected.map_err(|error| within(error, "connect", number))?;
        }
    }
    Ok(())
}
