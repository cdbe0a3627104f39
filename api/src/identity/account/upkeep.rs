//! Forgetting what no longer means anything: ended links, mails that are done with, old counts.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use uuid::Uuid;

use super::{guard, store};
use crate::access::SystemHandle;
use crate::app::App;
use crate::error::Result;
use crate::identity::single_sign_on;
use crate::{limits, mail};

const EVERY: Duration = Duration::from_secs(60 * 60);

/// Forgets for as long as the process lives.
pub async fn keep(app: Arc<App>) {
    loop {
        if let Err(error) = forget(&app).await {
            tracing::warn!(%error, "ended links and mails were not removed");
        }
        tokio::time::sleep(EVERY).await;
    }
}

/// Forgets once.
pub async fn forget(app: &App) -> Result<()> {
    let now = app.clock.now();
    let before = now - TimeDelta::days(limits::MAIL_KEPT_DAYS);
    let conn = app.db.transaction().await?;
    mail::forget(&conn, before).await?;
    store::remove_ended(&conn, before).await?;
    guard::forget(&conn, now).await?;
    single_sign_on::forget(&conn, &SystemHandle::for_tenant(Uuid::nil()), now).await?;
    conn.commit().await
}
