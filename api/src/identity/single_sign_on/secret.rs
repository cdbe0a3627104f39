//! What a browser keeps while its person is at the provider: one secret, from which everything
//! follows that has to come back unchanged.

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::RngCore;
use uuid::Uuid;

use crate::identity::digest;

const BYTES: usize = 32;
/// Hexadecimal digits of a flow's id.
const ID_CHARS: usize = 32;

/// The secret of one way through.
pub struct BrowserSecret([u8; BYTES]);

impl BrowserSecret {
    pub(super) fn generate() -> Self {
        let mut secret = [0; BYTES];
        rand::rng().fill_bytes(&mut secret);
        Self(secret)
    }

    /// Reads what [`BrowserSecret::reveal`] writes.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        bytes.try_into().ok().map(Self)
    }

    /// For the browser's cookie.
    pub fn reveal(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }

    /// What is stored of it.
    pub(super) fn hash(&self) -> String {
        digest::sha256_hex(&self.0)
    }

    /// The id of the way through, and the proof that this browser began it.
    pub(super) fn state(&self, flow_id: Uuid) -> String {
        format!("{}{}", flow_id.simple(), self.derived("state", flow_id))
    }

    /// The way through that a state names, if this browser began it.
    pub(super) fn read_state(&self, state: &str) -> Option<Uuid> {
        let (id, _) = state.split_at_checked(ID_CHARS)?;
        let flow_id = Uuid::try_parse(id).ok()?;
        digest::same(&self.state(flow_id), state).then_some(flow_id)
    }

    pub(super) fn nonce(&self, flow_id: Uuid) -> String {
        self.derived("nonce", flow_id)
    }

    /// RFC 7636: 43 characters.
    pub(super) fn code_verifier(&self, flow_id: Uuid) -> String {
        self.derived("verifier", flow_id)
    }

    fn derived(&self, word: &str, flow_id: Uuid) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &self.0);
        let text = format!("{word} {flow_id}");
        URL_SAFE_NO_PAD.encode(hmac::sign(&key, text.as_bytes()))
    }
}

/// RFC 7636, S256.
pub(super) fn code_challenge(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest::sha256(verifier.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_its_browsers_alone() {
        let (mine, other) = (BrowserSecret::generate(), BrowserSecret::generate());
        let id = Uuid::from_u128(7);
        let state = mine.state(id);
        assert_eq!(mine.read_state(&state), Some(id));
        assert_eq!(other.read_state(&state), None);
        let half: String = state.chars().take(40).collect();
        for wrong in ["", "0", &half, &format!("{state}A"), &state.to_uppercase()] {
            assert_eq!(mine.read_state(wrong), None, "{wrong}");
        }
        let again = BrowserSecret::parse(&mine.reveal()).unwrap();
        assert_eq!(again.nonce(id), mine.nonce(id));
        assert_ne!(mine.nonce(id), mine.nonce(Uuid::from_u128(8)));
        assert_ne!(mine.nonce(id), mine.code_verifier(id));
        assert_eq!(mine.code_verifier(id).len(), 43);
        assert!(BrowserSecret::parse("short").is_none());
    }

    #[test]
    fn the_challenge_is_that_of_the_specification() {
        // RFC 7636, appendix B.
        let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        assert_eq!(code_challenge(verifier), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }
}
