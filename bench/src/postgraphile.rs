//! The peer: PostGraphile v5 with a Node of its own, installed from npm into the target folder.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::http::Target;
use crate::machine;
use crate::outcome::{During as _, Outcome};
use crate::programs::{Server, ending_with_us, output};

/// What is measured. Node comes as the package that holds nothing but its binary.
const POSTGRAPHILE: &str = "postgraphile@5.1.5";
const NODE_MAJOR: &str = "24";

const SCRIPT: &str = include_str!("../peers/postgraphile.mjs");

#[derive(Debug)]
pub(crate) struct Peer {
    folder: PathBuf,
    node: PathBuf,
}

#[derive(Debug)]
pub(crate) struct Running {
    server: Server,
    address: SocketAddr,
}

impl Peer {
    /// Installs the peer unless an earlier run has done so.
    pub(crate) fn install() -> Outcome<Self> {
        let architecture = match std::env::consts::ARCH {
            "x86_64" => "x64",
            "aarch64" => "arm64",
            other => return Err(format!("there is no Node for {other} here")),
        };
        let node_package = format!("node-linux-{architecture}");
        let wanted = format!("{POSTGRAPHILE} {node_package}@{NODE_MAJOR}");
        let folder = machine::target_folder()?.join("bench-peers/postgraphile");
        let node = folder.join(format!("node_modules/{node_package}/bin/node"));
        let note = folder.join("installed");
        if fs::read_to_string(&note).is_ok_and(|installed| installed == wanted) {
            return Ok(Self { folder, node });
        }
        println!("installing {wanted}");
        fs::create_dir_all(&folder).during(folder.display())?;
        fs::write(folder.join("package.json"), "{\"private\":true}").during(folder.display())?;
        let mut npm = Command::new("npm");
        npm.args(["install", "--no-save", "--no-package-lock", "--no-audit", "--no-fund"])
            .args(["--loglevel=error", "--ignore-scripts"])
            .args(wanted.split(' '))
            .current_dir(&folder);
        output(&mut npm).during("npm, which installs the peer (see --without-peer)")?;
        fs::write(&note, wanted).during(note.display())?;
        Ok(Self { folder, node })
    }

    /// Starts it with `workers` processes and returns when it answers.
    pub(crate) fn serve(&self, database_url: &str, workers: u32, logs: &Path) -> Outcome<Running> {
        let script = self.folder.join("server.mjs");
        fs::write(&script, SCRIPT).during(script.display())?;
        let address = machine::free_address()?;
        let mut command = ending_with_us(&self.node, "TERM");
        command
            .arg(&script)
            .current_dir(&self.folder)
            .env("DATABASE_URL", database_url)
            .env("PORT", address.port().to_string())
            .env("WORKERS", workers.to_string())
            .env("NODE_ENV", "production")
            .env("GRAPHILE_ENV", "production");
        let name = format!("postgraphile-{workers}");
        let mut server = Server::start(&name, &mut command, logs, "TERM")?;
        server.wait_until(|| std::net::TcpStream::connect(address).is_ok())?;
        Ok(Running { server, address })
    }

    pub(crate) fn version(&self) -> String {
        let node = output(Command::new(&self.node).arg("--version")).unwrap_or_default();
        format!("{POSTGRAPHILE} on Node {}", node.trim())
    }
}

impl Running {
    pub(crate) fn process_id(&self) -> u32 {
        self.server.process_id()
    }

    pub(crate) fn target(&self) -> Target {
        Target { address: self.address, key: None }
    }
}
