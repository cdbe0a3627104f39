//! Refused rows, in a file that can be read by people and programs. It is made when the first row
//! is refused.

use std::fs::File;
use std::path::{Path, PathBuf};

use crate::error::{Error, Language, Result, say};

const COLUMNS: [&str; 7] = ["step", "file", "line", "key", "code", "field", "reason"];

/// A row that was not taken.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) line: u64,
    /// What names the row, as far as it was understood.
    pub(super) key: String,
    pub(super) error: Error,
}

pub(super) struct Refusals {
    path: PathBuf,
    writer: Option<csv::Writer<File>>,
}

impl Refusals {
    /// Nothing is written yet.
    pub(super) fn new(path: &Path) -> Self {
        Self { path: path.to_path_buf(), writer: None }
    }

    /// Adds rows of a step, in the order of their lines.
    pub(super) fn add(&mut self, step: &str, file: &str, mut rows: Vec<Refusal>) -> Result<()> {
        rows.sort_by_key(|row| row.line);
        let path = self.path.clone();
        let failed = |error: &dyn std::fmt::Display| unwritable(&path, error);
        for row in rows {
            let line = row.line.to_string();
            let reason = match row.error.internal_cause() {
                Some(cause) => cause,
                None => row.error.message(Language::En),
            };
            let field = row.error.field().unwrap_or_default();
            let code = row.error.code().as_str();
            let record = [step, file, &line, &row.key, code, field, reason];
            self.writer()?.write_record(record).map_err(|error| failed(&error))?;
        }
        if let Some(writer) = &mut self.writer {
            writer.flush().map_err(|error| failed(&error))?;
        }
        Ok(())
    }

    fn writer(&mut self) -> Result<&mut csv::Writer<File>> {
        if self.writer.is_none() {
            let made = csv::Writer::from_path(&self.path);
            let mut writer = made.map_err(|error| unwritable(&self.path, &error))?;
            writer.write_record(COLUMNS).map_err(|error| unwritable(&self.path, &error))?;
            self.writer = Some(writer);
        }
        self.writer.as_mut().ok_or_else(|| Error::internal("no writer"))
    }
}

fn unwritable(path: &Path, error: &dyn std::fmt::Display) -> Error {
    let path = path.display();
    Error::invalid_field(
        "errors",
        say(
            format!("{path} cannot be written: {error}"),
            format!("{path} não pode ser escrito: {error}"),
        ),
    )
}
