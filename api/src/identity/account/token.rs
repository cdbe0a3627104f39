//! The text of a token that works once (of a link, or of a sign-in): 64 bytes in base64url, 16 of the tenant, 16 of the token's id and 32
//! that are random.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::RngCore;
use uuid::Uuid;

use crate::identity::digest;

const BYTES: usize = 64;
const CHARS: usize = 86;

/// A token as its holder has it.
pub(crate) struct TokenText {
    pub(crate) tenant_id: Uuid,
    pub(crate) id: Uuid,
    secret: [u8; 32],
}

impl TokenText {
    /// A token with a fresh secret.
    pub(crate) fn generate(tenant_id: Uuid, id: Uuid) -> Self {
        let mut secret = [0_u8; 32];
        rand::rng().fill_bytes(&mut secret);
        Self { tenant_id, id, secret }
    }

    /// Reads exactly what [`TokenText::reveal`] writes.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if text.len() != CHARS {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (tenant, rest) = bytes.split_at_checked(16)?;
        let (id, secret) = rest.split_at_checked(16)?;
        Some(Self {
            tenant_id: Uuid::from_slice(tenant).ok()?,
            id: Uuid::from_slice(id).ok()?,
            secret: secret.try_into().ok()?,
        })
    }

    /// The whole token, for whoever is to have it.
    pub(crate) fn reveal(&self) -> String {
        let mut bytes = Vec::with_capacity(BYTES);
        bytes.extend_from_slice(self.tenant_id.as_bytes());
        bytes.extend_from_slice(self.id.as_bytes());
        bytes.extend_from_slice(&self.secret);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// What is stored of the secret.
    pub(crate) fn secret_hash(&self) -> String {
        digest::sha256_hex(&self.secret)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{any, proptest};

    proptest! {
        #[test]
        fn a_token_reads_back(tenant: [u8; 16], id: [u8; 16]) {
            let token = TokenText::generate(Uuid::from_bytes(tenant), Uuid::from_bytes(id));
            let text = token.reveal();
            assert_eq!(text.len(), CHARS);
            let read = TokenText::parse(&text).unwrap();
            assert_eq!((read.tenant_id, read.id), (token.tenant_id, token.id));
            assert_eq!(read.secret_hash(), token.secret_hash());
        }

        #[test]
        fn nonsense_is_refused(text in any::<String>(), cut in 0_usize..CHARS) {
            assert!(TokenText::parse(&text).is_none());
            let token = TokenText::generate(Uuid::nil(), Uuid::nil()).reveal();
            let beginning: String = token.chars().take(cut).collect();
            assert!(TokenText::parse(&beginning).is_none());
            assert!(TokenText::parse(&format!("{token}A")).is_none());
        }
    }
}
