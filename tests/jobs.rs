//! Work that is done later: done once, by one at a time, whoever dies; seen, stopped, and put off to
//! the night.

use chrono::TimeDelta;
use pulso::db::Value;
use pulso::jobs::worker::{self, Left};
use serde_json::{Value as Json, json};
use uuid::Uuid;

use crate::support::ingesting::event;
use crate::support::{TestApp, both_databases};

const JOB: &str = "{ state kind done total result error attempts offHours arguments requestedBy \
                   startedAt finishedAt dueAt }";

/// Asks for a job as the admin: its id.
#[track_caller]
fn ask<'a>(app: &'a TestApp, mutation: &'a str) -> impl Future<Output = Uuid> + use<'a> {
    let caller = std::panic::Location::caller();
    async move {
        let answer = app
            .graphql(&app.alpha.admin.key, &format!("mutation {{ id: {mutation} }}"), json!({}))
            .await;
        let id = answer["data"]["id"].as_str();
        id.unwrap_or_else(|| panic!("{caller}: {mutation}: {answer:#}")).parse().unwrap()
    }
}

async fn seen(app: &TestApp, id: Uuid) -> Json {
    let query = format!("{{ job(id: \"{id}\") {JOB} }}");
    app.data(&app.alpha.admin.key, &query, json!({})).await["job"].take()
}

/// A job of a kind that there is not.
async fn insert(app: &TestApp) -> Uuid {
    let (id, now) = (app.app.clock.new_id(), Value::Instant(app.app.clock.now()));
    let sql = "INSERT INTO jobs (tenant_id, id, kind, state, arguments, attempts_max, due_at, \
        created_at, updated_at) VALUES (?, ?, 'nobody_knows', 'queued', ?, 3, ?, ?, ?)";
    let (tenant, none) = (Value::Id(app.alpha.id), Value::Json(json!({})));
    app.write_sql(sql, vec![tenant, Value::Id(id), none, now.clone(), now.clone(), now]).await;
    id
}

async fn run_due(app: &TestApp) -> usize {
    worker::run_due(&app.app).await.unwrap()
}

/// Events on the first day of many months, folded.
async fn years_of_events(app: &TestApp) -> usize {
    let months = (2020..2026).flat_map(|year| (1..=12).map(move |month| (year, month)));
    let events: Vec<Json> = months
        .map(|(year, month)| {
            event(
                &format!("{year}-{month}"),
                "ticket.created",
                &format!("{year}-{month:02}-01T12:00:00Z"),
                json!({}),
            )
        })
        .collect();
    app.ingest(&app.alpha.admin.key, &json!(events)).await;
    app.fold().await;
    events.len()
}

both_databases! {
    async fn a_job_is_seen_from_its_beginning_to_its_end(app: TestApp) {
        let all = years_of_events(&app).await;
        let id = ask(&app, "snapshotVerify").await;
        let waits = seen(&app, id).await;
        assert_eq!((&waits["state"], &waits["kind"], &waits["attempts"]), (&json!("QUEUED"), &json!("snapshot_verify"), &json!(0)));
        assert_eq!((&waits["requestedBy"], &waits["startedAt"]), (&json!(app.alpha.admin.id), &Json::Null));
        let mut job = worker::take(&app.app, Uuid::from_u128(1)).await.unwrap().unwrap();
        assert!(worker::advance(&app.app, &mut job).await.unwrap().is_none());
        let runs = seen(&app, id).await;
        assert_eq!(runs["state"], "RUNNING");
        let (done, total) = (runs["done"].as_i64().unwrap(), runs["total"].as_i64().unwrap());
        assert!(done > 0 && done < total && total > 2_000, "{runs:#}");
        assert_eq!(worker::run(&app.app, job).await.unwrap(), Left::Done);
        let over = seen(&app, id).await;
        assert_eq!((&over["state"], &over["done"], &over["error"]), (&json!("DONE"), &json!(total), &Json::Null));
        assert_eq!((&over["result"]["events"], &over["result"]["wrong"]), (&json!(all), &json!(0)), "{over:#}");
        assert!(app.get("/metrics").await.text().contains("pulso_jobs_total{kind=\"snapshot_verify\",outcome=\"done\"} 1"));
    }

    async fn one_of_two_nodes_takes_a_job(app: TestApp) {
        let id = ask(&app, "snapshotRebuild").await;
        let other = crate::support::app::build(&app.database.db, app.database.url(), app.app.clock.clone());
        let (one, two) = futures::join!(
            worker::take(&app.app, Uuid::from_u128(1)), worker::take(&other, Uuid::from_u128(2)));
        let taken: Vec<_> = [one.unwrap(), two.unwrap()].into_iter().flatten().collect();
        assert_eq!(taken.len(), 1);
        assert_eq!(taken[0].id, id);
        // Another of the same tenant waits until it is over; another tenant's does not.
        ask(&app, "snapshotRebuild").await;
        assert!(worker::take(&other, Uuid::from_u128(3)).await.unwrap().is_none());
        let theirs = app.graphql(&app.beta.admin.key, "mutation { snapshotRebuild }", json!({})).await;
        let theirs = theirs["data"]["snapshotRebuild"].as_str().unwrap().to_owned();
        assert_eq!(worker::take(&other, Uuid::from_u128(3)).await.unwrap().unwrap().id.to_string(), theirs);
    }

    async fn a_job_of_a_runner_that_fell_silent_goes_on_where_it_was(app: TestApp) {
        let all = years_of_events(&app).await;
        let id = ask(&app, "snapshotRebuild").await;
        let mut first = worker::take(&app.app, Uuid::from_u128(1)).await.unwrap().unwrap();
        for _step in 0..3 {
            assert!(worker::advance(&app.app, &mut first).await.unwrap().is_none());
        }
        let far = seen(&app, id).await["done"].as_i64().unwrap();
        app.app.clock.advance(TimeDelta::seconds(59));
        assert!(worker::take(&app.app, Uuid::from_u128(2)).await.unwrap().is_none());
        app.app.clock.advance(TimeDelta::seconds(2));
        let mut second = worker::take(&app.app, Uuid::from_u128(2)).await.unwrap().unwrap();
        assert_eq!((second.id, second.done, second.attempts), (id, far, 2));
        assert!(worker::advance(&app.app, &mut second).await.unwrap().is_none());
        assert!(second.done > far);
        // The first was only slow: what it does now comes to nothing.
        assert_eq!(worker::advance(&app.app, &mut first).await.unwrap(), Some(Left::Lost));
        assert_eq!(seen(&app, id).await["done"], second.done);
        assert_eq!(worker::run(&app.app, second).await.unwrap(), Left::Done);
        // No step counts twice.
        let result = seen(&app, id).await["result"].take();
        assert_eq!(result, json!({ "events": all, "rowsChanged": 0 }));
    }

    async fn a_running_job_is_cancelled_between_two_steps(app: TestApp) {
        years_of_events(&app).await;
        let id = ask(&app, "snapshotRebuild").await;
        let mut job = worker::take(&app.app, Uuid::from_u128(1)).await.unwrap().unwrap();
        assert!(worker::advance(&app.app, &mut job).await.unwrap().is_none());
        let cancel = format!("jobCancel(id: \"{id}\")");
        assert_eq!(ask(&app, &cancel).await, id);
        let cancelled = seen(&app, id).await;
        assert_eq!(cancelled["state"], "CANCELLED");
        assert_eq!(worker::run(&app.app, job).await.unwrap(), Left::Lost);
        assert_eq!(seen(&app, id).await, cancelled);
        assert_eq!(run_due(&app).await, 0);
        let again = format!("mutation {{ {cancel} }}");
        assert_eq!(app.error_code(&app.alpha.admin.key, &again, json!({})).await, "CONFLICT");
        // It is in the trail that it was asked for and cancelled.
        let trail = format!("{{ auditLogs(filter: {{ resourceId: {{ eq: \"{id}\" }} }}) {{ nodes {{ action }} }} }}");
        let trail = app.data(&app.alpha.admin.key, &trail, json!({})).await;
        let line = |action: &str| json!({ "action": action });
        assert_eq!(trail["auditLogs"]["nodes"], json!([line("job.cancel"), line("job.create")]));
    }

    async fn what_fails_is_tried_again_later_and_kept(app: TestApp) {
        let id = insert(&app).await;
        for attempt in 1..=3 {
            assert_eq!(run_due(&app).await, 1);
            assert_eq!(run_due(&app).await, 0);
            let job = seen(&app, id).await;
            let state = if attempt < 3 { "QUEUED" } else { "FAILED" };
            assert_eq!((&job["state"], &job["attempts"]), (&json!(state), &json!(attempt)), "{job:#}");
            assert!(!job["error"].as_str().unwrap().is_empty());
            // Ten seconds, twenty, and up to half as much.
            app.app.clock.advance(TimeDelta::seconds(9));
            assert_eq!(run_due(&app).await, 0);
            app.app.clock.advance(TimeDelta::seconds(22));
        }
        assert_eq!(run_due(&app).await, 0);
    }

    async fn runners_that_die_again_and_again_are_not_followed(app: TestApp) {
        let id = ask(&app, "snapshotRebuild").await;
        for _death in 0..5 {
            assert!(worker::take(&app.app, Uuid::from_u128(1)).await.unwrap().is_some());
            app.app.clock.advance(TimeDelta::seconds(61));
        }
        assert!(worker::take(&app.app, Uuid::from_u128(1)).await.unwrap().is_none());
        let job = seen(&app, id).await;
        assert_eq!(job["state"], "FAILED");
        assert!(job["error"].as_str().unwrap().contains("fell silent"), "{job:#}");
    }

    async fn what_is_over_is_kept_for_a_while(app: TestApp) {
        let ids = [ask(&app, "snapshotRebuild").await, ask(&app, "snapshotVerify").await];
        assert_eq!(run_due(&app).await, 2);
        let waits = ask(&app, "snapshotRebuild").await;
        app.app.clock.advance(TimeDelta::days(90));
        assert_eq!(worker::sweep(&app.app).await.unwrap(), 0);
        app.app.clock.advance(TimeDelta::seconds(1));
        assert_eq!(worker::sweep(&app.app).await.unwrap(), 2);
        for id in ids {
            let query = format!("{{ job(id: \"{id}\") {{ id }} }}");
            assert_eq!(app.error_code(&app.alpha.admin.key, &query, json!({})).await, "NOT_FOUND");
        }
        assert_eq!(seen(&app, waits).await["state"], "QUEUED");
    }

    async fn off_hours_are_the_tenants_night(app: TestApp) {
        years_of_events(&app).await;
        // Nine in the morning in São Paulo.
        let id = ask(&app, "snapshotRebuild(offHours: true)").await;
        assert_eq!(run_due(&app).await, 0);
        let waits = seen(&app, id).await;
        assert_eq!((&waits["offHours"], &waits["dueAt"]), (&json!(true), &json!("2026-03-11T01:00:00Z")));
        app.app.clock.advance(TimeDelta::hours(13));
        let mut job = worker::take(&app.app, Uuid::from_u128(1)).await.unwrap().unwrap();
        assert!(worker::advance(&app.app, &mut job).await.unwrap().is_none());
        // The night is over before the job is.
        app.app.clock.advance(TimeDelta::hours(8));
        assert_eq!(worker::advance(&app.app, &mut job).await.unwrap(), Some(Left::PutOff));
        let waits = seen(&app, id).await;
        assert_eq!((&waits["state"], &waits["attempts"], &waits["done"]), (&json!("QUEUED"), &json!(0), &json!(job.done)));
        assert_eq!(waits["dueAt"], "2026-03-12T01:00:00Z");
        assert_eq!(run_due(&app).await, 0);
        app.app.clock.advance(TimeDelta::hours(16));
        assert_eq!(run_due(&app).await, 1);
        assert_eq!(seen(&app, id).await["state"], "DONE");
    }

    async fn what_cannot_be_done_is_refused_when_it_is_asked_for(app: TestApp) {
        let key = &app.alpha.admin.key;
        for (mutation, code) in [
            (r#"snapshotRecalc(from: "2026-03-10T00:00:00Z", to: "2026-03-10T00:00:00Z")"#, "INVALID"),
            (r#"snapshotRecalc(from: "2026-03-09T00:00:00Z", to: "2026-03-10T00:00:00Z", metrics: ["nothing"])"#, "NOT_FOUND"),
            (r#"snapshotRecalc(from: "2026-03-09T00:00:00Z", to: "2026-03-10T00:00:00Z", scope: "nothing")"#, "NOT_FOUND"),
            (r#"snapshotRecalc(from: "2026-03-09T00:00:00Z", to: "2026-03-10T00:00:00Z", scope: "ticket", metrics: ["csat"])"#, "INVALID"),
            (r#"snapshotVerify(from: "2026-03-09T00:00:00Z")"#, "INVALID"),
        ] {
            assert_eq!(app.error_code(key, &format!("mutation {{ {mutation} }}"), json!({})).await, code, "{mutation}");
        }
        // A role that reads all numbers asks for no job, and sees them.
        let rebuild = "mutation { snapshotRebuild }";
        let id = ask(&app, "snapshotRebuild").await;
        assert_eq!(app.error_code(&app.alpha.diretor.key, rebuild, json!({})).await, "FORBIDDEN");
        let cancel = format!("mutation {{ jobCancel(id: \"{id}\") }}");
        assert_eq!(app.error_code(&app.alpha.diretor.key, &cancel, json!({})).await, "FORBIDDEN");
        let jobs = "{ jobs { nodes { id } } }";
        let seen = app.data(&app.alpha.diretor.key, jobs, json!({})).await;
        assert_eq!(seen["jobs"]["nodes"], json!([{ "id": id }]));
        assert_eq!(app.error_code(&app.beta.admin.key, &cancel, json!({})).await, "NOT_FOUND");
        assert_eq!(app.data(&app.beta.admin.key, jobs, json!({})).await["jobs"]["nodes"], json!([]));
        for _more in 1..100 {
            insert(&app).await;
        }
        assert_eq!(app.error_code(key, rebuild, json!({})).await, "LIMIT_EXCEEDED");
    }
}
