//! CNPJ, the number of a Brazilian company: numeric, and alphanumeric as the Receita Federal gives
//! them out since July 2026 (Nota Técnica 49/2024). One rule checks both.

use std::fmt;

use super::{ValueError, refusal};

const LENGTH: usize = 14;
const WEIGHTS: [u32; LENGTH - 1] = [6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2];

const WRONG_SHAPE: ValueError = refusal(
    "a CNPJ has 12 letters or digits and 2 check digits",
    "um CNPJ tem 12 letras ou dígitos e 2 dígitos verificadores",
);
const WRONG_DIGITS: ValueError = refusal(
    "the check digits of the CNPJ are wrong",
    "os dígitos verificadores do CNPJ não conferem",
);

/// Normal form: 14 upper-case characters without punctuation.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cnpj(String);

impl Cnpj {
    /// Accepts `12.ABC.345/01DE-35` in any case, with or without punctuation.
    pub fn parse(text: &str) -> Result<Self, ValueError> {
        let normal: String = text
            .trim()
            .chars()
            .filter(|character| !matches!(character, '.' | '/' | '-' | ' '))
            .map(|character| character.to_ascii_uppercase())
            .collect();
        let bytes = normal.as_bytes();
        let Some((body, check)) = bytes.split_last_chunk::<2>().filter(|(body, check)| {
            body.len() == LENGTH - 2
                && body.iter().all(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase())
                && check.iter().all(u8::is_ascii_digit)
        }) else {
            return Err(WRONG_SHAPE);
        };
        // One character repeated passes the sum but is no company's: nobody was given it.
        let repeated = body.iter().all(|byte| Some(byte) == body.first());
        let first = check_digit(body);
        let second = check_digit(bytes.get(..LENGTH - 1).unwrap_or_default());
        if repeated || *check != [first, second] {
            return Err(WRONG_DIGITS);
        }
        Ok(Self(normal))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Modulo 11 over the characters' ASCII codes less 48, the last character weighing 2.
fn check_digit(bytes: &[u8]) -> u8 {
    let weights = WEIGHTS.iter().rev();
    let sum: u32 = bytes
        .iter()
        .rev()
        .zip(weights)
        .map(|(byte, weight)| u32::from(byte.saturating_sub(b'0')) * weight)
        .sum();
    match sum % 11 {
        0 | 1 => b'0',
        rest => b'0' + u8::try_from(11 - rest).unwrap_or_default(),
    }
}

impl fmt::Display for Cnpj {
    /// As people read it: `AA.AAA.AAA/AAAA-DD`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, character) in self.0.chars().enumerate() {
            match place {
                2 | 5 => formatter.write_str(".")?,
                8 => formatter.write_str("/")?,
                12 => formatter.write_str("-")?,
                _ => {}
            }
            write!(formatter, "{character}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn known_numbers_are_accepted() {
        for text in [
            "11222333000181",
            "11444777000161",
            "00000000000191",
            "12ABC34501DE35",
            "ZZZZZZZZ000191",
            "0000000000E039",
        ] {
            assert_eq!(Cnpj::parse(text).unwrap().as_str(), text);
        }
    }

    #[test]
    fn punctuation_and_case_do_not_matter() {
        let cnpj = Cnpj::parse(" 12.abc.345/01de-35 ").unwrap();
        assert_eq!(cnpj.as_str(), "12ABC34501DE35");
        assert_eq!(cnpj.to_string(), "12.ABC.345/01DE-35");
    }

    #[test]
    fn wrong_numbers_are_refused() {
        for text in [
            "12ABC34501DE34",
            "00000000000000",
            "11111111111111",
            "AAAAAAAAAAAA45",
            "11222333000182",
        ] {
            assert_eq!(Cnpj::parse(text), Err(WRONG_DIGITS), "{text}");
        }
        for text in
            ["", "12abc34501de3X", "1122233300018", "112223330001811", "1122233300018É", "ÁÁ"]
        {
            assert_eq!(Cnpj::parse(text), Err(WRONG_SHAPE), "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_mask_reads_back(body in "[0-9A-Z]{12}") {
            let first = char::from(check_digit(body.as_bytes()));
            let second = char::from(check_digit(format!("{body}{first}").as_bytes()));
            let text = format!("{body}{first}{second}");
            if let Ok(cnpj) = Cnpj::parse(&text) {
                prop_assert_eq!(cnpj.as_str(), text.as_str());
                prop_assert_eq!(Cnpj::parse(&cnpj.to_string()), Ok(cnpj));
            } else {
                let mut characters = body.chars();
                let head = characters.next();
                prop_assert!(characters.all(|character| Some(character) == head));
            }
        }

        #[test]
        fn one_wrong_check_digit_is_seen(body in "[0-9A-Z]{12}", wrong in 1..10u8) {
            let first = char::from(check_digit(body.as_bytes()));
            let second = check_digit(format!("{body}{first}").as_bytes());
            let other = char::from(b'0' + (second - b'0' + wrong) % 10);
            let text = format!("{body}{first}{other}");
            prop_assert!(Cnpj::parse(&text).is_err());
        }

        #[test]
        fn no_text_is_too_strange(text in any::<String>()) {
            if let Ok(cnpj) = Cnpj::parse(&text) {
                prop_assert_eq!(cnpj.as_str().len(), 14);
            }
        }
    }
}
