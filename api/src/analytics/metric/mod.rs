//! Metrics as data: what is counted, of which events, and by what it can be divided. The catalogue,
//! the folding of events and every question read the same declaration.

pub mod catalogue;
pub mod record;

/// A number that is made of events.
#[derive(Debug, Clone, Copy)]
pub struct Metric {
    /// Its name in questions: `tickets_created`.
    pub name: &'static str,
    pub label_en: &'static str,
    pub label_pt: &'static str,
    /// `1` for counts, `s` for seconds, `%`, `pt` for points.
    pub unit: &'static str,
    /// What it is about: ticket, conversation, channel, agent, …
    pub scope: &'static str,
    pub measure: Measure,
}

impl Metric {
    /// The folded metrics that it is read from, the numerator first.
    pub fn parts(&self) -> Vec<(&'static str, &'static Folded)> {
        let part = |name: &str| catalogue::find(name).and_then(Self::folded);
        match &self.measure {
            Measure::Folded(_) => part(self.name).into_iter().collect(),
            Measure::Ratio { numerator, denominator, .. } => {
                [part(numerator), part(denominator)].into_iter().flatten().collect()
            }
        }
    }

    /// What divides all of its parts.
    pub fn dimensions(&self) -> Vec<&'static str> {
        let parts = self.parts();
        let Some((first, others)) = parts.split_first() else { return Vec::new() };
        let in_all =
            |name: &&'static str| others.iter().all(|(_, part)| part.dimensions.contains(name));
        first.1.dimensions.iter().copied().filter(|name| in_all(name)).collect()
    }

    fn folded(&'static self) -> Option<(&'static str, &'static Folded)> {
        match &self.measure {
            Measure::Folded(folded) => Some((self.name, folded)),
            Measure::Ratio { .. } => None,
        }
    }
}

/// How a metric comes about.
#[derive(Debug, Clone, Copy)]
pub enum Measure {
    Folded(Folded),
    /// One metric by another, both asked in the same way.
    Ratio {
        numerator: &'static str,
        denominator: &'static str,
        /// What one is: 100 for per cent.
        times: f64,
    },
}

/// A metric whose state is kept in snapshots.
#[derive(Debug, Clone, Copy)]
pub struct Folded {
    pub aggregation: Aggregation,
    pub sources: &'static [Source],
    /// Field of the payload; counts have none.
    pub value: Option<&'static str>,
    /// Decimals of the value that are kept: its unit is 10^-scale.
    pub scale: u32,
    /// What it can be divided by: names in `dimensions` of an event.
    pub dimensions: &'static [&'static str],
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
#[derive(Debug, Clone, Copy)]
pub struct Source {
    pub event_type: &'static str,
    /// -1 where it takes away from a balance.
    pub sign: i64,
    /// Only those whose payload has this text in this field.
    pub only: Option<(&'static str, &'static str)>,
}
