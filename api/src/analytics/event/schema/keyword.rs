//! What the keywords of JSON Schema (draft 2020-12) hold: everybody who walks through a schema goes by
//! this list, so that data (`enum`, `default`) is never taken for a schema.

/// What stands behind a keyword.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Holds {
    Schema,
    Schemas,
    /// Schemas by name.
    Named,
    /// The place of another schema.
    Reference,
    /// Something that is not supported.
    Refused,
    /// Nothing that is looked at.
    Nothing,
    Data,
}

pub(super) fn holds(keyword: &str) -> Holds {
    match keyword {
        "additionalProperties"
        | "items"
        | "contains"
        | "not"
        | "if"
        | "then"
        | "else"
        | "propertyNames"
        | "unevaluatedItems"
        | "unevaluatedProperties" => Holds::Schema,
        "allOf" | "anyOf" | "oneOf" | "prefixItems" => Holds::Schemas,
        "properties" | "patternProperties" | "dependentSchemas" => Holds::Named,
        "$ref" => Holds::Reference,
        "$id" | "$anchor" | "$dynamicRef" | "$dynamicAnchor" | "$vocabulary" => Holds::Refused,
        "$schema" | "$defs" | "$comment" | "contentSchema" => Holds::Nothing,
        _ => Holds::Data,
    }
}

/// Says something about a value, and forbids none.
pub(super) fn is_annotation(keyword: &str) -> bool {
    const ANNOTATIONS: [&str; 12] = [
        "title",
        "description",
        "default",
        "examples",
        "deprecated",
        "readOnly",
        "writeOnly",
        "format",
        "contentEncoding",
        "contentMediaType",
        super::marks::KEYWORD,
        "$comment",
    ];
    ANNOTATIONS.contains(&keyword)
}

/// A JSON pointer one step further.
pub(super) fn join(at: &str, step: &str) -> String {
    format!("{at}/{}", escaped(step))
}

/// A step as it stands in a JSON pointer.
pub(super) fn escaped(step: &str) -> String {
    step.replace('~', "~0").replace('/', "~1")
}

/// The steps of a JSON pointer, as they are without it.
pub(super) fn steps(pointer: &str) -> impl Iterator<Item = String> {
    pointer.split('/').skip(1).map(|step| step.replace("~1", "/").replace("~0", "~"))
}
