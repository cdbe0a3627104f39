//! Numbers as they change: what a chart of the latest buckets shows, and from then on what of it
//! became something else. A look a second at how far events are folded; numbers are read anew only when
//! that has moved or a bucket began.

use std::collections::HashMap;
use std::time::Duration;

use async_graphql_value::ConstValue;
use chrono::{DateTime, TimeDelta, Utc};
use futures::Stream;
use futures::stream::unfold;
use serde_json::Value as Json;
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::answer::{self, Material};
use super::ask::Ask;
use super::frame::start_of;
use super::lines::Number;
use super::record::other;
use crate::access::Resource;
use crate::analytics::rollup;
use crate::ctx::Ctx;
use crate::db::{Conn, EngineRead};
use crate::error::{Code, Error, Result, say};
use crate::identity::actor;
use crate::identity::notification::feed::Watch;
use crate::limits;
use crate::record::Arguments;
use crate::record::disclosed::{Disclosed, DisclosedKind};

const EVERY: Duration = Duration::from_millis(limits::LIVE_POLL_MS);

/// A point as it is told.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Told {
    pub(super) time: DateTime<Utc>,
    pub(super) metric: String,
    pub(super) series: String,
    pub(super) labels: Json,
    pub(super) value: Option<f64>,
    pub(super) events: i64,
    pub(super) unit: String,
}

/// Time, metric and series of a point.
type Place = (DateTime<Utc>, String, String);

/// What a subscriber asks for.
pub(super) struct Question {
    /// As `metricSeries` takes them, without a span.
    pub(super) arguments: Vec<(String, ConstValue)>,
    /// The latest so many.
    pub(super) buckets: usize,
}

/// Somebody who is told of changes.
struct Listener {
    ctx: Ctx,
    question: Question,
    watch: Watch,
    ticks: Interval,
    /// What the last reading was made of: how far events were folded, and the bucket under way.
    seen: Option<Seen>,
    /// What each point was told with.
    told: HashMap<Place, Number>,
    first: Option<Vec<Told>>,
    over: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Seen {
    folded: Option<(i64, DateTime<Utc>)>,
    bucket: DateTime<Utc>,
}

/// All points, and then those that changed, at most once a second. It ends with UNAUTHENTICATED when
/// the caller's credential does, and without a word when the server stops.
pub(super) async fn follow(
    ctx: &Ctx,
    question: Question,
) -> Result<impl Stream<Item = Result<Vec<Told>>> + Send + use<>> {
    let watch = Watch::begin(ctx)?;
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (told, over) = (HashMap::new(), false);
    let ctx = ctx.clone();
    let mut listener =
        Listener { ctx, question, watch, ticks, seen: None, told, first: None, over };
    // Whoever may not ask is told so at once.
    listener.first = Some(listener.look().await?.unwrap_or_default());
    Ok(unfold(listener, Listener::next))
}

impl Listener {
    async fn next(mut self) -> Option<(Result<Vec<Told>>, Self)> {
        if let Some(first) = self.first.take() {
            return Some((Ok(first), self));
        }
        loop {
            if self.over || self.ctx.app.is_stopping() {
                return None;
            }
            if self.watch.look().ended {
                self.over = true;
                return Some((Err(ended()), self));
            }
            tokio::select! {
                () = self.ctx.app.stopped() => return None,
                () = self.watch.changed() => continue,
                _ = self.ticks.tick() => {}
            }
            match self.look().await {
                Ok(Some(changed)) if !changed.is_empty() => return Some((Ok(changed), self)),
                Ok(_) => {}
                Err(error) if matches!(error.code(), Code::Unavailable | Code::RateLimited) => {
                    tracing::warn!(%error, "a subscription could not read its numbers");
                }
                Err(error) => {
                    self.over = true;
                    return Some((Err(error), self));
                }
            }
        }
    }

    /// What changed since the last look; none where nothing can have.
    async fn look(&mut self) -> Result<Option<Vec<Told>>> {
        let app = &self.ctx.app;
        let _turn = app.rate.turns.take(&app.clock, self.ctx.tenant_id()).await?;
        let conn = self.ctx.engine_read(EngineRead::Snapshot).await?;
        let reader = self.ctx.reader(Resource::Analytics)?;
        let ask = self.ask(&conn).await?;
        let bucket = start_of(ask.granularity, self.ctx.now(), ask.zone);
        let seen = Seen { folded: rollup::progress(&conn, &reader).await?, bucket };
        if self.seen.as_ref() == Some(&seen) {
            conn.commit().await?;
            return Ok(None);
        }
        // Whom a role reaches may be others than when this began.
        let ctx = actor::service::as_of_now(&self.ctx, &conn).await?;
        let material = answer::gather(&ctx, &conn, &ask, false).await?;
        conn.commit().await?;
        let points = points(&ctx, &ask, &material)?;
        self.seen = Some(seen);
        let rows = u64::try_from(points.len()).unwrap_or(u64::MAX);
        let changed = self.changed(points, &material);
        if !changed.is_empty() {
            let (kind, resource) = (DisclosedKind::Analytics, Resource::Analytics.as_str());
            let told = Disclosed { kind, resource, fields: Vec::new(), rows };
            self.ctx.app.reads.note(&self.ctx, vec![told]);
        }
        Ok(Some(changed))
    }

    /// The question over the latest buckets.
    async fn ask(&self, conn: &Conn) -> Result<Ask> {
        let mut arguments = self.question.arguments.clone();
        let instant = |at: DateTime<Utc>| ConstValue::String(at.to_rfc3339());
        let now = self.ctx.now();
        // Of how large buckets and of what zone is read first.
        arguments.push(("from".to_owned(), instant(now - TimeDelta::milliseconds(1))));
        arguments.push(("to".to_owned(), instant(now + TimeDelta::milliseconds(1))));
        let mut ask = Ask::read(&self.ctx, conn, Arguments(&arguments)).await?;
        let mut from = start_of(ask.granularity, now, ask.zone);
        for _ in 1..self.question.buckets {
            from = start_of(ask.granularity, from - TimeDelta::seconds(1), ask.zone);
        }
        ask.span.0 = from;
        Ok(ask)
    }

    /// The points that are not as they were told; those of buckets that went by are forgotten.
    fn changed(&mut self, points: Vec<Told>, material: &Material) -> Vec<Told> {
        let first = material.lines.frame.starts.first().copied();
        self.told.retain(|(time, _, _), _| first.is_some_and(|first| *time >= first));
        let mut changed = Vec::new();
        for point in points {
            let place = (point.time, point.metric.clone(), point.series.clone());
            let number = (point.value, point.events);
            if self.told.insert(place, number) != Some(number) {
                changed.push(point);
            }
        }
        changed
    }
}

fn points(ctx: &Ctx, ask: &Ask, material: &Material) -> Result<Vec<Told>> {
    let series = material.series(ask)?;
    let starts = &material.lines.frame.starts;
    if series.len().saturating_mul(starts.len()) > limits::LIVE_POINTS_MAX {
        let max = limits::LIVE_POINTS_MAX;
        return Err(Error::limit(say(
            format!("more than {max} points: ask for fewer buckets, or with a limit"),
            format!("mais de {max} pontos: peça menos intervalos, ou com limit"),
        )));
    }
    let mut points = Vec::with_capacity(series.len() * starts.len());
    for each in &series {
        let wanted = ask.wanted.get(each.wanted);
        let wanted = wanted.ok_or_else(|| Error::internal("a series that nobody asked for"))?;
        let (label, labels) = answer::label(ask, each.key.as_ref(), other(ctx));
        points.extend(starts.iter().zip(&each.points).map(|(start, point)| Told {
            time: *start,
            metric: wanted.name.clone(),
            series: label.clone(),
            labels: labels.clone(),
            value: point.value,
            events: point.events,
            unit: wanted.metric.unit.clone(),
        }));
    }
    Ok(points)
}

fn ended() -> Error {
    Error::Unauthenticated {
        message: say(
            "the credential of this subscription ended or its rights changed: subscribe again",
            "a credencial desta assinatura terminou ou seus direitos mudaram: assine de novo",
        ),
    }
}
