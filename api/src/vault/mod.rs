//! Secrets at rest that have to be read back (a password is not one: it is compared, and hashed).
//! They lie in the database sealed under a master key that does not: whoever has a copy of the
//! database has nothing.
//!
//! Format: `v1.{key}.{box}`. `key` names the master key (it follows from it, and says nothing of it).
//! `box` is base64url of a random nonce of 96 bits, the ciphertext and the tag of AES-256-GCM, whose
//! key is HMAC-SHA256 of the master key. The place (tenant, table, column, row) is authenticated with
//! it: a box that was moved to another row does not open.
//!
//! The first master key seals, all of them open, so that keys can be changed one after the other.
//!
//! Not here: whose secrets there are, and sealing them anew (each room does that for its own).

mod key;
mod place;

use std::sync::{Arc, Mutex, PoisonError};

use crate::config::{Config, MasterKeySource, Secret};
use crate::error::{Error, Result, say};
use key::Key;
pub use place::Place;

const VERSION: &str = "v1";

/// The part of [`crate::app::App`] that seals and opens. Keys are looked for when the first secret
/// is, so that an installation without secrets needs none.
pub struct Vault {
    source: MasterKeySource,
    keys: Mutex<Option<Arc<[Key]>>>,
}

impl Vault {
    pub fn new(config: &Config) -> Self {
        Self { source: config.master_key_source(), keys: Mutex::new(None) }
    }

    /// The text to be stored in `place`.
    pub fn seal(&self, place: &Place, secret: &Secret) -> Result<String> {
        let keys = self.keys()?;
        let newest = keys.first().ok_or_else(no_key)?;
        let sealed = newest.seal(place, secret.reveal().as_bytes());
        let sealed = sealed.ok_or_else(|| Error::internal("a secret could not be sealed"))?;
        Ok(format!("{VERSION}.{}.{sealed}", newest.id()))
    }

    /// The secret that was sealed for `place`.
    pub fn open(&self, place: &Place, sealed: &str) -> Result<Secret> {
        let Some((VERSION, (id, sealed))) = split(sealed) else {
            return Err(Error::internal(format!("{place}: not a sealed secret")));
        };
        let keys = self.keys()?;
        let key = keys.iter().find(|key| key.id() == id).ok_or_else(|| {
            Error::internal(format!(
                "{place}: sealed under the master key {id}, which is not among those of the setting \
                 master_keys"
            ))
        })?;
        let opened = key.open(place, sealed);
        let opened = opened.ok_or_else(|| {
            Error::internal(format!(
                "{place}: this secret was changed, or sealed for another place"
            ))
        })?;
        String::from_utf8(opened).map(Secret::new).map_err(Error::internal)
    }

    /// Whether a secret is sealed under the first key.
    pub fn is_current(&self, sealed: &str) -> Result<bool> {
        let keys = self.keys()?;
        let newest = keys.first().ok_or_else(no_key)?;
        Ok(split(sealed).is_some_and(|(version, (id, _))| version == VERSION && id == newest.id()))
    }

    fn keys(&self) -> Result<Arc<[Key]>> {
        let mut known = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(keys) = &*known {
            return Ok(Arc::clone(keys));
        }
        let found = self.source.load()?;
        if let Some(path) = &found.made {
            tracing::warn!(
                path = %path.display(),
                "made a master key for stored secrets: keep a copy of it, apart from the database"
            );
        }
        if found.keys.is_empty() {
            return Err(no_key());
        }
        let keys: Arc<[Key]> = found.keys.iter().map(Key::of).collect();
        *known = Some(Arc::clone(&keys));
        Ok(keys)
    }
}

/// Version, and key and box.
fn split(sealed: &str) -> Option<(&str, (&str, &str))> {
    let (version, rest) = sealed.split_once('.')?;
    Some((version, rest.split_once('.')?))
}

fn no_key() -> Error {
    Error::Unsupported {
        message: say(
            "secrets cannot be stored here: the operator has to set master_keys first",
            "segredos não podem ser guardados aqui: o operador precisa definir master_keys antes",
        ),
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::config::MasterKeys;

    fn vault(keys: &[&str]) -> Vault {
        let keys = keys.iter().map(|word| Secret::new(word.repeat(40))).collect();
        let mut config = Config::default();
        config.identity.master_keys = MasterKeys::new(keys);
        config.database.url = crate::config::DatabaseUrl::new("sqlite::memory:");
        Vault::new(&config)
    }

    fn place(row: u128) -> Place {
        Place {
            tenant_id: Uuid::from_u128(1),
            table: "identity_providers",
            column: "client_secret",
            row: Uuid::from_u128(row),
        }
    }

    #[test]
    fn what_is_sealed_opens_in_its_place_only() {
        let vault = vault(&["a"]);
        let secret = Secret::new("schlüssel");
        let sealed = vault.seal(&place(7), &secret).unwrap();
        assert!(!sealed.contains("schl"), "{sealed}");
        assert!(vault.open(&place(7), &sealed).unwrap() == secret);
        let elsewhere = [
            place(8),
            Place { tenant_id: Uuid::from_u128(2), ..place(7) },
            Place { table: "webhooks", ..place(7) },
            Place { column: "other", ..place(7) },
        ];
        for place in elsewhere {
            let error = vault.open(&place, &sealed).unwrap_err();
            assert!(error.internal_cause().unwrap().contains("another place"), "{error}");
        }
        // The same secret is never the same text twice.
        assert_ne!(vault.seal(&place(7), &secret).unwrap(), sealed);
    }

    #[test]
    fn what_was_changed_does_not_open() {
        let vault = vault(&["a"]);
        let sealed = vault.seal(&place(7), &Secret::new("secret")).unwrap();
        for at in (0..sealed.len()).rev() {
            let mut bytes = sealed.clone().into_bytes();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            assert!(vault.open(&place(7), &String::from_utf8(bytes).unwrap()).is_err(), "{at}");
        }
        for text in ["", "v1", "v1.x", "v1..", "v2.a.b", "secret", "v1.x.AAAA"] {
            assert!(vault.open(&place(7), text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_first_key_seals_and_all_open() {
        let old = vault(&["a"]).seal(&place(7), &Secret::new("secret")).unwrap();
        let both = vault(&["b", "a"]);
        assert!(both.open(&place(7), &old).unwrap().reveal() == "secret");
        assert!(!both.is_current(&old).unwrap());
        let new = both.seal(&place(7), &Secret::new("secret")).unwrap();
        assert!(both.is_current(&new).unwrap());
        assert!(vault(&["b"]).open(&place(7), &new).is_ok());
        let error = vault(&["b"]).open(&place(7), &old).unwrap_err();
        assert!(error.internal_cause().unwrap().contains("not among"), "{error}");
    }

    #[test]
    fn an_embedded_installation_makes_its_key_once_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let mut config = Config::default();
        let url = format!("sqlite://{}/pulso.db?mode=rwc", folder.path().display());
        config.database.url = crate::config::DatabaseUrl::new(url);
        let path = folder.path().join("master.key");
        let vault = Vault::new(&config);
        assert!(!path.exists());
        let sealed = vault.seal(&place(7), &Secret::new("secret")).unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
        assert!(Vault::new(&config).open(&place(7), &sealed).is_ok());
        // A key that is set seals from now on; the file's still opens.
        config.identity.master_keys = MasterKeys::new(vec![Secret::new("b".repeat(40))]);
        let both = Vault::new(&config);
        assert!(both.open(&place(7), &sealed).is_ok() && !both.is_current(&sealed).unwrap());
    }

    #[test]
    fn without_a_key_nothing_is_stored() {
        let mut config = Config::default();
        config.database.url = crate::config::DatabaseUrl::new("postgres://localhost/pulso");
        let error = Vault::new(&config).seal(&place(7), &Secret::new("secret")).unwrap_err();
        assert_eq!(error.code(), crate::error::Code::Unsupported);
    }
}
