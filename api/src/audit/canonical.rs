//! One text for one JSON value, whatever a database made of it, so that a digest of it can be
//! computed again by anybody: `docs/audit.md` gives the rules and an example.

use std::fmt::Write as _;

use serde_json::{Number, Value as Json};
use sha2::{Digest as _, Sha256};

/// Lower-case hexadecimal SHA-256 of the canonical text.
pub(super) fn digest(value: &Json) -> String {
    format!("{:x}", Sha256::digest(text(value).as_bytes()))
}

/// Keys in the order of their bytes, no white space, numbers in one way of writing.
pub(super) fn text(value: &Json) -> String {
    let mut text = String::new();
    put(&mut text, value);
    text
}

fn put(out: &mut String, value: &Json) {
    match value {
        Json::Number(number) => out.push_str(&number_text(number)),
        Json::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                put(out, item);
            }
            out.push(']');
        }
        Json::Object(map) => {
            let mut entries: Vec<(&String, &Json)> = map.iter().collect();
            entries.sort_by_key(|(key, _)| key.as_bytes());
            out.push('{');
            for (index, (key, item)) in entries.into_iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                put_scalar(out, &Json::from(key.as_str()));
                out.push(':');
                put(out, item);
            }
            out.push('}');
        }
        Json::Null | Json::Bool(_) | Json::String(_) => put_scalar(out, value),
    }
}

fn put_scalar(out: &mut String, value: &Json) {
    let written = write!(out, "{value}");
    debug_assert!(written.is_ok(), "writing to a String cannot fail");
}

/// Whole numbers as their digits; others as the shortest digits that give the same double, without
/// an exponent. `1`, `1.0` and `1e0` are one number: the databases do not keep them apart.
fn number_text(number: &Number) -> String {
    if number.is_i64() || number.is_u64() {
        return number.to_string();
    }
    let Some(value) = number.as_f64() else { return number.to_string() };
    if value == 0.0 {
        return "0".to_owned();
    }
    if value.fract() == 0.0 { format!("{value:.0}") } else { format!("{value}") }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(text: &str) -> Json {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn one_value_has_one_text() {
        let one = read(r#"{"b": [1, 2.50, null], "a": {"é": true, "z": "linha\n"}, "A": -0.0}"#);
        assert_eq!(text(&one), r#"{"A":0,"a":{"z":"linha\n","é":true},"b":[1,2.5,null]}"#);
        for (left, right) in [
            ("1.0", "1"),
            ("-0.0", "0"),
            ("1e15", "1000000000000000"),
            ("1e16", "10000000000000000.0"),
            ("0.1", "0.10"),
            ("1e-7", "0.0000001"),
        ] {
            assert_eq!(text(&read(left)), text(&read(right)), "{left} and {right}");
        }
    }

    #[test]
    fn what_was_read_again_has_the_same_text() {
        for value in [json!(1e300), json!(-1e-300), json!(u64::MAX), json!(i64::MIN), json!(0.1)] {
            let once = text(&value);
            assert_eq!(text(&read(&once)), once);
        }
    }

    #[test]
    fn a_digest_is_of_the_text() {
        // printf '{"a":1}' | sha256sum
        let expected = "015abd7f5cc57a2dd94b7590f04ad8084273905ee33ec5cebeae62276a97f862";
        assert_eq!(digest(&json!({ "a": 1.0 })), expected);
    }
}
