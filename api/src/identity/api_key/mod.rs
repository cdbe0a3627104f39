//! API keys: credentials of service accounts, agents and Grafana. A key acts with one role, less
//! what its scopes leave out; its secret is shown once and kept as a digest; while it is rotated two
//! secrets open it.
//!
//! Invariants:
//! - Nobody makes or renews a key that may do more than they may themselves.
//! - Where a key may be used from is asked at every request, whatever is remembered of it.

pub mod expiry;
pub mod graphql;
pub(super) mod issuing;
pub(crate) mod narrowing;
pub mod service;
mod store;
pub(crate) mod text;

pub use store::KeySummary;
