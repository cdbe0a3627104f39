//! What values of dimensions are called (dimensões): a channel's or a unit's name, now and earlier.
//! Events keep the value that they came with; names are put over it when numbers are read.
//!
//! Invariant: of one value exactly one label counts at any time. A label counts until the next one of
//! its value begins, so there is no end that could overlap or leave a gap.

pub mod names;
pub mod record;
mod store;
