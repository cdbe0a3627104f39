//! A real identity provider: `oidc-provider` from npm, in a process of the test's own.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, ChildStdout, Stdio};

use serde_json::{Value as Json, json};

use super::script;
use super::visitor::OWN;

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
            "post_logout_redirect_uris": [format!("{OWN}/"), format!("{OWN}/signed-out")],
        });
        let settings =
            json!({ "clients": [client], "people": people, "claimsInToken": claims_in_token });
        let mut process = script::command(SCRIPT, &settings).stderr(Stdio::null()).spawn().unwrap();
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
