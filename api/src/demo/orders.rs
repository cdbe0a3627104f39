//! What customers bought, and what they are to buy in the year.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::dice::{Calendar, Dice};
use super::story::{Business, Place};

/// Goals are round numbers: in hundredths, a hundred.
const ROUND: i64 = 100 * 100;

pub(super) struct Order {
    pub(super) firm: usize,
    pub(super) seller: usize,
    /// In hundredths.
    pub(super) amount: i64,
    pub(super) at: DateTime<Utc>,
}

pub(super) struct Target {
    pub(super) firm: usize,
    pub(super) seller: usize,
    /// In hundredths.
    pub(super) amount: i64,
    pub(super) class: &'static str,
}

/// A deal that was won is the first order, and most customers come back for more of it. Deals in
/// other currencies are left out: amounts of the page are never added across currencies.
pub(super) fn orders(dice: &mut Dice, calendar: Calendar, deals: &[Business]) -> Vec<Order> {
    let mut orders = Vec::new();
    for deal in deals.iter().filter(|deal| deal.currency.is_none()) {
        let won = deal.steps.iter().find(|step| step.to == Place::Won);
        let mut next = won.map(|step| (step.at, deal.value));
        while let Some((at, amount)) = next {
            orders.push(Order { firm: deal.firm, seller: deal.owner, amount, at });
            let days = dice.between(18, 55);
            let again = deal.value * dice.between(15, 60) / 100;
            let at = calendar.after(dice, at, days).filter(|_| dice.chance(85));
            next = at.map(|at| (at, again));
        }
    }
    orders
}

/// Some more, or less, than each customer bought of a seller; the largest first, by class.
pub(super) fn targets(dice: &mut Dice, orders: &[Order]) -> Vec<Target> {
    let mut bought: BTreeMap<(usize, usize), i64> = BTreeMap::new();
    for order in orders {
        *bought.entry((order.firm, order.seller)).or_default() += order.amount;
    }
    let mut targets: Vec<Target> = bought
        .into_iter()
        .map(|((firm, seller), amount)| {
            let amount = (amount * dice.between(80, 170) / 100 / ROUND + 1) * ROUND;
            Target { firm, seller, amount, class: "C" }
        })
        .collect();
    targets.sort_by_key(|target| std::cmp::Reverse(target.amount));
    let count = targets.len();
    for (place, target) in targets.iter_mut().enumerate() {
        if place * 5 < count {
            target.class = "A";
        } else if place * 2 < count {
            target.class = "B";
        }
    }
    targets
}
