//! Colours as browsers write them.

use std::fmt;

use super::{ValueError, refusal};

const WRONG_SHAPE: ValueError =
    refusal("a color looks like #6B7280", "uma cor tem a forma #6B7280");

/// Normal form: `#RRGGBB`, upper case.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HexColor(String);

impl HexColor {
    pub fn parse(text: &str) -> Result<Self, ValueError> {
        let digits = text.trim().strip_prefix('#').ok_or(WRONG_SHAPE)?;
        if digits.len() != 6 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(WRONG_SHAPE);
        }
        Ok(Self(format!("#{}", digits.to_ascii_uppercase())))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for HexColor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_six_digits_are_a_color() {
        assert_eq!(HexColor::parse(" #6b72Ff ").unwrap().as_str(), "#6B72FF");
        for text in ["", "#", "6B7280", "#6B728", "#6B72800", "#6B728G", "#ééé", "red"] {
            assert_eq!(HexColor::parse(text), Err(WRONG_SHAPE), "{text}");
        }
    }

    proptest! {
        #[test]
        fn the_normal_form_is_its_own(text in "#[0-9a-fA-F]{6}") {
            let color = HexColor::parse(&text).unwrap();
            prop_assert_eq!(HexColor::parse(color.as_str()), Ok(color));
        }
    }
}
