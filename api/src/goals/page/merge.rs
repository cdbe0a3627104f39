//! Kept parts and live months -> the lines of a page and its sums. Pure: no I/O, no clock.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{DateTime, Days, Utc};
use uuid::Uuid;

use super::ask::Ask;
use super::fill::Material;
use super::store::{Customer, Entry, Goal, Month, Year};
use crate::db::{NullOf, Value};
use crate::error::{Error, Result};
use crate::goals::calendar::working_days;
use crate::goals::goal::service::{more_than_one_currency, year_window};

/// A customer of a seller; amounts in hundredths.
#[derive(Debug, Clone)]
pub(super) struct Line {
    pub(super) seller: Uuid,
    pub(super) customer: Uuid,
    pub(super) called: Arc<Customer>,
    pub(super) classification: Option<&'static str>,
    pub(super) goal: i64,
    pub(super) last_year: i64,
    pub(super) last_year_source: LastYear,
    pub(super) months: [i64; 12],
    pub(super) sold_year: i64,
    pub(super) sold_month: i64,
    pub(super) last_purchase: Option<DateTime<Utc>>,
}

/// Where last year's sales are known from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LastYear {
    Sales,
    Imported,
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

/// `usual_currency` is that of a page without any amount. Lines come by seller and customer.
pub(super) fn page(material: &Material, ask: &Ask, usual_currency: &str) -> Result<Page> {
    let currency = currency_of(material, ask, usual_currency)?;
    let live_months = ask.live_months();
    let most = material.sellers.iter().map(|seller| seller.base.customers.len()).sum();
    let mut lines = Vec::with_capacity(most);
    for seller in &material.sellers {
        let mut goals = Walk { ahead: &seller.base.goals, currency: &currency };
        let mut years = Walk { ahead: &seller.sold.years, currency: &currency };
        let mut live = Walk { ahead: material.live.months_of(seller.id), currency: &currency };
        for (customer, called) in &seller.base.customers {
            let goal = goals.come_to(*customer).next();
            let is_wanted = |class| goal.and_then(|goal| goal.classification) == Some(class);
            let kept = years.come_to(*customer).next().copied();
            let live = live.come_to(*customer);
            if !ask.classification.is_none_or(is_wanted) {
                continue;
            }
            let year = laid_over(kept.unwrap_or_default(), &live_months, live)?;
            if goal.is_some() || year.has_any() {
                let whose = (seller.id, *customer, Arc::clone(called));
                lines.push(Line::of(whose, goal, &year, ask.month)?);
            }
        }
    }
    let sums = sums(&lines, ask)?;
    Ok(Page { currency, lines, sums })
}

/// A seller's entries in one currency, walked along with the seller's customers.
struct Walk<'a, T> {
    ahead: &'a [Entry<T>],
    currency: &'a str,
}

impl<'a, T> Walk<'a, T> {
    /// The entries of the next customer; nobody is left out, since a seller's customers are all who
    /// have entries.
    fn come_to(&mut self, customer: Uuid) -> impl Iterator<Item = &'a T> + use<'a, T> {
        let own = self.ahead.iter().take_while(|entry| entry.customer == customer).count();
        let (own, ahead) = self.ahead.split_at(own);
        self.ahead = ahead;
        let currency = self.currency;
        own.iter().filter(move |entry| entry.currency == currency).map(|entry| &entry.of)
    }
}

/// Live months stand in the place of the kept ones.
fn laid_over<'a>(
    mut year: Year,
    live_months: &[u32],
    live: impl Iterator<Item = &'a Month>,
) -> Result<Year> {
    for month in live_months {
        *month_of(&mut year.months, *month)? = 0;
    }
    for month in live {
        year.has_sales = true;
        *month_of(&mut year.months, month.number)? = month.sold;
        year.last_purchase = year.last_purchase.max(month.last_purchase);
    }
    Ok(year)
}

impl Line {
    fn of(
        (seller, customer, called): (Uuid, Uuid, Arc<Customer>),
        goal: Option<&Goal>,
        year: &Year,
        month: u32,
    ) -> Result<Self> {
        let imported = goal.and_then(|goal| goal.last_year_sales);
        let (last_year, last_year_source) = match (year.last_year, imported) {
            (Some(sold), _) => (sold, LastYear::Sales),
            (None, Some(imported)) => (imported, LastYear::Imported),
            (None, None) => (0, LastYear::Unknown),
        };
        let mut months = year.months;
        Ok(Self {
            seller,
            customer,
            called,
            classification: goal.and_then(|goal| goal.classification),
            goal: goal.map_or(0, |goal| goal.amount),
            last_year,
            last_year_source,
            sold_month: *month_of(&mut months, month)?,
            sold_year: months.iter().fold(0_i64, |sum, month| sum.saturating_add(*month)),
            months,
            last_purchase: year.last_purchase,
        })
    }
}

fn month_of(months: &mut [i64; 12], month: u32) -> Result<&mut i64> {
    let place = usize::try_from(month).ok().and_then(|month| month.checked_sub(1));
    let found = place.and_then(|place| months.get_mut(place));
    found.ok_or_else(|| Error::internal("a month that no year has"))
}

/// The one asked for, or the only one there is.
fn currency_of(material: &Material, ask: &Ask, usual: &str) -> Result<String> {
    if let Some(currency) = &ask.currency {
        return Ok(currency.clone());
    }
    let mut present: BTreeSet<&str> = BTreeSet::new();
    for seller in &material.sellers {
        let kept = seller.base.currencies.iter().chain(&seller.sold.currencies);
        present.extend(kept.map(String::as_str));
        let live = material.live.months_of(seller.id);
        present.extend(live.iter().map(|entry| entry.currency.as_str()));
    }
    match present.len() {
        0 => Ok(usual.to_owned()),
        1 => Ok(present.into_iter().collect()),
        _ => Err(more_than_one_currency(&present)),
    }
}

/// A customer of two sellers is one customer.
pub(super) fn sums(lines: &[Line], ask: &Ask) -> Result<Sums> {
    let distinct = |wanted: &dyn Fn(&&Line) -> bool| {
        let mut customers: Vec<Uuid> =
            lines.iter().filter(wanted).map(|line| line.customer).collect();
        customers.sort_unstable();
        customers.dedup();
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
