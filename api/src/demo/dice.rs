//! Chance that repeats: the same seed throws the same numbers on every machine and in every version,
//! which the generators of libraries do not promise.

use chrono::{DateTime, Datelike, NaiveDate, TimeDelta, TimeZone, Utc, Weekday};
use chrono_tz::Tz;

/// SplitMix64.
pub(super) struct Dice(u64);

impl Dice {
    /// Different streams of one seed have nothing in common.
    pub(super) fn new(seed: u64, stream: u64) -> Self {
        let mut dice = Self(seed ^ stream.wrapping_mul(0xD1B5_4A32_D192_ED03));
        dice.throw();
        dice
    }

    fn throw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// 0 to `count` - 1.
    pub(super) fn below(&mut self, count: usize) -> usize {
        let count = u64::try_from(count.max(1)).unwrap_or(u64::MAX);
        usize::try_from(self.throw() % count).unwrap_or_default()
    }

    /// Both ends included.
    pub(super) fn between(&mut self, from: i64, to: i64) -> i64 {
        let span = u64::try_from(to - from + 1).unwrap_or(1).max(1);
        from + i64::try_from(self.throw() % span).unwrap_or_default()
    }

    pub(super) fn chance(&mut self, percent: u64) -> bool {
        self.throw() % 100 < percent
    }

    pub(super) fn pick<T: Copy + Default>(&mut self, from: &[T]) -> T {
        from.get(self.below(from.len())).copied().unwrap_or_default()
    }

    /// One of several, the heavier the more often.
    pub(super) fn weighed<T: Copy + Default>(&mut self, from: &[(T, u64)]) -> T {
        let sum: u64 = from.iter().map(|(_, weight)| weight).sum();
        let mut left = self.throw() % sum.max(1);
        for (value, weight) in from {
            if left < *weight {
                return *value;
            }
            left -= weight;
        }
        T::default()
    }
}

/// The year that ends now, in the days and office hours of one place.
#[derive(Clone, Copy)]
pub(super) struct Calendar {
    pub(super) now: DateTime<Utc>,
    pub(super) zone: Tz,
}

impl Calendar {
    pub(super) fn date_of(self, at: DateTime<Utc>) -> NaiveDate {
        at.with_timezone(&self.zone).date_naive()
    }

    /// Some moment in office hours, so many days ago or on the Friday before.
    pub(super) fn days_ago(self, dice: &mut Dice, days: i64) -> DateTime<Utc> {
        let at = self.office_hour(dice, self.date_of(self.now) - TimeDelta::days(days));
        at.min(self.now - TimeDelta::minutes(dice.between(3, 50)))
    }

    /// Some moment in office hours, so many days after another; none when that is still to come.
    pub(super) fn after(
        self,
        dice: &mut Dice,
        at: DateTime<Utc>,
        days: i64,
    ) -> Option<DateTime<Utc>> {
        let later = self.office_hour(dice, self.date_of(at) + TimeDelta::days(days));
        let later = later.max(at + TimeDelta::minutes(dice.between(7, 90)));
        (later < self.now).then_some(later)
    }

    /// Some moment in office hours of a day to come.
    pub(super) fn ahead(self, dice: &mut Dice, days: i64) -> DateTime<Utc> {
        self.office_hour(dice, self.date_of(self.now) + TimeDelta::days(days.max(1) + 2))
    }

    fn office_hour(self, dice: &mut Dice, date: NaiveDate) -> DateTime<Utc> {
        let back = match date.weekday() {
            Weekday::Sat => 1,
            Weekday::Sun => 2,
            Weekday::Mon | Weekday::Tue | Weekday::Wed | Weekday::Thu | Weekday::Fri => 0,
        };
        let time = TimeDelta::minutes(dice.between(9 * 60, 18 * 60 - 1));
        let local = (date - TimeDelta::days(back)).and_time(chrono::NaiveTime::MIN) + time;
        let at = self.zone.from_local_datetime(&local).earliest();
        at.map_or_else(|| local.and_utc(), |at| at.with_timezone(&Utc))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_throws_the_same_numbers() {
        let numbers = |seed, stream| {
            let mut dice = Dice::new(seed, stream);
            [(); 4].map(|()| dice.between(0, 1_000_000))
        };
        assert_eq!(numbers(7, 0), numbers(7, 0));
        assert_ne!(numbers(7, 0), numbers(7, 1));
        assert_ne!(numbers(7, 0), numbers(8, 0));
    }

    #[test]
    fn everything_is_thrown_and_nothing_else() {
        let mut dice = Dice::new(1, 0);
        let mut seen = [0; 6];
        for _ in 0..600 {
            seen[usize::try_from(dice.between(1, 6)).unwrap() - 1] += 1;
        }
        assert!(seen.iter().all(|count| (60..=140).contains(count)), "{seen:?}");
        assert_eq!(dice.pick::<i32>(&[]), 0);
        assert_eq!(dice.weighed(&[(1, 0), (2, 5)]), 2);
    }

    #[test]
    fn the_past_is_over_and_in_office_hours() {
        let calendar = Calendar {
            now: "2026-03-10T12:00:00Z".parse().unwrap(),
            zone: chrono_tz::America::Sao_Paulo,
        };
        let mut dice = Dice::new(1, 0);
        for days in 0..400 {
            let at = calendar.days_ago(&mut dice, days);
            assert!(at < calendar.now);
            let weekday = calendar.date_of(at).weekday();
            assert!(![Weekday::Sat, Weekday::Sun].contains(&weekday), "{at}");
            assert!(calendar.after(&mut dice, at, 1).is_none_or(|later| later > at));
            assert!(calendar.ahead(&mut dice, days) > calendar.now);
        }
    }
}
