//! Running other programs: to their end, or as servers that end with us.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::machine;
use crate::outcome::{During as _, Outcome};

/// How long a server may take to answer, and to go away.
const START_TIMEOUT: Duration = Duration::from_secs(60);
const STOP_TIMEOUT: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(50);

/// Runs a program and returns what it printed; its error output is part of a failure.
pub(crate) fn output(command: &mut Command) -> Outcome<String> {
    let output = command.stdin(Stdio::null()).output().during(line(command))?;
    if output.status.success() {
        return String::from_utf8(output.stdout).during(line(command));
    }
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(format!("failed ({}): {}\n{said}", output.status, line(command)))
}

/// Runs a program whose output goes to the terminal.
pub(crate) fn run(command: &mut Command) -> Outcome {
    let status = command.stdin(Stdio::null()).status().during(line(command))?;
    if status.success() { Ok(()) } else { Err(format!("failed ({status}): {}", line(command))) }
}

fn line(command: &Command) -> String {
    let mut words = vec![command.get_program().to_string_lossy().into_owned()];
    words.extend(command.get_args().map(|word| word.to_string_lossy().into_owned()));
    words.join(" ")
}

/// A program to be started by `setpriv`, so that the kernel sends it `signal` when we die by
/// whatever cause. The process id is the program's own: `setpriv` replaces itself.
pub(crate) fn ending_with_us(program: &Path, signal: &str) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", signal]).arg(program);
    command
}

/// A server of ours: its output goes to a file, and it is told to end when this is dropped.
#[derive(Debug)]
pub(crate) struct Server {
    name: String,
    child: Child,
    log: PathBuf,
    signal: &'static str,
}

impl Server {
    /// Starts `command` with its output in `<folder>/<name>.log`; `signal` is its sign to end.
    pub(crate) fn start(
        name: &str,
        command: &mut Command,
        folder: &Path,
        signal: &'static str,
    ) -> Outcome<Self> {
        let log = folder.join(format!("{name}.log"));
        let file = File::create(&log).during(log.display())?;
        let errors = file.try_clone().during(log.display())?;
        let child = command.stdin(Stdio::null()).stdout(file).stderr(errors).spawn();
        let child = child.during(line(command))?;
        Ok(Self { name: name.to_owned(), child, log, signal })
    }

    pub(crate) fn process_id(&self) -> u32 {
        self.child.id()
    }

    /// Returns when `ready` says so; a server that ends or never becomes ready is an error with
    /// the end of its log.
    pub(crate) fn wait_until(&mut self, mut ready: impl FnMut() -> bool) -> Outcome {
        let started = machine::now();
        while !ready() {
            if let Some(status) = self.child.try_wait().during(&self.name)? {
                return Err(format!("{} ended ({status})\n{}", self.name, self.last_words()));
            }
            if started.elapsed() > START_TIMEOUT {
                return Err(format!("{} never became ready\n{}", self.name, self.last_words()));
            }
            std::thread::sleep(POLL);
        }
        Ok(())
    }

    /// Ends it as a loss of power would; one that ended by itself is an error.
    pub(crate) fn kill(&mut self) -> Outcome {
        if let Some(status) = self.child.try_wait().during(&self.name)? {
            return Err(format!("{} ended ({status})\n{}", self.name, self.last_words()));
        }
        self.child.kill().during(&self.name)?;
        self.child.wait().map(drop).during(&self.name)
    }

    fn last_words(&self) -> String {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines.iter().skip(lines.len().saturating_sub(20)).copied().collect::<Vec<_>>().join("\n")
    }

    fn stop(&mut self) -> Outcome {
        if self.child.try_wait().during(&self.name)?.is_some() {
            return Ok(());
        }
        let id = self.child.id().to_string();
        output(Command::new("sh").args(["-c", "kill -s \"$1\" \"$2\"", "sh", self.signal, &id]))?;
        let started = machine::now();
        while started.elapsed() < STOP_TIMEOUT {
            if self.child.try_wait().during(&self.name)?.is_some() {
                return Ok(());
            }
            std::thread::sleep(POLL);
        }
        self.kill()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Err(error) = self.stop() {
            eprintln!("{error}");
        }
    }
}
