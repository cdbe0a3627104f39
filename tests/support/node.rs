//! The built binary: as an operator's command, and as a server of its own process beside others on one
//! database.

use std::future::Future;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value as Json, json};
use tempfile::TempDir;

use super::waiting::until;

/// The secret that tests sign with.
pub const SECRET: &str = "only for tests: 32 bytes at the very least";
/// How long another node may take to feel what one did: a second, and some for a busy machine.
const FELT_WITHIN: Duration = Duration::from_secs(4);

/// The binary with a test's database and nothing else of this machine's environment.
pub fn pulso(url: &str, folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pulso"));
    command
        .current_dir(folder)
        .env_clear()
        .env("DATABASE_URL", url)
        .env("PULSO_JWT_SECRET", SECRET)
        .env("PULSO_LOG_LEVEL", "warn");
    command
}

/// A server of its own process, killed when it is dropped.
pub struct Node {
    process: Child,
    /// `http://127.0.0.1:12345`
    pub url: String,
    client: reqwest::Client,
    _folder: TempDir,
}

impl Node {
    /// Starts a server and waits until it says where it listens.
    pub fn start(database_url: &str, settings: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut process = pulso(database_url, folder.path())
            .env("PULSO_PORT", "0")
            .env("PULSO_DATABASE_CONNECTIONS_MAX", "3")
            // The months of today: a test's own clock stands elsewhere.
            .env("PULSO_MIGRATE", "true")
            .env("PULSO_SHUTDOWN_GRACE_MS", "0")
            .envs(settings.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let words = BufReader::new(process.stdout.take().unwrap());
        let url = words.lines().map_while(Result::ok).find_map(|line| {
            let url = line.trim().strip_prefix("GraphQL")?.trim().strip_suffix("/graphql")?;
            Some(url.to_owned())
        });
        let url = url.unwrap_or_else(|| panic!("it did not start: {:?}", process.wait()));
        Self { process, url, client: reqwest::Client::new(), _folder: folder }
    }

    /// One operation; the whole answer. `None` where nobody answers.
    pub async fn try_graphql(
        &self,
        credential: &str,
        query: &str,
        variables: Json,
    ) -> Option<Json> {
        let mut request = self
            .client
            .post(format!("{}/graphql", self.url))
            .json(&json!({ "query": query, "variables": variables }));
        if !credential.is_empty() {
            request = request.bearer_auth(credential);
        }
        request.send().await.ok()?.json().await.ok()
    }

    pub async fn graphql(&self, credential: &str, query: &str, variables: Json) -> Json {
        let answer = self.try_graphql(credential, query, variables).await;
        answer.unwrap_or_else(|| panic!("{} does not answer", self.url))
    }

    /// As [`Node::graphql`], for an operation that must succeed: its `data`.
    pub async fn data(&self, credential: &str, query: &str, variables: Json) -> Json {
        let mut answer = self.graphql(credential, query, variables).await;
        assert!(answer.get("errors").is_none(), "{query}\n{answer:#}");
        answer["data"].take()
    }

    /// The code of the first error; empty where there is none.
    pub async fn code(&self, credential: &str, query: &str) -> String {
        let answer = self.graphql(credential, query, json!({})).await;
        answer["errors"][0]["extensions"]["code"].as_str().unwrap_or_default().to_owned()
    }

    /// An access token, by signing in here.
    pub async fn sign_in(&self, tenant: &str, email: &str, password: &str) -> String {
        let query = "mutation($tenant: String!, $email: String!, $password: String!) { \
                     login(tenant: $tenant, email: $email, password: $password) { accessToken } }";
        let given = json!({ "tenant": tenant, "email": email, "password": password });
        let data = self.data("", query, given).await;
        data["login"]["accessToken"].as_str().unwrap().to_owned()
    }

    /// SIGKILL: it has no chance to say goodbye.
    pub fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if matches!(self.process.try_wait(), Ok(None)) {
            self.kill();
        }
    }
}

/// Asks again until it is so, as long as other nodes may take to feel a change.
#[track_caller]
pub fn soon<Asked: Future<Output = bool>>(
    what: &str,
    is_so: impl Fn() -> Asked,
) -> impl Future<Output = ()> {
    until(what, FELT_WITHIN, is_so)
}
