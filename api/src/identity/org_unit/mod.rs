//! Org units: the parts of a tenant, as a tree (unidades).

pub mod record;
pub(super) mod rules;
mod store;
