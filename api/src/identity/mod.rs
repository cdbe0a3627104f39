//! Who is who: tenants, their people and service accounts, what their roles allow, and the
//! credentials that prove it. A customer signs in here, hands out API keys here, and takes them
//! back.
//!
//! Invariants:
//! - Every credential carries its tenant, so no look-up is ever global.
//! - A secret is stored only as a digest (API keys) or an argon2id hash (passwords), and shown once;
//!   those of identity providers, which have to be read back, lie sealed ([`crate::vault`]).
//! - A revoked key, a removed role, a deactivated user stop working within a second on every node:
//!   what a credential resolves to is kept for [`limits::CREDENTIAL_CACHE_MS`] and never longer.
//! - A refused credential is never remembered, and costs one statement at most.
//! - Signing in answers alike, and takes about as long, whichever of tenant, e-mail and password
//!   was wrong.
//!
//! Not here: what the roles mean for a row or a field (that is [`crate::access`]).

pub mod account;
pub mod actor;
pub mod api_key;
pub mod audit_log;
pub mod demo;
mod digest;
pub mod explanation;
mod gate;
pub mod graphql;
pub mod identity_provider;
pub mod notification;
pub mod operator;
pub mod org_unit;
pub mod persisted_operation;
pub mod read_log;
pub mod role;
pub mod session;
pub mod signing_secret;
pub mod single_sign_on;
pub mod tenant;
mod trail;
pub mod user;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use moka::future::Cache;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use uuid::Uuid;

use crate::access::Actor;
use crate::app::App;
use crate::error::{Code, Error, Result};
use crate::limits;
use actor::service::Resolved;
use session::password::Passwords;
use session::refresh::RefreshKeys;
use session::token::Signer;
use single_sign_on::Issuers;

/// How long a node remembers that it has to ask anew.
const FORGOTTEN_FOR: Duration = Duration::from_secs(60);

/// The part of [`App`] that knows callers. One per process.
pub struct Identity {
    signer: Signer,
    refresh: RefreshKeys,
    passwords: Passwords,
    /// By SHA-256 of the credential, so that memory holds no secret.
    resolved: Cache<[u8; 32], Resolved>,
    /// Sessions, users and tenants of whom what was resolved until then is asked again.
    forgotten: Cache<Uuid, DateTime<Utc>>,
    pub(crate) issuers: Issuers,
    /// Each holds a connection and a snapshot for as long as its reader takes.
    exports: Arc<Semaphore>,
}

impl Identity {
    /// `jwt_secret` signs tokens, those of `previous` are still believed: 32 random bytes or more
    /// each, the same on every node. With `private_providers` identity providers may be in private
    /// networks.
    pub fn new(jwt_secret: &[u8], previous: &[&[u8]], private_providers: bool) -> Self {
        Self {
            issuers: Issuers::new(private_providers),
            signer: Signer::new(jwt_secret, previous),
            exports: Arc::new(Semaphore::new(limits::TENANT_EXPORTS_AT_ONCE)),
            refresh: RefreshKeys::new(jwt_secret, previous),
            passwords: Passwords::new(),
            resolved: Cache::builder()
                .max_capacity(limits::CREDENTIAL_CACHE_ENTRIES)
                .time_to_live(Duration::from_millis(limits::CREDENTIAL_CACHE_MS))
                .build(),
            // Longer than anything resolved is kept, and than a look-up under way may take.
            forgotten: Cache::builder()
                .max_capacity(limits::CREDENTIAL_CACHE_ENTRIES)
                .time_to_live(FORGOTTEN_FOR)
                .build(),
        }
    }

    /// Who holds this credential (a JWT or an API key, without the word `Bearer`)? One that is bound
    /// to addresses is refused.
    pub async fn authenticate(&self, app: &Arc<App>, bearer: &str) -> Result<Actor> {
        self.authenticate_from(app, bearer, None).await
    }

    /// As [`Identity::authenticate`], for a request from this address.
    pub async fn authenticate_from(
        &self,
        app: &Arc<App>,
        bearer: &str,
        address: Option<IpAddr>,
    ) -> Result<Actor> {
        let resolved = self.resolve(app, bearer, address).await?;
        if resolved.admits(address) { Ok(resolved.actor) } else { Err(Error::unauthenticated()) }
    }

    async fn resolve(
        &self,
        app: &Arc<App>,
        bearer: &str,
        address: Option<IpAddr>,
    ) -> Result<Resolved> {
        if bearer.is_empty() || bearer.len() > limits::CREDENTIAL_BYTES_MAX {
            return Err(Error::unauthenticated());
        }
        let key = digest::sha256(bearer.as_bytes());
        if let Some(resolved) = self.resolved.get(&key).await {
            if is_fresh(&resolved, app.clock.now()) && !self.is_forgotten(&resolved).await {
                return Ok(resolved);
            }
            self.resolved.invalidate(&key).await;
        }
        let resolving = Box::pin(actor::service::resolve(app, bearer, address));
        match self.resolved.try_get_with(key, resolving).await {
            // Asked before it was forgotten, answered after.
            Ok(resolved) if self.is_forgotten(&resolved).await => {
                self.resolved.invalidate(&key).await;
                Box::pin(actor::service::resolve(app, bearer, address)).await
            }
            Ok(resolved) => Ok(resolved),
            Err(shared) => Err(Arc::try_unwrap(shared).unwrap_or_else(|shared| copy(&shared))),
        }
    }
}

impl Identity {
    /// Makes this node ask anew what the credentials of a session, a user or a whole tenant mean: to
    /// be called when one of them was taken away and the transaction is committed. Other nodes feel
    /// it when what they remember ends.
    pub async fn forget(&self, app: &App, session_user_or_tenant: Uuid) {
        self.forgotten.insert(session_user_or_tenant, app.clock.now()).await;
    }

    /// Room for one more export of a tenant; RATE_LIMITED where there is none.
    fn export_slot(&self) -> Result<OwnedSemaphorePermit> {
        let slot = Arc::clone(&self.exports).try_acquire_owned();
        slot.map_err(|_none_is_free| tenant::export::service::no_room())
    }

    async fn is_forgotten(&self, resolved: &Resolved) -> bool {
        let actor = &resolved.actor;
        for id in actor.session_id.into_iter().chain([actor.user_id, actor.tenant_id]) {
            if self.forgotten.get(&id).await.is_some_and(|at| resolved.read_at <= at) {
                return true;
            }
        }
        false
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
    vec![
        user::record::record(),
        org_unit::record::record(),
        audit_log::record(),
        read_log::record(),
    ]
}
