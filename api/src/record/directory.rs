//! The records of this binary by the resource that permissions speak of, for those who may not know
//! the rooms that declare them.

use std::collections::BTreeMap;

use super::declare::Record;
use crate::access::{Permissions, Resource, ScopeKind};

pub struct Directory(BTreeMap<Resource, Vec<&'static Record>>);

impl Directory {
    pub fn of(records: &[&'static Record]) -> Self {
        let mut by_resource: BTreeMap<Resource, Vec<&'static Record>> = BTreeMap::new();
        for record in records {
            by_resource.entry(record.resource).or_default().push(record);
        }
        Self(by_resource)
    }

    /// The record whose rows a resource is about; `None` for what has no rows of its own.
    pub fn record(&self, resource: Resource) -> Option<&'static Record> {
        self.records(resource).iter().copied().find(|record| !record.is_virtual())
    }

    /// Whether something of this name can be selected of a resource.
    pub fn has_field(&self, resource: Resource, name: &str) -> bool {
        self.records(resource).iter().any(|record| {
            record.find_field(name).is_some()
                || record.find_relation(name).is_some()
                || record.find_computed(name).is_some()
        })
    }

    /// What permissions name that is not there: a misspelt rule must not silently hide nothing.
    pub fn problems(&self, permissions: &Permissions) -> Vec<String> {
        let unknown = permissions
            .ruled_fields()
            .filter(|(resource, field)| !self.has_field(*resource, field))
            .map(|(resource, field)| format!("\"{}\" has no field \"{field}\"", resource.as_str()));
        let astray = permissions
            .grants()
            .filter(|(resource, _, scope)| {
                let record = self.record(*resource);
                *scope == ScopeKind::Company
                    && record.is_none_or(|record| record.company.way().is_none())
            })
            .map(|(resource, action, _)| {
                let (resource, action) = (resource.as_str(), action.as_str());
                format!("\"{resource}.{action}\" cannot be company: its rows belong to none")
            });
        unknown.chain(astray).collect()
    }

    fn records(&self, resource: Resource) -> &[&'static Record] {
        self.0.get(&resource).map(Vec::as_slice).unwrap_or_default()
    }
}
