//! What a new password must be, by NIST SP 800-63B: long enough, none of those that are tried first,
//! not what everybody knows of its owner. No rules about kinds of characters, no expiry.

use crate::error::{Error, Result, say};
use crate::limits;

/// The commonest passwords of eight characters and more, in lower case, from public lists of leaked
/// ones in English and Portuguese; what is a run or a repetition is found by rule.
const COMMON: [&str; 96] = [
    "1q2w3e4r",
    "1q2w3e4r5t",
    "1q2w3e4r5t6y",
    "1qaz2wsx",
    "1qaz2wsx3edc",
    "a1b2c3d4",
    "aa123456",
    "aa12345678",
    "abc12345",
    "abc123456",
    "abcd1234",
    "abcd12345",
    "admin123",
    "admin1234",
    "admin12345",
    "administrador",
    "administrator",
    "amor1234",
    "asdf1234",
    "asdfasdf",
    "asdfghjkl",
    "baseball",
    "batman123",
    "beatriz123",
    "brasil123",
    "brasil2014",
    "brasil2022",
    "changeme",
    "charlie1",
    "chocolate",
    "computer",
    "corinthians",
    "corinthians1",
    "cruzeiro",
    "deus1234",
    "deusefiel",
    "deusefiel7",
    "dragon123",
    "empresa123",
    "familia1",
    "felicidade",
    "flamengo",
    "flamengo1",
    "flamengo10",
    "football",
    "football1",
    "gabriela",
    "gabriel123",
    "hello123",
    "iloveyou",
    "iloveyou1",
    "internet",
    "jesus123",
    "jesuscristo",
    "jesusteama",
    "letmein1",
    "letmein123",
    "liverpool",
    "master123",
    "michelle",
    "minhasenha",
    "monkey123",
    "mudar123",
    "mustang1",
    "p@ssw0rd",
    "p@ssword",
    "palmeiras",
    "pass1234",
    "passw0rd",
    "password",
    "password1",
    "password12",
    "password123",
    "password1234",
    "princesa",
    "princess",
    "princess1",
    "q1w2e3r4",
    "qazwsxedc",
    "qwer1234",
    "qwerty12",
    "qwerty123",
    "qwerty1234",
    "qwertyui",
    "qwertyuiop",
    "saopaulo",
    "senha123",
    "senha1234",
    "senha12345",
    "senha123456",
    "starwars",
    "sunshine",
    "superman",
    "trustno1",
    "welcome1",
    "welcome123",
];

/// Refuses a new password that others would guess first. `field` is the argument it came in.
pub(crate) fn check(
    password: &str,
    (email, tenant_slug): (&str, &str),
    field: &'static str,
) -> Result<()> {
    check_length(password, field)?;
    let lower = password.to_lowercase();
    let refuse = |message| Err(Error::invalid_field(field, message));
    if COMMON.contains(&lower.as_str()) || is_run(&lower) {
        return refuse(say(
            "this is one of the passwords that are tried first; choose another",
            "esta é uma das senhas que são tentadas primeiro; escolha outra",
        ));
    }
    let own = [email, email.split('@').next().unwrap_or_default(), tenant_slug, "pulso"];
    if own.iter().any(|own| is_little_more_than(&lower, &own.to_lowercase())) {
        return refuse(say(
            "a password must not be your e-mail address or the name of your organisation",
            "a senha não pode ser o seu e-mail nem o nome da sua organização",
        ));
    }
    Ok(())
}

/// Refuses a password that is too short or too long.
fn check_length(password: &str, field: &'static str) -> Result<()> {
    let (least, most) = (limits::PASSWORD_CHARS_MIN, limits::PASSWORD_BYTES_MAX);
    if password.chars().count() >= least && password.len() <= most {
        return Ok(());
    }
    Err(Error::invalid_field(
        field,
        say(
            format!("a password has {least} characters or more and at most {most} bytes"),
            format!("uma senha tem {least} caracteres ou mais e no máximo {most} bytes"),
        ),
    ))
}

/// One character again and again (`aaaaaaaa`), or each the next or the one before (`12345678`,
/// `0987654321` with its turn of the decade).
fn is_run(password: &str) -> bool {
    let steps = || {
        let characters = password.chars().map(|c| i64::from(u32::from(c)));
        characters.clone().zip(characters.skip(1)).map(|(one, next)| next - one)
    };
    let each = |allowed: [i64; 2]| steps().all(|step| allowed.contains(&step));
    each([0, 0]) || each([1, -9]) || each([-1, 9])
}

/// The word itself, also with a few digits or signs behind it (`alpha2026!`).
fn is_little_more_than(password: &str, word: &str) -> bool {
    if word.is_empty() {
        return false;
    }
    let Some(rest) = password.strip_prefix(word) else { return false };
    rest.chars().count() <= 5 && rest.chars().all(|c| !c.is_alphabetic())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(password: &str) -> bool {
        check(password, ("ana.lima@padaria.example", "padaria-lima"), "password").is_err()
    }

    #[test]
    fn what_everybody_tries_is_refused() {
        for password in [
            "short",
            "1234567",
            "12345678",
            "87654321",
            "0987654321",
            "1234567890",
            "11111111",
            "aaaaaaaaaaaa",
            "abcdefgh",
            "PASSWORD",
            "Senha123",
            "P@ssw0rd",
            "qwertyuiop",
            "ana.lima@padaria.example",
            "Ana.Lima@Padaria.example",
            "ana.lima1",
            "Ana.Lima2026!",
            "padaria-lima",
            "Padaria-Lima1",
            "pulso2026",
            "pulso123!",
        ] {
            assert!(refused(password), "{password}");
        }
        assert!(refused(&"x1".repeat(1_000)));
    }

    #[test]
    fn what_is_long_and_ones_own_is_taken() {
        for password in [
            "correct horse battery staple",
            "açaí com granola",
            "tr0ub4dor&3",
            "12345679",
            "padaria-lima em Recife",
            "日本語のパスワード",
        ] {
            assert!(!refused(password), "{password}");
        }
    }

    #[test]
    fn the_list_is_in_order_and_in_the_form_that_is_compared() {
        let mut sorted = COMMON.to_vec();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(sorted.len(), COMMON.len());
        for password in COMMON {
            assert!(password.len() >= limits::PASSWORD_CHARS_MIN, "{password}");
            assert_eq!(password, password.to_lowercase());
        }
    }
}
