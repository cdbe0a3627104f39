//! Questions about metrics: rows of time, series and value for charts (`metricSeries`), one row for
//! each key with all metrics beside each other (`metricTable`), and what there is to ask for.
//!
//! Every zone, every granularity and every division is composed of the same kept buckets, by merging
//! their states; finished values appear in the answer alone. What does not align with the buckets is
//! refused, never rounded. A caller whose role reaches some units or people sees sums of theirs.

mod answer;
mod arguments;
mod ask;
mod compare;
mod frame;
pub mod graphql;
pub mod lineage;
mod lines;
mod live;
mod reach;
pub mod record;
pub mod snapshots;
pub mod table;
pub mod values;
