//! Telephone numbers in E.164. Brazilian ones are checked by Anatel's plan and may come without
//! `+55`; those of other countries begin with `+` and are only measured.

use std::fmt;

use super::{ValueError, refusal};

const WRONG_SHAPE: ValueError = refusal(
    "a telephone number has an area code and 8 or 9 digits, or begins with + and the country's code",
    "um telefone tem DDD e 8 ou 9 dígitos, ou começa com + e o código do país",
);
const WRONG_PLAN: ValueError = refusal(
    "a Brazilian number has an area code without zeros, then 9 and 8 digits (mobile) or 8 digits that begin with 2 to 5",
    "um número brasileiro tem DDD sem zeros e 9 mais 8 dígitos (celular) ou 8 dígitos que começam com 2 a 5",
);

/// E.164 counts at most 15 digits; fewer than 8 reach nobody abroad.
const DIGITS_ABROAD: std::ops::RangeInclusive<usize> = 8..=15;

/// Normal form: `+` and digits, the country's code first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Phone(String);

impl Phone {
    /// Accepts spaces, brackets, dots and dashes anywhere, and a Brazilian trunk zero.
    pub fn parse(text: &str) -> Result<Self, ValueError> {
        let text = text.trim();
        let (abroad, rest) = text.strip_prefix('+').map_or((false, text), |rest| (true, rest));
        let mut digits = String::with_capacity(rest.len());
        for character in rest.chars() {
            match character {
                '0'..='9' => digits.push(character),
                ' ' | '(' | ')' | '.' | '-' | '\u{a0}' => {}
                _ => return Err(WRONG_SHAPE),
            }
        }
        if !abroad {
            return brazilian(national(&digits));
        }
        if let Some(number) = digits.strip_prefix("55") {
            return brazilian(number);
        }
        // No country's code begins with zero.
        if !DIGITS_ABROAD.contains(&digits.len()) || digits.starts_with('0') {
            return Err(WRONG_SHAPE);
        }
        Ok(Self(format!("+{digits}")))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What is left of a number dialled inside Brazil: without the country's code (12 or 13 digits, so
/// that area 55 is not taken for it) or the trunk zero.
fn national(digits: &str) -> &str {
    match (digits.len(), digits.strip_prefix("55"), digits.strip_prefix('0')) {
        (12 | 13, Some(number), _) => number,
        (11 | 12, None, Some(number)) => number,
        _ => digits,
    }
}

fn brazilian(number: &str) -> Result<Phone, ValueError> {
    let (area, subscriber) = number.split_at_checked(2).ok_or(WRONG_SHAPE)?;
    let mobile = subscriber.len() == 9 && subscriber.starts_with('9');
    let landline = subscriber.len() == 8 && subscriber.starts_with(['2', '3', '4', '5']);
    if !matches!(subscriber.len(), 8 | 9) {
        return Err(WRONG_SHAPE);
    }
    if area.contains('0') || !(mobile || landline) {
        return Err(WRONG_PLAN);
    }
    Ok(Phone(format!("+55{number}")))
}

impl fmt::Display for Phone {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn brazilian_numbers_come_in_many_ways() {
        for text in [
            "+5511987654321",
            "+55 (11) 98765-4321",
            "5511987654321",
            "11987654321",
            "(11) 98765-4321",
            "011987654321",
            " 11 98765.4321 ",
        ] {
            assert_eq!(Phone::parse(text).unwrap().as_str(), "+5511987654321", "{text}");
        }
        for text in ["1132654321", "+551132654321", "551132654321", "01132654321"] {
            assert_eq!(Phone::parse(text).unwrap().as_str(), "+551132654321", "{text}");
        }
        // Area 55 (Santa Maria) is not the country's code.
        assert_eq!(Phone::parse("55987654321").unwrap().as_str(), "+5555987654321");
        assert_eq!(Phone::parse("5532214321").unwrap().as_str(), "+555532214321");
    }

    #[test]
    fn brazilian_numbers_keep_the_plan() {
        for text in ["10987654321", "+5501987654321", "1187654321", "11887654321", "1162654321"] {
            assert_eq!(Phone::parse(text), Err(WRONG_PLAN), "{text}");
        }
        for text in ["", "+", "+55", "987654321", "119876543210", "telefone", "11 98765-432x"] {
            assert_eq!(Phone::parse(text), Err(WRONG_SHAPE), "{text}");
        }
    }

    #[test]
    fn other_countries_begin_with_plus() {
        assert_eq!(Phone::parse("+1 (415) 555-2671").unwrap().as_str(), "+14155552671");
        assert_eq!(Phone::parse("+351 912 345 678").unwrap().as_str(), "+351912345678");
        assert_eq!(Phone::parse("+12345678").unwrap().as_str(), "+12345678");
        for text in
            ["+1234567", "+1234567890123456", "+0123456789", "14155552671x", "++14155552671"]
        {
            assert_eq!(Phone::parse(text), Err(WRONG_SHAPE), "{text}");
        }
    }

    proptest! {
        #[test]
        fn the_normal_form_is_its_own(text in "\\+?[0-9 ()-]{8,20}") {
            if let Ok(phone) = Phone::parse(&text) {
                prop_assert!(phone.as_str().len() <= 16);
                prop_assert_eq!(Phone::parse(phone.as_str()), Ok(phone));
            }
        }

        #[test]
        fn mobiles_need_no_country(area in 11..100u32, number in 0..100_000_000u32) {
            prop_assume!(area % 10 != 0);
            let national = format!("{area}9{number:08}");
            let expected = format!("+55{national}");
            let phone = Phone::parse(&national).unwrap();
            prop_assert_eq!(phone.as_str(), expected.as_str());
        }
    }
}
