//! E-mail addresses: loose about the local part, which only its own server understands.

use std::fmt;

use super::{ValueError, refusal};

/// RFC 5321's bound on a path, less its brackets.
const LENGTH_MAX: usize = 254;

const TOO_LONG: ValueError = refusal(
    "an e-mail address has at most 254 characters",
    "um endereço de e-mail tem no máximo 254 caracteres",
);
const WRONG_SHAPE: ValueError = refusal(
    "an e-mail address looks like name@example.com",
    "um endereço de e-mail tem a forma nome@exemplo.com.br",
);

/// Normal form: no spaces around it, the domain in lower case, the local part as written.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Email(String);

impl Email {
    pub fn parse(text: &str) -> Result<Self, ValueError> {
        let text = text.trim();
        let (local, domain) = text.split_once('@').ok_or(WRONG_SHAPE)?;
        let wrong = |character: char| character.is_whitespace() || character.is_control();
        let labels_are_named =
            domain.contains('.') && domain.split('.').all(|label| !label.is_empty());
        if local.is_empty() || domain.contains('@') || text.contains(wrong) || !labels_are_named {
            return Err(WRONG_SHAPE);
        }
        let normal = format!("{local}@{}", domain.to_lowercase());
        if normal.len() > LENGTH_MAX {
            return Err(TOO_LONG);
        }
        Ok(Self(normal))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The address all in lower case: what a login is compared by.
    pub fn to_login(&self) -> String {
        self.0.to_lowercase()
    }
}

impl fmt::Display for Email {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_domain_is_lowered_and_the_local_part_kept() {
        let email = Email::parse("  Ana.Souza+crm@Exemplo.COM.br ").unwrap();
        assert_eq!(email.as_str(), "Ana.Souza+crm@exemplo.com.br");
        assert_eq!(email.to_login(), "ana.souza+crm@exemplo.com.br");
        assert_eq!(
            Email::parse("joão@padaria-são.com.br").unwrap().to_string(),
            "joão@padaria-são.com.br"
        );
    }

    #[test]
    fn what_no_server_has_is_refused() {
        for text in [
            "",
            "ana",
            "ana@",
            "@exemplo.com",
            "a@b@c.com",
            "ana@exemplo",
            "ana@.com",
            "ana@exemplo.",
            "ana@exemplo..com",
            "ana souza@exemplo.com",
            "ana@exem plo.com",
            "ana@exemplo.com\u{0}.br",
        ] {
            assert_eq!(Email::parse(text), Err(WRONG_SHAPE), "{text}");
        }
    }

    #[test]
    fn the_bound_is_254() {
        let longest = format!("{}@exemplo.com", "a".repeat(254 - "@exemplo.com".len()));
        assert_eq!(Email::parse(&longest).unwrap().as_str().len(), 254);
        assert_eq!(Email::parse(&format!("a{longest}")), Err(TOO_LONG));
    }

    proptest! {
        #[test]
        fn the_normal_form_is_its_own(text in "\\PC{1,20}@[a-zA-ZÀ-ú0-9-]{1,10}\\.[a-zA-Z]{2,5}") {
            if let Ok(email) = Email::parse(&text) {
                prop_assert_eq!(Email::parse(email.as_str()), Ok(email));
            }
        }
    }
}
