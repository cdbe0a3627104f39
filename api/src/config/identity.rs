//! Signing of tokens, how long sessions live, secrets at rest, and identity providers.
//!
//! Reads `PULSO_JWT_SECRET` (also as `PULSO_JWT_SECRET_FILE`), `PULSO_JWT_PREVIOUS_SECRETS` (also as
//! `PULSO_JWT_PREVIOUS_SECRETS_FILE`), `PULSO_SESSION_IDLE_HOURS`, `PULSO_SESSION_LIFETIME_HOURS`,
//! `PULSO_MASTER_KEYS` (also as `PULSO_MASTER_KEYS_FILE`), `PULSO_SIGN_IN_URL`,
//! `PULSO_SIGN_IN_RETURNS`, `PULSO_SIGN_IN_PRIVATE_PROVIDERS`.

use chrono::TimeDelta;

use super::master_key::MasterKeys;
use super::secret::{SECRET_BYTES_MIN, Secret};
use super::setting::{Shape, settings};
use super::sources::Values;
use super::value::Value;

settings! {
    /// Signing of tokens, how long sessions live, secrets at rest, and identity providers.
    Identity, "Identity";

    /// Secret that signs access tokens, 32 bytes or more; the same on every node.
    "jwt_secret" jwt_secret: Option<Secret> = None, {
        secret: true,
        default_note: "made once and kept: beside an SQLite database, or in the PostgreSQL database",
        example: "\"at least 32 random bytes, e.g. openssl rand -base64 48\""
    };

    /// Secrets whose tokens are believed too, so that jwt_secret can change without anybody having
    /// to sign in again: the one before, or the one to come.
    "jwt_previous_secrets" jwt_previous_secrets: PreviousSecrets = PreviousSecrets::default(), {
        secret: true
    };

    /// Hours after which a session that was not refreshed ends.
    "session_idle_hours" session_idle_hours: u32 = 14 * 24;

    /// Hours after which a session ends however much it is used.
    "session_lifetime_hours" session_lifetime_hours: u32 = 90 * 24;

    /// Keys under which secrets of tenants are stored, 32 bytes or more each; the same on every
    /// node. The first seals, all open: `pulso admin secrets rotate` seals all under the first.
    "master_keys" master_keys: MasterKeys = MasterKeys::default(), {
        secret: true,
        default_note: "on SQLite one is made when it is needed, master.key beside the database; on PostgreSQL nothing secret can be stored without"
    };

    /// Where browsers reach this server when an identity provider sends them back.
    "sign_in_url" sign_in_url: Option<String> = None, {
        default_note: "public_url", example: "\"https://api.example.com\""
    };

    /// Addresses that a sign-in may lead back to, each with everything below it; those of public_url
    /// always may.
    "sign_in_returns" sign_in_returns: Vec<String> = Vec::new();

    /// Let identity providers be in private networks too and, on this machine, without TLS.
    "sign_in_private_providers" sign_in_private_providers: bool = false;
}

/// Secrets that no longer, or not yet, sign.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PreviousSecrets(Vec<Secret>);

impl PreviousSecrets {
    pub fn new(secrets: Vec<Secret>) -> Self {
        Self(secrets)
    }

    pub(crate) fn secrets(&self) -> &[Secret] {
        &self.0
    }

    pub(crate) fn bytes(&self) -> Vec<&[u8]> {
        self.0.iter().map(|secret| secret.reveal().as_bytes()).collect()
    }
}

impl Value for PreviousSecrets {
    const SHAPE: Shape = Shape::List;

    fn from_text(text: &str) -> Result<Self, String> {
        let secrets: Vec<Secret> = Vec::from_text(text)?;
        if secrets.iter().any(|secret| secret.reveal().len() < SECRET_BYTES_MIN) {
            return Err(format!("each must have at least {SECRET_BYTES_MIN} bytes"));
        }
        Ok(Self(secrets))
    }

    fn to_toml(&self) -> Option<String> {
        self.0.is_empty().then(|| "[]".to_owned())
    }

    fn shown(&self) -> String {
        if self.0.is_empty() { "[]".to_owned() } else { format!("({} redacted)", self.0.len()) }
    }
}

impl Identity {
    /// Without a refresh for this long, a session ends.
    pub fn session_idle(&self) -> TimeDelta {
        TimeDelta::hours(i64::from(self.session_idle_hours))
    }

    /// However much it is used, a session ends after this long.
    pub fn session_lifetime(&self) -> TimeDelta {
        TimeDelta::hours(i64::from(self.session_lifetime_hours))
    }

    /// What one value alone cannot tell.
    pub(super) fn check(&self, values: &mut Values<'_>) {
        let addresses = self.sign_in_url.iter().map(|url| ("sign_in_url", url));
        let addresses =
            addresses.chain(self.sign_in_returns.iter().map(|url| ("sign_in_returns", url)));
        for (key, address) in addresses {
            if reqwest::Url::parse(address).is_err() {
                values.problem(values.source_of(key), format!("\"{address}\" is no address"));
            }
        }
        // A century: beyond it dates stop making sense before anybody has to sign in again.
        let hours_max = 100 * 366 * 24;
        for (key, hours) in [
            ("session_idle_hours", self.session_idle_hours),
            ("session_lifetime_hours", self.session_lifetime_hours),
        ] {
            if !(1..=hours_max).contains(&hours) {
                values.problem(values.source_of(key), format!("must be 1 to {hours_max}"));
            }
        }
    }
}
