//! API keys: credentials of service accounts, agents and Grafana. A key acts with one role, less
//! what its scopes leave out; its secret is shown once and kept as a digest; while it is rotated two
//! secrets open it.

pub mod service;
mod store;
pub(crate) mod text;

pub use store::KeySummary;
