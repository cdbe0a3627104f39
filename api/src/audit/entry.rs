//! An entry on its way into the trail, and its personal values apart from the rest: the chain covers
//! their salted digests, so that the values can go and the chain stays.

use rand::RngCore as _;
use serde_json::{Map, Value as Json, json};
use uuid::Uuid;

use super::canonical;
use crate::ctx::{Ctx, Origin};

const SALT_BYTES: usize = 16;

/// One thing that was done.
#[derive(Debug)]
pub struct Entry {
    /// `lead.update`
    pub action: String,
    pub resource: &'static str,
    pub resource_id: Uuid,
    /// The fields that changed, as they were; absent for a creation.
    pub old: Option<Json>,
    /// The fields that changed, as they are; absent for a removal.
    pub new: Option<Json>,
}

impl Entry {
    /// Keeps the values of these fields apart from the rest, where they can be erased.
    #[must_use]
    pub fn with_personal(mut self, fields: &[&str]) -> Draft {
        let personal = Personal::taken(&mut self, fields);
        Draft { entry: self, personal, kept: true }
    }
}

/// An entry as it is written. Every [`Entry`] is one, without personal values.
#[derive(Debug)]
pub struct Draft {
    pub(super) entry: Entry,
    personal: Option<Personal>,
    kept: bool,
}

impl Draft {
    /// Keeps digests alone: of what is removed for good no personal value stays, here neither.
    #[must_use]
    pub fn forgotten(mut self) -> Self {
        self.kept = false;
        self
    }

    /// What the chain covers: a digest of each personal value.
    pub(super) fn digests(&self) -> Option<Json> {
        self.personal.as_ref().map(|personal| {
            json_of(|side| {
                let values = personal.side(side)?;
                let digests = values.iter().map(|(field, value)| {
                    (field.clone(), digest(&personal.salt, side, field, value).into())
                });
                Some(Json::Object(digests.collect()))
            })
            .into()
        })
    }

    /// What can be erased: the salt and the values.
    pub(super) fn personal(&self) -> Option<Json> {
        let personal = self.personal.as_ref().filter(|_| self.kept)?;
        let mut parts = json_of(|side| personal.side(side).cloned().map(Json::Object));
        parts.insert("salt".to_owned(), personal.salt.as_str().into());
        Some(Json::Object(parts))
    }
}

impl From<Entry> for Draft {
    fn from(entry: Entry) -> Self {
        Self { entry, personal: None, kept: true }
    }
}

/// The two sides of a change.
pub(super) const SIDES: [&str; 2] = ["old", "new"];

fn json_of(side: impl Fn(&str) -> Option<Json>) -> Map<String, Json> {
    SIDES.iter().filter_map(|name| side(name).map(|json| ((*name).to_owned(), json))).collect()
}

/// Personal values by side and field, with the salt of this entry alone: equal values of two entries
/// have different digests.
#[derive(Debug)]
struct Personal {
    salt: String,
    old: Option<Map<String, Json>>,
    new: Option<Map<String, Json>>,
}

impl Personal {
    /// Takes the values out of an entry; `None` where it has none of them.
    fn taken(entry: &mut Entry, fields: &[&str]) -> Option<Self> {
        let (old, new) = (taken(&mut entry.old, fields), taken(&mut entry.new, fields));
        (old.is_some() || new.is_some()).then(|| Self { salt: salt(), old, new })
    }

    fn side(&self, side: &str) -> Option<&Map<String, Json>> {
        if side == "old" { self.old.as_ref() } else { self.new.as_ref() }
    }
}

fn taken(image: &mut Option<Json>, fields: &[&str]) -> Option<Map<String, Json>> {
    let image = image.as_mut()?.as_object_mut()?;
    let values: Map<String, Json> =
        fields.iter().filter_map(|field| image.remove_entry(*field)).collect();
    (!values.is_empty()).then_some(values)
}

/// The digest of one personal value.
pub(super) fn digest(salt: &str, side: &str, field: &str, value: &Json) -> String {
    canonical::digest(&json!([salt, side, field, value]))
}

fn salt() -> String {
    let mut bytes = [0_u8; SALT_BYTES];
    rand::rng().fill_bytes(&mut bytes);
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Who did it, for work that has no [`Ctx`]: a sign-in, the command line, a job.
#[derive(Debug, Clone, Copy)]
pub struct Author<'a> {
    /// Nobody signed in: the operator at the command line, or the server itself.
    pub user_id: Option<Uuid>,
    pub api_key_id: Option<Uuid>,
    pub origin: &'a Origin,
}

impl<'a> Author<'a> {
    pub fn of(ctx: &'a Ctx) -> Self {
        Self {
            user_id: Some(ctx.actor.user_id),
            api_key_id: ctx.actor.api_key_id,
            origin: &ctx.origin,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry() -> Entry {
        Entry {
            action: "contact.update".to_owned(),
            resource: "contacts",
            resource_id: Uuid::nil(),
            old: Some(json!({ "email": "a@b.example", "companyId": null })),
            new: Some(json!({ "email": "c@d.example", "companyId": "1" })),
        }
    }

    #[test]
    fn personal_values_stand_apart() {
        let draft = entry().with_personal(&["email", "phone"]);
        assert_eq!(draft.entry.old, Some(json!({ "companyId": null })));
        let personal = draft.personal().unwrap();
        assert_eq!(personal["old"], json!({ "email": "a@b.example" }));
        let salt = personal["salt"].as_str().unwrap();
        assert_eq!(salt.len(), 2 * SALT_BYTES);
        let expected = digest(salt, "new", "email", &json!("c@d.example"));
        assert_eq!(draft.digests().unwrap()["new"]["email"], json!(expected));
        assert!(!draft.digests().unwrap().to_string().contains('@'));
    }

    #[test]
    fn equal_values_have_different_digests() {
        let (one, other) = (entry().with_personal(&["email"]), entry().with_personal(&["email"]));
        assert_ne!(one.digests(), other.digests());
    }

    #[test]
    fn what_is_forgotten_leaves_digests_alone() {
        let draft = entry().with_personal(&["email"]).forgotten();
        assert_eq!(draft.personal(), None);
        assert!(draft.digests().is_some());
        assert!(entry().with_personal(&["phone"]).digests().is_none());
    }
}
