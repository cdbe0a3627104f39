//! Org units: the parts of a tenant, as a tree (unidades).

pub mod record;
mod rules;
mod store;
