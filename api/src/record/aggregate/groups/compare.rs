//! How groups are compared: `having` and `orderBy`.

use async_graphql::Value as Input;

use super::super::plan::{Measure, Measures, Reference};
use super::GroupKey;
use crate::access::Reader;
use crate::db::{NullOf, Value};
use crate::error::{Error, Result, say};
use crate::record::declare::{Field, Record};
use crate::record::filter;
use crate::record::input;
use crate::record::kind::Kind;
use crate::record::order::{Expression, OrderKey};
use crate::record::plan::unknown_selection;
use crate::record::sql::Sql;

/// A comparison with a measure.
pub(super) struct Having {
    reference: Reference,
    symbol: &'static str,
    value: Value,
}

/// Columns of an amount and of its currency.
#[derive(PartialEq, Eq)]
pub(super) struct OneCurrency {
    pub(super) amount: &'static str,
    pub(super) currency: &'static str,
}

/// What groups are compared by, being read.
pub(super) struct Comparisons<'a> {
    pub(super) record: &'static Record,
    pub(super) reader: &'a Reader,
    pub(super) keys: &'a [GroupKey],
    pub(super) measures: &'a mut Measures,
    pub(super) one_currency: Vec<OneCurrency>,
}

impl Comparisons<'_> {
    /// Reads `having`.
    pub(super) fn having(&mut self, input: &Input) -> Result<Vec<Having>> {
        let mut terms = Vec::new();
        for (function, value) in entries_of(input)? {
            if matches!(value, Input::Null) {
                continue;
            }
            if function == "count" {
                let reference = Reference::Extreme(self.measures.number(Measure::Count));
                compare(&mut terms, reference, Compared::Whole, value)?;
                continue;
            }
            for (name, comparison) in entries_of(value)? {
                if matches!(comparison, Input::Null) {
                    continue;
                }
                let fields = &self.record.fields;
                let field = fields
                    .iter()
                    .find(|field| field.name == name.as_str())
                    .ok_or_else(|| unknown_selection(self.record, name))?;
                let reference = self
                    .measure(function, field)?
                    .ok_or_else(|| unknown_selection(self.record, name))?;
                let compared = match (matches!(field.kind, Kind::Int), function.as_str()) {
                    (true, "avg") => Compared::Fraction,
                    (true, _) => Compared::Whole,
                    (false, _) => Compared::Kind(field.kind),
                };
                compare(&mut terms, reference, compared, comparison)?;
            }
        }
        Ok(terms)
    }

    /// Reads `orderBy`; every key of the group follows, so that the order is total.
    pub(super) fn order(&mut self, items: &[Input]) -> Result<Vec<OrderKey>> {
        let mut order: Vec<OrderKey> = Vec::with_capacity(items.len() + self.keys.len());
        for item in items {
            order.push(self.order_key(item)?);
        }
        for (number, key) in self.keys.iter().enumerate() {
            let column = format!("g.k{number}");
            let known = order.iter().any(
                |known| matches!(&known.expression, Expression::Written(text) if *text == column),
            );
            if !known {
                order.push(OrderKey {
                    expression: Expression::Written(column),
                    bind: key.bind(),
                    nullable: key.field.nullable,
                    descending: false,
                    nulls_first: false,
                });
            }
        }
        Ok(order)
    }

    fn order_key(&mut self, input: &Input) -> Result<OrderKey> {
        let Input::Object(entries) = input else { return Err(not_an_object()) };
        let text = |name: &str| entries.get(name).and_then(input::read_name);
        let (by, name) = (text("by").unwrap_or_default(), text("field").unwrap_or_default());
        let key = |text: String, bind, nullable| OrderKey {
            expression: Expression::Written(text),
            bind,
            nullable,
            descending: text_is(input, "direction", "DESC"),
            nulls_first: text_is(input, "nulls", "FIRST"),
        };
        let unknown = || {
            Error::invalid(say(
                format!("groups cannot be ordered by {by} of {name}"),
                format!("grupos não podem ser ordenados por {by} de {name}"),
            ))
        };
        if by == "COUNT" {
            if !name.is_empty() {
                return Err(unknown());
            }
            let number = self.measures.number(Measure::Count);
            return Ok(key(format!("g.m{number}"), NullOf::Int, false));
        }
        let field = self.record.fields.iter().find(|field| field.enum_name() == name);
        let field = field.ok_or_else(unknown)?;
        if by == "KEY" {
            let mut keys = self.keys.iter().enumerate();
            let (number, known) =
                keys.find(|(_, known)| known.field.name == field.name).ok_or_else(unknown)?;
            return Ok(key(format!("g.k{number}"), known.bind(), field.nullable));
        }
        let reference = self.measure(&by.to_lowercase(), field)?.ok_or_else(unknown)?;
        Ok(match reference {
            // A sum is shown as 0 of nothing, so it stands where 0 does.
            Reference::Sum(number) => key(sum_sql(number), NullOf::Int, false),
            Reference::Extreme(number) => key(format!("g.m{number}"), field.kind.bind(), true),
            Reference::Average { sum, count } => key(average_sql(sum, count), NullOf::Float, true),
        })
    }

    /// A measure to compare by; money of more than one currency cannot be compared.
    fn measure(&mut self, function: &str, field: &'static Field) -> Result<Option<Reference>> {
        filter::allow_field(self.reader, field)?;
        if let Kind::Money { currency } = field.kind
            && self.keys.iter().all(|key| key.field.column != currency)
        {
            let one = OneCurrency { amount: field.column, currency };
            if !self.one_currency.contains(&one) {
                self.one_currency.push(one);
            }
        }
        Ok(self.measures.reference(function, field))
    }
}

fn text_is(input: &Input, name: &str, text: &str) -> bool {
    let Input::Object(entries) = input else { return false };
    entries.get(name).and_then(input::read_name) == Some(text)
}

fn entries_of(
    input: &Input,
) -> Result<&async_graphql::indexmap::IndexMap<async_graphql::Name, Input>> {
    if let Input::Object(entries) = input { Ok(entries) } else { Err(not_an_object()) }
}

fn not_an_object() -> Error {
    Error::invalid(say("expected an input object", "esperava um objeto de entrada"))
}

/// What a measure is compared with.
#[derive(Clone, Copy)]
enum Compared {
    Whole,
    Fraction,
    Kind(Kind),
}

fn compare(
    terms: &mut Vec<Having>,
    reference: Reference,
    compared: Compared,
    input: &Input,
) -> Result<()> {
    for (name, value) in entries_of(input)? {
        if matches!(value, Input::Null) {
            continue;
        }
        let symbol = match name.as_str() {
            "eq" => "=",
            // The complement of eq, also of nothing.
            "ne" => "IS DISTINCT FROM",
            "gt" => ">",
            "gte" => ">=",
            "lt" => "<",
            "lte" => "<=",
            other => {
                return Err(Error::invalid(say(
                    format!("having does not know {other}"),
                    format!("having não conhece {other}"),
                )));
            }
        };
        let value = match compared {
            Compared::Whole => Value::Int(input::read_int(value)?),
            Compared::Fraction => Value::Float(input::read_float(value)?),
            Compared::Kind(kind) => input::read(kind, value)?,
        };
        terms.push(Having { reference, symbol, value });
    }
    Ok(())
}

fn sum_sql(number: usize) -> String {
    format!("COALESCE(g.m{number}, 0)")
}

/// An average over the group's columns; null of nothing.
fn average_sql(sum: usize, count: usize) -> String {
    format!("(CAST(g.m{sum} AS double precision) / NULLIF(g.m{count}, 0))")
}

pub(super) fn having_sql(sql: &mut Sql, having: &[Having]) -> Vec<String> {
    having
        .iter()
        .map(|term| {
            let expression = match term.reference {
                Reference::Sum(number) => sum_sql(number),
                Reference::Extreme(number) => format!("g.m{number}"),
                Reference::Average { sum, count } => average_sql(sum, count),
            };
            let placeholder = sql.bind(term.value.clone());
            format!("{expression} {} {placeholder}", term.symbol)
        })
        .collect()
}
