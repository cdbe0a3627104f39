//! What folding reads and writes: the log with its batches, and the snapshots.

mod log;
mod snapshots;

pub(super) use log::{
    Batch, events_of, folded_after, mark_folded, put_failures, put_off, take_head,
    tenants_with_work, waiting, zone_of,
};
pub use log::{Behind, Stretch, behind, day_zone, progress};
pub use snapshots::{Snapshots, forget, series_of, snapshots_of};
pub(super) use snapshots::{add, all_buckets, put_series, sweep_minutes};
