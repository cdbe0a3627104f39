//! Metrics as data: what is counted, of which events, and by what it can be divided. The catalogue,
//! the folding of events and every question read the same declaration.

pub mod catalogue;
pub mod custom;
pub mod record;

use std::sync::Arc;

pub use catalogue::Catalogue;

/// A number that is made of events.
#[derive(Debug, Clone)]
pub struct Metric {
    /// Its name in questions: `tickets_created`.
    pub name: String,
    pub label_en: String,
    pub label_pt: String,
    /// `1` for counts, `s` for seconds, `%`, `pt` for points.
    pub unit: String,
    /// What it is about: ticket, conversation, channel, agent, …
    pub scope: String,
    pub measure: Measure,
}

impl Metric {
    /// The folded metrics that it is read from, the numerator first.
    pub fn parts(&self) -> Vec<&Folded> {
        match &self.measure {
            Measure::Folded(folded) => vec![folded],
            Measure::Ratio { numerator, denominator, .. } => {
                [numerator, denominator].into_iter().flat_map(|part| part.folded()).collect()
            }
        }
    }

    /// Its parts, each with the name of the metric that it is.
    pub fn named_parts(&self) -> Vec<(&str, &Folded)> {
        match &self.measure {
            Measure::Folded(folded) => vec![(&self.name, folded)],
            Measure::Ratio { numerator, denominator, .. } => [numerator, denominator]
                .into_iter()
                .filter_map(|part| Some((part.name.as_str(), part.folded()?)))
                .collect(),
        }
    }

    /// What divides all of its parts.
    pub fn dimensions(&self) -> Vec<&str> {
        let parts = self.parts();
        let Some((first, others)) = parts.split_first() else { return Vec::new() };
        let in_all = |name: &String| others.iter().all(|part| part.dimensions.contains(name));
        first.dimensions.iter().filter(|name| in_all(name)).map(String::as_str).collect()
    }

    pub fn folded(&self) -> Option<&Folded> {
        match &self.measure {
            Measure::Folded(folded) => Some(folded),
            Measure::Ratio { .. } => None,
        }
    }
}

/// How a metric comes about.
#[derive(Debug, Clone)]
pub enum Measure {
    Folded(Arc<Folded>),
    /// One metric by another, both asked in the same way.
    Ratio {
        numerator: Arc<Metric>,
        denominator: Arc<Metric>,
        /// What one is: 100 for per cent.
        times: f64,
    },
}

/// A metric whose state is kept in snapshots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folded {
    /// What its series are kept by: the name of a metric that every tenant has, the id of a tenant's own.
    pub key: Arc<str>,
    pub aggregation: Aggregation,
    pub sources: Vec<Source>,
    /// Field of the payload; counts have none.
    pub value: Option<String>,
    /// Decimals of the value that are kept: its unit is 10^-scale.
    pub scale: u32,
    /// What it can be divided by: names in `dimensions` of an event.
    pub dimensions: Vec<String>,
    /// Whether a value that is no number is passed over, instead of setting the event apart: what a
    /// tenant declares of its own must not take an event away from the other metrics.
    pub skips_unreadable: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Aggregation {
    Count,
    Sum,
    Average,
    Minimum,
    Maximum,
    /// The latest value.
    Last,
    /// How many different values, within two per cent.
    Distinct,
    /// The value in the middle, within one per cent; others and the average on demand.
    Percentile,
    /// What came and did not go: a running total.
    Balance,
}

impl Aggregation {
    pub const ALL: [Self; 9] = [
        Self::Count,
        Self::Sum,
        Self::Average,
        Self::Minimum,
        Self::Maximum,
        Self::Last,
        Self::Distinct,
        Self::Percentile,
        Self::Balance,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Count => "count",
            Self::Sum => "sum",
            Self::Average => "average",
            Self::Minimum => "minimum",
            Self::Maximum => "maximum",
            Self::Last => "last",
            Self::Distinct => "distinct",
            Self::Percentile => "percentile",
            Self::Balance => "balance",
        }
    }
}

/// Events of one type that a metric is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    pub event_type: String,
    /// -1 where it takes away from a balance.
    pub sign: i64,
    /// Only those whose payload has this text in this field.
    pub only: Option<(String, String)>,
}
