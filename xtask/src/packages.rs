//! Programs of the system that a step needs: found, or installed where that needs no question.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::postgres::we_are_root;
use crate::run::Outcome;

/// Makes sure that `program` can be run, by the system's package of this name.
pub(crate) fn ensure(program: &str, package: &str) -> Outcome {
    if is_there(program) || (install_by_apt(package) && is_there(program)) {
        return Ok(());
    }
    Err(format!(
        "{program} is needed and could not be installed: install your system's package `{package}`"
    ))
}

fn is_there(program: &str) -> bool {
    succeeds(Command::new(program).arg("--version").stderr(Stdio::null()))
}

/// On Debian and Ubuntu, as root or with a sudo that asks nothing.
pub(crate) fn install_by_apt(package: &str) -> bool {
    if !Path::new("/etc/debian_version").exists() || !succeeds(Command::new("apt-get").arg("-v")) {
        return false;
    }
    let root = we_are_root().unwrap_or(false);
    if !root && !succeeds(Command::new("sudo").args(["-n", "true"])) {
        return false;
    }
    println!("installing {package} with apt-get");
    let apt = |arguments: &[&str]| {
        let mut command = if root { Command::new("env") } else { Command::new("sudo") };
        if !root {
            command.args(["-n", "env"]);
        }
        command.args(["DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq"]).args(arguments);
        succeeds(&mut command)
    };
    let install = ["install", "-y", "--no-install-recommends", package];
    apt(&install) || (apt(&["update"]) && apt(&install))
}

pub(crate) fn succeeds(command: &mut Command) -> bool {
    command.stdin(Stdio::null()).stdout(Stdio::null()).status().is_ok_and(|status| status.success())
}
