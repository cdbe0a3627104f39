//! Interactions: what was said to a lead and back (messages, calls, meetings, notes). Append-only in
//! spirit: monthly partitions on PostgreSQL.
//!
//! Invariant: a lead's first and last contact are those of its interactions, notes not counted.

pub mod record;
mod rules;
mod store;
