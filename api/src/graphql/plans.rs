//! Plans of operations that somebody asks for again and again.
//!
//! A plan says which rows and columns its caller may read, so it is kept together with the rights that
//! it was made under and serves nobody else: it is used only for a caller who holds the very same ones
//! ([`Actor::has_rights_of`]). Rights are read anew every second, and with them everything is planned
//! anew.

use std::sync::Arc;
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

pub(super) struct Plans(Cache<Place, Arc<Kept>>);

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
        let cache = Cache::builder().max_capacity(limits::PLANS_KEPT).time_to_idle(UNUSED_MAX);
        Self(cache.build())
    }

    /// The plan of the same operation for the same rights.
    pub(super) async fn find(&self, asked: &Asked, actor: &Actor) -> Option<Arc<PlannedReads>> {
        let kept = self.0.get(&Place::of(asked, actor)).await?;
        let is_same = kept.asked == *asked && kept.actor.has_rights_of(actor);
        is_same.then(|| Arc::clone(&kept.planned))
    }

    pub(super) async fn keep(&self, asked: Asked, actor: Actor, planned: Arc<PlannedReads>) {
        let place = Place::of(&asked, &actor);
        self.0.insert(place, Arc::new(Kept { asked, actor, planned })).await;
    }
}

impl Place {
    fn of(asked: &Asked, actor: &Actor) -> Self {
        let credential = actor.api_key_id.or(actor.session_id);
        Self { asked: asked.digest(), user_id: actor.user_id, credential }
    }
}
