//! CSV files: their rows with line numbers, the tables that complete them, and what is looked at
//! before anything is written.

use std::collections::HashMap;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use csv::{ByteRecord, StringRecord};

use super::Prepared;
use super::plan::{Plan, Step, Table};
use super::problem::Problems;
use crate::error::{Error, Message, Result, say};

/// The column that a distinct value stands in.
pub(super) const VALUE: &str = "value";

/// Rows of tables by their key.
pub(super) type Tables = HashMap<String, HashMap<String, Arc<Row>>>;

#[derive(Debug, Default)]
struct Header(HashMap<String, usize>);

/// One row of a file, with the columns that were made for it and those of joined tables.
#[derive(Debug, Clone, Default)]
pub(super) struct Row {
    /// Where it stands in its file, from 1.
    pub(super) line: u64,
    header: Arc<Header>,
    cells: StringRecord,
    made: Vec<(String, String)>,
    joined: Vec<(String, Arc<Row>)>,
}

impl Row {
    /// The text of a column; nothing where a join found no row.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        if let Some((_, text)) = self.made.iter().find(|(made, _)| made == name) {
            return Some(text);
        }
        if let Some(index) = self.header.0.get(name) {
            return self.cells.get(*index);
        }
        let (table, column) = name.split_once('.')?;
        let (_, row) = self.joined.iter().find(|(joined, _)| joined == table)?;
        row.get(column)
    }

    pub(super) fn make(&mut self, name: &str, text: String) {
        self.made.push((name.to_owned(), text));
    }

    pub(super) fn join(&mut self, table: &str, row: &Arc<Self>) {
        self.joined.push((table.to_owned(), Arc::clone(row)));
    }

    #[cfg(test)]
    pub(super) fn of(cells: &[(&str, &str)]) -> Self {
        let mut row = Self { line: 2, ..Self::default() };
        cells.iter().for_each(|(name, text)| row.make(name, (*text).to_owned()));
        row
    }
}

/// A file being read.
pub(super) struct Rows {
    reader: csv::Reader<File>,
    header: Arc<Header>,
    columns: usize,
    record: ByteRecord,
    /// Size of the file.
    pub(super) bytes: u64,
}

/// A row, or why its line cannot be one.
pub(super) type Read = Result<Row, (u64, Error)>;

impl Rows {
    /// Opens a file of the step's folder; it was looked at before.
    pub(super) fn open(prepared: &Prepared, step: &Step) -> Result<Self> {
        Self::of(&prepared.folder.join(&step.file), prepared.plan.delimiter)
            .map_err(|message| Error::invalid_field(step.file.clone(), message))
    }

    fn of(path: &Path, delimiter: u8) -> Result<Self, Message> {
        let unreadable = |error: &dyn std::fmt::Display| {
            say(format!("cannot be read: {error}"), format!("não pode ser lido: {error}"))
        };
        let file = File::open(path).map_err(|error| unreadable(&error))?;
        let about = file.metadata().map_err(|error| unreadable(&error))?;
        if about.is_dir() {
            return Err(say("is a folder", "é uma pasta"));
        }
        let mut reader =
            csv::ReaderBuilder::new().delimiter(delimiter).flexible(true).from_reader(file);
        let names = reader.headers().map_err(|error| unreadable(&error))?.clone();
        let mut header = Header::default();
        for (index, name) in names.iter().enumerate() {
            let name = name.trim_start_matches('\u{feff}').trim();
            if header.0.insert(name.to_owned(), index).is_some() {
                return Err(say(
                    format!("has the column {name} twice"),
                    format!("tem a coluna {name} duas vezes"),
                ));
            }
        }
        let record = ByteRecord::new();
        let columns = names.len();
        Ok(Self { reader, header: Arc::new(header), columns, record, bytes: about.len() })
    }

    /// The next row; an error of the outer kind is the file's, of the inner one the row's.
    pub(super) fn next(&mut self) -> Result<Option<Read>> {
        if !self.reader.read_byte_record(&mut self.record).map_err(Error::internal)? {
            return Ok(None);
        }
        let line = self.record.position().map_or(0, csv::Position::line);
        let count = self.record.len();
        if count != self.columns {
            let expected = self.columns;
            return Ok(Some(Err((
                line,
                Error::invalid(say(
                    format!("has {count} columns, the header {expected}"),
                    format!("tem {count} colunas, o cabeçalho {expected}"),
                )),
            ))));
        }
        let text = StringRecord::from_byte_record(self.record.clone());
        let Ok(cells) = text else {
            let message = say("is not UTF-8 text", "não é texto UTF-8");
            return Ok(Some(Err((line, Error::invalid(message)))));
        };
        if cells.iter().any(|cell| cell.contains('\0')) {
            let message = say("holds a NUL character", "contém um caractere NUL");
            return Ok(Some(Err((line, Error::invalid(message)))));
        }
        let header = Arc::clone(&self.header);
        Ok(Some(Ok(Row { line, header, cells, made: Vec::new(), joined: Vec::new() })))
    }

    /// How many bytes of the file are behind us.
    pub(super) fn position(&self) -> u64 {
        self.reader.position().byte()
    }
}

/// Looks at the files that a plan names and at their columns, and reads its tables.
pub(super) fn check(plan: &Plan, folder: &Path) -> Result<Tables, Problems> {
    let mut problems = Problems::default();
    let mut known: HashMap<&str, Option<Arc<Header>>> = HashMap::new();
    let mut tables = Tables::new();
    for file in plan.tables.iter().map(|table| &table.file).chain(plan.steps.iter().map(file_of)) {
        if known.contains_key(file.as_str()) {
            continue;
        }
        let opened = Rows::of(&folder.join(file), plan.delimiter);
        let header = opened.map_err(|message| problems.add(file.clone(), message)).ok();
        known.insert(file, header.map(|rows| rows.header));
    }
    for table in &plan.tables {
        let Some(Some(header)) = known.get(table.file.as_str()) else { continue };
        if !header.0.contains_key(&table.key) {
            let place = format!("{}: tables.{}.key", plan.name, table.name);
            problems.add(place, no_column(&table.key, &table.file));
            continue;
        }
        match read_table(plan, table, folder) {
            Ok(rows) => drop(tables.insert(table.name.clone(), rows)),
            Err((line, message)) => {
                problems.add(format!("{}: line {line}", table.file), message);
            }
        }
    }
    for step in &plan.steps {
        let Some(Some(header)) = known.get(step.file.as_str()) else { continue };
        for (place, column) in step.columns() {
            if let Some((file, column)) = lacks(plan, step, (header, &known), column) {
                let place = format!("{}: step \"{}\".{place}", plan.name, step.name);
                problems.add(place, no_column(column, file));
            }
        }
    }
    problems.or(Some(tables))
}

fn file_of(step: &Step) -> &String {
    &step.file
}

/// The file that should have a column and does not, and its name there.
fn lacks<'p>(
    plan: &'p Plan,
    step: &'p Step,
    (header, known): (&Header, &HashMap<&str, Option<Arc<Header>>>),
    column: &'p str,
) -> Option<(&'p str, &'p str)> {
    let made = step.made.iter().any(|(name, _)| name == column);
    let distinct = !step.distinct.is_empty() && column == VALUE;
    if made || distinct || header.0.contains_key(column) {
        return None;
    }
    let Some((name, inner)) = column.split_once('.') else {
        return Some((&step.file, column));
    };
    let table = plan.tables.iter().find(|table| table.name == name);
    let joined = step.joins.iter().any(|(join, _)| join == name);
    match table.filter(|_| joined) {
        Some(table) => match known.get(table.file.as_str()) {
            Some(Some(header)) if !header.0.contains_key(inner) => Some((&table.file, inner)),
            _ => None,
        },
        None => Some((&step.file, column)),
    }
}

fn no_column(column: &str, file: &str) -> Message {
    say(
        format!("{file} has no column \"{column}\""),
        format!("{file} não tem a coluna \"{column}\""),
    )
}

/// All rows of a table by their key; of two with the same key the first counts.
fn read_table(
    plan: &Plan,
    table: &Table,
    folder: &Path,
) -> Result<HashMap<String, Arc<Row>>, (u64, Message)> {
    let mut rows =
        Rows::of(&folder.join(&table.file), plan.delimiter).map_err(|message| (1, message))?;
    let mut by_key = HashMap::new();
    loop {
        match rows.next() {
            Ok(None) => return Ok(by_key),
            Ok(Some(Ok(row))) => {
                let key = row.get(&table.key).unwrap_or_default().trim().to_owned();
                by_key.entry(key).or_insert_with(|| Arc::new(row));
            }
            Ok(Some(Err((line, error)))) => return Err((line, worded(error))),
            Err(error) => return Err((rows.reader.position().line(), worded(error))),
        }
    }
}

fn worded(error: Error) -> Message {
    if let Error::Invalid { message, .. } = error {
        return message;
    }
    let told = error.to_string();
    say(told.clone(), told)
}
