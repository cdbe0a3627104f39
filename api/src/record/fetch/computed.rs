//! Lists of virtual records: a function gives all rows, and what tables leave to the database
//! (filter, order, page) is done here, since they are few by nature.

use super::{Fetched, FetchedList, below, sieve};
use crate::ctx::Ctx;
use crate::db::{Conn, Row, Value};
use crate::error::{Error, Result, say};
use crate::limits;
use crate::record::declare::{ComputeRows, Field};
use crate::record::plan::{Level, List};
use crate::record::search::Tier;

pub(super) async fn list(
    ctx: &Ctx,
    conn: &Conn,
    plan: &List,
    compute: ComputeRows,
) -> Result<FetchedList> {
    let computed = compute(ctx, conn, &plan.arguments).await?;
    let mut rows = computed.rows;
    if plan.level.record.listed {
        rows = sieve::arrange(plan, rows)?;
    }
    let total = i64::try_from(rows.len()).map_err(Error::internal)?;
    if plan.level.record.listed {
        rows = sieve::beyond_cursor(plan, rows)?;
    }
    let limit = usize::try_from(plan.page.rows).map_err(Error::internal)?;
    if plan.page.rows == limits::CHART_ROWS_MAX && rows.len() > limit {
        return Err(too_many(limit));
    }
    let more = rows.len() > limit;
    if plan.page.backward {
        rows.drain(..rows.len().saturating_sub(limit));
    } else {
        rows.truncate(limit);
    }
    let level = computed_rows(ctx, conn, &plan.level, rows).await?;
    let summary = match (&plan.summary, computed.summary) {
        (Some((level, _)), Some(values)) => {
            Some(computed_rows(ctx, conn, level, vec![values]).await?)
        }
        (Some(_), None) => return Err(Error::internal("a list without its summary")),
        (None, _) => None,
    };
    let counts = vec![total; plan.counts_up_to.len()];
    let (tier, freshness) = (Tier::Exact, computed.freshness);
    Ok(FetchedList { level, more, total: Some(total), counts, tier, summary, freshness })
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
    let fields = &level.record.fields;
    let places: Vec<Option<Place<'_>>> =
        level.columns.iter().map(|column| Place::of(fields, &column.name)).collect();
    let in_select_order = |values: Vec<Value>| {
        let columns = places.iter().zip(&level.columns);
        let values = columns.map(|(place, column)| {
            let value = place.as_ref().and_then(|place| place.value(&values));
            value.unwrap_or(Value::Null(column.bind))
        });
        Row::Computed(values.collect())
    };
    below(ctx, conn, level, rows.into_iter().map(in_select_order).collect()).await
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
            let folded = field.folded && field.sort_column() == column;
            (folded || field.column == column).then_some(Self { index, field, folded })
        })
    }

    pub(super) fn field(&self) -> &'a Field {
        self.field
    }

    pub(super) fn value(&self, values: &[Value]) -> Option<Value> {
        match (values.get(self.index)?, self.folded) {
            (Value::Text(text), true) => Some(Value::Text(entity::value::fold::fold(text))),
            (value, _) => Some(value.clone()),
        }
    }
}
