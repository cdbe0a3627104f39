//! A schema as it is uploaded: whether it can be used, with its references written out. What is made
//! of it refers to nothing, so that nothing is fetched and nothing goes in circles.

use jsonschema::{Draft, PatternOptions, Validator};
use serde_json::{Map, Value as Json};

use super::keyword::{Holds, holds, is_annotation, join, steps};
use super::marks::{self, Marks};
use super::{Problem, brief};
use crate::limits;

const DRAFT: &str = "https://json-schema.org/draft/2020-12/schema";
/// Bytes that a pattern may take when it is made ready.
const PATTERN_BYTES: usize = 256 * 1024;

/// A schema that can be used.
#[derive(Debug)]
pub(super) struct Usable {
    /// As it was uploaded, with its references written out.
    pub(super) expanded: Json,
    pub(super) marks: Marks,
    pub(super) validator: Validator,
}

/// Reads a schema of a payload.
///
/// # Errors
///
/// The first thing about it that cannot be used.
pub(super) fn read(document: &Json) -> Result<Usable, Problem> {
    let Json::Object(root) = document else {
        return Err(Problem::at("", "a schema is an object", "um esquema é um objeto"));
    };
    if root.get("$schema").is_some_and(|draft| draft != DRAFT) {
        return Err(Problem::at(
            "/$schema",
            format!("must be {DRAFT}, or absent"),
            format!("deve ser {DRAFT}, ou faltar"),
        ));
    }
    jsonschema::draft202012::meta::validate(document).map_err(|error| {
        let said = brief(&error);
        Problem::at(
            error.instance_path().to_string(),
            format!("is no JSON Schema of draft 2020-12: {said}"),
            format!("não é JSON Schema do rascunho 2020-12: {said}"),
        )
    })?;
    let definitions = root.get("$defs").and_then(Json::as_object);
    let mut expansion = Expansion {
        definitions,
        within: Vec::new(),
        depth: 0,
        bytes_left: limits::EVENT_SCHEMA_EXPANDED_BYTES_MAX,
    };
    let expanded = expansion.schema(document, "")?;
    let marks = marks::of(&expanded, "")?;
    if marks.marks_itself() {
        return Err(Problem::at(
            join("", marks::KEYWORD),
            "marks a field, not the whole payload",
            "marca um campo, não o payload inteiro",
        ));
    }
    let validator = compiled(&marks::tolerant(&expanded))?;
    Ok(Usable { expanded, marks, validator })
}

/// Patterns take time that grows with the text alone, whatever they say.
fn compiled(schema: &Json) -> Result<Validator, Problem> {
    let patterns = PatternOptions::regex().size_limit(PATTERN_BYTES).dfa_size_limit(PATTERN_BYTES);
    let options = jsonschema::options()
        .with_draft(Draft::Draft202012)
        .offline()
        .with_pattern_options(patterns);
    options.build(schema).map_err(|error| {
        let said = brief(&error);
        Problem::at(
            error.instance_path().to_string(),
            format!(
                "cannot be used: {said} (patterns have neither look-around nor back-references)"
            ),
            format!(
                "não pode ser usado: {said} (padrões não têm look-around nem retrorreferências)"
            ),
        )
    })
}

struct Expansion<'d> {
    definitions: Option<&'d Map<String, Json>>,
    /// The definitions that are being written out.
    within: Vec<String>,
    depth: usize,
    bytes_left: usize,
}

impl<'d> Expansion<'d> {
    fn schema(&mut self, schema: &'d Json, at: &str) -> Result<Json, Problem> {
        let Json::Object(map) = schema else { return Ok(schema.clone()) };
        self.depth += 1;
        if self.depth > limits::EVENT_SCHEMA_DEPTH_MAX {
            let max = limits::EVENT_SCHEMA_DEPTH_MAX;
            return Err(Problem::at(
                at,
                format!("is nested deeper than {max}"),
                format!("está aninhado além de {max}"),
            ));
        }
        let mut out = Map::new();
        let mut target = None;
        for (keyword, value) in map {
            let here = join(at, keyword);
            self.spend(keyword.len(), at)?;
            let held = match holds(keyword) {
                Holds::Nothing => continue,
                Holds::Refused => return Err(unsupported(here, keyword)),
                Holds::Reference => {
                    target = Some(self.target(value, &here)?);
                    continue;
                }
                Holds::Data => {
                    self.spend(value.to_string().len(), at)?;
                    value.clone()
                }
                Holds::Schema => self.schema(value, &here)?,
                Holds::Schemas => self.list(value, &here)?,
                Holds::Named => self.named(value, &here)?,
            };
            out.insert(keyword.clone(), held);
        }
        self.depth -= 1;
        Ok(with_target(out, target))
    }

    fn list(&mut self, schemas: &'d Json, at: &str) -> Result<Json, Problem> {
        let schemas = schemas.as_array().into_iter().flatten().enumerate();
        let each = schemas.map(|(index, schema)| self.schema(schema, &format!("{at}/{index}")));
        each.collect::<Result<_, _>>().map(Json::Array)
    }

    fn named(&mut self, schemas: &'d Json, at: &str) -> Result<Json, Problem> {
        let mut out = Map::new();
        for (name, schema) in schemas.as_object().into_iter().flatten() {
            self.spend(name.len(), at)?;
            out.insert(name.clone(), self.schema(schema, &join(at, name))?);
        }
        Ok(Json::Object(out))
    }

    /// What `#/$defs/name` stands for; no other reference is followed.
    fn target(&mut self, reference: &Json, at: &str) -> Result<Json, Problem> {
        let reference = reference.as_str().unwrap_or_default();
        let Some(pointer) = reference.strip_prefix("#/$defs") else {
            return Err(Problem::at(
                at,
                format!("{reference:?}: only #/$defs/… is supported, and nothing is fetched"),
                format!("{reference:?}: só #/$defs/… é aceito, e nada é buscado na rede"),
            ));
        };
        let name: Vec<String> = steps(pointer).collect();
        let found = match name.as_slice() {
            [name] => self.definitions.and_then(|all| all.get(name)).map(|found| (name, found)),
            _ => None,
        };
        let Some((name, found)) = found else {
            return Err(Problem::at(
                at,
                format!("{reference:?} is not there"),
                format!("{reference:?} não existe"),
            ));
        };
        if self.within.contains(name) {
            return Err(Problem::at(
                at,
                format!("{reference:?} leads back to itself"),
                format!("{reference:?} leva de volta a si mesmo"),
            ));
        }
        self.within.push(name.clone());
        let expanded = self.schema(found, &join("/$defs", name))?;
        self.within.pop();
        Ok(expanded)
    }

    fn spend(&mut self, bytes: usize, at: &str) -> Result<(), Problem> {
        // Quotes, colon and comma.
        let left = self.bytes_left.checked_sub(bytes + 4);
        self.bytes_left = left.ok_or_else(|| {
            let max = limits::EVENT_SCHEMA_EXPANDED_BYTES_MAX;
            Problem::at(
                at,
                format!("with its references written out it has more than {max} bytes"),
                format!("com as referências escritas por extenso passa de {max} bytes"),
            )
        })?;
        Ok(())
    }
}

fn unsupported(at: String, keyword: &str) -> Problem {
    Problem::at(at, format!("{keyword} is not supported"), format!("{keyword} não é aceito"))
}

/// A reference and what stands beside it both hold.
fn with_target(mut beside: Map<String, Json>, target: Option<Json>) -> Json {
    match target {
        None => Json::Object(beside),
        Some(Json::Object(mut target)) if beside.keys().all(|keyword| is_annotation(keyword)) => {
            target.extend(beside);
            Json::Object(target)
        }
        Some(target) => {
            match beside.get_mut("allOf") {
                Some(Json::Array(all)) => all.push(target),
                Some(_) | None => {
                    beside.insert("allOf".to_owned(), Json::Array(vec![target]));
                }
            }
            Json::Object(beside)
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn refused(document: &Json) -> Problem {
        read(document).unwrap_err()
    }

    #[test]
    fn references_to_definitions_are_written_out() {
        let read = read(&json!({
            "$schema": DRAFT, "type": "object",
            "$defs": { "name": { "type": "string", "minLength": 1 }, "a/b": { "$ref": "#/$defs/name" } },
            "properties": {
                "plain": { "$ref": "#/$defs/name", "title": "Plain" },
                "both": { "$ref": "#/$defs/a~1b", "maxLength": 3 },
                "$ref": { "const": { "$ref": "#/nowhere" } },
            },
        }))
        .unwrap();
        let name = json!({ "type": "string", "minLength": 1 });
        assert_eq!(
            read.expanded,
            json!({ "type": "object", "properties": {
                "plain": { "type": "string", "minLength": 1, "title": "Plain" },
                "both": { "maxLength": 3, "allOf": [name] },
                "$ref": { "const": { "$ref": "#/nowhere" } },
            } })
        );
        assert!(read.validator.is_valid(&json!({ "plain": "x", "both": "xyz" })));
        assert!(!read.validator.is_valid(&json!({ "both": "xyzz" })));
        assert!(!read.validator.is_valid(&json!({ "both": "" })));
    }

    #[test]
    fn what_cannot_be_used_is_refused_at_its_place() {
        let field = |schema: Json| json!({ "properties": { "a": schema } });
        for (document, at) in [
            (json!(true), ""),
            (json!({ "$schema": "http://json-schema.org/draft-07/schema#" }), "/$schema"),
            (field(json!({ "type": "text" })), "/properties/a/type"),
            (field(json!({ "$ref": "https://example.com/a.json" })), "/properties/a/$ref"),
            (field(json!({ "$ref": "#/$defs/none" })), "/properties/a/$ref"),
            (field(json!({ "$ref": "#" })), "/properties/a/$ref"),
            (field(json!({ "$dynamicRef": "#a" })), "/properties/a/$dynamicRef"),
            (field(json!({ "$id": "https://example.com/a.json" })), "/properties/a/$id"),
            (field(json!({ "x-pii": "burn" })), "/properties/a/x-pii"),
            (field(json!({ "not": { "x-pii": "drop" } })), "/properties/a/not"),
            (json!({ "x-pii": "drop" }), "/x-pii"),
        ] {
            assert_eq!(refused(&document).at, at, "{document}");
        }
        assert!(refused(&field(json!({ "pattern": "(?=a)b" }))).en.contains("look-around"));
        assert!(
            refused(&field(json!({ "pattern": "((x{1000}){1000}){1000}" }))).at.contains("pattern")
        );
    }

    #[test]
    fn circles_and_what_grows_without_bound_are_refused() {
        let circle = json!({ "$defs": { "a": { "allOf": [{ "$ref": "#/$defs/b" }] },
            "b": { "properties": { "deep": { "$ref": "#/$defs/a" } } } }, "$ref": "#/$defs/a" });
        assert!(refused(&circle).en.contains("back to itself"));
        // Each doubles the one before.
        let mut definitions = Map::new();
        definitions.insert("d0".to_owned(), json!({ "description": "x".repeat(100) }));
        for level in 1..14 {
            let below = json!({ "$ref": format!("#/$defs/d{}", level - 1) });
            definitions.insert(format!("d{level}"), json!({ "allOf": [below, below] }));
        }
        let bomb = json!({ "$defs": definitions, "$ref": "#/$defs/d13" });
        assert!(refused(&bomb).en.contains("more than"));
        let deep = (0..limits::EVENT_SCHEMA_DEPTH_MAX)
            .fold(json!({}), |inner, _| json!({ "items": inner }));
        assert!(refused(&deep).en.contains("deeper than"));
    }
}
