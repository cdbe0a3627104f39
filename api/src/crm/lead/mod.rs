//! Leads: somebody who may become a customer (oportunidade de prospecção), from the first contact to
//! a conversion into company, contact and deal.

mod graphql;
pub mod record;
mod rules;
pub mod service;
pub mod status;
