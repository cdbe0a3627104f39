//! Signing in with tenant, e-mail and password, and the session that it opens: a short access token
//! for every request, and a refresh token that is used once and gives the next pair.
//!
//! Invariants:
//! - A session ends for every node at once: whatever resolves an access token asks for its session
//!   in the same statement.
//! - A refresh token that was used before ends its session, because two hold it; only who repeats
//!   the very last refresh within [`crate::limits::REFRESH_GRACE_SECONDS`] gets the same answer.
//! - Of a refresh token only a digest is stored. What we never issued changes nothing.
//!
//! Not here: what a browser keeps in its cookies (that is [`crate::browser`] and the HTTP door).

mod decide;
pub mod ending;
pub mod graphql;
mod label;
pub(crate) mod password;
pub(crate) mod refresh;
pub mod service;
mod store;
pub mod token;
