//! Exchanging the code of a sign-in for its session: what an app does that was opened by its address.

use std::sync::Arc;

use super::secret::code_challenge;
use super::store;
use crate::access::SystemHandle;
use crate::app::App;
use crate::ctx::Origin;
use crate::error::{Error, Result, say};
use crate::identity::account::token::TokenText;
use crate::identity::digest;
use crate::identity::session::service::{self as session, Session, SignedInBy};

/// A session for a code and what its challenge was made of. A code is good once: also a wrong
/// verifier uses it up, because only a thief has none.
pub async fn redeem(
    app: &Arc<App>,
    code: &str,
    verifier: &str,
    origin: &Origin,
) -> Result<Session> {
    let code = TokenText::parse(code).ok_or_else(code_refused)?;
    let system = SystemHandle::for_tenant(code.tenant_id);
    let now = app.clock.now();
    let conn = app.db.transaction().await?;
    let flow = store::flow(&conn, &system, code.id).await?.ok_or_else(code_refused)?;
    let is_right =
        flow.code_hash.as_deref().is_some_and(|hash| digest::same(hash, &code.secret_hash()));
    let Some(user_id) = flow.user_id.filter(|_| is_right && now < flow.expires_at) else {
        return Err(code_refused());
    };
    if !store::redeem(&conn, &system, flow.id, now).await? {
        return Err(code_refused());
    }
    let expected = flow.challenge.as_deref().unwrap_or_default();
    let is_theirs = digest::same(expected, &code_challenge(verifier));
    if !is_theirs || !store::may_sign_in(&conn, &system, user_id).await? {
        conn.commit().await?;
        return Err(code_refused());
    }
    let slug = store::slug_of(&conn, &system, flow.provider_id).await?;
    let by = SignedInBy::Provider { id: flow.provider_id, slug: &slug };
    let session = session::admit(app, &conn, (code.tenant_id, user_id), by, origin).await?;
    conn.commit().await?;
    Ok(session)
}

/// Unknown, used, ended, another app's: all the same.
fn code_refused() -> Error {
    Error::Unauthenticated {
        message: say(
            "this code is not valid (any more): sign in again",
            "este código não é (mais) válido: entre de novo",
        ),
    }
}
