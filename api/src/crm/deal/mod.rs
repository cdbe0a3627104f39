//! Deals: business on its way through the stages (negócios).

mod graphql;
pub mod record;
mod rules;
pub mod service;
mod store;
