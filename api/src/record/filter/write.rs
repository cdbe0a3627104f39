//! [`Condition`] -> SQL.

use super::{Condition, Inner, Operator, Quantifier};
use crate::db::{NullOf, Value};
use crate::error::{Error, Result};
use crate::record::declare::{Field, Record, Relation, RelationKind};
use crate::record::kind::Kind;
use crate::record::sql::{Sql, row_rule};

/// Characters of a text sought that the trigram index is asked for; the condition has them all.
const INDEXED_CHARS_MAX: usize = 60;

/// The condition over `alias`, a row of `record`, as a Boolean expression that may be NULL where a
/// compared column is.
pub fn write(sql: &mut Sql, record: &Record, alias: &str, condition: &Condition) -> Result<String> {
    Ok(match condition {
        Condition::All(parts) => join(sql, record, alias, parts, " AND ", "TRUE")?,
        Condition::Any(parts) => join(sql, record, alias, parts, " OR ", "FALSE")?,
        Condition::Not(inner) => format!("({}) IS NOT TRUE", write(sql, record, alias, inner)?),
        Condition::Compare { field, operator } => write_field(sql, record, alias, field, operator)?,
        Condition::JsonPath { field, path, operator } => {
            let path_value = sql.dialect.json_path_value(path);
            let placeholder = sql.bind(path_value);
            let column = format!("{alias}.{}", field.column);
            match operator {
                Operator::ArrayContains(text) => {
                    let text = sql.bind(Value::Text(text.clone()));
                    sql.dialect.json_array_contains(&column, &placeholder, &text)
                }
                Operator::IsNull(false) => sql.dialect.json_exists(&column, &placeholder),
                Operator::IsNull(true) => {
                    format!("NOT ({})", sql.dialect.json_exists(&column, &placeholder))
                }
                Operator::Equals(_)
                | Operator::NotEquals(_)
                | Operator::In(_)
                | Operator::NotIn(_)
                | Operator::Less(_)
                | Operator::LessOrEqual(_)
                | Operator::Greater(_)
                | Operator::GreaterOrEqual(_)
                | Operator::Contains(_)
                | Operator::StartsWith(_)
                | Operator::EndsWith(_)
                | Operator::Words(_) => {
                    let expression = sql.dialect.json_text(&column, &placeholder);
                    write_operator(sql, &expression, &expression, operator)?
                }
            }
        }
        Condition::Related { relation, quantifier, inner } => {
            write_related(sql, alias, relation, *quantifier, inner)?
        }
    })
}

fn join(
    sql: &mut Sql,
    record: &Record,
    alias: &str,
    parts: &[Condition],
    glue: &str,
    nothing: &str,
) -> Result<String> {
    let written =
        parts.iter().map(|part| write(sql, record, alias, part)).collect::<Result<Vec<_>>>()?;
    Ok(match written.as_slice() {
        [] => nothing.to_owned(),
        [single] => single.clone(),
        _ => format!("({})", written.join(glue)),
    })
}

fn write_field(
    sql: &mut Sql,
    record: &Record,
    alias: &str,
    field: &Field,
    operator: &Operator,
) -> Result<String> {
    let exact = format!("{alias}.{}", field.column);
    let ordered = format!("{alias}.{}", field.sort_column());
    let condition = write_operator(sql, &exact, &ordered, operator)?;
    // The search text holds every word of the field, so its trigram index narrows first.
    let Operator::Contains(text) = operator else { return Ok(condition) };
    if !record.searched.contains(&field.column) {
        return Ok(condition);
    }
    let needle: String = entity::value::fold::fold(text).chars().take(INDEXED_CHARS_MAX).collect();
    // Cut off where a word ends, it would end in a space that the search text may not have.
    let needle = needle.trim_end();
    if needle.chars().count() < 3 {
        return Ok(condition);
    }
    let value = sql.dialect.contains_value(needle);
    let placeholder = sql.bind(value);
    let indexed = sql.dialect.contains_indexed(record.table, alias, &placeholder);
    Ok(format!("({indexed} AND {condition})"))
}

fn write_operator(
    sql: &mut Sql,
    exact: &str,
    ordered: &str,
    operator: &Operator,
) -> Result<String> {
    let compare = |sql: &mut Sql, symbol: &str, value: &Value| {
        format!("{ordered} {symbol} {}", sql.bind(value.clone()))
    };
    Ok(match operator {
        Operator::Equals(value) => format!("{exact} = {}", sql.bind(value.clone())),
        Operator::NotEquals(value) => {
            format!("{exact} IS DISTINCT FROM {}", sql.bind(value.clone()))
        }
        Operator::In(values) => in_list(sql, exact, values),
        Operator::NotIn(values) => {
            let inside = in_list(sql, exact, values);
            format!("({inside}) IS NOT TRUE")
        }
        Operator::Less(value) => compare(sql, "<", value),
        Operator::LessOrEqual(value) => compare(sql, "<=", value),
        Operator::Greater(value) => compare(sql, ">", value),
        Operator::GreaterOrEqual(value) => compare(sql, ">=", value),
        Operator::IsNull(true) => format!("{exact} IS NULL"),
        Operator::IsNull(false) => format!("{exact} IS NOT NULL"),
        Operator::Contains(text) => contains(sql, ordered, text),
        Operator::StartsWith(text) => starts_with(sql, ordered, text),
        // Every text ends with nothing; no text does not.
        Operator::EndsWith(text) if text.is_empty() => format!("{ordered} IS NOT NULL"),
        Operator::EndsWith(text) => {
            let length = i64::try_from(text.chars().count()).map_err(Error::internal)?;
            let length = sql.bind(Value::Int(length));
            let text = sql.bind(Value::Text(text.clone()));
            sql.dialect.ends_with(ordered, &text, &length)
        }
        Operator::Words(words) => {
            let parts: Vec<_> = words.iter().map(|word| contains(sql, ordered, word)).collect();
            format!("({})", parts.join(" AND "))
        }
        Operator::ArrayContains(_) => {
            return Err(Error::internal("arrayContains outside a JSON path"));
        }
    })
}

fn contains(sql: &mut Sql, expression: &str, text: &str) -> String {
    let placeholder = sql.bind(Value::Text(text.to_owned()));
    format!("{} > 0", sql.dialect.position(expression, &placeholder))
}

/// A range of texts, so that the plain index serves it on both databases.
fn starts_with(sql: &mut Sql, expression: &str, text: &str) -> String {
    let from = sql.bind(Value::Text(text.to_owned()));
    match next_prefix(text) {
        Some(end) => {
            let end = sql.bind(Value::Text(end));
            format!("({expression} >= {from} AND {expression} < {end})")
        }
        None => format!("{expression} >= {from}"),
    }
}

/// The smallest text above everything that begins with `prefix`.
fn next_prefix(prefix: &str) -> Option<String> {
    let mut characters: Vec<char> = prefix.chars().collect();
    while let Some(last) = characters.pop() {
        let mut code = u32::from(last) + 1;
        if (0xD800..0xE000).contains(&code) {
            code = 0xE000;
        }
        if let Some(next) = char::from_u32(code) {
            characters.push(next);
            return Some(characters.into_iter().collect());
        }
    }
    None
}

fn in_list(sql: &mut Sql, expression: &str, values: &Value) -> String {
    let placeholder = sql.bind(values.clone());
    match values {
        Value::Ids(_) => sql.dialect.in_ids(expression, &placeholder),
        Value::Dates(_) => sql.dialect.in_dates(expression, &placeholder),
        Value::Instants(_) => sql.dialect.in_instants(expression, &placeholder),
        Value::Bools(_) => sql.dialect.in_bools(expression, &placeholder),
        Value::Texts(_)
        | Value::Ints(_)
        | Value::Null(_)
        | Value::Id(_)
        | Value::Text(_)
        | Value::Int(_)
        | Value::Float(_)
        | Value::Bool(_)
        | Value::Instant(_)
        | Value::Date(_)
        | Value::Json(_) => sql.dialect.in_list(expression, &placeholder),
    }
}

/// Values of one kind as one list value.
pub(super) fn list_of(kind: Kind, values: Vec<Value>) -> Result<Value> {
    macro_rules! gather {
        ($variant:ident, $list:ident) => {
            Value::$list(
                values
                    .into_iter()
                    .map(|value| match value {
                        Value::$variant(value) => Ok(value),
                        other => Err(Error::internal(format!("{other:?} in a list"))),
                    })
                    .collect::<Result<Vec<_>>>()?,
            )
        };
    }
    Ok(match kind.bind() {
        NullOf::Id => gather!(Id, Ids),
        NullOf::Text => gather!(Text, Texts),
        NullOf::Int => gather!(Int, Ints),
        NullOf::Date => gather!(Date, Dates),
        NullOf::Instant => gather!(Instant, Instants),
        NullOf::Bool => gather!(Bool, Bools),
        NullOf::Float | NullOf::Json => {
            return Err(Error::internal("no list of floats or JSON"));
        }
    })
}

fn write_related(
    sql: &mut Sql,
    alias: &str,
    relation: &Relation,
    quantifier: Quantifier,
    inner: &Inner,
) -> Result<String> {
    let other = sql.alias();
    let record = inner.record;
    let link = match relation.kind {
        RelationKind::One { column, .. } => format!("{other}.id = {alias}.{column}"),
        RelationKind::Many { column, .. } => format!("{other}.{column} = {alias}.id"),
    };
    let mut conditions = vec![format!("{other}.tenant_id = {alias}.tenant_id"), link];
    if record.soft_delete {
        conditions.push(format!("{other}.deleted_at IS NULL"));
    }
    if let Some(rule) = row_rule(sql, record, &other, inner.reader.rows()) {
        conditions.push(rule);
    }
    let condition = write(sql, record, &other, &inner.condition)?;
    let (negated, condition) = match quantifier {
        Quantifier::Some => ("", condition),
        Quantifier::None => ("NOT ", condition),
        Quantifier::Every => ("NOT ", format!("({condition}) IS NOT TRUE")),
    };
    conditions.push(condition);
    Ok(format!(
        "{negated}EXISTS (SELECT 1 FROM {} {other} WHERE {})",
        record.table,
        conditions.join(" AND ")
    ))
}
