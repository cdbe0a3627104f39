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
pub struct Draft {
    record: &'static Record,
    pub values: Values,
    /// Rows to create first, whose ids our columns take.
    ones: Vec<(&'static str, Draft)>,
    /// Rows that take our id.
    manys: Vec<Many>,
}

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
        } else if let Some(relation) = record.find_relation(name) {
            let nest = Nest { grant, purpose, depth_left };
            nest.relation(&mut draft, relation, value).map_err(|error| prefix(error, name))?;
        } else {
            return Err(Error::invalid_field(
                name.to_owned(),
                say(
                    format!("{} has no field {name} to set", record.name),
                    format!("{} não tem o campo {name} para definir", record.name),
                ),
            ));
        }
    }
    Ok(draft)
}

/// Whether an input of this purpose has the field.
pub fn writable(field: &Field, purpose: Purpose) -> bool {
    match field.write {
        Write::Never => false,
        Write::OnCreate => purpose == Purpose::Create,
        Write::Always => true,
    }
}

fn read_field(reader: &Reader, field: &Field, value: &Input) -> Result<Value> {
    if reader.field(&field.name) != FieldRule::Plain {
        return Err(Error::Forbidden {
            message: say(
                format!("your role may not write {}", field.name),
                format!("seu papel não permite escrever {}", field.name),
            ),
            field: Some(field.name.clone().into()),
        });
    }
    let value = input::read(field.kind, value).map_err(|error| error.at(field.name.clone()))?;
    if value.is_null() && !field.nullable {
        return Err(super::checked::required(field));
    }
    Ok(value)
}

/// `input.company.name`
pub fn prefix(error: Error, name: &str) -> Error {
    let path = match error.field() {
        Some(field) => format!("{name}.{field}"),
        None => name.to_owned(),
    };
    match error {
        Error::Invalid { message, .. } => Error::Invalid { message, field: Some(path.into()) },
        Error::Conflict { message, current, .. } => {
            Error::Conflict { message, current, field: Some(path.into()) }
        }
        Error::Forbidden { message, .. } => Error::Forbidden { message, field: Some(path.into()) },
        other => other,
    }
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
        relation: &'static Relation,
        given: &Input,
    ) -> Result<()> {
        let Input::Object(entries) = given else { return Ok(()) };
        let present = |name: &str| entries.get(name).filter(|value| !matches!(value, Input::Null));
        let target = (relation.target)();
        let nested = |given: &Input| {
            read_nested(self.grant, target, given, Purpose::Create, self.depth_left)
        };
        match relation.kind {
            RelationKind::One { column, .. } => match (present("connect"), present("create")) {
                (Some(id), None) => {
                    draft.values.insert(column, Value::Id(input::read_id(id)?));
                    Ok(())
                }
                (None, Some(create)) => {
                    draft.ones.push((column, nested(create)?));
                    Ok(())
                }
                _ => Err(Error::invalid(say(
                    "give connect or create, not both",
                    "informe connect ou create, não ambos",
                ))),
            },
            RelationKind::Many { column, .. } => {
                if self.purpose == Purpose::Update {
                    return Err(Error::invalid(say(
                        "lists are nested on creation only",
                        "listas só aninham na criação",
                    )));
                }
                let lists = |name: &str| present(name).map(input::read_list).unwrap_or_default();
                let create = lists("create")
                    .iter()
                    .enumerate()
                    .map(|(number, given)| {
                        nested(given).map_err(|error| prefix(error, &format!("create.{number}")))
                    })
                    .collect::<Result<Vec<_>>>()?;
                let connect =
                    lists("connect").iter().map(input::read_id).collect::<Result<Vec<_>>>()?;
                if create.len() + connect.len() > limits::BATCH_ROWS_MAX {
                    return Err(super::mutation::too_many());
                }
                let name = relation.name;
                draft.manys.push(Many { record: target, column, name, create, connect });
                Ok(())
            }
        }
    }
}

type Boxed<'a, T> = Pin<Box<dyn Future<Output = Result<T>> + Send + 'a>>;

impl Draft {
    /// Creates the row with everything nested in it.
    pub fn create<'a>(self, session: &'a mut Session<'_>) -> Boxed<'a, Uuid> {
        Box::pin(async move {
            let Self { record, mut values, ones, manys } = self;
            for (column, one) in ones {
                let id = one.create(session).await?;
                values.insert(column, Value::Id(id));
            }
            let id = session.create(record, values).await?;
            create_manys(session, id, manys).await?;
            Ok(id)
        })
    }

    /// Changes a row; related rows may be created on the way.
    pub async fn update(
        self,
        session: &mut Session<'_>,
        id: Uuid,
        expected_version: Option<i64>,
    ) -> Result<()> {
        let Self { record, mut values, ones, .. } = self;
        for (column, one) in ones {
            let id = one.create(session).await?;
            values.insert(column, Value::Id(id));
        }
        session.update(record, id, values, expected_version).await
    }

    /// The columns and values of the first natural key that the draft fills.
    pub fn natural_key(&self) -> Option<Vec<(&'static str, Value)>> {
        self.record.changes.natural_keys.iter().find_map(|key| {
            key.iter()
                .map(|name| {
                    let field = self.record.find_field(name)?;
                    let value = self.values.get(field.column)?;
                    let value = super::checked::normal(field, value.clone()).ok()?;
                    (!value.is_null()).then_some((field.column, value))
                })
                .collect()
        })
    }
}

async fn create_manys(session: &mut Session<'_>, id: Uuid, manys: Vec<Many>) -> Result<()> {
    for many in manys {
        for (number, mut draft) in many.create.into_iter().enumerate() {
            draft.values.insert(many.column, Value::Id(id));
            draft
                .create(session)
                .await
                .map_err(|error| prefix(error, &format!("{}.create.{number}", many.name)))?;
        }
        for other in many.connect {
            let values = Values::from([(many.column, Value::Id(id))]);
            session
                .update(many.record, other, values, None)
                .await
                .map_err(|error| prefix(error, many.name))?;
        }
    }
    Ok(())
}
