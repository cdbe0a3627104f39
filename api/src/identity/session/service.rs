//! Sign-in.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::password::Verdict;
use super::store::{self, Account};
use super::token::AccessToken;
use crate::access::SystemHandle;
use crate::app::App;
use crate::ctx::Origin;
use crate::error::{Error, Result, say};
use crate::identity::user::email;
use crate::limits;

/// What somebody who signed in holds.
#[derive(Debug, Clone)]
pub struct Session {
    pub access_token: String,
    pub expires_at: DateTime<Utc>,
    pub user_id: Uuid,
    pub tenant_id: Uuid,
}

/// Signs in. Whatever was wrong, the answer is the same, after one statement and one hash.
pub async fn login(
    app: &Arc<App>,
    tenant_slug: &str,
    email: &str,
    password: &str,
    origin: &Origin,
) -> Result<Session> {
    let found = find(app, tenant_slug, email).await?;
    let hash = found.as_ref().and_then(|account| account.password_hash.clone());
    let verdict = app.identity.passwords.verify(password, hash).await?;
    let account = match (verdict, found) {
        (Verdict::Wrong, _) | (_, None) => return Err(wrong_credentials()),
        (Verdict::Right | Verdict::RightButOld, Some(account)) => account,
    };
    let stronger_hash = match verdict {
        Verdict::RightButOld => app.identity.passwords.hash(password).await.ok(),
        Verdict::Right | Verdict::Wrong => None,
    };
    let now = app.clock.now();
    record_login(app, &account, stronger_hash, now).await?;
    tracing::info!(
        tenant_id = %account.tenant_id,
        user_id = %account.user_id,
        request_id = %origin.request_id,
        "signed in"
    );
    open_session(app, &account, now)
}

async fn find(app: &Arc<App>, tenant_slug: &str, email: &str) -> Result<Option<Account>> {
    // Only the slug is known yet: the tenant is found by the same statement.
    let system = SystemHandle::for_tenant(Uuid::nil());
    let conn = app.db.single_read().await?;
    store::find_account(&conn, &system, tenant_slug, &email::folded(email)).await
}

async fn record_login(
    app: &Arc<App>,
    account: &Account,
    stronger_hash: Option<String>,
    now: DateTime<Utc>,
) -> Result<()> {
    let system = SystemHandle::for_tenant(account.tenant_id);
    let conn = app.db.transaction().await?;
    store::record_login(&conn, &system, account, stronger_hash, now).await?;
    conn.commit().await
}

fn open_session(app: &Arc<App>, account: &Account, now: DateTime<Utc>) -> Result<Session> {
    let expires_at = DateTime::from_timestamp(now.timestamp(), 0).unwrap_or(now)
        + TimeDelta::seconds(limits::ACCESS_TOKEN_SECONDS);
    let token = AccessToken {
        tenant_id: account.tenant_id,
        user_id: account.user_id,
        session_id: app.clock.new_id(),
        expires_at,
    };
    Ok(Session {
        access_token: app.identity.signer.sign(&token, now)?,
        expires_at,
        user_id: account.user_id,
        tenant_id: account.tenant_id,
    })
}

fn wrong_credentials() -> Error {
    Error::Unauthenticated {
        message: say(
            "tenant, e-mail or password is wrong",
            "organização, e-mail ou senha incorretos",
        ),
    }
}
