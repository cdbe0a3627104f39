//! A real identity provider: `oidc-provider` from npm, in a process of the test's own.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};

use serde_json::{Value as Json, json};

use super::visitor::OWN;

/// Where it is installed; `cargo xtask test` installs it and sets this.
const FOLDER_VARIABLE: &str = "PULSO_TEST_OIDC_PROVIDER";
const SCRIPT: &str = include_str!("provider.mjs");

pub const CLIENT_ID: &str = "pulso";
/// With what must be encoded on its way.
pub const CLIENT_SECRET: &str = "the client's secret: 100 % + 1/2";

pub struct Provider {
    pub issuer: String,
    process: Child,
    /// Open for as long as it may say something.
    _said: BufReader<ChildStdout>,
}

impl Provider {
    /// With what it says of some people, by the name under which they sign in; of the others, that
    /// the name is their verified address.
    pub fn start(people: &Json, claims_in_token: bool) -> Self {
        let callback = |path: &str| format!("{OWN}/auth/oidc/{path}/callback");
        let client = json!({
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
            "redirect_uris": [callback("alpha/work"), callback("beta/work"), callback("alpha/other")],
        });
        let settings =
            json!({ "clients": [client], "people": people, "claimsInToken": claims_in_token });
        let folder = folder();
        let own_node = folder.join("node");
        let node = if own_node.exists() { own_node } else { PathBuf::from("node") };
        let mut process = Command::new(node)
            .args(["--input-type=module", "--eval", SCRIPT])
            .current_dir(&folder)
            .env("PROVIDER", settings.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut issuer = String::new();
        let mut said = BufReader::new(process.stdout.take().unwrap());
        said.read_line(&mut issuer).unwrap();
        let issuer = issuer.trim().to_owned();
        assert!(issuer.starts_with("http://127.0.0.1:"), "the identity provider did not start");
        Self { issuer, process, _said: said }
    }

    /// Gives it other keys.
    pub async fn rotate_keys(&self) {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let answer = client.post(format!("{}/test/rotate", self.issuer)).send().await.unwrap();
        assert!(answer.status().is_success());
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

#[expect(clippy::disallowed_methods, reason = "tests are told by `cargo xtask test`")]
fn folder() -> PathBuf {
    std::env::var_os(FOLDER_VARIABLE).map(PathBuf::from).unwrap_or_else(|| {
        panic!(
            "sign-ins are tested against an identity provider: run `cargo xtask test`, which \
             installs one, or let {FOLDER_VARIABLE} name a folder in which `npm install \
             oidc-provider` was run"
        )
    })
}
