//! Rows of buckets that this process keeps in memory, with the epochs they were read at.
//!
//! A chart of a month is made of thousands of rows that hardly ever change again: to fetch and to
//! read them costs far more than to add them up. Whoever writes a row raises the epoch of the time
//! that it covers, in the same transaction. What is kept is used while its epoch is the one that the
//! reader's own snapshot of the database shows: no message has to arrive, and no copy is older than
//! the transaction that reads it.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use moka::future::Cache;
use uuid::Uuid;

use super::chunk;
use super::grain::Grain;
use super::state::State;
use super::store::epoch::{self, Version};
use super::store::{self, Snapshots};
use crate::access::{Permit, Reader};
use crate::db::Conn;
use crate::error::{Error, Result};
use crate::limits;

/// Spans of one metric that a statement each is worth; more are read as one.
const SPANS_MAX: usize = 4;

/// Times as many series as are asked for that are read, so that they can be kept.
const READ_AT_MOST: usize = 4;

/// The rows of a metric that cover one stretch of time, a row for each of its series.
#[derive(Debug)]
pub struct Stored {
    pub from: DateTime<Utc>,
    pub to: DateTime<Utc>,
    pub rows: Vec<StoredRow>,
}

/// The buckets of one series in a stretch of time, in their order.
#[derive(Debug)]
pub struct StoredRow {
    pub series_id: Uuid,
    pub events: i64,
    buckets: Buckets,
}

/// By their seconds from the beginning of the stretch. Counts, which most metrics are, take a fifth of
/// the room of other states: a chart takes as long as the memory that it visits is large.
#[derive(Debug)]
enum Buckets {
    Counts(Vec<(u32, i64)>),
    States(Vec<(u32, State)>),
}

impl StoredRow {
    fn read(snapshots: &Snapshots) -> Result<Self> {
        let mut states = Vec::new();
        for bucket in snapshots.buckets() {
            let (at, state) = bucket?;
            let offset = (at - snapshots.from()).num_seconds();
            states.push((u32::try_from(offset).map_err(Error::internal)?, state));
        }
        let events = states.iter().map(|(_, state)| state.events()).sum();
        let count = |(offset, state): &(u32, State)| match state {
            State::Count(count) => Some((*offset, *count)),
            State::Sum(_)
            | State::Minimum(_)
            | State::Maximum(_)
            | State::Last(_)
            | State::Distinct(_)
            | State::Spread(_) => None,
        };
        let counts: Option<Vec<(u32, i64)>> = states.iter().map(count).collect();
        states.shrink_to_fit();
        let buckets = counts.map_or(Buckets::States(states), Buckets::Counts);
        Ok(Self { series_id: snapshots.series_id(), events, buckets })
    }

    /// Does something with every bucket, by its seconds from the beginning of the stretch.
    pub fn each(&self, mut act: impl FnMut(i64, &State) -> Result<()>) -> Result<()> {
        match &self.buckets {
            Buckets::Counts(counts) => {
                for (offset, count) in counts {
                    act(i64::from(*offset), &State::Count(*count))?;
                }
            }
            Buckets::States(states) => {
                for (offset, state) in states {
                    act(i64::from(*offset), state)?;
                }
            }
        }
        Ok(())
    }

    fn bytes(&self) -> usize {
        let buckets = match &self.buckets {
            Buckets::Counts(counts) => counts.len() * size_of::<(u32, i64)>(),
            Buckets::States(states) => {
                let bytes = |(_, state): &(u32, State)| size_of::<(u32, State)>() + state.bytes();
                states.iter().map(bytes).sum()
            }
        };
        size_of::<Self>() + buckets
    }
}

/// The series of a metric.
#[derive(Debug, Default)]
pub struct Series {
    pub all: Vec<Uuid>,
    pub asked: Vec<Uuid>,
}

impl Series {
    /// Whether so many of them are asked for that it pays to read the others too.
    fn worth_keeping(&self) -> bool {
        self.asked.len().saturating_mul(READ_AT_MOST) >= self.all.len()
    }

    fn read(&self) -> &[Uuid] {
        if self.worth_keeping() { &self.all } else { &self.asked }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    tenant_id: Uuid,
    metric: Arc<str>,
    grain: Grain,
    from: DateTime<Utc>,
}

/// What one process keeps. All series of a metric lie in it: who may see which is decided by whoever
/// takes them out.
#[derive(Debug)]
pub struct Kept(Cache<Key, (Version, Arc<Stored>)>);

impl Default for Kept {
    fn default() -> Self {
        let weigh = |_: &Key, (_, stored): &(Version, Arc<Stored>)| {
            let bytes: usize = stored.rows.iter().map(StoredRow::bytes).sum();
            u32::try_from(size_of::<Key>() + size_of::<Stored>() + bytes).unwrap_or(u32::MAX)
        };
        Self(Cache::builder().max_capacity(limits::SNAPSHOTS_KEPT_BYTES).weigher(weigh).build())
    }
}

impl Kept {
    /// The stored buckets of metrics that begin in a span of time, and their neighbours in the same
    /// rows; in the order of time. There may be more series than asked for.
    pub async fn between(
        &self,
        (conn, reader): (&Conn, &Reader),
        metrics: &BTreeMap<Arc<str>, Series>,
        (grain, from, to): (Grain, DateTime<Utc>, DateTime<Utc>),
    ) -> Result<Vec<Arc<Stored>>> {
        let starts = chunk::starts_between(grain, (from, to));
        let versions = epoch::versions(conn, reader, (grain, &starts)).await?;
        let key = |metric: &Arc<str>, from: &DateTime<Utc>| Key {
            tenant_id: reader.tenant_id(),
            metric: Arc::clone(metric),
            grain,
            from: *from,
        };
        let mut found = Vec::with_capacity(starts.len() * metrics.len());
        let mut absent: BTreeMap<Vec<DateTime<Utc>>, Vec<&Arc<str>>> = BTreeMap::new();
        for (metric, series) in metrics {
            let mut absent_of_metric = Vec::new();
            for start in &starts {
                if !series.worth_keeping() {
                    absent_of_metric.push(*start);
                    continue;
                }
                match self.0.get(&key(metric, start)).await {
                    Some((version, stored)) if Some(version) == versions.of(*start) => {
                        found.push(stored);
                    }
                    Some(_) | None => absent_of_metric.push(*start),
                }
            }
            if !absent_of_metric.is_empty() {
                absent.entry(absent_of_metric).or_default().push(metric);
            }
        }
        for (starts, names) in absent {
            let series = names.iter().filter_map(|name| Some((*name, metrics.get(*name)?.read())));
            let mut read = read(conn, reader, series.collect(), (grain, &starts)).await?;
            for metric in names {
                for start in &starts {
                    let rows = read.remove(&(metric, *start)).unwrap_or_default();
                    let stored =
                        Arc::new(Stored { from: *start, to: *start + chunk::length(grain), rows });
                    found.push(Arc::clone(&stored));
                    let is_whole = metrics.get(metric).is_some_and(Series::worth_keeping);
                    if let Some(version) = versions.of(*start).filter(|_| is_whole) {
                        self.0.insert(key(metric, start), (version, stored)).await;
                    }
                }
            }
        }
        found.sort_by_key(|stored| stored.from);
        Ok(found)
    }
}

/// The rows of metrics that begin at these times.
async fn read<'m>(
    conn: &Conn,
    reader: &Reader,
    metrics: Vec<(&'m Arc<str>, &[Uuid])>,
    (grain, starts): (Grain, &[DateTime<Utc>]),
) -> Result<HashMap<(&'m Arc<str>, DateTime<Utc>), Vec<StoredRow>>> {
    let owners = metrics.iter().flat_map(|(metric, series)| series.iter().map(|id| (*id, *metric)));
    let owners: HashMap<Uuid, &Arc<str>> = owners.collect();
    let mut rows: HashMap<_, Vec<StoredRow>> = HashMap::new();
    for (from, to) in spans(grain, starts) {
        let series = owners.keys().copied().collect();
        let span = (grain, Some(from), to);
        for snapshots in store::snapshots_of(conn, reader, series, span).await? {
            if let Some(metric) = owners.get(&snapshots.series_id()) {
                let row = StoredRow::read(&snapshots)?;
                rows.entry((*metric, snapshots.from())).or_default().push(row);
            }
        }
    }
    Ok(rows)
}

/// Spans that cover rows which begin at these times: one for each gapless run, or a single one.
fn spans(grain: Grain, starts: &[DateTime<Utc>]) -> Vec<(DateTime<Utc>, DateTime<Utc>)> {
    let mut spans: Vec<(DateTime<Utc>, DateTime<Utc>)> = Vec::new();
    for start in starts {
        let end = *start + chunk::length(grain);
        match spans.last_mut() {
            Some((_, last)) if last == start => *last = end,
            _ => spans.push((*start, end)),
        }
    }
    match (spans.first(), spans.last()) {
        (Some((first, _)), Some((_, last))) if spans.len() > SPANS_MAX => vec![(*first, *last)],
        _ => spans,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gapless_runs_are_read_at_once() {
        let day = |number: i64| DateTime::from_timestamp(number * 86_400, 0).unwrap();
        let of = |days: &[i64]| {
            let starts: Vec<_> = days.iter().map(|number| day(*number)).collect();
            spans(Grain::Hour, &starts)
        };
        assert_eq!(of(&[]), []);
        assert_eq!(of(&[1, 2, 3]), [(day(1), day(4))]);
        assert_eq!(of(&[1, 2, 7]), [(day(1), day(3)), (day(7), day(8))]);
        assert_eq!(of(&[1, 3, 5, 7, 9]), [(day(1), day(10))]);
    }
}
