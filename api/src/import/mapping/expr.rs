//! How a mapping writes values.

use std::sync::Arc;

use super::super::plan::{Case, Expr, Leaf, Number, Source, Unmapped};
use super::super::time::Format;
use super::Reader;
use super::condition::condition;
use super::entries::{Entries, expected};
use super::lookup::lookup;
use super::template::template;
use crate::error::say;
use crate::record::declare::Field;
use crate::record::kind::Kind;

/// What a value is for.
#[derive(Clone, Copy)]
pub(super) enum Want {
    /// A made column, the key of a join, a side of a condition.
    Text,
    /// An entry of a JSON object.
    Leaf,
    Field(&'static Field),
}

/// Reads a value: a column, a template, a list of alternatives, or a table with all it takes.
pub(super) fn read(
    reader: &mut Reader,
    place: &str,
    given: &toml::Value,
    want: Want,
) -> Option<Expr> {
    let empty = Arc::clone(&reader.empty);
    match given {
        toml::Value::String(text) => Some(Expr::plain(text_source(reader, place, text)?, empty)),
        toml::Value::Array(items) => {
            let all = alternatives(reader, place, items, want)?;
            Some(Expr::plain(Source::First(all), empty))
        }
        toml::Value::Table(table) => {
            let mut entries = Entries::new(place, table);
            let expr = read_table(reader, &mut entries, want);
            entries.finish(reader);
            expr
        }
        toml::Value::Integer(_)
        | toml::Value::Float(_)
        | toml::Value::Boolean(_)
        | toml::Value::Datetime(_) => {
            let (en, pt) =
                ("a column; a constant is { value = … }", "uma coluna; constante: { value = … }");
            reader.problem(place, expected(en, pt));
            None
        }
    }
}

fn alternatives(
    reader: &mut Reader,
    place: &str,
    items: &[toml::Value],
    want: Want,
) -> Option<Vec<Expr>> {
    let read: Vec<Option<Expr>> = (1..)
        .zip(items)
        .map(|(number, item)| read(reader, &format!("{place}[{number}]"), item, want))
        .collect();
    if read.is_empty() {
        reader.problem(place, say("the list is empty", "a lista está vazia"));
        return None;
    }
    read.into_iter().collect()
}

/// A template when it has braces, else a column.
fn text_source(reader: &mut Reader, place: &str, text: &str) -> Option<Source> {
    if !text.contains(['{', '}']) {
        return Some(Source::Column(text.to_owned()));
    }
    template_source(reader, place, text)
}

fn template_source(reader: &mut Reader, place: &str, text: &str) -> Option<Source> {
    let parts = template(text);
    if parts.is_none() {
        reader.problem(
            place,
            say(
                format!("\"{text}\" is no template: {{column}} or {{column:8}}"),
                format!("\"{text}\" não é um modelo: {{coluna}} ou {{coluna:8}}"),
            ),
        );
    }
    parts.map(Source::Template)
}

fn read_table(reader: &mut Reader, entries: &mut Entries<'_>, want: Want) -> Option<Expr> {
    let source = source(reader, entries, want);
    let mut expr = Expr::plain(Source::Constant(String::new()), Arc::clone(&reader.empty));
    expr.trim = entries.flag(reader, "trim").unwrap_or(true);
    let more_empty = entries.texts(reader, "empty");
    if !more_empty.is_empty() {
        expr.empty = reader.empty.iter().cloned().chain(more_empty).collect();
    }
    let cases = [("upper", Case::Upper), ("lower", Case::Lower), ("title", Case::Title)];
    expr.case = entries.choice(reader, "case", &cases);
    expr.chars = entries
        .integer(reader, "chars", (1, 100_000))
        .and_then(|count| usize::try_from(count).ok());
    let unmapped =
        [("keep", Unmapped::Keep), ("refuse", Unmapped::Refuse), ("null", Unmapped::Null)];
    let unmapped = entries.choice(reader, "unmapped", &unmapped).unwrap_or(Unmapped::Keep);
    if let Some(name) = entries.text(reader, "map") {
        let place = entries.place_of("map");
        expr.map = known_map(reader, &place, &name).map(|map| (map, unmapped));
    }
    expr.required = entries.flag(reader, "required").unwrap_or(false);
    expr.default = entries.constant(reader, "default");
    if let Some(when) = entries.raw("when") {
        expr.when = condition(reader, &entries.place_of("when"), when).map(Box::new);
    }
    read_types(reader, entries, &mut expr, want);
    expr.lookup = lookup(reader, entries, want).map(Arc::new);
    expr.source = source?;
    Some(expr)
}

fn source(reader: &mut Reader, entries: &mut Entries<'_>, want: Want) -> Option<Source> {
    let sources = ["column", "template", "value", "first", "json"];
    let given = sources.iter().filter(|key| entries.has(key)).count();
    let column = entries.text(reader, "column");
    let template = entries.text(reader, "template");
    let value = entries.constant(reader, "value");
    let first = entries.raw("first");
    let json = entries.table(reader, "json");
    if given != 1 {
        let names = sources.join(", ");
        reader.problem(
            entries.place(),
            say(format!("needs one of {names}"), format!("precisa de um entre {names}")),
        );
        return None;
    }
    if let Some(name) = column {
        return Some(Source::Column(name));
    }
    if let Some(text) = template {
        return template_source(reader, &entries.place_of("template"), &text);
    }
    if let Some(value) = value {
        return Some(Source::Constant(value));
    }
    if let Some(first) = first {
        let place = entries.place_of("first");
        let items = first.as_array();
        if items.is_none() {
            reader.problem(&place, expected("a list", "uma lista"));
        }
        return alternatives(reader, &place, items?, want).map(Source::First);
    }
    let place = entries.place_of("json");
    object(reader, &place, json?, want)
}

fn object(reader: &mut Reader, place: &str, table: &toml::Table, want: Want) -> Option<Source> {
    if !matches!(want, Want::Field(field) if matches!(field.kind, Kind::Json)) {
        let (en, pt) = ("only a JSON field takes an object", "só um campo JSON recebe um objeto");
        reader.problem(place, say(en, pt));
        return None;
    }
    let read: Vec<Option<(String, Expr)>> = table
        .iter()
        .map(|(key, value)| {
            let expr = read(reader, &format!("{place}.{key}"), value, Want::Leaf)?;
            Some((key.clone(), expr))
        })
        .collect();
    if table.keys().any(|key| key.starts_with('$') || key.contains('\0')) {
        reader.problem(place, say("a key may not begin with $", "uma chave não começa com $"));
    }
    read.into_iter().collect::<Option<Vec<_>>>().map(Source::Object)
}

pub(super) fn known_map(
    reader: &mut Reader,
    place: &str,
    name: &str,
) -> Option<Arc<std::collections::HashMap<String, String>>> {
    let map = reader.maps.get(name).cloned();
    if map.is_none() {
        reader.problem(
            place,
            say(format!("there is no [maps.{name}]"), format!("não existe [maps.{name}]")),
        );
    }
    map
}

/// How numbers and dates are written, where the value is one.
pub(super) fn read_types(
    reader: &mut Reader,
    entries: &mut Entries<'_>,
    expr: &mut Expr,
    want: Want,
) {
    let leaves = [
        ("text", Leaf::Text),
        ("int", Leaf::Int),
        ("decimal", Leaf::Decimal),
        ("bool", Leaf::Bool),
        ("date", Leaf::Date),
        ("instant", Leaf::Instant),
    ];
    let leaf = entries.choice(reader, "as", &leaves);
    expr.leaf = leaf.unwrap_or(Leaf::Text);
    if leaf.is_some() && !matches!(want, Want::Leaf) {
        reader.problem(
            &entries.place_of("as"),
            say("only values inside json have it", "só valores dentro de json o têm"),
        );
    }
    if let Some(pattern) = entries.text(reader, "date") {
        expr.format = Format::parse(&pattern);
        if expr.format.is_none() {
            reader.problem(
                &entries.place_of("date"),
                say(
                    format!("\"{pattern}\" is no date format, such as %d-%m-%Y %H:%M"),
                    format!("\"{pattern}\" não é um formato de data, como %d-%m-%Y %H:%M"),
                ),
            );
        }
    }
    let zone = entries.text(reader, "zone");
    expr.zone = reader.zone(&entries.place_of("zone"), zone);
    let usual = Number::default();
    expr.number = Number {
        decimal: entries.character(reader, "decimal").unwrap_or(usual.decimal),
        grouping: entries.character(reader, "grouping"),
        scale: entries.integer(reader, "scale", (-12, 12)).unwrap_or(usual.scale),
    };
    let is_number = match want {
        Want::Field(field) => matches!(field.kind, Kind::Int | Kind::Money { .. }),
        Want::Leaf => matches!(expr.leaf, Leaf::Int | Leaf::Decimal),
        Want::Text => false,
    };
    let is_time = match want {
        Want::Field(field) => matches!(field.kind, Kind::Date | Kind::Instant),
        Want::Leaf => matches!(expr.leaf, Leaf::Date | Leaf::Instant),
        // Sides of a comparison of times.
        Want::Text => true,
    };
    for (keys, fits, en, pt) in [
        (["decimal", "grouping", "scale"].as_slice(), is_number, "numbers", "números"),
        (["date", "zone"].as_slice(), is_time, "dates and times", "datas e horas"),
    ] {
        for key in keys.iter().filter(|key| !fits && entries.has(key)) {
            reader.problem(
                &entries.place_of(key),
                say(format!("is for {en} only"), format!("é só para {pt}")),
            );
        }
    }
}
