//! What became of the rows, step by step.

/// What an import did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    pub steps: Vec<StepReport>,
    pub dry_run: bool,
}

/// Numbers of one step. `read` is the sum of what became of the rows: created, updated, unchanged,
/// skipped, repeated, deleted, missing and refused.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StepReport {
    pub name: String,
    pub file: String,
    /// GraphQL name of the record.
    pub record: &'static str,
    pub read: u64,
    pub created: u64,
    pub updated: u64,
    pub unchanged: u64,
    /// Left out by a condition of the mapping.
    pub skipped: u64,
    /// Left out because an earlier row had the same key.
    pub repeated: u64,
    /// Left alone because the record with this key was deleted.
    pub deleted: u64,
    /// Left out because there is no such record, where the mapping allows that.
    pub missing: u64,
    pub refused: u64,
    /// Rows whose reference was a later row of the file, and is set now.
    pub linked: u64,
    /// Rows that were written without a reference that was never found.
    pub unlinked: u64,
    /// What the mapping counts, by its names.
    pub counts: Vec<(String, u64)>,
}

/// The name of a number and how to have it.
type Column = (&'static str, fn(&StepReport) -> u64);

impl Report {
    /// Rows that are in the file of errors.
    pub fn refused(&self) -> u64 {
        self.steps.iter().map(|step| step.refused + step.unlinked).sum()
    }

    pub fn step(&self, name: &str) -> Option<&StepReport> {
        self.steps.iter().find(|step| step.name == name)
    }

    /// The numbers as a table, one line a step; columns that are all zero are left out.
    pub fn lines(&self) -> Vec<String> {
        let numbers: [Column; 11] = [
            ("read", |step| step.read),
            ("created", |step| step.created),
            ("updated", |step| step.updated),
            ("unchanged", |step| step.unchanged),
            ("skipped", |step| step.skipped),
            ("repeated", |step| step.repeated),
            ("deleted", |step| step.deleted),
            ("missing", |step| step.missing),
            ("linked", |step| step.linked),
            ("unlinked", |step| step.unlinked),
            ("refused", |step| step.refused),
        ];
        let always = ["read", "created", "updated", "unchanged", "refused"];
        let shown: Vec<_> = numbers
            .into_iter()
            .filter(|(name, of)| {
                always.contains(name) || self.steps.iter().any(|step| of(step) > 0)
            })
            .collect();
        let width = self.steps.iter().map(|step| step.name.chars().count()).max().unwrap_or(0);
        let width = width.max("step".len());
        let mut head = format!("{:width$}", "step");
        for (name, _) in &shown {
            head.push_str(&format!("  {name:>9}"));
        }
        let mut lines = vec![head];
        for step in &self.steps {
            let mut line = format!("{:width$}", step.name);
            for (_, of) in &shown {
                line.push_str(&format!("  {:>9}", of(step)));
            }
            lines.push(line);
            lines.extend(step.counts.iter().map(|(name, count)| format!("  {name}: {count}")));
        }
        lines
    }
}
