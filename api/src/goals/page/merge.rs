//! Kept parts and live months -> the lines of a page and its sums. Pure: no I/O, no clock.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use chrono::{DateTime, Days, Utc};
use uuid::Uuid;

use super::ask::Ask;
use super::fill::Material;
use super::kept::Year;
use super::store::{Account, Customer};
use crate::db::{NullOf, Value};
use crate::error::{Error, Result};
use crate::goals::calendar::working_days;
use crate::goals::goal::service::{more_than_one_currency, year_window};

/// A customer of a seller; amounts in hundredths.
#[derive(Debug, Clone, Default)]
pub(super) struct Line {
    pub(super) seller: Uuid,
    pub(super) customer: Uuid,
    pub(super) name: String,
    pub(super) city: Option<String>,
    pub(super) state: Option<String>,
    pub(super) classification: Option<String>,
    pub(super) goal: i64,
    pub(super) last_year: i64,
    pub(super) last_year_source: LastYear,
    pub(super) months: [i64; 12],
    pub(super) sold_year: i64,
    pub(super) sold_month: i64,
    pub(super) last_purchase: Option<DateTime<Utc>>,
}

/// Where last year's sales are known from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum LastYear {
    Sales,
    Imported,
    #[default]
    Unknown,
}

impl Line {
    /// What is missing to the goal; negative beyond it.
    pub(super) fn gap(&self) -> i64 {
        self.goal.saturating_sub(self.sold_year)
    }
}

/// Sums over all lines of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Sums {
    pub(super) customers: i64,
    pub(super) goal: i64,
    pub(super) sold_year: i64,
    pub(super) sold_month: i64,
    pub(super) active_customers: i64,
    pub(super) projected_year: Option<i64>,
}

impl Sums {
    /// What is missing to the goal; negative beyond it.
    pub(super) fn gap(&self) -> i64 {
        self.goal.saturating_sub(self.sold_year)
    }
}

pub(super) struct Page {
    pub(super) currency: String,
    pub(super) lines: Vec<Line>,
    pub(super) sums: Sums,
}

/// `usual_currency` is that of a page without any amount.
pub(super) fn page(material: &Material, ask: &Ask, usual_currency: &str) -> Result<Page> {
    let currency = currency_of(material, ask, usual_currency)?;
    let mut lines: BTreeMap<(Uuid, Uuid), Line> = BTreeMap::new();
    for seller in &material.sellers {
        let goals = seller.base.goals.iter();
        for goal in goals.filter(|goal| goal.account.currency == currency) {
            let line = line_of(&mut lines, &goal.account);
            line.goal = goal.amount;
            line.classification.clone_from(&goal.classification);
            if let Some(imported) = goal.last_year_sales {
                (line.last_year, line.last_year_source) = (imported, LastYear::Imported);
            }
        }
    }
    add_sales(&mut lines, material, ask, &currency)?;
    for seller in &material.sellers {
        let own = (seller.id, Uuid::nil())..=(seller.id, Uuid::max());
        for (_, line) in lines.range_mut(own) {
            if let Some(customer) = seller.base.customers.get(&line.customer) {
                name(line, customer);
            }
        }
    }
    let is_wanted = |line: &Line| {
        ask.classification.is_none_or(|class| line.classification.as_deref() == Some(class))
    };
    let lines: Vec<Line> = lines.into_values().filter(is_wanted).collect();
    let sums = sums(&lines, ask)?;
    Ok(Page { currency, lines, sums })
}

fn line_of<'l>(lines: &'l mut BTreeMap<(Uuid, Uuid), Line>, of: &Account) -> &'l mut Line {
    lines.entry((of.seller, of.customer)).or_insert_with(|| Line {
        seller: of.seller,
        customer: of.customer,
        ..Line::default()
    })
}

fn name(line: &mut Line, customer: &Customer) {
    line.name.clone_from(&customer.name);
    line.city.clone_from(&customer.city);
    line.state.clone_from(&customer.state);
}

/// Live months stand in the place of the kept ones.
fn add_sales(
    lines: &mut BTreeMap<(Uuid, Uuid), Line>,
    material: &Material,
    ask: &Ask,
    currency: &str,
) -> Result<()> {
    let live_months = ask.live_months();
    let mut years: BTreeMap<&Account, Year> = BTreeMap::new();
    for seller in &material.sellers {
        let accounts = seller.sold.accounts.iter();
        for (account, year) in accounts.filter(|(account, _)| account.currency == currency) {
            let mut year = *year;
            for month in &live_months {
                *month_of(&mut year, *month)? = 0;
            }
            years.insert(account, year);
        }
    }
    let live = material.live.months.iter();
    for (account, month, amount, last) in live.filter(|(of, ..)| of.currency == currency) {
        let year = years.entry(account).or_default();
        *month_of(year, *month)? = *amount;
        year.last_purchase = year.last_purchase.max(*last);
    }
    for (account, year) in years {
        let sold_year = year.months.iter().fold(0_i64, |sum, month| sum.saturating_add(*month));
        let had_any = year.months.iter().any(|month| *month != 0) || year.last_year.is_some();
        let known = lines.contains_key(&(account.seller, account.customer));
        if !known && !had_any {
            continue;
        }
        let line = line_of(lines, account);
        (line.months, line.sold_year) = (year.months, sold_year);
        let mut year = year;
        line.sold_month = *month_of(&mut year, ask.month)?;
        line.last_purchase = year.last_purchase;
        if let Some(sold) = year.last_year {
            (line.last_year, line.last_year_source) = (sold, LastYear::Sales);
        }
    }
    Ok(())
}

fn month_of(year: &mut Year, month: u32) -> Result<&mut i64> {
    let place = usize::try_from(month).ok().and_then(|month| month.checked_sub(1));
    let found = place.and_then(|place| year.months.get_mut(place));
    found.ok_or_else(|| Error::internal("a month that no year has"))
}

/// The one asked for, or the only one there is.
fn currency_of(material: &Material, ask: &Ask, usual: &str) -> Result<String> {
    if let Some(currency) = &ask.currency {
        return Ok(currency.clone());
    }
    let mut present: BTreeSet<&str> = BTreeSet::new();
    for seller in &material.sellers {
        present.extend(seller.base.goals.iter().map(|goal| goal.account.currency.as_str()));
        let sold = seller.sold.accounts.iter();
        let of_these_years = sold.filter(|(_, year)| {
            year.last_year.is_some() || year.months.iter().any(|month| *month != 0)
        });
        present.extend(of_these_years.map(|(account, _)| account.currency.as_str()));
    }
    present.extend(material.live.months.iter().map(|(account, ..)| account.currency.as_str()));
    match present.len() {
        0 => Ok(usual.to_owned()),
        1 => Ok(present.into_iter().collect()),
        _ => Err(more_than_one_currency(&present)),
    }
}

/// A customer of two sellers is one customer.
pub(super) fn sums(lines: &[Line], ask: &Ask) -> Result<Sums> {
    let distinct = |wanted: &dyn Fn(&&Line) -> bool| {
        let customers: HashSet<Uuid> =
            lines.iter().filter(wanted).map(|line| line.customer).collect();
        i64::try_from(customers.len()).map_err(Error::internal)
    };
    let sum = |of: &dyn Fn(&Line) -> i64| {
        lines.iter().fold(0_i64, |sum, line| sum.saturating_add(of(line)))
    };
    let sold_year = sum(&|line| line.sold_year);
    Ok(Sums {
        customers: distinct(&|_| true)?,
        goal: sum(&|line| line.goal),
        sold_year,
        sold_month: sum(&|line| line.sold_month),
        active_customers: distinct(&|line| line.sold_month > 0)?,
        projected_year: projection(sold_year, ask)?,
    })
}

/// What the year comes to if it goes on by its working days as it went, today's included; nothing
/// for a year that has not begun.
fn projection(sold: i64, ask: &Ask) -> Result<Option<i64>> {
    let (from, to) = year_window(ask.year)?;
    if ask.today >= to {
        return Ok(Some(sold));
    }
    let tomorrow = ask.today.checked_add_days(Days::new(1)).unwrap_or(to);
    let gone = working_days(from, tomorrow);
    if ask.today < from || gone == 0 {
        return Ok(None);
    }
    let gone = i128::from(gone);
    let whole = i128::from(sold) * i128::from(working_days(from, to));
    Ok(i64::try_from((whole + gone / 2).div_euclid(gone)).ok())
}

/// A part of a whole in per cent with two decimals; null of nothing.
#[expect(clippy::cast_precision_loss, reason = "chart values are floats by contract")]
pub(super) fn percent(part: i64, whole: i64) -> Value {
    if whole <= 0 {
        return Value::Null(NullOf::Float);
    }
    Value::Float((part as f64 / whole as f64 * 10_000.0).round() / 100.0)
}
