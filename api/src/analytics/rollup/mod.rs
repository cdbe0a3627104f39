//! Events into snapshots: what each series came to in each bucket of time.
//!
//! The batch is the unit of work. One folder at a time holds a tenant's head (a row lock), takes
//! batches that wait, folds their events in memory, adds what came out to the buckets it touches, and
//! marks the batches, all in one transaction. So every event is counted once, however often a process
//! dies, and whoever comes next goes on at once: a lock ends with its connection.
//!
//! Not here: what a metric is (`metric/`), and questions (`series/`).

pub mod auditor;
mod chunk;
pub mod fold;
pub mod folder;
pub mod grain;
pub mod graphql;
pub mod job;
pub mod kept;
mod recount;
mod retry;
mod service;
pub mod state;
mod store;
pub mod verify;
mod window;

pub use store::{Behind, Snapshots, Stretch, day_zone, forget, progress, series_of, snapshots_of};
