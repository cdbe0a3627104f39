//! Sales: what a customer bought and when (vendas); returns are lines with negative amounts.

mod graphql;
pub mod record;
mod rules;
pub mod service;
pub(crate) mod store;

pub(super) use rules::sellers_of;
