//! Roles: named sets of permissions, data of each tenant. A tenant begins with the five of [`seed`];
//! others are made, changed and removed by whoever may.
//!
//! Invariants:
//! - Nobody makes or changes a role that allows more than they may themselves.
//! - The seeds stay under their names, and `admin` as it is: a tenant cannot lock itself out.
//! - A role that somebody has cannot be removed.

mod changing;
pub mod graphql;
pub mod seed;
pub mod service;
mod store;

/// The role that can do everything, always.
pub(super) const ADMIN: &str = "admin";
