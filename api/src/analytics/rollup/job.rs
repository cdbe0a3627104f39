//! Jobs of this folder: windows are counted again, everything is, or it is compared. Each step takes
//! some days.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use super::recount::{Recount, all_days};
use super::store;
use super::verify::{self, Report};
use super::window::Window;
use crate::access::SystemHandle;
use crate::analytics::metric::custom;
use crate::app::App;
use crate::db::Conn;
use crate::error::{Error, Result};
use crate::queue::{Job, Next, Stepped};

pub const RECALC: &str = "snapshot_recalc";
pub const REBUILD: &str = "rebuild";
pub const VERIFY: &str = "snapshot_verify";
pub const BACKFILL: &str = "metric_backfill";

type Boxed<'a> = Pin<Box<dyn Future<Output = Result<Stepped>> + Send + 'a>>;

/// What a job of this folder is asked to do; everything where nothing is said.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Arguments {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) from: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) to: Option<DateTime<Utc>>,
    /// As it was asked for; `metrics` are those of it then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) scope: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) metrics: Option<Vec<String>>,
}

/// How far a job is.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Cursor<T> {
    /// What is left.
    rest: Window,
    total: i64,
    found: T,
}

/// What came of a recount.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Replaced {
    events: usize,
    rows_changed: u64,
}

impl<T: Default + Serialize + for<'d> Deserialize<'d>> Cursor<T> {
    /// Where the job left off, or the beginning; none where there is nothing.
    async fn of(conn: &Conn, system: &SystemHandle, job: &Job, zone: Tz) -> Result<Option<Self>> {
        if let Some(cursor) = &job.cursor {
            return read(cursor).map(Some);
        }
        let asked: Arguments = read(&job.arguments)?;
        let rest = match (asked.from, asked.to) {
            (Some(from), Some(to)) => Some(Window::around(from, to, zone)),
            (None, _) | (_, None) => all_days(conn, system, zone).await?,
        };
        Ok(rest.map(|rest| Self { rest, total: rest.days(), found: T::default() }))
    }

    fn more(&self) -> Result<Next> {
        let done = (self.total - self.rest.days()).clamp(0, self.total);
        Ok(Next::More {
            cursor: serde_json::to_value(self).map_err(Error::internal)?,
            done,
            total: self.total,
        })
    }

    fn is_over(&self) -> bool {
        self.rest.from >= self.rest.to
    }
}

impl Cursor<Replaced> {
    /// Counts the next days, and puts them in the place of what is there.
    async fn replace(
        &mut self,
        conn: &Conn,
        system: &SystemHandle,
        recount: &Recount,
        now: DateTime<Utc>,
    ) -> Result<()> {
        let window = recount.first_of(conn, system, self.rest).await?;
        let counted = recount.count(conn, system, window).await?;
        store::put_series(conn, system, &counted.folds.series, now).await?;
        let places = (counted.series.as_slice(), counted.spans.as_slice());
        let changed = store::replace(conn, system, places, &counted.folds.buckets, now).await?;
        store::note_change(conn, system, 0, now).await?;
        self.found.events += counted.events;
        self.found.rows_changed += u64::try_from(changed).map_err(Error::internal)?;
        self.rest.from = window.to;
        Ok(())
    }
}

fn read<T: for<'d> Deserialize<'d>>(json: &Json) -> Result<T> {
    T::deserialize(json).map_err(Error::internal)
}

/// Counts the days of a span of time again, and puts them in the place of what is there.
pub fn recalc<'a>(app: &'a Arc<App>, job: &'a Job) -> Boxed<'a> {
    Box::pin(replace_days(app, job, false))
}

/// As [`recalc`], for everything; what is of no metric goes.
pub fn rebuild<'a>(app: &'a Arc<App>, job: &'a Job) -> Boxed<'a> {
    Box::pin(replace_days(app, job, true))
}

/// Nobody folds a tenant's events while some days are counted and replaced: each event is in the count,
/// or comes after it. Between two steps whoever folds has their turn.
async fn replace_days(app: &App, job: &Job, is_all: bool) -> Result<Stepped> {
    let system = SystemHandle::for_tenant(job.tenant_id);
    let conn = app.db.transaction().await?;
    let done = |conn, found: &Replaced| {
        let result = json!({ "events": found.events, "rowsChanged": found.rows_changed });
        Ok(Stepped { conn: Some(conn), next: Next::Done(result) })
    };
    let Some(head) = store::hold_head(&conn, &system).await? else {
        return done(conn, &Replaced::default());
    };
    let now = app.clock.now();
    let cursor = Cursor::<Replaced>::of(&conn, &system, job, head.zone).await?;
    let Some(mut cursor) = cursor else { return done(conn, &Replaced::default()) };
    let asked: Arguments = read(&job.arguments)?;
    let recount = Recount::of(&conn, &system, (head.zone, now), asked.metrics.as_deref()).await?;
    cursor.replace(&conn, &system, &recount, now).await?;
    if !cursor.is_over() {
        return Ok(Stepped { conn: Some(conn), next: cursor.more()? });
    }
    if is_all {
        let metrics = custom::keys_of(&conn, &system).await?;
        cursor.found.rows_changed += store::remove_strays(&conn, &system, &metrics, now).await?;
    }
    done(conn, &cursor.found)
}

/// Counts the history of metrics that came after their events. They are fed by whoever folds from the
/// beginning, so that each event is in the count of its days, or comes after it.
pub fn backfill<'a>(app: &'a Arc<App>, job: &'a Job) -> Boxed<'a> {
    Box::pin(count_history(app, job))
}

async fn count_history(app: &App, job: &Job) -> Result<Stepped> {
    let system = SystemHandle::for_tenant(job.tenant_id);
    let conn = app.db.transaction().await?;
    let now = app.clock.now();
    // Made where there is none: whoever folds the first events at this moment may not know the metrics.
    let head = store::make_and_hold_head(&conn, &system, (job.zone, now)).await?;
    // Those that were deleted meanwhile are not among them.
    let metrics = custom::counted_by(&conn, &system, job.id).await?;
    let cursor = Cursor::<Replaced>::of(&conn, &system, job, head.zone).await?;
    let mut found = Replaced::default();
    if let Some(mut cursor) = cursor.filter(|cursor| !metrics.is_empty() && !cursor.is_over()) {
        let recount = Recount::of_new(&conn, &system, (head.zone, now), &metrics).await?;
        cursor.replace(&conn, &system, &recount, now).await?;
        if !cursor.is_over() {
            return Ok(Stepped { next: cursor.more()?, conn: Some(conn) });
        }
        found = cursor.found;
    }
    custom::mark_ready(&conn, &system, (job.id, now)).await?;
    let result = json!({ "events": found.events, "rowsChanged": found.rows_changed });
    Ok(Stepped { conn: Some(conn), next: Next::Done(result) })
}

/// Compares the days of a span of time, or of everything, with the log; some days at a time, each as of
/// one moment.
pub fn verify<'a>(app: &'a Arc<App>, job: &'a Job) -> Boxed<'a> {
    Box::pin(compare_days(app, job))
}

async fn compare_days(app: &App, job: &Job) -> Result<Stepped> {
    let system = SystemHandle::for_tenant(job.tenant_id);
    let conn = app.db.snapshot().await?;
    let done = |report: &Report| {
        let result = serde_json::to_value(report).map_err(Error::internal)?;
        Ok(Stepped { conn: None, next: Next::Done(result) })
    };
    let Some(zone) = store::day_zone(&conn, &system).await? else {
        return done(&Report::default());
    };
    let cursor = Cursor::<Report>::of(&conn, &system, job, zone).await?;
    let Some(mut cursor) = cursor else { return done(&Report::default()) };
    let at = (zone, app.clock.now());
    cursor.rest.from = verify::days(&conn, &system, (cursor.rest, at), &mut cursor.found).await?;
    if !cursor.is_over() {
        return Ok(Stepped { conn: None, next: cursor.more()? });
    }
    let asked: Arguments = read(&job.arguments)?;
    if asked.from.is_none() {
        verify::strays(&conn, &system, &mut cursor.found).await?;
    }
    if cursor.found.wrong > 0 {
        let (tenant_id, wrong) = (job.tenant_id, cursor.found.wrong);
        tracing::error!(%tenant_id, wrong, "snapshots are not what the log says");
    }
    done(&cursor.found)
}
