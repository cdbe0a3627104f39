//! Whose account it is that a provider vouches for.

use chrono::{DateTime, Utc};
use entity::{identity_provider, user_identity};
use serde_json::json;
use uuid::Uuid;

use super::id_token::Identity;
use super::refusal::Refusal;
use super::store;
use crate::access::{Resource, SystemHandle};
use crate::app::App;
use crate::audit::Author;
use crate::ctx::Origin;
use crate::db::Conn;
use crate::error::Result;
use crate::identity::identity_provider::service::texts;
use crate::identity::session::service::revoke_all_of;
use crate::identity::trail::{Deed, leave_by};
use crate::identity::user::service::Draft;
use crate::identity::{role, user};
use crate::limits;

/// Somebody whom a provider vouches for.
pub(super) struct Vouched<'a> {
    pub(super) provider: &'a identity_provider::Model,
    pub(super) identity: &'a Identity,
    pub(super) origin: &'a Origin,
}

/// The user behind an identity, found, linked or made in the transaction of `conn`.
pub(super) async fn user_of(
    app: &App,
    conn: &Conn,
    vouched: &Vouched<'_>,
) -> Result<std::result::Result<Uuid, Refusal>> {
    let Vouched { provider, identity, .. } = vouched;
    let system = SystemHandle::for_tenant(provider.tenant_id);
    let email = proven_email(identity);
    let domains = texts(&provider.email_domains);
    if !domains.is_empty() {
        match &email {
            None => return Ok(Err(Refusal::EmailNotVerified)),
            Some(email) if !is_of(email, &domains) => return Ok(Err(Refusal::EmailDomain)),
            Some(_) => {}
        }
    }
    let named = (provider.issuer.as_str(), identity.subject.as_str());
    if let Some(known) = store::identity(conn, &system, named).await? {
        if !store::may_sign_in(conn, &system, known.user_id).await? {
            return Ok(Err(Refusal::Inactive));
        }
        store::note_use(conn, &system, known.id, app.clock.now()).await?;
        return Ok(Ok(known.user_id));
    }
    let Some(email) = email else { return Ok(Err(Refusal::EmailNotVerified)) };
    let user_id = match store::user_of_email(conn, &system, &email).await? {
        Some(user) => {
            if !store::may_sign_in(conn, &system, user.id).await? {
                return Ok(Err(Refusal::Inactive));
            }
            // The address was given to somebody else there: that is not this user any more.
            if store::is_known_to(conn, &system, (&provider.issuer, user.id)).await? {
                return Ok(Err(Refusal::OtherSubject));
            }
            if !user.is_verified {
                shut_out_others(app, conn, &system, user.id).await?;
            }
            user.id
        }
        None => match make(app, conn, vouched, &email).await? {
            Some(user_id) => user_id,
            None => return Ok(Err(Refusal::NobodyKnown)),
        },
    };
    link(app, conn, vouched, user_id).await?;
    Ok(Ok(user_id))
}

/// The address in the form in which addresses are compared, where the provider says that it is theirs.
fn proven_email(identity: &Identity) -> Option<String> {
    let email = identity.email.as_deref().filter(|_| identity.is_email_verified)?;
    user::email::checked(email).ok()
}

fn is_of(email: &str, domains: &[String]) -> bool {
    email.rsplit_once('@').is_some_and(|(_, domain)| domains.iter().any(|known| known == domain))
}

/// A new user, where the provider may make some.
async fn make(app: &App, conn: &Conn, vouched: &Vouched<'_>, email: &str) -> Result<Option<Uuid>> {
    let Vouched { provider, identity, origin } = vouched;
    let tenant_id = provider.tenant_id;
    let Some(role_id) = provider.role_id.filter(|_| provider.creates_users) else {
        return Ok(None);
    };
    let mut roles = role::service::names(conn, tenant_id).await?;
    let Some(role) = roles.remove(&role_id) else { return Ok(None) };
    let name = identity.name.as_deref().unwrap_or(email).trim();
    let draft = Draft {
        email: Some(email.to_owned()),
        full_name: name.chars().take(limits::NAME_CHARS_MAX).collect(),
        password_hash: None,
        is_service: false,
        roles: vec![role.clone()],
        manager_id: None,
        org_unit_id: None,
    };
    let id = user::service::create_in(app, conn, tenant_id, draft).await?;
    let deed = Deed {
        action: "user.create",
        event: "user.created",
        resource: Resource::Users,
        id,
        old: None,
        // No personal data: the row has them.
        new: Some(json!({ "roles": [role], "identityProvider": provider.slug })),
    };
    let system = SystemHandle::for_tenant(tenant_id);
    let author = Author { user_id: None, api_key_id: None, origin };
    leave_by(&app.clock, conn, &system, author, deed).await?;
    Ok(Some(id))
}

/// An address that nobody proved may have been taken by somebody who waits for its owner to come:
/// what they hold opens the account no longer.
async fn shut_out_others(
    app: &App,
    conn: &Conn,
    system: &SystemHandle,
    user_id: Uuid,
) -> Result<()> {
    store::forget_password(conn, system, user_id).await?;
    revoke_all_of(conn, system, &app.clock, user_id, None).await?;
    Ok(())
}

async fn link(app: &App, conn: &Conn, vouched: &Vouched<'_>, user_id: Uuid) -> Result<()> {
    let Vouched { provider, identity, origin } = vouched;
    let system = SystemHandle::for_tenant(provider.tenant_id);
    let now: DateTime<Utc> = app.clock.now();
    let row = user_identity::Model {
        tenant_id: provider.tenant_id,
        id: app.clock.new_id(),
        user_id,
        provider_id: provider.id,
        issuer: provider.issuer.clone(),
        subject: identity.subject.clone(),
        created_at: now,
        last_used_at: now,
    };
    store::insert_identity(conn, &system, row).await?;
    store::set_verified(conn, &system, user_id).await?;
    let deed = Deed {
        action: "user.link_identity",
        event: "user.identity_linked",
        resource: Resource::Users,
        id: user_id,
        old: None,
        new: Some(json!({ "identityProvider": provider.slug, "issuer": provider.issuer })),
    };
    let author = Author { user_id: Some(user_id), api_key_id: None, origin };
    leave_by(&app.clock, conn, &system, author, deed).await
}
