//! Normal forms of values, as declarations name them. The rules themselves live in `entity::value`.

use entity::value::{cep, cnpj, currency, email, hex_color, phone};

use crate::db::Value;
use crate::error::{Error, Result, say};

fn text(value: Value, normal: impl FnOnce(&str) -> Result<String>) -> Result<Value> {
    if let Value::Text(text) = &value { normal(text).map(Value::Text) } else { Ok(value) }
}

fn refuse(error: entity::value::ValueError) -> Error {
    Error::invalid(say(error.en, error.pt))
}

/// CNPJ, numeric or alphanumeric, without punctuation.
pub fn cnpj(value: Value) -> Result<Value> {
    text(value, |text| Ok(cnpj::Cnpj::parse(text).map_err(refuse)?.as_str().to_owned()))
}

/// CEP, eight digits.
pub fn cep(value: Value) -> Result<Value> {
    text(value, |text| Ok(cep::Cep::parse(text).map_err(refuse)?.as_str().to_owned()))
}

pub fn email(value: Value) -> Result<Value> {
    text(value, |text| Ok(email::Email::parse(text).map_err(refuse)?.as_str().to_owned()))
}

/// E.164.
pub fn phone(value: Value) -> Result<Value> {
    text(value, |text| Ok(phone::Phone::parse(text).map_err(refuse)?.as_str().to_owned()))
}

/// An amount that is owed to nobody.
pub fn not_negative(value: Value) -> Result<Value> {
    if matches!(value, Value::Int(amount) if amount < 0) {
        return Err(Error::invalid(say("must not be negative", "não pode ser negativo")));
    }
    Ok(value)
}

/// ISO 4217.
pub fn currency(value: Value) -> Result<Value> {
    text(value, |text| Ok(currency::Currency::parse(text).map_err(refuse)?.as_str().to_owned()))
}

/// `#RRGGBB`.
pub fn color(value: Value) -> Result<Value> {
    text(value, |text| Ok(hex_color::HexColor::parse(text).map_err(refuse)?.as_str().to_owned()))
}

/// Brazilian state or foreign region: two letters, upper case.
pub fn two_letters(value: Value) -> Result<Value> {
    text(value, |text| {
        let code = text.trim().to_ascii_uppercase();
        if code.len() == 2 && code.bytes().all(|byte| byte.is_ascii_uppercase()) {
            Ok(code)
        } else {
            Err(Error::invalid(say("two letters, as SP", "duas letras, como SP")))
        }
    })
}

/// `http://` or `https://`.
pub fn url(value: Value) -> Result<Value> {
    text(value, |text| {
        let trimmed = text.trim();
        if trimmed.starts_with("https://") || trimmed.starts_with("http://") {
            Ok(trimmed.to_owned())
        } else {
            Err(Error::invalid(say(
                "a URL begins with https:// or http://",
                "uma URL começa com https:// ou http://",
            )))
        }
    })
}

/// Lower-case letters, digits and single hyphens.
pub fn slug(value: Value) -> Result<Value> {
    text(value, |text| {
        let fits = !text.is_empty()
            && !text.starts_with('-')
            && !text.ends_with('-')
            && text
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
        if fits {
            Ok(text.to_owned())
        } else {
            Err(Error::invalid(say(
                "a slug has lower-case letters, digits and hyphens",
                "um slug tem letras minúsculas, dígitos e hifens",
            )))
        }
    })
}

/// An e-mail that somebody signs in with: lower case throughout, so that it is unique as written.
pub fn login_email(value: Value) -> Result<Value> {
    text(value, |text| Ok(email::Email::parse(text).map_err(refuse)?.to_login()))
}
