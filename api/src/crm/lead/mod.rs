//! Leads: somebody who may become a customer (oportunidade de prospecção), from the first contact to
//! a conversion into company, contact and deal.

pub mod record;
pub mod status;
