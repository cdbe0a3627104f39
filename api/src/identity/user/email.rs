//! The form in which e-mail addresses are stored and compared: lower case throughout, although only
//! the domain has to be, because people do not remember capitals.

use entity::value::Email;

use crate::error::{Error, Result, say};

/// The stored form of a new address.
pub(crate) fn checked(text: &str) -> Result<String> {
    match Email::parse(text) {
        Ok(email) => Ok(email.to_login()),
        Err(refusal) => Err(Error::invalid_field("email", say(refusal.en, refusal.pt))),
    }
}

/// The form to look for; what is no address finds nobody.
pub(crate) fn folded(text: &str) -> String {
    Email::parse(text).map_or_else(|_refusal| text.trim().to_lowercase(), |email| email.to_login())
}
