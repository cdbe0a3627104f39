//! Whether a new version of a schema takes whatever the version before it takes, and where it does
//! not. Judged by what is written, keyword by keyword; where that cannot be told, the new version must
//! say the same as the old one. Both are given without references.
//!
//! One liberty is meant: a field that the old version does not name may be declared, although payloads
//! could have held anything there. Nothing was promised about it.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use serde_json::{Map, Value as Json};

use super::keyword::join;
use super::{Problem, brief};

/// What a value of a kind is bound by: a smaller value of the keyword forbids less, or a larger one.
const AT_MOST: [(&str, &str); 5] = [
    ("maximum", "number"),
    ("exclusiveMaximum", "number"),
    ("maxLength", "string"),
    ("maxItems", "array"),
    ("maxProperties", "object"),
];
const AT_LEAST: [(&str, &str); 5] = [
    ("minimum", "number"),
    ("exclusiveMinimum", "number"),
    ("minLength", "string"),
    ("minItems", "array"),
    ("minProperties", "object"),
];
/// Keywords that are said again as they were, or no longer. Those of one line only together.
const FIXED: [(&[&str], &str); 13] = [
    (&["pattern"], "string"),
    (&["multipleOf"], "number"),
    (&["uniqueItems"], "array"),
    (&["contains", "minContains", "maxContains"], "array"),
    (&["dependentRequired"], "object"),
    (&["dependentSchemas"], "object"),
    (&["propertyNames"], "object"),
    (&["allOf"], ANY),
    (&["anyOf"], ANY),
    (&["oneOf"], ANY),
    (&["not"], ANY),
    (&["if", "then", "else"], ANY),
    (&["unevaluatedItems", "unevaluatedProperties"], ANY),
];
/// What others are read with: said as they were, and not left out either.
const BOUND: [(&str, &str); 2] = [("prefixItems", "array"), ("patternProperties", "object")];
const ANY: &str = "any";
const TYPES: [&str; 6] = ["null", "boolean", "object", "array", "number", "string"];

/// What the new version refuses although the old one takes it, and what it no longer declares.
pub(super) fn breaks(old: &Json, new: &Json) -> Vec<Problem> {
    let mut found = Vec::new();
    compare(old, new, "", &mut found);
    found
}

fn compare(old: &Json, new: &Json, at: &str, found: &mut Vec<Problem>) {
    let anything = Map::new();
    let (old, new) = match (old, new) {
        (Json::Bool(false), _) | (_, Json::Bool(true)) => return,
        (_, Json::Bool(false)) => {
            found.push(Problem::at(at, "nothing fits any more", "nada mais cabe"));
            return;
        }
        (old, new) => (old.as_object().unwrap_or(&anything), new.as_object().unwrap_or(&anything)),
    };
    if let Some(values) = values(old) {
        still_fit(&values, new, at, found);
        return;
    }
    types(old, new, at, found);
    if new.contains_key("enum") || new.contains_key("const") {
        let keyword = if new.contains_key("enum") { "enum" } else { "const" };
        found.push(Problem::at(
            join(at, keyword),
            "allows only some values now, and allowed others before",
            "permite só alguns valores agora, e antes permitia outros",
        ));
    }
    bounds(old, new, at, found);
    fixed(old, new, at, found);
    if admits(old, "object") {
        required(old, new, at, found);
        fields(old, new, at, found);
    }
    if admits(old, "array") {
        inner(old, new, (at, "items"), found);
    }
}

/// All that a schema takes, where it lists that.
fn values(schema: &Map<String, Json>) -> Option<Vec<&Json>> {
    if let Some(value) = schema.get("const") {
        return Some(vec![value]);
    }
    schema.get("enum")?.as_array().map(|values| values.iter().collect())
}

fn still_fit(values: &[&Json], new: &Map<String, Json>, at: &str, found: &mut Vec<Problem>) {
    let new = Json::Object(new.clone());
    let Ok(validator) = jsonschema::draft202012::new(&new) else { return };
    for value in values.iter().filter(|value| !validator.is_valid(value)) {
        let value = brief(value);
        found.push(Problem::at(
            at,
            format!("no longer allows {value}"),
            format!("não permite mais {value}"),
        ));
    }
}

/// The types that a schema takes; integers are numbers.
fn types_of(schema: &Map<String, Json>) -> BTreeSet<&str> {
    match schema.get("type") {
        Some(Json::String(one)) => BTreeSet::from([one.as_str()]),
        Some(Json::Array(several)) => several.iter().filter_map(Json::as_str).collect(),
        _ => TYPES.into(),
    }
}

fn admits(schema: &Map<String, Json>, kind: &str) -> bool {
    let types = types_of(schema);
    kind == ANY || types.contains(kind) || (kind == "number" && types.contains("integer"))
}

fn types(old: &Map<String, Json>, new: &Map<String, Json>, at: &str, found: &mut Vec<Problem>) {
    let now = types_of(new);
    let gone = types_of(old)
        .into_iter()
        .filter(|kind| !now.contains(kind) && (*kind != "integer" || !now.contains("number")));
    let gone: Vec<&str> = gone.collect();
    if !gone.is_empty() {
        let gone = gone.join(", ");
        found.push(Problem::at(
            join(at, "type"),
            format!("no longer allows {gone}"),
            format!("não permite mais {gone}"),
        ));
    }
}

fn bounds(old: &Map<String, Json>, new: &Map<String, Json>, at: &str, found: &mut Vec<Problem>) {
    let most = AT_MOST.iter().map(|(keyword, kind)| (*keyword, *kind, true));
    let least = AT_LEAST.iter().map(|(keyword, kind)| (*keyword, *kind, false));
    for (keyword, kind, is_most) in most.chain(least) {
        let bound = |of: &Map<String, Json>| of.get(keyword).and_then(Json::as_f64);
        let Some(now) = bound(new).filter(|_| admits(old, kind)) else { continue };
        let is_narrower = match bound(old) {
            Some(before) => {
                if is_most {
                    now < before
                } else {
                    now > before
                }
            }
            // Nothing is shorter than 0.
            None => is_most || now > 0.0 || kind == "number",
        };
        if is_narrower {
            found.push(Problem::at(
                join(at, keyword),
                "is narrower than before",
                "é mais estreito que antes",
            ));
        }
    }
}

fn fixed(old: &Map<String, Json>, new: &Map<String, Json>, at: &str, found: &mut Vec<Problem>) {
    let same_at = |keyword: &str| match (old.get(keyword), new.get(keyword)) {
        (None, None) => true,
        (Some(old), Some(new)) => same(old, new),
        (Some(_), None) | (None, Some(_)) => false,
    };
    for (keywords, kind) in FIXED {
        let said = keywords.iter().any(|keyword| new.contains_key(*keyword));
        let Some(changed) = keywords.iter().find(|keyword| !same_at(keyword)) else { continue };
        let means_nothing = *changed == "uniqueItems" && new.get(*changed) == Some(&false.into());
        if said && admits(old, kind) && !means_nothing {
            found.push(changed_at(at, changed));
        }
    }
    for (keyword, kind) in BOUND {
        if admits(old, kind) && !same_at(keyword) {
            found.push(changed_at(at, keyword));
        }
    }
    // What is left to these depends on everything else.
    let rest = ["unevaluatedItems", "unevaluatedProperties"];
    if rest.iter().any(|keyword| new.contains_key(*keyword))
        && !same(&Json::Object(old.clone()), &Json::Object(new.clone()))
    {
        found.push(Problem::at(
            at,
            "cannot be told from before beside unevaluatedProperties or unevaluatedItems: leave it \
             as it was",
            "não dá para comparar junto de unevaluatedProperties ou unevaluatedItems: deixe como \
             estava",
        ));
    }
}

fn changed_at(at: &str, keyword: &str) -> Problem {
    Problem::at(
        join(at, keyword),
        "is not as it was: what fitted may fit no longer",
        "não é como antes: o que cabia pode não caber mais",
    )
}

fn required(old: &Map<String, Json>, new: &Map<String, Json>, at: &str, found: &mut Vec<Problem>) {
    let names = |of: &'_ Map<String, Json>| -> BTreeSet<String> {
        let names = of.get("required").and_then(Json::as_array).into_iter().flatten();
        names.filter_map(Json::as_str).map(str::to_owned).collect()
    };
    for name in names(new).difference(&names(old)) {
        found.push(Problem::at(
            join(at, "required"),
            format!("requires {name:?}, which was optional"),
            format!("exige {name:?}, que era opcional"),
        ));
    }
}

fn fields(old: &Map<String, Json>, new: &Map<String, Json>, at: &str, found: &mut Vec<Problem>) {
    let none = Map::new();
    let properties =
        |of: &'_ Map<String, Json>| of.get("properties").and_then(Json::as_object).cloned();
    let before = properties(old).unwrap_or_default();
    let now = properties(new).unwrap_or(none);
    let at_properties = join(at, "properties");
    for (name, schema) in &before {
        match now.get(name) {
            Some(declared) => compare(schema, declared, &join(&at_properties, name), found),
            None => found.push(Problem::at(
                join(&at_properties, name),
                "is no longer declared",
                "não é mais declarado",
            )),
        }
    }
    // What the old version said of all other fields holds for one that gets a name.
    if let Some(others) = old.get("additionalProperties").filter(|others| others.is_object()) {
        for (name, declared) in now.iter().filter(|(name, _)| !before.contains_key(*name)) {
            compare(others, declared, &join(&at_properties, name), found);
        }
    }
    inner(old, new, (at, "additionalProperties"), found);
}

fn inner(
    old: &Map<String, Json>,
    new: &Map<String, Json>,
    (at, keyword): (&str, &str),
    found: &mut Vec<Problem>,
) {
    let of = |schema: &Map<String, Json>| schema.get(keyword).cloned().unwrap_or(Json::Bool(true));
    compare(&of(old), &of(new), &join(at, keyword), found);
}

/// The same JSON; a database may have written its numbers in another way.
pub(super) fn same(one: &Json, other: &Json) -> bool {
    match (one, other) {
        (Json::Number(one), Json::Number(other)) => one == other || one.as_f64() == other.as_f64(),
        (Json::Array(one), Json::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        (Json::Object(one), Json::Object(other)) => {
            let has_same =
                |(name, value): (&String, &Json)| other.get(name).is_some_and(|it| same(value, it));
            one.len() == other.len() && one.iter().all(has_same)
        }
        (one, other) => one == other,
    }
}
