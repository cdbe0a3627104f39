//! Lists of virtual records: a function gives all rows, and what tables leave to the database
//! (filter, order, page) is done here, since they are few by nature.

use super::{Fetched, FetchedList, below, sieve};
use crate::ctx::Ctx;
use crate::db::{Conn, Row, Value};
use crate::error::{Error, Result, say};
use crate::limits;
use crate::record::declare::{ComputeRows, Field, Rows};
use crate::record::plan::{Level, List};
use crate::record::search::Tier;

pub(super) async fn list(
    ctx: &Ctx,
    conn: &Conn,
    plan: &List,
    compute: ComputeRows,
) -> Result<FetchedList> {
    let computed = compute(ctx, conn, &plan.arguments).await?;
    let rows = &*computed.rows;
    let limit = usize::try_from(plan.page.rows).map_err(Error::internal)?;
    let (total, page) = if plan.level.record.listed {
        let found = sieve::matching(plan, rows)?;
        (found.len(), sieve::page(plan, rows, found, limit)?)
    } else {
        (rows.count(), whole(plan, rows.count(), limit))
    };
    if plan.page.rows == limits::CHART_ROWS_MAX && page.more {
        return Err(too_many(limit));
    }
    let shown = in_select_order(&plan.level, rows, page.rows.into_iter());
    let level = below(ctx, conn, &plan.level, shown).await?;
    let summary = match (&plan.summary, computed.summary) {
        (Some((level, _)), Some(values)) => {
            Some(computed_rows(ctx, conn, level, vec![values]).await?)
        }
        (Some(_), None) => return Err(Error::internal("a list without its summary")),
        (None, _) => None,
    };
    let total = i64::try_from(total).map_err(Error::internal)?;
    let counts = vec![total; plan.counts_up_to.len()];
    let (more, tier, freshness) = (page.more, Tier::Exact, computed.freshness);
    Ok(FetchedList { level, more, total: Some(total), counts, tier, summary, freshness })
}

/// The rows of a page, by their numbers, and whether there are more of them.
pub(super) struct Page {
    pub(super) rows: Vec<usize>,
    pub(super) more: bool,
}

/// A list without order and cursors: as many rows as are asked for, as they were made.
fn whole(plan: &List, count: usize, limit: usize) -> Page {
    let shown = count.min(limit);
    let first = if plan.page.backward { count - shown } else { 0 };
    Page { rows: (first..first + shown).collect(), more: count > limit }
}

fn too_many(limit: usize) -> Error {
    Error::limit(say(
        format!("the answer has more than {limit} rows: ask for less"),
        format!("a resposta tem mais de {limit} linhas: peça menos"),
    ))
}

/// Computed rows (values in the order of the record's fields) and everything below them.
pub async fn computed_rows(
    ctx: &Ctx,
    conn: &Conn,
    level: &Level,
    rows: Vec<Vec<Value>>,
) -> Result<Fetched> {
    let shown = in_select_order(level, &rows, 0..rows.len());
    below(ctx, conn, level, shown).await
}

/// Rows as a database would give them: with the columns that the level selects.
fn in_select_order(level: &Level, rows: &dyn Rows, shown: impl Iterator<Item = usize>) -> Vec<Row> {
    let fields = &level.record.fields;
    let places: Vec<Option<Place<'_>>> =
        level.columns.iter().map(|column| Place::of(fields, &column.name)).collect();
    let row = |number: usize| {
        let columns = places.iter().zip(&level.columns);
        let values = columns.map(|(place, column)| {
            let value = place.as_ref().and_then(|place| place.value(rows, number));
            value.unwrap_or(Value::Null(column.bind))
        });
        Row::Computed(values.collect())
    };
    shown.map(row).collect()
}

/// Where the value of a column stands among a row's values.
pub(super) struct Place<'a> {
    index: usize,
    field: &'a Field,
    /// The column is the folded twin of the field's.
    folded: bool,
}

impl<'a> Place<'a> {
    pub(super) fn of(fields: &'a [Field], column: &str) -> Option<Self> {
        fields.iter().enumerate().find_map(|(index, field)| {
            let folded = field.folded && column.strip_suffix("_folded") == Some(field.column);
            (folded || field.column == column).then_some(Self { index, field, folded })
        })
    }

    pub(super) fn field(&self) -> &'a Field {
        self.field
    }

    pub(super) fn value(&self, rows: &dyn Rows, row: usize) -> Option<Value> {
        match (rows.value(row, self.index)?, self.folded) {
            (Value::Text(text), true) => Some(Value::Text(entity::value::fold::fold(&text))),
            (value, _) => Some(value),
        }
    }
}
