//! SQL of the pipeline's numbers, with the tenant and the caller's row rule in each statement.

use chrono::NaiveDate;
use chrono_tz::Tz;
use uuid::Uuid;

use super::Window;
use crate::access::{Permit, Reader};
use crate::crm::{deal, lead};
use crate::db::dialect::Bucket;
use crate::db::{Conn, Value};
use crate::error::{Error, Result};
use crate::record::filter::{self, Condition};
use crate::record::sql::{Sql, all_of, for_tenant, row_rule};

/// Open deals of one stage and currency; amounts in hundredths.
pub(super) struct StageSum {
    pub(super) stage_id: Uuid,
    pub(super) currency: String,
    pub(super) count: i64,
    pub(super) value: i64,
    pub(super) weighted_value: i64,
}

pub(super) async fn open_by_stage(
    conn: &Conn,
    reader: &Reader,
    condition: Option<&Condition>,
) -> Result<Vec<StageSum>> {
    let deals = deal::record::record();
    let mut sql = for_tenant(conn.dialect(), reader.tenant_id());
    let mut conditions = vec![
        sql.tenant_is("t0"),
        "t0.deleted_at IS NULL".to_owned(),
        "t0.status = 'open'".to_owned(),
    ];
    conditions.extend(row_rule(&mut sql, deals, "t0", reader.rows()));
    if let Some(condition) = condition {
        conditions.push(filter::write(&mut sql, deals, "t0", condition)?);
    }
    let value = sql.dialect.sum_int("t0.value");
    let weighted = sql.dialect.sum_int("t0.value * s.probability");
    let conditions = all_of(&conditions);
    sql.push(&format!(
        "SELECT t0.stage_id, t0.currency, count(*), {value}, {weighted} FROM deals t0 \
         JOIN pipeline_stages s ON s.tenant_id = t0.tenant_id AND s.id = t0.stage_id \
         WHERE {conditions} GROUP BY t0.stage_id, t0.currency ORDER BY t0.currency"
    ));
    let rows = conn.rows(reader, &sql.finish()).await?;
    rows.iter()
        .map(|row| {
            let percent = row.int(4)?.unwrap_or_default();
            Ok(StageSum {
                stage_id: row.required_id(0)?,
                currency: row.text(1)?.unwrap_or_default(),
                count: row.int(2)?.unwrap_or_default(),
                value: row.int(3)?.unwrap_or_default(),
                // Per cent of hundredths, rounded to the nearest hundredth.
                weighted_value: percent.saturating_add(50).div_euclid(100),
            })
        })
        .collect()
}

/// Living stages that neither win nor lose, in their order.
pub(super) async fn open_stages(conn: &Conn, reader: &Reader) -> Result<Vec<Uuid>> {
    let mut sql = for_tenant(conn.dialect(), reader.tenant_id());
    let tenant = sql.tenant_is("s");
    sql.push(&format!(
        "SELECT s.id FROM pipeline_stages s WHERE {tenant} AND s.deleted_at IS NULL \
         AND NOT s.is_won AND NOT s.is_lost ORDER BY s.sort_order, s.id"
    ));
    conn.rows(reader, &sql.finish()).await?.iter().map(|row| row.required_id(0)).collect()
}

/// Movements of one stage.
pub(super) struct StageMovements {
    pub(super) stage_id: Uuid,
    pub(super) entered: i64,
    pub(super) left: i64,
    /// From coming to leaving, of all that left.
    pub(super) seconds: i64,
    pub(super) advanced: i64,
    pub(super) lost: i64,
    /// Neither wins nor loses: deals are to leave it.
    pub(super) is_open: bool,
}

fn within(sql: &mut Sql, column: &str, (from, to): Window) -> Vec<String> {
    let mut conditions = Vec::new();
    if let Some(from) = from {
        conditions.push(format!("{column} >= {}", sql.bind(Value::Instant(from))));
    }
    if let Some(to) = to {
        conditions.push(format!("{column} < {}", sql.bind(Value::Instant(to))));
    }
    conditions
}

pub(super) async fn stage_movements(
    conn: &Conn,
    reader: &Reader,
    window: Window,
) -> Result<Vec<StageMovements>> {
    let deals = deal::record::record();
    let mut sql = for_tenant(conn.dialect(), reader.tenant_id());
    let mut own = vec![
        sql.tenant_is("c"),
        "t0.tenant_id = c.tenant_id".to_owned(),
        "t0.id = c.deal_id".to_owned(),
        "t0.deleted_at IS NULL".to_owned(),
    ];
    own.extend(row_rule(&mut sql, deals, "t0", reader.rows()));
    let own = all_of(&own);
    let mut entered = vec!["m.to_stage_id = s.id".to_owned()];
    entered.extend(within(&mut sql, "m.changed_at", window));
    let entered = all_of(&entered);
    let seconds = sql.dialect.seconds_between("m.changed_at", "m.left_at");
    let seconds = sql.dialect.sum_int(&seconds);
    let (stages, next) = (sql.tenant_is("s"), sql.tenant_is("n"));
    sql.push(&format!(
        "SELECT s.id, count(m.to_stage_id), count(m.left_at), {seconds}, \
         sum(CASE WHEN n.sort_order > s.sort_order AND NOT n.is_lost THEN 1 ELSE 0 END), \
         sum(CASE WHEN n.is_lost THEN 1 ELSE 0 END), NOT (s.is_won OR s.is_lost) \
         FROM pipeline_stages s LEFT JOIN (SELECT c.to_stage_id, c.changed_at, \
         lead(c.changed_at) OVER (PARTITION BY c.deal_id ORDER BY c.changed_at, c.id) AS left_at, \
         lead(c.to_stage_id) OVER (PARTITION BY c.deal_id ORDER BY c.changed_at, c.id) AS next_id \
         FROM deal_stage_changes c, deals t0 WHERE {own}) m \
         ON {entered} \
         LEFT JOIN pipeline_stages n ON {next} AND n.id = m.next_id \
         WHERE {stages} AND (s.deleted_at IS NULL OR m.to_stage_id IS NOT NULL) \
         GROUP BY s.id, s.sort_order, s.is_won, s.is_lost ORDER BY s.sort_order, s.id"
    ));
    let rows = conn.rows(reader, &sql.finish()).await?;
    rows.iter()
        .map(|row| {
            Ok(StageMovements {
                stage_id: row.required_id(0)?,
                entered: row.int(1)?.unwrap_or_default(),
                left: row.int(2)?.unwrap_or_default(),
                seconds: row.int(3)?.unwrap_or_default(),
                advanced: row.int(4)?.unwrap_or_default(),
                lost: row.int(5)?.unwrap_or_default(),
                is_open: row.bool(6)?.unwrap_or_default(),
            })
        })
        .collect()
}

/// Leads of one month and source.
pub(super) struct LeadMonth {
    pub(super) month: NaiveDate,
    pub(super) source: String,
    pub(super) leads: i64,
    pub(super) contacted: i64,
    pub(super) qualified: i64,
    pub(super) converted: i64,
    pub(super) unqualified: i64,
    pub(super) lost: i64,
}

pub(super) async fn leads_by_month(
    conn: &Conn,
    reader: &Reader,
    window: Window,
    zone: Tz,
) -> Result<Vec<LeadMonth>> {
    let leads = lead::record::record();
    let mut sql = for_tenant(conn.dialect(), reader.tenant_id());
    let mut conditions = vec![sql.tenant_is("t0"), "t0.deleted_at IS NULL".to_owned()];
    conditions.extend(row_rule(&mut sql, leads, "t0", reader.rows()));
    conditions.extend(within(&mut sql, "t0.created_at", window));
    let month = sql.dialect.instant_bucket("t0.created_at", Bucket::Month, zone);
    let of = |states: &str| format!("sum(CASE WHEN t0.status IN ({states}) THEN 1 ELSE 0 END)");
    let columns = [
        of("'contacted', 'qualified', 'converted'"),
        of("'qualified', 'converted'"),
        of("'converted'"),
        of("'unqualified'"),
        of("'lost'"),
    ];
    sql.push(&format!(
        "SELECT {month}, t0.source, count(*), {} FROM leads t0 WHERE {} GROUP BY 1, 2 ORDER BY 1, 2",
        columns.join(", "),
        all_of(&conditions)
    ));
    let rows = conn.rows(reader, &sql.finish()).await?;
    rows.iter()
        .map(|row| {
            let month = row.text(0)?.unwrap_or_default();
            let count = |index| -> Result<i64> { Ok(row.int(index)?.unwrap_or_default()) };
            Ok(LeadMonth {
                month: NaiveDate::parse_from_str(&month, "%Y-%m-%d").map_err(Error::internal)?,
                source: row.text(1)?.unwrap_or_default(),
                leads: count(2)?,
                contacted: count(3)?,
                qualified: count(4)?,
                converted: count(5)?,
                unqualified: count(6)?,
                lost: count(7)?,
            })
        })
        .collect()
}
