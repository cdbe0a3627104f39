//! Events into states by bucket: pure, and the same whatever the order. An event counts in all the
//! metrics that it feeds, or in none: what cannot be folded is told apart.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use serde_json::{Map, Value as Json};
use uuid::Uuid;

use super::grain::Grain;
use super::state::{Distinct, Extreme, Latest, Mismatch, Sketch, State, Total};
use crate::analytics::metric::{Aggregation, Folded, Measure, Metric, Source};
use crate::clock::id_of;

/// An event as the log has it.
#[derive(Debug, Clone)]
pub struct Logged {
    pub id: Uuid,
    pub event_type: String,
    pub occurred_at: DateTime<Utc>,
    pub payload: Json,
    pub dimensions: Json,
}

/// A bucket of a series.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    pub series_id: Uuid,
    pub grain: Grain,
    pub starts_at: DateTime<Utc>,
}

/// A metric for one set of dimension values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Series {
    /// What it is kept by ([`Folded::key`]).
    pub metric: Arc<str>,
    pub dimensions: Json,
}

/// What events came to.
#[derive(Debug, Default)]
pub struct Folds {
    pub buckets: BTreeMap<Place, State>,
    pub series: BTreeMap<Uuid, Series>,
    /// Events that cannot be folded, and why.
    pub failed: Vec<(Uuid, String)>,
    /// Events that were folded, those that feed no metric included.
    pub events: i64,
}

/// How time is cut.
#[derive(Debug, Clone, Copy)]
pub struct Cut {
    /// Whose days.
    pub zone: Tz,
    /// Events from then on count in minutes too.
    pub minutes_from: DateTime<Utc>,
}

/// Metrics by the event types that feed them.
#[derive(Debug, Default)]
pub struct Feeds(HashMap<String, Vec<Feed>>);

#[derive(Debug)]
struct Feed {
    folded: Arc<Folded>,
    source: Source,
}

impl Feeds {
    pub fn of<'m>(metrics: impl IntoIterator<Item = &'m Arc<Metric>>) -> Self {
        let mut feeds: HashMap<String, Vec<Feed>> = HashMap::new();
        for metric in metrics {
            let Measure::Folded(folded) = &metric.measure else { continue };
            for source in &folded.sources {
                let feed = Feed { folded: Arc::clone(folded), source: source.clone() };
                feeds.entry(source.event_type.clone()).or_default().push(feed);
            }
        }
        Self(feeds)
    }

    /// The types of events that feed something.
    pub fn event_types(&self) -> Vec<String> {
        self.0.keys().cloned().collect()
    }

    /// What the metrics are kept by that are fed.
    pub fn keys(&self) -> Vec<&str> {
        let keys: BTreeSet<&str> =
            self.0.values().flatten().map(|feed| &*feed.folded.key).collect();
        keys.into_iter().collect()
    }
}

/// Folds events, in any order.
pub fn fold<'a>(events: impl IntoIterator<Item = &'a Logged>, feeds: &Feeds, cut: Cut) -> Folds {
    let mut folds = Folds::default();
    for event in events {
        match contributions(event, feeds) {
            Err(why) => folds.failed.push((event.id, why)),
            Ok(contributions) => {
                folds.events += 1;
                for contribution in contributions {
                    if let Err(mismatch) = folds.take(event, contribution, cut) {
                        // One metric has one aggregation: this cannot come of an event.
                        tracing::error!(%mismatch, event_id = %event.id, "a fold went wrong");
                    }
                }
            }
        }
    }
    folds
}

/// What an event adds to one series.
pub struct Contribution {
    pub series_id: Uuid,
    pub series: Series,
    pub state: State,
}

/// What an event adds to each of the series that it feeds.
///
/// # Errors
///
/// Why it cannot be folded.
pub fn contributions(event: &Logged, feeds: &Feeds) -> Result<Vec<Contribution>, String> {
    let Some(feeds) = feeds.0.get(event.event_type.as_str()) else { return Ok(Vec::new()) };
    let mut contributions = Vec::with_capacity(feeds.len());
    for feed in feeds {
        if let Some((field, text)) = &feed.source.only
            && event.payload.get(field).and_then(Json::as_str) != Some(text)
        {
            continue;
        }
        let state = match state_of(event, feed) {
            Err(_) if feed.folded.skips_unreadable => continue,
            state => state?,
        };
        let Some(state) = state else { continue };
        let dimensions = dimensions_of(event, &feed.folded.dimensions);
        let series_id = series_id(&feed.folded.key, &dimensions);
        let series =
            Series { metric: Arc::clone(&feed.folded.key), dimensions: Json::Object(dimensions) };
        contributions.push(Contribution { series_id, series, state });
    }
    Ok(contributions)
}

impl Folds {
    fn take(&mut self, event: &Logged, taken: Contribution, cut: Cut) -> Result<(), Mismatch> {
        let Contribution { series_id, series, state } = taken;
        self.series.entry(series_id).or_insert(series);
        for grain in Grain::ALL {
            if grain == Grain::Minute && event.occurred_at < cut.minutes_from {
                continue;
            }
            let starts_at = grain.start_of(event.occurred_at, cut.zone);
            self.add(Place { series_id, grain, starts_at }, &state)?;
        }
        Ok(())
    }

    /// Takes in what other events came to.
    pub fn absorb(&mut self, other: Self) -> Result<(), Mismatch> {
        self.events += other.events;
        self.failed.extend(other.failed);
        self.series.extend(other.series);
        for (place, state) in &other.buckets {
            self.add(*place, state)?;
        }
        Ok(())
    }

    fn add(&mut self, place: Place, state: &State) -> Result<(), Mismatch> {
        match self.buckets.get_mut(&place) {
            Some(there) => there.merge(state),
            None => {
                self.buckets.insert(place, state.clone());
                Ok(())
            }
        }
    }
}

/// Names a metric and its dimension values (a UUID of version 8): the same in every process.
pub fn series_id(metric: &str, dimensions: &Map<String, Json>) -> Uuid {
    // Keys come in the order in which the metric declares them.
    id_of(&[metric.as_bytes(), Json::Object(dimensions.clone()).to_string().as_bytes()])
}

/// The values of the metric's own dimensions; what an event does not say is left out.
fn dimensions_of(event: &Logged, names: &[String]) -> Map<String, Json> {
    let value = |name: &String| {
        let value = event.dimensions.get(name).filter(|value| !value.is_null())?;
        Some((name.clone(), value.clone()))
    };
    names.iter().filter_map(value).collect()
}

/// None where the event has no value for the metric.
fn state_of(event: &Logged, feed: &Feed) -> Result<Option<State>, String> {
    let folded = feed.folded.as_ref();
    let given = folded.value.as_deref().map(|field| (field, event.payload.get(field)));
    let (field, given) = match given {
        None => ("", None),
        Some((_, None | Some(Json::Null))) => return Ok(None),
        Some((field, Some(given))) => (field, Some(given)),
    };
    let number = || {
        let given = given.ok_or_else(|| format!("{} has no value", folded.key))?;
        scaled(given, folded.scale).ok_or_else(|| format!("payload.{field} is no number in range"))
    };
    Ok(Some(match folded.aggregation {
        Aggregation::Count => State::Count(1),
        Aggregation::Balance => State::Sum(Total::of(feed.source.sign)),
        Aggregation::Sum | Aggregation::Average => State::Sum(Total::of(number()?)),
        Aggregation::Minimum => State::Minimum(Extreme { count: 1, value: number()? }),
        Aggregation::Maximum => State::Maximum(Extreme { count: 1, value: number()? }),
        Aggregation::Percentile => State::Spread(Sketch::of(number()?)),
        Aggregation::Last => State::Last(Latest {
            count: 1,
            at_us: event.occurred_at.timestamp_micros(),
            event_id: event.id,
            value: number()?,
        }),
        Aggregation::Distinct => match given {
            Some(Json::String(text)) => State::Distinct(Distinct::of(text)),
            Some(other) => State::Distinct(Distinct::of(&other.to_string())),
            None => return Ok(None),
        },
    }))
}

/// A JSON number, or a text that is one, in units of 10^-scale, rounded half away from zero; none
/// where it is neither or too large. Read from its digits: a float would round by its own rules.
fn scaled(value: &Json, scale: u32) -> Option<i64> {
    match value {
        Json::Number(number) => scaled_text(&number.to_string(), scale),
        Json::String(text) => scaled_text(text.trim(), scale),
        Json::Null | Json::Bool(_) | Json::Array(_) | Json::Object(_) => None,
    }
}

fn scaled_text(text: &str, scale: u32) -> Option<i64> {
    let (sign, text) = match text.strip_prefix('-') {
        Some(rest) => (-1_i128, rest),
        None => (1, text),
    };
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits: String = whole.chars().chain(fraction.chars()).collect();
    if whole.is_empty() || digits.len() > 40 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let significant = digits.trim_start_matches('0');
    if significant.len() > 36 {
        return None;
    }
    let number: i128 = if significant.is_empty() { 0 } else { significant.parse().ok()? };
    let decimals = i32::try_from(fraction.len()).ok()?;
    let shift = i32::try_from(scale).ok()?.checked_add(exponent)?.checked_sub(decimals)?;
    let power = |places: u32| 10_i128.checked_pow(places);
    let shifted = if number == 0 {
        0
    } else if shift >= 0 {
        number.checked_mul(power(shift.unsigned_abs())?)?
    } else {
        match power(shift.unsigned_abs()) {
            Some(divisor) => (number + divisor / 2) / divisor,
            // Far below one unit.
            None => 0,
        }
    };
    i64::try_from(sign * shifted).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::analytics::metric::catalogue::METRICS;

    #[test]
    fn numbers_are_read_from_their_digits() {
        for (value, scale, read) in [
            (json!(1.5), 2, Some(150)),
            (json!(0.1), 3, Some(100)),
            (json!(-2.675), 2, Some(-268)),
            (json!("12.3456"), 3, Some(12_346)),
            (json!(1e3), 0, Some(1_000)),
            (json!("1e-9"), 3, Some(0)),
            (json!("1e-99"), 3, Some(0)),
            (json!(0), 3, Some(0)),
            (json!(i64::MAX), 0, Some(i64::MAX)),
            (json!(i64::MAX), 1, None),
            (json!("1e40"), 0, None),
            (json!("1,5"), 2, None),
            (json!(""), 2, None),
            (json!(true), 2, None),
        ] {
            assert_eq!(scaled(&value, scale), read, "{value}");
        }
    }

    fn cut() -> Cut {
        let minutes_from = "2018-11-03T00:00:00Z".parse().unwrap();
        Cut { zone: Tz::America__Sao_Paulo, minutes_from }
    }

    /// Events around the beginning of summer time, some of them wrong.
    fn any_event() -> impl Strategy<Value = Logged> {
        let kinds = prop::sample::select(vec![
            ("ticket.created", json!({})),
            ("ticket.resolved", json!({ "handleSec": 12.5, "agentId": "a" })),
            ("ticket.resolved", json!({ "handleSec": "x" })),
            ("ticket.first_reply", json!({ "responseSec": 90 })),
            ("csat.answered", json!({ "score": 4 })),
            ("nobody.knows", json!({})),
        ]);
        let channels = prop::sample::select(vec![json!({}), json!({ "channel": "whatsapp" })]);
        (kinds, channels, 0_i64..172_800, any::<u128>()).prop_map(|(kind, dimensions, s, id)| {
            let start: DateTime<Utc> = "2018-11-03T00:00:00Z".parse().unwrap();
            Logged {
                id: Uuid::from_u128(id),
                event_type: kind.0.to_owned(),
                occurred_at: start + chrono::TimeDelta::seconds(s),
                payload: kind.1,
                dimensions,
            }
        })
    }

    fn texts(folds: &Folds) -> Vec<(Place, String)> {
        folds.buckets.iter().map(|(place, state)| (*place, state.to_text())).collect()
    }

    proptest! {
        #[test]
        fn any_order_and_batching_gives_the_same(
            mut events in prop::collection::vec(any_event(), 0..60),
            cuts in any::<prop::sample::Index>(),
        ) {
            let feeds = Feeds::of(METRICS.iter());
            let at_once = fold(&events, &feeds, cut());
            events.reverse();
            let (first, second) = events.split_at(cuts.index(events.len() + 1));
            let mut apart = fold(first, &feeds, cut());
            for (place, state) in fold(second, &feeds, cut()).buckets {
                apart.add(place, &state).unwrap();
            }
            prop_assert_eq!(texts(&at_once), texts(&apart));
        }

        #[test]
        fn smaller_buckets_add_up_to_larger_ones(
            events in prop::collection::vec(any_event(), 0..60),
        ) {
            let folds = fold(&events, &Feeds::of(METRICS.iter()), cut());
            let mut composed = Folds::default();
            for (place, state) in &folds.buckets {
                if place.grain == Grain::Quarter {
                    for grain in [Grain::Quarter, Grain::Hour, Grain::Day] {
                        let starts_at = grain.start_of(place.starts_at, cut().zone);
                        composed.add(Place { grain, starts_at, ..*place }, state).unwrap();
                    }
                }
            }
            let mut kept = texts(&folds);
            kept.retain(|(place, _)| place.grain != Grain::Minute);
            prop_assert_eq!(kept, texts(&composed));
        }
    }

    #[test]
    fn an_event_counts_in_all_its_metrics_or_in_none() {
        let wrong = Logged {
            id: Uuid::from_u128(7),
            event_type: "ticket.resolved".to_owned(),
            occurred_at: "2026-03-10T12:00:00Z".parse().unwrap(),
            payload: json!({ "handleSec": [] }),
            dimensions: json!({}),
        };
        let folds = fold(&[wrong], &Feeds::of(METRICS.iter()), cut());
        assert!(folds.buckets.is_empty());
        assert_eq!(folds.failed.len(), 1);
        assert_eq!(folds.events, 0);
    }
}
