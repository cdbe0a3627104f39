//! The epochs of snapshots: numbers that grow when rows of a stretch of time change.

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, Utc};

use crate::access::Permit;
use crate::analytics::rollup::chunk::Chunk;
use crate::analytics::rollup::grain::Grain;
use crate::cache;
use crate::db::Conn;
use crate::error::Result;

/// Grows when rows go whose times nobody lists.
const ALL: &str = "snapshots";

/// What a stretch of time is at: the epoch of all snapshots, and its own.
pub(in crate::analytics::rollup) type Version = (i64, i64);

/// Minutes change all the time and go after two days: nobody keeps them.
fn has_epoch(grain: Grain) -> bool {
    grain != Grain::Minute
}

fn name(grain: Grain, from: DateTime<Utc>) -> String {
    format!("{ALL}/{}/{}", grain.as_str(), from.timestamp())
}

/// Says that these rows changed. In the transaction of the change.
pub(super) async fn raise(
    conn: &Conn,
    permit: &impl Permit,
    chunks: impl Iterator<Item = Chunk>,
    now: DateTime<Utc>,
) -> Result<()> {
    let chunks = chunks.filter(|chunk| has_epoch(chunk.grain));
    let names = chunks.map(|chunk| name(chunk.grain, chunk.starts_at)).collect();
    cache::raise(conn, permit, &names, now).await
}

/// Says that any row may have changed.
pub(super) async fn raise_all(conn: &Conn, permit: &impl Permit, now: DateTime<Utc>) -> Result<()> {
    cache::raise(conn, permit, &BTreeSet::from([ALL.to_owned()]), now).await
}

/// What stretches of time are at.
#[derive(Debug)]
pub(in crate::analytics::rollup) struct Versions {
    grain: Grain,
    epochs: HashMap<String, i64>,
}

impl Versions {
    /// `None` for what has no epoch.
    pub(in crate::analytics::rollup) fn of(&self, from: DateTime<Utc>) -> Option<Version> {
        let epoch = |name: &str| self.epochs.get(name).copied().unwrap_or_default();
        has_epoch(self.grain).then(|| (epoch(ALL), epoch(&name(self.grain, from))))
    }
}

/// Reads what stretches of time are at that begin there.
pub(in crate::analytics::rollup) async fn versions(
    conn: &Conn,
    permit: &impl Permit,
    (grain, starts): (Grain, &[DateTime<Utc>]),
) -> Result<Versions> {
    let mut epochs = HashMap::new();
    if has_epoch(grain) {
        let mut names: Vec<String> = starts.iter().map(|from| name(grain, *from)).collect();
        names.push(ALL.to_owned());
        epochs = cache::values_of(conn, permit, names).await?;
    }
    Ok(Versions { grain, epochs })
}
