//! What a database does with a list's rows, over rows that are in memory: filter, search, order, and
//! pages. The same meaning as in SQL: logic is two-valued, nulls have a pinned place,
//! text without case and accents where it is folded.

use std::cell::OnceCell;
use std::cmp::Ordering;

use super::computed::{Page, Place};
use crate::db::Value;
use crate::error::{Error, Result, say};
use crate::limits;
use crate::record::declare::{Field, Record, Rows};
use crate::record::filter::{Condition, Operator};
use crate::record::input;
use crate::record::order::{Expression, OrderKey};
use crate::record::plan::List;

/// The numbers of the rows that match.
pub(super) fn matching(plan: &List, rows: &dyn Rows) -> Result<Vec<usize>> {
    let record = plan.level.record;
    let words = words_of(plan)?;
    let mut found = Vec::with_capacity(rows.count());
    for number in 0..rows.count() {
        let row = |field: usize| rows.value(number, field);
        let holds = match &plan.condition {
            Some(condition) => holds(record, condition, &row)?,
            None => true,
        };
        if holds && words.iter().all(|word| is_found(record, &row, word)) {
            found.push(number);
        }
    }
    Ok(found)
}

/// A row's value of a field, by the field's number.
type RowValues<'a> = &'a dyn Fn(usize) -> Option<Value>;

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

fn is_found(record: &Record, row: RowValues<'_>, word: &str) -> bool {
    let fields = record.fields.iter().enumerate();
    let mut searched = fields.filter(|(_, field)| record.searched.contains(&field.column));
    searched.any(|(number, _)| {
        let fold = entity::value::fold::fold;
        matches!(row(number), Some(Value::Text(text)) if fold(&text).contains(word))
    })
}

// ---- Order ---------------------------------------------------------------------------------------

/// The rows of the page, in the order of the list. Only they are put in order: the others are merely
/// found to be before or after them.
pub(super) fn page(plan: &List, rows: &dyn Rows, found: Vec<usize>, limit: usize) -> Result<Page> {
    let order = Order::of(plan, rows)?;
    let backward = plan.page.backward;
    let mut keyed: Vec<Keyed> = found.into_iter().map(|row| order.keyed(row)).collect();
    if let Some(cursor) = &plan.cursor {
        let side = if backward { Ordering::Less } else { Ordering::Greater };
        keyed.retain(|row| order.against(row, cursor) == side);
    }
    let compare = |left: &Keyed, right: &Keyed| match backward {
        true => order.compare(right, left),
        false => order.compare(left, right),
    };
    let more = keyed.len() > limit;
    if more {
        keyed.select_nth_unstable_by(limit, compare);
        keyed.truncate(limit);
    }
    keyed.sort_unstable_by(compare);
    if backward {
        keyed.reverse();
    }
    Ok(Page { rows: keyed.into_iter().map(|keyed| keyed.row).collect(), more })
}

/// The order of a list, and where its keys are found.
struct Order<'a> {
    rows: &'a dyn Rows,
    first: (&'a OrderKey, Place<'a>),
    others: (&'a [OrderKey], Vec<Place<'a>>),
}

/// A row with its keys. The first one tells most rows apart: the others are made where it does not.
struct Keyed {
    row: usize,
    first: Value,
    others: OnceCell<Vec<Value>>,
}

impl<'a> Order<'a> {
    fn of(plan: &'a List, rows: &'a dyn Rows) -> Result<Self> {
        let place = |key: &'a OrderKey| match &key.expression {
            Expression::Column { table: 0, column } => Place::of(&plan.level.record.fields, column),
            Expression::Column { .. }
            | Expression::SearchRank { .. }
            | Expression::SearchLength
            | Expression::Written(_) => None,
        };
        let parts = plan.order.split_first().and_then(|(first, others)| {
            let places: Option<Vec<Place<'a>>> = others.iter().map(place).collect();
            Some(((first, place(first)?), (others, places?)))
        });
        let (first, others) = parts.ok_or_else(|| {
            Error::internal("a computed list is ordered by what it does not have")
        })?;
        Ok(Self { rows, first, others })
    }

    fn value(&self, place: &Place<'_>, row: usize) -> Value {
        let absent = Value::Null(place.field().kind.bind());
        place.value(self.rows, row).unwrap_or(absent)
    }

    fn keyed(&self, row: usize) -> Keyed {
        Keyed { row, first: self.value(&self.first.1, row), others: OnceCell::new() }
    }

    fn others_of<'k>(&self, keyed: &'k Keyed) -> &'k [Value] {
        let places = self.others.1.iter();
        keyed.others.get_or_init(|| places.map(|place| self.value(place, keyed.row)).collect())
    }

    /// Rows that no key tells apart stay as they were made.
    fn compare(&self, left: &Keyed, right: &Keyed) -> Ordering {
        compared_by(self.first.0, &left.first, &right.first)
            .then_with(|| compare(self.others.0, self.others_of(left), self.others_of(right)))
            .then(left.row.cmp(&right.row))
    }

    /// A row beside the keys of a cursor.
    fn against(&self, row: &Keyed, cursor: &[Value]) -> Ordering {
        let Some((first, others)) = cursor.split_first() else { return Ordering::Equal };
        compared_by(self.first.0, &row.first, first)
            .then_with(|| compare(self.others.0, self.others_of(row), others))
    }
}

fn compare(order: &[OrderKey], left: &[Value], right: &[Value]) -> Ordering {
    let keys = order.iter().zip(left.iter().zip(right));
    let mut parts = keys.map(|(key, (left, right))| compared_by(key, left, right));
    parts.find(|part| part.is_ne()).unwrap_or(Ordering::Equal)
}

fn compared_by(key: &OrderKey, left: &Value, right: &Value) -> Ordering {
    match (left.is_null(), right.is_null()) {
        (true, true) => Ordering::Equal,
        (true, false) if key.nulls_first => Ordering::Less,
        (true, false) => Ordering::Greater,
        (false, true) if key.nulls_first => Ordering::Greater,
        (false, true) => Ordering::Less,
        (false, false) if key.descending => compared(right, left),
        (false, false) => compared(left, right),
    }
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

fn holds(record: &Record, condition: &Condition, row: RowValues<'_>) -> Result<bool> {
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
            let value = place.and_then(row);
            let value = value.ok_or_else(|| Error::internal("a row without a field"))?;
            satisfies(field, operator, &value)
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
