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

use super::{REQUEST_ID_CHARS_MAX, USER_AGENT_CHARS_MAX, cut};
use crate::access::SystemHandle;
use crate::app::App;
use crate::ctx::Ctx;
use crate::db::{List, Lists, Value};
use crate::error::{Error, Result};
use crate::limits;
use crate::record::disclosed::Disclosed;

const FLUSH_EVERY: Duration = Duration::from_secs(1);

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
    let mut by_tenant: BTreeMap<Uuid, Vec<&Read>> = BTreeMap::new();
    for read in reads {
        by_tenant.entry(read.tenant_id).or_default().push(read);
    }
    let conn = app.db.transaction().await?;
    for (tenant_id, reads) in by_tenant {
        let handle = SystemHandle::for_tenant(tenant_id);
        for reads in reads.chunks(limits::READ_LOG_FLUSH_ENTRIES) {
            conn.insert_lists(&handle, lists(tenant_id, reads)?).await?;
        }
    }
    conn.commit().await
}

/// The reads of one tenant, column by column.
fn lists(tenant_id: Uuid, reads: &[&Read]) -> Result<Lists<'static>> {
    let of = |read: fn(&Read) -> Option<String>| {
        List::OptionalTexts(reads.iter().map(|each| read(each)).collect())
    };
    let told = |name: fn(&Disclosed) -> &'static str| {
        List::Texts(reads.iter().map(|read| name(&read.disclosed).to_owned()).collect())
    };
    let fields = reads.iter().map(|read| read.disclosed.fields.iter().copied().collect());
    let rows = reads.iter().map(|read| i64::try_from(read.disclosed.rows));
    let rows: std::result::Result<Vec<i64>, _> = rows.collect();
    Ok(Lists {
        table: "read_logs",
        columns: vec![
            ("tenant_id", List::Same(Value::Id(tenant_id))),
            ("id", List::Ids(reads.iter().map(|read| read.id).collect())),
            ("user_id", List::Ids(reads.iter().map(|read| read.user_id).collect())),
            ("api_key_id", List::OptionalIds(reads.iter().map(|read| read.api_key_id).collect())),
            ("kind", told(|told| told.kind.as_str())),
            ("resource", told(|told| told.resource)),
            ("fields", List::Jsons(fields.collect())),
            ("row_count", List::Ints(rows.map_err(Error::internal)?)),
            ("ip_address", of(|read| read.ip.clone())),
            ("user_agent", of(|read| read.user_agent.clone())),
            ("request_id", of(|read| Some(read.request_id.clone()))),
            ("created_at", List::Instants(reads.iter().map(|read| read.at).collect())),
        ],
        then: "",
    })
}
