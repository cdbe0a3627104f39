//! One step: its file, batch by batch, and at the end the references that were rows of the same
//! file.

use std::collections::{HashMap, HashSet};

use super::file::{Row, Rows, VALUE};
use super::lookup::Wanted;
use super::plan::{Mode, Repeated, Step};
use super::refusal::Refusal;
use super::report::StepReport;
use super::run::Run;
use super::values::{self, Drawn};
use crate::db::Value;
use crate::error::{Error, Result, say};
use crate::record::change::{BulkOutcome, BulkResult, BulkRow, Values};
use crate::record::declare::Default;

/// Rows of one transaction.
const BATCH_ROWS: usize = 500;

/// New rows after which the database looks at the table anew, and by how much more the next time.
const STATISTICS_AFTER_ROWS: u64 = 2_000;
const STATISTICS_GROWTH: u64 = 4;

/// A row that is ready to be written, but for its look-ups.
struct Ready<'p> {
    line: u64,
    key: String,
    drawn: Drawn<'p>,
}

/// A reference to be set when all rows of the file are there.
struct Later<'p> {
    line: u64,
    key: String,
    named: Values,
    wanted: Wanted<'p>,
}

pub(super) struct Runner<'r, 'a, 'p> {
    run: &'r mut Run<'a>,
    step: &'p Step,
    report: StepReport,
    /// Keys of the file so far, and the lines they stand on.
    keys: HashMap<String, u64>,
    /// Distinct values so far.
    values: HashSet<String>,
    refused: Vec<Refusal>,
    later: Vec<Later<'p>>,
    /// New rows at which statistics are next refreshed.
    statistics_at: u64,
}

impl<'r, 'a, 'p> Runner<'r, 'a, 'p> {
    pub(super) fn new(run: &'r mut Run<'a>, step: &'p Step) -> Self {
        let counts = step.counts.iter().map(|(name, _)| (name.clone(), 0)).collect();
        let report = StepReport {
            name: step.name.clone(),
            file: step.file.clone(),
            record: step.record.name,
            counts,
            ..StepReport::default()
        };
        Self {
            run,
            step,
            report,
            keys: HashMap::new(),
            values: HashSet::new(),
            refused: Vec::new(),
            later: Vec::new(),
            statistics_at: STATISTICS_AFTER_ROWS,
        }
    }

    pub(super) async fn run(mut self) -> Result<StepReport> {
        let mut rows = Rows::open(self.run.prepared, self.step)?;
        self.run.watch.begin(&self.step.name, rows.bytes);
        let mut batch = Vec::with_capacity(BATCH_ROWS);
        while let Some(read) = rows.next()? {
            match read {
                Ok(row) => self.take(row, &mut batch),
                Err((line, error)) => {
                    self.report.read += 1;
                    self.refuse(line, String::new(), error);
                }
            }
            if batch.len() + self.refused.len() >= BATCH_ROWS {
                self.write(std::mem::take(&mut batch)).await?;
                self.run.watch.reached(rows.position(), self.report.read);
            }
        }
        self.write(batch).await?;
        self.run.watch.reached(rows.bytes, self.report.read);
        self.link().await?;
        self.run.watch.end();
        Ok(self.report)
    }

    fn refuse(&mut self, line: u64, key: String, error: Error) {
        self.report.refused += 1;
        self.refused.push(Refusal { line, key, error });
    }

    /// A row of the file, or the rows of its distinct values.
    fn take(&mut self, row: Row, batch: &mut Vec<Ready<'p>>) {
        if self.step.distinct.is_empty() {
            self.take_one(row, batch);
            return;
        }
        for column in &self.step.distinct {
            let value = row.get(column).unwrap_or_default().trim().to_owned();
            if !value.is_empty() && self.values.insert(value.clone()) {
                let mut row = row.clone();
                row.make(VALUE, value);
                self.take_one(row, batch);
            }
        }
    }

    fn take_one(&mut self, mut row: Row, batch: &mut Vec<Ready<'p>>) {
        self.report.read += 1;
        let line = row.line;
        if let Err(error) = self.complete(&mut row) {
            return self.refuse(line, String::new(), error);
        }
        let zones = self.run.zones;
        if self.step.skip.iter().any(|condition| values::is_met(condition, &row, zones)) {
            self.report.skipped += 1;
            return;
        }
        for ((_, count), (_, condition)) in self.report.counts.iter_mut().zip(&self.step.counts) {
            *count += u64::from(values::is_met(condition, &row, zones));
        }
        let drawn = match values::draw(self.step, &row, zones) {
            Ok(drawn) => drawn,
            Err(error) => return self.refuse(line, String::new(), error),
        };
        let key = match self.key_of(&drawn.values) {
            Ok(key) => key,
            Err(error) => return self.refuse(line, String::new(), error),
        };
        if let Some(first) = self.keys.get(&key) {
            match self.step.repeated {
                Repeated::First => self.report.repeated += 1,
                Repeated::Refuse => {
                    let error = Error::conflict(say(
                        format!("line {first} has the same key"),
                        format!("a linha {first} tem a mesma chave"),
                    ));
                    self.refuse(line, key, error);
                }
            }
            return;
        }
        self.keys.insert(key.clone(), line);
        batch.push(Ready { line, key, drawn });
    }

    /// Adds the columns that the step makes, and those of the tables it joins.
    fn complete(&self, row: &mut Row) -> Result<()> {
        values::make_columns(self.step, row)?;
        for (name, expr) in &self.step.joins {
            let Some(key) = values::text_of(expr, row)? else { continue };
            let table = self.run.prepared.tables.get(name);
            if let Some(found) = table.and_then(|table| table.get(&key)) {
                row.join(name, found);
            }
        }
        Ok(())
    }

    /// What names a row, for people: without the system, which is the same for all.
    fn key_of(&self, values: &Values) -> Result<String> {
        let mut parts = Vec::with_capacity(self.step.key.len());
        for column in &self.step.key {
            match values.get(column) {
                Some(Value::Text(_)) if *column == "external_system" => {}
                Some(Value::Text(text)) => parts.push(text.as_str()),
                _ => {
                    let field =
                        self.step.record.fields.iter().find(|field| field.column == *column);
                    let name =
                        field.map_or_else(|| (*column).to_owned(), |field| field.name.clone());
                    let (en, pt) =
                        ("names the row and is empty", "identifica a linha e está vazio");
                    return Err(Error::invalid_field(name, say(en, pt)));
                }
            }
        }
        Ok(parts.join(" "))
    }

    async fn write(&mut self, batch: Vec<Ready<'p>>) -> Result<()> {
        let wanted: Vec<&Wanted<'_>> = batch.iter().flat_map(|row| &row.drawn.wanted).collect();
        self.run.look_up(&wanted).await?;
        let mut lines = Vec::with_capacity(batch.len());
        let mut rows = Vec::with_capacity(batch.len());
        for ready in batch {
            let (line, key) = (ready.line, ready.key.clone());
            match self.complete_row(ready) {
                Ok(row) => {
                    lines.push((line, key));
                    rows.push(row);
                }
                Err(error) => self.refuse(line, key, error),
            }
        }
        let create = self.step.mode == Mode::Upsert;
        let results = self.run.write(self.step.record, &self.step.key, rows, create).await?;
        for ((line, key), result) in lines.into_iter().zip(results) {
            self.note(line, key, result);
        }
        if self.report.created >= self.statistics_at {
            self.statistics_at = self.report.created * STATISTICS_GROWTH;
            self.run.refresh_statistics(self.step.record.table).await?;
        }
        self.hand_over_refusals()
    }

    /// Puts the ids that were found into a row.
    fn complete_row(&mut self, ready: Ready<'p>) -> Result<BulkRow> {
        let Drawn { mut values, mut on_create, wanted } = ready.drawn;
        let mut later = Vec::new();
        for each in wanted {
            let found = self.run.lookups.get(each.lookup, &each.name);
            match each.value(found, true)? {
                Some(value) if each.on_create => drop(on_create.insert(each.field.column, value)),
                Some(value) => drop(values.insert(each.field.column, value)),
                None => later.push(each),
            }
        }
        self.leave_to_nobody(&values, &mut on_create);
        let named: Values = self
            .step
            .key
            .iter()
            .filter_map(|column| Some((*column, values.get(column)?.clone())))
            .collect();
        self.later.extend(later.into_iter().map(|wanted| Later {
            line: ready.line,
            key: ready.key.clone(),
            named: named.clone(),
            wanted,
        }));
        Ok(BulkRow { values, on_create })
    }

    /// What people make is theirs unless they say otherwise; an import is nobody, so what it makes
    /// belongs to nobody where that may be.
    fn leave_to_nobody(&self, values: &Values, on_create: &mut Values) {
        for field in &self.step.record.fields {
            let by_default = matches!(field.default, Default::CurrentUser) && field.nullable;
            if by_default && !values.contains_key(field.column) {
                on_create.entry(field.column).or_insert(Value::Null(field.kind.bind()));
            }
        }
    }

    fn note(&mut self, line: u64, key: String, result: BulkResult) {
        match result {
            Ok(BulkOutcome::Created(_)) => self.report.created += 1,
            Ok(BulkOutcome::Updated(_)) => self.report.updated += 1,
            Ok(BulkOutcome::Unchanged(_)) => self.report.unchanged += 1,
            Ok(BulkOutcome::Deleted(_)) => self.report.deleted += 1,
            Ok(BulkOutcome::Missing) => match self.step.mode {
                Mode::Update { skip_missing: true } => self.report.missing += 1,
                Mode::Update { skip_missing: false } | Mode::Upsert => {
                    let name = self.step.record.name;
                    let message = say(
                        format!("there is no {name} with this key"),
                        format!("não existe {name} com esta chave"),
                    );
                    self.refuse(line, key, Error::NotFound { message, field: None });
                }
            },
            Err(error) => self.refuse(line, key, error),
        }
    }

    fn hand_over_refusals(&mut self) -> Result<()> {
        let refused = std::mem::take(&mut self.refused);
        if refused.is_empty() {
            return Ok(());
        }
        self.run.refusals.add(&self.step.name, &self.step.file, refused)
    }

    /// Sets the references to rows that stood further down in the file.
    async fn link(&mut self) -> Result<()> {
        let mut later = std::mem::take(&mut self.later).into_iter().peekable();
        while later.peek().is_some() {
            let batch: Vec<Later<'p>> = later.by_ref().take(BATCH_ROWS).collect();
            let wanted: Vec<&Wanted<'_>> = batch.iter().map(|each| &each.wanted).collect();
            self.run.look_up(&wanted).await?;
            let mut lines = Vec::with_capacity(batch.len());
            let mut rows = Vec::with_capacity(batch.len());
            for each in batch {
                let found = self.run.lookups.get(each.wanted.lookup, &each.wanted.name);
                match each.wanted.value(found, false) {
                    Ok(value) => {
                        let mut values = each.named;
                        values.extend(value.map(|value| (each.wanted.field.column, value)));
                        rows.push(BulkRow { values, on_create: Values::new() });
                        lines.push((each.line, each.key));
                    }
                    Err(error) => self.leave_unlinked(each.line, each.key, error),
                }
            }
            let results = self.run.write(self.step.record, &self.step.key, rows, false).await?;
            for ((line, key), result) in lines.into_iter().zip(results) {
                match result {
                    Ok(BulkOutcome::Updated(_)) => self.report.linked += 1,
                    Ok(_) => {}
                    Err(error) => self.leave_unlinked(line, key, error),
                }
            }
            self.hand_over_refusals()?;
        }
        Ok(())
    }

    fn leave_unlinked(&mut self, line: u64, key: String, error: Error) {
        self.report.unlinked += 1;
        self.refused.push(Refusal { line, key, error });
    }
}
