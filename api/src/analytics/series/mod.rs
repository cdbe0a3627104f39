//! Questions about metrics (`metricSeries`): rows of time, series and value for charts.
//!
//! Every zone, every granularity and every division is composed of the same kept buckets, by merging
//! their states; finished values appear in the answer alone. What does not align with the buckets is
//! refused, never rounded. A caller whose role reaches some units or people sees sums of theirs.

mod answer;
mod ask;
mod frame;
mod reach;
pub mod record;
pub mod snapshots;
pub mod values;
