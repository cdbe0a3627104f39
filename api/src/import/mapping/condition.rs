//! How a mapping writes conditions.

use std::sync::Arc;

use super::super::plan::{Condition, Expr, Source};
use super::Reader;
use super::entries::{Entries, expected};
use super::expr::{Want, known_map, read, read_types};
use crate::error::say;

/// Reads a condition: `{ column = "account", empty = true }`.
pub(super) fn condition(
    reader: &mut Reader,
    place: &str,
    given: &toml::Value,
) -> Option<Condition> {
    let Some(table) = given.as_table() else {
        reader.problem(place, expected("a condition in a table", "uma condição em uma tabela"));
        return None;
    };
    let mut entries = Entries::new(place, table);
    let read = if entries.has("all") || entries.has("any") {
        several(reader, &mut entries)
    } else {
        test(reader, &mut entries)
    };
    entries.finish(reader);
    read
}

fn several(reader: &mut Reader, entries: &mut Entries<'_>) -> Option<Condition> {
    let (key, make): (_, fn(Vec<Condition>) -> Condition) =
        if entries.has("all") { ("all", Condition::All) } else { ("any", Condition::Any) };
    let place = entries.place_of(key);
    let Some(items) = entries.raw(key).and_then(toml::Value::as_array) else {
        reader.problem(&place, expected("a list of conditions", "uma lista de condições"));
        return None;
    };
    let read: Vec<_> = items.iter().map(|item| condition(reader, &place, item)).collect();
    read.into_iter().collect::<Option<Vec<_>>>().map(make)
}

fn test(reader: &mut Reader, entries: &mut Entries<'_>) -> Option<Condition> {
    let column = entries.required_text(reader, "column");
    let mut expr =
        Expr::plain(Source::Column(column.unwrap_or_default()), Arc::clone(&reader.empty));
    let empty = entries.flag(reader, "empty");
    let (is, not) = (entries.texts(reader, "is"), entries.texts(reader, "not"));
    let in_map = entries.text(reader, "in_map");
    let before = entries.raw("before");
    read_types(reader, entries, &mut expr, Want::Text);
    let tests = ["empty", "is", "not", "in_map", "before"];
    if tests.iter().filter(|key| entries.has(key)).count() != 1 {
        let names = tests.join(", ");
        reader.problem(
            entries.place(),
            say(format!("needs one of {names}"), format!("precisa de um entre {names}")),
        );
        return None;
    }
    if let Some(empty) = empty {
        return Some(Condition::Empty(expr, empty));
    }
    if let Some(name) = in_map {
        let map = known_map(reader, &entries.place_of("in_map"), &name)?;
        return Some(Condition::InMap(expr, map));
    }
    if let Some(before) = before {
        let other = read(reader, &entries.place_of("before"), before, Want::Text)?;
        return Some(Condition::Before(expr, other));
    }
    let wanted = not.is_empty();
    Some(Condition::OneOf(expr, if wanted { is } else { not }, wanted))
}
