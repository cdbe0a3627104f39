//! What folding reads and writes: the log with its batches, and the snapshots.

pub(super) mod epoch;
mod failures;
mod folded;
mod log;
mod recount;
mod sample;
mod snapshots;

pub(super) use failures::{Failed, events_named, failed_like, failed_of, forgive, put_failures};
pub use folded::{Behind, Stretch};
pub(super) use log::{
    Batch, events_of, hold_head, make_and_hold_head, mark_folded, note_change, put_off, take_head,
    tenants_with_work, unfolded, waiting, zone_of,
};
pub use log::{day_zone, progress};
pub(super) use recount::{bounds, count_between, count_strays, remove_strays, replace, rows_of};
pub(super) use sample::{metric_of, row_from, tenants_with_head};
pub(super) use snapshots::{Kept, add, put_series, sweep_minutes};
pub use snapshots::{Snapshots, forget, series_of, snapshots_of};
