//! A schema in words: a table of its fields, in Markdown.

use serde_json::{Map, Value as Json};

use super::marks;

/// What is written about one version of a type. `schema` has no references.
pub(super) fn markdown((module, event_type, version): (&str, &str, i64), schema: &Json) -> String {
    let mut text = format!("# {event_type}\n\nModule `{module}`, version {version}.\n");
    for keyword in ["title", "description"] {
        if let Some(said) = schema.get(keyword).and_then(Json::as_str) {
            text.push_str(&format!("\n{}\n", one_line(said)));
        }
    }
    let mut rows = Vec::new();
    fields(schema, "", &mut rows);
    if rows.is_empty() {
        text.push_str("\nNo field is declared.\n");
    } else {
        text.push_str("\n| Field | Values | Required | Personal data | About |\n");
        text.push_str("|---|---|---|---|---|\n");
        for row in rows {
            text.push_str(&format!("| {} |\n", row.cells.join(" | ")));
        }
    }
    if schema.get("additionalProperties") == Some(&Json::Bool(false)) {
        text.push_str("\nOther fields are refused.\n");
    }
    text
}

struct Row {
    path: String,
    cells: [String; 5],
}

/// The fields of a schema and of what is in them, each once.
fn fields(schema: &Json, path: &str, rows: &mut Vec<Row>) {
    let Json::Object(map) = schema else { return };
    let required: Vec<&str> = list(map, "required").filter_map(Json::as_str).collect();
    for (name, field) in map.get("properties").and_then(Json::as_object).into_iter().flatten() {
        let inner = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        row(field, &inner, required.contains(&name.as_str()), rows);
    }
    for (keyword, mark) in [("items", "[]"), ("additionalProperties", ".*")] {
        if let Some(field) = map.get(keyword).filter(|field| field.is_object()) {
            let inner = format!("{path}{mark}");
            row(field, inner.trim_start_matches('.'), false, rows);
        }
    }
    for keyword in ["allOf", "anyOf", "oneOf"] {
        list(map, keyword).for_each(|branch| fields(branch, path, rows));
    }
    for keyword in ["then", "else"] {
        if let Some(branch) = map.get(keyword) {
            fields(branch, path, rows);
        }
    }
}

fn row(field: &Json, path: &str, is_required: bool, rows: &mut Vec<Row>) {
    if rows.iter().any(|row| row.path == path) {
        return;
    }
    let text =
        |keyword: &str| field.get(keyword).and_then(Json::as_str).map(one_line).unwrap_or_default();
    let about = [text("title"), text("description")];
    let about: Vec<&str> =
        about.iter().map(String::as_str).filter(|said| !said.is_empty()).collect();
    let cells = [
        code(path),
        values(field),
        if is_required { "yes" } else { "" }.to_owned(),
        text(marks::KEYWORD),
        about.join(": "),
    ];
    rows.push(Row { path: path.to_owned(), cells });
    fields(field, path, rows);
}

/// What a field may hold.
fn values(field: &Json) -> String {
    let Json::Object(map) = field else { return "anything".to_owned() };
    if let Some(value) = map.get("const") {
        return code(&value.to_string());
    }
    if map.contains_key("enum") {
        let values: Vec<String> = list(map, "enum").map(|value| code(&value.to_string())).collect();
        return values.join(", ");
    }
    let mut said = match map.get("type") {
        Some(Json::String(kind)) => kind.clone(),
        Some(Json::Array(kinds)) => {
            kinds.iter().filter_map(Json::as_str).collect::<Vec<_>>().join(" or ")
        }
        _ => "anything".to_owned(),
    };
    const RULES: [&str; 12] = [
        "format",
        "minimum",
        "exclusiveMinimum",
        "maximum",
        "exclusiveMaximum",
        "multipleOf",
        "minLength",
        "maxLength",
        "pattern",
        "minItems",
        "maxItems",
        "default",
    ];
    for rule in RULES {
        if let Some(value) = map.get(rule) {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            said.push_str(&format!(", {rule} {}", code(&value)));
        }
    }
    said
}

fn list<'m>(map: &'m Map<String, Json>, keyword: &str) -> impl Iterator<Item = &'m Json> {
    map.get(keyword).and_then(Json::as_array).into_iter().flatten()
}

/// A text that stays in its cell, and is text.
fn one_line(text: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    text.replace('\\', "\\\\").replace('|', "\\|").replace('<', "&lt;").replace('`', "\\`")
}

fn code(text: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    format!("`{}`", text.replace('`', "'").replace('|', "\\|"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_field_has_its_row() {
        let schema = json!({
            "title": "A person was met", "type": "object", "additionalProperties": false,
            "required": ["name"],
            "properties": {
                "name": { "type": "string", "x-pii": "mask", "description": "as | said\n<b>" },
                "score": { "type": ["integer", "null"], "minimum": 0 },
                "kind": { "enum": ["new", 1] },
                "tags": { "type": "array", "items": { "type": "string", "pattern": "a|b" } },
            },
        });
        let written = markdown(("people", "person.met", 2), &schema);
        for line in [
            "# person.met\n\nModule `people`, version 2.\n\nA person was met\n",
            "| `name` | string | yes | mask | as \\| said &lt;b> |\n",
            "| `score` | integer or null, minimum `0` |  |  |  |\n",
            "| `kind` | `\"new\"`, `1` |  |  |  |\n",
            "| `tags` | array |  |  |  |\n| `tags[]` | string, pattern `a\\|b` |  |  |  |\n",
            "\nOther fields are refused.\n",
        ] {
            assert!(written.contains(line), "{line}\n{written}");
        }
        assert!(markdown(("a", "b", 1), &json!({})).contains("No field is declared."));
    }
}
