//! Cursors: the sort values of one row, with a fingerprint of the list they belong to. In another
//! list (other order, filter, parent or tenant) a cursor is INVALID. A cursor of a search also
//! remembers which meaning the search had, so that the pages of one walk agree.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Datelike as _, NaiveDate};
use serde_json::Value as Json;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::order::OrderKey;
use super::search::Tier;
use crate::db::{NullOf, Value};
use crate::error::{Error, Result, say};

/// What a list is, for its cursors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Fingerprint(u64);

impl Fingerprint {
    /// `parts` in a fixed order; each is separated from the next.
    pub fn of(parts: &[&str]) -> Self {
        let mut hasher = Sha256::new();
        for part in parts {
            hasher.update(part.len().to_be_bytes());
            hasher.update(part.as_bytes());
        }
        let digest = hasher.finalize();
        let mut first = [0_u8; 8];
        for (slot, byte) in first.iter_mut().zip(digest) {
            *slot = byte;
        }
        Self(u64::from_be_bytes(first))
    }

    /// The list of that kind which belongs to one parent.
    #[must_use]
    pub fn below(self, column: &str, parent: Uuid) -> Self {
        Self::of(&[&self.text(), column, &parent.to_string()])
    }

    /// The list as a search of that meaning finds it.
    #[must_use]
    pub fn searched(self, tier: Tier) -> Self {
        match tier {
            Tier::Exact => self,
            Tier::Alike => Self(!self.0),
        }
    }

    fn text(self) -> String {
        format!("{:016x}", self.0)
    }
}

pub fn encode(fingerprint: Fingerprint, values: &[Value]) -> String {
    let mut items = Vec::with_capacity(values.len() + 1);
    items.push(Json::String(fingerprint.text()));
    items.extend(values.iter().map(to_json));
    URL_SAFE_NO_PAD.encode(Json::Array(items).to_string())
}

/// The sort values in a cursor of this very list, and what its search meant.
pub fn decode(
    fingerprint: Fingerprint,
    keys: &[OrderKey],
    text: &str,
) -> Result<(Vec<Value>, Tier)> {
    let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_malformed| malformed())?;
    let items: Vec<Json> = serde_json::from_slice(&bytes).map_err(|_malformed| malformed())?;
    let (mark, values) = items.split_first().ok_or_else(malformed)?;
    let tier = [Tier::Exact, Tier::Alike]
        .into_iter()
        .find(|tier| mark.as_str() == Some(fingerprint.searched(*tier).text().as_str()));
    let Some(tier) = tier.filter(|_| values.len() == keys.len()) else {
        return Err(Error::invalid(say(
            "this cursor belongs to another list: order, filter, search and parent must stay the same",
            "este cursor é de outra lista: ordem, filtro, busca e pai devem ser os mesmos",
        )));
    };
    let values = values
        .iter()
        .zip(keys)
        .map(|(value, key)| {
            from_json(value, key.bind).filter(|value| key.nullable || !value.is_null())
        })
        .collect::<Option<Vec<Value>>>()
        .ok_or_else(malformed)?;
    Ok((values, tier))
}

fn malformed() -> Error {
    Error::invalid(say(
        "this is not a cursor of this server",
        "este não é um cursor deste servidor",
    ))
}

fn to_json(value: &Value) -> Json {
    match value {
        Value::Id(id) => Json::String(id.simple().to_string()),
        Value::Text(text) => Json::String(text.clone()),
        Value::Int(number) => Json::from(*number),
        Value::Float(number) => Json::from(*number),
        Value::Bool(value) => Json::from(*value),
        Value::Instant(at) => Json::from(at.timestamp_micros()),
        Value::Date(date) => Json::String(date.to_string()),
        Value::Null(_)
        | Value::Json(_)
        | Value::Ids(_)
        | Value::Texts(_)
        | Value::Ints(_)
        | Value::Bools(_)
        | Value::Dates(_)
        | Value::Instants(_) => Json::Null,
    }
}

/// `None` for what no cursor of ours holds; people may write their own.
fn from_json(json: &Json, bind: NullOf) -> Option<Value> {
    if json.is_null() {
        return Some(Value::Null(bind));
    }
    match bind {
        NullOf::Id => json.as_str().and_then(|text| Uuid::try_parse(text).ok()).map(Value::Id),
        NullOf::Text => json
            .as_str()
            .filter(|text| !text.contains('\0'))
            .map(|text| Value::Text(text.to_owned())),
        NullOf::Int => json.as_i64().map(Value::Int),
        NullOf::Float => json.as_f64().map(Value::Float),
        NullOf::Bool => json.as_bool().map(Value::Bool),
        NullOf::Instant => json
            .as_i64()
            .and_then(DateTime::from_timestamp_micros)
            .filter(|instant| (0..=9999).contains(&instant.year()))
            .map(Value::Instant),
        NullOf::Date => json
            .as_str()
            .and_then(|text| NaiveDate::parse_from_str(text, "%Y-%m-%d").ok())
            .map(Value::Date),
        NullOf::Json => None,
    }
}
