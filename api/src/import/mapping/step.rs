//! How a mapping writes a step: a file, a record, and the fields it fills.

use std::sync::Arc;

use super::super::plan::{Condition, Expr, Mode, Repeated, Source, Step, Target};
use super::Reader;
use super::condition;
use super::entries::{Entries, expected};

use super::expr::{self, Want};
use super::lookup::record_named;
use crate::error::say;
use crate::record::Record;
use crate::record::change::KEPT;
use crate::record::declare::{Default, Field};
use crate::record::kind::Kind;

/// Reads one `[[step]]`.
pub(super) fn read(reader: &mut Reader, number: usize, table: &toml::Table) -> Option<Step> {
    let name = table.get("name").and_then(toml::Value::as_str);
    let place = match name {
        Some(name) => format!("step \"{name}\""),
        None => format!("step {number}"),
    };
    let mut entries = Entries::new(&place, table);
    let name = entries.required_text(reader, "name");
    let file = entries.required_text(reader, "file");
    let record = entries.required_text(reader, "record");
    let record = record.and_then(|name| record_named(reader, &entries.place_of("record"), &name));
    reader.record = record;
    let update = entries.choice(reader, "mode", &[("upsert", false), ("update", true)]);
    let skip_missing = entries.choice(reader, "missing", &[("refuse", false), ("skip", true)]);
    if skip_missing.is_some() && update != Some(true) {
        reader.problem(
            &entries.place_of("missing"),
            say("is for mode = \"update\"", "é para mode = \"update\""),
        );
    }
    let mode = match update {
        Some(true) => Mode::Update { skip_missing: skip_missing.unwrap_or(false) },
        _ => Mode::Upsert,
    };
    let repeated = [("refuse", Repeated::Refuse), ("first", Repeated::First)];
    let repeated = entries.choice(reader, "repeated", &repeated).unwrap_or(Repeated::Refuse);
    let distinct = entries.texts(reader, "distinct");
    let made = named_values(reader, &mut entries, "make");
    let joins = joins(reader, &mut entries);
    let skip = conditions(reader, &mut entries);
    let counts = counts(reader, &mut entries);
    let key = entries.texts(reader, "key");
    let fields = entries.table(reader, "fields");
    let on_create = entries.table(reader, "on_create");
    entries.finish(reader);
    let record = record?;
    let mut targets = Vec::new();
    for (given, key) in [(fields, "fields"), (on_create, "on_create")] {
        let place = format!("{place}.{key}");
        read_targets(reader, (&place, given), record, key == "on_create", &mut targets);
    }
    if on_create.is_some() && mode != Mode::Upsert {
        reader.problem(
            &format!("{place}.on_create"),
            say("nothing is created by mode = \"update\"", "mode = \"update\" não cria nada"),
        );
    }
    let key = read_key(reader, &place, record, key, &mut targets);
    check_targets(reader, &place, record, mode, &targets);
    let (name, file) = (name?, file?);
    Some(Step {
        name,
        file,
        record,
        mode,
        repeated,
        distinct,
        key,
        made,
        joins,
        skip,
        counts,
        targets,
    })
}

fn named_values(
    reader: &mut Reader,
    entries: &mut Entries<'_>,
    key: &'static str,
) -> Vec<(String, Expr)> {
    let place = entries.place_of(key);
    let Some(table) = entries.table(reader, key) else { return Vec::new() };
    table
        .iter()
        .filter_map(|(name, value)| {
            let expr = expr::read(reader, &format!("{place}.{name}"), value, Want::Text)?;
            Some((name.clone(), expr))
        })
        .collect()
}

fn joins(reader: &mut Reader, entries: &mut Entries<'_>) -> Vec<(String, Expr)> {
    let joins = named_values(reader, entries, "join");
    for (name, _) in &joins {
        if !reader.tables.contains(name) {
            let place = entries.place_of(&format!("join.{name}"));
            reader.problem(
                &place,
                say(format!("there is no [tables.{name}]"), format!("não existe [tables.{name}]")),
            );
        }
    }
    joins
}

fn conditions(reader: &mut Reader, entries: &mut Entries<'_>) -> Vec<Condition> {
    let place = entries.place_of("skip");
    match entries.raw("skip") {
        Some(toml::Value::Array(items)) => {
            items.iter().filter_map(|item| condition::condition(reader, &place, item)).collect()
        }
        Some(single) => condition::condition(reader, &place, single).into_iter().collect(),
        None => Vec::new(),
    }
}

fn counts(reader: &mut Reader, entries: &mut Entries<'_>) -> Vec<(String, Condition)> {
    let place = entries.place_of("count");
    let Some(table) = entries.table(reader, "count") else { return Vec::new() };
    table
        .iter()
        .filter_map(|(name, given)| {
            let condition = condition::condition(reader, &format!("{place}.{name}"), given)?;
            Some((name.clone(), condition))
        })
        .collect()
}

fn read_targets(
    reader: &mut Reader,
    (place, given): (&str, Option<&toml::Table>),
    record: &'static Record,
    on_create: bool,
    targets: &mut Vec<Target>,
) {
    for (name, value) in given.into_iter().flatten() {
        let place = format!("{place}.{name}");
        let Some(field) = settable(reader, &place, record, name) else { continue };
        if targets.iter().any(|other| other.field.column == field.column) {
            reader.problem(&place, say("is set twice", "é definido duas vezes"));
        }
        if let Some(value) = expr::read(reader, &place, value, Want::Field(field)) {
            let on_create = on_create || DATES.contains(&field.column);
            targets.push(Target { field, value, on_create });
        }
    }
}

/// When a row was made and last changed elsewhere: it says so once, when it is created here.
const DATES: [&str; 2] = ["created_at", "updated_at"];

fn may_set(field: &Field) -> bool {
    DATES.contains(&field.column) || !KEPT.contains(&field.column)
}

/// A field that an import may set: all but those that the engine keeps itself.
fn settable(
    reader: &mut Reader,
    place: &str,
    record: &'static Record,
    name: &str,
) -> Option<&'static Field> {
    let field = record.find_field(name);
    let Some(field) = field.filter(|field| may_set(field)) else {
        let known: Vec<&str> = record
            .fields
            .iter()
            .filter(|field| may_set(field))
            .map(|field| field.name.as_str())
            .collect();
        let known = known.join(", ");
        reader.problem(
            place,
            say(
                format!("{} has no field {name} to set; there are {known}", record.name),
                format!("{} não tem o campo {name}; existem {known}", record.name),
            ),
        );
        return None;
    };
    Some(field)
}

/// The columns that name a row. The system of outside ids is the mapping's where no field sets it.
fn read_key(
    reader: &mut Reader,
    place: &str,
    record: &'static Record,
    given: Vec<String>,
    targets: &mut Vec<Target>,
) -> Vec<&'static str> {
    let place = format!("{place}.key");
    let names: Vec<String> = if given.is_empty() {
        let first = record.changes.natural_keys.first().copied().unwrap_or_default();
        first.iter().map(|name| (*name).to_owned()).collect()
    } else {
        given
    };
    let mut columns = Vec::new();
    for name in &names {
        let Some(field) = settable(reader, &place, record, name) else { continue };
        if !matches!(field.kind, Kind::Text | Kind::Code) {
            reader.problem(&place, expected("text fields", "campos de texto"));
        }
        let set = targets.iter().find(|target| target.field.column == field.column);
        match (set.map(|target| target.on_create), reader.system.clone()) {
            (Some(false), _) => {}
            (None, Some(system)) if field.column == "external_system" => {
                let value = Expr::plain(Source::Constant(system), Arc::clone(&reader.empty));
                targets.push(Target { field, value, on_create: false });
            }
            _ => reader.problem(
                &place,
                say(
                    format!("{name} names a row: it must be among the fields"),
                    format!("{name} identifica a linha: deve estar entre os campos"),
                ),
            ),
        }
        columns.push(field.column);
    }
    if columns.is_empty() {
        reader.problem(&place, say("is missing", "falta"));
    }
    columns
}

fn check_targets(
    reader: &mut Reader,
    place: &str,
    record: &'static Record,
    mode: Mode,
    targets: &[Target],
) {
    let sets = |column: &str| targets.iter().any(|target| target.field.column == column);
    if mode != Mode::Upsert {
        for target in targets.iter().filter(|target| DATES.contains(&target.field.column)) {
            reader.problem(
                &format!("{place}.fields.{}", target.field.name),
                say("nothing is created by mode = \"update\"", "mode = \"update\" não cria nada"),
            );
        }
        return;
    }
    if sets("updated_at") && !sets("created_at") {
        reader.problem(
            &format!("{place}.fields.updatedAt"),
            say("needs createdAt beside it", "precisa de createdAt ao lado"),
        );
    }
    for field in &record.fields {
        let needed = !field.nullable
            && matches!(field.default, Default::None)
            && !KEPT.contains(&field.column);
        let inferred = record.changes.infers(field.column).is_some_and(sets);
        if needed && !inferred && !sets(field.column) {
            let instead = record.changes.infers(field.column);
            let instead = record.fields.iter().find(|other| Some(other.column) == instead);
            let (en, pt) = instead.map_or_else(<(String, String)>::default, |other| {
                (format!(", or {} instead", other.name), format!(", ou então {}", other.name))
            });
            reader.problem(
                &format!("{place}.fields"),
                say(
                    format!("{}.{} is required{en}", record.name, field.name),
                    format!("{}.{} é obrigatório{pt}", record.name, field.name),
                ),
            );
        }
    }
}
