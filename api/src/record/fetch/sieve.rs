//! What a database does with a list's rows, over rows that are in memory: filter, search, order, and
//! where a page begins. The same meaning as in SQL: logic is two-valued, nulls have a pinned place,
//! text without case and accents where it is folded.

use std::cmp::Ordering;

use super::computed::Place;
use crate::db::Value;
use crate::error::{Error, Result, say};
use crate::limits;
use crate::record::declare::{Field, Record};
use crate::record::filter::{Condition, Operator};
use crate::record::input;
use crate::record::order::{Expression, OrderKey};
use crate::record::plan::List;

/// The rows that match, in the order of the list.
pub(super) fn arrange(plan: &List, mut rows: Vec<Vec<Value>>) -> Result<Vec<Vec<Value>>> {
    let record = plan.level.record;
    if let Some(condition) = &plan.condition {
        rows = kept(rows, |row| holds(record, condition, row))?;
    }
    let words = words_of(plan)?;
    if !words.is_empty() {
        rows.retain(|row| words.iter().all(|word| is_found(record, row, word)));
    }
    let keys = keys_of(plan)?;
    let mut keyed: Vec<(Vec<Value>, Vec<Value>)> =
        rows.into_iter().map(|row| (key_values(&keys, &row), row)).collect();
    keyed.sort_by(|(left, _), (right, _)| compare(&plan.order, left, right));
    Ok(keyed.into_iter().map(|(_, row)| row).collect())
}

/// The rows on the other side of the page's cursor.
pub(super) fn beyond_cursor(plan: &List, mut rows: Vec<Vec<Value>>) -> Result<Vec<Vec<Value>>> {
    let Some(cursor) = &plan.cursor else { return Ok(rows) };
    let keys = keys_of(plan)?;
    let side = if plan.page.backward { Ordering::Less } else { Ordering::Greater };
    rows.retain(|row| compare(&plan.order, &key_values(&keys, row), cursor) == side);
    Ok(rows)
}

fn kept(
    rows: Vec<Vec<Value>>,
    holds: impl Fn(&[Value]) -> Result<bool>,
) -> Result<Vec<Vec<Value>>> {
    let mut kept = Vec::with_capacity(rows.len());
    for row in rows {
        if holds(&row)? {
            kept.push(row);
        }
    }
    Ok(kept)
}

// ---- Search --------------------------------------------------------------------------------------

fn words_of(plan: &List) -> Result<Vec<String>> {
    let given = plan.arguments.iter().find(|(name, _)| name == "search");
    let Some((_, given)) = given.filter(|(_, given)| !matches!(given, async_graphql::Value::Null))
    else {
        return Ok(Vec::new());
    };
    let text = input::read_text(given).map_err(|error| error.at("search"))?;
    let max = limits::SEARCH_CHARS_MAX;
    if text.chars().count() > max {
        return Err(Error::limit(say(
            format!("search takes at most {max} characters"),
            format!("search aceita no máximo {max} caracteres"),
        )));
    }
    Ok(entity::value::fold::fold(text).split_whitespace().map(str::to_owned).collect())
}

fn is_found(record: &Record, row: &[Value], word: &str) -> bool {
    let texts = record.fields.iter().zip(row);
    let mut texts = texts.filter(|(field, _)| record.searched.contains(&field.column));
    texts.any(|(_, value)| {
        matches!(value, Value::Text(text) if entity::value::fold::fold(text).contains(word))
    })
}

// ---- Order ---------------------------------------------------------------------------------------

fn keys_of<'a>(plan: &'a List) -> Result<Vec<Place<'a>>> {
    let places = plan.order.iter().map(|key| match &key.expression {
        Expression::Column { table: 0, column } => Place::of(&plan.level.record.fields, column),
        Expression::Column { .. }
        | Expression::SearchRank { .. }
        | Expression::SearchLength
        | Expression::Written(_) => None,
    });
    let places: Option<Vec<Place<'a>>> = places.collect();
    places.ok_or_else(|| Error::internal("a computed list is ordered by what it does not have"))
}

fn key_values(keys: &[Place<'_>], row: &[Value]) -> Vec<Value> {
    keys.iter().map(|key| key.value(row).unwrap_or(Value::Null(key.field().kind.bind()))).collect()
}

fn compare(order: &[OrderKey], left: &[Value], right: &[Value]) -> Ordering {
    let parts = order.iter().zip(left.iter().zip(right)).map(|(key, (left, right))| {
        match (left.is_null(), right.is_null()) {
            (true, true) => Ordering::Equal,
            (true, false) if key.nulls_first => Ordering::Less,
            (true, false) => Ordering::Greater,
            (false, true) if key.nulls_first => Ordering::Greater,
            (false, true) => Ordering::Less,
            (false, false) if key.descending => compared(right, left),
            (false, false) => compared(left, right),
        }
    });
    parts.fold(Ordering::Equal, Ordering::then)
}

/// Values of one kind; those of different kinds are never compared.
fn compared(left: &Value, right: &Value) -> Ordering {
    match (left, right) {
        (Value::Id(left), Value::Id(right)) => left.cmp(right),
        (Value::Text(left), Value::Text(right)) => left.cmp(right),
        (Value::Int(left), Value::Int(right)) => left.cmp(right),
        (Value::Float(left), Value::Float(right)) => left.total_cmp(right),
        (Value::Bool(left), Value::Bool(right)) => left.cmp(right),
        (Value::Instant(left), Value::Instant(right)) => left.cmp(right),
        (Value::Date(left), Value::Date(right)) => left.cmp(right),
        _ => Ordering::Equal,
    }
}

// ---- Filter --------------------------------------------------------------------------------------

fn holds(record: &Record, condition: &Condition, row: &[Value]) -> Result<bool> {
    match condition {
        Condition::All(parts) => {
            for part in parts {
                if !holds(record, part, row)? {
                    return Ok(false);
                }
            }
            Ok(true)
        }
        Condition::Any(parts) => {
            for part in parts {
                if holds(record, part, row)? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        Condition::Not(inner) => Ok(!holds(record, inner, row)?),
        Condition::Compare { field, operator } => {
            let place = record.fields.iter().position(|each| each.name == field.name);
            let value = place.and_then(|place| row.get(place));
            let value = value.ok_or_else(|| Error::internal("a row without a field"))?;
            satisfies(field, operator, value)
        }
        Condition::JsonPath { .. } | Condition::Related { .. } => {
            Err(Error::internal("a computed list is filtered by what it does not have"))
        }
    }
}

fn satisfies(field: &Field, operator: &Operator, value: &Value) -> Result<bool> {
    let folded = |value: &Value| {
        if let (Value::Text(text), true) = (value, field.folded) {
            return Value::Text(entity::value::fold::fold(text));
        }
        value.clone()
    };
    let ordered = |to: &Value, wanted: fn(Ordering) -> bool| {
        !value.is_null() && !to.is_null() && wanted(compared(&folded(value), to))
    };
    let text =
        |fits: &dyn Fn(&str) -> bool| matches!(folded(value), Value::Text(text) if fits(&text));
    Ok(match operator {
        Operator::Equals(to) => value == to || (value.is_null() && to.is_null()),
        Operator::NotEquals(to) => !(value == to || (value.is_null() && to.is_null())),
        Operator::In(list) => is_one_of(value, list)?,
        Operator::NotIn(list) => !is_one_of(value, list)?,
        Operator::Less(to) => ordered(to, Ordering::is_lt),
        Operator::LessOrEqual(to) => ordered(to, Ordering::is_le),
        Operator::Greater(to) => ordered(to, Ordering::is_gt),
        Operator::GreaterOrEqual(to) => ordered(to, Ordering::is_ge),
        Operator::IsNull(wanted) => value.is_null() == *wanted,
        Operator::Contains(part) => text(&|text| text.contains(part.as_str())),
        Operator::StartsWith(part) => text(&|text| text.starts_with(part.as_str())),
        Operator::EndsWith(part) => text(&|text| text.ends_with(part.as_str())),
        Operator::Words(words) => {
            text(&|text| words.iter().all(|word| text.contains(word.as_str())))
        }
        Operator::ArrayContains(_) => {
            return Err(Error::internal("a computed list is filtered by what it does not have"));
        }
    })
}

fn is_one_of(value: &Value, list: &Value) -> Result<bool> {
    Ok(match (value, list) {
        (Value::Null(_), _) => false,
        (Value::Id(id), Value::Ids(list)) => list.contains(id),
        (Value::Text(text), Value::Texts(list)) => list.contains(text),
        (Value::Int(number), Value::Ints(list)) => list.contains(number),
        (Value::Bool(flag), Value::Bools(list)) => list.contains(flag),
        (Value::Date(day), Value::Dates(list)) => list.contains(day),
        (Value::Instant(at), Value::Instants(list)) => list.contains(at),
        _ => return Err(Error::internal("a list of another kind")),
    })
}
