//! Peers that run on Node: installed from npm into the target folder, with a Node of their own.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::machine;
use crate::outcome::{During as _, Outcome};
use crate::programs::{Server, ending_with_us, output};

/// Node comes as the package that holds nothing but its binary.
const NODE_MAJOR: &str = "24";

#[derive(Debug)]
pub(crate) struct Peer {
    packages: &'static str,
    script: &'static str,
    folder: PathBuf,
    node: PathBuf,
}

#[derive(Debug)]
pub(crate) struct Running {
    server: Server,
    address: SocketAddr,
}

impl Peer {
    /// Installs `packages` unless an earlier run has done so; `script` is what is run.
    pub(crate) fn install(
        name: &str,
        packages: &'static str,
        script: &'static str,
    ) -> Outcome<Self> {
        let architecture = match std::env::consts::ARCH {
            "x86_64" => "x64",
            "aarch64" => "arm64",
            other => return Err(format!("there is no Node for {other} here")),
        };
        let node_package = format!("node-linux-{architecture}");
        let wanted = format!("{packages} {node_package}@{NODE_MAJOR}");
        let folder = machine::target_folder()?.join("bench-peers").join(name);
        let node = folder.join(format!("node_modules/{node_package}/bin/node"));
        let note = folder.join("installed");
        let peer = Self { packages, script, folder, node };
        if fs::read_to_string(&note).is_ok_and(|installed| installed == wanted) {
            return Ok(peer);
        }
        println!("installing {wanted}");
        let folder = &peer.folder;
        fs::create_dir_all(folder).during(folder.display())?;
        fs::write(folder.join("package.json"), "{\"private\":true}").during(folder.display())?;
        let mut npm = Command::new("npm");
        npm.args(["install", "--no-save", "--no-package-lock", "--no-audit", "--no-fund"])
            .args(["--loglevel=error", "--ignore-scripts"])
            .args(wanted.split(' '))
            .current_dir(folder);
        output(&mut npm).during("npm, which installs the peer (see --without-peer)")?;
        fs::write(&note, wanted).during(note.display())?;
        Ok(peer)
    }

    /// Starts it, told `settings` by its environment, and returns when it answers.
    pub(crate) fn serve(
        &self,
        name: &str,
        database_url: &str,
        settings: &[(&str, &str)],
        logs: &Path,
    ) -> Outcome<Running> {
        let script = self.folder.join("server.mjs");
        fs::write(&script, self.script).during(script.display())?;
        let address = machine::free_address()?;
        let mut command = ending_with_us(&self.node, "TERM");
        command
            .arg(&script)
            .current_dir(&self.folder)
            .env("DATABASE_URL", database_url)
            .env("PORT", address.port().to_string())
            .env("NODE_ENV", "production")
            .env("GRAPHILE_ENV", "production")
            .envs(settings.iter().copied());
        let mut server = Server::start(name, &mut command, logs, "TERM")?;
        server.wait_until(|| std::net::TcpStream::connect(address).is_ok())?;
        Ok(Running { server, address })
    }

    pub(crate) fn version(&self) -> String {
        let node = output(Command::new(&self.node).arg("--version")).unwrap_or_default();
        format!("{} on Node {}", self.packages.replace(' ', ", "), node.trim())
    }
}

impl Running {
    pub(crate) fn process_id(&self) -> u32 {
        self.server.process_id()
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}
