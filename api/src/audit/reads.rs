//! The log of reads: who saw which personal fields of how many records, and who read analytics.
//!
//! A read costs a push into memory and no statement: entries gather in a bounded buffer that is
//! written every second, earlier when many have gathered, and when the process stops. What a killed
//! process held is lost, a second's worth at most. A full buffer (a database that does not take
//! writes) drops entries, counts them in `pulso_read_log_dropped_total` and says so as an error.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::Notify;
use uuid::Uuid;

use super::{REQUEST_ID_CHARS_MAX, USER_AGENT_CHARS_MAX, cut, id, text};
use crate::access::SystemHandle;
use crate::app::App;
use crate::ctx::Ctx;
use crate::db::Value;
use crate::error::{Error, Result};
use crate::limits;
use crate::record::disclosed::{Disclosed, DisclosedKind};

const FLUSH_EVERY: Duration = Duration::from_secs(1);
const COLUMNS: [&str; 12] = [
    "tenant_id",
    "id",
    "user_id",
    "api_key_id",
    "kind",
    "resource",
    "fields",
    "row_count",
    "ip_address",
    "user_agent",
    "request_id",
    "created_at",
];

/// One read of one resource.
struct Read {
    id: Uuid,
    at: DateTime<Utc>,
    tenant_id: Uuid,
    user_id: Uuid,
    api_key_id: Option<Uuid>,
    disclosed: Disclosed,
    ip: Option<String>,
    user_agent: Option<String>,
    request_id: String,
}

/// Reads that wait to be written. One per process.
pub struct ReadLog {
    waiting: Mutex<Vec<Read>>,
    capacity: usize,
    /// Many wait.
    many: Notify,
    /// Dropped since it was last said.
    dropped: AtomicU64,
}

impl Default for ReadLog {
    fn default() -> Self {
        Self::new(limits::READ_LOG_ENTRIES_MAX)
    }
}

impl ReadLog {
    pub fn new(capacity: usize) -> Self {
        Self {
            waiting: Mutex::new(Vec::new()),
            capacity,
            many: Notify::new(),
            dropped: AtomicU64::new(0),
        }
    }

    /// Notes what an operation told its caller; never waits.
    pub fn note(&self, ctx: &Ctx, disclosed: Vec<Disclosed>) {
        if disclosed.is_empty() {
            return;
        }
        let clock = &ctx.app.clock;
        let at = clock.now();
        let agent = ctx.origin.user_agent.as_deref();
        let reads = disclosed.into_iter().map(|disclosed| Read {
            id: clock.new_id(),
            at,
            tenant_id: ctx.tenant_id(),
            user_id: ctx.actor.user_id,
            api_key_id: ctx.actor.api_key_id,
            disclosed,
            ip: ctx.origin.ip.map(|ip| ip.to_string()),
            user_agent: agent.map(|agent| cut(agent, USER_AGENT_CHARS_MAX)),
            request_id: cut(&ctx.origin.request_id, REQUEST_ID_CHARS_MAX),
        });
        let dropped = self.keep(reads.collect());
        if dropped > 0 {
            ctx.app.metrics.counter("pulso_read_log_dropped_total", Vec::new()).increment(dropped);
        }
    }

    /// Puts reads into the buffer; the number of those for which there was no place.
    fn keep(&self, mut reads: Vec<Read>) -> u64 {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let free = self.capacity.saturating_sub(waiting.len());
        let dropped = u64::try_from(reads.len().saturating_sub(free)).unwrap_or(u64::MAX);
        reads.truncate(free);
        waiting.append(&mut reads);
        if waiting.len() >= limits::READ_LOG_FLUSH_ENTRIES {
            self.many.notify_one();
        }
        self.dropped.fetch_add(dropped, Ordering::Relaxed);
        dropped
    }

    fn take(&self) -> Vec<Read> {
        std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads that wait to be written.
    pub fn len(&self) -> usize {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Writes the log for as long as the process runs, and what is left when it stops.
pub async fn keep_writing(app: Arc<App>) {
    let stopped = app.stopped();
    tokio::pin!(stopped);
    loop {
        let stop = tokio::select! {
            () = &mut stopped => true,
            () = app.reads.many.notified() => false,
            () = tokio::time::sleep(FLUSH_EVERY) => false,
        };
        write_waiting(&app).await;
        if stop {
            return;
        }
    }
}

/// Writes what waits now. What cannot be written waits on, as long as there is place for it.
pub async fn write_waiting(app: &App) {
    let reads = app.reads.take();
    if !reads.is_empty()
        && let Err(error) = write(app, &reads).await
    {
        let lost = app.reads.keep(reads);
        app.metrics.counter("pulso_read_log_dropped_total", Vec::new()).increment(lost);
        tracing::error!(%error, waiting = app.reads.len(), "the log of reads was not written");
    }
    let dropped = app.reads.dropped.swap(0, Ordering::Relaxed);
    if dropped > 0 {
        tracing::error!(dropped, "the log of reads is full: reads were not logged");
    }
}

async fn write(app: &App, reads: &[Read]) -> Result<()> {
    let mut by_tenant: BTreeMap<Uuid, Vec<Vec<Value>>> = BTreeMap::new();
    for read in reads {
        by_tenant.entry(read.tenant_id).or_default().push(row(read)?);
    }
    let conn = app.db.transaction().await?;
    for (tenant_id, rows) in by_tenant {
        conn.insert(&SystemHandle::for_tenant(tenant_id), "read_logs", &COLUMNS, rows).await?;
    }
    conn.commit().await
}

fn row(read: &Read) -> Result<Vec<Value>> {
    let disclosed = &read.disclosed;
    let kind = match disclosed.kind {
        DisclosedKind::Personal => "personal",
        DisclosedKind::Analytics => "analytics",
    };
    Ok(vec![
        Value::Id(read.tenant_id),
        Value::Id(read.id),
        Value::Id(read.user_id),
        id(read.api_key_id),
        kind.into(),
        disclosed.resource.into(),
        Value::Json(disclosed.fields.iter().copied().collect()),
        Value::Int(i64::try_from(disclosed.rows).map_err(Error::internal)?),
        text(read.ip.clone()),
        text(read.user_agent.clone()),
        read.request_id.as_str().into(),
        Value::Instant(read.at),
    ])
}
