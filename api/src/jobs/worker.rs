//! The runner: takes jobs whose time has come, of every tenant, and does them step by step.

use std::sync::Arc;
use std::time::Duration;

use metrics::Label;
use uuid::Uuid;

use super::runner_of;
use crate::app::App;
use crate::error::{Error, Language, Result};
use crate::limits;
use crate::queue::{self, Job, Next, Stepped};

const LOOK_EVERY: Duration = Duration::from_millis(500);
const AGAIN_AFTER_FAILURE: Duration = Duration::from_secs(5);
/// A third of a lease: two signs of life may be lost.
const SIGN_OF_LIFE_EVERY: Duration = Duration::from_secs(20);

/// How a job left its runner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Left {
    Done,
    /// It is tried again.
    Again,
    Failed,
    /// It waits for the night.
    PutOff,
    /// Cancelled, or another's.
    Lost,
}

impl Left {
    fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Again => "again",
            Self::Failed => "failed",
            Self::PutOff => "put_off",
            Self::Lost => "lost",
        }
    }
}

/// Runs jobs for as long as the process works, some side by side.
pub async fn keep_running(app: Arc<App>) {
    let lanes = (0..limits::JOBS_AT_ONCE).map(|_| keep_one_running(&app));
    futures::future::join_all(lanes).await;
}

async fn keep_one_running(app: &Arc<App>) {
    loop {
        let pause = match run_next(app).await {
            Ok(Some(_)) => continue,
            Ok(None) => LOOK_EVERY,
            Err(error) => {
                tracing::error!(%error, "jobs were not run");
                AGAIN_AFTER_FAILURE
            }
        };
        tokio::time::sleep(pause).await;
    }
}

/// Removes jobs that are over and older than they are kept; how many.
pub async fn sweep(app: &App) -> Result<u64> {
    let conn = app.db.transaction().await?;
    let swept = queue::sweep(&conn, app.clock.now()).await?;
    conn.commit().await?;
    Ok(swept)
}

/// Runs every job whose time has come to where it leaves its runner; how many.
pub async fn run_due(app: &Arc<App>) -> Result<usize> {
    let mut ran = 0;
    while run_next(app).await?.is_some() {
        ran += 1;
    }
    Ok(ran)
}

/// Runs the job that waits longest, if one does and nobody else takes it.
async fn run_next(app: &Arc<App>) -> Result<Option<Left>> {
    let Some(job) = take(app, app.clock.new_id()).await? else { return Ok(None) };
    run(app, job).await.map(Some)
}

/// Takes the job that waits longest, for `owner`.
pub async fn take(app: &App, owner: Uuid) -> Result<Option<Job>> {
    let conn = app.db.single_read().await?;
    let due = queue::due(&conn, app.clock.now()).await?;
    drop(conn);
    for due in due {
        let conn = app.db.transaction().await?;
        let job = queue::claim(&conn, due, (owner, app.clock.now())).await?;
        conn.commit().await?;
        if job.is_some() {
            return Ok(job);
        }
    }
    Ok(None)
}

/// Does a job that was taken, step by step, to where it leaves its runner.
pub async fn run(app: &Arc<App>, mut job: Job) -> Result<Left> {
    loop {
        if let Some(left) = advance(app, &mut job).await? {
            let labels = vec![Label::new("kind", job.kind), Label::new("outcome", left.as_str())];
            app.metrics.counter("pulso_jobs_total", labels).increment(1);
            return Ok(left);
        }
    }
}

/// Does the next step of a job that was taken. None while it goes on.
pub async fn advance(app: &Arc<App>, job: &mut Job) -> Result<Option<Left>> {
    let now = app.clock.now();
    if job.off_hours
        && let Some(at) = queue::waits_until(now, job.zone)
    {
        let conn = app.db.transaction().await?;
        let kept = queue::put_off(&conn, job, (at, now, None)).await?;
        conn.commit().await?;
        return Ok(Some(if kept { Left::PutOff } else { Left::Lost }));
    }
    let outcome = match step(app, job).await {
        Ok(stepped) => settle(app, job, stepped).await,
        Err(error) => Err(error),
    };
    match outcome {
        Ok(left) => Ok(left),
        Err(error) => give_back(app, job, &error).await.map(Some),
    }
}

/// One step, and signs of life as long as it takes.
async fn step(app: &Arc<App>, job: &Job) -> Result<Stepped> {
    let runner = runner_of(&job.kind)
        .ok_or_else(|| Error::internal(format!("no job is of kind {:?}", job.kind)))?;
    tokio::select! {
        stepped = runner(app, job) => stepped,
        () = live(app, job) => Err(Error::internal("signs of life ended")),
    }
}

async fn live(app: &App, job: &Job) {
    loop {
        tokio::time::sleep(SIGN_OF_LIFE_EVERY).await;
        let renewed = async {
            let conn = app.db.transaction().await?;
            queue::renew(&conn, job, app.clock.now()).await?;
            conn.commit().await
        };
        if let Err(error) = renewed.await {
            tracing::warn!(%error, job_id = %job.id, "a job's lease was not renewed");
        }
    }
}

/// Makes a step last, with how far the job is after it; or lets it come to nothing, where the job was
/// cancelled or is another's. None while it goes on.
async fn settle(app: &App, job: &mut Job, stepped: Stepped) -> Result<Option<Left>> {
    let conn = match stepped.conn {
        Some(conn) => conn,
        None => app.db.transaction().await?,
    };
    if !queue::note(&conn, job, &stepped.next, app.clock.now()).await? {
        return Ok(Some(Left::Lost));
    }
    conn.commit().await?;
    match stepped.next {
        Next::More { cursor, done, .. } => {
            job.cursor = Some(cursor);
            job.done = done;
            job.attempts = 1;
            Ok(None)
        }
        Next::Done(_) => Ok(Some(Left::Done)),
    }
}

/// A step failed: again later, or never.
async fn give_back(app: &App, job: &Job, error: &Error) -> Result<Left> {
    tracing::error!(%error, job_id = %job.id, kind = job.kind, tenant_id = %job.tenant_id,
        attempts = job.attempts, "a job's step failed");
    let now = app.clock.now();
    let said = error.message(Language::En);
    let conn = app.db.transaction().await?;
    let (kept, left) = if job.attempts >= job.attempts_max {
        (queue::fail(&conn, job, (now, said)).await?, Left::Failed)
    } else {
        let pause = queue::pause_after(job.attempts, |bound| app.clock.draw(bound));
        (queue::put_off(&conn, job, (now + pause, now, Some(said))).await?, Left::Again)
    };
    conn.commit().await?;
    Ok(if kept { left } else { Left::Lost })
}
