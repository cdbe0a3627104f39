//! Groups -> rows.

use super::super::plan::{Measure, mixed_currencies};
use super::super::write::select_measures;
use super::Groups;
use super::compare::having_sql;
use crate::db::{Conn, Row, Statement};
use crate::error::{Error, Result};
use crate::record::page;
use crate::record::search::Tier;
use crate::record::sql::{Sql, all_of};

/// The groups of a page, and how many there are in all where that was asked.
pub struct FetchedGroups {
    pub(super) rows: Vec<Row>,
    pub(super) more: bool,
    pub(super) total: Option<i64>,
    pub(super) tier: Tier,
}

/// Runs the group query (and the count of groups where asked).
pub async fn fetch_groups(conn: &Conn, plan: &Groups) -> Result<FetchedGroups> {
    let tier = plan.base.tier(conn).await?;
    let reader = plan.base.reader()?;
    if !plan.one_currency.is_empty() {
        let statement = currencies_statement(conn, plan, tier)?;
        let row = conn.row(reader, &statement).await?;
        let row = row.ok_or_else(|| Error::internal("an aggregate without a row"))?;
        for number in 0..plan.one_currency.len() {
            if row.int(number)?.unwrap_or_default() > 1 {
                return Err(mixed_currencies());
            }
        }
    }
    let (mut rows, mut more) = (Vec::new(), false);
    if plan.wants_rows {
        rows = conn.rows(reader, &page_statement(conn, plan, tier)?).await?;
        let limit = usize::try_from(plan.page.rows).map_err(Error::internal)?;
        more = rows.len() > limit;
        rows.truncate(limit);
    }
    let mut total = None;
    if plan.wants_total {
        let row = conn.row(reader, &count_statement(conn, plan, tier)?).await?;
        total = row.map(|row| row.int(0)).transpose()?.flatten();
    }
    Ok(FetchedGroups { rows, more, total, tier })
}

/// How many currencies each amount is in that groups are compared by.
fn currencies_statement(conn: &Conn, plan: &Groups, tier: Tier) -> Result<Statement> {
    let mut sql = plan.base.begin(conn)?;
    let conditions = plan.base.conditions(&mut sql, tier)?;
    let columns: Vec<String> = plan
        .one_currency
        .iter()
        .map(|one| Measure::Currencies { amount: one.amount, currency: one.currency })
        .map(|measure| measure.sql(conn.dialect()))
        .collect();
    let table = plan.base.level.record.table;
    sql.push(&format!("SELECT {} FROM {table} t0 WHERE {conditions}", columns.join(", ")));
    Ok(sql.finish())
}

fn page_statement(conn: &Conn, plan: &Groups, tier: Tier) -> Result<Statement> {
    let mut sql = plan.base.begin(conn)?;
    let grouped = grouped_sql(conn, plan, &mut sql, tier)?;
    let mut conditions = having_sql(&mut sql, &plan.having);
    let expressions: Vec<String> =
        plan.order.iter().map(|key| key.expression.write(&mut sql)).collect();
    if let Some(cursor) = &plan.cursor {
        // The groups are computed whole before they are paged: no index is defeated by an OR here.
        let mut alternatives = Vec::new();
        for range in page::ranges(&plan.order, Some(cursor)) {
            let terms =
                page::write_range(&mut sql, &range, &plan.order, &expressions, Some(cursor))?;
            alternatives.push(format!("({})", terms.join(" AND ")));
        }
        conditions.push(if alternatives.is_empty() {
            "FALSE".to_owned()
        } else {
            format!("({})", alternatives.join(" OR "))
        });
    }
    let order = page::order_terms(&plan.order, &expressions, &Vec::new());
    let sort_values: String = expressions
        .iter()
        .enumerate()
        .map(|(number, expression)| format!(", {expression} AS o{number}"))
        .collect();
    sql.push(&format!(
        "SELECT g.*{sort_values} FROM ({grouped}) g WHERE {} ORDER BY {order} LIMIT {}",
        all_of(&conditions),
        plan.page.rows + 1
    ));
    Ok(sql.finish())
}

fn count_statement(conn: &Conn, plan: &Groups, tier: Tier) -> Result<Statement> {
    let mut sql = plan.base.begin(conn)?;
    let grouped = grouped_sql(conn, plan, &mut sql, tier)?;
    let conditions = having_sql(&mut sql, &plan.having);
    let conditions = all_of(&conditions);
    sql.push(&format!("SELECT count(*) FROM ({grouped}) g WHERE {conditions}"));
    Ok(sql.finish())
}

fn grouped_sql(conn: &Conn, plan: &Groups, sql: &mut Sql, tier: Tier) -> Result<String> {
    let conditions = plan.base.conditions(sql, tier)?;
    let keys: Vec<String> = plan.keys.iter().map(|key| key.sql(sql)).collect();
    let mut columns: Vec<String> =
        keys.iter().enumerate().map(|(number, key)| format!("{key} AS k{number}")).collect();
    columns.extend(
        select_measures(conn, &plan.measures)
            .into_iter()
            .enumerate()
            .map(|(number, measure)| format!("{measure} AS m{number}")),
    );
    let positions: Vec<String> = (1..=keys.len()).map(|number| number.to_string()).collect();
    Ok(format!(
        "SELECT {} FROM {} t0 WHERE {conditions} GROUP BY {}",
        columns.join(", "),
        plan.base.level.record.table,
        positions.join(", ")
    ))
}
