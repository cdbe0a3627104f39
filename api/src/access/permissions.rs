//! What roles allow, as data. The stored form (column `roles.permissions`) is JSON:
//!
//! ```json
//! { "leads":    { "read": "all", "create": "all", "update": "own" },
//!   "contacts": { "read": "all", "fields": { "phone": "hidden", "email": "masked" } } }
//! ```
//!
//! `{ "*": "all" }` allows every action on every resource and stands alone. Several roles add up:
//! the widest scope and the mildest field rule win, each for itself.
//!
//! Invariant: field rules exist only where reading is granted.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};

use super::{Action, Resource};

/// How far a grant reaches, narrowest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ScopeKind {
    Own,
    Team,
    OrgUnit,
    All,
}

impl ScopeKind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::Team => "team",
            Self::OrgUnit => "org_unit",
            Self::All => "all",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [Self::Own, Self::Team, Self::OrgUnit, Self::All]
            .into_iter()
            .find(|scope| scope.as_str() == text)
    }
}

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

/// What is allowed on one resource.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Grants {
    scopes: BTreeMap<Action, ScopeKind>,
    /// By GraphQL field name; a field that is not named is plain.
    fields: BTreeMap<String, FieldRule>,
}

impl Grants {
    fn everything() -> Self {
        let scopes = Action::ALL.into_iter().map(|action| (action, ScopeKind::All)).collect();
        Self { scopes, fields: BTreeMap::new() }
    }

    fn reads(&self) -> bool {
        self.scopes.contains_key(&Action::Read)
    }

    fn add(&mut self, other: &Self) {
        match (self.reads(), other.reads()) {
            (_, false) => {}
            (false, true) => self.fields.clone_from(&other.fields),
            // A rule holds only where both impose one, and then the milder.
            (true, true) => self.fields.retain(|name, rule| {
                let Some(theirs) = other.fields.get(name) else { return false };
                *rule = (*rule).min(*theirs);
                true
            }),
        }
        for (action, scope) in &other.scopes {
            let known = self.scopes.entry(*action).or_insert(*scope);
            *known = (*known).max(*scope);
        }
    }

    fn read_json(&mut self, name: &str, entry: &Map<String, Json>, problems: &mut Vec<String>) {
        let mut fields_unclear = false;
        for (key, value) in entry {
            if key == "fields" {
                fields_unclear = !self.read_fields(name, value, problems);
                continue;
            }
            let scope = value.as_str().and_then(ScopeKind::parse);
            match (Action::parse(key), scope) {
                (Some(action), Some(scope)) => {
                    self.scopes.insert(action, scope);
                }
                (None, _) => problems.push(format!("unknown action \"{key}\" on \"{name}\"")),
                (Some(_), None) => {
                    problems.push(format!("\"{name}.{key}\" must be own, team, org_unit or all"));
                }
            }
        }
        if fields_unclear {
            self.scopes.clear();
        }
        if !self.reads() && !self.fields.is_empty() {
            problems.push(format!("\"{name}\" has field rules but may not be read"));
            self.fields.clear();
        }
    }

    /// False when the rules cannot be read at all.
    fn read_fields(&mut self, name: &str, rules: &Json, problems: &mut Vec<String>) -> bool {
        let Some(rules) = rules.as_object() else {
            problems.push(format!("\"{name}.fields\" must be an object"));
            return false;
        };
        for (field, rule) in rules {
            let rule = match rule.as_str() {
                Some("hidden") => FieldRule::Hidden,
                Some("masked") => FieldRule::Masked,
                Some(_) | None => {
                    problems.push(format!("\"{name}.fields.{field}\" must be hidden or masked"));
                    FieldRule::Hidden
                }
            };
            self.fields.insert(field.clone(), rule);
        }
        true
    }
}

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

    /// The widest scope granted, or `None` where nothing is.
    pub fn scope(&self, resource: Resource, action: Action) -> Option<ScopeKind> {
        self.0.get(&resource)?.scopes.get(&action).copied()
    }

    pub fn field(&self, resource: Resource, field: &str) -> FieldRule {
        self.0
            .get(&resource)
            .and_then(|grants| grants.fields.get(field))
            .copied()
            .unwrap_or(FieldRule::Plain)
    }

    /// Everything granted, in a fixed order.
    pub fn grants(&self) -> impl Iterator<Item = (Resource, Action, ScopeKind)> + '_ {
        self.0.iter().flat_map(|(resource, grants)| {
            grants.scopes.iter().map(move |(action, scope)| (*resource, *action, *scope))
        })
    }

    /// Whether a grant speaks of other people: only then has anybody to look up who they are.
    pub fn speaks_of_people(&self) -> bool {
        self.grants().any(|(_, _, scope)| match scope {
            ScopeKind::Team | ScopeKind::OrgUnit => true,
            ScopeKind::Own | ScopeKind::All => false,
        })
    }

    /// Narrows to what an API key's scopes (`leads:read`) leave.
    #[must_use]
    pub fn restricted_to(&self, scopes: &[(Resource, Action)]) -> Self {
        let mut narrowed = self.clone();
        for (resource, grants) in &mut narrowed.0 {
            grants.scopes.retain(|action, _| scopes.contains(&(*resource, *action)));
            if !grants.reads() {
                grants.fields.clear();
            }
        }
        narrowed.0.retain(|_, grants| !grants.scopes.is_empty());
        narrowed
    }
}

/// Reads one scope of an API key, `resource:action`.
pub fn parse_key_scope(text: &str) -> Option<(Resource, Action)> {
    let (resource, action) = text.split_once(':')?;
    Some((Resource::parse(resource)?, Action::parse(action)?))
}
