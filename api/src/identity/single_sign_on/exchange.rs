//! The talk with a provider once a browser has come back: a code for an ID token, and what the token
//! leaves out.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use entity::identity_provider;
use reqwest::{StatusCode, Url};
use serde::Deserialize;

use super::id_token::{self, Expected, Fault, Identity, Person};
use super::metadata::Issuer;
use super::refusal::Refusal;
use super::wire::ask;
use crate::app::App;
use crate::config::Secret;
use crate::error::Result;
use crate::identity::identity_provider::place_of;

/// What the browser brought, and what it was sent away with.
pub(super) struct Returned<'a> {
    pub(super) code: &'a str,
    pub(super) code_verifier: &'a str,
    pub(super) nonce: &'a str,
    pub(super) callback_url: &'a str,
}

#[derive(Deserialize)]
struct Tokens {
    id_token: Option<String>,
    access_token: Option<String>,
}

#[derive(Deserialize)]
struct UserInfo {
    sub: String,
    #[serde(flatten)]
    person: Person,
}

/// Who came back; a refusal where code or token are not good.
pub(super) async fn identify(
    app: &App,
    provider: &identity_provider::Model,
    issuer: &Issuer,
    returned: &Returned<'_>,
) -> Result<std::result::Result<Identity, Refusal>> {
    let Some(tokens) = redeem_code(app, provider, issuer, returned).await? else {
        return Ok(Err(Refusal::Code));
    };
    let Some(id_token) = tokens.id_token else { return Ok(Err(Refusal::Token)) };
    let expected = Expected {
        issuer: &provider.issuer,
        client_id: &provider.client_id,
        nonce: returned.nonce,
        now: app.clock.now(),
    };
    let issuers = &app.identity.issuers;
    let keys = issuers.keys(&app.clock, issuer, false).await?;
    let mut judged = id_token::check(&id_token, &keys, expected);
    if judged == Err(Fault::UnknownKey) {
        let keys = issuers.keys(&app.clock, issuer, true).await?;
        judged = id_token::check(&id_token, &keys, expected);
    }
    let identity = match judged {
        Ok(identity) => identity,
        Err(fault) => {
            tracing::warn!(issuer = provider.issuer, ?fault, "an ID token was refused");
            return Ok(Err(Refusal::Token));
        }
    };
    let userinfo = issuer.metadata.userinfo_endpoint.as_ref();
    match (userinfo, tokens.access_token) {
        (Some(url), Some(token)) if identity.email.is_none() => {
            userinfo_of(app, url, &token, identity).await
        }
        (Some(_) | None, _) => Ok(Ok(identity)),
    }
}

/// `None` when the provider does not take the code.
async fn redeem_code(
    app: &App,
    provider: &identity_provider::Model,
    issuer: &Issuer,
    returned: &Returned<'_>,
) -> Result<Option<Tokens>> {
    let secret = match &provider.client_secret {
        Some(sealed) => Some(app.vault.open(&place_of(provider), sealed)?),
        None => None,
    };
    let mut form = vec![
        ("grant_type", "authorization_code"),
        ("code", returned.code),
        ("redirect_uri", returned.callback_url),
        ("code_verifier", returned.code_verifier),
    ];
    let mut question = app.identity.issuers.wire.post(&issuer.metadata.token_endpoint).await?;
    match &secret {
        Some(secret) if !issuer.metadata.wants_secret_in_body() => {
            question = question.header("authorization", basic(&provider.client_id, secret));
        }
        Some(secret) => {
            form.push(("client_id", &provider.client_id));
            form.push(("client_secret", secret.reveal()));
        }
        None => form.push(("client_id", &provider.client_id)),
    }
    let question = question.header("accept", "application/json").form(&form);
    let answer = ask(question).await?;
    if answer.status == StatusCode::BAD_REQUEST {
        return Ok(None);
    }
    answer.json().map(Some)
}

/// RFC 6749, 2.3.1: both are form-encoded first.
fn basic(client_id: &str, secret: &Secret) -> String {
    let encoded = |text: &str| -> String {
        let mut url = Url::parse("x:/").ok();
        if let Some(url) = &mut url {
            url.query_pairs_mut().append_key_only(text);
        }
        url.and_then(|url| url.query().map(str::to_owned)).unwrap_or_default()
    };
    let pair = format!("{}:{}", encoded(client_id), encoded(secret.reveal()));
    format!("Basic {}", STANDARD.encode(pair))
}

/// Providers to the letter of the specification put an address here and not into the token.
async fn userinfo_of(
    app: &App,
    url: &str,
    access_token: &str,
    identity: Identity,
) -> Result<std::result::Result<Identity, Refusal>> {
    let question = app.identity.issuers.wire.get(url).await?.bearer_auth(access_token);
    let answer = ask(question.header("accept", "application/json")).await?;
    let told: UserInfo = answer.json()?;
    // Core 1.0, 5.3.2: of somebody else it must not be used.
    if told.sub != identity.subject {
        return Ok(Err(Refusal::Token));
    }
    let name = identity.name;
    let mut full = told.person.into_identity(identity.subject);
    full.name = full.name.or(name);
    Ok(Ok(full))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_secrets_are_encoded_before_they_are_joined() {
        let header = basic("a:b c", &Secret::new("p%/é+"));
        let pair = STANDARD.decode(header.strip_prefix("Basic ").unwrap()).unwrap();
        assert_eq!(String::from_utf8(pair).unwrap(), "a%3Ab+c:p%25%2F%C3%A9%2B");
    }
}
