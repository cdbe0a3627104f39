//! The load generator: many connections, one thread, each connection asking as soon as it is
//! answered. Every answer is checked, because a fast error is not a fast answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::http::{Answer, Connection, Target};
use crate::machine;
use crate::outcome::Outcome;

/// Stands in a body for one of the ids, and for a number of two digits.
pub(crate) const ID: &str = "{{ID}}";
pub(crate) const NUMBER: &str = "{{NUMBER}}";
const ID_LENGTH: usize = 36;
const NUMBER_LENGTH: usize = 2;

const LENGTH_TOLERANCE: usize = 8;
/// Extensions of an answer are within so many bytes of its end.
const END_LENGTH: usize = 800;

/// A request that is sent over and over, with what varies filled in each time.
#[derive(Debug)]
pub(crate) struct Work {
    target: Target,
    parts: Vec<Part>,
    ids: Arc<[String]>,
    /// How every answer must begin.
    prefix: String,
    /// What must be found near the end of every answer, where extensions are.
    told: &'static [&'static str],
}

#[derive(Debug)]
enum Part {
    Text(String),
    Id,
    Number,
}

impl Work {
    /// `body` is JSON; [`ID`] in it becomes one of `ids` and [`NUMBER`] a number of two digits.
    pub(crate) fn new(target: Target, body: &str, ids: Arc<[String]>, prefix: &str) -> Self {
        let mut parts = parts(body);
        let length = parts.iter().map(Part::length).sum();
        parts.insert(0, Part::Text(target.head(length)));
        Self { target, parts, ids, prefix: prefix.to_owned(), told: &[] }
    }

    /// A GET; [`ID`] in its path becomes one of `ids`.
    pub(crate) fn get(target: Target, path: &str, ids: Arc<[String]>, prefix: &str) -> Self {
        let parts = parts(&target.get(path));
        Self { target, parts, ids, prefix: prefix.to_owned(), told: &[] }
    }

    /// The same, whose every answer must say so near its end.
    pub(crate) fn told(self, told: &'static [&'static str]) -> Self {
        Self { told, ..self }
    }

    /// `false` when there is nothing left to ask.
    fn write(&self, request: &mut Vec<u8>, choice: &mut Choice) -> bool {
        request.clear();
        for part in &self.parts {
            match part {
                Part::Text(text) => request.extend_from_slice(text.as_bytes()),
                Part::Id => {
                    let Some(id) = self.ids.get(choice.below(self.ids.len())) else {
                        return false;
                    };
                    request.extend_from_slice(id.as_bytes());
                }
                Part::Number => {
                    let number = 10 + choice.below(90);
                    request.extend_from_slice(number.to_string().as_bytes());
                }
            }
        }
        true
    }

    /// Whether an answer is one of success. Long answers are known by their beginning and by
    /// having the `usual` length, give or take the digits of a duration: reading all of each would
    /// cost as much as sending it.
    fn accepts(&self, answer: &Answer<'_>, usual: &mut Option<usize>) -> bool {
        let varies = self.parts.iter().any(|part| !matches!(part, Part::Text(_)));
        let whole = if varies {
            !answer.body.windows(9).any(|window| window == b"\"errors\":")
        } else {
            usual.get_or_insert(answer.body.len()).abs_diff(answer.body.len()) <= LENGTH_TOLERANCE
        };
        let end = answer.body.get(answer.body.len().saturating_sub(END_LENGTH)..);
        let end = end.unwrap_or(answer.body);
        let is_told = |text: &&str| end.windows(text.len()).any(|part| part == text.as_bytes());
        let whole = whole && self.told.iter().all(is_told);
        answer.status == 200 && answer.body.starts_with(self.prefix.as_bytes()) && whole
    }
}

/// Cuts a text at what varies.
fn parts(text: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    for (index, piece) in text.split(ID).enumerate() {
        if index > 0 {
            parts.push(Part::Id);
        }
        for (index, piece) in piece.split(NUMBER).enumerate() {
            if index > 0 {
                parts.push(Part::Number);
            }
            parts.push(Part::Text(piece.to_owned()));
        }
    }
    parts
}

impl Part {
    fn length(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Id => ID_LENGTH,
            Self::Number => NUMBER_LENGTH,
        }
    }
}

/// Which row is asked for next.
#[derive(Debug)]
enum Choice {
    /// Numbers that are as good as random for choosing rows (xorshift), without end.
    Chance(u64),
    /// Each once, whichever connection gets to it first.
    Each(Arc<AtomicUsize>),
}

impl Choice {
    fn chance(number: u64) -> Self {
        Self::Chance(number.wrapping_mul(0x9E37_79B9_7F4A_7C15))
    }

    /// A number below the limit; one that is not when each was asked for.
    fn below(&mut self, limit: usize) -> usize {
        match self {
            Self::Chance(state) => {
                *state ^= *state << 13;
                *state ^= *state >> 7;
                *state ^= *state << 17;
                let limit = u64::try_from(limit.max(1)).unwrap_or(1);
                usize::try_from(*state % limit).unwrap_or_default()
            }
            Self::Each(next) => next.fetch_add(1, Ordering::Relaxed),
        }
    }
}

/// What one round gave.
#[derive(Debug)]
pub(crate) struct Round {
    pub(crate) seconds: f64,
    /// Of each request, in microseconds, sorted.
    latencies: Vec<u64>,
}

impl Round {
    pub(crate) fn requests(&self) -> f64 {
        self.latencies.len() as f64
    }

    /// The latency that `per_mille` of the requests kept under, in milliseconds.
    pub(crate) fn percentile_ms(&self, per_mille: usize) -> f64 {
        percentile(&self.latencies, per_mille) / 1000.0
    }
}

impl Round {
    pub(crate) fn none() -> Self {
        Self { seconds: 0.0, latencies: Vec::new() }
    }

    /// This round and another as one.
    pub(crate) fn and(mut self, mut other: Self) -> Self {
        self.seconds += other.seconds;
        self.latencies.append(&mut other.latencies);
        self.latencies.sort_unstable();
        self
    }
}

/// The value that `per_mille` of the sorted `values` do not exceed.
pub(crate) fn percentile(values: &[u64], per_mille: usize) -> f64 {
    let rank = values.len().saturating_mul(per_mille).div_ceil(1000);
    values.get(rank.saturating_sub(1)).map_or(f64::NAN, |&value| value as f64)
}

/// Keeps `connections` connections busy for `duration`.
pub(crate) async fn drive(
    work: &Arc<Work>,
    connections: usize,
    duration: Duration,
) -> Outcome<Round> {
    run(work, connections, duration, Choice::chance).await
}

/// Asks for each of the ids once.
pub(crate) async fn sweep(work: &Arc<Work>, connections: usize) -> Outcome<Round> {
    let next = Arc::new(AtomicUsize::new(0));
    run(work, connections, Duration::MAX, |_| Choice::Each(Arc::clone(&next))).await
}

async fn run(
    work: &Arc<Work>,
    connections: usize,
    duration: Duration,
    choice: impl Fn(u64) -> Choice,
) -> Outcome<Round> {
    let mut opened = Vec::with_capacity(connections);
    for _ in 0..connections {
        opened.push(Connection::open(work.target.address).await?);
    }
    let started = machine::now();
    let mut tasks = JoinSet::new();
    for (number, connection) in (1_u64..).zip(opened) {
        tasks.spawn(keep_busy(Arc::clone(work), connection, choice(number), started, duration));
    }
    let mut latencies = Vec::new();
    while let Some(finished) = tasks.join_next().await {
        latencies.append(&mut finished.map_err(|error| format!("load generator: {error}"))??);
    }
    let seconds = started.elapsed().as_secs_f64();
    latencies.sort_unstable();
    Ok(Round { seconds, latencies })
}

async fn keep_busy(
    work: Arc<Work>,
    mut connection: Connection,
    mut choice: Choice,
    started: Instant,
    duration: Duration,
) -> Outcome<Vec<u64>> {
    let mut latencies = Vec::with_capacity(64 * 1024);
    let mut request = Vec::with_capacity(4 * 1024);
    let mut usual = None;
    loop {
        let sent = started.elapsed();
        if sent >= duration {
            return Ok(latencies);
        }
        if !work.write(&mut request, &mut choice) {
            return Ok(latencies);
        }
        let answer = connection.exchange(&request).await?;
        if !work.accepts(&answer, &mut usual) {
            let body: String = String::from_utf8_lossy(answer.body).chars().take(500).collect();
            return Err(format!("an answer that is none, status {}: {body}", answer.status));
        }
        let taken = started.elapsed().saturating_sub(sent).as_micros();
        latencies.push(u64::try_from(taken).unwrap_or(u64::MAX));
    }
}

#[cfg(test)]
mod tests {
    use super::percentile;

    #[test]
    fn percentiles_of_few_values() {
        let values: Vec<u64> = (1..=100).collect();
        assert_eq!(percentile(&values, 500), 50.0);
        assert_eq!(percentile(&values, 990), 99.0);
        assert_eq!(percentile(&[7], 990), 7.0);
        assert!(percentile(&[], 500).is_nan());
    }
}
