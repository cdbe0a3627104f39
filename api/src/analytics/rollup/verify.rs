//! Whether snapshots are what the log adds up to: everything is folded again and compared to the byte.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::fold::{Cut, Folds, fold};
use super::folder::feeds_of;
use super::store;
use crate::access::SystemHandle;
use crate::app::App;
use crate::error::{Error, Result};
use crate::limits;

/// What a verification found.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Report {
    /// Events that were folded again.
    pub events: u64,
    /// Buckets that were compared.
    pub buckets: u64,
    /// Buckets that are not what the log says, the first of them told one by one.
    pub wrong: u64,
    pub findings: Vec<String>,
}

/// Folds a tenant's whole log again, as of one moment. Minutes are left out: they do not last.
pub async fn verify(app: &App, tenant_id: Uuid) -> Result<Report> {
    let system = SystemHandle::for_tenant(tenant_id);
    let conn = app.db.snapshot().await?;
    let mut report = Report::default();
    let mut kept = store::all_buckets(&conn, &system).await?;
    let Some(zone) = store::day_zone(&conn, &system).await? else { return Ok(report) };
    let cut = Cut { zone, minutes_from: DateTime::<Utc>::MAX_UTC };
    let feeds = feeds_of(&conn, &system).await?;
    let mut counted = Folds::default();
    let most = i64::try_from(limits::EVENTS_PER_INSERT_MAX).map_err(Error::internal)?;
    let mut after = Uuid::nil();
    loop {
        let events = store::folded_after(&conn, &system, (after, most)).await?;
        let Some(last) = events.last() else { break };
        after = last.id;
        report.events += u64::try_from(events.len()).map_err(Error::internal)?;
        counted.absorb(fold(&events, &feeds, cut)).map_err(Error::internal)?;
    }
    for (place, state) in &counted.buckets {
        report.buckets += 1;
        let (grain, at) = (place.grain.as_str(), place.starts_at);
        match kept.buckets.remove(place) {
            Some(text) if text == state.to_text() => {}
            Some(_) => report.find(format!("{grain} {at}: the snapshot is not what the log says")),
            None => report.find(format!("{grain} {at}: the snapshot is missing")),
        }
    }
    for place in kept.buckets.into_keys() {
        report.buckets += 1;
        let (grain, at) = (place.grain.as_str(), place.starts_at);
        report.find(format!("{grain} {at}: a snapshot of nothing in the log"));
    }
    for place in kept.miscounted {
        let (grain, at) = (place.grain.as_str(), place.starts_at);
        report.find(format!("{grain} {at}: a row whose events are not those of its buckets"));
    }
    Ok(report)
}

impl Report {
    fn find(&mut self, finding: String) {
        self.wrong += 1;
        if self.findings.len() < limits::AUDIT_FINDINGS_SHOWN {
            self.findings.push(finding);
        }
    }
}
