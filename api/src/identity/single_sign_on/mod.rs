//! Signing in through an identity provider: OpenID Connect, authorization code flow with PKCE
//! (RFC 6749, 7636, 9207, 9700; OpenID Connect Core 1.0).
//!
//! A browser is sent to the provider and comes back with a code; we exchange it for an ID token,
//! which says who they are. Browsers then have a session in cookies, apps get a code of ours that is
//! good once.
//!
//! Invariants:
//! - Everything that must come back unchanged (`state`, `nonce`, the code verifier) follows from a
//!   secret that only the browser keeps; the database knows its digest.
//! - A way through is used once, in the browser that began it, for the provider that it began at.
//! - Who somebody is follows from issuer and subject. An e-mail address finds an account only where
//!   the provider says that it is theirs, and only the first time.
//! - Whoever took an address before its owner came loses what they had set up on it.
//! - A browser is led back to an address that the operator named, and nowhere else.
//! - Signing out at the provider comes after the session here has ended, and never in its place.
//! - A provider is asked over TLS at a public address, is not followed elsewhere, and may neither
//!   take its time nor send as much as it likes; settings bend the first two for a private network.
//!
//! Not here: which providers there are ([`crate::identity::identity_provider`]).

pub(crate) mod addresses;
mod exchange;
pub mod graphql;
pub mod id_token;
mod linking;
mod metadata;
mod redeem;
mod refusal;
pub mod return_to;
mod secret;
pub mod service;
mod sign_out;
mod store;
mod wire;

pub(crate) use metadata::Issuers;
pub use redeem::redeem;
pub use secret::BrowserSecret;
pub(crate) use store::forget;
