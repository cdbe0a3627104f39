//! Telling people that a key is about to end, while there is time to make another.
//!
//! Each key is told of twice, [`limits::KEY_EXPIRY_NOTICE_DAYS`] before its end and on the last day.
//! Which of them were told stands in the key's own row, and is raised in the transaction of the
//! notices: so one node tells, however many look.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::store::{self, Ending};
use crate::access::{Action, Resource, SystemHandle};
use crate::app::App;
use crate::db::Conn;
use crate::error::Result;
use crate::identity::notification::audience;
use crate::limits;
use crate::notice::{self, Kind, Notice};

const LOOK_EVERY: Duration = Duration::from_secs(30 * 60);

/// Which notice of a key's end it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Soon,
    LastDay,
}

impl Stage {
    /// Of a key that ends within [`limits::KEY_EXPIRY_NOTICE_DAYS`].
    fn at(expires_at: DateTime<Utc>, now: DateTime<Utc>) -> Self {
        if expires_at - now <= Self::LastDay.before() { Self::LastDay } else { Self::Soon }
    }

    /// How long before the end its time comes.
    fn before(self) -> TimeDelta {
        match self {
            Self::Soon => TimeDelta::days(limits::KEY_EXPIRY_NOTICE_DAYS),
            Self::LastDay => TimeDelta::days(limits::KEY_EXPIRY_LAST_NOTICE_DAYS),
        }
    }

    fn kind(self) -> Kind {
        match self {
            Self::Soon => Kind::ApiKeyExpires,
            Self::LastDay => Kind::ApiKeyLastDay,
        }
    }

    /// Its number, as it is stored.
    fn number(self) -> i32 {
        match self {
            Self::Soon => 1,
            Self::LastDay => 2,
        }
    }
}

/// Tells for as long as the process serves.
pub async fn keep_telling(app: Arc<App>) {
    loop {
        if let Err(error) = tell_due(&app).await {
            tracing::warn!(%error, "nobody was told of API keys that end soon");
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Tells of every key whose time has come; of how many. One key's failure leaves the others alone.
pub async fn tell_due(app: &App) -> Result<usize> {
    let now = app.clock.now();
    let until = (now + Stage::Soon.before(), now + Stage::LastDay.before());
    let conn = app.db.single_read().await?;
    let due = store::ending(&conn, now, until).await?;
    drop(conn);
    let mut told = 0;
    let mut failed = None;
    for key in due {
        match tell(app, &key, now).await {
            Ok(is_told) => told += usize::from(is_told),
            Err(error) => failed = Some(error),
        }
    }
    failed.map_or(Ok(told), Err)
}

/// Tells of one key. False where another node did, or nobody is to be told.
async fn tell(app: &App, key: &Ending, now: DateTime<Utc>) -> Result<bool> {
    let stage = Stage::at(key.expires_at, now);
    let system = SystemHandle::for_tenant(key.tenant_id);
    let conn = app.db.transaction().await?;
    if !store::raise_expiry_notices(&conn, &system, key.id, stage.number()).await? {
        return Ok(false);
    }
    // Who makes a key for less time than this knows it already.
    let is_news = key.created_at <= key.expires_at - stage.before();
    let people = if is_news { concerned(&conn, key).await? } else { BTreeSet::new() };
    let notice = |user_id| Notice {
        user_id,
        kind: stage.kind(),
        actor_id: None,
        resource: Resource::ApiKeys,
        record_id: key.id,
    };
    let is_told = !people.is_empty();
    let notices = people.into_iter().map(notice).collect();
    notice::append(&conn, &system, &app.clock, notices).await?;
    conn.commit().await?;
    if is_told {
        app.feeds.wake();
    }
    Ok(is_told)
}

/// Who made the key or is who it acts as, and may see it; and everybody who may renew it.
async fn concerned(conn: &Conn, key: &Ending) -> Result<BTreeSet<Uuid>> {
    let owners: Vec<Uuid> = key.created_by.into_iter().chain([key.user_id]).collect();
    let asked = (Resource::ApiKeys, Action::Update);
    let mut ids = audience::granted(conn, key.tenant_id, asked).await?;
    ids.extend(&owners);
    let mut concerned = BTreeSet::new();
    for (id, person) in audience::people(conn, key.tenant_id, ids).await? {
        let action = if owners.contains(&id) { Action::Read } else { Action::Update };
        for owner in &owners {
            let about = (Resource::ApiKeys, action);
            if person.may(conn, about, (*owner, None)).await? {
                concerned.insert(id);
            }
        }
    }
    Ok(concerned)
}
