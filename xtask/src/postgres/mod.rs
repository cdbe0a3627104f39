//! A throw-away PostgreSQL: found or installed, started on a free port with its data in a temporary
//! folder, and removed at the end however the end comes about.
//!
//! Durability is off here (`fsync=off`): this is for tests, which never need their data again.

mod binaries;

use std::fs;
use std::io::Write as _;
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::apt::we_are_root;
use crate::run::{Outcome, debug_folder, output};

pub(crate) const TEST_URL_VARIABLE: &str = "PULSO_TEST_POSTGRES_URL";

const SETTINGS: &str = "\
listen_addresses = '127.0.0.1'
max_connections = 400
fsync = off
full_page_writes = off
synchronous_commit = off
";

/// A PostgreSQL that the tests may use: the caller's own, or one of ours.
pub(crate) enum Cluster {
    /// Named by the environment; not ours to stop.
    Given(String),
    Ours {
        server: Server,
        keeper: Child,
    },
}

impl Cluster {
    pub(crate) fn for_tests() -> Outcome<Self> {
        if let Ok(url) = std::env::var(TEST_URL_VARIABLE)
            && !url.is_empty()
        {
            println!("using the server named by {TEST_URL_VARIABLE}");
            return Ok(Self::Given(url));
        }
        let server = Server::start()?;
        let keeper = server.keeper()?;
        println!("PostgreSQL {} at {}", server.version, server.url());
        Ok(Self::Ours { server, keeper })
    }

    pub(crate) fn url(&self) -> String {
        match self {
            Self::Given(url) => url.clone(),
            Self::Ours { server, .. } => server.url(),
        }
    }

    /// Stops and removes a cluster of ours, and waits until that is done.
    pub(crate) fn stop(self) -> Outcome {
        match self {
            Self::Given(_) => Ok(()),
            Self::Ours { mut keeper, server } => {
                // Closing its input is the keeper's sign.
                drop(keeper.stdin.take());
                keeper.wait().map_err(|error| format!("stopping PostgreSQL: {error}"))?;
                if server.folder.exists() {
                    return Err(format!("{} could not be removed", server.folder.display()));
                }
                Ok(())
            }
        }
    }
}

/// A running server whose files are all in one folder.
pub(crate) struct Server {
    binaries: PathBuf,
    folder: PathBuf,
    port: u16,
    version: u32,
    user: Option<Account>,
}

/// Whom the server runs as when we are root, which PostgreSQL refuses to be.
#[derive(Clone, Copy)]
struct Account {
    user_id: u32,
    group_id: u32,
}

impl Server {
    fn start() -> Outcome<Self> {
        let (binaries, version) = binaries::find_or_install()?;
        let user = unprivileged_account()?;
        let folder = temporary_folder(user)?;
        let server = Self { binaries, folder, port: free_port()?, version, user };
        match server.initialise().and_then(|()| server.launch()) {
            Ok(()) => Ok(server),
            Err(error) => {
                let log = fs::read_to_string(server.folder.join("log")).unwrap_or_default();
                remove_folder(&server.folder)?;
                Err(format!("PostgreSQL did not start: {error}\n{log}"))
            }
        }
    }

    fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    fn initialise(&self) -> Outcome {
        let data = self.data();
        output(
            self.command("initdb")
                .arg("-D")
                .arg(&data)
                .args(["-U", "postgres", "-A", "trust", "--no-sync"])
                .args(["-E", "UTF8", "--locale=C.UTF-8"]),
        )?;
        let path = data.join("postgresql.conf");
        let mut file = fs::OpenOptions::new()
            .append(true)
            .open(&path)
            .map_err(|error| format!("{}: {error}", path.display()))?;
        let sockets = self.folder.display();
        write!(file, "{SETTINGS}port = {}\nunix_socket_directories = '{sockets}'\n", self.port)
            .map_err(|error| format!("{}: {error}", path.display()))
    }

    /// Returns when the server accepts connections.
    fn launch(&self) -> Outcome {
        let status = self
            .command("pg_ctl")
            .arg("-D")
            .arg(self.data())
            .arg("-l")
            .arg(self.folder.join("log"))
            .args(["-w", "-s", "start"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .map_err(|error| format!("pg_ctl: {error}"))?;
        if status.success() { Ok(()) } else { Err(format!("pg_ctl start: {status}")) }
    }

    /// A shell that outlives us: when its input closes, because we say so or because we died by
    /// whatever cause, it stops the server (by the id in its own pid file) and removes the folder.
    fn keeper(&self) -> Outcome<Child> {
        let script = "trap '' INT TERM HUP; read -r _; \
                      \"$1/pg_ctl\" -D \"$2/data\" -m immediate -w -s stop; rm -rf \"$2\"";
        self.command_of(Path::new("/bin/sh"))
            .args(["-c", script, "keeper"])
            .arg(&self.binaries)
            .arg(&self.folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("/bin/sh: {error}"))
    }

    fn command(&self, program: &str) -> Command {
        self.command_of(&self.binaries.join(program))
    }

    /// A command as the account that owns the cluster, in a clean environment.
    fn command_of(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("LC_ALL", "C.UTF-8")
            .env("HOME", &self.folder)
            .current_dir(&self.folder);
        if let Some(user) = self.user {
            command.uid(user.user_id).gid(user.group_id);
        }
        command
    }
}

/// `cargo xtask db up`.
pub(crate) fn up() -> Outcome {
    let note = note_path()?;
    if let Ok(text) = fs::read_to_string(&note) {
        let url = text.lines().next().unwrap_or_default();
        return Err(format!("one is up already: {url} (`cargo xtask db down` removes it)"));
    }
    let server = Server::start()?;
    let (url, folder, binaries) =
        (server.url(), server.folder.display(), server.binaries.display());
    fs::write(&note, format!("{url}\n{folder}\n{binaries}\n"))
        .map_err(|error| format!("{}: {error}", note.display()))?;
    println!("PostgreSQL {} is up, with its files in {folder}", server.version);
    println!("  tests:   export {TEST_URL_VARIABLE}={url}");
    println!("  server:  DATABASE_URL={url} cargo run --release -- --migrate");
    println!("  end:     cargo xtask db down");
    Ok(())
}

/// `cargo xtask db down`.
pub(crate) fn down() -> Outcome {
    let note = note_path()?;
    let Ok(text) = fs::read_to_string(&note) else {
        println!("none is up");
        return Ok(());
    };
    let mut lines = text.lines().skip(1).map(PathBuf::from);
    let (Some(folder), Some(binaries)) = (lines.next(), lines.next()) else {
        return Err(format!("{} cannot be read; remove it by hand", note.display()));
    };
    if folder.exists() {
        let user = unprivileged_account()?;
        let server = Server { binaries, folder, port: 0, version: 0, user };
        let keeper = server.keeper()?;
        Cluster::Ours { server, keeper }.stop()?;
    }
    fs::remove_file(&note).map_err(|error| format!("{}: {error}", note.display()))?;
    println!("stopped and removed");
    Ok(())
}

/// Where `db up` leaves word for `db down`.
fn note_path() -> Outcome<PathBuf> {
    Ok(debug_folder()?.join("xtask-postgres"))
}

/// `None` when we are an ordinary user; otherwise `postgres` or, without one, `nobody`.
fn unprivileged_account() -> Outcome<Option<Account>> {
    if !we_are_root()? {
        return Ok(None);
    }
    let accounts =
        fs::read_to_string("/etc/passwd").map_err(|error| format!("/etc/passwd: {error}"))?;
    ["postgres", "nobody"]
        .iter()
        .find_map(|name| accounts.lines().find_map(|line| account_in(line, name)))
        .map(Some)
        .ok_or_else(|| "PostgreSQL refuses to run as root: add a user named postgres".to_owned())
}

/// One line of the password file: `name:x:uid:gid:…`.
fn account_in(line: &str, name: &str) -> Option<Account> {
    let mut fields = line.split(':');
    if fields.next() != Some(name) {
        return None;
    }
    let user_id = fields.nth(1)?.parse().ok()?;
    let group_id = fields.next()?.parse().ok()?;
    Some(Account { user_id, group_id })
}

/// A fresh folder that only the server's account may enter. Its path is short: sockets live in it.
fn temporary_folder(user: Option<Account>) -> Outcome<PathBuf> {
    let base = std::env::temp_dir();
    for number in 0..1_000_u32 {
        let folder = base.join(format!("pulso-pg-{}-{number}", std::process::id()));
        if fs::create_dir(&folder).is_err() {
            continue;
        }
        let prepared = fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).and_then(
            |()| match user {
                Some(user) => chown(&folder, Some(user.user_id), Some(user.group_id)),
                None => Ok(()),
            },
        );
        return prepared
            .map(|()| folder.clone())
            .map_err(|error| format!("{}: {error}", folder.display()));
    }
    Err(format!("no folder can be made in {}", base.display()))
}

fn remove_folder(folder: &Path) -> Outcome {
    fs::remove_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))
}

pub(crate) fn free_port() -> Outcome<u16> {
    TcpListener::bind(("127.0.0.1", 0))
        .and_then(|listener| listener.local_addr())
        .map(|address| address.port())
        .map_err(|error| format!("no free port: {error}"))
}

/// Whether a folder belongs to us and nobody else may write into it.
fn is_ours(folder: &Path) -> bool {
    let own = fs::metadata("/proc/self").map(|metadata| metadata.uid());
    match (fs::symlink_metadata(folder), own) {
        (Ok(metadata), Ok(own)) => {
            metadata.is_dir() && metadata.uid() == own && metadata.mode() & 0o022 == 0
        }
        _ => false,
    }
}
