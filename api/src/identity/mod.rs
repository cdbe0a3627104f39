//! Who is who: tenants, their people and service accounts, what their roles allow, and the
//! credentials that prove it. A customer signs in here, hands out API keys here, and takes them
//! back.
//!
//! Invariants:
//! - Every credential carries its tenant, so no look-up is ever global.
//! - A secret is stored only as a digest (API keys) or an argon2id hash (passwords), and shown once.
//! - A revoked key, a removed role, a deactivated user stop working within a second on every node:
//!   what a credential resolves to is kept for [`limits::CREDENTIAL_CACHE_MS`] and never longer.
//! - A refused credential is never remembered, and costs one statement at most.
//! - Signing in answers alike, and takes about as long, whichever of tenant, e-mail and password
//!   was wrong.
//!
//! Not here: what the roles mean for a row or a field (that is [`crate::access`]).

pub mod actor;
pub mod api_key;
pub mod demo;
mod digest;
pub mod graphql;
pub mod org_unit;
pub mod role;
pub mod session;
pub mod tenant;
pub mod user;

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use moka::future::Cache;

use crate::access::Actor;
use crate::app::App;
use crate::error::{Code, Error, Result};
use crate::limits;
use actor::service::Resolved;
use session::password::Passwords;
use session::token::Signer;

/// The part of [`App`] that knows callers. One per process.
pub struct Identity {
    signer: Signer,
    passwords: Passwords,
    /// By SHA-256 of the credential, so that memory holds no secret.
    resolved: Cache<[u8; 32], Resolved>,
}

impl Identity {
    /// `jwt_secret` signs access tokens: 32 random bytes or more, the same on every node.
    pub fn new(jwt_secret: &[u8]) -> Self {
        Self {
            signer: Signer::new(jwt_secret),
            passwords: Passwords::new(),
            resolved: Cache::builder()
                .max_capacity(limits::CREDENTIAL_CACHE_ENTRIES)
                .time_to_live(Duration::from_millis(limits::CREDENTIAL_CACHE_MS))
                .build(),
        }
    }

    /// Who holds this credential (a JWT or an API key, without the word `Bearer`)?
    pub async fn authenticate(&self, app: &Arc<App>, bearer: &str) -> Result<Actor> {
        if bearer.is_empty() || bearer.len() > limits::CREDENTIAL_BYTES_MAX {
            return Err(Error::unauthenticated());
        }
        let key = digest::sha256(bearer.as_bytes());
        if let Some(resolved) = self.resolved.get(&key).await {
            if is_fresh(&resolved, app.clock.now()) {
                return Ok(resolved.actor);
            }
            self.resolved.invalidate(&key).await;
        }
        let resolving = Box::pin(actor::service::resolve(app, bearer));
        match self.resolved.try_get_with(key, resolving).await {
            Ok(resolved) => Ok(resolved.actor),
            Err(shared) => Err(Arc::try_unwrap(shared).unwrap_or_else(|shared| copy(&shared))),
        }
    }
}

/// Measured on the app's clock as well as by the cache: a credential that ends in the meantime ends
/// on time, and a clock that was set back does not keep an old answer alive.
fn is_fresh(resolved: &Resolved, now: DateTime<Utc>) -> bool {
    let age = now - resolved.read_at;
    let oldest = i64::try_from(limits::CREDENTIAL_CACHE_MS).unwrap_or_default();
    age >= TimeDelta::zero()
        && age < TimeDelta::milliseconds(oldest)
        && resolved.valid_until.is_none_or(|until| now < until)
}

/// The same failure for everybody who waited for the same look-up.
fn copy(error: &Error) -> Error {
    if error.code() == Code::Unauthenticated {
        return Error::unauthenticated();
    }
    let cause = error.internal_cause().unwrap_or_default();
    if error.retryable() { Error::unavailable(cause) } else { Error::internal(cause) }
}

/// The records of this room.
pub fn records() -> Vec<&'static crate::record::Record> {
    vec![user::record::record(), org_unit::record::record()]
}
