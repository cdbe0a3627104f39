//! What roles allow, as data. The stored form (column `roles.permissions`) is JSON:
//!
//! ```json
//! { "leads":    { "read": "all", "create": "all", "update": "own", "fields": { "score": "read_only" } },
//!   "contacts": { "read": "all", "fields": { "phone": "hidden", "email": "masked" } } }
//! ```
//!
//! `{ "*": "all" }` allows every action on every resource and stands alone. Several roles add up:
//! the widest scope and the mildest field rule win, each for itself.
//!
//! Invariant: rules for reading a field exist only where reading is granted, those for writing it
//! only where writing is.

mod grants;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;

use super::{Action, Reach, Resource, ScopeKind};
use grants::Grants;

/// What a role may see of one field, mildest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FieldRule {
    Plain,
    /// Shown shortened (`j***@example.com`); cannot be filtered, sorted or grouped on.
    Masked,
    /// Selecting it, filtering or sorting on it is FORBIDDEN.
    Hidden,
}

impl FieldRule {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Masked => "masked",
            Self::Hidden => "hidden",
        }
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Permissions(BTreeMap<Resource, Grants>);

impl Permissions {
    /// Reads one role's JSON before it is stored. An unknown resource, action, scope or field rule
    /// is an error: a misspelt grant must not silently allow or deny.
    pub fn from_json(json: &Json) -> Result<Self, String> {
        let (permissions, problems) = Self::read(json);
        if problems.is_empty() { Ok(permissions) } else { Err(problems.join("; ")) }
    }

    /// Reads one role's stored JSON. What this version does not know (a neighbouring, newer one may
    /// have written it) allows nothing, and is told beside the permissions, for the log.
    pub fn from_stored(json: &Json) -> (Self, Vec<String>) {
        Self::read(json)
    }

    fn read(json: &Json) -> (Self, Vec<String>) {
        let mut permissions = Self::default();
        let mut problems = Vec::new();
        let Some(object) = json.as_object() else {
            return (permissions, vec!["permissions must be a JSON object".to_owned()]);
        };
        if let Some(star) = object.get("*") {
            if star.as_str() == Some("all") && object.len() == 1 {
                return (Self::everything(), problems);
            }
            problems.push("\"*\" can only be \"all\" and stands alone".to_owned());
        }
        for (name, entry) in object.iter().filter(|(name, _)| *name != "*") {
            match (Resource::parse(name), entry.as_object()) {
                (Some(resource), Some(entry)) => {
                    let mut grants = Grants::default();
                    grants.read_json(name, entry, &mut problems);
                    permissions.0.insert(resource, grants);
                }
                (None, _) => problems.push(format!("unknown resource \"{name}\"")),
                (Some(_), None) => problems.push(format!("\"{name}\" must be an object")),
            }
        }
        (permissions, problems)
    }

    /// Every action on every resource.
    pub fn everything() -> Self {
        Self(Resource::ALL.into_iter().map(|resource| (resource, Grants::everything())).collect())
    }

    /// Several roles of one user add up. The order does not matter.
    #[must_use]
    pub fn merge(mut self, other: &Self) -> Self {
        for (resource, grants) in &other.0 {
            self.0.entry(*resource).or_default().add(grants);
        }
        self
    }

    /// What is reached, or `None` where nothing is granted.
    pub fn reach(&self, resource: Resource, action: Action) -> Option<Reach> {
        self.0.get(&resource)?.reach.get(&action).copied()
    }

    /// The widest scope granted, or `None` where nothing is.
    pub fn scope(&self, resource: Resource, action: Action) -> Option<ScopeKind> {
        self.reach(resource, action)?.scopes().max()
    }

    pub fn field(&self, resource: Resource, field: &str) -> FieldRule {
        self.0.get(&resource).map_or(FieldRule::Plain, |grants| grants.field(field))
    }

    /// Whether a relation may be followed whose id the field `via` holds, where one does.
    pub fn follows(&self, resource: Resource, relation: &str, via: Option<&str>) -> bool {
        self.0.get(&resource).is_none_or(|grants| grants.follows(relation, via))
    }

    /// Whether a field may be written where the action itself may be done.
    pub fn writes(&self, resource: Resource, action: Action, field: &str) -> bool {
        self.0.get(&resource).is_none_or(|grants| grants.writes(action, field))
    }

    /// The rules of a resource's fields, by name: `hidden`, `masked` or `read_only`.
    pub fn field_rules(&self, resource: Resource) -> BTreeMap<&str, &'static str> {
        self.0.get(&resource).map(Grants::rules).unwrap_or_default()
    }

    /// Whether every field of a resource may be read: for answers that are no record's and know no
    /// rules for fields.
    pub fn reads_whole(&self, resource: Resource) -> bool {
        let whole = |grants: &Grants| grants.fields.is_empty() && grants.only.is_none();
        self.0.get(&resource).is_none_or(whole)
    }

    /// Everything granted, in a fixed order.
    pub fn grants(&self) -> impl Iterator<Item = (Resource, Action, ScopeKind)> + '_ {
        self.0.iter().flat_map(|(resource, grants)| {
            grants.reach.iter().flat_map(move |(action, reach)| {
                reach.scopes().map(move |scope| (*resource, *action, scope))
            })
        })
    }

    /// Names of fields that have a rule, by resource.
    pub fn ruled_fields(&self) -> impl Iterator<Item = (Resource, &str)> + '_ {
        self.0.iter().flat_map(|(resource, grants)| {
            grants.rules().into_keys().map(move |name| (*resource, name))
        })
    }

    /// Whether a grant speaks of other people: only then has anybody to look up who they are.
    pub fn speaks_of_people(&self) -> bool {
        self.grants().any(|(_, _, scope)| match scope {
            ScopeKind::Team | ScopeKind::OrgUnit => true,
            ScopeKind::Own | ScopeKind::Company | ScopeKind::All => false,
        })
    }

    /// What `other` allows and this does not; nothing where whoever holds this may hand out `other`.
    pub fn lacks(&self, other: &Self) -> Vec<String> {
        let nothing = Grants::default();
        let mut missing = Vec::new();
        for (resource, grants) in &other.0 {
            let ours = self.0.get(resource).unwrap_or(&nothing);
            let named = |lack: String| format!("{} {lack}", resource.as_str());
            missing.extend(ours.lacks(grants).into_iter().map(named));
        }
        missing
    }

    /// Narrows to what an API key's scopes (`leads:read`) leave.
    #[must_use]
    pub fn restricted_to(&self, scopes: &[(Resource, Action)]) -> Self {
        let mut narrowed = self.clone();
        for (resource, grants) in &mut narrowed.0 {
            grants.retain(|action| scopes.contains(&(*resource, action)));
        }
        narrowed.0.retain(|_, grants| !grants.reach.is_empty());
        narrowed
    }

    /// Narrows to what an API key's fields (`leads.name`, `leads.*`) leave to be read. Ids can always
    /// be read.
    #[must_use]
    pub fn with_fields(&self, fields: &[(Resource, &str)]) -> Self {
        let mut narrowed = self.clone();
        for (resource, grants) in narrowed.0.iter_mut().filter(|(_, grants)| grants.reads()) {
            let own = fields.iter().filter(|(other, _)| other == resource);
            let names: BTreeSet<String> = own.map(|(_, name)| (*name).to_owned()).collect();
            if !names.contains("*") {
                grants.only = Some(names);
            }
        }
        narrowed
    }
}

/// Reads one scope of an API key, `resource:action`.
pub fn parse_key_scope(text: &str) -> Option<(Resource, Action)> {
    let (resource, action) = text.split_once(':')?;
    let resource = Resource::parse(resource)?;
    // Events are written once and never changed: whoever sends them calls it writing.
    if (resource, action) == (Resource::Events, "write") {
        return Some((resource, Action::Create));
    }
    Some((resource, Action::parse(action)?))
}

/// Reads one field of an API key, `resource.field` or `resource.*`.
pub fn parse_key_field(text: &str) -> Option<(Resource, &str)> {
    let (resource, field) = text.split_once('.')?;
    let is_name = field.bytes().all(|byte| byte.is_ascii_alphanumeric()) && !field.is_empty();
    (is_name || field == "*").then_some((Resource::parse(resource)?, field))
}
