//! A state as text: one text for each state, so that two ways to the same state can be compared to
//! the byte. The first letter is the kind; parts are divided by `|`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::str::FromStr;

use uuid::Uuid;

use super::distinct::REGISTERS;
use super::{Distinct, Extreme, Latest, Sketch, State, Total, Unreadable};

/// Registers filled from which one letter for each is shorter than a list.
const LISTED_MAX: usize = 512;
const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

impl State {
    pub fn to_text(&self) -> String {
        match self {
            Self::Count(count) => format!("c|{count}"),
            Self::Sum(total) => format!("s|{}|{}", total.count, total.sum),
            Self::Minimum(extreme) => format!("n|{}|{}", extreme.count, extreme.value),
            Self::Maximum(extreme) => format!("x|{}|{}", extreme.count, extreme.value),
            Self::Last(last) => {
                let id = last.event_id.simple();
                format!("l|{}|{}|{id}|{}", last.count, last.at_us, last.value)
            }
            Self::Distinct(distinct) => {
                format!("d|{}|{}", distinct.events(), registers(distinct.ranks()))
            }
            Self::Spread(sketch) => {
                let total = sketch.total();
                format!("p|{}|{}|{}", total.count, total.sum, pairs(sketch.bins()))
            }
        }
    }
}

impl FromStr for State {
    type Err = Unreadable;

    fn from_str(text: &str) -> Result<Self, Unreadable> {
        read(text).ok_or_else(|| Unreadable(text.chars().take(80).collect()))
    }
}

fn read(text: &str) -> Option<State> {
    // Most states are counts, and a chart reads tens of thousands of them.
    if let Some(count) = text.strip_prefix("c|") {
        return count.parse().ok().map(State::Count);
    }
    let mut parts = text.split('|');
    let kind = parts.next()?;
    let count = parts.next()?.parse().ok()?;
    let state = match kind {
        "s" => State::Sum(Total { count, sum: parts.next()?.parse().ok()? }),
        "n" => State::Minimum(Extreme { count, value: parts.next()?.parse().ok()? }),
        "x" => State::Maximum(Extreme { count, value: parts.next()?.parse().ok()? }),
        "l" => State::Last(Latest {
            count,
            at_us: parts.next()?.parse().ok()?,
            event_id: Uuid::parse_str(parts.next()?).ok()?,
            value: parts.next()?.parse().ok()?,
        }),
        "d" => State::Distinct(Distinct::from_parts(count, read_registers(parts.next()?)?)?),
        "p" => {
            let total = Total { count, sum: parts.next()?.parse().ok()? };
            State::Spread(Sketch::from_parts(total, read_pairs(parts.next()?)?)?)
        }
        _ => return None,
    };
    parts.next().is_none().then_some(state)
}

/// `place:value,place:value`, in the order of places.
fn pairs<K: std::fmt::Display, V: std::fmt::Display>(map: &BTreeMap<K, V>) -> String {
    let mut text = String::with_capacity(map.len() * 8);
    for (place, value) in map {
        if !text.is_empty() {
            text.push(',');
        }
        // Writing to a text cannot fail.
        let _written = write!(text, "{place}:{value}");
    }
    text
}

fn read_pairs<K: FromStr + Ord, V: FromStr>(text: &str) -> Option<BTreeMap<K, V>> {
    let pairs = text.split(',').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let (place, value) = pair.split_once(':')?;
            Some((place.parse().ok()?, value.parse().ok()?))
        })
        .collect()
}

/// A list while that is shorter, else one letter for each register.
fn registers(ranks: &BTreeMap<u16, u8>) -> String {
    if ranks.len() <= LISTED_MAX {
        return pairs(ranks);
    }
    let letter = |place: u16| {
        let rank = usize::from(ranks.get(&place).copied().unwrap_or_default());
        char::from(LETTERS.get(rank).copied().unwrap_or(b'_'))
    };
    std::iter::once('=').chain((0..REGISTERS).map(letter)).collect()
}

fn read_registers(text: &str) -> Option<BTreeMap<u16, u8>> {
    let Some(letters) = text.strip_prefix('=') else { return read_pairs(text) };
    if letters.len() != usize::from(REGISTERS) {
        return None;
    }
    let mut ranks = BTreeMap::new();
    for (place, letter) in (0..REGISTERS).zip(letters.bytes()) {
        let rank = LETTERS.iter().position(|known| *known == letter)?;
        if rank > 0 {
            ranks.insert(place, u8::try_from(rank).ok()?);
        }
    }
    Some(ranks)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_state() -> impl Strategy<Value = State> {
        let latest = |(at_us, id, value): (i64, u128, i64)| {
            State::Last(Latest { count: 1, at_us, event_id: Uuid::from_u128(id), value })
        };
        prop_oneof![
            (0_i64..1000).prop_map(State::Count),
            any::<i64>().prop_map(|value| State::Sum(Total::of(value))),
            any::<i64>().prop_map(|value| State::Minimum(Extreme { count: 1, value })),
            any::<i64>().prop_map(|value| State::Maximum(Extreme { count: 1, value })),
            (any::<i64>(), any::<u128>(), any::<i64>()).prop_map(latest),
            any::<u16>().prop_map(|value| State::Distinct(Distinct::of(&value.to_string()))),
            any::<i64>().prop_map(|value| State::Spread(Sketch::of(value))),
        ]
    }

    /// States of one kind each, in an order and in the same order turned round by `turn`.
    fn merged<'s>(states: impl Iterator<Item = &'s State>) -> Option<State> {
        states.fold(None, |merged: Option<State>, state| match merged {
            None => Some(state.clone()),
            Some(mut merged) => {
                // States of another kind are left out, in whatever order they come.
                let _left_out = merged.merge(state);
                Some(merged)
            }
        })
    }

    proptest! {
        #[test]
        fn a_state_is_read_as_it_was_written(state in any_state()) {
            prop_assert_eq!(state.to_text().parse(), Ok(state));
        }

        #[test]
        fn any_order_gives_the_same_text(
            states in prop::collection::vec(any_state(), 1..60),
            turn in any::<prop::sample::Index>(),
        ) {
            let kind = std::mem::discriminant(&states[0]);
            let mut same: Vec<&State> =
                states.iter().filter(|state| std::mem::discriminant(*state) == kind).collect();
            let one_way = merged(same.iter().copied()).unwrap().to_text();
            same.reverse();
            let middle = turn.index(same.len());
            same.rotate_left(middle);
            // Two halves folded apart and merged: another order, and another grouping.
            let (left, right) = same.split_at(middle);
            let mut halves = merged(right.iter().copied()).unwrap();
            if let Some(left) = merged(left.iter().copied()) {
                halves.merge(&left).unwrap();
            }
            prop_assert_eq!(&halves.to_text(), &one_way);
            prop_assert_eq!(one_way.parse::<State>().unwrap().to_text(), one_way);
        }
    }

    #[test]
    fn many_registers_take_one_letter_each() {
        let mut distinct = State::Distinct(Distinct::of("0"));
        for number in 1..5_000 {
            distinct.merge(&State::Distinct(Distinct::of(&number.to_string()))).unwrap();
        }
        let text = distinct.to_text();
        assert!(text.len() < 4_200, "{}", text.len());
        assert_eq!(text.parse(), Ok(distinct));
    }

    #[test]
    fn what_is_no_state_is_refused() {
        for text in ["", "c", "c|", "c|1|2", "q|1", "s|1", "p|2|10|1:1", "d|1|4096:1", "d|1|=AB"] {
            assert!(text.parse::<State>().is_err(), "{text}");
        }
        let mut count = State::Count(1);
        assert!(count.merge(&State::Sum(Total::of(1))).is_err());
    }
}
