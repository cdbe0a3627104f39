//! Removing a deleted tenant for good, when its waiting period is over: every row of every table, in
//! small transactions. What is left is a tombstone: slug, when, and how many rows of what.
//!
//! Invariants:
//! - from the first row removed on there is no way back: the tombstone stands before that, and a
//!   tenant that has one is not restored;
//! - one removes a tenant at a time, on whatever node: the tombstone is the lock. It counts in the
//!   transaction that removes, so a removal that was broken off goes on where it was, and its counts
//!   are true.
//!
//! Not here: an entry in the tenant's audit trail, which goes with it. The tombstone and the log are
//! what tells.

pub mod service;
mod store;
