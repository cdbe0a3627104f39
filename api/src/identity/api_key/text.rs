//! The text of a key: `pulso_<tenant>_<key>_<secret>`, each part base64url without padding (16, 16
//! and 32 bytes). The alphabet has `_` in it, so parts are found by position.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::RngCore;
use uuid::Uuid;

use crate::identity::digest;

const MARK: &str = "pulso_";
const ID_CHARS: usize = 22;
const SECRET_CHARS: usize = 43;
/// Characters that may be shown: up to the middle of the key's id.
const PREFIX_CHARS: usize = 40;

/// A key as its holder has it.
pub(crate) struct KeyText {
    pub(crate) tenant_id: Uuid,
    pub(crate) key_id: Uuid,
    secret: [u8; 32],
}

/// JWTs never begin like this.
pub(crate) fn looks_like_key(credential: &str) -> bool {
    credential.starts_with(MARK)
}

impl KeyText {
    /// A key with a fresh secret.
    pub(crate) fn generate(tenant_id: Uuid, key_id: Uuid) -> Self {
        let mut secret = [0_u8; 32];
        rand::rng().fill_bytes(&mut secret);
        Self { tenant_id, key_id, secret }
    }

    /// Reads exactly what [`KeyText::reveal`] writes.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix(MARK)?;
        let (tenant, rest) = rest.split_at_checked(ID_CHARS)?;
        let (key, rest) = rest.strip_prefix('_')?.split_at_checked(ID_CHARS)?;
        let secret = rest.strip_prefix('_')?;
        if secret.len() != SECRET_CHARS {
            return None;
        }
        Some(Self {
            tenant_id: Uuid::from_bytes(decode(tenant)?),
            key_id: Uuid::from_bytes(decode(key)?),
            secret: decode(secret)?,
        })
    }

    /// The whole key, for the one time that it is shown.
    pub(crate) fn reveal(&self) -> String {
        let (tenant, key) = (encode(self.tenant_id.as_bytes()), encode(self.key_id.as_bytes()));
        format!("{MARK}{tenant}_{key}_{}", encode(&self.secret))
    }

    /// The part that lists may show.
    pub(crate) fn prefix(&self) -> String {
        self.reveal().chars().take(PREFIX_CHARS).collect()
    }

    /// What is stored of the secret.
    pub(crate) fn secret_hash(&self) -> String {
        digest::sha256_hex(&self.secret)
    }
}

fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn decode<const N: usize>(text: &str) -> Option<[u8; N]> {
    URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{any, proptest};

    proptest! {
        #[test]
        fn a_key_reads_back(tenant: [u8; 16], key: [u8; 16], secret: [u8; 32]) {
            let (tenant_id, key_id) = (Uuid::from_bytes(tenant), Uuid::from_bytes(key));
            let text = KeyText { tenant_id, key_id, secret }.reveal();
            assert_eq!(text.len(), 6 + 22 + 1 + 22 + 1 + 43);
            assert!(looks_like_key(&text));
            let read = KeyText::parse(&text).unwrap();
            assert_eq!((read.tenant_id, read.key_id, read.secret), (tenant_id, key_id, secret));
            assert!(text.starts_with(&read.prefix()));
            assert_eq!(read.prefix().len(), 40);
        }

        #[test]
        fn nonsense_is_refused(text in any::<String>(), cut in 0_usize..95) {
            assert!(KeyText::parse(&text).is_none());
            let key = KeyText::generate(Uuid::nil(), Uuid::nil()).reveal();
            let beginning: String = key.chars().take(cut).collect();
            assert!(KeyText::parse(&beginning).is_none());
            assert!(KeyText::parse(&format!("{key}{text}x")).is_none());
        }
    }
}
