//! The peer of reads: PostGraphile.

use std::path::Path;

use crate::http::Target;
use crate::npm;
use crate::outcome::Outcome;

/// What is measured.
const POSTGRAPHILE: &str = "postgraphile@5.1.5";

const SCRIPT: &str = include_str!("../peers/postgraphile.mjs");

#[derive(Debug)]
pub(crate) struct Peer(npm::Peer);

impl Peer {
    pub(crate) fn install() -> Outcome<Self> {
        npm::Peer::install("postgraphile", POSTGRAPHILE, SCRIPT).map(Self)
    }

    /// Starts it with `workers` processes and returns when it answers.
    pub(crate) fn serve(
        &self,
        database_url: &str,
        workers: u32,
        logs: &Path,
    ) -> Outcome<npm::Running> {
        let name = format!("postgraphile-{workers}");
        self.0.serve(&name, database_url, &[("WORKERS", &workers.to_string())], logs)
    }

    pub(crate) fn version(&self) -> String {
        self.0.version()
    }
}

impl npm::Running {
    /// It is told which tenant to read, and asks for no key.
    pub(crate) fn target(&self) -> Target {
        Target { address: self.address(), key: None }
    }
}
