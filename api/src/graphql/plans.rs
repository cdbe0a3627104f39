//! Plans of operations that somebody asks for again and again.
//!
//! A plan says which rows and columns its caller may read, so it is kept together with the rights that
//! it was made under and serves nobody else: it is used only for a caller who holds the very same ones
//! ([`Actor::has_rights_of`]). Rights are read anew every second, and with them everything is planned
//! anew.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use moka::future::Cache;
use uuid::Uuid;

use super::validated::Asked;
use crate::access::Actor;
use crate::limits;
use crate::record::operation::PlannedRoot;

/// All root fields of an operation, planned.
pub(super) struct PlannedReads {
    pub(super) roots: Vec<PlannedRoot>,
    /// Rows that they may return together.
    pub(super) rows: u64,
}

pub(super) struct Plans {
    kept: Cache<Place, Arc<Kept>>,
    /// What was asked for lately. A plan that is needed once is not worth its room.
    seen: Box<[AtomicU64]>,
    digests: RandomState,
}

/// As many as may be asked for between one time and the next.
const SEEN: usize = 4_096;

/// Where a plan is looked for. What is found there need not be what was asked for.
#[derive(PartialEq, Eq, Hash)]
struct Place {
    asked: u64,
    user_id: Uuid,
    credential: Option<Uuid>,
}

struct Kept {
    asked: Asked,
    actor: Actor,
    planned: Arc<PlannedReads>,
}

/// Rights are read anew sooner than this: what lies unused longer is of no use any more.
const UNUSED_MAX: Duration = Duration::from_millis(2 * limits::CREDENTIAL_CACHE_MS);

impl Plans {
    pub(super) fn new() -> Self {
        let kept = Cache::builder().max_capacity(limits::PLANS_KEPT).time_to_idle(UNUSED_MAX);
        let seen = (0..SEEN).map(|_| AtomicU64::new(0)).collect();
        Self { kept: kept.build(), seen, digests: RandomState::new() }
    }

    /// The plan of the same operation for the same rights.
    pub(super) async fn find(&self, asked: &Asked, actor: &Actor) -> Option<Arc<PlannedReads>> {
        let kept = self.kept.get(&Place::of(asked, actor)).await?;
        let is_same = kept.asked == *asked && kept.actor.has_rights_of(actor);
        is_same.then(|| Arc::clone(&kept.planned))
    }

    /// Keeps a plan that was needed before, or remembers that it was needed.
    pub(super) async fn note(&self, asked: Asked, actor: &Actor, planned: Arc<PlannedReads>) {
        let place = Place::of(&asked, actor);
        if self.was_seen(&place) {
            let actor = actor.clone();
            self.kept.insert(place, Arc::new(Kept { asked, actor, planned })).await;
        }
    }

    fn was_seen(&self, place: &Place) -> bool {
        let digest = self.digests.hash_one(place);
        let number = usize::try_from(digest).unwrap_or_default() % SEEN;
        let seen = self.seen.get(number);
        seen.is_some_and(|seen| seen.swap(digest, Ordering::Relaxed) == digest)
    }
}

impl Place {
    fn of(asked: &Asked, actor: &Actor) -> Self {
        let credential = actor.api_key_id.or(actor.session_id);
        Self { asked: asked.digest(), user_id: actor.user_id, credential }
    }
}
