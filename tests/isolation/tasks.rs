//! Work that nobody asks for: every task that the sources start, what it touches, and that a round of
//! each for one tenant leaves another's rows alone.

use pulso::analytics::rollup::auditor::audit_some;
use pulso::analytics::rollup::folder::fold_all;
use pulso::audit::reads::write_waiting;
use pulso::audit::sealer::seal_all;
use pulso::identity::account;
use pulso::jobs::worker::run_due;
use pulso::mail;
use pulso::record::change::idempotency;
use serde_json::json;

use super::one_of_each;
use crate::support::sources::sources;
use crate::support::{TestApp, both_databases};

/// Where a task is started, what runs, and whose rows it touches.
const TASKS: &[(&str, &str, &str)] = &[
    ("api/src/app.rs", "keep_metrics", "no rows"),
    ("api/src/app.rs", "keep_partitions", "makes empty tables, reads no rows"),
    ("api/src/app.rs", "audit::sealer::keep_sealing", "each tenant's trail by itself"),
    ("api/src/app.rs", "audit::reads::keep_writing", "each read into its own tenant's log"),
    ("api/src/app.rs", "mail::deliver", "each mail to a person of its own tenant"),
    (
        "api/src/app.rs",
        "api_key::expiry::keep_telling",
        "people of each key's own tenant; tests/key_expiry.rs has its round",
    ),
    ("api/src/app.rs", "account::upkeep::keep", "removes what has ended, by its age alone"),
    (
        "api/src/app.rs",
        "tenant::purge::service::keep",
        "the rows of tenants that are to be removed; tests/tenant_purge.rs has its round",
    ),
    ("api/src/app.rs", "keep_swept", "removes what has expired, by its age alone"),
    (
        "api/src/app.rs",
        "feed::keep_watching",
        "numbers and standing of subscribers, each their own",
    ),
    (
        "api/src/app.rs",
        "rollup::folder::keep_folding",
        "each tenant's events into its own snapshots",
    ),
    ("api/src/app.rs", "jobs::worker::keep_running", "each job's own tenant"),
    ("api/src/app.rs", "rollup::auditor::keep_auditing", "reads, one tenant at a time"),
    ("api/src/app.rs", "async", "App::spawn itself"),
    ("api/src/app.rs", "work", "App::see_through itself: events that a caller may write"),
    ("api/src/db/lease.rs", "clean", "a connection, no rows"),
    ("api/src/db/pipeline.rs", "connection.map", "a connection, no rows"),
    ("api/src/db/pipeline.rs", "give_up", "a connection, no rows"),
    ("api/src/http/server.rs", "door.converse", "one client's connection"),
    (
        "api/src/identity/account/guard/service.rs",
        "note_guessing",
        "the account that was guessed at",
    ),
    ("api/src/identity/actor/service.rs", "api_key::service::record_use", "the key that was used"),
    ("api/src/identity/session/password.rs", "move", "one password, hashed; no rows"),
];

/// Every `spawn(…)` of the sources: where, and what.
fn started() -> Vec<(String, String)> {
    let mut started = Vec::new();
    for source in sources("api/src") {
        for call in [".spawn(", "::spawn(", "spawn_blocking("] {
            for (at, _) in source.bare.match_indices(call) {
                let rest = source.bare[at + call.len()..].trim_start();
                let is_name = |c: char| c.is_alphanumeric() || "_:.".contains(c);
                let end = rest.find(|c| !is_name(c)).unwrap_or(rest.len());
                started.push((source.path.clone(), rest[..end].to_owned()));
            }
        }
    }
    started.sort();
    started
}

#[test]
fn every_task_has_a_case() {
    let started = started();
    for (path, what) in &started {
        assert!(
            TASKS.iter().any(|(file, known, _)| file == path && known == what),
            "{path} starts {what}: say in TASKS of tests/isolation/tasks.rs whose rows it touches, and \
             give it a round below if it touches any"
        );
    }
    for (path, what, _) in TASKS {
        let known = ((*path).to_owned(), (*what).to_owned());
        assert!(started.contains(&known), "{path} starts {what} no more");
    }
}

async fn round(app: &TestApp) {
    Box::pin(mail::deliver_due(&app.app, account::letter::write)).await.unwrap();
    write_waiting(&app.app).await;
    account::upkeep::forget(&app.app).await.unwrap();
    idempotency::sweep(&app.app.db, &app.app.clock).await.unwrap();
    seal_all(&app.app).await.unwrap();
    fold_all(&app.app).await.unwrap();
    audit_some(&app.app).await.unwrap();
    run_due(&app.app).await.unwrap();
}

both_databases! {
    async fn a_round_of_every_task_stays_in_its_tenant(app: TestApp) {
        // What the seed left is done with first.
        for tenant in [&app.alpha, &app.beta] {
            one_of_each(&app, tenant, &tenant.comercial).await;
        }
        round(&app).await;
        let before = app.whole(&app.beta).await;
        let rows = app.whole(&app.alpha).await.rows();
        let admin = &app.alpha.admin.key;
        one_of_each(&app, &app.alpha, &app.alpha.comercial).await;
        app.data(admin, "{ contacts { nodes { email } } leadAggregate { count } }", json!({})).await;
        let invite = "mutation { userInvite(input: { email: \"n@b.example\", name: \"N\", roles: [] }) \
                      { id } }";
        app.data(admin, invite, json!({})).await;
        let lead = ("leadCreate", json!({ "input": { "source": "s" } }), "{ id }");
        app.mutate_once(admin, "once", lead).await;
        round(&app).await;
        assert_eq!(app.whole(&app.beta).await.changed_since(&before), Vec::<String>::new());
        // There was something to do.
        assert!(app.whole(&app.alpha).await.rows() > rows + 20);
        assert!(app.count(&app.alpha, "read_logs").await > app.count(&app.beta, "read_logs").await);
    }
}
