//! The release build as a newcomer meets it: an empty folder, no settings, one command.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::http;
use crate::postgres::free_port;
use crate::run::{Outcome, release_folder};

const READY_WITHIN: Duration = Duration::from_secs(60);
const STOPPED_WITHIN: Duration = Duration::from_secs(20);
const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(20);
const QUERY: &str = "{ leads(first: 2) { totalCount nodes { id } } }";

pub(crate) fn run_all() -> Outcome {
    let folder = std::env::temp_dir().join(format!("pulso-smoke-{}", std::process::id()));
    fs::create_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let outcome = first_and_second_start(&folder);
    let removed =
        fs::remove_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()));
    outcome.and(removed)
}

fn first_and_second_start(folder: &Path) -> Outcome {
    let first = Running::start(folder, "first.log")?;
    let said = first.log()?;
    let key = api_key_in(&said).ok_or_else(|| format!("no API key was printed:\n{said}"))?;
    ask(&first, &key)?;
    let took = first.ready_after;
    first.stop()?;
    println!("empty folder: ready after {} ms", took.as_millis());

    let second = Running::start(folder, "second.log")?;
    ask(&second, &key)?;
    if api_key_in(&second.log()?).is_some() {
        return Err("credentials were printed again on the second start".to_owned());
    }
    let took = second.ready_after;
    second.stop()?;
    println!("existing file: ready after {} ms", took.as_millis());
    Ok(())
}

fn ask(server: &Running, key: &str) -> Outcome {
    let answer = http::query(server.port, key, QUERY)?;
    let complete = answer.status == 200
        && answer.body.contains("\"totalCount\"")
        && !answer.body.contains("\"errors\"");
    if complete { Ok(()) } else { Err(format!("{QUERY} -> {} {}", answer.status, answer.body)) }
}

/// The last word of the line that begins with "API key".
fn api_key_in(log: &str) -> Option<String> {
    log.lines()
        .find(|line| line.trim_start().starts_with("API key"))
        .and_then(|line| line.split_whitespace().next_back())
        .map(str::to_owned)
}

struct Running {
    process: Child,
    port: u16,
    log: PathBuf,
    ready_after: Duration,
}

impl Running {
    fn start(folder: &Path, log: &str) -> Outcome<Self> {
        let port = free_port()?;
        let log = folder.join(log);
        let file = fs::File::create(&log).map_err(|error| format!("{}: {error}", log.display()))?;
        let same = file.try_clone().map_err(|error| format!("{}: {error}", log.display()))?;
        let mut command = Command::new(release_folder()?.join("pulso"));
        command.current_dir(folder).stdin(Stdio::null()).stdout(file).stderr(same);
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy();
            if name.starts_with("PULSO_") || name == "DATABASE_URL" || name == "PORT" {
                command.env_remove(&*name);
            }
        }
        let started = Instant::now();
        let process = command
            .env("PULSO_PORT", port.to_string())
            .spawn()
            .map_err(|error| format!("target/release/pulso: {error}"))?;
        let mut running = Self { process, port, log, ready_after: Duration::ZERO };
        running.wait_until_ready(started)?;
        running.ready_after = started.elapsed();
        Ok(running)
    }

    fn wait_until_ready(&mut self, started: Instant) -> Outcome {
        loop {
            if http::get(self.port, "/readyz").is_ok_and(|answer| answer.status == 200) {
                return Ok(());
            }
            if let Ok(Some(status)) = self.process.try_wait() {
                return Err(format!("the server ended ({status}):\n{}", self.log()?));
            }
            if started.elapsed() > READY_WITHIN {
                return Err(format!("not ready after {READY_WITHIN:?}:\n{}", self.log()?));
            }
            sleep(LOOK_AGAIN_AFTER);
        }
    }

    fn log(&self) -> Outcome<String> {
        fs::read_to_string(&self.log).map_err(|error| format!("{}: {error}", self.log.display()))
    }

    /// SIGTERM, to exactly this process; it must end by itself and with success.
    fn stop(mut self) -> Outcome {
        let sent = Command::new("/bin/sh")
            .args(["-c", "kill -TERM \"$1\"", "kill"])
            .arg(self.process.id().to_string())
            .status();
        if !sent.is_ok_and(|status| status.success()) {
            return Err("SIGTERM could not be sent".to_owned());
        }
        let started = Instant::now();
        while started.elapsed() < STOPPED_WITHIN {
            match self.process.try_wait() {
                Ok(Some(status)) if status.success() => return Ok(()),
                Ok(Some(status)) => {
                    return Err(format!("ended with {status} on SIGTERM:\n{}", self.log()?));
                }
                Ok(None) => sleep(LOOK_AGAIN_AFTER),
                Err(error) => return Err(format!("waiting for the server: {error}")),
            }
        }
        Err(format!("still running {STOPPED_WITHIN:?} after SIGTERM:\n{}", self.log()?))
    }
}

impl Drop for Running {
    /// Nothing stays behind when a check fails half-way.
    fn drop(&mut self) {
        if matches!(self.process.try_wait(), Ok(None)) {
            let killed = self.process.kill().and_then(|()| self.process.wait());
            if let Err(error) = killed {
                eprintln!("pulso ({}) could not be stopped: {error}", self.process.id());
            }
        }
    }
}
