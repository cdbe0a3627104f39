//! The way of a browser to a provider and back.

use std::sync::Arc;

use chrono::TimeDelta;
use entity::{identity_provider, sign_in_flow};
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use super::exchange::{self, Returned};
use super::id_token::Identity;
use super::linking::{self, Vouched};
use super::metadata::Issuer;
use super::refusal::Refusal;
use super::secret::{BrowserSecret, code_challenge};
use super::{return_to, store};
use crate::access::SystemHandle;
use crate::app::App;
use crate::audit::{self, Author, Entry};
use crate::ctx::Origin;
use crate::error::{Error, Result, say};
use crate::identity::account::token::TokenText;
use crate::identity::identity_provider::service::{RESOURCE, texts};
use crate::identity::session::service::{self as session, Session, SignedInBy};
use crate::limits;
use crate::rate::{self, Bucket, Subject};

const CHALLENGE_CHARS: usize = 43;

/// What a browser begins with.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Begin {
    /// Where it goes in the end; the web application when absent.
    pub return_to: Option<String>,
    /// Of an app: S256 of what it will show with the code that it gets.
    pub challenge: Option<String>,
}

/// What a browser is sent away with.
pub struct Begun {
    /// At the provider.
    pub location: String,
    /// For a cookie.
    pub secret: BrowserSecret,
}

/// What a provider sends a browser back with.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Callback {
    pub code: Option<String>,
    pub state: Option<String>,
    /// RFC 9207.
    pub iss: Option<String>,
    pub error: Option<String>,
}

/// What became of a sign-in.
pub struct Finished {
    pub location: String,
    /// For a browser's cookies; apps are told a code in the address instead.
    pub session: Option<Session>,
}

/// An enabled provider: its slug, its name, and where signing in through it begins.
pub struct Offered {
    pub slug: String,
    pub name: String,
    pub url: String,
}

/// Tenant and provider, as an address has them.
pub type Named<'a> = (&'a str, &'a str);

/// The providers that a tenant's people may choose from; none for a tenant that there is not.
pub async fn offered(app: &App, tenant: &str) -> Result<Vec<Offered>> {
    let conn = app.db.single_read().await?;
    let found = store::offered(&conn, &beside_tenants(), tenant).await?;
    let offer = |(slug, name): (String, String)| {
        let url = return_to::begin_url(&app.config, tenant, &slug);
        Offered { slug, name, url }
    };
    Ok(found.into_iter().map(offer).collect())
}

/// Sends a browser to a provider.
pub async fn begin(app: &App, named: Named<'_>, wish: Begin, origin: &Origin) -> Result<Begun> {
    count(app, origin).await?;
    let return_to = return_to::granted(&app.config, wish.return_to.as_deref())?;
    let challenge = wish.challenge.map(checked_challenge).transpose()?;
    let provider = provider(app, named).await?;
    let issuer = app.identity.issuers.named(&app.clock, &provider.issuer).await?;

    let (flow_id, secret) = (app.clock.new_id(), BrowserSecret::generate());
    let now = app.clock.now();
    let flow = sign_in_flow::Model {
        tenant_id: provider.tenant_id,
        id: flow_id,
        provider_id: provider.id,
        browser_hash: secret.hash(),
        return_to: return_to.into(),
        challenge,
        created_at: now,
        expires_at: now + TimeDelta::minutes(limits::SIGN_IN_MINUTES),
        used_at: None,
        user_id: None,
        code_hash: None,
        redeemed_at: None,
    };
    let system = SystemHandle::for_tenant(provider.tenant_id);
    let conn = app.db.transaction().await?;
    store::insert_flow(&conn, &system, flow).await?;
    conn.commit().await?;

    let mut location = issuer.metadata.authorization_page()?;
    location
        .query_pairs_mut()
        .append_pair("response_type", "code")
        .append_pair("client_id", &provider.client_id)
        .append_pair("redirect_uri", &return_to::callback_url(&app.config, named.0, named.1))
        .append_pair("scope", &texts(&provider.scopes).join(" "))
        .append_pair("state", &secret.state(flow_id))
        .append_pair("nonce", &secret.nonce(flow_id))
        .append_pair("code_challenge", &code_challenge(&secret.code_verifier(flow_id)))
        .append_pair("code_challenge_method", "S256");
    Ok(Begun { location: location.into(), secret })
}

/// Takes a browser back. Where it did not begin here, or comes a second time, that is an error; where
/// it began but the person may not come in, it goes where it wanted to, and says so there.
pub async fn finish(
    app: &Arc<App>,
    named: Named<'_>,
    callback: Callback,
    secret: Option<BrowserSecret>,
    origin: &Origin,
) -> Result<Finished> {
    count(app, origin).await?;
    let provider = provider(app, named).await?;
    let state = callback.state.as_deref().unwrap_or_default();
    let secret = secret.ok_or_else(not_begun_here)?;
    let flow_id = secret.read_state(state).ok_or_else(not_begun_here)?;
    let flow = taken_up(app, &provider, flow_id, &secret).await?;

    let way = Way { named, provider: &provider, flow: &flow, secret: &secret };
    match Box::pin(identified(app, &way, callback)).await {
        Ok(Ok(identity)) => match Box::pin(let_in(app, &way, &identity, origin)).await? {
            Ok(finished) => Ok(finished),
            Err(refusal) => refused(app, &way, refusal, origin).await,
        },
        Ok(Err(refusal)) => refused(app, &way, refusal, origin).await,
        Err(error) => {
            crate::error::http::log_cause(&error, &origin.request_id);
            ended(&flow, "temporarily_unavailable")
        }
    }
}

/// One way through, once the browser is back.
struct Way<'a> {
    named: Named<'a>,
    provider: &'a identity_provider::Model,
    flow: &'a sign_in_flow::Model,
    secret: &'a BrowserSecret,
}

/// The way through that a browser comes back from, which it cannot do again.
async fn taken_up(
    app: &App,
    provider: &identity_provider::Model,
    flow_id: Uuid,
    secret: &BrowserSecret,
) -> Result<sign_in_flow::Model> {
    let system = SystemHandle::for_tenant(provider.tenant_id);
    let now = app.clock.now();
    let conn = app.db.transaction().await?;
    let flow = store::flow(&conn, &system, flow_id).await?.filter(|flow| {
        flow.provider_id == provider.id
            && flow.browser_hash == secret.hash()
            && flow.used_at.is_none()
            && now < flow.expires_at
    });
    let flow = flow.ok_or_else(not_begun_here)?;
    if !store::use_flow(&conn, &system, flow_id, now).await? {
        return Err(not_begun_here());
    }
    conn.commit().await?;
    Ok(flow)
}

/// Who came back. No transaction is open meanwhile: the provider takes its time.
async fn identified(
    app: &App,
    way: &Way<'_>,
    callback: Callback,
) -> Result<std::result::Result<Identity, Refusal>> {
    let issuer = app.identity.issuers.named(&app.clock, &way.provider.issuer).await?;
    if !is_of_issuer(&issuer, &way.provider.issuer, callback.iss.as_deref()) {
        return Ok(Err(Refusal::OtherIssuer));
    }
    let Some(code) = callback.code.filter(|_| callback.error.is_none()) else {
        return Ok(Err(Refusal::ByProvider));
    };
    let returned = Returned {
        code: &code,
        code_verifier: &way.secret.code_verifier(way.flow.id),
        nonce: &way.secret.nonce(way.flow.id),
        callback_url: &return_to::callback_url(&app.config, way.named.0, way.named.1),
    };
    exchange::identify(app, way.provider, &issuer, &returned).await
}

/// RFC 9207: who says that it names itself does, and whoever names themselves is who was asked.
fn is_of_issuer(issuer: &Issuer, expected: &str, told: Option<&str>) -> bool {
    match told {
        Some(told) => told == expected,
        None => !issuer.metadata.authorization_response_iss_parameter_supported,
    }
}

async fn let_in(
    app: &Arc<App>,
    way: &Way<'_>,
    identity: &Identity,
    origin: &Origin,
) -> Result<std::result::Result<Finished, Refusal>> {
    let Way { provider, flow, .. } = way;
    let system = SystemHandle::for_tenant(provider.tenant_id);
    let conn = app.db.transaction().await?;
    let vouched = Vouched { provider, identity, origin };
    let user_id = match linking::user_of(app, &conn, &vouched).await? {
        Ok(user_id) => user_id,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let finished = if flow.challenge.is_some() {
        let code = TokenText::generate(provider.tenant_id, flow.id);
        let expires_at = app.clock.now() + TimeDelta::seconds(limits::SIGN_IN_CODE_SECONDS);
        let kept = (code.secret_hash(), expires_at);
        store::set_code(&conn, &system, (flow.id, user_id), (&kept.0, kept.1)).await?;
        let location = return_to::with(&flow.return_to, "code", &code.reveal())?;
        Finished { location, session: None }
    } else {
        let by = SignedInBy::Provider { id: provider.id, slug: &provider.slug };
        let session = session::admit(app, &conn, (provider.tenant_id, user_id), by, origin).await?;
        Finished { location: flow.return_to.clone(), session: Some(session) }
    };
    conn.commit().await?;
    // Sessions may have ended.
    app.identity.forget(app, user_id).await;
    Ok(Ok(finished))
}

/// Notes a refusal and leads the browser on. All refusals look alike there.
async fn refused(app: &App, way: &Way<'_>, refusal: Refusal, origin: &Origin) -> Result<Finished> {
    let Way { provider, flow, .. } = way;
    let system = SystemHandle::for_tenant(provider.tenant_id);
    let entry = Entry {
        action: "identity_provider.refuse_sign_in".to_owned(),
        resource: RESOURCE,
        resource_id: provider.id,
        old: None,
        new: Some(json!({ "reason": refusal.as_str() })),
    };
    let author = Author { user_id: None, api_key_id: None, origin };
    let conn = app.db.transaction().await?;
    audit::append_by(&app.clock, &conn, &system, author, vec![entry]).await?;
    conn.commit().await?;
    tracing::info!(
        tenant_id = %provider.tenant_id,
        provider = provider.slug,
        reason = refusal.as_str(),
        request_id = %origin.request_id,
        "a sign-in was refused"
    );
    ended(flow, "access_denied")
}

/// Leads a browser on with an error in the words of RFC 6749.
fn ended(flow: &sign_in_flow::Model, error: &str) -> Result<Finished> {
    let location = return_to::with(&flow.return_to, "error", error)?;
    Ok(Finished { location, session: None })
}

async fn provider(app: &App, named: Named<'_>) -> Result<identity_provider::Model> {
    let conn = app.db.single_read().await?;
    let found = store::provider(&conn, &beside_tenants(), named).await?;
    found.ok_or_else(|| Error::not_found("IdentityProvider"))
}

/// Only slugs are known yet: the tenant is found by the same statement.
fn beside_tenants() -> SystemHandle {
    SystemHandle::for_tenant(Uuid::nil())
}

/// Signing in so is an attempt to sign in, and bounded like one.
async fn count(app: &App, origin: &Origin) -> Result<()> {
    match origin.ip {
        Some(ip) => rate::check(app, Bucket::Login, Subject::address(ip), 1).await,
        None => Ok(()),
    }
}

fn checked_challenge(challenge: String) -> Result<String> {
    let is_legal = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if challenge.len() == CHALLENGE_CHARS && challenge.bytes().all(is_legal) {
        return Ok(challenge);
    }
    Err(Error::invalid_field(
        "challenge",
        say(
            "a challenge is the SHA-256 of a verifier in base64url (RFC 7636, S256)",
            "um challenge é o SHA-256 de um verificador em base64url (RFC 7636, S256)",
        ),
    ))
}

/// Another browser, another provider, too late, a second time: all the same.
fn not_begun_here() -> Error {
    Error::invalid(say(
        "this sign-in was not begun in this browser, or has ended: begin again",
        "este acesso não foi iniciado neste navegador, ou já terminou: comece de novo",
    ))
}
