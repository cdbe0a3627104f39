//! `signInProviders` and `signInRedeem`.

use async_graphql::{Context, Object, Result, SimpleObject};

use super::sign_out::{self, Return};
use super::{redeem, service};
use crate::ctx::Caller;
use crate::identity::session::graphql::{Session, end, hand_over, ready, told};

#[derive(Default)]
pub struct SignInQuery;

#[derive(Default)]
pub struct SignInMutation;

#[Object]
impl SignInQuery {
    /// The identity providers that a sign-in page may offer; none for a tenant that does not exist.
    /// Needs no credential.
    async fn sign_in_providers(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The tenant's slug.")] tenant: String,
    ) -> Result<Vec<SignInProvider>> {
        let caller = context.data::<Caller>()?;
        let offered = service::offered(caller.app(), &tenant).await.map_err(told(caller.origin()));
        let shown =
            |one: service::Offered| SignInProvider { slug: one.slug, name: one.name, url: one.url };
        Ok(offered?.into_iter().map(shown).collect())
    }
}

#[Object]
impl SignInMutation {
    /// A session for the code with which a sign-in through an identity provider came back to an app.
    /// The code is good once, for a minute. Needs no credential.
    async fn sign_in_redeem(
        &self,
        context: &Context<'_>,
        code: String,
        #[graphql(desc = "What the challenge was made of.")] verifier: String,
    ) -> Result<Session> {
        let caller = context.data::<Caller>()?;
        let (app, origin) = (caller.app(), caller.origin());
        let signed_in = async {
            ready(origin)?;
            let session = redeem(app, &code, &verifier, origin).await?;
            hand_over(app, session, origin)
        };
        signed_in.await.map_err(told(origin))
    }

    /// Ends the session of the caller's token as `logout` does, and says where a browser goes to end
    /// the one at the identity provider that it came through.
    async fn sign_out(
        &self,
        context: &Context<'_>,
        #[graphql(
            desc = "Where the provider sends the browser back to, and known to it: public_url, \
                          or an address below it or below one of sign_in_returns."
        )]
        return_to: Option<String>,
        #[graphql(desc = "Comes back with the browser.")] state: Option<String>,
    ) -> Result<SignedOut> {
        let caller = context.data::<Caller>()?;
        let (app, origin) = (caller.app(), caller.origin());
        let signed_out = async {
            let back = Return::checked(app, return_to.as_deref(), state)?;
            let ended = end(caller).await?;
            Ok(SignedOut { provider_url: sign_out::page(app, ended, &back, origin).await })
        };
        signed_out.await.map_err(told(origin))
    }
}

/// What is left to do after a session has ended.
#[derive(SimpleObject)]
struct SignedOut {
    /// The provider's page that ends the session there; null where there is none.
    provider_url: Option<String>,
}

/// A provider that people of a tenant sign in through.
#[derive(SimpleObject)]
struct SignInProvider {
    slug: String,
    name: String,
    /// Where a browser goes to sign in; `?return_to=` says where it shall come back to.
    url: String,
}
