//! Users: people and service accounts of a tenant. Without e-mail and password somebody can own
//! records and lead others, but not sign in.

pub(crate) mod email;
pub mod record;
mod rules;
pub mod service;
pub(super) mod standing;
mod store;
