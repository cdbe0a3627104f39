//! What columns hold, in normal form: a value is parsed once at the door and is right from then on.
//!
//! Every type has `parse`, which accepts what people write and says in English and Portuguese what
//! is wrong with it, and `as_str`, the normal form that is stored and compared. All of it is pure.

pub mod cep;
pub mod cnpj;
pub mod cpf;
pub mod currency;
pub mod email;
pub mod fold;
pub mod hex_color;
pub mod money;
pub mod phone;

pub use cep::Cep;
pub use cnpj::Cnpj;
pub use cpf::Cpf;
pub use currency::Currency;
pub use email::Email;
pub use fold::{fold, search_text};
pub use hex_color::HexColor;
pub use money::Money;
pub use phone::Phone;

/// Why a text is not a value of its type, in a sentence for each language.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{en}")]
pub struct ValueError {
    pub en: &'static str,
    pub pt: &'static str,
}

/// The same sentence in both languages, side by side, so that neither can be forgotten.
const fn refusal(en: &'static str, pt: &'static str) -> ValueError {
    ValueError { en, pt }
}

/// The text's digits, when it has exactly `COUNT` of them and nothing else but `punctuation`.
fn digits<const COUNT: usize>(text: &str, punctuation: &[char]) -> Option<[u8; COUNT]> {
    let mut found = [0; COUNT];
    let mut places = found.iter_mut();
    for character in text.trim().chars().filter(|character| !punctuation.contains(character)) {
        let digit = u8::try_from(character.to_digit(10)?).ok()?;
        *places.next()? = digit;
    }
    places.next().is_none().then_some(found)
}
