//! Automatic persisted queries: a client sends the SHA-256 of a document instead of the document;
//! an unknown hash is answered with `PersistedQueryNotFound`, and the client repeats with both.
//!
//! The memory is one per process: a miss costs one more round trip and nothing else. Only documents
//! that parse are remembered.

use std::sync::Arc;

use moka::future::Cache;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::graphql::Request;
use crate::limits;

type Hash = [u8; 32];

/// The remembered documents, behind one pointer: it is cloned with every request.
#[derive(Clone)]
pub(super) struct Persisted(Arc<Cache<Hash, Arc<str>>>);

/// What the extension asks for.
pub(super) enum Resolved {
    /// There is nothing (more) to do.
    Ready,
    /// The document came with its hash: to be remembered if it parses.
    Remember(Known),
}

/// A document whose hash was checked.
pub(super) struct Known {
    hash: Hash,
    text: Arc<str>,
}

/// Why a persisted query cannot be run; protocol codes beside our closed list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    NotFound,
    Mismatch,
    Malformed,
}

impl Refusal {
    /// The messages that clients match on.
    pub(super) fn message(self) -> &'static str {
        match self {
            Self::NotFound => "PersistedQueryNotFound",
            Self::Mismatch => "provided sha does not match query",
            Self::Malformed => {
                "extensions.persistedQuery must be { version: 1, sha256Hash: <64 hex digits> }"
            }
        }
    }

    pub(super) fn code(self) -> &'static str {
        match self {
            Self::NotFound => "PERSISTED_QUERY_NOT_FOUND",
            Self::Mismatch | Self::Malformed => "BAD_REQUEST",
        }
    }

    /// A miss is answered with 200, as caches and clients expect.
    pub(super) fn is_client_error(self) -> bool {
        match self {
            Self::NotFound => false,
            Self::Mismatch | Self::Malformed => true,
        }
    }
}

impl Persisted {
    pub(super) fn new() -> Self {
        let documents = Cache::builder()
            .max_capacity(limits::PERSISTED_DOCUMENT_BYTES_MAX)
            .weigher(|_hash, text: &Arc<str>| {
                u32::try_from(text.len().saturating_add(64)).unwrap_or(u32::MAX)
            })
            .build();
        Self(Arc::new(documents))
    }

    /// Puts the remembered document into a request that has only a hash.
    pub(super) async fn resolve(&self, request: &mut Request) -> Result<Resolved, Refusal> {
        let Some(extension) = request.extensions.get("persistedQuery") else {
            return Ok(Resolved::Ready);
        };
        if extension.is_null() {
            return Ok(Resolved::Ready);
        }
        let hash = read_extension(extension).ok_or(Refusal::Malformed)?;
        match &request.query {
            Some(text) => {
                if hash != Hash::from(Sha256::digest(text.as_bytes())) {
                    return Err(Refusal::Mismatch);
                }
                Ok(Resolved::Remember(Known { hash, text: Arc::from(text.as_str()) }))
            }
            None => {
                let text = self.0.get(&hash).await.ok_or(Refusal::NotFound)?;
                request.query = Some(text.to_string());
                Ok(Resolved::Ready)
            }
        }
    }

    pub(super) async fn remember(&self, known: Known) {
        self.0.insert(known.hash, known.text).await;
    }
}

/// The digest that a request names, as it names it.
pub(super) fn hash_of(request: &Request) -> Option<&str> {
    request.extensions.get("persistedQuery")?.get("sha256Hash")?.as_str()
}

fn read_extension(extension: &Value) -> Option<Hash> {
    if extension.get("version")?.as_u64()? != 1 {
        return None;
    }
    let text = extension.get("sha256Hash")?.as_str()?;
    if text.len() != 64 {
        return None;
    }
    let mut hash = [0_u8; 32];
    for (byte, pair) in hash.iter_mut().zip(text.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(hash)
}
