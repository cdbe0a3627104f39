//! Amounts of money as whole hundredths of a currency: exact on both databases, where a decimal is
//! a float on one of them. No float is ever made on the way.

use super::{Currency, ValueError, refusal};

const WRONG_SHAPE: ValueError = refusal(
    "an amount is written with digits and a point, such as 1234.50",
    "um valor se escreve com dígitos e ponto, como 1234.50",
);
const TOO_FINE: ValueError =
    refusal("an amount has at most two decimals", "um valor tem no máximo duas casas decimais");
const NOT_WHOLE: ValueError = refusal(
    "this currency has no decimals: the amount must be whole",
    "esta moeda não tem centavos: o valor deve ser inteiro",
);
const TOO_LARGE: ValueError = refusal("the amount is too large", "o valor é grande demais");

/// An amount in hundredths, whatever the currency's own decimals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Money(i64);

impl Money {
    pub const fn from_hundredths(hundredths: i64) -> Self {
        Self(hundredths)
    }

    pub const fn hundredths(self) -> i64 {
        self.0
    }

    /// As a number of units, for charts: never for sums.
    #[expect(clippy::cast_precision_loss, reason = "chart values are floats by contract")]
    pub fn as_float(self) -> f64 {
        self.0 as f64 / 100.0
    }

    /// Reads `1234.5`, `-0.01`, `.5` or `+7` exactly. Decimals past the second must be zeros;
    /// exponents, grouping and decimal commas are refused, because guessing them loses money.
    pub fn parse(text: &str) -> Result<Self, ValueError> {
        let text = text.trim();
        let (negative, unsigned) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
        let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        let empty = whole.is_empty() && fraction.is_empty();
        if empty || !all_digits(whole) || !all_digits(fraction) {
            return Err(WRONG_SHAPE);
        }
        let (kept, dropped) = fraction.split_at_checked(2).unwrap_or((fraction, ""));
        if dropped.bytes().any(|byte| byte != b'0') {
            return Err(TOO_FINE);
        }
        // Built on the negative side, which reaches one further.
        let padding = if kept.is_empty() {
            "00"
        } else if kept.len() == 1 {
            "0"
        } else {
            ""
        };
        let hundredths = [whole, kept, padding]
            .iter()
            .flat_map(|part| part.bytes())
            .try_fold(0_i64, |sum, byte| {
                sum.checked_mul(10)?.checked_sub(i64::from(byte.saturating_sub(b'0')))
            })
            .and_then(|sum| if negative { Some(sum) } else { sum.checked_neg() });
        hundredths.map(Self).ok_or(TOO_LARGE)
    }

    /// As [`Money::parse`], refusing what `currency` cannot hold.
    pub fn parse_in(text: &str, currency: Currency) -> Result<Self, ValueError> {
        Self::parse(text)?.checked_in(currency)
    }

    /// The same amount, if `currency` can hold it: whole where it has no decimals.
    pub fn checked_in(self, currency: Currency) -> Result<Self, ValueError> {
        if currency.minor_digits() == 0 && self.0 % 100 != 0 {
            return Err(NOT_WHOLE);
        }
        Ok(self)
    }

    /// As the currency writes it: `1054.00`, and `1054` where it has no decimals. An amount that
    /// such a currency cannot hold shows its decimals rather than hide them.
    pub fn format(self, currency: Currency) -> String {
        let sign = if self.0 < 0 { "-" } else { "" };
        let (whole, fraction) = (self.0.unsigned_abs() / 100, self.0.unsigned_abs() % 100);
        if currency.minor_digits() == 0 && fraction == 0 {
            format!("{sign}{whole}")
        } else {
            format!("{sign}{whole}.{fraction:02}")
        }
    }
}

/// As [`Money::parse`], for those who store the number.
pub fn parse_hundredths(text: &str) -> Result<i64, ValueError> {
    Money::parse(text).map(Money::hundredths)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn yen() -> Currency {
        Currency::parse("JPY").unwrap()
    }

    #[test]
    fn amounts_are_read_exactly() {
        for (text, hundredths) in [
            ("1234.5", 123_450),
            ("-0.01", -1),
            ("0", 0),
            ("-0", 0),
            (".5", 50),
            ("5.", 500),
            ("+7", 700),
            (" 1054.00 ", 105_400),
            ("1.230000", 123),
            ("0.29", 29),
            ("0001.10", 110),
            ("92233720368547758.07", i64::MAX),
            ("-92233720368547758.08", i64::MIN),
        ] {
            assert_eq!(Money::parse(text), Ok(Money(hundredths)), "{text}");
        }
    }

    #[test]
    fn what_would_lose_money_is_refused() {
        for (text, error) in [
            ("", WRONG_SHAPE),
            (".", WRONG_SHAPE),
            ("-", WRONG_SHAPE),
            ("1e3", WRONG_SHAPE),
            ("1,50", WRONG_SHAPE),
            ("1.234,50", WRONG_SHAPE),
            ("1 000", WRONG_SHAPE),
            ("R$ 10", WRONG_SHAPE),
            ("--1", WRONG_SHAPE),
            ("1.2.3", WRONG_SHAPE),
            ("NaN", WRONG_SHAPE),
            ("١", WRONG_SHAPE),
            ("0.001", TOO_FINE),
            ("1.2300001", TOO_FINE),
            ("92233720368547758.08", TOO_LARGE),
            ("-92233720368547758.09", TOO_LARGE),
            ("99999999999999999999", TOO_LARGE),
        ] {
            assert_eq!(Money::parse(text), Err(error), "{text}");
        }
    }

    #[test]
    fn a_currency_without_decimals_takes_whole_amounts() {
        assert_eq!(Money::parse_in("1054", yen()), Ok(Money(105_400)));
        assert_eq!(Money::parse_in("1054.00", yen()), Ok(Money(105_400)));
        assert_eq!(Money::parse_in("1054.50", yen()), Err(NOT_WHOLE));
        assert_eq!(Money(105_400).format(yen()), "1054");
        assert_eq!(Money(-105_450).format(yen()), "-1054.50");
        assert_eq!(Money(105_400).format(Currency::BRL), "1054.00");
        assert_eq!(Money(-1).format(Currency::BRL), "-0.01");
        assert_eq!(Money(i64::MIN).format(Currency::BRL), "-92233720368547758.08");
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(hundredths in any::<i64>()) {
            let money = Money::from_hundredths(hundredths);
            prop_assert_eq!(Money::parse(&money.format(Currency::BRL)), Ok(money));
            prop_assert_eq!(Money::parse(&money.format(yen())), Ok(money));
        }

        #[test]
        fn no_text_is_too_strange(text in "[-+.0-9eE, ]{0,30}") {
            if let Ok(money) = Money::parse(&text) {
                prop_assert_eq!(Money::parse(&money.format(Currency::BRL)), Ok(money));
            }
        }
    }
}
