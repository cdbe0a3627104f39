//! Personal data in free text: CPF, CNPJ, e-mail addresses and telephone numbers, found by their form
//! and, where bare digits could be anything, by their check digits. Each is replaced by what it was.
//! Numbers of JSON and UUIDs are nobody's text and stay.

use std::sync::LazyLock;

use entity::value::{Cnpj, Cpf};
use regex::{Captures, Regex};
use serde_json::{Map, Value as Json};
use uuid::Uuid;

/// One kind of personal data: what it is replaced by, what a text must have to hold one, its form, and
/// whether a find is one.
struct Detector {
    mark: &'static str,
    may_hold: fn(&Glance) -> bool,
    form: Regex,
    is_one: fn(&str) -> bool,
}

/// What a text has, at a glance: most hold nothing of anybody's, and events have dozens of them.
struct Glance {
    bytes: usize,
    digits: usize,
    has_at: bool,
}

impl Glance {
    fn at(text: &str) -> Self {
        let (mut digits, mut has_at) = (0, false);
        for byte in text.bytes() {
            digits += usize::from(byte.is_ascii_digit());
            has_at |= byte == b'@';
        }
        Self { bytes: text.len(), digits, has_at }
    }
}

#[expect(clippy::expect_used, reason = "the forms below are constants, and a test uses them all")]
fn detector(
    mark: &'static str,
    may_hold: fn(&Glance) -> bool,
    form: &str,
    is_one: fn(&str) -> bool,
) -> Detector {
    Detector {
        mark,
        may_hold,
        form: Regex::new(form).expect("a form is a regular expression"),
        is_one,
    }
}

/// In the order in which they are looked for: a CNPJ holds what could be a telephone number.
static DETECTORS: LazyLock<[Detector; 4]> = LazyLock::new(|| {
    [
        detector(
            "[email]",
            |glance| glance.has_at,
            r"(?i)[\p{L}\p{N}._%+'-]+@[\p{L}\p{N}-]+(?:\.[\p{L}\p{N}-]+)+",
            |_| true,
        ),
        detector(
            "[cnpj]",
            |glance| glance.digits >= 2 && glance.bytes >= 14,
            r"(?i)[0-9a-z]{2}\.?[0-9a-z]{3}\.?[0-9a-z]{3}/?[0-9a-z]{4}-?[0-9]{2}",
            |text| text.contains('/') || Cnpj::parse(text).is_ok(),
        ),
        detector(
            "[cpf]",
            |glance| glance.digits >= 11,
            r"[0-9]{3}\.?[0-9]{3}\.?[0-9]{3}-?[0-9]{2}",
            |text| text.contains('.') || Cpf::parse(text).is_ok(),
        ),
        detector(
            "[phone]",
            |glance| glance.digits >= 9,
            r"(?:\+?[0-9]{1,3}[ .-]?)?\(?[0-9]{2,3}\)?[ .-]?[0-9]{3,5}[ .-]?[0-9]{4}",
            is_phone,
        ),
    ]
});

/// Written as one, or bare digits of a Brazilian number with its area: eleven that go on with a nine,
/// ten that go on with 2 to 5, each also behind 55.
fn is_phone(text: &str) -> bool {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_digit).collect();
    if text.starts_with('+') || text.starts_with('(') {
        return (8..=15).contains(&digits.len());
    }
    let national = match digits.as_slice() {
        [b'5', b'5', rest @ ..] if rest.len() >= 10 => rest,
        all => all,
    };
    match national {
        [b'1'..=b'9', b'1'..=b'9', b'9', rest @ ..] => rest.len() == 8,
        [b'1'..=b'9', b'1'..=b'9', b'2'..=b'5', rest @ ..] => rest.len() == 7,
        _ => false,
    }
}

/// The text without personal data.
pub(super) fn in_text(text: &str) -> String {
    if Uuid::try_parse(text).is_ok() {
        return text.to_owned();
    }
    let glance = Glance::at(text);
    let possible = DETECTORS.iter().filter(|detector| (detector.may_hold)(&glance));
    possible.fold(text.to_owned(), |text, detector| {
        if !detector.form.is_match(&text) {
            return text;
        }
        let replaced = detector.form.replace_all(&text, |found: &Captures<'_>| {
            found.get(0).map_or_else(String::new, |found| {
                let stands_alone =
                    is_edge(text.get(..found.start()), |text| text.chars().next_back())
                        && is_edge(text.get(found.end()..), |text| text.chars().next());
                let is_one = stands_alone && (detector.is_one)(found.as_str());
                if is_one { detector.mark } else { found.as_str() }.to_owned()
            })
        });
        replaced.into_owned()
    })
}

/// Whether no letter or digit goes on there: part of a longer number is none of ours.
fn is_edge(rest: Option<&str>, next: impl Fn(&str) -> Option<char>) -> bool {
    rest.and_then(next).is_none_or(|next| !next.is_alphanumeric())
}

/// All texts of a value, keys of objects included.
pub(super) fn in_json(json: &mut Json) {
    match json {
        Json::String(text) => *text = in_text(text),
        Json::Array(list) => list.iter_mut().for_each(in_json),
        Json::Object(object) => in_object(object),
        Json::Null | Json::Bool(_) | Json::Number(_) => {}
    }
}

pub(super) fn in_object(object: &mut Map<String, Json>) {
    let taken = std::mem::take(object);
    for (key, mut value) in taken {
        in_json(&mut value);
        let mut key = in_text(&key);
        // Two keys that became one: neither value is lost.
        while object.contains_key(&key) {
            key.push('\'');
        }
        object.insert(key, value);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn personal_data_is_replaced_wherever_it_stands() {
        for (text, clean) in [
            ("fale com maria.souza+crm@exemplo.com.br!", "fale com [email]!"),
            ("CPF 529.982.247-25, ok", "CPF [cpf], ok"),
            ("52998224725", "[cpf]"),
            ("errado 529.982.247-00", "errado [cpf]"),
            ("CNPJ 11.222.333/0001-81", "CNPJ [cnpj]"),
            ("11222333000181", "[cnpj]"),
            ("12.abc.345/01de-35", "[cnpj]"),
            ("ligue (11) 98765-4321 ou 11 3456-7890", "ligue [phone] ou [phone]"),
            ("+55 11 98765-4321", "[phone]"),
            ("+1 415-555-2671", "[phone]"),
            ("11987654321", "[phone]"),
            ("5511987654321", "[phone]"),
        ] {
            assert_eq!(in_text(text), clean, "{text}");
        }
    }

    proptest! {
        /// A glance leaves nothing out that a closer look would have found.
        #[test]
        fn a_glance_overlooks_nothing(text in "[0-9a-zA-Z@.,/() +-]{0,40}") {
            let glance = Glance::at(&text);
            for detector in DETECTORS.iter().filter(|detector| detector.form.is_match(&text)) {
                prop_assert!((detector.may_hold)(&glance), "{}: {text}", detector.mark);
            }
        }
    }

    #[test]
    fn what_is_nobodys_stays() {
        for text in [
            "0195c8d2-52a0-7b34-9e51-2b1f4d6c7a80",
            "2026-03-10T12:00:00.000Z",
            "pedido 123456",
            "1773143999123",
            "whatsapp_official",
            "R$ 1.234.567,89",
            "12345678901",
            "versão 10.20.30",
            "",
        ] {
            assert_eq!(in_text(text), text);
        }
    }

    #[test]
    fn keys_and_nested_values_are_looked_at() {
        let mut json = json!({ "a@b.co": [{ "note": "de c@d.co" }], "e@f.co": 52998224725_i64 });
        in_json(&mut json);
        let clean = json!({ "[email]": [{ "note": "de [email]" }], "[email]'": 52998224725_i64 });
        assert_eq!(json, clean);
    }
}
