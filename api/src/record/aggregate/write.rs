//! Aggregates: statement, row, text.

use super::plan::{Currency, Reference, mixed_currencies};
use super::{Aggregate, Base, Measures};
use entity::value::Money;

use crate::access::Permit;
use crate::db::{Conn, NullOf, Row, Value};
use crate::error::{Error, Result};
use crate::record::fetch::{base_conditions, decide_tier};
use crate::record::filter;
use crate::record::json::{push_float, push_int, push_money, write_value};
use crate::record::kind::Kind;
use crate::record::search::Tier;
use crate::record::sql::{Sql, all_of, for_tenant};

#[derive(Default)]
pub struct AggregateShape {
    pub items: Vec<AggregateItem>,
}

pub struct AggregateItem {
    pub key: Box<str>,
    pub node: AggregateNode,
}

pub enum AggregateNode {
    Count(usize),
    Object(Vec<(Box<str>, Leaf)>),
    Literal(Box<str>),
}

pub enum Leaf {
    Value { reference: Reference, kind: Kind, as_float: bool, currency: Option<Currency> },
    Literal(Box<str>),
}

impl Base {
    pub(super) fn reader(&self) -> Result<&crate::access::Reader> {
        self.level
            .tables
            .first()
            .map(|table| &*table.reader)
            .ok_or_else(|| Error::internal("an aggregate without its table"))
    }

    pub(super) fn begin(&self, conn: &Conn) -> Result<Sql> {
        Ok(for_tenant(conn.dialect(), self.reader()?.tenant_id()))
    }

    /// The condition on the rows added up.
    pub(super) fn conditions(&self, sql: &mut Sql, tier: Tier) -> Result<String> {
        let mut conditions = base_conditions(sql, &self.level, self.deleted)?;
        if let Some(condition) = &self.condition {
            conditions.push(filter::write(sql, self.level.record, "t0", condition)?);
        }
        if let Some(search) = &self.search {
            conditions.push(search.write(sql, self.level.record, "t0", tier));
        }
        Ok(all_of(&conditions))
    }

    /// As lists do: a search means "contains" unless nothing contains it.
    pub(super) async fn tier(&self, conn: &Conn) -> Result<Tier> {
        let of = (&self.level, self.deleted);
        decide_tier(conn, self.reader()?, of, self.search.as_ref()).await
    }
}

pub(super) fn select_measures(conn: &Conn, measures: &Measures) -> Vec<String> {
    measures.0.iter().map(|measure| measure.sql(conn.dialect())).collect()
}

/// Runs an aggregate: one row.
pub async fn fetch_aggregate(conn: &Conn, plan: &Aggregate) -> Result<Row> {
    let tier = plan.base.tier(conn).await?;
    let mut sql = plan.base.begin(conn)?;
    let conditions = plan.base.conditions(&mut sql, tier)?;
    let columns = select_measures(conn, &plan.measures).join(", ");
    let table = plan.base.level.record.table;
    sql.push(&format!("SELECT {columns} FROM {table} t0 WHERE {conditions}"));
    conn.row(plan.base.reader()?, &sql.finish())
        .await?
        .ok_or_else(|| Error::internal("an aggregate without a row"))
}

pub fn write_aggregate(out: &mut Vec<u8>, plan: &Aggregate, row: &Row) -> Result<()> {
    out.push(b'{');
    write_items(out, &plan.shape, row, 0)?;
    out.push(b'}');
    Ok(())
}

/// Writes the measures of one row, whose measures begin at column `offset`.
pub(super) fn write_items(
    out: &mut Vec<u8>,
    shape: &AggregateShape,
    row: &Row,
    offset: usize,
) -> Result<()> {
    for (number, item) in shape.items.iter().enumerate() {
        if number > 0 {
            out.push(b',');
        }
        out.extend_from_slice(item.key.as_bytes());
        match &item.node {
            AggregateNode::Count(measure) => {
                push_int(out, row.int(offset + measure)?.unwrap_or_default());
            }
            AggregateNode::Literal(text) => out.extend_from_slice(text.as_bytes()),
            AggregateNode::Object(leaves) => {
                out.push(b'{');
                for (number, (key, leaf)) in leaves.iter().enumerate() {
                    if number > 0 {
                        out.push(b',');
                    }
                    out.extend_from_slice(key.as_bytes());
                    write_leaf(out, leaf, row, offset)?;
                }
                out.push(b'}');
            }
        }
    }
    Ok(())
}

fn write_leaf(out: &mut Vec<u8>, leaf: &Leaf, row: &Row, offset: usize) -> Result<()> {
    let Leaf::Value { reference, kind, as_float, currency } = leaf else {
        if let Leaf::Literal(text) = leaf {
            out.extend_from_slice(text.as_bytes());
        }
        return Ok(());
    };
    let currency = match currency {
        None => None,
        Some(Currency::Key(key)) => row.text(*key)?,
        Some(Currency::Only { count, first }) => {
            if row.int(offset + count)?.unwrap_or_default() > 1 {
                return Err(mixed_currencies());
            }
            row.text(offset + first)?
        }
    };
    let money = matches!(kind, Kind::Money { .. });
    let mut number = |value: Option<i64>| match value {
        None => out.extend_from_slice(b"null"),
        Some(value) if money && *as_float => {
            push_float(out, Money::from_hundredths(value).as_float())
        }
        Some(value) if money => push_money(out, value, currency.as_deref().unwrap_or("BRL")),
        Some(value) => push_int(out, value),
    };
    match reference {
        Reference::Sum(sum) => number(Some(row.int(offset + sum)?.unwrap_or_default())),
        Reference::Average { sum, count } => {
            let count = row.int(offset + count)?.unwrap_or_default();
            let sum = row.int(offset + sum)?.unwrap_or_default();
            if count == 0 {
                number(None);
            } else if money {
                number(Some(divide_half_even(sum, count)));
            } else {
                push_float(out, as_float_exactly(sum) / as_float_exactly(count));
            }
        }
        Reference::Extreme(column) if matches!(kind, Kind::Date | Kind::Instant) => {
            let value = extreme(row, offset + column, *kind)?;
            write_value(out, &value, *kind, "BRL")?;
        }
        Reference::Extreme(column) => number(row.int(offset + column)?),
    }
    Ok(())
}

fn extreme(row: &Row, index: usize, kind: Kind) -> Result<Value> {
    row.value(index, if matches!(kind, Kind::Date) { NullOf::Date } else { NullOf::Instant })
}

#[expect(clippy::cast_precision_loss, reason = "an average of integers is a float by contract")]
fn as_float_exactly(value: i64) -> f64 {
    value as f64
}

/// Rounded to the nearest hundredth, halves to the even one.
fn divide_half_even(sum: i64, count: i64) -> i64 {
    let quotient = sum.div_euclid(count);
    let twice = sum.rem_euclid(count).saturating_mul(2);
    match twice.cmp(&count) {
        std::cmp::Ordering::Less => quotient,
        std::cmp::Ordering::Greater => quotient + 1,
        std::cmp::Ordering::Equal => quotient + quotient.rem_euclid(2),
    }
}
