//! The subscription `metricLive`.

use async_graphql::{Context, Enum, InputObject, Result, SimpleObject, Subscription};
use async_graphql_value::{ConstValue, Name};
use futures::StreamExt;
use futures::stream::BoxStream;
use serde_json::Value as Json;

use super::live::{self, Question, Told};
use crate::error::{Error, say};
use crate::identity::graphql::{Instant, in_language, somebody};
use crate::limits;

#[derive(Default)]
pub struct MetricSubscription;

#[Subscription]
impl MetricSubscription {
    /// The latest buckets of metrics as they change: first all of their points, then those that became
    /// something else, at most once a second. It ends when the caller's session or key does, or when
    /// their roles change. After a cut, ask again: the first answer is whole.
    async fn metric_live(
        &self,
        context: &Context<'_>,
        input: MetricLiveInput,
    ) -> Result<BoxStream<'static, Result<Vec<LivePoint>>>> {
        let ctx = somebody(context)?;
        let spoken = in_language(&ctx.origin);
        let question = input.question().map_err(|error| spoken(error.within("input")))?;
        let followed = live::follow(ctx, question).await.map_err(|error| match error.field() {
            Some(_) => spoken(error.within("input")),
            None => spoken(error),
        })?;
        let told = |points: Vec<Told>| points.into_iter().map(LivePoint::of).collect();
        Ok(followed.map(move |points| points.map(told).map_err(&spoken)).boxed())
    }
}

/// What is asked of metricLive; as the arguments of metricSeries.
#[derive(InputObject)]
struct MetricLiveInput {
    metrics: Vec<String>,
    /// REALTIME by default.
    granularity: Option<LiveGranularity>,
    /// The latest so many, the one under way included; 60 by default, 1,000 at most.
    buckets: Option<i32>,
    /// IANA name; the tenant's by default.
    time_zone: Option<String>,
    /// Dimensions that make a series each.
    by: Option<Vec<String>>,
    /// Values that count, by dimension: {channel: ["whatsapp"]}.
    only: Option<Json>,
    /// Series of each metric; the rest comes as one, "other".
    limit: Option<i32>,
    /// Names instead of values; values of one name are one series.
    dimensions_as: Option<LiveNaming>,
}

impl MetricLiveInput {
    fn question(self) -> crate::error::Result<Question> {
        let max = limits::LIVE_BUCKETS_MAX;
        let buckets = self.buckets.map_or(Some(60), |count| usize::try_from(count).ok());
        let buckets = buckets.filter(|count| (1..=max).contains(count)).ok_or_else(|| {
            let message = say(format!("must be 1 to {max}"), format!("deve ser de 1 a {max}"));
            Error::invalid_field("buckets", message)
        })?;
        let list = |texts: Vec<String>| texts.into_iter().map(ConstValue::String).collect();
        let only = self.only.map(ConstValue::from_json).transpose().map_err(Error::internal)?;
        let granularity = self.granularity.unwrap_or(LiveGranularity::Realtime);
        let given = [
            ("metrics", Some(ConstValue::List(list(self.metrics)))),
            ("granularity", Some(ConstValue::Enum(Name::new(granularity.as_str())))),
            ("timeZone", self.time_zone.map(ConstValue::String)),
            ("by", self.by.map(|by| ConstValue::List(list(by)))),
            ("only", only),
            ("limit", self.limit.map(ConstValue::from)),
            ("dimensionsAs", self.dimensions_as.map(|naming| ConstValue::Enum(naming.name()))),
        ];
        let arguments =
            given.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
        Ok(Question { arguments: arguments.collect(), buckets })
    }
}

/// The record engine declares it with its labels; this is for reading it.
#[derive(Enum, Copy, Clone, PartialEq, Eq)]
#[graphql(name = "Granularity")]
enum LiveGranularity {
    Realtime,
    Hourly,
    Daily,
    Weekly,
    Monthly,
}

impl LiveGranularity {
    fn as_str(self) -> &'static str {
        match self {
            Self::Realtime => "REALTIME",
            Self::Hourly => "HOURLY",
            Self::Daily => "DAILY",
            Self::Weekly => "WEEKLY",
            Self::Monthly => "MONTHLY",
        }
    }
}

/// As the record engine declares it.
#[derive(Enum, Copy, Clone, PartialEq, Eq)]
#[graphql(name = "DimensionNaming")]
enum LiveNaming {
    AsItIs,
    AsItWas,
}

impl LiveNaming {
    fn name(self) -> Name {
        Name::new(match self {
            Self::AsItIs => "AS_IT_IS",
            Self::AsItWas => "AS_IT_WAS",
        })
    }
}

/// A point of a series that is new, or has another value than it was told with.
#[derive(SimpleObject)]
struct LivePoint {
    /// When the bucket begins.
    time: Instant,
    /// As it was asked for.
    metric: String,
    /// Its values of `by`.
    series: String,
    /// The same by dimension.
    labels: Json,
    /// Null where nothing happened that a value could be made of.
    value: Option<f64>,
    /// How many are behind it.
    events: i64,
    unit: String,
}

impl LivePoint {
    fn of(told: Told) -> Self {
        Self {
            time: Instant(told.time),
            metric: told.metric,
            series: told.series,
            labels: told.labels,
            value: told.value,
            events: told.events,
            unit: told.unit,
        }
    }
}
