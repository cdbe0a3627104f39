//! `invitationAccept`, `passwordChange`, `passwordResetRequest`, `passwordReset`: what people do with
//! their own accounts, most of them before they are anybody.

use async_graphql::{Context, Object, Result, SimpleObject};

use super::{Let, invitation, password};
use crate::ctx::{Caller, Origin};
use crate::error::Error;
use crate::error::graphql::to_field_error;
use crate::error::http::log_cause;

#[derive(Default)]
pub struct AccountMutation;

#[Object]
impl AccountMutation {
    /// Opens one's account by the link of an invitation; sign in with the password afterwards.
    /// Needs no credential.
    async fn invitation_accept(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What follows `#token=` in the link.")] token: String,
        password: String,
        #[graphql(desc = "One's full name, where the invitation has it wrong.")] name: Option<
            String,
        >,
    ) -> Result<OpenedAccount> {
        let caller = context.data::<Caller>()?;
        let (app, origin) = (caller.app(), caller.origin());
        let chosen = (password.as_str(), name.as_deref());
        let accepted = invitation::accept(app, &token, chosen, origin).await;
        accepted.map(OpenedAccount::from).map_err(told(origin))
    }

    /// Changes the caller's own password. All their other sessions end.
    async fn password_change(
        &self,
        context: &Context<'_>,
        current: String,
        new: String,
    ) -> Result<bool> {
        let caller = context.data::<Caller>()?;
        let changed = match caller {
            Caller::Somebody(ctx) => password::change(ctx, &current, &new).await,
            Caller::Nobody { .. } => Err(Error::unauthenticated()),
        };
        changed.map(|()| true).map_err(told(caller.origin()))
    }

    /// Sends a link for a new password, where there is such an account; the answer is true in any
    /// case. Needs no credential.
    async fn password_reset_request(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The tenant's slug.")] tenant: String,
        email: String,
    ) -> Result<bool> {
        let caller = context.data::<Caller>()?;
        let (app, origin) = (caller.app(), caller.origin());
        let requested = password::request_reset(app, &tenant, &email, origin).await;
        requested.map(|()| true).map_err(told(origin))
    }

    /// Sets a new password by the link of a mail. All sessions of the account end. Needs no
    /// credential.
    async fn password_reset(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What follows `#token=` in the link.")] token: String,
        new_password: String,
    ) -> Result<OpenedAccount> {
        let caller = context.data::<Caller>()?;
        let (app, origin) = (caller.app(), caller.origin());
        let reset = password::reset(app, &token, &new_password, origin).await;
        reset.map(OpenedAccount::from).map_err(told(origin))
    }
}

/// What `login` takes beside the password that was just chosen.
#[derive(SimpleObject)]
struct OpenedAccount {
    /// The tenant's slug.
    tenant: String,
    email: String,
}

impl From<Let> for OpenedAccount {
    fn from(account: Let) -> Self {
        Self { tenant: account.tenant, email: account.email }
    }
}

fn told(origin: &Origin) -> impl Fn(Error) -> async_graphql::Error + use<> {
    let (language, request_id) = (origin.language, origin.request_id.clone());
    move |error| {
        log_cause(&error, &request_id);
        to_field_error(&error, language)
    }
}
