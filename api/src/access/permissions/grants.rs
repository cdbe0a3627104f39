//! What is allowed on one resource: its stored form, and how several roles add up.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value as Json};

use super::FieldRule;
use crate::access::{Action, Reach, ScopeKind};

/// Actions that write fields.
const WRITING: [Action; 2] = [Action::Create, Action::Update];

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Grants {
    pub(super) reach: BTreeMap<Action, Reach>,
    /// What may be read of a field, by GraphQL name; a field that is not named is plain.
    pub(super) fields: BTreeMap<String, FieldRule>,
    /// Fields that a writing action may not write.
    pub(super) sealed: BTreeMap<Action, BTreeSet<String>>,
    /// Of an API key: the only fields that may be read, where it names any.
    pub(super) only: Option<BTreeSet<String>>,
}

impl Grants {
    pub(super) fn everything() -> Self {
        let all = Reach::of(ScopeKind::All);
        let reach = Action::ALL.into_iter().map(|action| (action, all)).collect();
        Self { reach, ..Self::default() }
    }

    pub(super) fn reads(&self) -> bool {
        self.reach.contains_key(&Action::Read)
    }

    pub(super) fn field(&self, name: &str) -> FieldRule {
        let listed = |only: &BTreeSet<String>| name == "id" || only.contains(name);
        if !self.only.as_ref().is_none_or(listed) {
            return FieldRule::Hidden;
        }
        self.fields.get(name).copied().unwrap_or(FieldRule::Plain)
    }

    /// A relation is as readable as its own name and the field that holds its id; of a key's list
    /// either of the two will do.
    pub(super) fn follows(&self, relation: &str, via: Option<&str>) -> bool {
        let ruled = |name: &str| self.fields.contains_key(name);
        let listed = |only: &BTreeSet<String>| {
            only.contains(relation) || via.is_some_and(|via| only.contains(via))
        };
        !ruled(relation) && !via.is_some_and(ruled) && self.only.as_ref().is_none_or(listed)
    }

    pub(super) fn writes(&self, action: Action, name: &str) -> bool {
        self.sealed.get(&action).is_none_or(|sealed| !sealed.contains(name))
    }

    pub(super) fn add(&mut self, other: &Self) {
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
        for action in WRITING.into_iter().filter(|action| other.reach.contains_key(action)) {
            let theirs = other.sealed.get(&action).cloned().unwrap_or_default();
            if self.reach.contains_key(&action) {
                if let Some(ours) = self.sealed.get_mut(&action) {
                    ours.retain(|name| theirs.contains(name));
                }
            } else {
                self.sealed.insert(action, theirs);
            }
        }
        self.sealed.retain(|_, names| !names.is_empty());
        for (action, reach) in &other.reach {
            let known = self.reach.entry(*action).or_default();
            *known = known.plus(*reach);
        }
    }

    /// Leaves only some actions.
    pub(super) fn retain(&mut self, keep: impl Fn(Action) -> bool) {
        self.reach.retain(|action, _| keep(*action));
        if !self.reads() {
            self.fields.clear();
            self.only = None;
        }
        let reach = &self.reach;
        self.sealed.retain(|action, _| reach.contains_key(action));
    }

    /// What `other` allows and this does not, each in words of the stored form.
    pub(super) fn lacks(&self, other: &Self) -> Vec<String> {
        let mut missing = Vec::new();
        for (action, reach) in &other.reach {
            let ours = self.reach.get(action).copied().unwrap_or_default();
            if !ours.covers(*reach) {
                let scopes: Vec<_> = reach.scopes().map(ScopeKind::as_str).collect();
                missing.push(format!("{}: {}", action.as_str(), scopes.join(" + ")));
            }
        }
        if other.reads() {
            let ruled = self.fields.iter().filter(|(name, rule)| other.field(name) < **rule);
            missing.extend(ruled.map(|(name, rule)| format!("{name} is {}", rule.as_str())));
            match (&self.only, &other.only) {
                (None, _) => {}
                (Some(ours), Some(theirs)) => {
                    missing.extend(theirs.difference(ours).map(|name| format!("{name} is hidden")));
                }
                (Some(_), None) => missing.push("only some fields may be read".to_owned()),
            }
        }
        for (action, sealed) in &self.sealed {
            if other.reach.contains_key(action) {
                let open = sealed.iter().filter(|name| other.writes(*action, name));
                missing.extend(open.map(|name| format!("{name} is read_only")));
            }
        }
        missing
    }

    /// The rules of fields, in words of the stored form.
    pub(super) fn rules(&self) -> BTreeMap<&str, &'static str> {
        let sealed = self.sealed.values().flatten().map(|name| (name.as_str(), "read_only"));
        let mut rules: BTreeMap<&str, &'static str> = sealed.collect();
        rules.extend(self.fields.iter().map(|(name, rule)| (name.as_str(), rule.as_str())));
        rules
    }

    pub(super) fn read_json(
        &mut self,
        name: &str,
        entry: &Map<String, Json>,
        problems: &mut Vec<String>,
    ) {
        for (key, value) in entry.iter().filter(|(key, _)| *key != "fields") {
            let scope = value.as_str().and_then(ScopeKind::parse);
            match (Action::parse(key), scope) {
                (Some(action), Some(scope)) => {
                    self.reach.insert(action, Reach::of(scope));
                }
                (None, _) => problems.push(format!("unknown action \"{key}\" on \"{name}\"")),
                (Some(_), None) => problems
                    .push(format!("\"{name}.{key}\" must be own, team, org_unit, company or all")),
            }
        }
        match entry.get("fields") {
            None => {}
            Some(Json::Object(rules)) => self.read_fields(name, rules, problems),
            // What is not to be seen is unknown: nothing is.
            Some(_) => {
                problems.push(format!("\"{name}.fields\" must be an object"));
                self.reach.clear();
            }
        }
    }

    fn read_fields(&mut self, name: &str, rules: &Map<String, Json>, problems: &mut Vec<String>) {
        let writes = WRITING.iter().any(|action| self.reach.contains_key(action));
        for (field, rule) in rules {
            let rule = match rule.as_str() {
                Some("hidden") => Some(FieldRule::Hidden),
                Some("masked") => Some(FieldRule::Masked),
                Some("read_only") => None,
                Some(_) | None => {
                    problems.push(format!(
                        "\"{name}.fields.{field}\" must be hidden, masked or read_only"
                    ));
                    Some(FieldRule::Hidden)
                }
            };
            match rule {
                Some(_) if !self.reads() => {
                    problems.push(format!("\"{name}.fields.{field}\": \"{name}\" may not be read"));
                }
                None if !writes => problems.push(format!(
                    "\"{name}.fields.{field}\": \"{name}\" may neither be created nor updated"
                )),
                Some(rule) => {
                    self.fields.insert(field.clone(), rule);
                }
                None => {}
            }
            // What may not be read in full may not be written either: one could find out so.
            for action in WRITING.into_iter().filter(|action| self.reach.contains_key(action)) {
                self.sealed.entry(action).or_default().insert(field.clone());
            }
        }
    }
}
