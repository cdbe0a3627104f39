//! CEP, the Brazilian postal code. It has no check digit.

use std::fmt;

use super::{ValueError, digits, refusal};

const WRONG_SHAPE: ValueError = refusal("a CEP has 8 digits", "um CEP tem 8 dígitos");

/// Normal form: 8 digits. Text, because leading zeros count.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cep(String);

impl Cep {
    /// Accepts `01310-100`, with or without punctuation.
    pub fn parse(text: &str) -> Result<Self, ValueError> {
        let all: [u8; 8] = digits(text, &['.', '-', ' ']).ok_or(WRONG_SHAPE)?;
        Ok(Self(all.iter().map(|digit| char::from(b'0' + digit)).collect()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Cep {
    /// As people read it: `00000-000`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (area, place) = self.0.split_at_checked(5).unwrap_or((&self.0, ""));
        write!(formatter, "{area}-{place}")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn codes_are_read_with_and_without_punctuation() {
        for text in ["01310-100", "01310100", "01.310-100", " 01310 100 "] {
            let cep = Cep::parse(text).unwrap();
            assert_eq!((cep.as_str(), cep.to_string().as_str()), ("01310100", "01310-100"));
        }
        for text in ["", "1310-100", "013101000", "0131O-100", "١٢٣٤٥٦٧٨"] {
            assert_eq!(Cep::parse(text), Err(WRONG_SHAPE), "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_mask_reads_back(text in "[0-9]{8}") {
            let cep = Cep::parse(&text).unwrap();
            prop_assert_eq!(cep.as_str(), text.as_str());
            prop_assert_eq!(Cep::parse(&cep.to_string()), Ok(cep));
        }
    }
}
