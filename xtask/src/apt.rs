//! Programs that the tests need and the machine lacks, where that needs no question.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::run::{Outcome, output};

/// Makes sure that `program` can be run, by the system's package of this name.
pub(crate) fn ensure(program: &str, package: &str) -> Outcome {
    let is_there = || succeeds(Command::new(program).arg("--version").stderr(Stdio::null()));
    if is_there() || (install(program, &[package]) && is_there()) {
        return Ok(());
    }
    Err(format!(
        "{program} is needed and could not be installed: install your system's package `{package}`"
    ))
}

/// On Debian and Ubuntu, as root or with a sudo that asks nothing; whether it is there then.
pub(crate) fn install(what: &str, packages: &[&str]) -> bool {
    if !Path::new("/etc/debian_version").exists() || !succeeds(Command::new("apt-get").arg("-v")) {
        return false;
    }
    let root = we_are_root().unwrap_or(false);
    if !root && !succeeds(Command::new("sudo").args(["-n", "true"])) {
        return false;
    }
    println!("installing {what} with apt-get");
    let apt = |arguments: &[&str]| {
        let mut command = if root { Command::new("env") } else { Command::new("sudo") };
        if !root {
            command.args(["-n", "env"]);
        }
        command.args(["DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq"]).args(arguments);
        succeeds(&mut command)
    };
    let install = [&["install", "-y", "--no-install-recommends"], packages].concat();
    apt(&install) || (apt(&["update"]) && apt(&install))
}

pub(crate) fn we_are_root() -> Outcome<bool> {
    Ok(output(Command::new("id").arg("-u"))?.trim() == "0")
}

pub(crate) fn succeeds(command: &mut Command) -> bool {
    command.stdin(Stdio::null()).stdout(Stdio::null()).status().is_ok_and(|status| status.success())
}
