//! The page in `examples/react-goals`, type-checked and built from what npm has, for the tests that
//! look at it in a browser.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::apt;
use crate::run::{Outcome, debug_folder, output, root};

/// Where the tests find it.
pub(crate) const FOLDER_VARIABLE: &str = "PULSO_TEST_REACT_GOALS";

/// Neither written by hand nor part of what is built from.
const MADE: [&str; 3] = ["node_modules", "dist", "generated"];

/// The built page; nothing where it cannot be built, and then the tests that need it fail.
pub(crate) fn build() -> Option<PathBuf> {
    build_unless_built()
        .inspect_err(|reason| {
            println!(
                "NO PAGE: examples/react-goals could not be built; tests that need it will fail.\n\
                 {reason}"
            );
        })
        .ok()
}

/// Builds it unless an earlier run has done so from the same files.
fn build_unless_built() -> Outcome<PathBuf> {
    let page = root().join("examples/react-goals");
    let debug = debug_folder()?;
    let folder = debug.parent().ok_or("the target folder has no parent")?.join("react-goals");
    let failed = |error: io::Error| format!("{}: {error}", page.display());
    let mut made_of = fs::read_to_string(root().join("schema.graphql")).map_err(failed)?;
    read_all(&page, &mut made_of).map_err(failed)?;
    let note = folder.join("made-of");
    let modules = page.join("node_modules");
    if modules.exists() && fs::read_to_string(&note).is_ok_and(|built| built == made_of) {
        return Ok(folder);
    }
    apt::ensure("npm", "npm")?;
    println!("building examples/react-goals");
    let npm = |arguments: &[&str]| {
        output(Command::new("npm").args(arguments).arg("--loglevel=error").current_dir(&page))
    };
    // The very versions of its package-lock.json, which stays as it is, and no scripts of theirs.
    // `npm ci` refuses a lock that names no registry.
    npm(&["install", "--no-save", "--ignore-scripts"])?;
    npm(&["run", "check"])?;
    let vite = modules.join("vite/bin/vite.js");
    output(
        Command::new("node")
            .arg(vite)
            .args(["build", "--emptyOutDir", "--outDir"])
            .arg(&folder)
            .current_dir(&page),
    )?;
    fs::write(&note, made_of).map_err(failed)?;
    Ok(folder)
}

fn read_all(folder: &Path, into: &mut String) -> io::Result<()> {
    let mut entries = fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>()?;
    entries.sort_by_key(fs::DirEntry::path);
    for entry in entries {
        if MADE.iter().any(|made| entry.file_name() == *made) {
            continue;
        }
        if entry.file_type()?.is_dir() {
            read_all(&entry.path(), into)?;
        } else {
            into.push_str(&fs::read_to_string(entry.path())?);
        }
    }
    Ok(())
}
