//! Accounts: how people come to one (invitations), prove that it is theirs (passwords and links in
//! mails) and keep it from those who guess.
//!
//! Invariants:
//! - Links carry a random secret that works once and ends by itself; its digest alone is stored, and
//!   not before its mail goes out.
//! - Nobody hands out, takes from, or gets at the account of, somebody who may do more than they.
//! - No answer, and no time an answer takes, tells strangers whether somebody has an account.
//! - Every deed leaves audit entry and event in its own transaction.
//! - A new password ends the sessions that were opened with the old one.
//!
//! Not here: signing in and staying signed in ([`crate::identity::session`]); how mails leave
//! ([`crate::mail`]).

pub mod graphql;
pub(crate) mod guard;
mod invitation;
pub mod letter;
pub(crate) mod new_password;
mod password;
pub(crate) mod roles;
mod store;
pub(crate) mod token;
mod trail;
pub mod upkeep;
pub(crate) mod verbs;

use uuid::Uuid;

use self::store::Person;
use self::token::TokenText;
use crate::access::{Permit, SystemHandle};
use crate::app::App;
use crate::ctx::Ctx;
use crate::db::Conn;
use crate::error::{Error, Result, say};
use crate::identity::digest;

/// What somebody who was let in needs to sign in, beside the password that they chose.
pub(crate) struct Let {
    pub(crate) tenant: String,
    pub(crate) email: String,
}

/// The person whom a link lets in, if it does.
async fn opened(app: &App, token: &TokenText, purpose: &str) -> Result<Person> {
    let system = SystemHandle::for_tenant(token.tenant_id);
    let conn = app.db.snapshot().await?;
    let found = store::token(&conn, &system, token.id).await?.ok_or_else(link_refused)?;
    let is_right =
        found.secret_hash.as_deref().is_some_and(|hash| digest::same(hash, &token.secret_hash()));
    if !is_right || found.purpose != purpose || !letter::is_open(&found, app.clock.now()) {
        return Err(link_refused());
    }
    store::person(&conn, &system, found.user_id).await?.ok_or_else(link_refused)
}

/// Unknown, used, revoked, ended: all the same.
fn link_refused() -> Error {
    Error::invalid_field(
        "token",
        say(
            "this link does not work (any more): ask for a new one",
            "este link não funciona (mais): peça um novo",
        ),
    )
}

/// Ends every way into accounts that were prepared: their address changed, or they were closed.
pub(crate) async fn revoke_links(
    ctx: &Ctx,
    conn: &Conn,
    permit: &impl Permit,
    user_ids: &[Uuid],
) -> Result<()> {
    store::revoke_open(conn, permit, (user_ids, None), ctx.now()).await.map(drop)
}
