//! Keyset paging. Where a page begins becomes a list of *ranges* that follow each other in the
//! order: each is a plain seek that an index serves, their UNION ALL is the rest of the list. (One
//! OR over all of them would defeat the index.)

use async_graphql::Value as Input;

use super::order::OrderKey;
use super::sql::Sql;
use crate::db::Value;
use crate::error::{Error, Result, say};
use crate::limits;

/// The paging arguments of one connection.
#[derive(Debug, Clone)]
pub struct PageRequest {
    pub rows: u64,
    /// `last`/`before`: the list is walked from its end.
    pub backward: bool,
    pub cursor: Option<String>,
}

impl PageRequest {
    /// Reads `first`, `after`, `last`, `before`.
    pub fn read(argument: impl Fn(&str) -> Option<Input>) -> Result<Self> {
        let size = |name: &'static str| -> Result<Option<u64>> {
            argument(name).map(|input| read_size(name, &input)).transpose()
        };
        let cursor = |name: &'static str| -> Result<Option<String>> {
            argument(name)
                .map(|input| super::input::read_text(&input).map(str::to_owned))
                .transpose()
                .map_err(|error| error.at(name))
        };
        let (first, last) = (size("first")?, size("last")?);
        let (after, before) = (cursor("after")?, cursor("before")?);
        if (first.is_some() || after.is_some()) && (last.is_some() || before.is_some()) {
            return Err(Error::invalid_field(
                "last",
                say(
                    "use first/after or last/before, not both",
                    "use first/after ou last/before, não ambos",
                ),
            ));
        }
        let backward = last.is_some() || before.is_some();
        Ok(Self {
            rows: first.or(last).unwrap_or(limits::PAGE_ROWS_DEFAULT),
            backward,
            cursor: after.or(before),
        })
    }
}

fn read_size(name: &'static str, input: &Input) -> Result<u64> {
    let refuse = || {
        let max = limits::PAGE_ROWS_MAX;
        Error::invalid_field(
            name,
            say(format!("{name} must be 0 to {max}"), format!("{name} deve ser de 0 a {max}")),
        )
    };
    let size = u64::try_from(super::input::read_int(input).map_err(|_not_int| refuse())?)
        .map_err(|_negative| refuse())?;
    if size > limits::PAGE_ROWS_MAX { Err(refuse()) } else { Ok(size) }
}

/// A condition on one sort key (by its number) inside a range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Term {
    /// Equal to the cursor's value (null included).
    Same(usize),
    /// Strictly after the cursor's value, and not null.
    Beyond(usize),
    Null(usize),
    NotNull(usize),
    /// All keys from the first to the last, compared as one row with the cursor's.
    RowBeyond,
}

pub type Range = Vec<Term>;

/// The ranges that make up the list after the cursor (or all of it), in the order of the list.
pub fn ranges(keys: &[OrderKey], cursor: Option<&[Value]>) -> Vec<Range> {
    let Some(values) = cursor else {
        let Some(first) = keys.first().filter(|key| key.nullable) else {
            return vec![Vec::new()];
        };
        let mut halves = vec![vec![Term::NotNull(0)], vec![Term::Null(0)]];
        if first.nulls_first {
            halves.reverse();
        }
        return halves;
    };
    let uniform = keys.windows(2).all(|pair| match pair {
        [left, right] => left.descending == right.descending,
        _ => true,
    });
    let solid = keys.iter().zip(values).all(|(key, value)| !key.nullable && !value.is_null());
    if uniform && solid {
        return vec![vec![Term::RowBeyond]];
    }
    let mut ranges = Vec::new();
    for (index, (key, value)) in keys.iter().zip(values).enumerate().rev() {
        let same: Range = (0..index).map(Term::Same).collect();
        let mut add = |term| {
            let mut range = same.clone();
            range.push(term);
            ranges.push(range);
        };
        match (value.is_null(), key.nulls_first) {
            (false, true) => add(Term::Beyond(index)),
            (false, false) => {
                add(Term::Beyond(index));
                if key.nullable {
                    add(Term::Null(index));
                }
            }
            (true, true) => add(Term::NotNull(index)),
            (true, false) => {}
        }
    }
    ranges
}

/// A range as a condition. `expressions` are the keys as written in this query.
pub fn write_range(
    sql: &mut Sql,
    range: &Range,
    keys: &[OrderKey],
    expressions: &[String],
    cursor: Option<&[Value]>,
) -> Result<Vec<String>> {
    let missing = || Error::internal("a range names a key that the order lacks");
    let mut conditions = Vec::with_capacity(range.len());
    for term in range {
        let key_at = |index: usize| -> Result<(&OrderKey, &String, Option<&Value>)> {
            Ok((
                keys.get(index).ok_or_else(missing)?,
                expressions.get(index).ok_or_else(missing)?,
                cursor.and_then(|values| values.get(index)),
            ))
        };
        conditions.push(match term {
            Term::Null(index) => format!("{} IS NULL", key_at(*index)?.1),
            Term::NotNull(index) => format!("{} IS NOT NULL", key_at(*index)?.1),
            Term::Same(index) => match key_at(*index)? {
                (_, expression, Some(value)) if !value.is_null() => {
                    format!("{expression} = {}", sql.bind(value.clone()))
                }
                (_, expression, _) => format!("{expression} IS NULL"),
            },
            Term::Beyond(index) => {
                let (key, expression, value) = key_at(*index)?;
                let symbol = if key.descending { "<" } else { ">" };
                format!("{expression} {symbol} {}", sql.bind(value.ok_or_else(missing)?.clone()))
            }
            Term::RowBeyond => {
                let symbol = if keys.first().is_some_and(|key| key.descending) { "<" } else { ">" };
                let values: Vec<String> = cursor
                    .unwrap_or_default()
                    .iter()
                    .map(|value| sql.bind(value.clone()))
                    .collect();
                format!("({}) {symbol} ({})", expressions.join(", "), values.join(", "))
            }
        });
    }
    Ok(conditions)
}

/// `ORDER BY` terms. A key that may be null within the range gets its null order spelt out; the
/// others keep the plain form that an index serves.
pub fn order_terms(keys: &[OrderKey], expressions: &[String], range: &Range) -> String {
    let settled = |index: usize| {
        range.iter().any(|term| match term {
            Term::Same(known) | Term::Beyond(known) | Term::Null(known) | Term::NotNull(known) => {
                *known == index
            }
            Term::RowBeyond => true,
        })
    };
    let mut terms = Vec::with_capacity(keys.len());
    for (index, (key, expression)) in keys.iter().zip(expressions).enumerate() {
        if key.nullable && !settled(index) {
            let direction = if key.nulls_first { " DESC" } else { "" };
            terms.push(format!("({expression} IS NULL){direction}"));
        }
        let direction = if key.descending { " DESC" } else { "" };
        terms.push([expression, direction].concat());
    }
    terms.join(", ")
}
