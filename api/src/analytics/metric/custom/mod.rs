//! Metrics of a tenant's own, made over the API: declared like those that every tenant has, folded and
//! asked for in the same ways. How one comes about never changes; another way is another metric.

mod definition;
pub mod record;
mod rules;
mod store;

pub use store::{catalogue_of, counted_by, fed_of, keys_of, mark_ready};
