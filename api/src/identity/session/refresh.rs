//! The text of a refresh token: `pulsor_` and, in base64url, tenant, session, generation, a secret
//! of 32 bytes and a tag of 16. The secret is what opens the session; the tag only proves that the
//! text was written by us, so that an old token is told from an invented one without being stored.
//!
//! The first secret of a session is random. Each further one follows from the one before it and a
//! key of ours, so that whoever asks twice can be given the same answer although only digests are
//! stored; without the key nobody can tell the next token from the last.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::RngCore;
use uuid::Uuid;

use crate::identity::digest;

const MARK: &str = "pulsor_";
const TAG_BYTES: usize = 16;
/// 16 + 16 + 4 + 32 + 16 bytes in base64url.
const BODY_CHARS: usize = 112;

/// A refresh token as its holder has it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct RefreshToken {
    pub(crate) tenant_id: Uuid,
    pub(crate) session_id: Uuid,
    /// Counts the tokens of a session from 1.
    pub(crate) generation: i32,
    secret: [u8; 32],
}

impl RefreshToken {
    /// The first token of a session.
    pub(crate) fn first(tenant_id: Uuid, session_id: Uuid) -> Self {
        let mut secret = [0_u8; 32];
        rand::rng().fill_bytes(&mut secret);
        Self { tenant_id, session_id, generation: 1, secret }
    }

    /// What is stored of it.
    pub(crate) fn hash(&self) -> String {
        digest::sha256_hex(&self.secret)
    }

    fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(84);
        bytes.extend_from_slice(self.tenant_id.as_bytes());
        bytes.extend_from_slice(self.session_id.as_bytes());
        bytes.extend_from_slice(&self.generation.to_be_bytes());
        bytes.extend_from_slice(&self.secret);
        bytes
    }
}

/// The keys behind refresh tokens, one for each signing secret.
pub(crate) struct RefreshKeys {
    newest: Key,
    previous: Vec<Key>,
}

struct Key {
    tags: hmac::Key,
    successors: hmac::Key,
}

impl Key {
    /// Keys of their own for each purpose, so that none of them ever signs another's bytes.
    fn new(secret: &[u8]) -> Self {
        let secret = hmac::Key::new(hmac::HMAC_SHA256, secret);
        let derived = |purpose: &[u8]| {
            hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&secret, purpose).as_ref())
        };
        Self {
            tags: derived(b"pulso refresh token tag"),
            successors: derived(b"pulso refresh token successor"),
        }
    }

    fn tag(&self, bytes: &[u8]) -> [u8; TAG_BYTES] {
        let whole = hmac::sign(&self.tags, bytes);
        whole.as_ref().first_chunk().copied().unwrap_or_default()
    }

    fn successor(&self, token: &RefreshToken) -> Option<RefreshToken> {
        let secret = hmac::sign(&self.successors, &token.bytes());
        Some(RefreshToken {
            tenant_id: token.tenant_id,
            session_id: token.session_id,
            generation: token.generation.checked_add(1)?,
            secret: secret.as_ref().try_into().ok()?,
        })
    }
}

impl RefreshKeys {
    pub(crate) fn new(secret: &[u8], previous: &[&[u8]]) -> Self {
        let previous = previous.iter().map(|secret| Key::new(secret)).collect();
        Self { newest: Key::new(secret), previous }
    }

    /// The whole token, for the one time that it is shown.
    pub(crate) fn reveal(&self, token: &RefreshToken) -> String {
        let mut bytes = token.bytes();
        let tag = self.newest.tag(&bytes);
        bytes.extend_from_slice(&tag);
        format!("{MARK}{}", URL_SAFE_NO_PAD.encode(bytes))
    }

    /// Reads what one of our keys wrote, and nothing else.
    pub(crate) fn read(&self, text: &str) -> Option<RefreshToken> {
        let body = text.strip_prefix(MARK).filter(|body| body.len() == BODY_CHARS)?;
        let bytes = URL_SAFE_NO_PAD.decode(body).ok()?;
        let (token, tag) = bytes.split_last_chunk::<TAG_BYTES>()?;
        let is_ours = |key: &Key| verify_slices_are_equal(&key.tag(token), tag).is_ok();
        if !self.all().any(is_ours) {
            return None;
        }
        let (tenant, rest) = token.split_first_chunk::<16>()?;
        let (session, rest) = rest.split_first_chunk::<16>()?;
        let (generation, secret) = rest.split_first_chunk::<4>()?;
        Some(RefreshToken {
            tenant_id: Uuid::from_bytes(*tenant),
            session_id: Uuid::from_bytes(*session),
            generation: i32::from_be_bytes(*generation),
            secret: secret.try_into().ok()?,
        })
    }

    /// The token after this one.
    pub(crate) fn successor(&self, token: &RefreshToken) -> Option<RefreshToken> {
        self.newest.successor(token)
    }

    /// The token after this one that has the digest `hash`: another node, or we before a change of
    /// secrets, may have derived it from another key.
    pub(crate) fn successor_with(&self, token: &RefreshToken, hash: &str) -> Option<RefreshToken> {
        self.all()
            .filter_map(|key| key.successor(token))
            .find(|next| digest::same(&next.hash(), hash))
    }

    fn all(&self) -> impl Iterator<Item = &Key> {
        std::iter::once(&self.newest).chain(&self.previous)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, proptest};

    use super::*;

    const OLD: &[u8] = b"the secret of last year, 32 bytes or more";
    const NEW: &[u8] = b"the secret of this year, 32 bytes or more";

    fn token() -> RefreshToken {
        RefreshToken::first(Uuid::from_u128(1), Uuid::from_u128(2))
    }

    #[test]
    fn it_reads_back_under_every_known_key_and_no_other() {
        let (old, new) = (RefreshKeys::new(OLD, &[]), RefreshKeys::new(NEW, &[OLD]));
        let first = token();
        let text = old.reveal(&first);
        assert_eq!(text.len(), MARK.len() + BODY_CHARS);
        assert!(old.read(&text) == Some(first.clone()) && new.read(&text) == Some(first.clone()));
        assert!(RefreshKeys::new(NEW, &[]).read(&text).is_none());
        // Who asks twice around a change of secrets gets what the other node gave.
        let next = old.successor(&first).unwrap();
        assert!(new.successor(&first).unwrap() != next);
        assert!(new.successor_with(&first, &next.hash()) == Some(next.clone()));
        assert_eq!((next.generation, next.session_id), (2, first.session_id));
        assert!(new.successor_with(&next, &next.hash()).is_none());
    }

    proptest! {
        #[test]
        fn nonsense_is_refused(text in any::<String>(), at in 0_usize..119, cut in 0_usize..119) {
            let keys = RefreshKeys::new(NEW, &[]);
            assert!(keys.read(&text).is_none());
            let good = keys.reveal(&token());
            let beginning: String = good.chars().take(cut).collect();
            assert!(keys.read(&beginning).is_none());
            assert!(keys.read(&format!("{good}{text}x")).is_none());
            let mut changed: Vec<char> = good.chars().collect();
            changed[at] = if changed[at] == 'A' { 'B' } else { 'A' };
            assert!(keys.read(&changed.into_iter().collect::<String>()).is_none());
        }
    }
}
