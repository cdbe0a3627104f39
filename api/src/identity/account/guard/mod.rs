//! Slowing down who guesses: passwords at the sign-in, the present password of somebody who changes
//! it, and requests for password resets. Counts live in the database, so that all nodes share them.
//!
//! Invariants:
//! - An attempt is counted before it is made and taken back when it was right, so that many at the
//!   same time are not more than one after the other.
//! - Accounts are counted by what was typed, whether they exist or not: the answers are the same.
//! - Nobody is locked out for good: waits are bounded, and whoever comes from an address from which
//!   they signed in before is counted apart from everybody else who tries their account.
//! - A right password does not clear the count of an address: one's own account must not pay for
//!   guessing at others'.

mod count;
mod service;
mod store;

pub(crate) use service::{begin_change, begin_sign_in, forget, may_reset, succeeded, trust};
