//! From kept buckets to rows: which series count, what they come to in each bucket, and what is read
//! from that.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use serde_json::{Map, Value as Json};
use uuid::Uuid;

use super::ask::{Ask, Reading, Wanted};
use super::frame::{Frame, Granularity, frame};
use super::reach::Reach;
use crate::access::Resource;
use crate::analytics::metric::{Aggregation, Folded, Measure};
use crate::analytics::rollup::folder;
use crate::analytics::rollup::grain::Grain;
use crate::analytics::rollup::state::State;
use crate::analytics::rollup::{self, Snapshot};
use crate::ctx::Ctx;
use crate::db::Conn;
use crate::error::{Error, Result, say};

/// The values of `by`, in its order; what an event did not say is none.
type Key = Vec<Option<String>>;

/// The states of a series, bucket by bucket.
type Line = Vec<Option<State>>;

/// What one series comes to.
pub(super) struct Answered {
    pub(super) wanted: usize,
    /// `None` stands for all series beyond the limit together.
    pub(super) key: Option<Key>,
    /// Value and number of events of each bucket.
    pub(super) points: Vec<(Option<f64>, i64)>,
}

pub(super) struct Answer {
    pub(super) frame: Frame,
    pub(super) series: Vec<Answered>,
}

pub(super) async fn answer(ctx: &Ctx, conn: &Conn, ask: &Ask) -> Result<Answer> {
    let reader = ctx.reader(Resource::Analytics)?;
    let reach = Reach::of(ctx, conn).await?;
    for wanted in &ask.wanted {
        reach.check(&wanted.metric)?;
    }
    let day_zone = rollup::day_zone(conn, &reader).await?;
    let frame = frame(ask.granularity, ask.zone, ask.span, day_zone)?;
    check_minutes(ctx, ask, &frame)?;
    let parts = ask.wanted.iter().flat_map(|wanted| wanted.metric.parts());
    let parts: BTreeMap<&str, &Folded> =
        parts.map(|folded| (folded.key.as_ref(), folded)).collect();
    let names: Vec<&str> = parts.keys().copied().collect();
    let mut places: HashMap<Uuid, (String, Key)> = HashMap::new();
    for (id, metric, dimensions) in rollup::series_of(conn, &reader, &names).await? {
        if reach.covers(&dimensions) && counts(ask, &dimensions) {
            places.insert(id, (metric, key_of(ask, &dimensions)));
        }
    }
    let mut lines = Lines { frame: &frame, lines: BTreeMap::new(), opening: BTreeMap::new() };
    let ids: Vec<Uuid> = places.keys().copied().collect();
    let starts = frame.starts.first().copied();
    let span = (frame.grain, starts, frame.end);
    let snapshots = rollup::snapshots_of(conn, &reader, ids, span).await?;
    for (id, line) in by_series(&frame, snapshots)? {
        if let Some((metric, key)) = places.get(&id) {
            lines.take(metric, key, line)?;
        }
    }
    let balances: Vec<&str> = parts
        .iter()
        .filter(|(_, folded)| folded.aggregation == Aggregation::Balance)
        .map(|(name, _)| *name)
        .collect();
    if let (false, Some(start), Some(zone)) = (balances.is_empty(), starts, day_zone) {
        let of_balances =
            places.iter().filter(|(_, (metric, _))| balances.contains(&metric.as_str()));
        let ids: Vec<Uuid> = of_balances.map(|(id, _)| *id).collect();
        for span in before(start, zone) {
            for snapshot in rollup::snapshots_of(conn, &reader, ids.clone(), span).await? {
                if let Some((metric, key)) = places.get(&snapshot.series_id) {
                    lines.open(metric, key, snapshot.state)?;
                }
            }
        }
    }
    let series = (0..).zip(&ask.wanted).map(|(index, wanted)| lines.read(ask, index, wanted));
    let series = series.collect::<Result<Vec<_>>>()?.into_iter().flatten().collect();
    Ok(Answer { frame, series })
}

/// What there is before an instant, each part once: whole days, quarters of an hour, and minutes where
/// a bucket of theirs begins inside a quarter.
fn before(start: DateTime<Utc>, zone: Tz) -> Vec<(Grain, Option<DateTime<Utc>>, DateTime<Utc>)> {
    let quarter = Grain::Quarter.start_of(start, zone);
    let day = Grain::Day.start_of(start, zone);
    if day == start {
        return vec![(Grain::Day, None, start)];
    }
    let mut spans = Vec::new();
    let mut from = None;
    // A day that began beside the quarters shares one with the day before it.
    if Grain::Quarter.start_of(day, zone) == day {
        spans.push((Grain::Day, None, day));
        from = Some(day);
    }
    spans.push((Grain::Quarter, from, quarter));
    if quarter < start {
        spans.push((Grain::Minute, Some(quarter), start));
    }
    spans
}

/// Minutes are kept for two days: an older one would be an empty bucket that was not empty.
fn check_minutes(ctx: &Ctx, ask: &Ask, frame: &Frame) -> Result<()> {
    let from = ctx.now() - folder::MINUTES_KEPT;
    // A balance is made of the minutes of its first quarter too.
    let first = frame.starts.first().map(|start| Grain::Quarter.start_of(*start, ask.zone));
    let too_early = first.is_some_and(|start| start < from);
    if ask.granularity == Granularity::Realtime && too_early {
        return Err(Error::invalid_field(
            "from",
            say(
                "minutes are kept for 48 hours: ask by the hour for what is older",
                "minutos ficam por 48 horas: peça por hora o que é mais antigo",
            ),
        ));
    }
    Ok(())
}

fn counts(ask: &Ask, dimensions: &Json) -> bool {
    ask.only.iter().all(|(name, values)| {
        let value = dimensions.get(name).and_then(Json::as_str);
        value.is_some_and(|value| values.contains(value))
    })
}

fn key_of(ask: &Ask, dimensions: &Json) -> Key {
    let value = |name: &String| dimensions.get(name).and_then(Json::as_str).map(str::to_owned);
    ask.by.iter().map(value).collect()
}

/// Metrics by key.
struct Lines<'f> {
    frame: &'f Frame,
    lines: BTreeMap<(String, Key), Line>,
    /// What balances came to before the first bucket.
    opening: BTreeMap<(String, Key), State>,
}

fn add(slot: &mut Option<State>, state: State) -> Result<()> {
    match slot {
        Some(there) => there.merge(&state).map_err(Error::internal),
        None => {
            *slot = Some(state);
            Ok(())
        }
    }
}

/// The line of each series. There are thousands of buckets, and few series: what they are called is
/// looked up once for each.
fn by_series(frame: &Frame, snapshots: Vec<Snapshot>) -> Result<HashMap<Uuid, Line>> {
    let mut lines: HashMap<Uuid, Line> = HashMap::new();
    for snapshot in snapshots {
        let Some(bucket) = frame.bucket_of(snapshot.starts_at) else { continue };
        let line = lines.entry(snapshot.series_id);
        let line = line.or_insert_with(|| vec![None; frame.starts.len()]);
        if let Some(slot) = line.get_mut(bucket) {
            add(slot, snapshot.state)?;
        }
    }
    Ok(lines)
}

impl Lines<'_> {
    fn take(&mut self, metric: &str, key: &Key, taken: Line) -> Result<()> {
        let line = self.lines.entry((metric.to_owned(), key.clone()));
        let line = line.or_insert_with(|| vec![None; self.frame.starts.len()]);
        for (slot, state) in line.iter_mut().zip(taken) {
            if let Some(state) = state {
                add(slot, state)?;
            }
        }
        Ok(())
    }

    fn open(&mut self, metric: &str, key: &Key, state: State) -> Result<()> {
        let place = (metric.to_owned(), key.clone());
        let mut slot = self.opening.remove(&place);
        add(&mut slot, state)?;
        self.opening.extend(slot.map(|state| (place, state)));
        Ok(())
    }

    /// The series of one number, the busiest first, the rest together.
    fn read(&self, ask: &Ask, index: usize, wanted: &Wanted) -> Result<Vec<Answered>> {
        let parts = wanted.metric.parts();
        let in_parts = |key: &String| parts.iter().any(|part| *part.key == **key);
        let known = self.lines.keys().chain(self.opening.keys());
        let keys: BTreeSet<&Key> =
            known.filter(|(name, _)| in_parts(name)).map(|(_, key)| key).collect();
        let mut ranked: Vec<(i64, &Key)> = keys
            .into_iter()
            .map(|key| (parts.iter().map(|part| self.events(&part.key, key)).sum(), key))
            .collect();
        ranked.sort_by(|one, other| other.0.cmp(&one.0).then_with(|| one.1.cmp(other.1)));
        if ask.by.is_empty() && ranked.is_empty() && ask.fill {
            // Nothing happened, and a chart wants to show that.
            return Ok(vec![self.answered(wanted, (index, Some(Vec::new())), &[])?]);
        }
        let shown = ask.limit.unwrap_or(usize::MAX).min(ranked.len());
        let (shown, rest) = ranked.split_at(shown);
        let mut series = Vec::with_capacity(shown.len() + 1);
        for (_, key) in shown {
            series.push(self.answered(wanted, (index, Some((*key).clone())), &[*key])?);
        }
        if !rest.is_empty() {
            let keys: Vec<&Key> = rest.iter().map(|(_, key)| *key).collect();
            series.push(self.answered(wanted, (index, None), &keys)?);
        }
        Ok(series)
    }

    fn events(&self, part: &str, key: &Key) -> i64 {
        let line = self.lines.get(&(part.to_owned(), key.clone()));
        let states = line.into_iter().flatten().flatten();
        states.map(State::events).sum()
    }

    fn answered(
        &self,
        wanted: &Wanted,
        (index, key): (usize, Option<Key>),
        of: &[&Key],
    ) -> Result<Answered> {
        let mut merged = Vec::new();
        let parts = wanted.metric.parts();
        for folded in &parts {
            merged.push(self.merged(folded, of)?);
        }
        let points = (0..self.frame.starts.len()).map(|bucket| {
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
        });
        Ok(Answered { wanted: index, key, points: points.collect() })
    }

    /// The states of several series as one; of a balance what it comes to by then.
    fn merged(&self, folded: &Folded, of: &[&Key]) -> Result<Line> {
        let mut line: Line = vec![None; self.frame.starts.len()];
        let mut opening = None;
        for key in of {
            let place = (folded.key.to_string(), (*key).clone());
            for (slot, state) in line.iter_mut().zip(self.lines.get(&place).into_iter().flatten()) {
                if let Some(state) = state {
                    add(slot, state.clone())?;
                }
            }
            if let Some(state) = self.opening.get(&place) {
                add(&mut opening, state.clone())?;
            }
        }
        if folded.aggregation == Aggregation::Balance {
            for slot in &mut line {
                if let Some(state) = slot.take() {
                    add(&mut opening, state)?;
                }
                slot.clone_from(&opening);
            }
        }
        Ok(line)
    }
}

/// A state as a number; none where there is none to give.
#[expect(
    clippy::cast_precision_loss,
    clippy::as_conversions,
    reason = "a chart's value is a float"
)]
fn value(folded: &Folded, state: Option<&State>, reading: Reading) -> Option<f64> {
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

/// What a series is called, and its values by dimension.
pub(super) fn label(ask: &Ask, key: Option<&Key>, language_other: &str) -> (String, Json) {
    let Some(key) = key else {
        return (language_other.to_owned(), Json::Object(Map::new()));
    };
    let labels: Map<String, Json> = ask
        .by
        .iter()
        .zip(key)
        .map(|(name, value)| (name.clone(), value.clone().map_or(Json::Null, Json::String)))
        .collect();
    let texts = key.iter().map(|value| value.as_deref().unwrap_or("-"));
    (texts.collect::<Vec<_>>().join(" / "), Json::Object(labels))
}
