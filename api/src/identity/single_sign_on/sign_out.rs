//! Signing out at the provider as well (OpenID Connect RP-Initiated Logout 1.0). Ending a session
//! here leaves the one at the provider open: whoever comes to this browser next is let in without a
//! password. So the browser is sent there, and comes back.
//!
//! The provider knows us by `client_id`: no ID token is kept for a hint, because it is personal data
//! that would be needed for nothing else. It may ask the person whether they mean it.

use reqwest::Url;

use super::{return_to, store};
use crate::access::SystemHandle;
use crate::app::App;
use crate::ctx::Origin;
use crate::error::http::log_cause;
use crate::error::{Error, Result, say};
use crate::identity::session::ending::Ended;
use crate::limits;

/// Where a browser shall come back to, and what it shall bring along.
pub(super) struct Return {
    url: Url,
    state: Option<String>,
}

impl Return {
    /// INVALID for an address that the operator did not name.
    pub(super) fn checked(app: &App, url: Option<&str>, state: Option<String>) -> Result<Self> {
        let url = return_to::granted(&app.config, url).map_err(|_refused| not_named())?;
        let length = state.as_ref().map_or(0, |state| state.chars().count());
        if length > limits::SIGN_OUT_STATE_CHARS_MAX {
            let most = limits::SIGN_OUT_STATE_CHARS_MAX;
            return Err(Error::invalid_field(
                "state",
                say(format!("{most} characters at most"), format!("no máximo {most} caracteres")),
            ));
        }
        Ok(Self { url, state })
    }
}

/// The provider's page that ends the session there; none for a session that came through no provider,
/// or through one that is gone, off, or has no such page. The session here has ended in any case: that
/// a provider does not answer is no reason to say otherwise.
pub(super) async fn page(
    app: &App,
    ended: Option<Ended>,
    back: &Return,
    origin: &Origin,
) -> Option<String> {
    match url(app, ended?, back).await {
        Ok(url) => url,
        Err(error) => {
            log_cause(&error, &origin.request_id);
            None
        }
    }
}

async fn url(app: &App, ended: Ended, back: &Return) -> Result<Option<String>> {
    let system = SystemHandle::for_tenant(ended.tenant_id);
    let conn = app.db.single_read().await?;
    let provider = store::provider_of_session(&conn, &system, ended.session_id).await?;
    drop(conn);
    let Some((issuer, client_id)) = provider else { return Ok(None) };
    let issuer = app.identity.issuers.named(&app.clock, &issuer).await?;
    let Some(mut url) = issuer.metadata.end_session_page()? else { return Ok(None) };
    url.query_pairs_mut()
        .append_pair("client_id", &client_id)
        .append_pair("post_logout_redirect_uri", back.url.as_str());
    if let Some(state) = &back.state {
        url.query_pairs_mut().append_pair("state", state);
    }
    Ok(Some(url.into()))
}

fn not_named() -> Error {
    Error::invalid_field(
        "returnTo",
        say(
            "this address is not below public_url, nor below one of sign_in_returns",
            "este endereço não está sob public_url nem sob um dos de sign_in_returns",
        ),
    )
}
