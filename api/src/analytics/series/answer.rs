//! From kept buckets to series: which of them count, what they come to in each bucket, and what they
//! are compared with.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use serde_json::{Map, Value as Json};
use uuid::Uuid;

use super::ask::{Ask, Wanted};
use super::compare::{self, Earlier};
use super::frame::{Frame, Granularity, frame};
use super::lines::Lines;
use super::reach::Reach;
use crate::access::{Reader, Resource};
use crate::analytics::dimension::names::{Key, Names};
use crate::analytics::metric::{Aggregation, Folded};
use crate::analytics::rollup::grain::Grain;
use crate::analytics::rollup::kept::Series;
use crate::analytics::rollup::{self, folder};
use crate::ctx::Ctx;
use crate::db::Conn;
use crate::error::{Error, Result, say};

/// Everything that an answer is read from.
pub(super) struct Material {
    pub(super) lines: Lines,
    earlier: Option<(Lines, Vec<Option<usize>>)>,
}

/// What one series comes to.
pub(super) struct Answered {
    pub(super) wanted: usize,
    /// `None` stands for all series beyond the limit together.
    pub(super) key: Option<Key>,
    pub(super) points: Vec<Point>,
}

/// What a series comes to in one bucket.
pub(super) struct Point {
    pub(super) value: Option<f64>,
    pub(super) events: i64,
    /// Its counterpart in the time that it is compared with.
    pub(super) then: Option<Then>,
}

pub(super) struct Then {
    pub(super) time: DateTime<Utc>,
    pub(super) value: Option<f64>,
    pub(super) events: i64,
}

impl Point {
    /// How much more, or less, than then.
    pub(super) fn change(&self) -> Option<f64> {
        Some(self.value? - self.then.as_ref()?.value?)
    }

    /// The same, per cent of what it was then.
    pub(super) fn change_percent(&self) -> Option<f64> {
        let before = self.then.as_ref()?.value?;
        (before != 0.0).then_some(self.change()? / before.abs() * 100.0)
    }

    /// Whether anything happened, now or then.
    pub(super) fn has_events(&self) -> bool {
        self.events > 0 || self.then.as_ref().is_some_and(|then| then.events > 0)
    }
}

/// Reads what is asked for; with `whole` all buckets of the span as one.
pub(super) async fn gather(ctx: &Ctx, conn: &Conn, ask: &Ask, whole: bool) -> Result<Material> {
    let reader = ctx.reader(Resource::Analytics)?;
    let reach = Reach::of(ctx, conn).await?;
    for wanted in &ask.wanted {
        reach.check(&wanted.metric)?;
    }
    let day_zone = rollup::day_zone(conn, &reader).await?;
    let (now, earlier) = frames(ctx, ask, day_zone, whole)?;
    let kept = Kept::of(ctx, (conn, &reader), ask, (&reach, day_zone)).await?;
    let mut lines = kept.lines(now).await?;
    let mut then = match earlier {
        Some(earlier) => Some((kept.lines(earlier.frame).await?, earlier.counterparts)),
        None => None,
    };
    let names = kept.names(ask).await?;
    lines.name(names.as_ref());
    if let Some((lines, _)) = &mut then {
        lines.name(names.as_ref());
    }
    Ok(Material { lines, earlier: then })
}

/// The buckets that are asked for, and those that they are compared with.
fn frames(
    ctx: &Ctx,
    ask: &Ask,
    day_zone: Option<Tz>,
    whole: bool,
) -> Result<(Frame, Option<Earlier>)> {
    let now = frame(ask.granularity, ask.zone, ask.span, day_zone)?;
    check_minutes(ctx, ask, (&now, "from"))?;
    let earlier = match ask.compare {
        Some(comparison) => {
            let earlier =
                compare::earlier(comparison, (ask.granularity, ask.zone), &now, day_zone)?;
            if let Some(earlier) = &earlier {
                check_minutes(ctx, ask, (&earlier.frame, "compareTo"))?;
            }
            earlier
        }
        None => None,
    };
    if !whole {
        return Ok((now, earlier));
    }
    let as_one =
        |earlier: Earlier| Earlier { frame: earlier.frame.whole(), counterparts: vec![Some(0)] };
    Ok((now.whole(), earlier.map(as_one)))
}

/// The kept series that count, and where their buckets are read.
struct Kept<'a> {
    ctx: &'a Ctx,
    conn: &'a Conn,
    reader: &'a Reader,
    day_zone: Option<Tz>,
    series: BTreeMap<Arc<str>, Series>,
    /// The metric and the key of every series that counts.
    places: HashMap<Uuid, (Arc<str>, Key)>,
    balances: BTreeSet<Arc<str>>,
}

impl<'a> Kept<'a> {
    async fn of(
        ctx: &'a Ctx,
        (conn, reader): (&'a Conn, &'a Reader),
        ask: &Ask,
        (reach, day_zone): (&Reach, Option<Tz>),
    ) -> Result<Self> {
        let parts = ask.wanted.iter().flat_map(|wanted| wanted.metric.parts());
        let parts: BTreeMap<&str, &Folded> =
            parts.map(|folded| (folded.key.as_ref(), folded)).collect();
        let names: Vec<&str> = parts.keys().copied().collect();
        let mut series: BTreeMap<Arc<str>, Series> =
            names.iter().map(|name| (Arc::from(*name), Series::default())).collect();
        let mut places = HashMap::new();
        for (id, metric, dimensions) in rollup::series_of(conn, reader, &names).await? {
            let metric: Arc<str> = Arc::from(metric);
            let of_metric = series.entry(Arc::clone(&metric)).or_default();
            of_metric.all.push(id);
            if reach.covers(&dimensions) && counts(ask, &dimensions) {
                of_metric.asked.push(id);
                places.insert(id, (metric, key_of(ask, &dimensions)));
            }
        }
        let is_balance = |folded: &Folded| folded.aggregation == Aggregation::Balance;
        let balances = parts.iter().filter(|(_, folded)| is_balance(folded));
        let balances = balances.map(|(key, _)| Arc::from(*key)).collect();
        Ok(Self { ctx, conn, reader, day_zone, series, places, balances })
    }

    /// What the values of `by` are called, where that is asked for.
    async fn names(&self, ask: &Ask) -> Result<Option<Names>> {
        let Some(naming) = ask.naming.filter(|_| !ask.by.is_empty()) else { return Ok(None) };
        let keys: Vec<&Key> = self.places.values().map(|(_, key)| key).collect();
        let values = values_of(&ask.by, &keys);
        Names::of(self.ctx, self.conn, naming, &values).await.map(Some)
    }

    async fn lines(&self, frame: Frame) -> Result<Lines> {
        let Some(start) = frame.starts.first().copied() else { return Ok(Lines::over(frame)) };
        let span = (frame.grain, start, frame.end);
        let mut lines = Lines::over(frame);
        let kept = &self.ctx.app.snapshots;
        for stored in kept.between((self.conn, self.reader), &self.series, span).await? {
            for (number, row) in stored.rows.iter().enumerate() {
                if let Some((metric, key)) = self.places.get(&row.series_id) {
                    lines.take(metric, key, (&stored, number))?;
                }
            }
        }
        if let (false, Some(zone)) = (self.balances.is_empty(), self.day_zone) {
            self.open(&mut lines, start, zone).await?;
        }
        Ok(lines)
    }

    /// What balances came to before the first bucket.
    async fn open(&self, lines: &mut Lines, start: DateTime<Utc>, zone: Tz) -> Result<()> {
        let is_balance = |metric: &str| self.balances.contains(metric);
        let of_balances = self.places.iter().filter(|(_, (metric, _))| is_balance(metric));
        let ids: Vec<Uuid> = of_balances.map(|(id, _)| *id).collect();
        for span in before(start, zone) {
            for snapshots in rollup::snapshots_of(self.conn, self.reader, ids.clone(), span).await?
            {
                if let Some((metric, key)) = self.places.get(&snapshots.series_id()) {
                    lines.open(metric, key, &snapshots)?;
                }
            }
        }
        Ok(())
    }
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
fn check_minutes(ctx: &Ctx, ask: &Ask, (frame, argument): (&Frame, &'static str)) -> Result<()> {
    let from = ctx.now() - folder::MINUTES_KEPT;
    // A balance is made of the minutes of its first quarter too.
    let first = frame.starts.first().map(|start| Grain::Quarter.start_of(*start, ask.zone));
    let too_early = first.is_some_and(|start| start < from);
    if ask.granularity == Granularity::Realtime && too_early {
        return Err(Error::invalid_field(
            argument,
            say(
                "minutes are kept for 48 hours: ask by the hour for what is older",
                "minutos ficam por 48 horas: peça por hora o que é mais antigo",
            ),
        ));
    }
    Ok(())
}

pub(super) fn counts(ask: &Ask, dimensions: &Json) -> bool {
    ask.only.iter().all(|(name, values)| {
        let value = dimensions.get(name).and_then(Json::as_str);
        value.is_some_and(|value| values.contains(value))
    })
}

pub(super) fn key_of(ask: &Ask, dimensions: &Json) -> Key {
    let value = |name: &String| dimensions.get(name).and_then(Json::as_str).map(str::to_owned);
    ask.by.iter().map(value).collect()
}

/// The values that keys have of each dimension.
pub(super) fn values_of(by: &[String], keys: &[&Key]) -> Vec<(String, BTreeSet<String>)> {
    let values = |place: usize| keys.iter().filter_map(|key| key.get(place)?.clone()).collect();
    by.iter().enumerate().map(|(place, name)| (name.clone(), values(place))).collect()
}

impl Material {
    /// The series of every number that is asked for.
    pub(super) fn series(&self, ask: &Ask) -> Result<Vec<Answered>> {
        let mut series = Vec::new();
        for (index, wanted) in ask.wanted.iter().enumerate() {
            series.extend(self.series_of(ask, index, wanted)?);
        }
        Ok(series)
    }

    /// The series of one number, the busiest first, the rest together.
    fn series_of(&self, ask: &Ask, index: usize, wanted: &Wanted) -> Result<Vec<Answered>> {
        let ranked = self.ranked(wanted)?;
        if ask.by.is_empty() && ranked.is_empty() && ask.fill {
            // Nothing happened, and a chart wants to show that.
            let points = self.points(wanted, &[])?;
            return Ok(vec![Answered { wanted: index, key: Some(Vec::new()), points }]);
        }
        let shown = ask.limit.unwrap_or(usize::MAX).min(ranked.len());
        let (shown, rest) = ranked.split_at(shown);
        let mut series = Vec::with_capacity(shown.len() + 1);
        for key in shown {
            let points = self.points(wanted, &[*key])?;
            series.push(Answered { wanted: index, key: Some((*key).clone()), points });
        }
        if !rest.is_empty() {
            series.push(Answered { wanted: index, key: None, points: self.points(wanted, rest)? });
        }
        Ok(series)
    }

    /// The keys of which there is something, now or then, the busiest first.
    pub(super) fn ranked(&self, wanted: &Wanted) -> Result<Vec<&Key>> {
        let parts = wanted.metric.parts();
        let earlier = self.earlier.as_ref().map(|(lines, _)| lines);
        let then = earlier.into_iter().flat_map(|lines| lines.keys(&parts));
        let keys: BTreeSet<&Key> = self.lines.keys(&parts).chain(then).collect();
        let events =
            |lines: Option<&Lines>, key| lines.map_or(Ok(0), |lines| lines.events(&parts, key));
        let busy = |key| Ok(((events(Some(&self.lines), key)?, events(earlier, key)?), key));
        let mut ranked: Vec<_> = keys.into_iter().map(busy).collect::<Result<_>>()?;
        ranked.sort_by(|one, other| other.0.cmp(&one.0).then_with(|| one.1.cmp(other.1)));
        Ok(ranked.into_iter().map(|(_, key)| key).collect())
    }

    /// What keys together come to, bucket by bucket.
    pub(super) fn points(&self, wanted: &Wanted, keys: &[&Key]) -> Result<Vec<Point>> {
        let now = self.lines.numbers(wanted, keys)?;
        let mut points: Vec<Point> =
            now.into_iter().map(|(value, events)| Point { value, events, then: None }).collect();
        if let Some((lines, counterparts)) = &self.earlier {
            let then = lines.numbers(wanted, keys)?;
            for (point, counterpart) in points.iter_mut().zip(counterparts) {
                point.then = counterpart.and_then(|bucket| {
                    let time = *lines.frame.starts.get(bucket)?;
                    let (value, events) = *then.get(bucket)?;
                    Some(Then { time, value, events })
                });
            }
        }
        Ok(points)
    }

    /// The time that is compared with, from its first bucket to the end of its last.
    pub(super) fn time_before(&self) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
        let frame = &self.earlier.as_ref()?.0.frame;
        Some((*frame.starts.first()?, frame.end))
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
