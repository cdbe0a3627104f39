//! The types of events that a tenant knows: what their payloads may say, and what in them is personal.

use std::collections::HashMap;
use std::sync::Arc;

use jsonschema::Validator;
use serde_json::{Map, Value as Json};
use uuid::Uuid;

use super::marks::{Marks, Treatment};
use super::secret::HashKey;
use super::standard;
use super::store::Stored;
use crate::analytics::event::{Reason, decide};
use crate::error::{Error, Result};

/// One version of a type, ready for use.
pub(super) struct Version {
    id: Uuid,
    number: i64,
    validator: Validator,
    marks: Marks,
    /// Bytes of its schema.
    bytes: usize,
}

/// The versions of a type, and the marks of all of them.
#[derive(Default)]
struct OfType {
    versions: Vec<Arc<Version>>,
    marks: Marks,
}

/// Types by module and name.
#[derive(Default)]
pub(in crate::analytics::event) struct Types {
    own: HashMap<String, HashMap<String, OfType>>,
    /// Those of all types.
    marks: Marks,
    /// Events of other types and versions are kept apart.
    pub(super) is_strict: bool,
    key: Option<HashKey>,
}

/// What a type is called: module, name and version.
type Named<'n> = (&'n str, &'n str, i64);

impl Types {
    /// Makes rows ready; those that `before` has are ready.
    pub(super) fn of(rows: Vec<Stored>, before: Option<&Self>) -> Result<Self> {
        let mut types = Self::default();
        for row in rows {
            let known = before.and_then(|before| before.ready(&row));
            let version = match known {
                Some(version) => version,
                None => Arc::new(version(&row)?),
            };
            types.marks = types.marks.with(version.marks.clone());
            let of_module = types.own.entry(row.module).or_default();
            let of_type = of_module.entry(row.event_type).or_default();
            of_type.marks = std::mem::take(&mut of_type.marks).with(version.marks.clone());
            of_type.versions.push(version);
        }
        Ok(types)
    }

    fn ready(&self, row: &Stored) -> Option<Arc<Version>> {
        let versions = &self.find(&row.module, &row.event_type)?.versions;
        versions.iter().find(|version| version.id == row.id).cloned()
    }

    pub(super) fn hashes(&self) -> bool {
        self.marks.hashes()
    }

    pub(super) fn with_key(mut self, key: HashKey) -> Self {
        self.key = Some(key);
        self
    }

    /// Whether the tenant has schemas of its own.
    pub(in crate::analytics::event) fn has_own(&self) -> bool {
        !self.own.is_empty()
    }

    /// Bytes of all schemas.
    pub(super) fn bytes(&self) -> usize {
        let versions =
            self.own.values().flat_map(HashMap::values).flat_map(|of_type| &of_type.versions);
        versions.map(|version| version.bytes).sum()
    }

    fn find(&self, module: &str, event_type: &str) -> Option<&OfType> {
        self.own.get(module)?.get(event_type)
    }

    /// What of a payload does not fit its type, without the value.
    pub(in crate::analytics::event) fn check(
        &self,
        (module, event_type, number): Named<'_>,
        payload: &Json,
    ) -> Result<(), (Reason, String)> {
        let own = self.find(module, event_type);
        let none = Marks::default();
        let (validator, marks) = match own.and_then(|own| own.version(number)) {
            Some(version) => (&version.validator, &version.marks),
            None => match standard((module, event_type)) {
                Some(validator) if number == super::STANDARD_VERSION => (validator, &none),
                known => return self.unknown(own.is_some() || known.is_some()),
            },
        };
        validator.validate(payload).map_err(|error| {
            let place = marks.shown(&error.instance_path().to_string());
            let keyword = error.kind().keyword();
            let detail =
                format!("payload{place} does not fit the schema of {event_type} ({keyword})");
            (Reason::Schema, detail)
        })
    }

    fn unknown(&self, is_type_known: bool) -> Result<(), (Reason, String)> {
        match (self.is_strict, is_type_known) {
            (false, _) => Ok(()),
            (true, true) => {
                let detail = "this schemaVersion of its eventType has no schema";
                Err((Reason::UnknownVersion, detail.to_owned()))
            }
            (true, false) => {
                let detail = "its eventType has no schema in its module";
                Err((Reason::UnknownType, detail.to_owned()))
            }
        }
    }

    /// Takes out of a payload what its schema marks. Of a version without a schema that is what any
    /// other version marks.
    pub(in crate::analytics::event) fn treat(
        &self,
        (module, event_type, number): Named<'_>,
        payload: &mut Map<String, Json>,
    ) {
        let Some(own) = self.find(module, event_type) else { return };
        let marks = own.version(number).map_or(&own.marks, |version| &version.marks);
        marks.treat(payload, Treatment { key: self.key.as_ref(), says_dropped: false });
    }

    /// The same for an event that is kept apart. Of which type it is may be what is wrong with it:
    /// then everything goes that any type marks.
    pub(in crate::analytics::event) fn treat_refused(&self, event: &mut Json) {
        if self.marks.is_empty() {
            return;
        }
        let text = |name: &str| event.get(name).and_then(Json::as_str).unwrap_or_default();
        let (module, event_type) = (text("module"), text("eventType"));
        let marks = match self.find(module, event_type) {
            Some(own) => event
                .as_object()
                .and_then(|event| decide::schema_version(event).ok())
                .and_then(|number| own.version(number))
                .map_or(&own.marks, |version| &version.marks),
            None if standard((module, event_type)).is_some() => return,
            None => &self.marks,
        };
        let how = Treatment { key: self.key.as_ref(), says_dropped: true };
        match event.get_mut("payload") {
            Some(Json::Object(payload)) => marks.treat(payload, how),
            Some(other) if !other.is_null() && !marks.is_empty() => {
                *other = super::marks::MASKED.into();
            }
            Some(_) | None => {}
        }
    }
}

impl OfType {
    fn version(&self, number: i64) -> Option<&Version> {
        self.versions.iter().find(|version| version.number == number).map(Arc::as_ref)
    }
}

fn version(row: &Stored) -> Result<Version> {
    let usable = super::parse::read(&row.schema).map_err(|problem| {
        Error::internal(format!("schema {}: {}: {}", row.id, problem.at, problem.en))
    })?;
    let (id, number) = (row.id, row.version);
    let bytes = usable.expanded.to_string().len();
    Ok(Version { id, number, validator: usable.validator, marks: usable.marks, bytes })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn types(strict: bool) -> Types {
        let row = |number: i64, schema: Json| Stored {
            id: Uuid::from_u128(number.unsigned_abs().into()),
            module: "people".to_owned(),
            event_type: "person.met".to_owned(),
            version: number,
            schema,
        };
        let rows = vec![
            row(1, json!({ "properties": { "name": { "x-pii": "drop" } }, "required": ["name"] })),
            row(3, json!({ "properties": { "nick": { "x-pii": "mask" } } })),
        ];
        Types { is_strict: strict, ..Types::of(rows, None).unwrap() }
    }

    fn checked(types: &Types, of: Named<'_>, payload: &Json) -> Option<Reason> {
        types.check(of, payload).err().map(|(reason, _)| reason)
    }

    #[test]
    fn each_version_has_its_schema_and_policy_decides_on_others() {
        for (strict, of, reason) in [
            (false, ("people", "person.met", 1), Some(Reason::Schema)),
            (false, ("people", "person.met", 3), None),
            (false, ("people", "person.met", 2), None),
            (true, ("people", "person.met", 2), Some(Reason::UnknownVersion)),
            (true, ("tickets", "ticket.created", 1), None),
            (true, ("tickets", "ticket.created", 2), Some(Reason::UnknownVersion)),
            (true, ("people", "ticket.created", 1), Some(Reason::UnknownType)),
            (false, ("people", "ticket.created", 1), None),
        ] {
            assert_eq!(checked(&types(strict), of, &json!({})), reason, "{strict} {of:?}");
        }
        let wrong = json!({ "priority": [] });
        assert_eq!(
            checked(&types(false), ("tickets", "ticket.created", 1), &wrong),
            Some(Reason::Schema)
        );
    }

    #[test]
    fn what_has_no_schema_is_treated_by_what_is_known() {
        let said = |number: i64| {
            let mut payload = Map::from_iter([
                ("name".to_owned(), json!("Maria")),
                ("nick".to_owned(), json!("Mari")),
            ]);
            types(false).treat(("people", "person.met", number), &mut payload);
            Json::Object(payload)
        };
        assert_eq!(said(1), json!({ "nick": "Mari" }));
        assert_eq!(said(3), json!({ "name": "Maria", "nick": "[masked]" }));
        assert_eq!(said(2), json!({ "nick": "[masked]" }));

        let refused = |mut event: Json| {
            types(false).treat_refused(&mut event);
            event["payload"].take()
        };
        let payload = json!({ "name": "Maria", "nick": "Mari" });
        let all = json!({ "name": "[dropped]", "nick": "[masked]" });
        let of = |event_type: &str, version: Json| {
            json!({ "module": "people", "eventType": event_type, "schemaVersion": version,
                "payload": payload })
        };
        assert_eq!(refused(of("person.met", json!("x"))), all);
        assert_eq!(refused(of("persn.met", json!(1))), all);
        assert_eq!(refused(json!({ "payload": payload })), all);
        assert_eq!(refused(json!({ "payload": "Maria" })), json!("[masked]"));
        let first = json!({ "name": "[dropped]", "nick": "Mari" });
        assert_eq!(refused(of("person.met", json!(1))), first);
        let known =
            json!({ "module": "tickets", "eventType": "ticket.created", "payload": payload });
        assert_eq!(refused(known), payload);
    }
}
