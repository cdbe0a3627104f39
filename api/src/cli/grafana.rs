//! `pulso grafana`: the dashboards of the catalogue of metrics, as files for Grafana's provisioning.

use std::path::PathBuf;

use clap::Args;

use super::{Done, Failure, print};
use crate::analytics::grafana::dashboards;

#[derive(Debug, Args)]
pub(super) struct GrafanaArgs {
    /// Where the files go; it is made when it is not there
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
}

/// Writes one file for each dashboard, and prints their names.
pub(super) fn run(args: &GrafanaArgs) -> Done {
    let failed =
        |error: std::io::Error| Failure::Failed(format!("{}: {error}", args.dir.display()));
    std::fs::create_dir_all(&args.dir).map_err(failed)?;
    for (name, dashboard) in dashboards() {
        let path = args.dir.join(name);
        std::fs::write(&path, format!("{dashboard:#}\n")).map_err(failed)?;
        print(&path.display().to_string())?;
    }
    Ok(())
}
