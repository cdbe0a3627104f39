//! The event log, read: what happened, and what became of it. Nobody changes it through the API.

pub mod record;
mod shown;
mod store;
