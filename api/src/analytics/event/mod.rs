//! Events from outside (ingestão de eventos): let in, kept apart with a reason, or known already.
//!
//! The way of an event: its bytes are read (`parse`), it is looked at (`decide`), its payload is held
//! against its type and loses what that marks as personal (`schema`), personal data in free text is
//! taken out (`redact`), and it waits for the next insert of its tenant (`intake`).
//! A caller hears of an event only when what became of it is committed.

mod decide;
pub mod graphql;
pub mod intake;
pub mod parse;
pub mod quarantine;
mod redact;
pub mod schema;
pub mod service;
mod store;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value as Json};

use crate::events::Lane;

/// An event that was looked at and found good.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Incoming {
    /// What its source calls it: the key of idempotency.
    pub(super) id: String,
    pub(super) module: String,
    pub(super) event_type: String,
    pub(super) schema_version: i64,
    pub(super) occurred_at: DateTime<Utc>,
    pub(super) payload: Map<String, Json>,
    pub(super) dimensions: Map<String, Json>,
    pub(super) lane: Lane,
}

/// An event that is kept apart.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Refused {
    pub(super) id: Option<String>,
    pub(super) module: Option<String>,
    pub(super) event_type: Option<String>,
    pub(super) reason: Reason,
    /// In English: what exactly is wrong, without the value.
    pub(super) detail: String,
    /// As it came, without personal data.
    pub(super) body: Json,
}

/// Why an event is kept apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// Not JSON, not an object, or a field that is missing, unknown or of the wrong kind.
    Malformed,
    /// It says that it will happen.
    InFuture,
    /// Before 1970.
    TooOld,
    /// Longer than an event may be.
    TooLarge,
    /// Its payload says what its type does not.
    Schema,
    /// Nobody declared its type, and the tenant lets in what is declared.
    UnknownType,
    /// Its type is declared, this version of it is not.
    UnknownVersion,
}

impl Reason {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::InFuture => "in_future",
            Self::TooOld => "too_old",
            Self::TooLarge => "too_large",
            Self::Schema => "schema",
            Self::UnknownType => "unknown_type",
            Self::UnknownVersion => "unknown_version",
        }
    }
}

/// What became of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// As its source calls it; none where that could not be read.
    pub id: Option<String>,
    pub status: Status,
    /// Why it was kept apart, and what exactly is wrong.
    pub reason: Option<(Reason, String)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    Accepted,
    /// An event with this id is in the log.
    Duplicate,
    /// Kept apart, with its reason.
    Quarantined,
}

impl Status {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Duplicate => "duplicate",
            Self::Quarantined => "quarantined",
        }
    }
}
