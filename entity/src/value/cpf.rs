//! CPF, the number of a Brazilian person.

use std::fmt;

use super::{ValueError, digits, refusal};

const WRONG_SHAPE: ValueError = refusal("a CPF has 11 digits", "um CPF tem 11 dígitos");
const WRONG_DIGITS: ValueError = refusal(
    "the check digits of the CPF are wrong",
    "os dígitos verificadores do CPF não conferem",
);

/// Normal form: 11 digits. Text, because leading zeros count.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cpf(String);

impl Cpf {
    /// Accepts `529.982.247-25`, with or without punctuation.
    pub fn parse(text: &str) -> Result<Self, ValueError> {
        let all: [u8; 11] = digits(text, &['.', '-', ' ']).ok_or(WRONG_SHAPE)?;
        let Some((&[first, second], body)) = all.split_last_chunk::<2>().map(|(b, c)| (c, b))
        else {
            return Err(WRONG_SHAPE);
        };
        // One digit repeated passes the sum but is nobody's.
        let repeated = all.iter().all(|digit| Some(digit) == all.first());
        let head = all.split_last().map_or(&[][..], |(_, head)| head);
        if repeated || check_digit(body) != first || check_digit(head) != second {
            return Err(WRONG_DIGITS);
        }
        Ok(Self(all.iter().map(|digit| char::from(b'0' + digit)).collect()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Modulo 11, the last digit weighing 2 and each before it one more.
fn check_digit(digits: &[u8]) -> u8 {
    let sum: u32 =
        digits.iter().rev().zip(2u32..).map(|(digit, weight)| u32::from(*digit) * weight).sum();
    // Ten is written as zero.
    u8::try_from(sum * 10 % 11 % 10).unwrap_or_default()
}

impl fmt::Display for Cpf {
    /// As people read it: `000.000.000-00`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, character) in self.0.chars().enumerate() {
            match place {
                3 | 6 => formatter.write_str(".")?,
                9 => formatter.write_str("-")?,
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
        for text in ["52998224725", "11144477735", "12345678909", "39053344705", "00000000191"] {
            assert_eq!(Cpf::parse(text).unwrap().as_str(), text);
        }
        let cpf = Cpf::parse(" 529.982.247-25").unwrap();
        assert_eq!((cpf.as_str(), cpf.to_string().as_str()), ("52998224725", "529.982.247-25"));
    }

    #[test]
    fn wrong_numbers_are_refused() {
        for text in ["11111111111", "52998224724", "12345678900", "00000000000"] {
            assert_eq!(Cpf::parse(text), Err(WRONG_DIGITS), "{text}");
        }
        for text in ["", "5299822472", "529982247255", "5299822472A", "52998224 7२५"] {
            assert_eq!(Cpf::parse(text), Err(WRONG_SHAPE), "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_mask_reads_back(body in proptest::collection::vec(0..10u8, 9)) {
            let mut all = body.clone();
            all.push(check_digit(&all));
            all.push(check_digit(&all));
            let text: String = all.iter().map(ToString::to_string).collect();
            if let Ok(cpf) = Cpf::parse(&text) {
                prop_assert_eq!(cpf.as_str(), text.as_str());
                prop_assert_eq!(Cpf::parse(&cpf.to_string()), Ok(cpf));
            } else {
                prop_assert!(body.iter().all(|digit| *digit == body[0]));
            }
        }

        #[test]
        fn no_text_is_too_strange(text in any::<String>()) {
            if let Ok(cpf) = Cpf::parse(&text) {
                prop_assert_eq!(cpf.as_str().len(), 11);
            }
        }
    }
}
