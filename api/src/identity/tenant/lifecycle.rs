//! Suspending tenants and deleting them, by the operator. A suspended tenant's credentials stop within
//! a second on every node. A deleted one is suspended too, and can be restored until its waiting
//! period is over.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use entity::tenant;
use serde_json::{Value as Json, json};

use super::service::named;
use super::{purge, store};
use crate::access::{Resource, SystemHandle};
use crate::app::App;
use crate::audit::Author;
use crate::ctx::Origin;
use crate::error::{Error, Result, say};
use crate::identity::trail::{self, Deed};

/// What becomes of a tenant.
#[derive(Debug, Clone, Copy)]
pub enum Turn {
    Suspend,
    Resume,
    /// May be removed for good after so many days.
    Delete {
        after_days: u16,
    },
    Restore,
}

impl Turn {
    fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Suspend => ("tenant.suspend", "tenant.suspended"),
            Self::Resume => ("tenant.resume", "tenant.resumed"),
            Self::Delete { .. } => ("tenant.delete", "tenant.deleted"),
            Self::Restore => ("tenant.restore", "tenant.restored"),
        }
    }
}

/// Turns a tenant; what is so already is no error. Returns the tenant as it is then.
pub async fn turn(app: &Arc<App>, slug: &str, turn: Turn) -> Result<tenant::Model> {
    let old = named(app, slug).await?;
    let new = turned(&old, turn, app.clock.now())?;
    if new == old {
        return Ok(old);
    }
    let system = SystemHandle::for_tenant(old.id);
    let conn = app.db.transaction().await?;
    if purge::service::has_begun(&conn, &system).await? {
        return Err(Error::conflict(say(
            "the tenant is being removed for good: nothing brings it back",
            "o tenant está sendo removido de vez: nada o traz de volta",
        )));
    }
    if !store::update(&conn, &system, &new, &old).await? {
        return Err(Error::conflict(say(
            "the tenant was changed meanwhile: try again",
            "o tenant foi alterado nesse meio-tempo: tente de novo",
        )));
    }
    let (action, event) = turn.names();
    let origin = Origin::internal(format!("command {action}"));
    let author = Author { user_id: None, api_key_id: None, origin: &origin };
    let deed = Deed {
        action,
        event,
        resource: Resource::Tenants,
        id: old.id,
        old: Some(image(&old)),
        new: Some(image(&new)),
    };
    trail::leave_by(&app.clock, &conn, &system, author, deed).await?;
    conn.commit().await?;
    Ok(new)
}

fn turned(old: &tenant::Model, turn: Turn, now: DateTime<Utc>) -> Result<tenant::Model> {
    let mut new = old.clone();
    match turn {
        Turn::Suspend => new.suspended_at = old.suspended_at.or(Some(now)),
        Turn::Resume if old.purge_at.is_some() => {
            return Err(Error::conflict(say(
                "the tenant is deleted: restore it",
                "o tenant está excluído: restaure-o",
            )));
        }
        Turn::Resume => new.suspended_at = None,
        Turn::Delete { after_days } => {
            new.suspended_at = old.suspended_at.or(Some(now));
            let waiting = TimeDelta::days(i64::from(after_days));
            new.purge_at = old.purge_at.or(Some(now + waiting));
        }
        Turn::Restore => {
            if old.purge_at.is_none() {
                return Err(Error::conflict(say(
                    "the tenant is not deleted",
                    "o tenant não está excluído",
                )));
            }
            new.purge_at = None;
            new.suspended_at = None;
        }
    }
    if new != *old {
        new.updated_at = now.max(old.updated_at);
    }
    Ok(new)
}

fn image(tenant: &tenant::Model) -> Json {
    json!({ "suspendedAt": tenant.suspended_at, "purgeAt": tenant.purge_at })
}
