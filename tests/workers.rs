//! Folding and jobs apart from serving, in processes of their own; and what becomes of the work of one
//! that is killed.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};
use std::time::Duration;

use pulso::db::Value;
use serde_json::{Value as Json, json};
use tempfile::TempDir;

use crate::support::node::{Node, pulso};
use crate::support::waiting::until;
use crate::support::{TestApp, both_databases};

const WORKED_WITHIN: Duration = Duration::from_secs(30);

/// `pulso worker`, killed when it is dropped.
struct Worker {
    process: Child,
    _folder: TempDir,
}

impl Worker {
    fn start(url: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut process = pulso(url, folder.path())
            .arg("worker")
            .env("PULSO_DATABASE_CONNECTIONS_MAX", "3")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut words = BufReader::new(process.stdout.take().unwrap()).lines();
        assert_eq!(words.next().unwrap().unwrap(), "Pulso is working");
        Self { process, _folder: folder }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

async fn ingest(node: &Node, key: &str, range: std::ops::Range<i32>) {
    let now = pulso::clock::Clock::system().now();
    let events: Vec<Json> = range.map(|number| json!({ "id": number.to_string(), "module": "tickets",
        "eventType": "ticket.created", "occurredAt": now - chrono::TimeDelta::days(i64::from(number)) })).collect();
    let mutation =
        "mutation($events: [EventInput!]!) { eventsIngest(events: $events) { accepted } }";
    let count = events.len();
    let answer = node.data(key, mutation, json!({ "events": events })).await;
    assert_eq!(answer["eventsIngest"]["accepted"], count);
}

async fn statuses(node: &Node, key: &str) -> Vec<String> {
    let query = "{ analyticsEvents(first: 100) { nodes { status } } }";
    let found = node.data(key, query, json!({})).await;
    let nodes = found["analyticsEvents"]["nodes"].as_array().unwrap();
    let mut statuses: Vec<String> =
        nodes.iter().map(|node| node["status"].as_str().unwrap().to_owned()).collect();
    statuses.dedup();
    statuses
}

async fn state(node: &Node, key: &str, id: &Json) -> Json {
    node.data(key, &format!("{{ job(id: {id}) {{ state result }} }}"), json!({})).await["job"]
        .take()
}

both_databases! {
    async fn a_worker_does_what_servers_leave_to_it(app: TestApp) {
        let key = &app.alpha.admin.key;
        let node = Node::start(app.database.url(), &[("PULSO_WORKERS", "false")]);
        ingest(&node, key, 0..50).await;
        let asked = node.data(key, "mutation { id: snapshotVerify }", json!({})).await;
        // A server that folds looks for work five times a second.
        for _look in 0..40 {
            assert!(statuses(&node, key).await.contains(&"queued".to_owned()));
        }
        assert_eq!(state(&node, key, &asked["id"]).await["state"], "QUEUED");
        let _worker = Worker::start(app.database.url());
        until("folding", WORKED_WITHIN, || async { statuses(&node, key).await == ["processed"] }).await;
        until("the job", WORKED_WITHIN, || async { state(&node, key, &asked["id"]).await["state"] == "DONE" }).await;
        assert_eq!(state(&node, key, &asked["id"]).await["result"]["wrong"], 0);
    }

    async fn a_killed_worker_leaves_nothing_half_done(app: TestApp) {
        let key = &app.alpha.admin.key;
        let node = Node::start(app.database.url(), &[("PULSO_WORKERS", "false")]);
        for round in 0..3 {
            let worker = Worker::start(app.database.url());
            ingest(&node, key, round * 300..(round + 1) * 300).await;
            let asked = node.data(key, "mutation { id: snapshotRebuild }", json!({})).await;
            until("its beginning", WORKED_WITHIN, || async { state(&node, key, &asked["id"]).await["state"] != "QUEUED" }).await;
            drop(worker);
            // As a minute later, when the lease has ended.
            let sql = "UPDATE jobs SET lease_until = due_at WHERE tenant_id = ? AND state = 'running'";
            app.write_sql(sql, vec![Value::Id(app.alpha.id)]).await;
            let _other = Worker::start(app.database.url());
            until("the rest", WORKED_WITHIN, || async { state(&node, key, &asked["id"]).await["state"] == "DONE" }).await;
            until("folding", WORKED_WITHIN, || async { statuses(&node, key).await == ["processed"] }).await;
        }
        let _worker = Worker::start(app.database.url());
        let asked = node.data(key, "mutation { id: snapshotVerify }", json!({})).await;
        until("the proof", WORKED_WITHIN, || async { state(&node, key, &asked["id"]).await["state"] == "DONE" }).await;
        let report = state(&node, key, &asked["id"]).await["result"].take();
        assert_eq!((&report["wrong"], &report["events"]), (&json!(0), &json!(900)), "{report:#}");
    }
}
