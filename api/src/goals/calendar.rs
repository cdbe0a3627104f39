//! Working days of the Brazilian calendar: Monday to Friday but for the national holidays by law
//! (Lei 662/1949, 6.802/1980, 14.759/2023) and the days on which business stands still without one:
//! Carnival's Monday and Tuesday, and Corpus Christi. Pure: no I/O, no clock.

use std::collections::BTreeSet;

use chrono::{Datelike, NaiveDate, TimeDelta, Weekday};

/// Month and day of the holidays that do not move.
const FIXED: [(u32, u32); 8] =
    [(1, 1), (4, 21), (5, 1), (9, 7), (10, 12), (11, 2), (11, 15), (12, 25)];
/// Zumbi and Black Consciousness, a national holiday since this year.
const NOVEMBER_20_SINCE: i32 = 2024;

/// Working days from a day (inclusive) to a day (exclusive).
pub(super) fn working_days(from: NaiveDate, to: NaiveDate) -> i64 {
    let days = (to - from).num_days().max(0);
    let rest = from.iter_days().take(usize::try_from(days % 7).unwrap_or_default());
    let weekdays = days / 7 * 5 + rest.map(|day| i64::from(is_weekday(day))).sum::<i64>();
    // A day may be a holiday for two reasons.
    let holidays: BTreeSet<NaiveDate> = (from.year()..=to.year()).flat_map(holidays).collect();
    let lost = holidays.into_iter().filter(|day| (from..to).contains(day) && is_weekday(*day));
    weekdays - lost.map(|_| 1).sum::<i64>()
}

fn is_weekday(day: NaiveDate) -> bool {
    !matches!(day.weekday(), Weekday::Sat | Weekday::Sun)
}

fn holidays(year: i32) -> impl Iterator<Item = NaiveDate> {
    let zumbi = (year >= NOVEMBER_20_SINCE).then_some((11, 20));
    let fixed = FIXED.into_iter().chain(zumbi);
    let fixed = fixed.filter_map(move |(month, day)| NaiveDate::from_ymd_opt(year, month, day));
    let of_easter = [-48, -47, -2, 60];
    let moving = easter(year).into_iter().flat_map(move |easter| {
        of_easter.into_iter().map(move |days| easter + TimeDelta::days(days))
    });
    fixed.chain(moving)
}

/// Easter Sunday of the Gregorian calendar, by Meeus, Jones and Butcher.
fn easter(year: i32) -> Option<NaiveDate> {
    let golden = year.rem_euclid(19);
    let (century, of_century) = (year.div_euclid(100), year.rem_euclid(100));
    let skipped = (century + 8).div_euclid(25);
    let moon = (century - skipped + 1).div_euclid(3);
    let epact = (19 * golden + century - century.div_euclid(4) - moon + 15).rem_euclid(30);
    let weekday = (32 + 2 * century.rem_euclid(4) + 2 * of_century.div_euclid(4)
        - epact
        - of_century.rem_euclid(4))
    .rem_euclid(7);
    let late = (golden + 11 * epact + 22 * weekday).div_euclid(451);
    let sum = epact + weekday - 7 * late + 114;
    let month = u32::try_from(sum.div_euclid(31)).ok()?;
    NaiveDate::from_ymd_opt(year, month, u32::try_from(sum.rem_euclid(31)).ok()? + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn is_working_day(day: NaiveDate) -> bool {
        working_days(day, day.succ_opt().unwrap()) == 1
    }

    #[test]
    fn easter_falls_where_the_tables_say() {
        for (year, expected) in
            [(2000, "2000-04-23"), (2017, "2017-04-16"), (2024, "2024-03-31"), (2026, "2026-04-05")]
        {
            assert_eq!(easter(year), Some(day(expected)));
        }
    }

    #[test]
    fn business_stands_still_on_holidays_and_weekends() {
        for holiday in ["2026-02-16", "2026-02-17", "2026-04-03", "2026-06-04", "2026-09-07"] {
            assert!(!is_working_day(day(holiday)), "{holiday}");
        }
        assert!(!is_working_day(day("2024-11-20")) && is_working_day(day("2023-11-20")));
    }

    #[test]
    fn months_have_their_weekdays_less_their_holidays() {
        // April has Good Friday and Tiradentes.
        assert_eq!(working_days(day("2026-03-01"), day("2026-04-01")), 22);
        assert_eq!(working_days(day("2026-04-01"), day("2026-05-01")), 20);
        // Good Friday was Tiradentes' day.
        assert_eq!(working_days(day("2000-04-01"), day("2000-05-01")), 19);
        // Not a day, and less than one.
        assert_eq!(working_days(day("2026-03-02"), day("2026-03-02")), 0);
        assert_eq!(working_days(day("2026-03-02"), day("2026-02-02")), 0);
    }
}
