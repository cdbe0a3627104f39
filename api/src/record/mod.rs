//! The record engine: records are data, reads are planned.
//!
//! A room declares a record once ([`mod@declare`]); from that one declaration come the GraphQL types
//! ([`schema`]), filters, orders, paging, aggregates, search, permissions in the plan, writes, audit
//! differences, events, and import columns. Reads go *plan -> fetch -> write*: the selection becomes
//! a tree of levels ([`plan`], pure), each level is one SQL statement ([`fetch`]), and the rows go
//! straight into a JSON buffer in response order ([`json`]), without a resolver per cell.
//!
//! Invariants:
//! - every level holds a [`Reader`](crate::access::Reader); its tenant and row rule are in every
//!   statement and in every `ON`;
//! - an engine tree is all or nothing: an error or a denied field fails the operation with its path;
//! - the number of statements follows from the plan, never from the data;
//! - a page is complete or the request is refused: no silent caps.

pub mod arguments;
pub mod declare;
pub mod directory;
pub mod kind;
pub mod schema;

pub mod cursor;
pub mod filter;
pub mod input;
pub mod order;
pub mod page;
pub mod search;
pub mod selection;
pub mod sql;

pub mod aggregate;
pub mod change;
pub mod checks;
pub mod disclosed;
pub mod fetch;
pub mod json;
pub mod operation;
pub mod plan;

pub use arguments::Arguments;
pub use declare::{Record, declare};
pub use kind::{EnumType, Kind};
