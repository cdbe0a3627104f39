//! Personal data that a schema names: fields with `x-pii` are dropped, masked or replaced by a keyed
//! hash before anything is stored. A value that was treated is known by its form and left alone, so
//! that an event of the quarantine can be looked at again.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value as Json, json};

use super::Problem;
use super::keyword::{Holds, escaped, holds, join, steps};
use super::secret::HashKey;
use crate::analytics::event::redact;

pub(super) const KEYWORD: &str = "x-pii";
pub(super) const MASKED: &str = "[masked]";
const DROPPED: &str = "[dropped]";
/// A value that was treated.
const TREATED: &str = r"^(\[masked\]|\[dropped\]|hmac:[0-9a-f]{64})$";

/// Keywords whose schemas speak of the same value.
const BRANCHES: [&str; 7] = ["allOf", "anyOf", "oneOf", "if", "then", "else", "dependentSchemas"];

/// What is done to a value; the stricter comes later, and wins where two speak of one field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Mark {
    Hash,
    Mask,
    Drop,
}

impl Mark {
    const ALL: [Self; 3] = [Self::Hash, Self::Mask, Self::Drop];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Hash => "hash",
            Self::Mask => "mask",
            Self::Drop => "drop",
        }
    }
}

/// The marks of a value and of what is in it.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Marks {
    here: Option<Mark>,
    /// Those that a schema names, marked or not.
    fields: BTreeMap<String, Marks>,
    /// Fields that no schema names.
    others: Option<Box<Marks>>,
    items: Option<Box<Marks>>,
}

/// How values are treated.
#[derive(Clone, Copy)]
pub(super) struct Treatment<'k> {
    pub(super) key: Option<&'k HashKey>,
    /// Where something was dropped a text says so.
    pub(super) says_dropped: bool,
}

/// The marks of a schema without references.
pub(super) fn of(schema: &Json, at: &str) -> Result<Marks, Problem> {
    let Json::Object(map) = schema else { return Ok(Marks::default()) };
    let mut marks = Marks { here: own(map, at)?, ..Marks::default() };
    if let Some(Json::Object(properties)) = map.get("properties") {
        let at = join(at, "properties");
        for (name, schema) in properties {
            let _none = marks.fields.insert(name.clone(), of(schema, &join(&at, name))?);
        }
    }
    let inner = |keyword: &str| {
        let inner = map.get(keyword).map(|schema| of(schema, &join(at, keyword)));
        inner.transpose().map(|marks| marks.map(Box::new))
    };
    marks.others = inner("additionalProperties")?;
    marks.items = inner("items")?;
    for (keyword, held) in map {
        if ["properties", "additionalProperties", "items"].contains(&keyword.as_str()) {
            continue;
        }
        for (schema, at) in schemas(keyword, held, &join(at, keyword)) {
            let of_branch = of(schema, &at)?;
            if BRANCHES.contains(&keyword.as_str()) {
                marks = marks.with(of_branch);
            } else if !of_branch.is_empty() {
                return Err(misplaced(at));
            }
        }
    }
    Ok(marks)
}

/// The schemas behind a keyword, be it one, a list or a map of them, each with its place.
fn schemas<'s>(keyword: &str, held: &'s Json, at: &str) -> Vec<(&'s Json, String)> {
    match holds(keyword) {
        Holds::Schema => vec![(held, at.to_owned())],
        Holds::Schemas => {
            let each = held.as_array().into_iter().flatten().enumerate();
            each.map(|(index, schema)| (schema, format!("{at}/{index}"))).collect()
        }
        Holds::Named => {
            let each = held.as_object().into_iter().flatten();
            each.map(|(name, schema)| (schema, join(at, name))).collect()
        }
        Holds::Reference | Holds::Refused | Holds::Nothing | Holds::Data => Vec::new(),
    }
}

fn own(map: &Map<String, Json>, at: &str) -> Result<Option<Mark>, Problem> {
    let Some(said) = map.get(KEYWORD) else { return Ok(None) };
    let mark = Mark::ALL.into_iter().find(|mark| said == mark.as_str());
    mark.map(Some).ok_or_else(|| {
        Problem::at(join(at, KEYWORD), "must be drop, hash or mask", "deve ser drop, hash ou mask")
    })
}

fn misplaced(at: String) -> Problem {
    Problem::at(
        at,
        "x-pii stands in properties, additionalProperties or items, also below allOf, anyOf, oneOf, \
         if, then, else and dependentSchemas",
        "x-pii fica em properties, additionalProperties ou items, também dentro de allOf, anyOf, \
         oneOf, if, then, else e dependentSchemas",
    )
}

/// The same schema, where a value that was treated fits as well as the value that it was.
pub(super) fn tolerant(schema: &Json) -> Json {
    let Json::Object(map) = schema else { return schema.clone() };
    let each = map.iter().map(|(keyword, held)| {
        let held = match (holds(keyword), held) {
            (Holds::Schema, _) => tolerant(held),
            (Holds::Schemas, Json::Array(list)) => list.iter().map(tolerant).collect(),
            (Holds::Named, Json::Object(named)) => {
                let named = named.iter().map(|(name, schema)| (name.clone(), tolerant(schema)));
                Json::Object(named.collect())
            }
            _ => held.clone(),
        };
        (keyword.clone(), held)
    });
    let inner = Json::Object(each.collect());
    if !map.contains_key(KEYWORD) {
        return inner;
    }
    json!({ "if": { "type": "string", "pattern": TREATED }, "else": inner })
}

impl Marks {
    pub(super) fn is_empty(&self) -> bool {
        let inner = self.others.iter().chain(&self.items).map(Box::as_ref);
        self.here.is_none() && self.fields.values().chain(inner).all(Self::is_empty)
    }

    pub(super) fn marks_itself(&self) -> bool {
        self.here.is_some()
    }

    pub(super) fn hashes(&self) -> bool {
        let inner = self.others.iter().chain(&self.items).map(Box::as_ref);
        self.here == Some(Mark::Hash) || self.fields.values().chain(inner).any(Self::hashes)
    }

    /// What either says.
    pub(super) fn with(mut self, mut other: Self) -> Self {
        let names: BTreeSet<String> =
            self.fields.keys().chain(other.fields.keys()).cloned().collect();
        let fields = names.into_iter().map(|name| {
            let take = |of: &mut Self| {
                of.fields
                    .remove(&name)
                    .or_else(|| of.others.as_deref().cloned())
                    .unwrap_or_default()
            };
            let both = take(&mut self).with(take(&mut other));
            (name, both)
        });
        let fields = fields.collect();
        let either = |mine: Option<Box<Self>>, theirs: Option<Box<Self>>| match (mine, theirs) {
            (Some(mine), Some(theirs)) => Some(Box::new(mine.with(*theirs))),
            (mine, theirs) => mine.or(theirs),
        };
        Self {
            here: self.here.max(other.here),
            fields,
            others: either(self.others, other.others),
            items: either(self.items, other.items),
        }
    }

    fn of_field(&self, name: &str) -> Option<&Self> {
        self.fields.get(name).or(self.others.as_deref())
    }

    pub(super) fn treat(&self, object: &mut Map<String, Json>, how: Treatment<'_>) {
        object.retain(|name, value| match self.of_field(name) {
            Some(marks) => marks.keeps(value, how),
            None => true,
        });
    }

    /// Treats a value; false where it goes.
    fn keeps(&self, value: &mut Json, how: Treatment<'_>) -> bool {
        if let Some(mark) = self.here {
            return keeps(mark, value, how);
        }
        match value {
            Json::Object(object) => self.treat(object, how),
            Json::Array(list) => {
                if let Some(items) = &self.items {
                    list.retain_mut(|item| items.keeps(item, how));
                }
            }
            Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => {}
        }
        true
    }

    /// A place in a payload without what may be personal: keys as free text is shown, and nothing of
    /// what is inside of a marked field.
    pub(super) fn shown(&self, place: &str) -> String {
        let mut shown = String::new();
        let mut marks = Some(self);
        for step in steps(place) {
            shown.push('/');
            shown.push_str(&escaped(&redact::in_text(&step)));
            marks = marks.and_then(|marks| marks.inside(&step));
            if marks.is_some_and(Self::marks_itself) {
                break;
            }
        }
        shown
    }

    fn inside(&self, step: &str) -> Option<&Self> {
        let is_index = step.bytes().all(|byte| byte.is_ascii_digit());
        let item = self.items.as_deref().filter(|_| is_index);
        item.or_else(|| self.of_field(step))
    }
}

/// Null says nothing about anybody.
fn keeps(mark: Mark, value: &mut Json, how: Treatment<'_>) -> bool {
    if mark == Mark::Drop && !how.says_dropped {
        return false;
    }
    if value.is_null() || is_treated(value) {
        return true;
    }
    let treated = match (mark, how.key) {
        (Mark::Drop, _) => DROPPED.to_owned(),
        (Mark::Hash, Some(key)) => key.hash(value),
        (Mark::Mask, _) | (Mark::Hash, None) => MASKED.to_owned(),
    };
    *value = Json::String(treated);
    true
}

fn is_treated(value: &Json) -> bool {
    let Json::String(text) = value else { return false };
    let is_digest = |digest: &str| {
        digest.len() == 64
            && digest.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
    };
    [MASKED, DROPPED].contains(&text.as_str()) || text.strip_prefix("hmac:").is_some_and(is_digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn treated(schema: &Json, payload: Json, says_dropped: bool) -> Json {
        let key = HashKey::new("a key of tests");
        let Json::Object(mut payload) = payload else { panic!("{payload}") };
        let how = Treatment { key: Some(&key), says_dropped };
        of(schema, "").unwrap().treat(&mut payload, how);
        Json::Object(payload)
    }

    fn schema() -> Json {
        json!({
            "properties": {
                "name": { "x-pii": "drop" },
                "cpf": { "x-pii": "hash" },
                "home": { "properties": { "street": { "x-pii": "mask" }, "state": {} } },
                "phones": { "items": { "x-pii": "mask" } },
                "open": {},
            },
            "additionalProperties": { "x-pii": "mask" },
        })
    }

    #[test]
    fn marked_fields_are_treated_wherever_they_stand() {
        let payload = json!({ "name": "Maria", "cpf": 52_998_224_725_i64, "phones": ["1", null, 2],
            "home": { "street": "Rua 1", "state": "SP" }, "open": 1, "else": { "a": 1 } });
        let clean = treated(&schema(), payload.clone(), false);
        let digest = clean["cpf"].as_str().unwrap().to_owned();
        assert!(is_treated(&clean["cpf"]), "{digest}");
        assert_eq!(
            clean,
            json!({ "cpf": digest, "phones": ["[masked]", null, "[masked]"], "open": 1,
                "home": { "street": "[masked]", "state": "SP" }, "else": "[masked]" })
        );
        // A text and a number of the same digits are the same person.
        let again = treated(&schema(), json!({ "cpf": "52998224725" }), false);
        assert_eq!(again["cpf"], digest.as_str());
        // Once more changes nothing, but for what was to go.
        let kept = treated(&schema(), payload, true);
        assert_eq!(kept["name"], "[dropped]");
        assert_eq!(treated(&schema(), kept.clone(), true), kept);
        assert_eq!(treated(&schema(), kept, false), clean);
    }

    #[test]
    fn the_stricter_of_two_marks_wins() {
        let twice = json!({ "properties": { "a": { "x-pii": "hash" } },
            "anyOf": [{ "properties": { "a": { "x-pii": "drop" } } }, true] });
        assert_eq!(treated(&twice, json!({ "a": 1 }), false), json!({}));
        // What is said of all other fields goes by the fields that stand beside it.
        let rest = json!({ "properties": { "a": { "x-pii": "hash" } },
            "allOf": [{ "properties": { "b": {} }, "additionalProperties": { "x-pii": "mask" } }] });
        let clean = treated(&rest, json!({ "a": 1, "b": 2, "c": 3 }), false);
        assert_eq!(clean, json!({ "a": "[masked]", "b": 2, "c": "[masked]" }));
        assert!(of(&schema(), "").unwrap().hashes());
        assert!(of(&json!({ "properties": { "a": { "items": {} } } }), "").unwrap().is_empty());
    }

    #[test]
    fn a_value_that_was_treated_fits_where_its_value_did() {
        let strict = json!({ "properties": { "cpf": { "type": "integer", "x-pii": "hash" } } });
        let fits = |value: Json| jsonschema::is_valid(&tolerant(&strict), &json!({ "cpf": value }));
        assert!(fits(json!(1)) && fits(json!("[masked]")) && !fits(json!("1")));
    }

    #[test]
    fn a_place_shows_nothing_of_anybody() {
        let marks = of(&schema(), "").unwrap();
        for (place, shown) in [
            ("", ""),
            ("/home/street", "/home/street"),
            ("/phones/1/of/maria", "/phones/1"),
            ("/maria/is/here", "/maria"),
            ("/open/a@b.co/11.222.333~10001-81", "/open/[email]/[cnpj]"),
        ] {
            assert_eq!(marks.shown(place), shown);
        }
    }
}
