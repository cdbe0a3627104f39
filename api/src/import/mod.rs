//! `pulso import`: the customer's own files become records, by a mapping that says which column is
//! which field. A door: it holds no rules of the product, everything is written through the record
//! engine.
//!
//! Invariants:
//! - a mapping with a mistake writes nothing, and all its mistakes are told at once;
//! - running the same import again changes nothing: rows are known by their key, and what is equal
//!   is not written;
//! - transactions are short (a few hundred rows), so that a running server goes on writing;
//! - a row that cannot be taken is refused alone, with its line and reason.
//!
//! Not here: exports, and the declarations of what a record has (the rooms).

mod file;
mod lookup;
mod mapping;
mod number;
mod plan;
mod problem;
mod refusal;
mod report;
mod run;
mod step;
mod time;
mod values;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::app::App;
use crate::error::Result;
pub use problem::{Problem, Problems};
pub use report::{Report, StepReport};

/// A mapping that was read, with files that have the columns it names.
pub struct Prepared {
    plan: plan::Plan,
    folder: PathBuf,
    tables: file::Tables,
}

/// How an import is to run.
pub struct Order {
    /// Slug of the tenant.
    pub tenant: String,
    /// Nothing is kept; the report says what would have become of each row.
    pub dry_run: bool,
    /// Where refused rows are listed, if there are any.
    pub errors: PathBuf,
}

/// Who wants to see how far an import is.
pub trait Watch: Send {
    /// A step begins; its file has so many bytes.
    fn begin(&mut self, step: &str, bytes: u64);
    /// So many bytes and rows of the step's file are done.
    fn reached(&mut self, bytes: u64, rows: u64);
    fn end(&mut self);
}

/// Reads a mapping and looks at the files of `folder` that it names. Nothing is written.
pub fn prepare(mapping: &Path, folder: &Path) -> Result<Prepared, Problems> {
    let plan = mapping::read_file(mapping)?;
    let tables = file::check(&plan, folder)?;
    Ok(Prepared { plan, folder: folder.to_path_buf(), tables })
}

/// Runs the steps of a mapping in order.
pub async fn run(
    app: &Arc<App>,
    prepared: &Prepared,
    order: &Order,
    watch: &mut dyn Watch,
) -> Result<Report> {
    run::all_steps(app, prepared, order, watch).await
}

#[cfg(test)]
mod tests;
