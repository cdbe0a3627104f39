//! SQL of the page, with the tenant and the sellers in each statement.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, NaiveDate, Utc};
use uuid::Uuid;

use super::ask::Sellers;
use crate::access::{Permit, Reader};
use crate::db::{Conn, Row, Value};
use crate::error::{Error, Result, say};
use crate::goals::epoch;
use crate::goals::goal::record::CLASSIFICATION;
use crate::goals::goal::service::year_window;
use crate::record::sql::{Sql, for_tenant};

/// What is known of a seller's customer in a currency.
#[derive(Debug, Clone)]
pub(super) struct Entry<T> {
    pub(super) customer: Uuid,
    pub(super) currency: String,
    pub(super) of: T,
}

/// The entries of each seller, in the order of the customers.
pub(super) type BySeller<T> = HashMap<Uuid, Vec<Entry<T>>>;

/// From rows that begin with seller, customer and currency.
fn by_seller<T>(rows: &[Row], read: impl Fn(&Row) -> Result<T>) -> Result<BySeller<T>> {
    let mut sellers = BySeller::new();
    for row in rows {
        let (seller, customer) = (row.required_id(0)?, row.required_id(1)?);
        let currency = row.text(2)?.unwrap_or_default();
        let entry = Entry { customer, currency, of: read(row)? };
        sellers.entry(seller).or_default().push(entry);
    }
    for entries in sellers.values_mut() {
        entries.sort_unstable_by_key(|entry| entry.customer);
    }
    Ok(sellers)
}

/// The numbers that a seller's goals and sales have grown to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Epochs {
    pub(super) goals: i64,
    pub(super) sales: i64,
}

/// What is read with every answer.
#[derive(Default)]
pub(super) struct Live {
    months: BySeller<Month>,
    pub(super) epochs: HashMap<Uuid, Epochs>,
}

impl Live {
    pub(super) fn months_of(&self, seller: Uuid) -> &[Entry<Month>] {
        self.months.get(&seller).map_or(&[], Vec::as_slice)
    }
}

/// What an account brought in a month: hundredths, and the last purchase.
#[derive(Debug, Clone, Copy)]
pub(super) struct Month {
    pub(super) number: u32,
    pub(super) sold: i64,
    pub(super) last_purchase: Option<DateTime<Utc>>,
}

/// The first day of a month and that of the next.
pub(super) fn month_window(year: i32, month: u32) -> Result<(NaiveDate, NaiveDate)> {
    let next = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
    NaiveDate::from_ymd_opt(year, month, 1)
        .zip(NaiveDate::from_ymd_opt(next.0, next.1, 1))
        .ok_or_else(|| Error::invalid(say("there is no such month", "esse mês não existe")))
}

const LIVING: &str = "s.deleted_at IS NULL AND s.cancelled_at IS NULL";
const LAST_PURCHASE: &str = "max(CASE WHEN s.amount > 0 THEN s.sold_at END)";

/// One seller is compared as such: PostgreSQL then knows without the value how few rows that are, and
/// keeps the plan instead of making one for every request.
fn sold_by(sql: &mut Sql, sellers: &Sellers) -> String {
    match sellers {
        Sellers::All => "TRUE".to_owned(),
        Sellers::These(sellers) => match sellers.as_slice() {
            [one] => format!("s.seller_id = {}", sql.bind(Value::Id(*one))),
            many => {
                let list = sql.bind(Value::Ids(many.to_vec()));
                sql.dialect.in_ids("s.seller_id", &list)
            }
        },
    }
}

fn between(sql: &mut Sql, column: &str, (from, to): (NaiveDate, NaiveDate)) -> String {
    let (from, to) = (sql.bind(Value::Date(from)), sql.bind(Value::Date(to)));
    format!("{column} >= {from} AND {column} < {to}")
}

/// The live months and the epochs, in one statement.
pub(super) async fn live(
    conn: &Conn,
    reader: &Reader,
    sellers: &Sellers,
    (year, months): (i32, &[u32]),
) -> Result<Live> {
    let mut sql = for_tenant(conn.dialect(), reader.tenant_id());
    let tenant = sql.tenant_is("s");
    let sold_by = sold_by(&mut sql, sellers);
    let sum = sql.dialect.sum_int("s.amount");
    let mut parts = Vec::with_capacity(months.len() + 1);
    for month in months {
        let window = between(&mut sql, "s.sold_on", month_window(year, *month)?);
        parts.push(format!(
            "SELECT s.seller_id, s.customer_id, s.currency, {sum}, CAST({month} AS bigint), \
             {LAST_PURCHASE}, NULL FROM sales s WHERE {tenant} AND {sold_by} AND {window} \
             AND {LIVING} GROUP BY s.seller_id, s.customer_id, s.currency"
        ));
    }
    parts.extend(epochs_of(&mut sql, sellers));
    sql.push(&parts.join(" UNION ALL "));
    let rows = conn.rows(reader, &sql.finish()).await?;
    let (mut months, mut epochs) = (Vec::with_capacity(rows.len()), HashMap::new());
    for row in rows {
        match row.text(6)? {
            Some(id) => note_epoch(&mut epochs, &id, row.int(3)?.unwrap_or_default()),
            None => months.push(row),
        }
    }
    let months = by_seller(&months, |row| {
        let number = row.int(4)?.and_then(|month| u32::try_from(month).ok()).unwrap_or_default();
        let (sold, last_purchase) = (row.int(3)?.unwrap_or_default(), row.instant(5)?);
        Ok(Month { number, sold, last_purchase })
    })?;
    Ok(Live { months, epochs })
}

/// The parts of the live statement that read the epochs; of one seller each by its key.
fn epochs_of(sql: &mut Sql, sellers: &Sellers) -> Vec<String> {
    let ids = |seller: &Uuid| [epoch::of_goals(*seller), epoch::of_sales(*seller)];
    let which = match sellers {
        Sellers::All => {
            vec!["(e.id LIKE 'goals/%' OR e.id LIKE 'goal!_sales/%' ESCAPE '!')".to_owned()]
        }
        Sellers::These(sellers) => match sellers.as_slice() {
            [one] => ids(one).map(|id| format!("e.id = {}", sql.bind(Value::Text(id)))).to_vec(),
            many => {
                let list = sql.bind(Value::Texts(many.iter().flat_map(ids).collect()));
                vec![sql.dialect.in_list("e.id", &list)]
            }
        },
    };
    let tenant = sql.tenant_is("e");
    let part = |which| {
        format!(
            "SELECT NULL, NULL, NULL, e.value, NULL, NULL, e.id FROM epochs e \
             WHERE {tenant} AND {which}"
        )
    };
    which.into_iter().map(part).collect()
}

fn note_epoch(epochs: &mut HashMap<Uuid, Epochs>, id: &str, value: i64) {
    let Some((kind, seller)) = id.split_once('/') else { return };
    let Ok(seller) = Uuid::try_parse(seller) else { return };
    let of_seller = epochs.entry(seller).or_default();
    match kind {
        "goals" => of_seller.goals = value,
        "goal_sales" => of_seller.sales = value,
        _ => {}
    }
}

/// What an account brought in each month of a year, in the year before where there were sales in it,
/// and when it last bought; hundredths.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Year {
    pub(super) months: [i64; 12],
    /// Whether there were sales in it, though they may add up to nothing.
    pub(super) has_sales: bool,
    pub(super) last_year: Option<i64>,
    pub(super) last_purchase: Option<DateTime<Utc>>,
}

impl Year {
    /// Whether anything is known to have been sold.
    pub(super) fn has_any(&self) -> bool {
        self.last_year.is_some() || self.has_sales
    }
}

pub(super) async fn sold(
    conn: &Conn,
    reader: &Reader,
    sellers: &[Uuid],
    year: i32,
) -> Result<BySeller<Year>> {
    let mut sql = for_tenant(conn.dialect(), reader.tenant_id());
    let tenant = sql.tenant_is("s");
    let sold_by = sold_by(&mut sql, &Sellers::These(sellers.to_vec()));
    let mut columns = Vec::with_capacity(16);
    for month in 1..=12 {
        let window = between(&mut sql, "s.sold_on", month_window(year, month)?);
        columns.push(sql.dialect.sum_int(&format!("CASE WHEN {window} THEN s.amount ELSE 0 END")));
    }
    let within = between(&mut sql, "s.sold_on", year_window(year)?);
    columns.push(sql.dialect.sum_int(&format!("CASE WHEN {within} THEN 1 ELSE 0 END")));
    let before = between(&mut sql, "s.sold_on", year_window(year - 1)?);
    columns.push(sql.dialect.sum_int(&format!("CASE WHEN {before} THEN s.amount ELSE 0 END")));
    columns.push(sql.dialect.sum_int(&format!("CASE WHEN {before} THEN 1 ELSE 0 END")));
    columns.push(LAST_PURCHASE.to_owned());
    sql.push(&format!(
        "SELECT s.seller_id, s.customer_id, s.currency, {} FROM sales s \
         WHERE {tenant} AND {sold_by} AND {LIVING} \
         GROUP BY s.seller_id, s.customer_id, s.currency",
        columns.join(", ")
    ));
    let rows = conn.rows(reader, &sql.finish()).await?;
    by_seller(&rows, read_year)
}

fn read_year(row: &Row) -> Result<Year> {
    let mut months = [0; 12];
    for (index, month) in months.iter_mut().enumerate() {
        *month = row.int(3 + index)?.unwrap_or_default();
    }
    let has_sales = row.int(15)?.unwrap_or_default() > 0;
    let sales_last_year = row.int(17)?.unwrap_or_default();
    let last_year = row.int(16)?.filter(|_| sales_last_year > 0);
    Ok(Year { months, has_sales, last_year, last_purchase: row.instant(18)? })
}

/// A goal of a year.
#[derive(Debug, Clone, Copy)]
pub(super) struct Goal {
    pub(super) amount: i64,
    pub(super) classification: Option<&'static str>,
    pub(super) last_year_sales: Option<i64>,
}

pub(super) async fn goals(
    conn: &Conn,
    reader: &Reader,
    sellers: &[Uuid],
    year: i32,
) -> Result<BySeller<Goal>> {
    let mut sql = for_tenant(conn.dialect(), reader.tenant_id());
    let tenant = sql.tenant_is("s");
    let of = sold_by(&mut sql, &Sellers::These(sellers.to_vec()));
    let year = sql.bind(Value::Int(i64::from(year)));
    sql.push(&format!(
        "SELECT s.seller_id, s.customer_id, s.currency, s.amount, s.classification, \
         s.last_year_sales FROM customer_goals s WHERE {tenant} AND {of} AND s.year = {year} \
         AND s.deleted_at IS NULL"
    ));
    let rows = conn.rows(reader, &sql.finish()).await?;
    by_seller(&rows, |row| {
        let class = row.text(4)?;
        Ok(Goal {
            amount: row.int(3)?.unwrap_or_default(),
            classification: class.and_then(|class| CLASSIFICATION.stored(&class)),
            last_year_sales: row.int(5)?,
        })
    })
}

/// What a customer is called and where it is.
#[derive(Debug, Clone, Default)]
pub(super) struct Customer {
    pub(super) name: String,
    pub(super) city: Option<String>,
    pub(super) state: Option<String>,
}

pub(super) async fn customers(
    conn: &Conn,
    reader: &Reader,
    ids: Vec<Uuid>,
) -> Result<HashMap<Uuid, Arc<Customer>>> {
    let mut sql = for_tenant(conn.dialect(), reader.tenant_id());
    let tenant = sql.tenant_is("c");
    let list = sql.bind(Value::Ids(ids));
    let inside = sql.dialect.in_ids("c.id", &list);
    sql.push(&format!(
        "SELECT c.id, c.name, c.address_city, c.address_state FROM companies c \
         WHERE {tenant} AND {inside}"
    ));
    let rows = conn.rows(reader, &sql.finish()).await?;
    let read = |row: &Row| {
        let (name, city, state) = (row.text(1)?.unwrap_or_default(), row.text(2)?, row.text(3)?);
        Ok((row.required_id(0)?, Arc::new(Customer { name, city, state })))
    };
    rows.iter().map(read).collect()
}

/// How many of these are users of the tenant.
pub(super) async fn count_people(conn: &Conn, reader: &Reader, ids: Vec<Uuid>) -> Result<usize> {
    let mut sql = for_tenant(conn.dialect(), reader.tenant_id());
    let tenant = sql.tenant_is("u");
    let list = sql.bind(Value::Ids(ids));
    let inside = sql.dialect.in_ids("u.id", &list);
    sql.push(&format!("SELECT u.id FROM users u WHERE {tenant} AND {inside}"));
    Ok(conn.rows(reader, &sql.finish()).await?.len())
}

/// The people of a unit and of the units below it; `None` where there is no such unit.
pub(super) async fn people_of_unit(
    conn: &Conn,
    reader: &Reader,
    unit: Uuid,
) -> Result<Option<Vec<Uuid>>> {
    let mut sql = for_tenant(conn.dialect(), reader.tenant_id());
    let [top, below, people] = ["o", "b", "u"].map(|alias| sql.tenant_is(alias));
    let unit = sql.bind(Value::Id(unit));
    sql.push(&format!(
        "WITH RECURSIVE tree (id) AS (SELECT o.id FROM org_units o WHERE {top} AND o.id = {unit} \
         AND o.deleted_at IS NULL UNION SELECT b.id FROM org_units b JOIN tree t \
         ON b.parent_id = t.id WHERE {below} AND b.deleted_at IS NULL) \
         SELECT u.id FROM tree t LEFT JOIN users u ON {people} AND u.org_unit_id = t.id \
         AND u.deleted_at IS NULL"
    ));
    let rows = conn.rows(reader, &sql.finish()).await?;
    if rows.is_empty() {
        return Ok(None);
    }
    let people: Vec<Option<Uuid>> = rows.iter().map(|row| row.id(0)).collect::<Result<_>>()?;
    Ok(Some(people.into_iter().flatten().collect()))
}
