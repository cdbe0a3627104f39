//! What one does with goals beyond writing their fields: propose those of a year, and classify
//! customers.

use std::collections::{BTreeSet, HashMap, HashSet};

use chrono::NaiveDate;
use entity::customer_goal;
use uuid::Uuid;

pub use super::classify::Curve;
use super::store::Sold;
use super::{classify, record, store};
use crate::access::{Action, Resource};
use crate::db::Value;
use crate::error::{Error, Result, say};
use crate::record::change::{Session, Values};

/// What goals are of the sales of the year before, where nobody says otherwise: 15 % more.
pub const FACTOR_HUNDREDTHS: i64 = 115;

/// Rows of one insert.
const INSERTED_AT_ONCE: usize = 500;

/// What goals of a year are proposed from.
pub struct Proposal {
    pub year: i32,
    /// Of what was sold the year before, in hundredths: 115 is 15 % more.
    pub factor_hundredths: i64,
    /// Needed where sales have more than one.
    pub currency: Option<String>,
    /// Goals that are there are changed too.
    pub overwrite: bool,
}

/// What became of the goals of a year.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Outcome {
    pub created: i64,
    pub updated: i64,
    pub unchanged: i64,
}

/// Makes a goal for each seller and customer who did business the year before: what was sold times a
/// factor. Goals that are there stay, unless they are to be overwritten.
pub async fn propose(session: &mut Session<'_>, proposal: Proposal) -> Result<Outcome> {
    if proposal.factor_hundredths <= 0 {
        let message = say("must be more than 0", "deve ser maior que 0");
        return Err(Error::invalid_field("factor", message));
    }
    let before = sold_before(session, Action::Create, proposal.year).await?;
    let sold = in_one_currency(before, proposal.currency.as_deref(), BTreeSet::new())?;
    let known = goals_of(session, Action::Create, proposal.year).await?;
    let mut outcome = Outcome::default();
    let (mut fresh, mut changed) = (Vec::new(), Vec::new());
    for each in sold.into_iter().filter(|each| each.amount > 0) {
        let goal = i128::from(each.amount) * i128::from(proposal.factor_hundredths) + 50;
        let goal = i64::try_from(goal.div_euclid(100)).map_err(Error::internal)?;
        match known.get(&(each.seller, each.customer)) {
            None => fresh.push(Values::from([
                ("year", Value::Int(i64::from(proposal.year))),
                ("seller_id", Value::Id(each.seller)),
                ("customer_id", Value::Id(each.customer)),
                ("amount", Value::Int(goal)),
                ("currency", Value::Text(each.currency)),
            ])),
            Some(there)
                if !proposal.overwrite
                    || (there.amount == goal && there.currency == each.currency) =>
            {
                outcome.unchanged += 1;
            }
            Some(there) => {
                let values = Values::from([
                    ("amount", Value::Int(goal)),
                    ("currency", Value::Text(each.currency)),
                ]);
                changed.push((there.id, values));
            }
        }
    }
    outcome.updated = i64::try_from(changed.len()).map_err(Error::internal)?;
    session.update_all(record::record(), changed).await?;
    while !fresh.is_empty() {
        let rest = fresh.split_off(fresh.len().min(INSERTED_AT_ONCE));
        let made = session.create_all(record::record(), fresh).await?;
        outcome.created += i64::try_from(made.len()).map_err(Error::internal)?;
        fresh = rest;
    }
    Ok(outcome)
}

/// Classifies the customers of a year's goals by what they bought the year before.
pub async fn classify(
    session: &mut Session<'_>,
    year: i32,
    curve: Curve,
    currency: Option<&str>,
) -> Result<Outcome> {
    if !curve.is_possible() {
        let message = say(
            "a must be more than 0, and a and b together at most 100",
            "a deve ser maior que 0, e a mais b no máximo 100",
        );
        return Err(Error::invalid_field("a", message));
    }
    let sold = sold_before(session, Action::Update, year).await?;
    let goals = goals_of(session, Action::Update, year).await?;
    let imported = |goal: &&customer_goal::Model| goal.last_year_sales.is_some();
    let also = goals.values().filter(imported).map(|goal| goal.currency.as_str());
    let sold = in_one_currency(sold, currency, also.collect())?;
    // Amounts in one currency say nothing about goals in another.
    let concerns = |goal: &&customer_goal::Model| currency.is_none_or(|one| one == goal.currency);
    let concerned: Vec<&customer_goal::Model> = goals.values().filter(concerns).collect();
    let classes = classify::classes(&bought(&sold, &concerned), curve);
    let mut outcome = Outcome::default();
    let mut changed = Vec::new();
    for goal in concerned {
        let class = classes.get(&goal.customer_id).copied().unwrap_or("C");
        if goal.classification.as_deref() == Some(class) {
            outcome.unchanged += 1;
            continue;
        }
        changed.push((goal.id, Values::from([("classification", Value::from(class))])));
    }
    outcome.updated = i64::try_from(changed.len()).map_err(Error::internal)?;
    session.update_all(record::record(), changed).await?;
    Ok(outcome)
}

/// What each customer bought of all sellers together: of each what was sold, or what was imported
/// with the goal where nothing was.
fn bought(sold: &[Sold], goals: &[&customer_goal::Model]) -> HashMap<Uuid, i64> {
    let with_sales: HashSet<(Uuid, Uuid)> =
        sold.iter().map(|each| (each.seller, each.customer)).collect();
    let imported = goals.iter().filter_map(|goal| {
        let is_sold = with_sales.contains(&(goal.seller_id, goal.customer_id));
        let amount = goal.last_year_sales.filter(|_| !is_sold);
        Some((goal.customer_id, amount?))
    });
    let mut bought: HashMap<Uuid, i64> = HashMap::new();
    for (customer, amount) in sold.iter().map(|each| (each.customer, each.amount)).chain(imported) {
        let sum = bought.entry(customer).or_default();
        *sum = sum.saturating_add(amount);
    }
    bought
}

/// What was sold in the year before that of the goals.
async fn sold_before(session: &Session<'_>, action: Action, year: i32) -> Result<Vec<Sold>> {
    let ctx = session.ctx();
    let writer = ctx.writer(action, Resource::CustomerGoals)?;
    let reader = ctx.reader(Resource::Sales)?;
    year_window(year)?;
    let window = year_window(year - 1)?;
    store::sold_between(session.conn(), &reader, writer.rows(), window).await
}

/// The goals of sellers for whom the caller may do this, by seller and customer.
async fn goals_of(
    session: &Session<'_>,
    action: Action,
    year: i32,
) -> Result<HashMap<(Uuid, Uuid), customer_goal::Model>> {
    let writer = session.ctx().writer(action, Resource::CustomerGoals)?;
    let goals = store::of_year(session.conn(), &writer, year).await?;
    let reached = |goal: &customer_goal::Model| writer.rows().reaches(Some(goal.seller_id), None);
    let goals = goals.into_iter().filter(reached);
    Ok(goals.map(|goal| ((goal.seller_id, goal.customer_id), goal)).collect())
}

/// The first day of a year and that of the next.
pub(in crate::goals) fn year_window(year: i32) -> Result<(NaiveDate, NaiveDate)> {
    let first = |year: i32| NaiveDate::from_ymd_opt(year, 1, 1);
    let within = |year: &i32| (1900..=9999).contains(year);
    Some(year).filter(within).and_then(|year| Some((first(year)?, first(year + 1)?))).ok_or_else(
        || Error::invalid_field("year", say("must be 1900 to 9999", "deve ser de 1900 a 9999")),
    )
}

/// Amounts of different currencies are never compared or added, nor those with amounts in `also`.
fn in_one_currency(
    sold: Vec<Sold>,
    currency: Option<&str>,
    also: BTreeSet<&str>,
) -> Result<Vec<Sold>> {
    if let Some(currency) = currency {
        return Ok(sold.into_iter().filter(|each| each.currency == currency).collect());
    }
    let mut present = also;
    present.extend(sold.iter().map(|each| each.currency.as_str()));
    if present.len() > 1 {
        return Err(more_than_one_currency(&present));
    }
    Ok(sold)
}

pub(in crate::goals) fn more_than_one_currency(present: &BTreeSet<&str>) -> Error {
    let list = present.iter().copied().collect::<Vec<_>>().join(", ");
    Error::invalid_field(
        "currency",
        say(
            format!("there are amounts in {list}: name one of them"),
            format!("há valores em {list}: informe uma delas"),
        ),
    )
}
