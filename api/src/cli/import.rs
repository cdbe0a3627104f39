//! `pulso import`: files of the customer become records. The report goes to standard output, the
//! progress bar to the terminal if there is one.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::{Done, Failure, print};
use crate::app::App;
use crate::import::{self, Order, Prepared, Report, Watch};

#[derive(Debug, Args)]
pub(super) struct ImportOrder {
    /// Slug of the tenant
    #[arg(long)]
    tenant: String,
    /// Mapping of columns to fields (TOML), see docs/import.md
    #[arg(long, value_name = "FILE")]
    mapping: PathBuf,
    /// Tell what would become of each row, and keep nothing
    #[arg(long)]
    dry_run: bool,
    /// Where refused rows are listed (CSV), if there are any
    #[arg(long, value_name = "FILE", default_value = "./import-errors.csv")]
    errors: PathBuf,
    /// Folder of the CSV files
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

impl ImportOrder {
    /// Reads the mapping and looks at the files, before any database is opened.
    pub(super) fn prepare(&self) -> Result<Prepared, Failure> {
        let folder = self.errors.parent().filter(|folder| !folder.as_os_str().is_empty());
        if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
            let folder = folder.display();
            return Err(Failure::Failed(format!("--errors: there is no folder {folder}")));
        }
        import::prepare(&self.mapping, &self.folder)
            .map_err(|problems| Failure::Failed(problems.to_string()))
    }
}

/// Runs the import and prints its report.
pub(super) async fn run(app: &Arc<App>, prepared: &Prepared, args: ImportOrder) -> Done {
    let order = Order { tenant: args.tenant, dry_run: args.dry_run, errors: args.errors.clone() };
    let mut bar = Bar(ProgressBar::hidden());
    let report = import::run(app, prepared, &order, &mut bar).await?;
    for line in report.lines() {
        print(&line)?;
    }
    conclude(&report, &args.errors)
}

fn conclude(report: &Report, errors: &std::path::Path) -> Done {
    if report.dry_run {
        print("Nothing was kept: this was a dry run.")?;
    }
    match report.refused() {
        0 => Ok(()),
        1 => Err(Failure::Refused(format!("1 row was refused: see {}", errors.display()))),
        many => {
            Err(Failure::Refused(format!("{many} rows were refused: see {}", errors.display())))
        }
    }
}

/// A progress bar by the bytes of a file; drawn on a terminal only.
struct Bar(ProgressBar);

impl Watch for Bar {
    fn begin(&mut self, step: &str, bytes: u64) {
        let style = ProgressStyle::with_template(
            "{prefix:>16} [{bar:32}] {percent:>3}% {msg} rows, {eta} left",
        );
        let bar = ProgressBar::with_draw_target(Some(bytes), ProgressDrawTarget::stderr());
        self.0 = match style {
            Ok(style) => bar.with_style(style.progress_chars("=> ")),
            Err(_bad_template) => bar,
        };
        self.0.set_prefix(step.to_owned());
    }

    fn reached(&mut self, bytes: u64, rows: u64) {
        self.0.set_position(bytes);
        self.0.set_message(rows.to_string());
    }

    fn end(&mut self) {
        self.0.finish_and_clear();
    }
}
