//! Scripts for Node, with what npm has put beside them: the other side of a test as its own makers
//! have it. A script reads its settings as JSON from the variable SETTINGS, speaks JSON, a line each,
//! and ends with its input.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value as Json;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout};

/// Where the packages are; `cargo xtask test` installs them and sets this.
const FOLDER_VARIABLE: &str = "PULSO_TEST_NPM";
/// Starting Node, and whatever it then does, on a busy machine.
const ANSWERS_WITHIN: Duration = Duration::from_secs(60);

/// The process of a script, its input and output to be held by whoever starts it.
pub fn command(script: &str, settings: &Json) -> Command {
    let folder = folder();
    let own_node = folder.join("node");
    let node = if own_node.exists() { own_node } else { PathBuf::from("node") };
    let mut command = Command::new(node);
    command
        .args(["--input-type=module", "--eval", script])
        .current_dir(&folder)
        .env("SETTINGS", settings.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    command
}

/// A script that runs, and goes when it is dropped.
pub struct Script {
    said: Lines<BufReader<ChildStdout>>,
    input: ChildStdin,
    _process: Child,
}

impl Script {
    pub fn start(script: &str, settings: &Json) -> Self {
        let mut command = tokio::process::Command::from(command(script, settings));
        let mut process = command.kill_on_drop(true).spawn().unwrap();
        let said = BufReader::new(process.stdout.take().unwrap()).lines();
        let input = process.stdin.take().unwrap();
        Self { said, input, _process: process }
    }

    pub async fn tell(&mut self, what: &Json) {
        self.input.write_all(format!("{what}\n").as_bytes()).await.unwrap();
    }

    /// The next thing that it says.
    pub async fn hear(&mut self) -> Json {
        let line = tokio::time::timeout(ANSWERS_WITHIN, self.said.next_line()).await;
        let line = line.expect("the script says nothing").unwrap().expect("the script ended");
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"))
    }
}

#[expect(clippy::disallowed_methods, reason = "tests are told by `cargo xtask test`")]
fn folder() -> PathBuf {
    std::env::var_os(FOLDER_VARIABLE).map(PathBuf::from).unwrap_or_else(|| {
        panic!(
            "this is tested with packages from npm: run `cargo xtask test`, which installs them, or \
             let {FOLDER_VARIABLE} name a folder in which `npm ci` was run with what is in tests/npm"
        )
    })
}
