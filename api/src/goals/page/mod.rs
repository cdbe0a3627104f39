//! The page of goals (metas por cliente): for each customer of a seller the goal, what was sold in
//! the year and in the month, and whether it is time to call.
//!
//! Three tiers of freshness in one answer. Every answer runs one statement, which reads the live
//! months and the epochs of the sellers; what is kept of a seller is used while its epoch is the one
//! that the statement brought, and read anew, in the same snapshot, when it is not. So no message has
//! to arrive, nodes need not know each other, and parts of one answer never disagree. The live
//! months stand in the place of the kept ones, so that a year is never below its months.
//!
//! Whose numbers one may see is decided before anything kept is looked at.

mod answer;
mod ask;
mod fill;
mod kept;
mod merge;
pub(super) mod ranking;
pub(super) mod record;
mod store;

pub use kept::Kept;
