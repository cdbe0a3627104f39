//! Tenants: the boundary that nothing crosses. A new one is born complete, in one transaction, with
//! its roles and the stages of its sales pipeline.

pub mod export;
pub mod graphql;
pub mod lifecycle;
pub mod purge;
pub mod service;
pub mod settings;
mod stages;
mod store;
