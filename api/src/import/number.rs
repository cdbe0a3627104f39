//! Numbers as people write them -> exact numbers. No float is ever made on the way.

use super::plan::Number;
use crate::error::{Error, Result, say};

/// `units` / 10^`places`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Exact {
    units: i128,
    places: u32,
}

/// Digits that a number may have.
const DIGITS_MAX: usize = 36;

/// Reads a number and multiplies it by ten as often as the format says.
pub(super) fn parse(text: &str, number: Number) -> Result<Exact> {
    let refuse = || wrong(text);
    let text = text.trim();
    let (negative, unsigned) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (whole, fraction) = unsigned.split_once(number.decimal).unwrap_or((unsigned, ""));
    let whole = ungrouped(whole, number.grouping).ok_or_else(refuse)?;
    let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let digits = format!("{whole}{fraction}");
    if digits.is_empty() || !all_digits(&digits) || digits.len() > DIGITS_MAX {
        return Err(refuse());
    }
    let units: i128 = digits.parse().map_err(|_too_large| refuse())?;
    let units = if negative { -units } else { units };
    let places = i32::try_from(fraction.len()).map_err(|_too_long| refuse())? - number.scale;
    if let Ok(places) = u32::try_from(places) {
        return Ok(Exact { units, places });
    }
    let factor = 10_i128.checked_pow(places.unsigned_abs()).ok_or_else(refuse)?;
    Ok(Exact { units: units.checked_mul(factor).ok_or_else(refuse)?, places: 0 })
}

/// Groups of three digits, as in `1.234.567`; anything else that holds the sign is no number.
fn ungrouped(whole: &str, grouping: Option<char>) -> Option<String> {
    let Some(sign) = grouping.filter(|sign| whole.contains(*sign)) else {
        return Some(whole.to_owned());
    };
    let mut groups = whole.split(sign);
    let first = groups.next().unwrap_or_default();
    let well_made = (1..=3).contains(&first.len()) && groups.all(|group| group.len() == 3);
    well_made.then(|| whole.replace(sign, ""))
}

impl Exact {
    pub(super) fn to_int(self) -> Result<i64> {
        self.times_ten_to(0).ok_or_else(|| {
            Error::invalid(say("expected a whole number", "esperava um número inteiro"))
        })
    }

    /// An amount of money as the database has it.
    pub(super) fn to_hundredths(self) -> Result<i64> {
        self.times_ten_to(2).ok_or_else(|| {
            Error::invalid(say(
                "an amount has at most two decimals and 17 digits",
                "um valor tem no máximo duas casas decimais e 17 dígitos",
            ))
        })
    }

    /// Nothing where digits would be lost.
    fn times_ten_to(self, exponent: u32) -> Option<i64> {
        let units = self.units.checked_mul(10_i128.checked_pow(exponent)?)?;
        let divisor = 10_i128.checked_pow(self.places)?;
        (units % divisor == 0).then(|| i64::try_from(units / divisor).ok()).flatten()
    }

    /// In digits, without zeros that say nothing.
    pub(super) fn to_text(self) -> String {
        let sign = if self.units < 0 { "-" } else { "" };
        let places = usize::try_from(self.places).unwrap_or_default();
        let digits = format!("{:0>width$}", self.units.unsigned_abs(), width = places + 1);
        let (whole, fraction) = digits.split_at(digits.len() - places);
        let fraction = fraction.trim_end_matches('0');
        if fraction.is_empty() {
            format!("{sign}{whole}")
        } else {
            format!("{sign}{whole}.{fraction}")
        }
    }
}

fn wrong(text: &str) -> Error {
    let shown: String = text.chars().take(60).collect();
    Error::invalid(say(
        format!("\"{shown}\" is not a number"),
        format!("\"{shown}\" não é um número"),
    ))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn plain(text: &str) -> Result<Exact> {
        parse(text, Number::default())
    }

    fn scaled(text: &str, scale: i32) -> Result<Exact> {
        parse(text, Number { scale, ..Number::default() })
    }

    #[test]
    fn millions_become_hundredths_without_a_float() {
        assert_eq!(scaled("1100.04", 6).unwrap().to_hundredths().unwrap(), 110_004_000_000);
        assert_eq!(scaled("251.41", 6).unwrap().to_hundredths().unwrap(), 25_141_000_000);
        assert_eq!(scaled("0.00000001", 6).unwrap().to_hundredths().unwrap(), 1);
        assert!(scaled("0.000000001", 6).unwrap().to_hundredths().is_err());
        assert_eq!(scaled("12345", -2).unwrap().to_hundredths().unwrap(), 12_345);
    }

    #[test]
    fn numbers_are_read_as_they_are_written_here() {
        let brazilian = Number { decimal: ',', grouping: Some('.'), scale: 0 };
        for (text, hundredths) in
            [("1.234.567,89", 123_456_789), ("12,5", 1_250), ("1.000", 100_000), ("-7", -700)]
        {
            assert_eq!(parse(text, brazilian).unwrap().to_hundredths().unwrap(), hundredths);
        }
        for text in ["1.23", "1.2345", ".123", "1234.567", "1,2,3", "", "-", "R$ 5"] {
            assert!(parse(text, brazilian).is_err(), "{text}");
        }
        assert!(plain("1,234").is_err());
        assert!(plain("1e3").is_err());
        assert!(plain("9".repeat(40).as_str()).is_err());
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        assert_eq!(plain("12.00").unwrap().to_int().unwrap(), 12);
        assert!(plain("12.5").unwrap().to_int().is_err());
        assert!(plain("1.005").unwrap().to_hundredths().is_err());
        assert!(plain("99999999999999999999").unwrap().to_int().is_err());
    }

    #[test]
    fn decimals_are_shown_as_they_are() {
        for (text, shown) in
            [("0.50", "0.5"), ("-0.05", "-0.05"), ("1100", "1100"), ("-3.10", "-3.1"), ("007", "7")]
        {
            assert_eq!(plain(text).unwrap().to_text(), shown);
        }
    }

    proptest! {
        #[test]
        fn every_amount_reads_back(hundredths in any::<i64>()) {
            let sign = if hundredths < 0 { "-" } else { "" };
            let (whole, cents) = (hundredths.unsigned_abs() / 100, hundredths.unsigned_abs() % 100);
            let text = format!("{sign}{whole}.{cents:02}");
            prop_assert_eq!(plain(&text).unwrap().to_hundredths().unwrap(), hundredths);
        }

        #[test]
        fn no_text_stops_it(text in ".{0,40}", scale in -12_i32..=12) {
            if let Ok(exact) = scaled(&text, scale) {
                prop_assert!(!exact.to_text().is_empty());
            }
        }
    }
}
