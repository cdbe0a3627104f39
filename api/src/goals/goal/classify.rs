//! The ABC curve: which customers the sales stand on. Pure: no I/O, no clock.

use std::collections::HashMap;

use uuid::Uuid;

/// Per cent of the sales that A and B customers stand for; the rest is C.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Curve {
    pub a: i64,
    pub b: i64,
}

impl Default for Curve {
    /// 80/15/5.
    fn default() -> Self {
        Self { a: 80, b: 15 }
    }
}

impl Curve {
    /// Whether it leaves something for each class.
    pub(super) fn is_possible(self) -> bool {
        self.a > 0 && self.b >= 0 && self.a.saturating_add(self.b) <= 100
    }
}

/// The class of each customer by what it bought: the largest first, A until their share reaches
/// `curve.a`, B until it reaches both, C after that and for whoever bought nothing. Equal customers
/// stand in the order of their ids, so that the same sales give the same classes.
pub(super) fn classes(bought: &HashMap<Uuid, i64>, curve: Curve) -> HashMap<Uuid, &'static str> {
    let mut customers: Vec<(Uuid, i128)> =
        bought.iter().map(|(id, amount)| (*id, i128::from(*amount).max(0))).collect();
    customers.sort_unstable_by(|(id, amount), (other, theirs)| {
        theirs.cmp(amount).then_with(|| id.cmp(other))
    });
    let total: i128 = customers.iter().map(|(_, amount)| amount).sum();
    let (a, both) = (i128::from(curve.a), i128::from(curve.a.saturating_add(curve.b)));
    let mut before: i128 = 0;
    let mut classes = HashMap::with_capacity(customers.len());
    for (id, amount) in customers {
        // Whoever carries the sum over a bound still belongs to the class below it.
        let class = match before.saturating_mul(100) {
            _ if amount == 0 => "C",
            share if share < a.saturating_mul(total) => "A",
            share if share < both.saturating_mul(total) => "B",
            _ => "C",
        };
        classes.insert(id, class);
        before = before.saturating_add(amount);
    }
    classes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(amounts: &[i64]) -> Vec<&'static str> {
        let ids: Vec<Uuid> = (1..=amounts.len()).map(|id| Uuid::from_u128(id as u128)).collect();
        let bought = ids.iter().copied().zip(amounts.iter().copied()).collect();
        let classes = classes(&bought, Curve::default());
        ids.iter().map(|id| classes[id]).collect()
    }

    #[test]
    fn the_largest_are_a_until_they_make_80_per_cent() {
        assert_eq!(of(&[50, 30, 10, 5, 5]), ["A", "A", "B", "B", "C"]);
    }

    #[test]
    fn one_customer_alone_is_a_and_who_bought_nothing_is_c() {
        assert_eq!(of(&[100, 0, -5]), ["A", "C", "C"]);
    }

    #[test]
    fn nothing_sold_leaves_only_c() {
        assert_eq!(of(&[0, 0]), ["C", "C"]);
    }
}
