//! `pulso export`: one tenant, whole, into a file, beside a running server. The file appears under its
//! name when all of it is there; until then it is called `….partial`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use futures::TryStreamExt as _;
use tokio::fs::{self, File, OpenOptions};
use tokio::io::AsyncWriteExt as _;

use super::{Done, Failure, print};
use crate::app::App;
use crate::identity::tenant::export::service::{Export, for_operator};

#[derive(Debug, Args)]
pub(super) struct ExportArgs {
    /// Slug of the tenant
    #[arg(long)]
    tenant: String,
    /// The tar file to be made; it must not be there
    #[arg(long)]
    out: PathBuf,
}

pub(super) async fn run(app: &Arc<App>, args: ExportArgs) -> Done {
    let refuse = |why: &dyn std::fmt::Display| {
        Failure::Failed(format!("{} cannot be written: {why}", args.out.display()))
    };
    if fs::try_exists(&args.out).await.map_err(|error| refuse(&error))? {
        return Err(refuse(&"it is there already"));
    }
    let export = for_operator(app, &args.tenant).await?;
    let mut partial = args.out.clone().into_os_string();
    partial.push(".partial");
    let file = create(Path::new(&partial)).await.map_err(|error| refuse(&error))?;
    let bytes = write(export, file, &refuse).await?;
    fs::rename(&partial, &args.out).await.map_err(|error| refuse(&error))?;
    print(&format!("{}: {bytes} bytes", args.out.display()))
}

/// Only its owner may read it: it is a tenant's personal data.
async fn create(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    options.mode(0o600);
    options.open(path).await
}

async fn write(
    mut export: Export,
    mut file: File,
    refuse: &impl Fn(&dyn std::fmt::Display) -> Failure,
) -> Result<usize, Failure> {
    let mut bytes = 0;
    while let Some(piece) = export.pieces.try_next().await? {
        file.write_all(&piece).await.map_err(|error| refuse(&error))?;
        bytes += piece.len();
    }
    file.sync_all().await.map_err(|error| refuse(&error))?;
    Ok(bytes)
}
