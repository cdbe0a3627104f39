//! Whether two servers answer with the same rows. Names are made equal by aliases in the peer's
//! query; what remains is how values are written.

use serde_json::{Map, Value};

use crate::outcome::Outcome;

/// How a server writes money.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Money {
    /// `"12.34"`
    Decimal,
    /// `"1234"`
    Hundredths,
}

/// Rewrites what servers write differently: capitals of enum values, digits of an instant's
/// seconds, the point in money.
pub(crate) fn normalise(value: Value, money: Money) -> Value {
    match value {
        Value::Object(entries) => {
            let rewrite = |(name, value): (String, Value)| {
                let value = match (name.as_str(), value) {
                    ("status", Value::String(text)) => Value::String(text.to_uppercase()),
                    ("createdAt", Value::String(text)) => Value::String(instant(&text)),
                    ("value", Value::String(text)) => Value::String(hundredths(&text, money)),
                    (_, other) => normalise(other, money),
                };
                (name, value)
            };
            Value::Object(entries.into_iter().map(rewrite).collect::<Map<_, _>>())
        }
        Value::Array(items) => {
            Value::Array(items.into_iter().map(|item| normalise(item, money)).collect())
        }
        other @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) => other,
    }
}

/// UTC with `Z` and without zeros that say nothing.
pub(crate) fn instant(text: &str) -> String {
    let text = text.strip_suffix("+00:00").or_else(|| text.strip_suffix('Z')).unwrap_or(text);
    let text = if text.contains('.') { text.trim_end_matches('0') } else { text };
    format!("{}Z", text.trim_end_matches('.'))
}

fn hundredths(text: &str, money: Money) -> String {
    if money == Money::Hundredths {
        return text.to_owned();
    }
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let digits = format!("{whole}{part:0<2}");
    let trimmed = digits.trim_start_matches('0');
    if trimmed.is_empty() { "0".to_owned() } else { trimmed.to_owned() }
}

/// Fails with the first place where two answers differ.
pub(crate) fn must_agree(left: (&str, &Value), right: (&str, &Value)) -> Outcome {
    match difference("", left.1, right.1) {
        None => Ok(()),
        Some((place, one, other)) => Err(format!(
            "the answers differ at {place}: {} says {one}, {} says {other}",
            left.0, right.0
        )),
    }
}

fn difference(place: &str, left: &Value, right: &Value) -> Option<(String, String, String)> {
    let here = || Some((place.to_owned(), short(left), short(right)));
    match (left, right) {
        (Value::Object(one), Value::Object(other)) => {
            if one.len() != other.len() {
                return here();
            }
            one.iter().find_map(|(name, value)| {
                let counterpart = other.get(name).unwrap_or(&Value::Null);
                difference(&format!("{place}.{name}"), value, counterpart)
            })
        }
        (Value::Array(one), Value::Array(other)) => {
            if one.len() != other.len() {
                return here();
            }
            let mut pairs = one.iter().zip(other).enumerate();
            pairs.find_map(|(index, (one, other))| {
                difference(&format!("{place}[{index}]"), one, other)
            })
        }
        _ if left == right => None,
        _ => here(),
    }
}

fn short(value: &Value) -> String {
    value.to_string().chars().take(200).collect()
}

/// How many rows an answer to the list query holds; an empty page would compare well and mean
/// nothing.
pub(crate) fn rows(answer: &Value) -> usize {
    answer.pointer("/leads/nodes").and_then(Value::as_array).map_or(0, Vec::len)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_same_row_in_both_hands() {
        let ours = json!({
            "status": "OPEN", "createdAt": "2026-10-31T11:55:31.015Z", "value": "48074.01"
        });
        let theirs = json!({
            "status": "open", "createdAt": "2026-10-31T11:55:31.015000+00:00", "value": "4807401"
        });
        let ours = normalise(ours, Money::Decimal);
        let theirs = normalise(theirs, Money::Hundredths);
        assert_eq!(must_agree(("ours", &ours), ("theirs", &theirs)), Ok(()));
    }

    #[test]
    fn another_order_is_another_answer() {
        let (one, other) = (json!({"nodes": [1, 2]}), json!({"nodes": [2, 1]}));
        let error = must_agree(("a", &one), ("b", &other)).unwrap_err();
        assert_eq!(error, "the answers differ at .nodes[0]: a says 1, b says 2");
    }

    #[test]
    fn money_keeps_its_cents() {
        for (text, wanted) in [("12.34", "1234"), ("0.05", "5"), ("7", "700"), ("0.00", "0")] {
            assert_eq!(hundredths(text, Money::Decimal), wanted);
        }
    }
}
