//! Kept buckets, put together by what they are divided into, and read as numbers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::DateTime;

use super::ask::{Reading, Wanted};
use super::frame::Frame;
use crate::analytics::dimension::names::{Key, Names};
use crate::analytics::metric::{Aggregation, Folded, Measure};
use crate::analytics::rollup::Snapshots;
use crate::analytics::rollup::kept::Stored;
use crate::analytics::rollup::state::State;
use crate::error::{Error, Result};

/// A metric's folded parts.
type Parts<'p> = &'p [&'p Folded];

/// Value and number of events of a bucket.
pub(super) type Number = (Option<f64>, i64);

/// The states of a series, bucket by bucket.
type Line = Vec<Option<State>>;

/// What there is of a part and a key.
#[derive(Default)]
struct Course {
    /// Rows of its buckets, in the order of time, each by its number.
    rows: Vec<(Arc<Stored>, usize)>,
    /// What a balance came to before the first bucket.
    opening: Option<State>,
}

/// A key as events have it, and the buckets in which it counts.
struct Member {
    key: Key,
    /// All of them where it is not said.
    buckets: Option<Vec<bool>>,
}

impl Member {
    fn counts_in(&self, bucket: usize) -> bool {
        let buckets = self.buckets.as_ref();
        buckets.is_none_or(|buckets| buckets.get(bucket).copied().unwrap_or_default())
    }
}

/// Parts of metrics by key.
pub(super) struct Lines {
    pub(super) frame: Frame,
    /// Where its buckets begin and where it ends, in seconds: kept buckets begin at whole ones.
    starts: Vec<i64>,
    end: i64,
    courses: BTreeMap<String, BTreeMap<Key, Course>>,
    /// What is shown under one name.
    groups: BTreeMap<Key, Vec<Member>>,
}

fn add(slot: &mut Option<State>, state: &State) -> Result<()> {
    match slot {
        Some(there) => there.merge(state).map_err(Error::internal),
        None => {
            *slot = Some(state.clone());
            Ok(())
        }
    }
}

impl Lines {
    pub(super) fn over(frame: Frame) -> Self {
        let starts = frame.starts.iter().map(DateTime::timestamp).collect();
        let end = frame.end.timestamp();
        Self { frame, starts, end, courses: BTreeMap::new(), groups: BTreeMap::new() }
    }

    fn course(&mut self, part: &str, key: &Key) -> &mut Course {
        let of_part = self.courses.entry(part.to_owned()).or_default();
        of_part.entry(key.clone()).or_default()
    }

    /// Takes in a stored row, by its number; rows come in the order of time.
    pub(super) fn take(
        &mut self,
        part: &str,
        key: &Key,
        (stored, number): (&Arc<Stored>, usize),
    ) -> Result<()> {
        let mut has_any = self.frame.holds(stored);
        if !has_any {
            self.each((stored, number), |_, _| {
                has_any = true;
                Ok(())
            })?;
        }
        if has_any {
            self.course(part, key).rows.push((Arc::clone(stored), number));
        }
        Ok(())
    }

    /// Does something with every bucket of a stored row that is asked for.
    fn each(
        &self,
        (stored, number): (&Stored, usize),
        mut act: impl FnMut(usize, &State) -> Result<()>,
    ) -> Result<()> {
        let Some(row) = stored.rows.get(number) else { return Ok(()) };
        let from = stored.from.timestamp();
        let mut last = None;
        row.each(|offset, state| {
            last = self.bucket_at(from + offset, last);
            last.map_or(Ok(()), |bucket| act(bucket, state))
        })
    }

    /// The bucket that an instant falls into, which is in or after the one that was `last`.
    fn bucket_at(&self, at: i64, last: Option<usize>) -> Option<usize> {
        if at >= self.end {
            return None;
        }
        let Some(mut bucket) = last else {
            return self.starts.partition_point(|start| *start <= at).checked_sub(1);
        };
        while self.starts.get(bucket + 1).is_some_and(|start| *start <= at) {
            bucket += 1;
        }
        Some(bucket)
    }

    pub(super) fn open(&mut self, part: &str, key: &Key, snapshots: &Snapshots) -> Result<()> {
        for bucket in snapshots.buckets() {
            let (_, state) = bucket?;
            add(&mut self.course(part, key).opening, &state)?;
        }
        Ok(())
    }

    /// Puts together what goes by the same name.
    pub(super) fn name(&mut self, names: Option<&Names>) {
        let ends = self.frame.ends();
        let keys: BTreeSet<&Key> = self.courses.values().flat_map(BTreeMap::keys).collect();
        let mut groups: BTreeMap<Key, Vec<Member>> = BTreeMap::new();
        for key in keys {
            let named = match names {
                Some(names) => names.named(key, &ends),
                None => vec![(key.clone(), None)],
            };
            for (name, buckets) in named {
                groups.entry(name).or_default().push(Member { key: key.clone(), buckets });
            }
        }
        self.groups = groups;
    }

    fn known(&self, part: &str, key: &Key) -> Option<&Course> {
        self.courses.get(part)?.get(key)
    }

    /// The keys of which a metric has something.
    pub(super) fn keys(&self, parts: Parts<'_>) -> impl Iterator<Item = &Key> {
        let has = |members: &Vec<Member>| {
            let known = |part: &&Folded| {
                members.iter().any(|member| self.known(&part.key, &member.key).is_some())
            };
            parts.iter().any(known)
        };
        self.groups.iter().filter(move |(_, members)| has(members)).map(|(key, _)| key)
    }

    /// How many events are behind a key.
    pub(super) fn events(&self, parts: Parts<'_>, key: &Key) -> Result<i64> {
        let mut events = 0;
        for member in self.groups.get(key).into_iter().flatten() {
            let known = parts.iter().filter_map(|part| self.known(&part.key, &member.key));
            for (stored, number) in known.flat_map(|course| &course.rows) {
                if member.buckets.is_none() && self.frame.holds(stored) {
                    events += stored.rows.get(*number).map_or(0, |row| row.events);
                    continue;
                }
                self.each((stored, *number), |bucket, state| {
                    events += if member.counts_in(bucket) { state.events() } else { 0 };
                    Ok(())
                })?;
            }
        }
        Ok(events)
    }

    /// What the keys together come to in each bucket.
    pub(super) fn numbers(&self, wanted: &Wanted, keys: &[&Key]) -> Result<Vec<Number>> {
        let parts = wanted.metric.parts();
        let mut merged = Vec::with_capacity(parts.len());
        for folded in &parts {
            merged.push(self.merged(folded, keys)?);
        }
        let number = |bucket: usize| {
            let state =
                |part: usize| merged.get(part).and_then(|line: &Line| line.get(bucket)?.as_ref());
            let read = |part: usize| {
                parts.get(part).and_then(|folded| value(folded, state(part), wanted.reading))
            };
            let value = match &wanted.metric.measure {
                Measure::Folded(_) => read(0),
                Measure::Ratio { times, .. } => match (read(0), read(1)) {
                    (Some(above), Some(below)) if below != 0.0 => Some(above / below * times),
                    (_, _) => None,
                },
            };
            (value, state(0).map_or(0, State::events))
        };
        Ok((0..self.frame.starts.len()).map(number).collect())
    }

    /// The states of several keys as one; of a balance what it comes to by then.
    fn merged(&self, folded: &Folded, keys: &[&Key]) -> Result<Line> {
        let mut line: Line = vec![None; self.frame.starts.len()];
        for member in keys.iter().filter_map(|key| self.groups.get(*key)).flatten() {
            let Some(course) = self.known(&folded.key, &member.key) else { continue };
            if folded.aggregation == Aggregation::Balance {
                self.add_balance(&mut line, course, member)?;
                continue;
            }
            for (stored, number) in &course.rows {
                self.each((stored, *number), |bucket, state| {
                    let slot = line.get_mut(bucket).filter(|_| member.counts_in(bucket));
                    slot.map_or(Ok(()), |slot| add(slot, state))
                })?;
            }
        }
        Ok(line)
    }

    /// Adds what a balance comes to by each bucket.
    fn add_balance(&self, line: &mut Line, course: &Course, member: &Member) -> Result<()> {
        let mut changes: Line = vec![None; line.len()];
        for (stored, number) in &course.rows {
            self.each((stored, *number), |bucket, state| {
                changes.get_mut(bucket).map_or(Ok(()), |slot| add(slot, state))
            })?;
        }
        let mut balance = course.opening.clone();
        for (bucket, (slot, change)) in line.iter_mut().zip(&changes).enumerate() {
            if let Some(change) = change {
                add(&mut balance, change)?;
            }
            if let Some(state) = balance.as_ref().filter(|_| member.counts_in(bucket)) {
                add(slot, state)?;
            }
        }
        Ok(())
    }
}

/// A state as a number; none where there is none to give.
#[expect(
    clippy::cast_precision_loss,
    clippy::as_conversions,
    reason = "a chart's value is a float"
)]
pub(super) fn value(folded: &Folded, state: Option<&State>, reading: Reading) -> Option<f64> {
    let unit = 10_f64.powi(i32::try_from(folded.scale).unwrap_or_default());
    let counted =
        matches!(folded.aggregation, Aggregation::Count | Aggregation::Balance | Aggregation::Sum);
    let Some(state) = state else {
        let is_count = reading == Reading::Count || reading == Reading::Sum;
        let is_zero = is_count || (counted && reading == Reading::Usual);
        return is_zero.then_some(0.0);
    };
    if reading == Reading::Count {
        return Some(state.events() as f64);
    }
    match state {
        State::Count(count) => Some(*count as f64),
        State::Sum(total) => {
            let average = match reading {
                Reading::Average => true,
                Reading::Usual => folded.aggregation == Aggregation::Average,
                Reading::Count | Reading::Sum | Reading::Quantile(_) => false,
            };
            let sum = total.sum as f64 / unit;
            Some(if average { sum / total.count as f64 } else { sum })
        }
        State::Minimum(extreme) | State::Maximum(extreme) => Some(extreme.value as f64 / unit),
        State::Last(latest) => Some(latest.value as f64 / unit),
        State::Distinct(distinct) => Some(distinct.estimate()),
        State::Spread(sketch) => {
            let total = sketch.total();
            match reading {
                Reading::Sum => Some(total.sum as f64 / unit),
                Reading::Average => Some(total.sum as f64 / unit / total.count as f64),
                Reading::Quantile(per_mille) => {
                    sketch.quantile(per_mille).map(|value| value / unit)
                }
                Reading::Usual | Reading::Count => sketch.quantile(500).map(|value| value / unit),
            }
        }
    }
}
