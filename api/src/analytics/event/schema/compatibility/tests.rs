//! What breaks, at its place; and for schemas made at random, that what is called compatible is.

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn places(old: &Json, new: &Json) -> Vec<String> {
    breaks(old, new).into_iter().map(|problem| problem.at).collect()
}

fn field(schema: Json) -> Json {
    let properties = Map::from_iter([("a".to_owned(), schema)]);
    json!({ "properties": properties })
}

#[test]
fn what_narrows_is_found_at_its_place() {
    for (old, new, place) in [
        (json!({ "type": ["string", "number"] }), json!({ "type": "string" }), "/type"),
        (json!({ "type": "number" }), json!({ "type": "integer" }), "/type"),
        (json!({}), json!({ "type": "string" }), "/type"),
        (json!({ "enum": [1, 2] }), json!({ "enum": [2, 3] }), ""),
        (json!({ "type": "string" }), json!({ "type": "string", "enum": ["x"] }), "/enum"),
        (json!({ "maxLength": 5 }), json!({ "maxLength": 4 }), "/maxLength"),
        (json!({}), json!({ "minimum": 0 }), "/minimum"),
        (json!({ "pattern": "a" }), json!({ "pattern": "b" }), "/pattern"),
        (json!({}), json!({ "items": { "type": "null" } }), "/items/type"),
        (json!({}), json!({ "anyOf": [{ "minLength": 1 }] }), "/anyOf"),
        (json!({ "if": {}, "then": {} }), json!({ "if": {}, "then": false }), "/then"),
        (json!({}), json!(false), ""),
    ] {
        let at = format!("/properties/a{place}");
        assert_eq!(places(&field(old.clone()), &field(new.clone())), [at], "{old} {new}");
    }
    let object = json!({ "properties": { "a": {}, "b": {} }, "required": ["a"] });
    let narrower =
        json!({ "properties": { "a": {} }, "required": ["a", "c"], "additionalProperties": false });
    assert_eq!(places(&object, &narrower), ["/required", "/properties/b", "/additionalProperties"]);
    let mapped = json!({ "additionalProperties": { "type": "string" } });
    let named = json!({ "additionalProperties": { "type": "string" },
        "properties": { "a": { "type": "integer" } } });
    assert_eq!(places(&mapped, &named), ["/properties/a/type"]);
}

#[test]
fn what_widens_is_let_be() {
    for (old, new) in [
        (json!({ "type": "integer" }), json!({ "type": ["number", "null"] })),
        (json!({ "enum": ["a", 1] }), json!({ "enum": [1, "a", "b"] })),
        (json!({ "const": "abc" }), json!({ "type": "string", "minLength": 3 })),
        (json!({ "minLength": 2, "pattern": "a" }), json!({ "minLength": 1 })),
        (json!({ "type": "string" }), json!({ "type": ["string", "array"], "maxItems": 1 })),
        (json!({ "anyOf": [{ "minLength": 1 }] }), json!({ "minLength": 0 })),
        (json!(false), json!({ "type": "string" })),
        (json!({ "type": "string" }), json!({ "type": "string", "x-pii": "mask", "title": "A" })),
    ] {
        assert_eq!(places(&field(old.clone()), &field(new.clone())), [""; 0], "{old} {new}");
    }
    let old = json!({ "properties": { "a": {} }, "required": ["a"] });
    let new = json!({ "properties": { "a": {}, "b": { "type": "string" } } });
    assert_eq!(places(&old, &new), [""; 0]);
}

fn value() -> impl Strategy<Value = Json> {
    prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::Bool),
        (-3_i64..6).prop_map(Json::from),
        Just(json!(1.5)),
        "[ab]{0,3}".prop_map(Json::String),
    ]
}

fn scalar() -> impl Strategy<Value = Json> {
    let kind =
        || prop::sample::select(vec!["null", "boolean", "integer", "number", "string", "array"]);
    prop_oneof![
        Just(json!({})),
        prop::collection::btree_set(kind(), 1..4).prop_map(|types| json!({ "type": types })),
        prop::collection::vec(value(), 1..4).prop_map(|values| json!({ "enum": values })),
        value().prop_map(|value| json!({ "const": value })),
        (-2_i64..4).prop_map(|least| json!({ "minimum": least })),
        (0_u64..4).prop_map(|most| json!({ "maxLength": most, "minLength": most / 2 })),
        "[ab]".prop_map(|text| json!({ "pattern": text, "type": ["string", "integer"] })),
        kind().prop_map(|kind| json!({ "items": { "type": kind } })),
        kind().prop_map(|kind| json!({ "not": { "type": kind } })),
    ]
}

fn schema() -> impl Strategy<Value = Json> {
    let rest = prop_oneof![Just(json!(true)), Just(json!(false)), scalar()];
    (scalar(), scalar(), prop::collection::btree_set("[ab]", 0..2), rest).prop_map(
        |(a, b, required, rest)| {
            json!({ "type": "object", "properties": { "a": a, "b": b },
                "required": required, "additionalProperties": rest })
        },
    )
}

fn payload() -> impl Strategy<Value = Json> {
    let deep = prop_oneof![
        3 => value(),
        1 => prop::collection::vec(value(), 0..3).prop_map(Json::Array),
    ];
    prop::collection::btree_map("[abc]", deep, 0..4).prop_map(|fields| json!(fields))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_500))]

    #[test]
    fn what_is_called_compatible_takes_whatever_was_taken(
        old in schema(), new in schema(), payloads in prop::collection::vec(payload(), 12),
    ) {
        if breaks(&old, &new).is_empty() {
            for payload in payloads.iter().filter(|each| jsonschema::is_valid(&old, each)) {
                prop_assert!(jsonschema::is_valid(&new, payload), "{old} {new} {payload}");
            }
        }
    }

    #[test]
    fn a_schema_is_compatible_with_itself(schema in schema()) {
        prop_assert_eq!(breaks(&schema, &schema), vec![]);
    }

    #[test]
    fn a_change_that_is_found_can_be_shown(old in scalar(), new in scalar(), value in value()) {
        // The other way round: where a value fitted and no longer does, something is found.
        if jsonschema::is_valid(&old, &value) && !jsonschema::is_valid(&new, &value) {
            prop_assert!(!breaks(&old, &new).is_empty(), "{old} {new} {value}");
        }
    }
}
