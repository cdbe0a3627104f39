//! Running other programs, and saying how long a step took.

use std::borrow::BorrowMut;
use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

/// What went wrong, in one line for the reader of the terminal.
pub(crate) type Outcome<T = ()> = Result<T, String>;

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    here.parent().map_or_else(|| here.clone(), PathBuf::from)
}

/// The folder that this very program was built into: `target/debug`.
pub(crate) fn debug_folder() -> Outcome<PathBuf> {
    let program = std::env::current_exe().map_err(|error| format!("where am I? {error}"))?;
    program.parent().map(PathBuf::from).ok_or_else(|| "this program has no folder".to_owned())
}

/// The folder of release builds, beside [`debug_folder`].
pub(crate) fn release_folder() -> Outcome<PathBuf> {
    let debug = debug_folder()?;
    debug
        .parent()
        .map(|target| target.join("release"))
        .ok_or_else(|| "the target folder has no parent".to_owned())
}

/// `cargo …` at the root, by the same cargo that runs us.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(program);
    command.args(arguments).current_dir(root());
    // What `cargo run` sets for us would reach build scripts, some of which are run anew whenever
    // it differs: half the dependencies would be rebuilt after every plain `cargo` command.
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| {
            name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")
        }) {
            command.env_remove(&name);
        }
    }
    command
}

/// Runs a command with our own output; anything but success is an error that names it.
pub(crate) fn run(mut command: impl BorrowMut<Command>) -> Outcome {
    let command = command.borrow_mut();
    let status = command.status().map_err(|error| format!("{}: {error}", line(command)))?;
    if status.success() { Ok(()) } else { Err(format!("failed ({status}): {}", line(command))) }
}

/// Runs a command and returns what it printed; its error output is part of the failure.
pub(crate) fn output(mut command: impl BorrowMut<Command>) -> Outcome<String> {
    let command = command.borrow_mut();
    let output = command.output().map_err(|error| format!("{}: {error}", line(command)))?;
    if output.status.success() {
        String::from_utf8(output.stdout).map_err(|error| format!("{}: {error}", line(command)))
    } else {
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        Err(format!("failed ({}): {}\n{said}", output.status, line(command)))
    }
}

fn line(command: &Command) -> String {
    let mut words = vec![command.get_program().to_string_lossy().into_owned()];
    words.extend(command.get_args().map(|argument| argument.to_string_lossy().into_owned()));
    words.join(" ")
}

/// One named step: says that it begins, and how long it took.
pub(crate) fn step<T>(name: &str, work: impl FnOnce() -> Outcome<T>) -> Outcome<T> {
    println!("\n==> {name}");
    let started = Instant::now();
    let outcome = work();
    let seconds = started.elapsed().as_secs_f64();
    match &outcome {
        Ok(_) => println!("==> {name}: ok, {seconds:.1} s"),
        Err(_) => println!("==> {name}: FAILED after {seconds:.1} s"),
    }
    outcome.map_err(|error| format!("{name}: {error}"))
}
