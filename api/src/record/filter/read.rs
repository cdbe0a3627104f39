//! Input object -> [`Condition`], with the caller's rights: what may not be read cannot be used to
//! filter.

use std::sync::Arc;

use async_graphql::Value as Input;

use super::{Condition, Inner, Operator, Quantifier};
use crate::access::{FieldRule, Reader};
use crate::db::Value;
use crate::error::{Error, Result, say};
use crate::limits;
use crate::record::declare::{Field, Record, Relation, RelationKind};
use crate::record::input;
use crate::record::kind::Kind;

/// Gives the right to read another record, or FORBIDDEN.
type Grant<'a> = &'a dyn Fn(&'static Record) -> Result<Arc<Reader>>;

/// What reading a filter carries along.
pub struct Scope<'a> {
    grant: Grant<'a>,
    terms_left: usize,
}

impl<'a> Scope<'a> {
    pub fn new(grant: Grant<'a>) -> Self {
        Self { grant, terms_left: limits::FILTER_TERMS_MAX }
    }

    /// Counts a comparison, or a look at another record.
    fn spend_term(&mut self) -> Result<()> {
        self.terms_left = self.terms_left.checked_sub(1).ok_or_else(|| {
            Error::limit(say(
                format!("a filter holds at most {} comparisons", limits::FILTER_TERMS_MAX),
                format!("um filtro tem no máximo {} comparações", limits::FILTER_TERMS_MAX),
            ))
        })?;
        Ok(())
    }
}

/// Reads a `…Filter` input object.
pub fn read(
    scope: &mut Scope<'_>,
    record: &'static Record,
    reader: &Reader,
    input: &Input,
) -> Result<Condition> {
    read_object(scope, record, reader, input, limits::FILTER_DEPTH_MAX)
}

fn read_object(
    scope: &mut Scope<'_>,
    record: &'static Record,
    reader: &Reader,
    input: &Input,
    depth_left: usize,
) -> Result<Condition> {
    let depth_left = depth_left.checked_sub(1).ok_or_else(|| {
        Error::limit(say(
            format!("a filter nests at most {} levels", limits::FILTER_DEPTH_MAX),
            format!("um filtro tem no máximo {} níveis", limits::FILTER_DEPTH_MAX),
        ))
    })?;
    let Input::Object(entries) = input else {
        return Err(not_an_object());
    };
    let mut conditions = Vec::with_capacity(entries.len());
    for (name, value) in entries {
        // An explicit null is as good as absent: clients send `filter: { status: null }` for "any".
        if matches!(value, Input::Null) {
            continue;
        }
        let name = name.as_str();
        let condition = match name {
            "and" | "or" => {
                let parts = input::read_list(value)
                    .iter()
                    .map(|part| read_object(scope, record, reader, part, depth_left))
                    .collect::<Result<Vec<_>>>()?;
                if name == "and" { all_of(parts) } else { any_of(parts) }
            }
            "not" => match read_object(scope, record, reader, value, depth_left)? {
                inner if holds_always(&inner) => Condition::Any(Vec::new()),
                inner if holds_never(&inner) => Condition::All(Vec::new()),
                inner => Condition::Not(Box::new(inner)),
            },
            _ => {
                if let Some(field) = record.find_field(name) {
                    allow_field(reader, field)?;
                    read_field(scope, field, value).map_err(|error| error.at(name.to_owned()))?
                } else if let Some(relation) = record.find_relation(name) {
                    allow_relation(reader, record, relation)?;
                    read_relation(scope, relation, value, depth_left)?
                } else {
                    return Err(unknown(record, name));
                }
            }
        };
        conditions.push(condition);
    }
    Ok(all_of(conditions))
}

/// Without the parts that hold for every row: what is left is bounded by the comparisons.
fn all_of(parts: Vec<Condition>) -> Condition {
    if parts.iter().any(holds_never) {
        return Condition::Any(Vec::new());
    }
    Condition::All(parts.into_iter().filter(|part| !holds_always(part)).collect())
}

fn any_of(parts: Vec<Condition>) -> Condition {
    if parts.iter().any(holds_always) {
        return Condition::All(Vec::new());
    }
    Condition::Any(parts.into_iter().filter(|part| !holds_never(part)).collect())
}

fn holds_always(part: &Condition) -> bool {
    matches!(part, Condition::All(parts) if parts.is_empty())
}

fn holds_never(part: &Condition) -> bool {
    matches!(part, Condition::Any(parts) if parts.is_empty())
}

/// What may not be read of a relation, or of the field that names the related row, may not be
/// walked along either.
pub fn allow_relation(reader: &Reader, record: &Record, relation: &Relation) -> Result<()> {
    let column = match relation.kind {
        RelationKind::One { column, .. } => Some(column),
        RelationKind::Many { .. } => None,
    };
    let via = record.fields.iter().find(|field| Some(field.column) == column);
    let via = via.map(|field| field.name.as_str());
    if reader.follows(relation.name, via) { Ok(()) } else { Err(unfollowed(relation)) }
}

/// A to-many relation is walked along a field of the other side, `column` of `target`.
pub fn allow_link(
    reader: &Reader,
    target: &Record,
    (relation, column): (&Relation, &str),
) -> Result<()> {
    let mut links = target.fields.iter().filter(|field| field.column == column);
    let mut named = target.relations.iter().filter(
        |back| matches!(back.kind, RelationKind::One { column: other, .. } if other == column),
    );
    let back = named.next().map_or("", |back| back.name);
    if links.all(|field| reader.follows(back, Some(&field.name))) {
        Ok(())
    } else {
        Err(unfollowed(relation))
    }
}

fn unfollowed(relation: &Relation) -> Error {
    Error::Forbidden {
        message: say(
            format!("your role may not follow {}", relation.name),
            format!("seu papel não permite seguir {}", relation.name),
        ),
        field: Some(relation.name.into()),
    }
}

/// A hidden or masked field cannot be used to filter, sort or group: its values would leak.
pub fn allow_field(reader: &Reader, field: &Field) -> Result<()> {
    match reader.field(&field.name) {
        FieldRule::Plain => Ok(()),
        FieldRule::Masked | FieldRule::Hidden => Err(Error::Forbidden {
            message: say(
                format!("your role may not filter, sort or group by {}", field.name),
                format!("seu papel não permite filtrar, ordenar ou agrupar por {}", field.name),
            ),
            field: Some(field.name.clone().into()),
        }),
    }
}

fn read_relation(
    scope: &mut Scope<'_>,
    relation: &'static Relation,
    value: &Input,
    depth_left: usize,
) -> Result<Condition> {
    let record = (relation.target)();
    let reader = (scope.grant)(record)?;
    let related = |quantifier, condition| Condition::Related {
        relation,
        quantifier,
        inner: Inner { record, reader: Arc::clone(&reader), condition: Box::new(condition) },
    };
    match relation.kind {
        RelationKind::One { .. } => {
            scope.spend_term()?;
            let condition = read_object(scope, record, &reader, value, depth_left)?;
            Ok(related(Quantifier::Some, condition))
        }
        RelationKind::Many { column, .. } => {
            allow_link(&reader, record, (relation, column))?;
            let Input::Object(entries) = value else { return Err(not_an_object()) };
            let mut conditions = Vec::new();
            for (name, value) in entries {
                let quantifier = match name.as_str() {
                    "some" => Quantifier::Some,
                    "every" => Quantifier::Every,
                    "none" => Quantifier::None,
                    other => return Err(unknown(record, other)),
                };
                if matches!(value, Input::Null) {
                    continue;
                }
                scope.spend_term()?;
                let condition = read_object(scope, record, &reader, value, depth_left)?;
                conditions.push(related(quantifier, condition));
            }
            Ok(all_of(conditions))
        }
    }
}

fn read_field(scope: &mut Scope<'_>, field: &'static Field, value: &Input) -> Result<Condition> {
    let Input::Object(entries) = value else { return Err(not_an_object()) };
    let path = match entries.get("path") {
        Some(path) => Some(
            input::read_list(path)
                .iter()
                .map(|key| input::read_text(key).map(str::to_owned))
                .collect::<Result<Vec<_>>>()?,
        ),
        None => None,
    };
    let mut conditions = Vec::with_capacity(entries.len());
    for (name, value) in entries {
        if matches!(value, Input::Null) || name == "path" {
            continue;
        }
        scope.spend_term()?;
        // What a JSON path gives is compared as text.
        let kind = if path.is_some() { Kind::Code } else { field.kind };
        if path.is_some() && matches!(name.as_str(), "eq" | "ne" | "in" | "notIn") {
            input::read_list(value).iter().try_for_each(check_scalar)?;
        }
        for operator in read_operator(kind, field, name.as_str(), value)? {
            conditions.push(match &path {
                Some(path) => Condition::JsonPath { field, path: path.clone(), operator },
                None => Condition::Compare { field, operator },
            });
        }
    }
    Ok(all_of(conditions))
}

/// A path leads to a scalar. Objects and lists have no text that both databases agree on, so a
/// comparison with one would be false however equal they are: it is refused instead.
fn check_scalar(value: &Input) -> Result<()> {
    let Input::String(text) = value else { return Ok(()) };
    let is_tree = text.trim_start().starts_with(['{', '['])
        && serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok();
    if !is_tree {
        return Ok(());
    }
    Err(Error::invalid(say(
        "whole objects and lists are not compared: name the path to a value in them, or use \
         arrayContains",
        "objetos e listas inteiros não são comparados: informe o caminho até um valor neles, ou use \
         arrayContains",
    )))
}

fn read_operator(kind: Kind, field: &Field, name: &str, value: &Input) -> Result<Vec<Operator>> {
    let ordered = |value: &Input| -> Result<Value> {
        let read = input::read(kind, value)?;
        Ok(match (field.folded, read) {
            (true, Value::Text(text)) => Value::Text(entity::value::fold::fold(&text)),
            (_, read) => read,
        })
    };
    let folded = |value: &Input| -> Result<String> {
        let text = input::read_text(value)?;
        // What a path leads to has no folded twin.
        let folds = field.folded && matches!(kind, Kind::Text);
        Ok(if folds { entity::value::fold::fold(text) } else { text.to_owned() })
    };
    Ok(vec![match name {
        "eq" => Operator::Equals(input::read(kind, value)?),
        "ne" => Operator::NotEquals(input::read(kind, value)?),
        "in" => Operator::In(read_values(kind, value)?),
        "notIn" => Operator::NotIn(read_values(kind, value)?),
        "gt" => Operator::Greater(ordered(value)?),
        "gte" => Operator::GreaterOrEqual(ordered(value)?),
        "lt" => Operator::Less(ordered(value)?),
        "lte" => Operator::LessOrEqual(ordered(value)?),
        "between" => {
            let Input::Object(ends) = value else { return Err(not_an_object()) };
            let end = |name: &str| {
                ends.get(name).ok_or_else(|| {
                    Error::invalid(say("between needs from and to", "between precisa de from e to"))
                })
            };
            return Ok(vec![
                Operator::GreaterOrEqual(ordered(end("from")?)?),
                Operator::LessOrEqual(ordered(end("to")?)?),
            ]);
        }
        "isNull" => Operator::IsNull(input::read_bool(value)?),
        "contains" => Operator::Contains(folded(value)?),
        "startsWith" => Operator::StartsWith(folded(value)?),
        "endsWith" => Operator::EndsWith(folded(value)?),
        "search" => Operator::Words(read_words(&folded(value)?)?),
        "arrayContains" => Operator::ArrayContains(input::read_text(value)?.to_owned()),
        other => {
            return Err(Error::invalid(say(
                format!("unknown operator {other}"),
                format!("operador desconhecido {other}"),
            )));
        }
    }])
}

/// The words sought; one empty word, which every text contains, when there are none.
fn read_words(text: &str) -> Result<Vec<String>> {
    if text.chars().count() > limits::SEARCH_CHARS_MAX {
        let max = limits::SEARCH_CHARS_MAX;
        return Err(Error::limit(say(
            format!("search takes at most {max} characters"),
            format!("search aceita no máximo {max} caracteres"),
        )));
    }
    let words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
    Ok(if words.is_empty() { vec![String::new()] } else { words })
}

/// The values of `in`, as one list to bind.
fn read_values(kind: Kind, value: &Input) -> Result<Value> {
    let items = input::read_list(value);
    if items.len() > limits::FILTER_VALUES_MAX {
        return Err(Error::limit(say(
            format!("a list of values holds at most {}", limits::FILTER_VALUES_MAX),
            format!("uma lista de valores tem no máximo {}", limits::FILTER_VALUES_MAX),
        )));
    }
    let values = items.iter().map(|item| input::read(kind, item)).collect::<Result<Vec<_>>>()?;
    if values.iter().any(Value::is_null) {
        return Err(Error::invalid(say(
            "a list of values cannot hold null, use isNull",
            "uma lista de valores não aceita null, use isNull",
        )));
    }
    super::write::list_of(kind, values)
}

fn not_an_object() -> Error {
    Error::invalid(say("expected an input object", "esperava um objeto de entrada"))
}

fn unknown(record: &Record, name: &str) -> Error {
    Error::invalid_field(
        name.to_owned(),
        say(
            format!("{} has no filter {name}", record.name),
            format!("{} não tem o filtro {name}", record.name),
        ),
    )
}
