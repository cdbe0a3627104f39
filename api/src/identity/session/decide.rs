//! What a refresh token means for its session. Pure: no I/O, no clock.

use chrono::{DateTime, TimeDelta, Utc};

use super::refresh::{RefreshKeys, RefreshToken};
use crate::identity::digest;
use crate::limits;

/// A session that was not revoked, of a user who may act.
pub(super) struct Living {
    pub(super) user_id: uuid::Uuid,
    pub(super) generation: i32,
    pub(super) refresh_hash: String,
    pub(super) previous_hash: Option<String>,
    pub(super) last_used_at: DateTime<Utc>,
    pub(super) expires_at: DateTime<Utc>,
}

/// What is to be done.
pub(super) enum Verdict {
    /// The token is the good one: this one comes after it.
    Rotate(RefreshToken),
    /// It was the good one a moment ago: the answer is the same again.
    Repeat(RefreshToken),
    /// It was used long before: somebody has a copy of it.
    Reused,
    /// It opens nothing (any more), and that is all.
    Refused,
}

/// Judges a token that we issued.
pub(super) fn judge(
    session: &Living,
    token: &RefreshToken,
    keys: &RefreshKeys,
    now: DateTime<Utc>,
    idle: TimeDelta,
) -> Verdict {
    if now >= refreshable_until(session.last_used_at, session.expires_at, idle) {
        return Verdict::Refused;
    }
    if token.generation == session.generation {
        // Another secret under the same number: the database was restored to an earlier state.
        let is_good = digest::same(&token.hash(), &session.refresh_hash);
        let next = keys.successor(token).filter(|_| is_good);
        return next.map_or(Verdict::Refused, Verdict::Rotate);
    }
    if token.generation > session.generation {
        return Verdict::Refused;
    }
    let is_previous =
        session.previous_hash.as_deref().is_some_and(|hash| digest::same(hash, &token.hash()));
    let grace = TimeDelta::seconds(limits::REFRESH_GRACE_SECONDS);
    if is_previous && now - session.last_used_at <= grace {
        let next = keys.successor_with(token, &session.refresh_hash);
        return next.map_or(Verdict::Refused, Verdict::Repeat);
    }
    Verdict::Reused
}

/// Until when a session can be refreshed: it ends unused, and it ends anyway.
pub(super) fn refreshable_until(
    last_used_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
    idle: TimeDelta,
) -> DateTime<Utc> {
    last_used_at.checked_add_signed(idle).map_or(expires_at, |idle_at| idle_at.min(expires_at))
}
