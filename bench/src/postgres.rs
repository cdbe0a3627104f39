//! A throw-away PostgreSQL with durability on, as it is run in earnest: found on this machine,
//! started on a free port, gone at the end.

use std::fs;
use std::io::Write as _;
use std::net::SocketAddr;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::machine;
use crate::outcome::{During as _, Outcome};
use crate::programs::{Server, ending_with_us, output};

/// What is set; everything else is PostgreSQL's default, `fsync` and `synchronous_commit` included.
const SETTINGS: &str = "\
listen_addresses = '127.0.0.1'
shared_buffers = 512MB
max_wal_size = 8GB
max_connections = 120
timezone = 'UTC'
# Tables are vacuumed and analysed by hand after loading: nothing else runs beside a measurement.
autovacuum = off
";

/// The database that everything is in.
pub(crate) const DATABASE: &str = "pulso";

#[derive(Debug)]
pub(crate) struct Postgres {
    server: Server,
    programs: PathBuf,
    address: SocketAddr,
}

/// The account that the server runs as when we are root, which PostgreSQL refuses to be.
#[derive(Debug, Clone, Copy)]
struct Account {
    user: u32,
    group: u32,
}

impl Postgres {
    /// Starts a server with all its files below `folder`.
    pub(crate) fn start(folder: &Path) -> Outcome<Self> {
        let programs = find_programs()?;
        let account = unprivileged_account()?;
        let address = machine::free_address()?;
        let home = folder.join("postgres");
        fs::create_dir(&home).during(home.display())?;
        fs::set_permissions(&home, fs::Permissions::from_mode(0o700)).during(home.display())?;
        if let Some(account) = account {
            chown(&home, Some(account.user), Some(account.group)).during(home.display())?;
        }
        let data = home.join("data");
        let mut initialise = Command::new(programs.join("initdb"));
        initialise.arg("-D").arg(&data).args(["-U", "postgres", "-A", "trust", "--no-sync"]);
        output(as_account(initialise.args(["-E", "UTF8", "--locale=C.UTF-8"]), account, &home))?;
        write_settings(&data, address, &home)?;

        let mut start = ending_with_us(&programs.join("postgres"), "QUIT");
        as_account(start.arg("-D").arg(&data), account, &home);
        // SIGINT is PostgreSQL's fast shutdown.
        let mut server = Server::start("postgres", &mut start, folder, "INT")?;
        let ready = programs.join("pg_isready");
        let (host, port) = (address.ip().to_string(), address.port().to_string());
        server.wait_until(|| {
            output(Command::new(&ready).args(["-q", "-h", &host, "-p", &port])).is_ok()
        })?;
        let postgres = Self { server, programs, address };
        postgres.psql("postgres", &["-c", &format!("create database {DATABASE}")])?;
        Ok(postgres)
    }

    pub(crate) fn process_id(&self) -> u32 {
        self.server.process_id()
    }

    pub(crate) fn url(&self) -> String {
        format!("postgres://postgres@{}/{DATABASE}", self.address)
    }

    /// The values that a statement gives, columns separated by `|`, one row a line.
    pub(crate) fn query(&self, statement: &str) -> Outcome<String> {
        Ok(self.psql(DATABASE, &["-At", "-c", statement])?.trim_end().to_owned())
    }

    pub(crate) fn psql(&self, database: &str, arguments: &[&str]) -> Outcome<String> {
        output(
            self.client("psql", database)
                .args(["-X", "-q", "-v", "ON_ERROR_STOP=1"])
                .args(arguments),
        )
    }

    /// One of PostgreSQL's client programs, told where the server is.
    pub(crate) fn client(&self, program: &str, database: &str) -> Command {
        let mut command = Command::new(self.programs.join(program));
        command
            .env("PGHOST", self.address.ip().to_string())
            .env("PGPORT", self.address.port().to_string())
            .env("PGUSER", "postgres")
            .env("PGDATABASE", database)
            .env("PGOPTIONS", "-c client_min_messages=warning");
        command
    }

    pub(crate) fn version(&self) -> String {
        self.query("show server_version").unwrap_or_default()
    }
}

fn write_settings(data: &Path, address: SocketAddr, sockets: &Path) -> Outcome {
    let path = data.join("postgresql.conf");
    let mut file = fs::OpenOptions::new().append(true).open(&path).during(path.display())?;
    let (port, sockets) = (address.port(), sockets.display());
    write!(file, "{SETTINGS}port = {port}\nunix_socket_directories = '{sockets}'\n")
        .during(path.display())
}

/// Makes a command run as the account that owns the cluster, in an environment that says little.
fn as_account<'a>(
    command: &'a mut Command,
    account: Option<Account>,
    home: &Path,
) -> &'a mut Command {
    command
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .env("LC_ALL", "C.UTF-8")
        .env("HOME", home)
        .current_dir(home);
    if let Some(account) = account {
        command.uid(account.user).gid(account.group);
    }
    command
}

/// The newest PostgreSQL that Debian's layout shows, or the one whose `pg_config` is in the path.
fn find_programs() -> Outcome<PathBuf> {
    let installed = fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let newest = installed
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|version: &u32| programs_of(*version).join("initdb").exists())
        .max();
    let programs = match newest {
        Some(version) => programs_of(version),
        None => output(Command::new("pg_config").arg("--bindir"))
            .map(|text| PathBuf::from(text.trim()))
            .map_err(|error| format!("{NO_POSTGRES}; {error}"))?,
    };
    if programs.join("initdb").exists() && programs.join("pgbench").exists() {
        Ok(programs)
    } else {
        Err(NO_POSTGRES.to_owned())
    }
}

const NO_POSTGRES: &str = "PostgreSQL 15 or newer with pgbench and contrib is needed \
     (Debian: apt-get install postgresql postgresql-contrib)";

fn programs_of(version: u32) -> PathBuf {
    PathBuf::from(format!("/usr/lib/postgresql/{version}/bin"))
}

/// `None` when we are an ordinary user; otherwise `postgres` or, without one, `nobody`.
fn unprivileged_account() -> Outcome<Option<Account>> {
    if output(Command::new("id").arg("-u"))?.trim() != "0" {
        return Ok(None);
    }
    let accounts = fs::read_to_string("/etc/passwd").during("/etc/passwd")?;
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
    let user = fields.nth(1)?.parse().ok()?;
    let group = fields.next()?.parse().ok()?;
    Some(Account { user, group })
}
