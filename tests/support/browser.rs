//! A real browser without a window, driven over its DevTools protocol: what a page may do, what it
//! keeps, and what it complains about. It reaches this machine and nothing else.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use futures::{SinkExt as _, StreamExt as _};
use serde_json::{Value as Json, json};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use super::waiting;

/// Where tests find a Chromium; `cargo xtask test` sets it.
const VARIABLE: &str = "PULSO_TEST_BROWSER";
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

const SWITCHES: [&str; 12] = [
    "--headless=new",
    // Its own fence needs rights that a build machine may not give.
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1 , EXCLUDE localhost",
    "--remote-debugging-port=0",
];

/// A running browser with a profile of its own; killed when it is dropped.
pub struct Browser {
    process: Child,
    wire: Arc<Mutex<Wire>>,
    _profile: TempDir,
}

/// A tab.
pub struct Page {
    wire: Arc<Mutex<Wire>>,
    session: String,
}

struct Wire {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    last_id: u64,
    /// What was told meanwhile.
    events: Vec<Json>,
}

impl Browser {
    #[expect(
        clippy::disallowed_methods,
        reason = "tests are told where the browser is by the environment"
    )]
    pub async fn start() -> Self {
        let program = std::env::var(VARIABLE).unwrap_or_default();
        assert!(
            !program.is_empty(),
            "this test needs Chromium: run it with `cargo xtask test`, which finds or installs one, \
             or set {VARIABLE}"
        );
        let profile = tempfile::tempdir().unwrap();
        let mut process = Command::new(&program)
            .args(SWITCHES)
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .env("HOME", profile.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{program}: {error}"));
        let mut words = BufReader::new(process.stderr.take().unwrap()).lines();
        let listens = words
            .by_ref()
            .map_while(Result::ok)
            .find_map(|line| Some(line.strip_prefix("DevTools listening on ")?.to_owned()));
        let address = listens.unwrap_or_else(|| panic!("{program} did not start"));
        // Whoever does not listen to its complaints stops it.
        std::thread::spawn(move || words.map_while(Result::ok).for_each(drop));
        let (socket, _) = connect_async(address).await.unwrap();
        let wire = Arc::new(Mutex::new(Wire { socket, last_id: 0, events: Vec::new() }));
        Self { process, wire, _profile: profile }
    }

    /// Opens an address in a tab of its own and waits until it is loaded.
    pub async fn open(&self, url: &str) -> Page {
        let mut wire = self.wire.lock().await;
        let made = wire.ask(None, "Target.createTarget", json!({ "url": "about:blank" })).await;
        let attach = json!({ "targetId": made["targetId"], "flatten": true });
        let attached = wire.ask(None, "Target.attachToTarget", attach).await;
        let session = attached["sessionId"].as_str().unwrap().to_owned();
        for domain in ["Page", "Runtime", "Log", "Network"] {
            wire.ask(Some(&session), &format!("{domain}.enable"), json!({})).await;
        }
        drop(wire);
        let page = Page { wire: Arc::clone(&self.wire), session };
        page.go(url).await;
        page
    }
}

impl Page {
    /// Leads the tab to an address and waits until it is loaded.
    pub async fn go(&self, url: &str) {
        let mut wire = self.wire.lock().await;
        let went = wire.ask(Some(&self.session), "Page.navigate", json!({ "url": url })).await;
        assert!(went.get("errorText").is_none(), "{url}: {went}");
        wire.hear(&self.session, "Page.loadEventFired").await;
    }

    /// What an expression comes to, promises awaited; it must not throw.
    #[track_caller]
    pub fn evaluate(&self, expression: &str) -> impl Future<Output = Json> {
        let caller = std::panic::Location::caller();
        async move {
            let asked = json!({
                "expression": expression,
                "awaitPromise": true,
                "returnByValue": true,
                "userGesture": true,
            });
            let mut wire = self.wire.lock().await;
            let mut answer = wire.ask(Some(&self.session), "Runtime.evaluate", asked).await;
            let thrown = answer.get("exceptionDetails");
            assert!(thrown.is_none(), "{caller}: {expression}\n{thrown:#?}");
            answer["result"]["value"].take()
        }
    }

    /// Waits until an expression is true.
    #[track_caller]
    pub fn until(&self, expression: &str) -> impl Future<Output = ()> {
        let is_true = || async { self.evaluate(expression).await == json!(true) };
        waiting::until(expression, ANSWER_WITHIN, is_true)
    }

    /// A GraphQL operation, sent by the page itself to its own server with its session's cookies.
    pub async fn graphql(&self, query: &str) -> Json {
        let body = json!({ "query": query }).to_string();
        self.evaluate(&format!(
            "fetch('/graphql', {{ method: 'POST', body: {}, headers: {{ \
             'content-type': 'application/json', accept: 'application/json', \
             'x-session-mode': 'cookie' }} }}).then(answer => answer.json())",
            json!(body)
        ))
        .await
    }

    /// The cookies that the tab would send to an address, with what scripts cannot see of them.
    pub async fn cookies(&self, url: &str) -> Vec<Json> {
        let mut answer = self.ask("Network.getCookies", json!({ "urls": [url] })).await;
        serde_json::from_value(answer["cookies"].take()).unwrap()
    }

    /// One command of the protocol, for this tab.
    pub async fn ask(&self, method: &str, given: Json) -> Json {
        self.wire.lock().await.ask(Some(&self.session), method, given).await
    }

    /// Errors that the tab has told of so far: uncaught ones, those written to its console, resources
    /// that could not be loaded, and what its policy forbade.
    pub async fn complaints(&self) -> Vec<String> {
        // Whatever was on its way is heard by the time of this answer.
        self.evaluate("null").await;
        let wire = self.wire.lock().await;
        let own = wire.events.iter().filter(|event| event["sessionId"] == self.session.as_str());
        own.filter_map(|event| {
            let told = &event["params"];
            match event["method"].as_str()? {
                "Runtime.exceptionThrown" => Some(told["exceptionDetails"].to_string()),
                "Runtime.consoleAPICalled" if told["type"] == "error" => {
                    Some(told["args"].to_string())
                }
                "Log.entryAdded" if told["entry"]["level"] == "error" => {
                    Some(told["entry"].to_string())
                }
                _ => None,
            }
        })
        .collect()
    }
}

impl Wire {
    async fn ask(&mut self, session: Option<&str>, method: &str, given: Json) -> Json {
        self.last_id += 1;
        let id = self.last_id;
        let mut command = json!({ "id": id, "method": method, "params": given });
        if let Some(session) = session {
            command["sessionId"] = json!(session);
        }
        self.socket.send(Message::text(command.to_string())).await.unwrap();
        loop {
            let mut told = self.next().await;
            if told["id"] == id {
                assert!(told.get("error").is_none(), "{method}: {told}");
                return told["result"].take();
            }
            self.events.push(told);
        }
    }

    /// Waits for an event of a tab that has not been heard yet.
    async fn hear(&mut self, session: &str, method: &str) {
        let is_it = |told: &Json| told["method"] == method && told["sessionId"] == session;
        loop {
            if let Some(place) = self.events.iter().position(is_it) {
                self.events.remove(place);
                return;
            }
            let told = self.next().await;
            self.events.push(told);
        }
    }

    async fn next(&mut self) -> Json {
        let told = tokio::time::timeout(ANSWER_WITHIN, self.socket.next()).await;
        let told = told.expect("the browser does not answer").expect("the browser left").unwrap();
        serde_json::from_str(told.to_text().unwrap()).unwrap()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}
