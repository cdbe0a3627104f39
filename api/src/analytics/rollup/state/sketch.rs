//! Percentiles of many values within one per cent, as a DDSketch whose bins are integers at fixed
//! places: `sketches-ddsketch` and its like place values by floating-point logarithms and collapse
//! bins by the order of arrival, so that two ways of folding the same events differ.
//! Source: Masson, Rim, Lee, "DDSketch", VLDB 2019.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use super::Total;

/// Upper bounds of the bins of positive values, the first is 1. Each is at most 101/99 of the one
/// before (or one more), so that the middle of a bin is within one per cent of all its values. There
/// are fewer than 2,100 for the whole range of `i64`.
static BOUNDS: LazyLock<Vec<i64>> = LazyLock::new(|| {
    let mut bounds = vec![1_i64];
    let mut last = 1_i64;
    while last < i64::MAX {
        let wide = i128::from(last) * 101 / 99;
        last = i64::try_from(wide).unwrap_or(i64::MAX).max(last.saturating_add(1));
        bounds.push(last);
    }
    bounds
});

/// How many values fell into which bin. Bin 0 holds zeros, bin n the n-th range of positive values,
/// bin -n the same range below zero.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sketch {
    total: Total,
    bins: BTreeMap<i32, i64>,
}

impl Sketch {
    /// How many bins it has.
    pub(super) fn len(&self) -> usize {
        self.bins.len()
    }

    pub fn of(value: i64) -> Self {
        Self { total: Total::of(value), bins: BTreeMap::from([(bin_of(value), 1)]) }
    }

    /// `None` unless the bins hold as many values as `total` says.
    pub(super) fn from_parts(total: Total, bins: BTreeMap<i32, i64>) -> Option<Self> {
        let places = i32::try_from(BOUNDS.len()).ok()?;
        let sound = bins.iter().all(|(bin, count)| bin.abs() <= places && *count > 0);
        (sound && bins.values().sum::<i64>() == total.count).then_some(Self { total, bins })
    }

    pub fn total(&self) -> &Total {
        &self.total
    }

    pub(super) fn bins(&self) -> &BTreeMap<i32, i64> {
        &self.bins
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.total.add(&other.total);
        for (bin, count) in &other.bins {
            *self.bins.entry(*bin).or_default() += count;
        }
    }

    /// A value within one per cent of that at the rank of `per_mille` thousandths; `None` of nothing.
    pub fn quantile(&self, per_mille: u16) -> Option<f64> {
        let last = self.total.count - 1;
        if last < 0 {
            return None;
        }
        // The rank of the value, from 0, rounded down: of one value every quantile is that value.
        let rank = i128::from(last) * i128::from(per_mille.min(1000)) / 1000;
        let mut seen = 0_i128;
        for (bin, count) in &self.bins {
            seen += i128::from(*count);
            if seen > rank {
                return Some(middle(*bin));
            }
        }
        None
    }
}

fn bin_of(value: i64) -> i32 {
    if value == 0 {
        return 0;
    }
    // The one value whose opposite does not exist stands beside its neighbour.
    let size = value.checked_abs().unwrap_or(i64::MAX);
    let place = BOUNDS.partition_point(|bound| *bound < size);
    let place = i32::try_from(place).unwrap_or(i32::MAX - 1) + 1;
    if value < 0 { -place } else { place }
}

/// The harmonic middle of a bin, whose relative distance to both of its ends is the same.
#[expect(clippy::cast_precision_loss, clippy::as_conversions, reason = "an estimate is read")]
fn middle(bin: i32) -> f64 {
    let Ok(place) = usize::try_from(bin.unsigned_abs()) else { return 0.0 };
    let bound = |place: usize| BOUNDS.get(place).copied();
    let Some(high) = place.checked_sub(1).and_then(bound) else { return 0.0 };
    let low = place.checked_sub(2).and_then(bound).map_or(high, |before| before + 1);
    let (low, high) = (low as f64, high as f64);
    let middle = 2.0 * low * high / (low + high);
    if bin < 0 { -middle } else { middle }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn there_are_few_bins_for_every_value() {
        assert!(BOUNDS.len() < 2_100, "{}", BOUNDS.len());
        assert_eq!(bin_of(0), 0);
        assert_eq!(bin_of(1), 1);
        assert_eq!(bin_of(-1), -1);
        assert_eq!(bin_of(i64::MIN), bin_of(-i64::MAX));
        assert_eq!(Sketch::default().quantile(500), None);
    }

    proptest! {
        #[test]
        fn a_value_is_within_a_hundredth_of_its_bin(value in any::<i64>()) {
            let read = middle(bin_of(value));
            let exact = value as f64;
            prop_assert!((read - exact).abs() <= exact.abs() * 0.010_001, "{read} for {exact}");
        }

        #[test]
        fn quantiles_are_within_a_hundredth(
            mut values in prop::collection::vec(-1_000_000_i64..1_000_000, 1..200),
            per_mille in 0_u16..=1000,
        ) {
            let mut sketch = Sketch::default();
            for value in &values {
                sketch.merge(&Sketch::of(*value));
            }
            values.sort_unstable();
            let rank = (values.len() - 1) * usize::from(per_mille) / 1000;
            let exact = values[rank] as f64;
            let read = sketch.quantile(per_mille).unwrap();
            prop_assert!((read - exact).abs() <= exact.abs() * 0.010_001, "{read} for {exact}");
        }
    }
}
