//! What is asked of the machine: time, ports, folders, and the facts that stand beside figures.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::outcome::{During as _, Outcome};
use crate::programs::output;

#[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Milliseconds since 1970.
#[expect(clippy::disallowed_methods, reason = "a benchmark's events happen now")]
pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or_default()
}

/// The most memory that a process has used so far, in MB.
pub(crate) fn peak_megabytes(process: u32) -> Outcome<f64> {
    let path = format!("/proc/{process}/status");
    let text = fs::read_to_string(&path).during(&path)?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
    kilobytes.map(|kilobytes| kilobytes / 1024.0).ok_or_else(|| format!("{path} says nothing"))
}

/// Loopback with a port that nobody listens on.
pub(crate) fn free_address() -> Outcome<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .during("no free port")
}

/// A temporary folder that is removed with all it holds, unless it is to be kept.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    keep: bool,
}

impl Folder {
    pub(crate) fn make(keep: bool) -> Outcome<Self> {
        let path = std::env::temp_dir().join(format!("pulso-bench-{}", std::process::id()));
        fs::create_dir(&path).during(path.display())?;
        // The account that PostgreSQL runs as must be able to pass.
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).during(path.display())?;
        Ok(Self { path, keep })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if self.keep {
            println!("\nleft on disk: {}", self.path.display());
        } else if let Err(error) = fs::remove_dir_all(&self.path) {
            eprintln!("{} could not be removed: {error}", self.path.display());
        }
    }
}

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    here.parent().map_or_else(|| here.clone(), PathBuf::from)
}

/// The folder that cargo builds into: two above this program.
pub(crate) fn target_folder() -> Outcome<PathBuf> {
    let program = std::env::current_exe().during("where am I?")?;
    program
        .parent()
        .and_then(Path::parent)
        .map(PathBuf::from)
        .ok_or_else(|| "this program stands in no target folder".to_owned())
}

/// One line about the machine, for the head of a report.
pub(crate) fn facts() -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let information = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = information
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map_or("unknown processor", |(_, model)| model);
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let gigabytes = memory
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:")?.split_whitespace().next()?.parse().ok())
        .map_or(0.0, |kilobytes: f64| kilobytes / 1_048_576.0);
    let kernel = output(Command::new("uname").arg("-sr")).unwrap_or_default();
    format!("{cores} cores ({model}), {gigabytes:.0} GB, {}", kernel.trim())
}

/// The one-minute load before anything was started: a busy machine gives figures that mean little.
pub(crate) fn load_average() -> Option<f64> {
    fs::read_to_string("/proc/loadavg").ok()?.split_whitespace().next()?.parse().ok()
}
