//! Signing in with tenant, e-mail and password, and the access token that it gives.

pub(crate) mod password;
pub mod service;
mod store;
pub(crate) mod token;
