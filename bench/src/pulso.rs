//! The server under test: built, told to migrate, and started as its operator would.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::http::{Target, is_ready};
use crate::machine;
use crate::options::Options;
use crate::outcome::{During as _, Outcome};
use crate::programs::{Server, ending_with_us, output, run};

/// Signs access tokens.
const SECRET: &str = "a secret of the benchmarks, which guards nothing";

/// The program and the folder that it works in.
#[derive(Debug)]
pub(crate) struct Pulso {
    program: PathBuf,
    folder: PathBuf,
}

/// A server that runs.
#[derive(Debug)]
pub(crate) struct Running {
    server: Server,
    address: SocketAddr,
}

impl Pulso {
    /// Builds the program where that is asked for, and finds it.
    pub(crate) fn find(options: &Options, folder: &Path) -> Outcome<Self> {
        let program = match &options.server {
            Some(program) => program.clone(),
            None => {
                if options.build {
                    let mut cargo = Command::new("cargo");
                    cargo.args(["build", "--release", "-p", "pulso"]).current_dir(machine::root());
                    run(&mut cargo)?;
                }
                machine::target_folder()?.join("release/pulso")
            }
        };
        let program = program.canonicalize().during(program.display())?;
        Ok(Self { program, folder: folder.to_path_buf() })
    }

    fn configure(&self, command: &mut Command, database_url: &str) {
        command
            .current_dir(&self.folder)
            .env("DATABASE_URL", database_url)
            .env("PULSO_JWT_SECRET", SECRET)
            .env("PULSO_LOG_LEVEL", "warn")
            .env("PULSO_DEMO", "never");
    }

    /// Runs one command of the program's to its end and returns what it printed.
    pub(crate) fn command(&self, database_url: &str, arguments: &[&str]) -> Outcome<String> {
        let mut command = Command::new(&self.program);
        self.configure(&mut command, database_url);
        output(command.args(arguments))
    }

    /// Starts the server and returns when it is ready.
    pub(crate) fn serve(&self, name: &str, database_url: &str) -> Outcome<Running> {
        self.serve_with(name, database_url, &[])
    }

    /// As [`Pulso::serve`], with settings.
    pub(crate) fn serve_with(
        &self,
        name: &str,
        database_url: &str,
        settings: &[(&str, &str)],
    ) -> Outcome<Running> {
        let address = machine::free_address()?;
        let mut command = ending_with_us(&self.program, "TERM");
        self.configure(&mut command, database_url);
        command
            .arg("serve")
            .env("PULSO_HOST", address.ip().to_string())
            .env("PULSO_PORT", address.port().to_string())
            .env("PULSO_SHUTDOWN_GRACE_MS", "0")
            .envs(settings.iter().copied());
        let mut server = Server::start(name, &mut command, &self.folder, "TERM")?;
        server.wait_until(|| is_ready(address, "/readyz"))?;
        Ok(Running { server, address })
    }
}

impl Pulso {
    /// Starts a worker, which folds events and does jobs.
    pub(crate) fn work(&self, name: &str, database_url: &str) -> Outcome<Server> {
        let mut command = ending_with_us(&self.program, "TERM");
        self.configure(&mut command, database_url);
        Server::start(name, command.arg("worker"), &self.folder, "TERM")
    }
}

impl Running {
    pub(crate) fn process_id(&self) -> u32 {
        self.server.process_id()
    }

    /// Ends it as a loss of power would.
    pub(crate) fn kill(&mut self) -> Outcome {
        self.server.kill()
    }

    pub(crate) fn target(&self, key: &str) -> Target {
        Target { address: self.address, key: Some(key.to_owned()) }
    }
}
