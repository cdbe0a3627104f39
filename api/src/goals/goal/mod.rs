//! Goals: what a seller is to sell to a customer in a year (metas por cliente).

mod classify;
mod graphql;
pub mod record;
mod rules;
pub mod service;
pub(crate) mod store;
