//! What is measured: select expressions over a group of rows, each written once however often it is
//! asked for.

use crate::db::Dialect;
use crate::error::{Error, Result, say};
use crate::record::declare::{Field, Record};
use crate::record::filter;
use crate::record::kind::Kind;
use crate::record::plan::{Planner, json_key, json_text};
use crate::record::selection::Selected;

use super::write::{AggregateItem, AggregateNode, AggregateShape, Leaf};

/// A select expression over the rows of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Measure {
    Count,
    CountOf(&'static str),
    Sum(&'static str),
    Min(&'static str),
    Max(&'static str),
    /// How many currencies the amounts of a group are in, and the first of them.
    Currencies {
        amount: &'static str,
        currency: &'static str,
    },
    FirstCurrency {
        amount: &'static str,
        currency: &'static str,
    },
}

impl Measure {
    pub fn sql(&self, dialect: Dialect) -> String {
        match self {
            Self::Count => "count(*)".to_owned(),
            Self::CountOf(column) => format!("count(t0.{column})"),
            Self::Sum(column) => dialect.sum_int(&format!("t0.{column}")),
            Self::Min(column) => format!("min(t0.{column})"),
            Self::Max(column) => format!("max(t0.{column})"),
            Self::Currencies { amount, currency } => {
                format!("count(DISTINCT {})", currency_of(amount, currency))
            }
            Self::FirstCurrency { amount, currency } => {
                format!("min({})", currency_of(amount, currency))
            }
        }
    }
}

/// The currency of rows that have an amount; where there is none, it says nothing.
fn currency_of(amount: &str, currency: &str) -> String {
    format!("CASE WHEN t0.{amount} IS NOT NULL THEN t0.{currency} END")
}

/// The measures of one statement, in select order.
#[derive(Debug, Default)]
pub struct Measures(pub Vec<Measure>);

impl Measures {
    /// The number of a measure, added if it is new.
    pub fn number(&mut self, measure: Measure) -> usize {
        if let Some(number) = self.0.iter().position(|known| *known == measure) {
            return number;
        }
        self.0.push(measure);
        self.0.len() - 1
    }

    /// The measures that make up one value.
    pub fn reference(&mut self, function: &str, field: &'static Field) -> Option<Reference> {
        let column = field.column;
        Some(match function {
            "sum" if field.kind.is_number() => Reference::Sum(self.number(Measure::Sum(column))),
            "avg" if field.kind.is_number() => Reference::Average {
                sum: self.number(Measure::Sum(column)),
                count: self.number(Measure::CountOf(column)),
            },
            "min" if field.kind.has_extremes() => {
                Reference::Extreme(self.number(Measure::Min(column)))
            }
            "max" if field.kind.has_extremes() => {
                Reference::Extreme(self.number(Measure::Max(column)))
            }
            _ => return None,
        })
    }

    /// Where the currency of a money field is read, and whether it must be the only one.
    fn currency(&mut self, field: &'static Field, grouped: &[&'static str]) -> Option<Currency> {
        let Kind::Money { currency } = field.kind else { return None };
        if let Some(key) = grouped.iter().position(|column| *column == currency) {
            return Some(Currency::Key(key));
        }
        Some(Currency::Only {
            count: self.number(Measure::Currencies { amount: field.column, currency }),
            first: self.number(Measure::FirstCurrency { amount: field.column, currency }),
        })
    }
}

/// Measure numbers behind one value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reference {
    Sum(usize),
    Average { sum: usize, count: usize },
    Extreme(usize),
}

#[derive(Debug, Clone, Copy)]
pub enum Currency {
    /// The group key of this number is the currency.
    Key(usize),
    /// All rows must be of one currency: how many there are, and the first.
    Only { count: usize, first: usize },
}

impl Planner<'_> {
    /// Reads `filter`, `search` and `deleted` of an aggregate.
    pub fn aggregate_base(
        &mut self,
        record: &'static Record,
        selected: &Selected,
    ) -> Result<super::Base> {
        let level = self.level(record)?;
        let condition = self.condition(record, selected.argument("filter"))?;
        let search = self.search(record, selected)?;
        let deleted = self.deleted(record, selected)?;
        Ok(super::Base { level, condition, search, deleted })
    }

    /// Plans `leadAggregate`.
    pub fn aggregate(
        &mut self,
        record: &'static Record,
        selected: &Selected,
    ) -> Result<super::Aggregate> {
        let base = self.aggregate_base(record, selected)?;
        let mut measures = Measures::default();
        let name = format!("{}Aggregate", record.name);
        let shape =
            self.aggregate_shape(record, &mut measures, &selected.children, (&[], &name))?;
        if measures.0.is_empty() {
            measures.number(Measure::Count);
        }
        self.spend_rows(1, 1)?;
        Ok(super::Aggregate { base, measures, shape })
    }

    /// The measures of an aggregate or of a group; `context` is the columns grouped by, and the
    /// type's name.
    pub(super) fn aggregate_shape(
        &mut self,
        record: &'static Record,
        measures: &mut Measures,
        selection: &[Selected],
        context: (&[&'static str], &str),
    ) -> Result<AggregateShape> {
        let mut items = Vec::with_capacity(selection.len());
        for selected in selection {
            self.enter(selected);
            let node =
                match selected.name.as_str() {
                    "count" => AggregateNode::Count(measures.number(Measure::Count)),
                    "__typename" => AggregateNode::Literal(json_text(context.1)),
                    function @ ("sum" | "avg" | "min" | "max") => AggregateNode::Object(
                        self.leaves(record, measures, function, &selected.children, context.0)?,
                    ),
                    // The group's key is planned by the group itself.
                    _ => {
                        self.leave();
                        continue;
                    }
                };
            items.push(AggregateItem { key: json_key(&selected.key), node });
            self.leave();
        }
        Ok(AggregateShape { items })
    }

    fn leaves(
        &mut self,
        record: &'static Record,
        measures: &mut Measures,
        function: &str,
        selection: &[Selected],
        grouped: &[&'static str],
    ) -> Result<Vec<(Box<str>, Leaf)>> {
        let reader = self.reader(record)?;
        let mut leaves = Vec::with_capacity(selection.len());
        for selected in selection {
            self.enter(selected);
            let leaf = if selected.name == "__typename" {
                let mut letters = function.chars();
                let first = letters.next().map(|letter| letter.to_ascii_uppercase());
                let name: String = first.into_iter().chain(letters).collect();
                Leaf::Literal(json_text(&format!("{}{name}", record.name)))
            } else {
                let (name, as_float) = match selected.name.strip_suffix("AsFloat") {
                    Some(name) => (name, true),
                    None => (selected.name.as_str(), false),
                };
                let field = record
                    .fields
                    .iter()
                    .find(|field| field.name == name)
                    .ok_or_else(|| crate::record::plan::unknown_selection(record, name))?;
                filter::allow_field(&reader, field)?;
                let reference = measures
                    .reference(function, field)
                    .ok_or_else(|| crate::record::plan::unknown_selection(record, name))?;
                let currency = measures.currency(field, grouped);
                Leaf::Value { reference, kind: field.kind, as_float, currency }
            };
            leaves.push((json_key(&selected.key), leaf));
            self.leave();
        }
        Ok(leaves)
    }
}

/// More than one currency was about to be added up.
pub(super) fn mixed_currencies() -> Error {
    Error::invalid(say(
        "the rows are in more than one currency: filter by one, or group by CURRENCY",
        "as linhas estão em mais de uma moeda: filtre por uma, ou agrupe por CURRENCY",
    ))
}
