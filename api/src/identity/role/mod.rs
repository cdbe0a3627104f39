//! Roles: named sets of permissions. Each tenant begins with the five of [`seed`].

pub mod seed;
pub mod service;
mod store;
