//! Whether snapshots are what the log adds up to: everything is folded again and compared to the byte.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::chunk;
use super::fold::Place;
use super::recount::{Counted, Recount, all_days};
use super::store::{self, Kept};
use super::window::Window;
use crate::access::SystemHandle;
use crate::analytics::metric::custom;
use crate::app::App;
use crate::db::Conn;
use crate::error::{Error, Result};
use crate::limits;

/// What a verification found.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Events that were folded again.
    pub events: u64,
    /// Buckets that were compared.
    pub buckets: u64,
    /// Buckets that are not what the log says, the first of them told one by one.
    pub wrong: u64,
    pub findings: Vec<String>,
}

/// Folds a tenant's whole log again, as of one moment. Of minutes only those are compared that all
/// folders must have counted.
pub async fn verify(app: &App, tenant_id: Uuid) -> Result<Report> {
    let system = SystemHandle::for_tenant(tenant_id);
    let conn = app.db.snapshot().await?;
    let mut report = Report::default();
    let Some(zone) = store::day_zone(&conn, &system).await? else { return Ok(report) };
    let at = (zone, app.clock.now());
    if let Some(mut rest) = all_days(&conn, &system, zone).await? {
        while rest.from < rest.to {
            rest.from = days(&conn, &system, (rest, at), &mut report).await?;
        }
    }
    strays(&conn, &system, &mut report).await?;
    Ok(report)
}

/// Verifies the first days of `rest`, as of the moment of `conn`; where the next begin.
pub(super) async fn days(
    conn: &Conn,
    system: &SystemHandle,
    (rest, at): (Window, (Tz, DateTime<Utc>)),
    report: &mut Report,
) -> Result<DateTime<Utc>> {
    let recount = Recount::of(conn, system, at, None).await?;
    let window = recount.first_of(conn, system, rest).await?;
    let counted = recount.count(conn, system, window).await?;
    let kept = store::rows_of(conn, system, &counted.series, &counted.spans).await?;
    report.events += u64::try_from(counted.events).map_err(Error::internal)?;
    report.compare(&counted, &kept);
    Ok(window.to)
}

/// Looks for snapshots that are of no metric.
pub(super) async fn strays(conn: &Conn, system: &SystemHandle, report: &mut Report) -> Result<()> {
    let metrics = custom::keys_of(conn, system).await?;
    let strays = store::count_strays(conn, system, &metrics).await?;
    for _stray in 0..strays {
        report.find("a row of snapshots that is of no metric".to_owned());
    }
    Ok(())
}

impl Report {
    fn compare(&mut self, counted: &Counted, rows: &[Kept]) {
        let mut kept: HashMap<Place, &str> = HashMap::new();
        for row in rows {
            self.take(counted, row, &mut kept);
        }
        for (place, state) in &counted.folds.buckets {
            self.buckets += 1;
            let (grain, at) = (place.grain.as_str(), place.starts_at);
            match kept.remove(place) {
                Some(text) if text == state.to_text() => {}
                Some(_) => {
                    self.find(format!("{grain} {at}: the snapshot is not what the log says"));
                }
                None => self.find(format!("{grain} {at}: the snapshot is missing")),
            }
        }
        for place in kept.into_keys() {
            self.buckets += 1;
            let (grain, at) = (place.grain.as_str(), place.starts_at);
            self.find(format!("{grain} {at}: a snapshot of nothing in the log"));
        }
    }

    /// The buckets of a row, and what is wrong with the row itself, which is told where it begins.
    fn take<'r>(&mut self, counted: &Counted, row: &'r Kept, kept: &mut HashMap<Place, &'r str>) {
        let mut events = 0;
        let mut readable = row.id == row.chunk.id();
        for entry in chunk::entries(&row.text) {
            let Ok((offset, text)) = entry else {
                readable = false;
                continue;
            };
            // What is no state is told by the comparison of the texts.
            events += chunk::state_of(text).map_or(0, |state| state.events());
            let place = row.chunk.place(offset);
            if counted.spans.iter().any(|span| span.has(&place)) {
                kept.insert(place, text);
            }
        }
        let begins_here = counted.spans.iter().any(|span| span.has(&row.chunk.place(0)));
        if begins_here && (!readable || events != row.events) {
            let (grain, at) = (row.chunk.grain.as_str(), row.chunk.starts_at);
            self.find(format!("{grain} {at}: a row whose events are not those of its buckets"));
        }
    }

    fn find(&mut self, finding: String) {
        self.wrong += 1;
        if self.findings.len() < limits::AUDIT_FINDINGS_SHOWN {
            self.findings.push(finding);
        }
    }
}
