//! Events that were kept apart (quarentena): listed, tried again as they are or corrected, and let go.
//!
//! Invariants: whoever tries one again goes through the same look as a new event; what becomes of it
//! and that it was tried are one transaction, so that it enters the log once.

pub mod graphql;
pub mod record;
mod service;
mod store;
