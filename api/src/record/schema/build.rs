//! Short forms for async-graphql's registry entries.

use async_graphql::indexmap::IndexMap;
use async_graphql::registry::{Deprecation, MetaEnumValue, MetaField, MetaInputValue, MetaType};

use crate::record::kind::EnumType;

/// A field of an object, without arguments.
pub fn field(name: &str, of: impl Into<String>, about: &str) -> MetaField {
    MetaField {
        name: name.to_owned(),
        description: described(about),
        args: IndexMap::new(),
        ty: of.into(),
        deprecation: Deprecation::NoDeprecated,
        cache_control: async_graphql::CacheControl::default(),
        external: false,
        requires: None,
        provides: None,
        visible: None,
        shareable: false,
        inaccessible: false,
        tags: Vec::new(),
        override_from: None,
        compute_complexity: None,
        directive_invocations: Vec::new(),
        requires_scopes: Vec::new(),
    }
}

/// An argument, or a field of an input object.
pub fn input_value(name: &str, of: impl Into<String>, about: &str) -> MetaInputValue {
    MetaInputValue {
        name: name.to_owned(),
        description: described(about),
        ty: of.into(),
        deprecation: Deprecation::NoDeprecated,
        default_value: None,
        visible: None,
        inaccessible: false,
        tags: Vec::new(),
        is_secret: false,
        directive_invocations: Vec::new(),
    }
}

pub fn object(name: &str, about: &str, fields: Vec<MetaField>) -> MetaType {
    MetaType::Object {
        name: name.to_owned(),
        description: described(about),
        fields: fields.into_iter().map(|field| (field.name.clone(), field)).collect(),
        cache_control: async_graphql::CacheControl::default(),
        extends: false,
        shareable: false,
        resolvable: true,
        keys: None,
        visible: None,
        inaccessible: false,
        interface_object: false,
        tags: Vec::new(),
        is_subscription: false,
        rust_typename: None,
        directive_invocations: Vec::new(),
        requires_scopes: Vec::new(),
    }
}

pub fn input_object(name: &str, about: &str, fields: Vec<MetaInputValue>) -> MetaType {
    MetaType::InputObject {
        name: name.to_owned(),
        description: described(about),
        input_fields: fields.into_iter().map(|field| (field.name.clone(), field)).collect(),
        visible: None,
        inaccessible: false,
        tags: Vec::new(),
        rust_typename: None,
        oneof: false,
        directive_invocations: Vec::new(),
    }
}

/// An enum from `(name, description)` pairs.
pub(super) fn plain_enum<'a>(
    name: &str,
    about: &str,
    values: impl Iterator<Item = (String, &'a str)>,
) -> MetaType {
    MetaType::Enum {
        name: name.to_owned(),
        description: described(about),
        enum_values: values
            .map(|(name, about)| {
                (
                    name.clone(),
                    MetaEnumValue {
                        name,
                        description: described(about),
                        deprecation: Deprecation::NoDeprecated,
                        visible: None,
                        inaccessible: false,
                        tags: Vec::new(),
                        directive_invocations: Vec::new(),
                    },
                )
            })
            .collect(),
        visible: None,
        inaccessible: false,
        tags: Vec::new(),
        rust_typename: None,
        directive_invocations: Vec::new(),
        requires_scopes: Vec::new(),
    }
}

/// A declared enum; each value is described by its labels in both languages.
pub fn enum_type(of: &EnumType) -> MetaType {
    let labels: Vec<String> =
        of.values.iter().map(|value| format!("{} / {}", value.label_en, value.label_pt)).collect();
    plain_enum(
        of.name,
        of.about,
        of.values
            .iter()
            .zip(&labels)
            .map(|(value, label)| (value.shown.to_owned(), label.as_str())),
    )
}

fn described(about: &str) -> Option<String> {
    if about.is_empty() { None } else { Some(about.to_owned()) }
}
