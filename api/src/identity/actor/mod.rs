//! From a credential to the [`Actor`](crate::access::Actor) behind it, in two statements at most:
//! one for the person (or key) with their roles, one for the people around them where a grant speaks
//! of a team or an org unit.

pub mod service;
mod store;
