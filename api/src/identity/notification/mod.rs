//! Notifications as their receiver sees them: a list, what is unread, and news as they come.
//!
//! Invariants:
//! - They are their user's own, whatever roles allow: no statement reads or changes another's.
//! - A subscription holds a number and at most one page of rows. Whoever reads slowly falls behind in
//!   the table, not in memory.
//! - However many subscribe, a node looks three times a round: for numbers, for sessions, for keys.
//!
//! Not here: how notices are written (that is [`crate::notice`]), and on what occasion (the rooms know).

pub mod audience;
pub mod feed;
pub mod graphql;
pub mod service;
mod standing;
mod store;
