//! What the payloads of event types may say, as JSON Schema, looked at before an event is let in: what
//! metrics cannot take stays out of the log, and so does what a schema says is personal.
//!
//! Known are the types that every tenant has ([`starter`]), in their first version, and those that a
//! tenant uploads, in as many versions as it likes (`service`). A version is never changed, and each
//! takes whatever the one before it takes (`compatibility`). A type or version that is not known is
//! let in or kept apart by the tenant's setting.

mod compatibility;
mod documentation;
pub mod graphql;
pub mod kept;
mod keyword;
mod marks;
mod parse;
pub mod record;
pub mod secret;
mod service;
pub mod starter;
mod store;
mod types;

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::LazyLock;

use jsonschema::Validator;
use serde_json::{Map, Value as Json, json};

use starter::{EventType, Field, Kind, TYPES};
pub(super) use types::Types;

/// What is wrong with a schema, in two languages.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Problem {
    /// JSON pointer.
    at: String,
    en: String,
    pt: String,
}

impl Problem {
    fn at(
        at: impl Into<String>,
        en: impl Into<Cow<'static, str>>,
        pt: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self { at: at.into(), en: en.into().into_owned(), pt: pt.into().into_owned() }
    }
}

/// The beginning of what may be as long as a schema.
fn brief(said: &impl ToString) -> String {
    const CHARS: usize = 200;
    let said = said.to_string();
    match said.char_indices().nth(CHARS) {
        Some((end, _)) => format!("{}…", said.get(..end).unwrap_or_default()),
        None => said,
    }
}

/// The only version of the types that every tenant has.
const STANDARD_VERSION: i64 = 1;

/// By module and type.
static STANDARD: LazyLock<HashMap<(&str, &str), Validator>> = LazyLock::new(|| {
    let known = TYPES.iter().filter_map(|each| {
        let validator = jsonschema::draft202012::new(&document(each)).ok()?;
        Some(((each.module, each.name), validator))
    });
    known.collect()
});

/// What validates the first version of a type that every tenant has.
fn standard<'n>((module, event_type): (&'n str, &'n str)) -> Option<&'n Validator> {
    STANDARD.get(&(module, event_type))
}

/// The JSON Schema (draft 2020-12) of a type's payload. It may say more than is named, and null for
/// what it does not say.
pub fn document(event_type: &EventType) -> Json {
    let property = |field: &Field| (field.name.to_owned(), property(field));
    let properties: Map<String, Json> = event_type.fields.iter().map(property).collect();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": format!("{} {}", event_type.module, event_type.name),
        "type": "object",
        "properties": properties,
    })
}

fn property(field: &Field) -> Json {
    let about = field.about;
    match field.kind {
        Kind::Number => json!({ "description": about, "type": ["number", "string", "null"],
            "pattern": "^-?[0-9]+(\\.[0-9]+)?$" }),
        Kind::Seconds => json!({ "description": about, "type": ["number", "string", "null"],
            "pattern": "^[0-9]+(\\.[0-9]+)?$", "minimum": 0 }),
        Kind::Text => json!({ "description": about, "type": ["string", "null"] }),
        Kind::Name => json!({ "description": about, "type": ["string", "number", "null"] }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(of: (&str, &str, i64), payload: &Json) -> Result<(), String> {
        Types::default().check(of, payload).map_err(|(_, detail)| detail)
    }

    #[test]
    fn every_type_has_one_schema_that_can_be_used() {
        assert_eq!(STANDARD.len(), TYPES.len());
        for each in TYPES {
            assert!(jsonschema::draft202012::meta::is_valid(&document(each)), "{each:?}");
            let of = (each.module, each.name, STANDARD_VERSION);
            assert!(check(of, &json!({})).is_ok(), "{each:?}");
        }
    }

    #[test]
    fn what_does_not_fit_is_named_without_its_value() {
        let resolved = |payload: Json| check(("tickets", "ticket.resolved", 1), &payload);
        for fits in [json!(60), json!(0.5), json!("60"), json!("60.25"), Json::Null] {
            assert_eq!(resolved(json!({ "handleSec": fits, "more": [1] })), Ok(()), "{fits}");
        }
        for wrong in [json!("soon"), json!(-1), json!("-1"), json!(true), json!([60]), json!("")] {
            let said = resolved(json!({ "handleSec": wrong })).unwrap_err();
            assert!(said.starts_with("payload/handleSec does not fit the schema of"), "{said}");
            assert!(!said.contains("soon"), "{said}");
        }
    }

    #[test]
    fn what_is_not_known_is_nobodys_fault() {
        let wrong = json!({ "handleSec": "soon" });
        assert!(check(("helpdesk", "ticket.resolved", 1), &wrong).is_ok());
        assert!(check(("tickets", "ticket.resolved", 2), &wrong).is_ok());
        assert!(check(("tickets", "ticket.petted", 1), &wrong).is_ok());
    }
}
