//! What issuers say of themselves (OpenID Connect Discovery 1.0) and the keys that they sign with,
//! remembered for a while. Both are the same whoever asks, so that tenants share them.

use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::jwk::Jwk;
use moka::future::Cache;
use reqwest::Url;
use serde::Deserialize;
use serde_json::Value as Json;

use super::wire::{Wire, ask};
use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::limits;

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Metadata {
    issuer: String,
    authorization_endpoint: String,
    pub(super) token_endpoint: String,
    jwks_uri: String,
    pub(super) userinfo_endpoint: Option<String>,
    /// RP-Initiated Logout 1.0.
    end_session_endpoint: Option<String>,
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
    /// RFC 9207.
    #[serde(default)]
    pub(super) authorization_response_iss_parameter_supported: bool,
}

impl Metadata {
    /// Where a browser is sent to sign in.
    pub(super) fn authorization_page(&self) -> Result<Url> {
        page(&self.authorization_endpoint)
    }

    /// Where a browser is sent to sign out, where there is such a page.
    pub(super) fn end_session_page(&self) -> Result<Option<Url>> {
        self.end_session_endpoint.as_deref().map(page).transpose()
    }

    /// Whether the client's secret goes into the body: only where the header is not taken.
    pub(super) fn wants_secret_in_body(&self) -> bool {
        let methods = self.token_endpoint_auth_methods_supported.as_deref().unwrap_or_default();
        let takes = |method: &str| methods.iter().any(|known| known == method);
        takes("client_secret_post") && !takes("client_secret_basic")
    }
}

/// An address that a browser may be sent to.
fn page(address: &str) -> Result<Url> {
    let url = Url::parse(address).map_err(Error::unavailable)?;
    if ["https", "http"].contains(&url.scheme()) {
        return Ok(url);
    }
    Err(Error::unavailable(format!("{address} is no address of a page")))
}

/// An issuer as it was when it was asked.
pub(super) struct Issuer {
    pub(super) metadata: Metadata,
    read_at: DateTime<Utc>,
    keys: Mutex<Keys>,
}

#[derive(Clone)]
struct Keys {
    all: Arc<[Jwk]>,
    read_at: DateTime<Utc>,
    /// When they were asked for because of a key that was not among them.
    asked_again_at: Option<DateTime<Utc>>,
}

/// The part of the process that knows issuers.
pub(crate) struct Issuers {
    pub(super) wire: Wire,
    known: Cache<String, Arc<Issuer>>,
}

impl Issuers {
    pub(crate) fn new(private_allowed: bool) -> Self {
        let known = Cache::builder().max_capacity(limits::PROVIDER_CACHE_ENTRIES).build();
        Self { wire: Wire::new(private_allowed), known }
    }

    /// The issuer of exactly this name.
    pub(super) async fn named(&self, clock: &Clock, name: &str) -> Result<Arc<Issuer>> {
        let known = self.known.get(name).await;
        if let Some(issuer) = known.as_ref().filter(|issuer| is_fresh(issuer.read_at, clock.now()))
        {
            return Ok(Arc::clone(issuer));
        }
        match (self.discover(clock, name).await, known) {
            (Ok(issuer), _) => {
                let issuer = Arc::new(issuer);
                self.known.insert(name.to_owned(), Arc::clone(&issuer)).await;
                Ok(issuer)
            }
            // What it said an hour ago is better than nothing.
            (Err(error), Some(issuer)) if is_tolerable(issuer.read_at, clock.now()) => {
                tracing::warn!(issuer = name, %error, "an identity provider does not describe itself");
                Ok(issuer)
            }
            (Err(error), Some(_) | None) => Err(error),
        }
    }

    async fn discover(&self, clock: &Clock, name: &str) -> Result<Issuer> {
        let url = format!("{}/.well-known/openid-configuration", name.trim_end_matches('/'));
        let metadata: Metadata = ask(self.wire.get(&url).await?).await?.json()?;
        if metadata.issuer != name {
            let said = &metadata.issuer;
            return Err(Error::unavailable(format!("{url} describes \"{said}\", not \"{name}\"")));
        }
        let all = self.fetch_keys(&metadata).await?;
        let now = clock.now();
        let keys = Mutex::new(Keys { all, read_at: now, asked_again_at: None });
        Ok(Issuer { metadata, read_at: now, keys })
    }

    /// The issuer's keys: fresh ones, or, `because_unknown`, asked for once more, but not again and
    /// again.
    pub(super) async fn keys(
        &self,
        clock: &Clock,
        issuer: &Issuer,
        because_unknown: bool,
    ) -> Result<Arc<[Jwk]>> {
        let now = clock.now();
        let known = issuer.keys.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let pause = TimeDelta::seconds(limits::PROVIDER_KEYS_AGAIN_SECONDS);
        let may_ask_again = known.asked_again_at.is_none_or(|at| now - at >= pause);
        if is_fresh(known.read_at, now) && !(because_unknown && may_ask_again) {
            return Ok(known.all);
        }
        let asked_again_at = if because_unknown { Some(now) } else { known.asked_again_at };
        let keys = match self.fetch_keys(&issuer.metadata).await {
            Ok(all) => Keys { all, read_at: now, asked_again_at },
            Err(error) if is_tolerable(known.read_at, now) => {
                tracing::warn!(issuer = issuer.metadata.issuer, %error, "its keys cannot be had");
                Keys { asked_again_at, ..known }
            }
            Err(error) => return Err(error),
        };
        *issuer.keys.lock().unwrap_or_else(PoisonError::into_inner) = keys.clone();
        Ok(keys.all)
    }

    async fn fetch_keys(&self, metadata: &Metadata) -> Result<Arc<[Jwk]>> {
        #[derive(Deserialize)]
        struct Set {
            keys: Vec<Json>,
        }
        let set: Set = ask(self.wire.get(&metadata.jwks_uri).await?).await?.json()?;
        // Kinds of key that we do not know must not hide those that we do.
        Ok(set.keys.into_iter().filter_map(|key| serde_json::from_value(key).ok()).collect())
    }
}

/// Keys may have been taken back for a reason: what cannot be asked for anew is believed for a while.
fn is_tolerable(read_at: DateTime<Utc>, now: DateTime<Utc>) -> bool {
    now - read_at < TimeDelta::hours(limits::PROVIDER_STALE_HOURS)
}

fn is_fresh(read_at: DateTime<Utc>, now: DateTime<Utc>) -> bool {
    (TimeDelta::zero()..TimeDelta::minutes(limits::PROVIDER_CACHE_MINUTES))
        .contains(&(now - read_at))
}
