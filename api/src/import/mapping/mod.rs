//! A mapping file (TOML) -> a plan. Every mistake is noted with its table and key, and reading goes
//! on, so that whoever writes a mapping sees all of them at once.

mod condition;
mod entries;
mod expr;
mod lookup;
mod step;
mod template;

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use chrono_tz::Tz;

use super::plan::{Plan, Step, Table};
use super::problem::Problems;
use crate::error::{Message, say};
use crate::record::Record;
use entries::Entries;

type Maps = HashMap<String, Arc<HashMap<String, String>>>;

/// What reading a mapping carries along.
struct Reader {
    /// Name of the mapping's file.
    file: String,
    problems: Problems,
    maps: Maps,
    tables: Vec<String>,
    /// Texts that mean nothing, everywhere.
    empty: Arc<[String]>,
    /// The system that outside ids belong to.
    system: Option<String>,
    /// The record of the step being read.
    record: Option<&'static Record>,
}

impl Reader {
    fn problem(&mut self, place: &str, message: Message) {
        let place =
            if place.is_empty() { self.file.clone() } else { format!("{}: {place}", self.file) };
        self.problems.add(place, message);
    }

    fn zone(&mut self, place: &str, name: Option<String>) -> Option<Tz> {
        let name = name?;
        let zone = name.parse().ok();
        if zone.is_none() {
            let (en, pt) = ("use an IANA name, as America/Sao_Paulo", "use um nome IANA");
            self.problem(
                place,
                say(
                    format!("unknown time zone \"{name}\": {en}"),
                    format!("fuso desconhecido \"{name}\": {pt}"),
                ),
            );
        }
        zone
    }
}

/// Reads a mapping file.
pub(super) fn read_file(path: &Path) -> Result<Plan, Problems> {
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
    match std::fs::read_to_string(path) {
        Ok(text) => read(&name, &text),
        Err(error) => Err(Problems::one(
            path.display().to_string(),
            say(format!("cannot be read: {error}"), format!("não pode ser lido: {error}")),
        )),
    }
}

/// Reads the text of a mapping.
pub(super) fn read(file: &str, text: &str) -> Result<Plan, Problems> {
    let table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
        let told = error.to_string();
        let told = told.trim_end();
        Problems::one(file, say(format!("is not TOML: {told}"), format!("não é TOML: {told}")))
    })?;
    let mut reader = Reader {
        file: file.to_owned(),
        problems: Problems::default(),
        maps: Maps::new(),
        tables: Vec::new(),
        empty: Arc::from([]),
        system: None,
        record: None,
    };
    let plan = plan(&mut reader, &table);
    reader.problems.or(Some(plan))
}

fn plan(reader: &mut Reader, table: &toml::Table) -> Plan {
    let mut top = Entries::new("", table);
    top.text(reader, "about");
    reader.system = top.text(reader, "system");
    let zone = top.text(reader, "zone");
    let zone = reader.zone("zone", zone);
    reader.empty = top.texts(reader, "empty").into();
    let delimiter = top.character(reader, "delimiter").unwrap_or(',');
    let delimiter = u8::try_from(delimiter).unwrap_or_else(|_not_a_byte| {
        reader.problem("delimiter", say("must be one byte", "deve ser um byte"));
        b','
    });
    if let Some(maps) = top.table(reader, "maps") {
        for (name, map) in maps {
            read_map(reader, name, map);
        }
    }
    let tables = match top.table(reader, "tables") {
        Some(tables) => {
            tables.iter().filter_map(|(name, table)| read_table(reader, name, table)).collect()
        }
        None => Vec::new(),
    };
    reader.tables = tables.iter().map(|table: &Table| table.name.clone()).collect();
    let steps = read_steps(reader, top.raw("step"));
    top.finish(reader);
    Plan { name: reader.file.clone(), delimiter, zone, tables, steps }
}

fn read_map(reader: &mut Reader, name: &str, given: &toml::Value) {
    let place = format!("maps.{name}");
    let Some(entries) = given.as_table() else {
        reader.problem(&place, entries::expected("a table", "uma tabela"));
        return;
    };
    let mut map = HashMap::with_capacity(entries.len());
    for (from, to) in entries {
        match entries::constant(to) {
            Some(to) => drop(map.insert(from.clone(), to)),
            None => {
                let message = entries::expected("a text, number or boolean", "um texto ou número");
                reader.problem(&format!("{place}.\"{from}\""), message);
            }
        }
    }
    reader.maps.insert(name.to_owned(), Arc::new(map));
}

fn read_table(reader: &mut Reader, name: &str, given: &toml::Value) -> Option<Table> {
    let place = format!("tables.{name}");
    let Some(table) = given.as_table() else {
        reader.problem(&place, entries::expected("a table", "uma tabela"));
        return None;
    };
    let mut entries = Entries::new(&place, table);
    let file = entries.required_text(reader, "file");
    let key = entries.required_text(reader, "key");
    entries.finish(reader);
    Some(Table { name: name.to_owned(), file: file?, key: key? })
}

fn read_steps(reader: &mut Reader, given: Option<&toml::Value>) -> Vec<Step> {
    let Some(list) = given.and_then(toml::Value::as_array).filter(|list| !list.is_empty()) else {
        reader.problem("step", say("there is no [[step]] to do", "não há nenhum [[step]] a fazer"));
        return Vec::new();
    };
    let mut steps: Vec<Step> = Vec::new();
    for (number, given) in (1..).zip(list) {
        let Some(table) = given.as_table() else {
            reader.problem(&format!("step {number}"), entries::expected("a table", "uma tabela"));
            continue;
        };
        if let Some(step) = step::read(reader, number, table) {
            if steps.iter().any(|other| other.name == step.name) {
                reader.problem(
                    &format!("step \"{}\"", step.name),
                    say("this name is used twice", "este nome é usado duas vezes"),
                );
            }
            steps.push(step);
        }
    }
    steps
}
