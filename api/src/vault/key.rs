//! One master key: what it seals and opens, and what it is called.

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::Place;
use crate::config::Secret;

/// Bytes of a name: enough to tell keys apart.
const ID_BYTES: usize = 9;

pub(super) struct Key {
    id: String,
    /// Nothing where the library refuses the key, which 32 bytes do not give it cause for.
    cipher: Option<RandomizedNonceKey>,
}

impl Key {
    pub(super) fn of(master: &Secret) -> Self {
        let master = hmac::Key::new(hmac::HMAC_SHA256, master.reveal().as_bytes());
        let name = hmac::sign(&master, b"pulso master key");
        let cipher = hmac::sign(&master, b"pulso vault v1");
        Self {
            id: URL_SAFE_NO_PAD.encode(name.as_ref().get(..ID_BYTES).unwrap_or_default()),
            cipher: RandomizedNonceKey::new(&AES_256_GCM, cipher.as_ref()).ok(),
        }
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// Nonce, ciphertext and tag.
    pub(super) fn seal(&self, place: &Place, plain: &[u8]) -> Option<String> {
        let mut text = plain.to_vec();
        let cipher = self.cipher.as_ref()?;
        let nonce = cipher.seal_in_place_append_tag(Aad::from(place.bytes()), &mut text).ok()?;
        let mut sealed = nonce.as_ref().to_vec();
        sealed.append(&mut text);
        Some(URL_SAFE_NO_PAD.encode(sealed))
    }

    pub(super) fn open(&self, place: &Place, sealed: &str) -> Option<Vec<u8>> {
        let sealed = URL_SAFE_NO_PAD.decode(sealed).ok()?;
        let (nonce, text) = sealed.split_at_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut text = text.to_vec();
        let cipher = self.cipher.as_ref()?;
        let plain = cipher.open_in_place(nonce, Aad::from(place.bytes()), &mut text).ok()?;
        Some(plain.to_vec())
    }
}
