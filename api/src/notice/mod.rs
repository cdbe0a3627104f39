//! Notices: what somebody is to be told, written in the transaction of its cause.
//!
//! Invariants:
//! - A user's notices are numbered without a gap. The counter's row is raised last in a transaction
//!   and in the order of user ids: so they become visible in the order of their numbers, no reader
//!   who goes on from a number misses one, and two transactions never wait for each other in a circle.
//! - A notice holds no text of a record: what it says is made when it is read.
//!
//! Not here: who is told of what (the rooms know that), and how it is read
//! (`api/src/identity/notification/`).

mod kind;
mod store;

use std::collections::BTreeMap;

use uuid::Uuid;

pub use kind::{Kind, Level};
pub use store::sweep;

use crate::access::{Permit, Resource};
use crate::clock::Clock;
use crate::db::Conn;
use crate::error::Result;
use crate::limits;

/// Something that somebody is to be told.
#[derive(Debug, Clone, Copy)]
pub struct Notice {
    pub user_id: Uuid,
    pub kind: Kind,
    /// Who caused it, where that is known.
    pub actor_id: Option<Uuid>,
    pub resource: Resource,
    pub record_id: Uuid,
}

/// A row to be written.
struct Draft {
    user_id: Uuid,
    kind: Kind,
    actor_id: Option<Uuid>,
    resource: Resource,
    /// None where it tells of many at once.
    record_id: Option<Uuid>,
    count: i64,
}

/// Writes notices in the transaction of `conn`; nothing that locks may follow before its end. Many of
/// one kind for one person become one that counts them.
pub async fn append(
    conn: &Conn,
    permit: &impl Permit,
    clock: &Clock,
    notices: Vec<Notice>,
) -> Result<()> {
    if notices.is_empty() {
        return Ok(());
    }
    store::insert(conn, permit, clock, together(notices)).await?;
    conn.mark_news();
    Ok(())
}

/// By user, in the order of their ids.
fn together(notices: Vec<Notice>) -> BTreeMap<Uuid, Vec<Draft>> {
    let mut groups: BTreeMap<(Uuid, Kind), Vec<Notice>> = BTreeMap::new();
    for notice in notices {
        let group = groups.entry((notice.user_id, notice.kind)).or_default();
        // The same thing twice is one.
        if group.iter().all(|other| other.record_id != notice.record_id) {
            group.push(notice);
        }
    }
    let mut drafts: BTreeMap<Uuid, Vec<Draft>> = BTreeMap::new();
    for ((user_id, _), group) in groups {
        let count = i64::try_from(group.len()).unwrap_or(i64::MAX);
        let alone = group.len() <= limits::NOTICES_ALONE_MAX;
        let shown = if alone { group.len() } else { 1 };
        drafts.entry(user_id).or_default().extend(group.into_iter().take(shown).map(|notice| {
            Draft {
                user_id,
                kind: notice.kind,
                actor_id: notice.actor_id,
                resource: notice.resource,
                record_id: alone.then_some(notice.record_id),
                count: if alone { 1 } else { count },
            }
        }));
    }
    drafts
}
